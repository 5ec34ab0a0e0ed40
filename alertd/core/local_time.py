"""
Instants within texts: written once in UTC, and shown by the reader's clock wherever a text reaches a person.

Every text of a message writes an instant as `format_instant` does. That form can be read back without doubt, so it is
the value: a channel finds the instants of a text here and writes each in its own way, and what nobody rewrites (JSON,
logs, the store) stays right as it is. A name out of a bill that looks like an instant is at worst shown by another
clock.
"""

import re
from collections.abc import Iterator
from datetime import MAXYEAR, UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alertd.core.dataclass import dataclass

_WRITTEN = re.compile(r"(?<![\w-])(\d{4}-\d\d-\d\d \d\d:\d\d) UTC(?!\w)", re.ASCII)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The reader's clock: an IANA zone, and when it is read, which decides what is today."""

    timezone: str
    now: datetime

    def text(self, at: datetime) -> str:
        """Return an instant as short as it is understood: `14:00 CET`, `yesterday 20:00 CET`, `Mar 9 14:00 CET`."""
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
        """Return a text with each of its instants by this clock."""
        if " UTC" not in text:
            return text
        return "".join(part if isinstance(part, str) else self.text(part) for part in parts_of(text))


def parts_of(text: str) -> Iterator[str | datetime]:
    """Yield the instants of a text, aware and in UTC, and what stands between them, in their order."""
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


def _read(text: str) -> datetime | None:
    """Return what was written; None where there is no such day, or it is too near the calendar's ends to be shifted."""
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if 1 < at.year < MAXYEAR else None


def _zone_name(local: datetime) -> str:
    """Return `CET`, and for zones whose abbreviation is a number `UTC+03`."""
    name = f"{local:%Z}"
    return f"UTC{name}" if name[:1] in {"+", "-"} else name


def next_morning(now: datetime, timezone: str, hour: int) -> datetime:
    """Return when the zone's clocks show an hour next, in UTC; where they leap over it, right after."""
    local = now.astimezone(ZoneInfo(timezone))
    morning = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    if morning.astimezone(UTC) <= now:
        # By the wall clock: a day of 23 or 25 hours is one day.
        morning += _DAY
    return morning.astimezone(UTC)
