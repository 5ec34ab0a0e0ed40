"""
Schedules of reports: five cron fields, as Debian's cron reads them, and days and months by their names.

Day of month and weekday, where both are restricted, mean either. Knows no time zone: it names times on a clock's face.
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
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001 # a face of a clock has no zone


def is_schedule(text: str) -> bool:
    """Return whether a text has the form of a schedule, and a time that it names ever comes."""
    try:
        next(_times(text, _ANY_DAY))
    except (CronSimError, StopIteration, ValueError):
        return False
    return True


def has_form(text: str) -> bool:
    """Return whether a text is a schedule but for its day and month, which never meet."""
    fields = text.split()
    return all(is_schedule(" ".join((*fields[:at], "*", *fields[at + 1 :]))) for at in (_DAY, _MONTH))


def next_time(text: str, after: datetime) -> datetime | None:
    """Return the next time that a schedule names after a time on the face of a clock; None where none comes."""
    try:
        return next(_times(text, after), None)
    except CronSimError:
        return None


def _times(text: str, after: datetime) -> CronSim:
    minute, hour, day, month, weekday = text.lower().split()
    return CronSim(" ".join((minute, hour, day, _numbers(month, _MONTHS, 1), _numbers(weekday, _DAYS, 0))), after)


def _numbers(field: str, names: tuple[str, ...], first: int) -> str:
    """Return a field with numbers in the place of names; a range past the last name goes on with the first."""
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
