"""
The watchdog of the running daemon: what has stopped moving, though the process lives.

It notes when cycles begin and end, asks the store now and then what is due, and judges by age alone; it changes
nothing. `/healthz` and the service manager hear what it finds. That the event loop does not turn shows by itself: then
nobody answers at `/healthz`, and the service manager hears nothing more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta

from alertd.core.dataclass import dataclass
from alertd.errors import StoreError
from alertd.log import get_logger

CYCLE_DEADLINE = timedelta(minutes=30)
"""A cycle that takes longer hangs: each of its requests has a much shorter deadline of its own."""
CYCLE_SLACK = timedelta(minutes=5)
"""How long a cycle may wait for its turn, or take to be cancelled."""
STORE_PATIENCE = timedelta(minutes=5)
"""Pruning or loading more than a year of hours takes seconds, on a slow disk a minute; nothing else takes as long."""
SENDING_PATIENCE = timedelta(minutes=15)
"""What may be sent is tried within a minute; attempts have deadlines of half a minute."""
_POLLS_MISSED = 2
ASK_EVERY_S = 10.0
"""How often the store is asked what is due."""

Head = tuple[int, int]
"""The entry that is first in its lane, and the attempts made at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What was seen of the parts that move; ages on a clock that never steps."""

    since_cycle: timedelta
    """Since the last cycle began, or the service did."""
    cycle_runs: bool
    store_silent: timedelta
    """How long a question to the store has waited for its answer; zero where none waits."""
    longest_due: timedelta
    """How long the same notification has been first in its lane and due, without an attempt; zero where none is."""


def stuck(signs: Signs, *, poll_interval: timedelta) -> tuple[str, ...]:
    """Return what is stuck, in words and without figures; nothing where all parts move."""
    reasons = []
    if signs.cycle_runs and signs.since_cycle > CYCLE_DEADLINE + CYCLE_SLACK:
        reasons.append("polling: a cycle does not end")
    elif not signs.cycle_runs and signs.since_cycle > _POLLS_MISSED * poll_interval + CYCLE_SLACK:
        reasons.append("polling: no cycle begins")
    if signs.store_silent > STORE_PATIENCE:
        reasons.append("store: it does not answer")
    if signs.longest_due > SENDING_PATIENCE:
        reasons.append("sending: what is due is not tried")
    return tuple(reasons)


class Watchdog:
    """
    Lives as long as the service.

    Args:
        heads: Asks the store what is due and first in its lane.
        failing: Says which tasks fail again and again, in words; it waits for nothing.
        timer: Seconds on a clock that never steps.
    """

    def __init__(
        self,
        *,
        heads: Callable[[], Awaitable[Collection[Head]]],
        failing: Callable[[], tuple[str, ...]],
        poll_interval: timedelta,
        timer: Callable[[], float],
    ) -> None:
        self._heads = heads
        self._failing = failing
        self._poll_interval = poll_interval
        self._timer = timer
        self._cycle_at_s = timer()
        self._cycle_runs = False
        self._asked_at_s: float | None = None
        self._due_since_s: dict[Head, float] = {}
        self._log = get_logger()

    def cycle_began(self) -> None:
        """Note that a cycle waits for its turn, or runs."""
        self._cycle_at_s = self._timer()
        self._cycle_runs = True

    def cycle_ended(self) -> None:
        """Note that it ended, however it went."""
        self._cycle_runs = False

    def stuck(self) -> tuple[str, ...]:
        """Return what is stuck or fails again and again, in words; it asks nobody, so it answers at once."""
        now_s = self._timer()
        signs = Signs(
            since_cycle=timedelta(seconds=now_s - self._cycle_at_s),
            cycle_runs=self._cycle_runs,
            store_silent=_age(now_s, self._asked_at_s),
            longest_due=_age(now_s, min(self._due_since_s.values(), default=None)),
        )
        return (*stuck(signs, poll_interval=self._poll_interval), *self._failing())

    async def ask(self) -> None:
        """Ask the store what is due, again and again, until cancelled."""
        while True:
            self._asked_at_s = self._timer()
            try:
                heads = await self._heads()
            except StoreError:
                # It answers, and the delivery, which reads the same, logs what is wrong with it.
                pass
            else:
                now_s = self._timer()
                self._due_since_s = {head: self._due_since_s.get(head, now_s) for head in heads}
            finally:
                self._asked_at_s = None
            await asyncio.sleep(ASK_EVERY_S)

    async def watch(self, judged: Callable[[tuple[str, ...]], None], *, every_s: float) -> None:
        """Call *judged* with what is stuck, or with nothing, until cancelled; log it when it changes."""
        before: tuple[str, ...] = ()
        while True:
            found = self.stuck()
            if found and found != before:
                self._log.error("daemon stuck", parts="; ".join(found))
            elif before and not found:
                self._log.info("daemon recovered")
            before = found
            judged(found)
            await asyncio.sleep(every_s)


def _age(now_s: float, since_s: float | None) -> timedelta:
    return timedelta(seconds=now_s - since_s) if since_s is not None else timedelta()
