"""What says how late it is, where nobody has to check it: a time that is given, and the system's clock."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum

from alertd.clock import Clock, boot_id, utc_now
from alertd.core.dataclass import dataclass
from alertd.core.rules.facts import ClockFault
from alertd.core.rules.records import ClockRecord

CLOSE = timedelta(minutes=1)
"""Two clocks this near to each other agree."""


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


class Timekeeper:
    """
    What says how late it is, and whether that was checked; by itself one that is right by definition.

    Args:
        now: Returns the best time known; while nothing was ever checked that is no more than likely.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now

    @property
    def fault(self) -> ClockFault | None:
        """How the wall clock disagrees with the API; None while it does not."""
        return None

    @property
    def is_checked(self) -> bool:
        """Whether `now` rests on a check, and no later answer has disagreed with the wall clock."""
        return True

    @property
    def wants_check(self) -> bool:
        """Whether the wall clock is not where the last check says: the API should be asked before anything is read."""
        return False

    def resume(self, record: ClockRecord) -> None:
        """Go on from the last time that an earlier process checked: it is later than that now."""

    def begin(self) -> None:
        """Begin a cycle: answers from before say nothing about its clock."""

    def take(self) -> datetime:
        """Return the instant by which a cycle reads, files and judges."""
        return self.now()

    def verdict(self) -> Verdict:
        """Return what may be done with what was read by the instant of the last `take`."""
        return Verdict.CHECKED

    def take_jump(self) -> bool:
        """Return, once, whether the time was checked for the first time or went on from elsewhere since."""
        return False

    def hear(self, account: str, date: datetime | None, asked_s: float) -> None:
        """
        Take note of an answer's `Date`, at once when it comes.

        Args:
            date: None where the answer has none that can be read.
            asked_s: When it was asked for, by the clock's `elapsed_s`.
        """

    def bear_out(self, newest: datetime) -> None:
        """Take note of when the newest of the bills that came begins: time cannot be long before or after it."""

    def record(self) -> ClockRecord:
        """Return what another process needs to know of the system's clock; nothing where this says nothing of it."""
        return ClockRecord()


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, and when it was by the clock that never steps."""

    instant: datetime
    at_s: float

    def later(self, now_s: float) -> datetime:
        """Return the instant that it is when that clock says *now_s*."""
        return self.instant + timedelta(seconds=now_s - self.at_s)


class SystemTime(Timekeeper):
    """The system's clock as it is, for who says that it can be trusted; lives as long as the process."""

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
        """Return whether the clock stepped since the last `take`."""
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
"""For a cycle that is given every instant."""
