"""Calendar values of the rules file: dates, instants, time zones, hours of the day, schedules."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NewType
from zoneinfo import available_timezones

from alertd.core import times
from alertd.core.calendar import PeriodStart, YearDay
from alertd.rules_file.remedy import closest, show
from alertd.rules_file.source import Number
from alertd.rules_file.values import parse_text

PeriodName = NewType("PeriodName", str)
"""A calendar period, written as its kind requires (`2026-12`, `2026-Q4`)."""
Zone = NewType("Zone", str)
"""An IANA time zone."""
Schedule = NewType("Schedule", str)
"""Five cron fields."""
Starting = NewType("Starting", datetime)
"""An instant; a date means the start of that day, UTC."""
Ending = NewType("Ending", datetime)
"""An instant; a date means the end of that day, UTC."""
DayHours = NewType("DayHours", tuple[time, time])
"""Start and end of hours; an end of midnight is the end of the day, an end before the start is on the next day."""


DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
SCHEDULE = r"^\s*(\S+\s+){4}\S+\s*$"
ZONE = r"^(?!(posix|right)/|(localtime|posixrules|Factory)$)[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
DAY_HOURS = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
PERIOD_NAME = r"^[0-9]{4}(-(Q[1-4]|W[0-5][0-9]|[01][0-9](-[0-3][0-9])?))?$"
YEAR_DAY = r"^[0-9]{2}-[0-9]{2}$"
_LAST_OF_EACH_MONTH = 28
_COMMON_YEAR = 2026
_LONGEST_SCHEDULE = 100


def parse_date(value: object) -> date:
    """Read a date, `YYYY-MM-DD`."""
    if isinstance(value, str) and re.fullmatch(DATE, value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{show(value)} is not a day of the calendar") from None
    raise ValueError(f"{show(value)} is not a date; write 2026-12-01")


def parse_period_start(value: object) -> PeriodStart:
    """Parse the start of a month or a year: a day from 1 to 28, or month and day, `04-06`."""
    if isinstance(value, Number) and isinstance(value.native, int):
        if 1 <= value.native <= _LAST_OF_EACH_MONTH:
            return value.native
        raise ValueError(f"{show(value)} is not a day that every month has; write one from 1 to 28")
    if isinstance(value, str) and re.fullmatch(YEAR_DAY, value):
        month, day = int(value[:2]), int(value[3:])
        if value == "02-29":
            raise ValueError("02-29 is not a day that every year has; write 02-28 or 03-01")
        try:
            date(_COMMON_YEAR, month, day)
        except ValueError:
            raise ValueError(f"{show(value)} is not a day of the calendar; write month and day, e.g. 04-06") from None
        return YearDay(month, day)
    raise ValueError(
        f"{show(value)} is not where a period begins; write a day from 1 to 28, or month and day like 04-06"
    )


def parse_instant(value: object) -> datetime:
    """Parse an ISO 8601 instant with its zone; return it in UTC."""
    if isinstance(value, str):
        return times.parse_instant(value)
    raise ValueError(f"{show(value)} is not a time; write it with its zone, like 2026-12-01T08:00:00Z")


def parse_starting(value: object) -> Starting:
    """Parse an instant or a date; a date means the start of that day, UTC."""
    if isinstance(value, str) and re.fullmatch(DATE, value):
        return Starting(datetime.combine(parse_date(value), time(), UTC))
    return Starting(_date_or_instant(value))


def parse_ending(value: object) -> Ending:
    """Parse an instant or a date; a date means the end of that day, UTC."""
    if isinstance(value, str) and re.fullmatch(DATE, value):
        try:
            return Ending(datetime.combine(parse_date(value), time(), UTC) + timedelta(days=1))
        except OverflowError:
            raise ValueError(f"{show(value)} is too late a day") from None
    return Ending(_date_or_instant(value))


def _date_or_instant(value: object) -> datetime:
    try:
        return parse_instant(value)
    except ValueError as error:
        remedy = ", or the date alone" if "zone" in str(error) else ""
        raise ValueError(f"{error}{remedy}") from None


def parse_zone(value: object) -> Zone:
    """Read the name of an IANA time zone."""
    text = parse_text(value)
    try:
        return Zone(times.parse_zone(text))
    except ValueError as error:
        meant = "" if text.startswith(times.OTHER_CLOCKS) else closest(text, _zones())
        raise ValueError(f"{show(text)} is not a time zone{meant}" if meant else str(error)) from None


@cache
def _zones() -> tuple[str, ...]:
    # Takes 50 ms; needed for the first typo only.
    return tuple(sorted(available_timezones() - times.NO_ZONES))


def parse_day_hours(value: object) -> DayHours:
    """Parse hours of the day, `22:00-07:00`."""
    if isinstance(value, str) and re.fullmatch(DAY_HOURS, value):
        start, _, end = value.partition("-")
        if start != end:
            return DayHours((time.fromisoformat(start), time() if end == "24:00" else time.fromisoformat(end)))
    raise ValueError(f"{show(value)} is not a part of a day; write it like 22:00-07:00")


def parse_schedule(value: object) -> Schedule:
    """Read five cron fields."""
    from alertd.rules_file.schedule import has_form, is_schedule  # noqa: PLC0415 # for files with reports only

    text = parse_text(value)
    if len(text.split()) != 5 or len(text) > _LONGEST_SCHEDULE or not (is_schedule(text) or has_form(text)):
        remedy = 'write minute, hour, day, month and weekday, like "0 9 * * mon"'
        raise ValueError(f"{show(text)} is not a schedule; {remedy}")
    if not is_schedule(text):
        raise ValueError(f"{show(text)} never comes: no such month has that day; write another day or month")
    return Schedule(text)
