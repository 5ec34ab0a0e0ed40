"""
The watchdog of the running daemon: detects parts that make no progress although the process is alive.

It notes when cycles begin and end, periodically queries the store for due entries, and judges only by age; it changes
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
"""A longer cycle hangs: each of its requests has a much shorter deadline."""
CYCLE_SLACK = timedelta(minutes=5)
"""Seconds that a cycle may wait for its turn, or take to be cancelled."""
STORE_PATIENCE = timedelta(minutes=5)
"""Seconds for a store call: pruning or loading a year takes seconds, a minute on a slow disk; nothing takes longer."""
SENDING_PATIENCE = timedelta(minutes=15)
"""Seconds without an attempt: due entries are tried within a minute, with deadlines of half a minute."""
_POLLS_MISSED = 2
ASK_EVERY_S = 10.0
"""Seconds between queries of the store for due entries."""

Head = tuple[int, int]
"""The head of a lane, and the attempts made for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Observations of the parts that must make progress; ages by a clock that never steps."""

    since_cycle: timedelta
    """Seconds since the last cycle, or the service, began."""
    cycle_runs: bool
    store_silent: timedelta
    """Seconds that a query to the store has been waiting; zero if there is none."""
    longest_due: timedelta
    """Seconds that the same due notification has been the head of its lane without an attempt; zero if none is."""


def stuck(signs: Signs, *, poll_interval: timedelta) -> tuple[str, ...]:
    """Return what is stuck, in words without figures; empty if all parts make progress."""
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
        heads: Queries the store for the due heads of lanes.
        failing: Returns which tasks fail repeatedly, in words, without waiting.
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
        """Note that a cycle is waiting for its turn, or running."""
        self._cycle_at_s = self._timer()
        self._cycle_runs = True

    def cycle_ended(self) -> None:
        """Note that it ended, whatever the outcome."""
        self._cycle_runs = False

    def stuck(self) -> tuple[str, ...]:
        """Return what is stuck or fails repeatedly, in words, immediately."""
        now_s = self._timer()
        signs = Signs(
            since_cycle=timedelta(seconds=now_s - self._cycle_at_s),
            cycle_runs=self._cycle_runs,
            store_silent=_age(now_s, self._asked_at_s),
            longest_due=_age(now_s, min(self._due_since_s.values(), default=None)),
        )
        return (*stuck(signs, poll_interval=self._poll_interval), *self._failing())

    async def ask(self) -> None:
        """Query the store for due entries periodically, until cancelled."""
        while True:
            self._asked_at_s = self._timer()
            try:
                heads = await self._heads()
            except StoreError:
                # The store answers; the delivery, which reads the same, logs what is wrong.
                pass
            else:
                now_s = self._timer()
                self._due_since_s = {head: self._due_since_s.get(head, now_s) for head in heads}
            finally:
                self._asked_at_s = None
            await asyncio.sleep(ASK_EVERY_S)

    async def watch(self, judged: Callable[[tuple[str, ...]], None], *, every_s: float) -> None:
        """Call *judged* periodically with what is stuck, if anything, until cancelled; log changes."""
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
