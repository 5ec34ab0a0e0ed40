"""
Calendar periods in a time zone, as whole UTC hours; daylight saving time is handled here.

Bills are by the UTC hour, and an hour belongs to the period in which it begins. A period therefore starts with the
first whole UTC hour at or after its local midnight: half an hour late in zones that are offset by half an hour.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of, start_of


class Period(StrEnum):
    """The calendar periods that a budget can have."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class YearDay(NamedTuple):
    """A day of the year, by month and day."""

    month: int
    day: int

    def __str__(self) -> str:
        """Return it as written in a rules file: `04-06`."""
        return f"{self.month:02}-{self.day:02}"


PeriodStart = int | YearDay
"""When a period begins: for a month its day, 1 to 28; for a year its month and day."""

LONGEST: Mapping[Period, timedelta] = {
    # A clock change makes a day up to an hour longer, and rounding to UTC hours adds up to another.
    Period.DAY: timedelta(days=1, hours=2),
    Period.WEEK: timedelta(days=7, hours=2),
    Period.MONTH: timedelta(days=31, hours=2),
    Period.QUARTER: timedelta(days=92, hours=2),
    Period.YEAR: timedelta(days=366, hours=2),
}
"""Longest possible duration of each period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPeriod:
    """One day, week, month, quarter or year of a time zone's calendar."""

    kind: Period
    first_day: date
    hours: HourRange

    @property
    def title(self) -> str:
        """
        The period for people: `2026-03-24`, `the week from 2026-03-23`, `March 2026`, `Q1 2026`, `2026`.

        A month or year that begins on another day is named by that day: `the month from 2026-03-15`.
        """
        is_odd = self.first_day.day != 1 or (self.kind is Period.YEAR and self.first_day.month != 1)
        if self.kind in {Period.MONTH, Period.YEAR} and is_odd:
            return f"the {self.kind} from {self.first_day}"
        match self.kind:
            case Period.DAY:
                return f"{self.first_day}"
            case Period.WEEK:
                return f"the week from {self.first_day}"
            case Period.MONTH:
                return f"{self.first_day:%B %Y}"
            case Period.QUARTER:
                return f"Q{(self.first_day.month + 2) // 3} {self.first_day.year}"
            case Period.YEAR:
                return f"{self.first_day.year}"

    @property
    def key(self) -> str:
        """Its name in a rules file, taken from its first day: `2026-03-24`, `2026-W13`, `2026-03`, `2026-Q1`."""
        return _key_of(self.first_day, self.kind)


KEY_FORMS: Mapping[Period, str] = {
    Period.DAY: "2026-12-05",
    Period.WEEK: "2026-W10",
    Period.MONTH: "2026-12",
    Period.QUARTER: "2026-Q1",
    Period.YEAR: "2026",
}
"""An example key of each kind of period."""


def is_key(text: str, kind: Period) -> bool:
    """Return whether a text is the key of an existing period of a kind."""
    try:
        match kind:
            case Period.DAY:
                first = date.fromisoformat(text)
            case Period.WEEK:
                first = date.fromisocalendar(int(text[:4]), int(text[6:]), 1)
            case Period.MONTH:
                first = date(int(text[:4]), int(text[5:]), 1)
            case Period.QUARTER:
                first = date(int(text[:4]), int(text[6:]) * 3 - 2, 1)
            case Period.YEAR:
                first = date(int(text), 1, 1)
    except (ValueError, OverflowError):
        return False
    return _key_of(first, kind) == text


def _key_of(first: date, kind: Period) -> str:
    match kind:
        case Period.DAY:
            return first.isoformat()
        case Period.WEEK:
            year, week, _ = first.isocalendar()
            return f"{year:04}-W{week:02}"
        case Period.MONTH:
            return f"{first.year:04}-{first.month:02}"
        case Period.QUARTER:
            return f"{first.year:04}-Q{(first.month + 2) // 3}"
        case Period.YEAR:
            return f"{first.year:04}"


def period_of(hour: int, kind: Period, timezone: str, starts_on: PeriodStart | None = None) -> CalendarPeriod:
    """
    Return the period to which a UTC hour belongs.

    Args:
        hour: Whole hours since the epoch.
        kind: The kind of period.
        timezone: The name of an IANA zone.
        starts_on: When a month or year begins; None for the calendar's own first day.
    """
    day = local_time(hour, timezone).date()
    first = _first_day(day, kind)
    if starts_on is not None:
        start = _moved(first, starts_on)
        first = start if start <= day else _moved(_first_day(first - timedelta(days=1), kind), starts_on)
    return _period(first, kind, timezone, starts_on)


def period_before(period: CalendarPeriod, timezone: str, starts_on: PeriodStart | None = None) -> CalendarPeriod:
    """Return the period before *period*; *timezone* and *starts_on* must be those that it was made with."""
    return period_of(period.hours.start - 1, period.kind, timezone, starts_on)


# At each poll all budgets need the same few periods.
@lru_cache(maxsize=256)
def _period(first: date, kind: Period, timezone: str, starts_on: PeriodStart | None) -> CalendarPeriod:
    following = _next_first_day(_first_day(first, kind), kind)
    if starts_on is not None:
        following = _moved(following, starts_on)
    hours = HourRange(_first_hour(first, timezone), _first_hour(following, timezone))
    return CalendarPeriod(kind=kind, first_day=first, hours=hours)


def _moved(first: date, starts_on: PeriodStart) -> date:
    """Return *first*, the calendar's first day of a month or year, moved to the day of *starts_on*."""
    if isinstance(starts_on, YearDay):
        return first.replace(month=starts_on.month, day=starts_on.day)
    return first.replace(day=starts_on)


def days(first: date, last: date, timezone: str) -> HourRange:
    """Return the hours of the days from *first* to *last*, inclusive."""
    return HourRange(_first_hour(first, timezone), _first_hour(last + timedelta(days=1), timezone))


def day_bounds(window: HourRange, timezone: str) -> list[int]:
    """Return the hours that separate a window's days, ascending, with the window's start and end as first and last."""
    found = [window.start]
    while found[-1] < window.end:
        found.append(min(period_of(found[-1], Period.DAY, timezone).hours.end, window.end))
    return found


def end_of(now: datetime, kind: Period, timezone: str) -> datetime:
    """Return when the period that contains *now* ends: its exact local midnight, in UTC."""
    zone = ZoneInfo(timezone)
    following = _next_first_day(_first_day(now.astimezone(zone).date(), kind), kind)
    # A midnight that clocks skip becomes the moment of the change, also if an entire day is skipped.
    return datetime.combine(following, time(), zone).astimezone(UTC)


def local_time(hour: int, timezone: str) -> datetime:
    """Return the local time in a zone at which a UTC hour begins."""
    return start_of(hour).astimezone(ZoneInfo(timezone))


def _first_day(day: date, kind: Period) -> date:
    match kind:
        case Period.DAY:
            return day
        case Period.WEEK:
            return day - timedelta(days=day.weekday())
        case Period.MONTH:
            return day.replace(day=1)
        case Period.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Period.YEAR:
            return day.replace(month=1, day=1)


def _next_first_day(first: date, kind: Period) -> date:
    return _first_day(first + timedelta(days=LONGEST[kind].days), kind)


def _first_hour(day: date, timezone: str) -> int:
    """
    Return the first UTC hour that begins on a local day.

    If clocks skip midnight, `fold=0` applies the offset before the change, which gives the moment of the change; if
    midnight occurs twice, the first one counts.
    """
    midnight = datetime.combine(day, time(), ZoneInfo(timezone))
    hour = hour_of(midnight)
    return hour if start_of(hour) == midnight.astimezone(UTC) else hour + 1
