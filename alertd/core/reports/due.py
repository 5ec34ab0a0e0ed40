"""
Which reports are due: from a schedule, the last time that is dealt with, and now.

It sends nothing and knows no cron: a trigger that names the next time on a clock's face is handed in. Daylight saving
is decided here: a local time that does not exist counts at the moment by the clock before the change, one that comes
twice counts the first time.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from alertd.core.dataclass import dataclass

LATEST = timedelta(days=1)
"""A report that is so late is skipped: the next one is near, or it is of another week."""

_LARGEST_CORRECTION = timedelta(hours=1)

Trigger = Callable[[datetime], datetime | None]
"""The first scheduled time after a given one, both on a clock's face (without a zone); None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When a report is scheduled."""

    schedule: str
    """As written; shows whether the timetable was edited since a mark was made."""
    timezone: str
    trigger: Trigger

    @property
    def text(self) -> str:
        """What the timetable means, to be compared."""
        return f"{self.schedule} {self.timezone}"

    def following(self, after: datetime) -> datetime | None:
        """Return the first scheduled instant after another one, UTC; None where there is none."""
        zone = ZoneInfo(self.timezone)
        # After clocks went forward the skipped times are still to come by the offset before.
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
    """Up to when the scheduled times of one report are dealt with, by which timetable."""

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
            ValueError: It is no such text.
        """
        at, _, timetable = text.partition(" ")
        return cls(at=datetime.fromisoformat(at), timetable=timetable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is to be done about a report now."""

    mark: Mark
    """To be kept, together with what is sent."""
    scheduled: datetime | None = None
    """The report of this instant is to be sent."""
    skipped: datetime | None = None
    """The report of this instant is too late to be sent, and none is due since."""


def take_turn(timetable: Timetable, mark: Mark | None, now: datetime) -> Turn:
    """
    Decide about one report.

    A report that is seen for the first time, or with another timetable, is first due at its next scheduled time. Of
    several that were missed the newest is sent, if it is less than `LATEST` late.

    Args:
        mark: What the turn before left; None for a report never seen.
    """
    fresh = Mark(at=now, timetable=timetable.text)
    # A mark from the future was made by a clock that was wrong: it must not silence the report until then. One that is
    # hardly ahead is of a clock that was put right by a little, and its report is not sent a second time.
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
