"""Quiet hours, in which a receiver gets nothing below critical, in its own time zone."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from alertd.core.dataclass import dataclass

_DAY = timedelta(days=1)
_SOME_MONDAY = datetime(2026, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A period on some weekdays; if its end is not after its start, it ends on the next day."""

    days: frozenset[int]
    """Weekdays on which the period begins; Monday is 0."""
    start: time = time()
    end: time = time()
    """End of the period; midnight is the end of the day."""
    timezone: str = "UTC"

    def end_of(self, now: datetime) -> datetime | None:
        """Return when the current quiet hours end, aware, UTC; None outside quiet hours."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        # Two days back: if a zone skipped a day, the night before reaches into the day after.
        days = [day for day in (today - 2 * _DAY, today - _DAY, today) if day.weekday() in self.days]
        ends = [self._span(day, zone) for day in days if _exists(day, zone)]
        return max((end for start, end in ends if start <= now < end), default=None)

    def _span(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        last = day if self.end > self.start else day + _DAY
        # The end is computed separately: a clock change makes quiet hours longer or shorter, not later.
        start, end = (datetime.combine(on, at, zone) for on, at in ((day, self.start), (last, self.end)))
        return start.astimezone(UTC), end.astimezone(UTC)


def _exists(day: date, zone: ZoneInfo) -> bool:
    """Return whether a zone has a day: Samoa once skipped a Friday, which had no quiet hours."""
    noon = datetime.combine(day, time(12), zone)
    return noon.astimezone(UTC).astimezone(zone).date() == day


def quiet_until(hours: Iterable[QuietHours], now: datetime) -> datetime | None:
    """Return when a receiver may be notified again; None if it may now. Adjacent quiet hours count as one."""
    windows = tuple(hours)
    until: datetime | None = None
    while (later := max((end for window in windows if (end := window.end_of(until or now))), default=None)) is not None:
        if until is not None and later - now > 8 * _DAY:
            # Quiet hours all week: without an end nothing would ever be sent.
            return until
        until = later
    return until


def is_always_quiet(hours: Iterable[QuietHours]) -> bool:
    """Return whether quiet hours leave no gap in a week without clock changes: messages would wait for a week."""
    until = quiet_until(hours, _SOME_MONDAY)
    return until is not None and until - _SOME_MONDAY >= 7 * _DAY
