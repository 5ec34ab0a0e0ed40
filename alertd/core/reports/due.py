"""
Which reports are due: from a schedule, the last handled time, and now.

It sends nothing and knows no cron: a trigger that gives the next local time is passed in. Daylight saving
is handled here: a local time that does not exist counts by the offset before the change, one that occurs
twice counts the first time.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alertd.core.dataclass import dataclass

LATEST = timedelta(days=1)
"""A report this late is skipped: the next one is near, or it would be about another week."""

_LARGEST_CORRECTION = timedelta(hours=1)

Trigger = Callable[[datetime], datetime | None]
"""Returns the first scheduled time after a given one, both local (without a zone); None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When a report is scheduled."""

    schedule: str
    """The schedule as written; shows whether it was edited since a mark was made."""
    timezone: str
    trigger: Trigger

    @property
    def text(self) -> str:
        """The schedule's meaning, for comparison."""
        return f"{self.schedule} {self.timezone}"

    def following(self, after: datetime) -> datetime | None:
        """Return the first scheduled instant after another one, UTC; None if there is none."""
        zone = ZoneInfo(self.timezone)
        # After clocks went forward, the skipped times are still ahead by the previous offset.
        offsets = [at.astimezone(zone).utcoffset() or timedelta() for at in (after, after - timedelta(days=1))]
        face = (after + min(offsets)).replace(tzinfo=None)
        while (found := self.trigger(face)) is not None:
            at = found.replace(tzinfo=zone, fold=0).astimezone(UTC)
            if at > after:
                return at
            face = found
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Up to when the scheduled times of a report are handled, and by which schedule."""

    at: datetime
    timetable: str

    @property
    def text(self) -> str:
        """The mark as it is stored."""
        return f"{self.at.isoformat()} {self.timetable}"

    @classmethod
    def of(cls, text: str) -> "Mark":
        """
        Read what `text` wrote.

        Raises:
            ValueError: It is not such a text.
        """
        at, _, timetable = text.partition(" ")
        return cls(at=datetime.fromisoformat(at), timetable=timetable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What to do about a report now."""

    mark: Mark
    """The mark to store together with the messages."""
    scheduled: datetime | None = None
    """The instant of the report to send."""
    skipped: datetime | None = None
    """The instant of a report that is too late to send, if none is due since."""


def take_turn(timetable: Timetable, mark: Mark | None, now: datetime) -> Turn:
    """
    Decide about one report.

    A new report, or one with another schedule, is first due at its next scheduled time. Of
    several missed ones, the latest is sent if it is less than `LATEST` late.

    Args:
        mark: The previous mark; None for a new report.
    """
    fresh = Mark(at=now, timetable=timetable.text)
    # A mark in the future was made by a wrong clock: it must not suppress the report until then. One that is
    # only slightly ahead comes from a small clock correction, and its report is not sent again.
    if mark is None or mark.timetable != timetable.text or mark.at > now + _LARGEST_CORRECTION:
        return Turn(mark=fresh)
    first = timetable.following(mark.at)
    if first is None or first > now:
        return Turn(mark=mark)
    newest = None
    at = timetable.following(max(mark.at, now - LATEST))
    while at is not None and at <= now:
        newest, at = at, timetable.following(at)
    if newest is None:
        return Turn(mark=fresh, skipped=first)
    return Turn(mark=Mark(at=newest, timetable=timetable.text), scheduled=newest)
