"""
Calendar periods in a time zone, as whole UTC hours: all daylight saving lives here.

Bills come by the UTC hour, and an hour belongs to the period in which it begins. So a period starts with the first
whole UTC hour at or after its local midnight: in zones that are off by half an hour, half an hour late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from alertd.core.hours import HourRange, hour_of, start_of


class Period(StrEnum):
    """The calendar periods that a budget can be for."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


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
        """The period for people: `2026-03-24`, `the week from 2026-03-23`, `March 2026`, `Q1 2026`, `2026`."""
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


def period_of(hour: int, kind: Period, timezone: str) -> CalendarPeriod:
    """
    Return the period to which a UTC hour belongs.

    Args:
        hour: Whole hours since the epoch.
        kind: How long the period is.
        timezone: The name of an IANA zone.
    """
    first = _first_day(local_time(hour, timezone).date(), kind)
    return CalendarPeriod(
        kind=kind,
        first_day=first,
        hours=HourRange(_first_hour(first, timezone), _first_hour(_next_first_day(first, kind), timezone)),
    )


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
