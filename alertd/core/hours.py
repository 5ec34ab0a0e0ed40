"""
Half-open UTC hours: the unit in which bills are stored, replaced and summed.

An hour is an int: whole hours since 1970-01-01T00:00Z. A range is [start, end).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from alertd.core.dataclass import dataclass

HOURS_PER_DAY = 24
SECONDS_PER_HOUR = 3600
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)


def hour_of(at: datetime) -> int:
    """Return the hour that contains *at* (aware)."""
    return (at - EPOCH) // _HOUR


def start_of(hour: int) -> datetime:
    """Return the instant at which the hour begins, aware, UTC."""
    return EPOCH + timedelta(hours=hour)


def first_hour_from(at: datetime) -> int:
    """Return the first hour that begins at *at* (aware) or later."""
    return -(-(at - EPOCH) // _HOUR)


def midnight_before(hour: int) -> int:
    """Return the first hour of the UTC day that contains *hour*."""
    return hour - hour % HOURS_PER_DAY


def whole_hours(duration: timedelta) -> int:
    """
    Return a duration as a count of hours.

    Raises:
        ValueError: It is not a whole number of hours.
    """
    hours, rest = divmod(duration, timedelta(hours=1))
    if rest:
        raise ValueError(f"{duration} is not a whole number of hours")
    return hours


@dataclass(frozen=True, slots=True, order=True)
class HourRange:
    """The hours from `start` up to, not including, `end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"range ends ({self.end}) before it starts ({self.start})")

    def __len__(self) -> int:
        return self.end - self.start

    def __contains__(self, hour: int) -> bool:
        return self.start <= hour < self.end


@dataclass(frozen=True, slots=True)
class HourSet:
    """A set of hours as sorted, disjoint, non-adjacent ranges, so that a long history stays small."""

    ranges: tuple[HourRange, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[HourRange]) -> "HourSet":
        """Join ranges given in any order."""
        joined: list[HourRange] = []
        for span in sorted(r for r in ranges if len(r)):
            if joined and span.start <= joined[-1].end:
                joined[-1] = HourRange(joined[-1].start, max(joined[-1].end, span.end))
            else:
                joined.append(span)
        return cls(tuple(joined))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __iter__(self) -> Iterator[HourRange]:
        return iter(self.ranges)

    def add(self, span: HourRange) -> "HourSet":
        """Return the set with the range's hours added."""
        return HourSet.of((*self.ranges, span))

    def remove(self, span: HourRange) -> "HourSet":
        """Return the set without the range's hours."""
        left = (HourRange(r.start, min(r.end, span.start)) for r in self.ranges if r.start < span.start)
        right = (HourRange(max(r.start, span.end), r.end) for r in self.ranges if r.end > span.end)
        return HourSet.of((*left, *right))

    def within(self, span: HourRange) -> "HourSet":
        """Return only the hours that lie in the range."""
        if not self.ranges:
            return self
        reaching = (r for r in self.ranges if r.start < span.end and r.end > span.start)
        return HourSet.of(HourRange(max(r.start, span.start), min(r.end, span.end)) for r in reaching)

    def missing_from(self, span: HourRange) -> "HourSet":
        """Return the hours of the range that are not in the set."""
        if any(r.start <= span.start and span.end <= r.end for r in self.ranges):
            # Fast path: usually nothing is missing, and every rule checks every category.
            return HourSet()
        rest = HourSet.of((span,))
        for r in self.ranges:
            rest = rest.remove(r)
        return rest
