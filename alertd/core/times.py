"""
Durations, instants and time zones as people write them, and instants for machines, ISO 8601 in UTC.

Errors of the parsers say what to write instead.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alertd.core.words import quote

DURATION = r"^(?!$)([0-9]{1,5}w)?([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"
"""Also valid as an ECMA regular expression, which editors use."""
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
_SECONDS = (604800, 86400, 3600, 60, 1)


def parse_duration(text: str) -> timedelta:
    """
    Parse a duration: `90m`, `24h`, `7d`, `4w`, or several combined as in `1d12h`.

    Raises:
        ValueError: It is not a duration.
    """
    match = re.fullmatch(DURATION, text)
    if match is None:
        raise ValueError(f"{quote(text)} is not a duration; write 90m, 24h, 7d or 4w")
    counts = [int(part[:-1]) if part else 0 for part in match.groups()]
    return timedelta(seconds=sum(count * unit for count, unit in zip(counts, _SECONDS, strict=True)))


def parse_instant(text: str) -> datetime:
    """
    Parse an ISO 8601 instant that has a UTC offset, and return it in UTC.

    Raises:
        ValueError: It is not an instant.
    """
    if not re.fullmatch(INSTANT, text):
        raise ValueError(f"{quote(text)} is not a time; write it with its zone, like 2026-12-01T08:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{quote(text)} is not a time of the calendar") from None


NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
"""Files of the zone database that are not places: the machine's own zone, defaults for POSIX rules, and "not set"."""
OTHER_CLOCKS = ("posix/", "right/")
"""Folders with copies of all zones, the second with leap seconds, which are not counted anywhere else."""


def parse_zone(text: str) -> str:
    """
    Return the name of an IANA time zone if it is valid; other files of the zone database are refused.

    Raises:
        ValueError: There is no time zone of that name.
    """
    if text.startswith(OTHER_CLOCKS):
        raise ValueError(f"{quote(text)} is not a time zone; write {text.partition('/')[2]}")
    try:
        is_zone = text not in NO_ZONES and ZoneInfo(text).key == text
    except (OSError, ValueError, KeyError):
        is_zone = False
    if not is_zone:
        raise ValueError(f"{quote(text)} is not a time zone; write UTC, or one like Europe/Berlin")
    return text


def iso_instant(at: datetime) -> str:
    """Return an aware instant for JSON and HTML: `2026-01-10T12:00:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def iso_instant_or_none(at: datetime | None) -> str | None:
    """Return an aware instant as `iso_instant` does; None for None."""
    return iso_instant(at) if at is not None else None
