"""
Instants within texts: written in UTC, and shown in the reader's time zone wherever people read them.

Messages write every instant as `format_instant` does, a form that can be parsed unambiguously. Channels find the
instants of a text here and rewrite each in their own way; texts that are not rewritten (JSON, logs, the store) remain
correct. At worst a name in a bill that resembles an instant is shown in another time zone.
"""

import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from alertd.core.dataclass import dataclass

_WRITTEN = re.compile(r"(?<![\w-])(\d{4}-\d\d-\d\d \d\d:\d\d) UTC(?!\w)", re.ASCII)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The reader's clock: an IANA zone, and the current time, which decides what is today."""

    timezone: str
    now: datetime

    def text(self, at: datetime) -> str:
        """Return an instant as briefly as is unambiguous: `14:00 CET`, `yesterday 20:00 CET`, `Mar 9 14:00 CET`."""
        zone = ZoneInfo(self.timezone)
        local, today = at.astimezone(zone), self.now.astimezone(zone).date()
        time = f"{local:%H:%M} {_zone_name(local)}"
        if local.date() == today:
            return time
        if abs(local.date() - today) == _DAY:
            return f"{'yesterday' if local.date() < today else 'tomorrow'} {time}"
        if local.year == today.year:
            return f"{local:%b} {local.day} {time}"
        return f"{local:%Y-%m-%d} {time}"

    def localized(self, text: str) -> str:
        """Return a text with each of its instants shown by this clock."""
        if " UTC" not in text:
            return text
        # A page shows the same few instants many times.
        shown = cache(self.text)
        return "".join(part if isinstance(part, str) else shown(part) for part in parts_of(text))


def parts_of(text: str) -> Iterator[str | datetime]:
    """Yield the instants of a text, aware and in UTC, and the text between them, in order."""
    end = 0
    for found in _WRITTEN.finditer(text):
        at = _read(found[1])
        if at is None:
            continue
        if found.start() > end:
            yield text[end : found.start()]
        yield at
        end = found.end()
    if end < len(text):
        yield text[end:]


@lru_cache(maxsize=1024)
def _read(text: str) -> datetime | None:
    """Return the instant in UTC; None if there is no such day, or it is too near the calendar's limits to convert."""
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if 1 < at.year < MAXYEAR else None


def _zone_name(local: datetime) -> str:
    """Return the zone's abbreviation, `CET`, or `UTC+03` if the abbreviation is a number."""
    name = f"{local:%Z}"
    return f"UTC{name}" if name[:1] in {"+", "-"} else name


def next_morning(now: datetime, timezone: str, hour: int) -> datetime:
    """Return when the zone's clocks next show an hour, in UTC; if they skip it, right after the change."""
    local = now.astimezone(ZoneInfo(timezone))
    morning = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    if morning.astimezone(UTC) <= now:
        # Added to local time, so that a day of 23 or 25 hours is one day.
        morning += _DAY
    return morning.astimezone(UTC)
