"""
Calendar periods in a time zone, as whole UTC hours: all daylight saving lives here.

Bills come by the UTC hour, and an hour belongs to the period in which it begins. So a period starts with the first
whole UTC hour at or after its local midnight: in zones that are off by half an hour, half an hour late.
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
    """The calendar periods that a budget can be for."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class YearDay(NamedTuple):
    """A day that every year has."""

    month: int
    day: int

    def __str__(self) -> str:
        """Return it as people write it, `04-06`."""
        return f"{self.month:02}-{self.day:02}"


PeriodStart = int | YearDay
"""Where a period begins: the day of the month, 1 to 28, for a month; a month and day for a year."""

LONGEST: Mapping[Period, timedelta] = {
    # Clock changes make a day up to an hour longer, and a boundary inside an hour moves by up to one.
    Period.DAY: timedelta(days=1, hours=2),
    Period.WEEK: timedelta(days=7, hours=2),
    Period.MONTH: timedelta(days=31, hours=2),
    Period.QUARTER: timedelta(days=92, hours=2),
    Period.YEAR: timedelta(days=366, hours=2),
}
"""How long a period can be."""


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
        """Its name in a rules file, by the day on which it begins: `2026-03-24`, `2026-W13`, `2026-03`, `2026-Q1`."""
        return _key_of(self.first_day, self.kind)


KEY_FORMS: Mapping[Period, str] = {
    Period.DAY: "2026-12-05",
    Period.WEEK: "2026-W10",
    Period.MONTH: "2026-12",
    Period.QUARTER: "2026-Q1",
    Period.YEAR: "2026",
}
"""An example of how each kind of period is named."""


def is_key(text: str, kind: Period) -> bool:
    """Return whether a text names a period of a kind that the calendar has."""
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
        kind: How long the period is.
        timezone: The name of an IANA zone.
        starts_on: Where a month or year begins; the calendar's own first day where it is None.
    """
    day = local_time(hour, timezone).date()
    first = _first_day(day, kind)
    if starts_on is not None:
        start = _moved(first, starts_on)
        first = start if start <= day else _moved(_first_day(first - timedelta(days=1), kind), starts_on)
    return _period(first, kind, timezone, starts_on)


def period_before(period: CalendarPeriod, timezone: str, starts_on: PeriodStart | None = None) -> CalendarPeriod:
    """Return the period that ends where one of the same zone and start begins."""
    return period_of(period.hours.start - 1, period.kind, timezone, starts_on)


# Every budget asks for the same few at each poll.
@lru_cache(maxsize=256)
def _period(first: date, kind: Period, timezone: str, starts_on: PeriodStart | None) -> CalendarPeriod:
    following = _next_first_day(_first_day(first, kind), kind)
    if starts_on is not None:
        following = _moved(following, starts_on)
    hours = HourRange(_first_hour(first, timezone), _first_hour(following, timezone))
    return CalendarPeriod(kind=kind, first_day=first, hours=hours)


def _moved(first: date, starts_on: PeriodStart) -> date:
    """Return the day on which a month or year begins that the calendar begins with another."""
    if isinstance(starts_on, YearDay):
        return first.replace(month=starts_on.month, day=starts_on.day)
    return first.replace(day=starts_on)


def days(first: date, last: date, timezone: str) -> HourRange:
    """Return the hours of some days, the last one included."""
    return HourRange(_first_hour(first, timezone), _first_hour(last + timedelta(days=1), timezone))


def day_bounds(window: HourRange, timezone: str) -> list[int]:
    """Return the hours between which a window's days lie, in rising order; the first and last are the window's."""
    found = [window.start]
    while found[-1] < window.end:
        found.append(min(period_of(found[-1], Period.DAY, timezone).hours.end, window.end))
    return found


def end_of(now: datetime, kind: Period, timezone: str) -> datetime:
    """Return when the period of an instant ends, at its local midnight to the minute; UTC."""
    zone = ZoneInfo(timezone)
    following = _next_first_day(_first_day(now.astimezone(zone).date(), kind), kind)
    # A midnight that clocks skip is the moment of the change, also where a whole day is skipped.
    return datetime.combine(following, time(), zone).astimezone(UTC)


def local_time(hour: int, timezone: str) -> datetime:
    """Return what the clocks of a zone show when a UTC hour begins."""
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
    match kind:
        case Period.DAY:
            return first + timedelta(days=1)
        case Period.WEEK:
            return first + timedelta(days=7)
        case Period.MONTH:
            return (first + timedelta(days=31)).replace(day=1)
        case Period.QUARTER:
            return (first + timedelta(days=93)).replace(day=1)
        case Period.YEAR:
            return first.replace(year=first.year + 1)


def _first_hour(day: date, timezone: str) -> int:
    """
    Return the first UTC hour that begins on a local day.

    Where clocks skip midnight, `fold=0` reads it by the offset before, which is the moment of the change; where it
    comes twice, the first one counts.
    """
    midnight = datetime.combine(day, time(), ZoneInfo(timezone))
    hour = hour_of(midnight)
    return hour if start_of(hour) == midnight.astimezone(UTC) else hour + 1
