"""
The checked time: what the daemon files, judges, prunes and reports by, in place of the wall clock.

The wall clock may be wrong, step or stand still. It counts once the `Date` of an answer of the billing API has agreed
with it. Without a `Date` the time goes on from the last one that was checked, by a clock that counts suspended time
too, whatever the wall clock does. Where a `Date` disagrees nothing may be decided until both agree again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from alertd.clock import Clock, utc_now
from alertd.core.rules.facts import ClockFault

LARGEST_SKEW = timedelta(hours=1)
"""With the wall clock further from the API's `Date` than this, nothing is decided."""
CLOSE = timedelta(minutes=1)
"""A wall clock this near to the `Date` is right; one further off, and not too far, gives way to the `Date`."""
_SLOWEST_ANSWER_S = 600.0
"""A `Date` that took longer to arrive, because the process was frozen meanwhile, says nothing about the clock."""


class Verdict(Enum):
    """What may be done with what was read."""

    CHECKED = "checked"
    """It may be filed, and everything judged."""
    MOVED = "moved"
    """The time by which it was read turned out to be wrong, and the right one is known: it is to be read again."""
    WRONG = "wrong"
    """The wall clock disagrees with the API: nothing is decided."""
    UNCHECKED = "unchecked"
    """Nothing was ever checked: only that nothing can be read is judged."""


class Timekeeper(Protocol):
    """What says how late it is, and whether that was checked."""

    @property
    def fault(self) -> ClockFault | None:
        """How the wall clock disagrees with the API; None while it does not."""

    @property
    def is_checked(self) -> bool:
        """Whether `now` rests on a check, and no later answer has disagreed with the wall clock."""

    @property
    def wants_check(self) -> bool:
        """Whether the wall clock is not where the last check says: the API should be asked before anything is read."""

    def now(self) -> datetime:
        """Return the best time known; while nothing was ever checked that is no more than likely."""

    def resume(self, checked_at: datetime | None) -> None:
        """Go on from the last time that an earlier process checked: it is later than that now."""

    def begin(self) -> None:
        """Begin a cycle: answers from before say nothing about its clock."""

    def take(self) -> datetime:
        """Return the instant by which a cycle reads, files and judges."""

    def verdict(self) -> Verdict:
        """Return what may be done with what was read by the instant of the last `take`."""

    def take_jump(self) -> bool:
        """Return, once, whether the time was checked for the first time or went on from elsewhere since."""

    def hear(self, account: str, date: datetime, asked_s: float) -> None:
        """
        Take note of an answer's `Date`, at once when it comes.

        Args:
            asked_s: When it was asked for, by the clock's `elapsed_s`.
        """


@dataclass(frozen=True, slots=True)
class _Moment:
    """An instant, and when it was by the clock that never steps."""

    instant: datetime
    at_s: float

    def later(self, now_s: float) -> datetime:
        return self.instant + timedelta(seconds=now_s - self.at_s)


class GivenTime:
    """
    A time that is right by definition: that of a test of rules, of the demo, of a replay.

    Args:
        now: Says how late it is, where anybody asks.
    """

    fault: ClockFault | None = None
    is_checked = True
    wants_check = False

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now

    def resume(self, checked_at: datetime | None) -> None:
        """Know better than an earlier process."""

    def begin(self) -> None:
        """Begin a cycle."""

    def take(self) -> datetime:
        """Return the time."""
        return self.now()

    def verdict(self) -> Verdict:
        """Return that the time is right."""
        return Verdict.CHECKED

    def take_jump(self) -> bool:
        """Return that the time goes on as it is meant to."""
        return False

    def hear(self, account: str, date: datetime, asked_s: float) -> None:
        """Take no note: nobody else knows better."""


GIVEN_TIME = GivenTime(utc_now)
"""For a cycle that is given every instant."""


class CheckedTime:
    """Keeps the time of one daemon; lives as long as the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._likely = _Moment(clock.wall(), clock.elapsed_s())
        self._checked: _Moment | None = None
        self._disputed: _Moment | None = None
        """What the API says where the wall clock disagrees and nothing was ever checked."""
        self._taken = self._likely
        self._agreed = False
        """In this cycle."""
        self._disagreed = False
        self._fault: ClockFault | None = None
        self._has_jumped = False

    @property
    def fault(self) -> ClockFault | None:
        """How the wall clock disagrees with the API; None while it does not."""
        return self._fault

    @property
    def is_checked(self) -> bool:
        """Whether `now` rests on a check, and no later answer has disagreed with the wall clock."""
        return self._checked is not None and self._fault is None

    @property
    def wants_check(self) -> bool:
        """Whether the wall clock is not where the last check says."""
        if self._fault is not None:
            return True
        return self._checked is not None and abs(self._clock.wall() - self._known().later(self._now_s())) > CLOSE

    def now(self) -> datetime:
        """Return the time since the last check; before any, what the API says, the wall clock's start at last."""
        known, wall = self._known().later(self._now_s()), self._clock.wall()
        # Near to it the wall clock is the finer one: it is put right all the time.
        return wall if self._checked is not None and abs(wall - known) <= CLOSE else known

    def resume(self, checked_at: datetime | None) -> None:
        """Go on from the last time that an earlier process checked."""
        if checked_at is not None and checked_at > self._likely.instant:
            self._likely = self._taken = _Moment(checked_at, self._now_s())

    def begin(self) -> None:
        """Begin a cycle."""
        self._agreed = self._disagreed = False

    def take(self) -> datetime:
        """Return the instant by which a cycle reads, files and judges."""
        self._taken = _Moment(self.now(), self._now_s())
        return self._taken.instant

    def verdict(self) -> Verdict:
        """Return what may be done with what was read by the instant of the last `take`."""
        if self._disagreed and not self._agreed:
            return Verdict.WRONG
        if self._checked is None:
            return Verdict.UNCHECKED
        if not self._agreed:
            self._go_on()
        now_s = self._now_s()
        is_same = abs(self._checked.later(now_s) - self._taken.later(now_s)) <= 2 * CLOSE
        return Verdict.CHECKED if is_same else Verdict.MOVED

    def take_jump(self) -> bool:
        """Return, once, whether the time was checked for the first time or went on from elsewhere since."""
        has_jumped, self._has_jumped = self._has_jumped, False
        return has_jumped

    def hear(self, account: str, date: datetime, asked_s: float) -> None:
        """Take note of an answer's `Date`."""
        now_s, wall = self._now_s(), self._clock.wall()
        if now_s - asked_s > _SLOWEST_ANSWER_S:
            return
        # The date was written at some moment between question and answer, in whole seconds.
        earliest = wall - timedelta(seconds=now_s - asked_s + 1)
        skew = max(earliest - date, timedelta()) + min(wall - date, timedelta())
        if abs(skew) > LARGEST_SKEW:
            self._disagreed = True
            self._disputed = _Moment(date, now_s)
            if not self._agreed:
                self._fault = ClockFault(account=account, system=wall, api=date)
            return
        fresh = _Moment(wall if abs(skew) <= CLOSE else date, now_s)
        before = self._checked or self._likely
        if self._checked is None or abs(before.later(now_s) - fresh.instant) > CLOSE:
            self._has_jumped = True
        self._checked, self._agreed, self._fault = fresh, True, None

    def _go_on(self) -> None:
        """Without an answer a wall clock that is back where the last check says is right again."""
        fault, wall = self._fault, self._clock.wall()
        if fault is not None and abs(wall - self._known().later(self._now_s())) <= LARGEST_SKEW:
            self._fault = None

    def _known(self) -> _Moment:
        return self._checked or self._disputed or self._likely

    def _now_s(self) -> float:
        return self._clock.elapsed_s()
