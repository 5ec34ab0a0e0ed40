"""Sources of time that need no check: a given instant, and the system's clock."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum

from alertd.clock import Clock, boot_id, utc_now
from alertd.core.dataclass import dataclass
from alertd.core.rules.facts import ClockFault
from alertd.core.rules.records import ClockRecord

CLOSE = timedelta(minutes=1)
"""Two clocks that differ by less agree."""


class Verdict(Enum):
    """What may be done with a read."""

    CHECKED = "checked"
    """It may be filed, and everything judged."""
    MOVED = "moved"
    """The time of the read proved wrong, and the right one is known: read again."""
    WRONG = "wrong"
    """The wall clock disagrees with the API: nothing is decided."""
    UNCHECKED = "unchecked"
    """The time was never checked: only the failure to read is judged."""


class Timekeeper:
    """
    Tells the time and whether it was checked; the base class is right by definition.

    Args:
        now: Returns the best known time; before any check it is only probable.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now

    @property
    def fault(self) -> ClockFault | None:
        """How the wall clock disagrees with the API; None if it agrees."""
        return None

    @property
    def is_checked(self) -> bool:
        """Whether `now` rests on a check, and no later answer has disagreed with the wall clock."""
        return True

    @property
    def wants_check(self) -> bool:
        """Whether the wall clock contradicts the last check: the API should be queried before anything is read."""
        return False

    def resume(self, record: ClockRecord) -> None:
        """Continue from the last time that an earlier process checked: now is later than that."""

    def begin(self) -> None:
        """Begin a cycle: earlier answers say nothing about its clock."""

    def take(self) -> datetime:
        """Return the instant with which a cycle reads, files and judges."""
        return self.now()

    def verdict(self) -> Verdict:
        """Return what may be done with what was read at the instant of the last `take`."""
        return Verdict.CHECKED

    def take_jump(self) -> bool:
        """Return, once, whether the time was checked for the first time, or jumped, since the last call."""
        return False

    def hear(self, account: str, date: datetime | None, asked_s: float) -> None:
        """
        Note an answer's `Date`, as soon as it arrives.

        Args:
            date: None if the answer has no valid one.
            asked_s: When it was requested, by the clock's `elapsed_s`.
        """

    def bear_out(self, newest: datetime) -> None:
        """Note the start of the newest received bill: the time cannot be long before or after it."""

    def record(self) -> ClockRecord:
        """Return what another process needs to know about the system's clock; empty if unknown."""
        return ClockRecord()


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, with the reading of the clock that never steps."""

    instant: datetime
    at_s: float

    def later(self, now_s: float) -> datetime:
        """Return the instant that it is when that clock says *now_s*."""
        return self.instant + timedelta(seconds=now_s - self.at_s)


class SystemTime(Timekeeper):
    """The system's clock, trusted unconditionally, for the life of the process."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda: self._follow().instant)
        self._clock = clock
        self._known = self._taken = Moment(clock.wall(), clock.elapsed_s())
        self._has_jumped = True

    def take(self) -> datetime:
        """Return the system's clock."""
        self._taken = self._follow()
        return self._taken.instant

    def verdict(self) -> Verdict:
        """Return whether the clock has stepped since the last `take`."""
        known = self._follow()
        is_same = abs(known.instant - self._taken.later(known.at_s)) <= 2 * CLOSE
        return Verdict.CHECKED if is_same else Verdict.MOVED

    def take_jump(self) -> bool:
        """Return, once, whether the clock was set."""
        self._follow()
        has_jumped, self._has_jumped = self._has_jumped, False
        return has_jumped

    def record(self) -> ClockRecord:
        """Return the system's clock."""
        known = self._follow()
        return ClockRecord(checked_at=known.instant, elapsed_s=known.at_s, boot=boot_id())

    def _follow(self) -> Moment:
        before, self._known = self._known, Moment(self._clock.wall(), self._clock.elapsed_s())
        if abs(before.later(self._known.at_s) - self._known.instant) > CLOSE:
            self._has_jumped = True
        return self._known


GIVEN_TIME = Timekeeper(utc_now)
"""The timekeeper for a cycle that is given every instant."""


LARGEST_STEP_S = 60.0
"""If the wall clock moved this much between two samples, relative to the monotonic clock, it was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happened between two samples."""

    moved_s: float
    """How far the wall clock was set forward."""
    suspended_s: float


class ClockWatch:
    """
    Compares each sample with the previous one, for the life of the service.

    A clock that stands still, or runs too fast or too slow, makes no step: it would be one at every look for ever. How
    far it has come off is seen where the time is checked.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before = self._offsets_s()

    def look(self) -> Step | None:
        """Return what happened since the last sample; None if nothing did."""
        before, self._before = self._before, self._offsets_s()
        moved_s, suspended_s = (now - then for now, then in zip(self._before, before, strict=True))
        if max(abs(moved_s), suspended_s) <= LARGEST_STEP_S:
            return None
        return Step(moved_s=moved_s, suspended_s=suspended_s)

    def _offsets_s(self) -> tuple[float, float]:
        monotonic_s = self._clock.monotonic_s()
        return self._clock.wall().timestamp() - monotonic_s, self._clock.elapsed_s() - monotonic_s
