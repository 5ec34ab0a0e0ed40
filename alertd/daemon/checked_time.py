"""
The checked time, by which the daemon files, judges, prunes and reports, instead of the wall clock.

The wall clock may be wrong, step or stop. It counts once the `Date` of an answer of the billing API has agreed
with it. Without a `Date` the time continues from the last check, by a clock that counts suspended time
too, whatever the wall clock does. If a `Date` disagrees, nothing is decided until both agree again.

An API whose answers have no `Date`, because a proxy removes or corrupts it, is no reason to stop watching:
then the wall clock counts if the bills, or an earlier check, confirm it to within two days, and is reported as
unchecked.
"""

from datetime import datetime, timedelta

from alertd.clock import SYSTEM_CLOCK, Clock, boot_id
from alertd.core.rules.facts import ClockFault
from alertd.core.rules.records import ClockRecord
from alertd.core.words import format_age
from alertd.daemon.timekeeper import CLOSE, Moment, SystemTime, Timekeeper, Verdict
from alertd.settings.model import Settings

LARGEST_SKEW = timedelta(minutes=65)
"""
If the wall clock differs more from the API's `Date`, nothing is decided.

More than an hour, so that a clock that is off by one because of summer time is on the same side at each answer.
"""
_SLOWEST_ANSWER_S = 600.0
"""A `Date` that took longer to arrive, because the process was frozen meanwhile, says nothing about the clock."""
_YEARS = range(2000, 3000)
"""Years in which a `Date` is plausible: others come from a server without a clock."""
_BORNE_OUT = timedelta(hours=48)
"""Maximum age of the newest bill: as late as a bill may be before it counts as missing."""
_STEADY_S = 3600.0
"""Without any `Date`, a wall clock that was set counts after it has been stable for an hour."""
_DOUBT_AFTER_S = 3600.0
"""An hour without a `Date` is notified; a single answer of a starting server is not."""


class CheckedTime(Timekeeper):
    """Keeps the time of one daemon, for the life of the process."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(self._now)
        self._clock = clock
        self._likely = Moment(clock.wall(), clock.elapsed_s())
        self._checked: Moment | None = None
        self._disputed: Moment | None = None
        """The API's time, if the wall clock disagrees and was never checked."""
        self._taken = self._likely
        self._agreed = False
        """Whether a `Date` agreed in this cycle."""
        self._disagreed = False
        self._fault: ClockFault | None = None
        self._has_jumped = False
        self._skew = timedelta()
        """How far the wall clock was ahead of the last `Date` that counted."""
        self._undated = ""
        """The account whose answer had no `Date` in this cycle."""
        self._undated_since_s: float | None = None
        """When the first answer without a `Date` since the last one with it arrived."""
        self._doubt: ClockFault | None = None
        self._is_dated = False
        """Whether the last check was by a `Date`."""
        self._set: Moment | None = None
        """The time to which the wall clock was set while answers had no `Date`."""
        self._witness: datetime | None = None
        """A recent instant in the past: of the newest bill, or of an earlier check."""

    @property
    def fault(self) -> ClockFault | None:
        """How the wall clock disagrees with the API, or that it cannot be checked; None while all is well."""
        return self._fault or self._doubt

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

    def _now(self) -> datetime:
        """Return the time since the last check; before any, the API's time, else the wall clock's."""
        known, wall = self._known().later(self._now_s()), self._clock.wall()
        # If it is close, the wall clock is more precise: it is synchronised continuously.
        return wall if self._checked is not None and abs(wall - known) <= CLOSE else known

    def resume(self, record: ClockRecord) -> None:
        """Continue from the last time that an earlier process checked."""
        if record.checked_at is None:
            return
        now_s, wall = self._now_s(), self._clock.wall()
        self._witness = record.checked_at
        known = record.later(now_s, boot_id())
        if known is not None and abs(wall - known) <= CLOSE:
            # Two clocks agree: the system's, and the one that counts since boot.
            self._checked = self._taken = Moment(wall, now_s)
        elif (at_least := known or record.checked_at) > self._likely.later(now_s):
            self._likely = self._taken = Moment(at_least, now_s)

    def begin(self) -> None:
        """See `Timekeeper.begin`."""
        self._agreed = self._disagreed = False
        self._undated = ""

    def take(self) -> datetime:
        """Return the instant by which a cycle reads, files and judges."""
        self._taken = Moment(self.now(), self._now_s())
        return self._taken.instant

    def verdict(self) -> Verdict:
        """Return what may be done with what was read by the instant of the last `take`."""
        if self._disagreed and not self._agreed:
            return Verdict.WRONG
        if not self._agreed:
            self._go_on()
        if self._undated and not self._agreed:
            self._take_unchecked()
        if self._checked is None:
            return Verdict.UNCHECKED
        now_s = self._now_s()
        is_same = abs(self._checked.later(now_s) - self._taken.later(now_s)) <= 2 * CLOSE
        return Verdict.CHECKED if is_same else Verdict.MOVED

    def take_jump(self) -> bool:
        """Return, once, whether the time was checked for the first time or went on from elsewhere since."""
        has_jumped, self._has_jumped = self._has_jumped, False
        return has_jumped

    def hear(self, account: str, date: datetime | None, asked_s: float) -> None:
        """Note an answer's `Date`, or its absence."""
        now_s, wall = self._now_s(), self._clock.wall()
        if now_s - asked_s > _SLOWEST_ANSWER_S:
            return
        if date is None or date.year not in _YEARS:
            self._undated = account
            self._undated_since_s = now_s if self._undated_since_s is None else self._undated_since_s
            return
        # The date was written at some moment between request and answer, in whole seconds.
        earliest = wall - timedelta(seconds=now_s - asked_s + 1)
        skew = max(earliest - date, timedelta()) + min(wall - date, timedelta())
        if abs(skew) > LARGEST_SKEW:
            self._disagreed = True
            self._disputed = Moment(date, now_s)
            if not self._agreed:
                self._fault = ClockFault(account=account, system=wall, api=date)
            return
        fresh = Moment(wall if abs(skew) <= CLOSE else date, now_s)
        before = self._checked or self._likely
        if self._checked is None or abs(before.later(now_s) - fresh.instant) > CLOSE:
            self._has_jumped = True
        self._checked, self._agreed, self._fault, self._skew = fresh, True, None, skew
        self._undated_since_s = self._doubt = self._set = None
        self._is_dated = True

    def bear_out(self, newest: datetime) -> None:
        """Note the start of the newest received bill."""
        self._witness = max(newest, self._witness or newest)

    def record(self) -> ClockRecord:
        """Return the time and any doubt about it."""
        fault, checked_at = self.fault, self.now() if self.is_checked else None
        return ClockRecord(
            checked_at=checked_at,
            elapsed_s=self._now_s(),
            boot=boot_id(),
            note=fault.text if fault is not None else self._skew_text(),
            is_wrong=fault is not None and not fault.is_decided,
        )

    def _skew_text(self) -> str:
        if abs(self._skew) <= CLOSE:
            return ""
        side = "ahead of" if self._skew > timedelta() else "behind"
        return (
            f"this system's clock is {format_age(abs(self._skew))} {side} the billing API's, which counts; "
            "set the clock, or where it is right set ALERTD_CLOCK=system"
        )

    def _go_on(self) -> None:
        """Without an answer a wall clock that is back where the last check says is right again."""
        fault, wall = self._fault, self._clock.wall()
        if fault is not None and abs(wall - self._known().later(self._now_s())) <= LARGEST_SKEW:
            self._fault = None

    def _take_unchecked(self) -> None:
        """Use the wall clock while no answer has a `Date`, as far as it is confirmed, and report that."""
        now_s, wall = self._now_s(), self._clock.wall()
        if self._checked is None:
            if self._is_borne_out(wall):
                self._checked, self._has_jumped = Moment(wall, now_s), True
        elif abs(wall - self._checked.later(now_s)) <= CLOSE:
            self._set = None
        elif self._set is None or abs(self._set.later(now_s) - wall) > CLOSE:
            self._set = Moment(wall, now_s)
        elif now_s - self._set.at_s >= _STEADY_S and not self._is_dated and self._is_borne_out(wall):
            self._checked, self._set, self._has_jumped = Moment(wall, now_s), None, True
        is_decided = self._checked is not None
        lasting_s = now_s - (self._undated_since_s or now_s)
        if is_decided and lasting_s < _DOUBT_AFTER_S:
            self._doubt = None
        else:
            self._doubt = ClockFault(account=self._undated, system=wall, api=None, is_decided=is_decided)

    def _is_borne_out(self, wall: datetime) -> bool:
        witness = self._witness
        return witness is not None and -LARGEST_SKEW <= wall - witness <= _BORNE_OUT

    def _known(self) -> Moment:
        return self._checked or self._disputed or self._likely

    def _now_s(self) -> float:
        return self._clock.elapsed_s()


def timekeeper(settings: Settings, clock: Clock = SYSTEM_CLOCK) -> Timekeeper:
    """Return the timekeeper chosen by the settings."""
    return SystemTime(clock) if settings.clock == "system" else CheckedTime(clock)
