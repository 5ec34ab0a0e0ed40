"""
Schedules of reports: five cron fields as in Debian's cron; days and months may also be written in full.

If day of month and weekday are both restricted, either may match. All times are local, without a time zone.
"""

import re
from datetime import datetime
from itertools import chain

from cronsim import CronSim, CronSimError

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_SHORT = 3
_DAY, _MONTH = 2, 3
_LEAST_WRITTEN = {"tues": "tue", "weds": "wed", "thur": "thu", "thurs": "thu", "sept": "sep"}
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 # local time without a zone


def is_schedule(text: str) -> bool:
    """Return whether a text is a valid schedule that occurs at least once."""
    try:
        next(_times(text, _ANY_DAY))
    except (CronSimError, StopIteration, ValueError):
        return False
    return True


def has_form(text: str) -> bool:
    """Return whether a text is a valid schedule, or would be one if its day and month ever occurred together."""
    fields = text.split()
    return all(is_schedule(" ".join((*fields[:at], "*", *fields[at + 1 :]))) for at in (_DAY, _MONTH))


def next_time(text: str, after: datetime) -> datetime | None:
    """Return the next time of a schedule after a local time; None if there is none."""
    try:
        return next(_times(text, after), None)
    except CronSimError:
        return None


def _times(text: str, after: datetime) -> CronSim:
    minute, hour, day, month, weekday = text.lower().split()
    return CronSim(" ".join((minute, hour, day, _numbers(month, _MONTHS, 1), _numbers(weekday, _DAYS, 0))), after)


def _numbers(field: str, names: tuple[str, ...], first: int) -> str:
    """Return a field with numbers instead of names; a range past the last one wraps around to the first."""
    numbers = {name: str(number) for number, name in enumerate(names, first)}
    numbers |= {name[:_SHORT]: number for name, number in numbers.items()}
    numbers |= {name: numbers[short] for name, short in _LEAST_WRITTEN.items() if short in numbers}
    plain = re.sub("[a-z]{3,}", lambda word: numbers.get(word[0], word[0]), field)
    return re.sub(r"(?<![0-9#/-])([0-9]+)-([0-9]+)(?![0-9/-])", lambda span: _span(span, first, len(names)), plain)


def _span(span: "re.Match[str]", first: int, count: int) -> str:
    start, end = int(span[1]), int(span[2])
    if start <= end or start >= first + count:
        return span[0]
    return ",".join(map(str, chain(range(start, first + count), range(first, end + 1))))
