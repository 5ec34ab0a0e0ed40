"""
Limits how many answers with bills are read at once over all accounts, and decides whose turn is next.

A silent account does not block the others: a turn in which no bytes arrive is given back, and taken again
when some do.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator
from itertools import count
from types import TracebackType
from typing import Self, TypeVar

AT_ONCE = 64
"""
An answer takes up to a megabyte until it is decoded, and a loop that reads a thousand at once is late for all of them.
"""
PATIENCE_S = 1.0
"""Seconds that a turn waits for the next bytes: twenty times what an answer usually takes."""
_LATE_S = 0.25
"""If the loop is this many seconds late, bytes may have arrived that it has not read yet."""

T = TypeVar("T")


class Turns:
    """
    The turns of all accounts, for the life of the process, on one event loop.

    The account that joined first goes first, so that one is read completely before the next begins, over the same
    connections.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = at_once
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ranks, self._arrivals = count(), count()
        self.decoding = asyncio.Lock()
        """Held while a part of an answer is decoded."""

    def join(self) -> int:
        """Return the rank for a new account."""
        return next(self._ranks)

    async def take(self, rank: int) -> None:
        """Wait for a turn, and give it back at the end."""
        if self._free:
            self._free -= 1
            return
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._arrivals), called))
        try:
            await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Give a turn back."""
        while self._waiting:
            called = heapq.heappop(self._waiting)[2]
            if not called.done():
                called.set_result(None)
                return
        self._free += 1


class Turn:
    """The turn of one request, held for a block."""

    def __init__(self, turns: Turns, rank: int) -> None:
        self._turns, self._rank = turns, rank
        self._is_held = False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self.take()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give()

    async def take(self) -> None:
        """Continue: bytes have arrived, and are processed when it is this request's turn."""
        self._disarm()
        if not self._is_held:
            await self._turns.take(self._rank)
            self._is_held = True

    def lend(self) -> None:
        """Wait for bytes: the turn is given back if none arrive within `PATIENCE_S`."""
        loop = asyncio.get_running_loop()
        self._disarm()
        self._timer = loop.call_later(PATIENCE_S, self._lapse, loop.time() + PATIENCE_S)

    async def each(self, pieces: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield the chunks as they arrive, each in its turn, and wait for a turn for the end too."""
        self.lend()
        async for piece in pieces:
            await self.take()
            yield piece
            self.lend()
        await self.take()

    def _lapse(self, due_s: float) -> None:
        if asyncio.get_running_loop().time() > due_s + _LATE_S:
            self.lend()
        else:
            self._give()

    def _give(self) -> None:
        self._disarm()
        if self._is_held:
            self._is_held = False
            self._turns.give()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
