"""
When rows came: how long after its end each row of the last days was first read, and which reads lacked it.

It records and packs arrivals; `lateness` decides what follows from late rows.
Source of the rules: README, "What alertd believes".
"""

import struct
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, start_of
from alertd.core.spend.block import HourBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT_HOURS = 14 * HOURS_PER_DAY
"""Hours that arrivals are kept: rows that ended earlier say nothing about how late the next ones will be."""
UNKNOWN = -1
"""The delay of a row whose arrival is unknown: it was there at the first read, or after an outage."""
HOURLY, DAILY = 1, HOURS_PER_DAY
"""The step of a stream, in hours: rows of up to an hour, and longer ones."""
_READS_KEPT = KEPT_HOURS + 31 * HOURS_PER_DAY
_SLACK = timedelta(hours=1)
"""A row is assumed to have come at most this long after the last read that lacked it."""
_MINUTE = timedelta(minutes=1)
_HEADER = struct.Struct("<BI")
_VERSION = 1

Place = tuple[int, int]
"""(step of the stream, hour at which the rows end)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrivals:
    """The rows of one stream that end at one hour, as parallel columns: their series, and how late they came."""

    series: "NDArray[np.int32]"
    delay: "NDArray[np.int32]"
    """Whole minutes from the row's end to the first read that had it; `UNKNOWN` if its arrival is unknown."""

    def __len__(self) -> int:
        return len(self.series)

    def __eq__(self, other: object) -> bool:
        """Return whether the same rows came equally late, in the same order."""
        if not isinstance(other, Arrivals):
            return NotImplemented
        return np.array_equal(self.series, other.series) and np.array_equal(self.delay, other.delay)

    __hash__ = None  # type: ignore[assignment] # it holds arrays, which have no hash

    def joined(self, other: "Arrivals") -> "Arrivals":
        """Return the rows of *self* and *other* combined."""
        return Arrivals(
            series=np.concatenate((self.series, other.series)), delay=np.concatenate((self.delay, other.delay))
        )


def encode_arrivals(arrivals: Arrivals) -> bytes:
    """Pack arrivals into bytes, six for each row."""
    header = _HEADER.pack(_VERSION, len(arrivals))
    return header + arrivals.series.astype("<i4").tobytes() + arrivals.delay.astype("<i2").tobytes()


def decode_each(stored: Iterable[tuple[Place, bytes]]) -> dict[Place, Arrivals]:
    """
    Return the arrivals that `encode_arrivals` packed, by place, in as little memory as `sharing`.

    Raises:
        ValueError: The bytes are damaged or of a later version.
    """
    found: dict[Place, Arrivals] = {}
    same: dict[bytes, Arrivals] = {}
    series: dict[bytes, NDArray[np.int32]] = {}
    for place, data in stored:
        if data not in same:
            same[data] = _decoded(data, series)
        found[place] = same[data]
    return found


def _decoded(data: bytes, known: "dict[bytes, NDArray[np.int32]]") -> Arrivals:
    try:
        version, count = _HEADER.unpack_from(data)
    except struct.error as error:
        raise ValueError("arrivals are cut short") from error
    if version != _VERSION:
        raise ValueError(f"arrivals of version {version} are not known")
    if len(data) != _HEADER.size + 6 * count:
        raise ValueError("arrivals are cut short")
    middle = _HEADER.size + 4 * count
    series, delay = data[_HEADER.size : middle], data[middle:]
    if series not in known:
        known[series] = np.frombuffer(series, "<i4").astype(np.int32)
    is_one = count > 0 and delay == delay[:2] * count
    delays = np.frombuffer(delay[:2] if is_one else delay, "<i2").astype(np.int32)
    return Arrivals(series=known[series], delay=np.broadcast_to(delays, count) if is_one else delays)


def sharing(known: Mapping[Place, Arrivals], new: Mapping[Place, Arrivals]) -> dict[Place, Arrivals]:
    """
    Return the same new arrivals in less memory.

    Most hours have rows of the same series as the hour before, and an hour's rows mostly come at once.
    """
    found: dict[Place, Arrivals] = {}
    for step, end in sorted(new):
        came, before = new[step, end], found.get((step, end - step)) or known.get((step, end - step))
        is_same = before is not None and np.array_equal(before.series, came.series)
        is_at_once = len(came) > 0 and bool((came.delay == came.delay[0]).all())
        found[step, end] = Arrivals(
            series=before.series if before is not None and is_same else came.series,
            delay=np.broadcast_to(came.delay[:1].copy(), len(came)) if is_at_once else came.delay,
        )
    return found


class ReadSpan(NamedTuple):
    """Hours that share the same latest successful read."""

    start: int
    end: int
    read_at: datetime


def lacked_at(reads: Iterable[ReadSpan], hour: int, newest_read_at: datetime | None) -> datetime | None:
    """
    Return the latest earlier read that could have had a row filed under *hour*; None if there is none.

    Args:
        newest_read_at: The last read that reached the hour running at the time: it lacked all later hours.
    """
    end = None
    for read in reads:
        if read.start <= hour < read.end:
            return read.read_at
        end = read.end if end is None else max(end, read.end)
    return newest_read_at if end is not None and hour >= end else None


def with_read(reads: Iterable[ReadSpan], span: HourRange, read_at: datetime) -> tuple[ReadSpan, ...]:
    """Return *reads* updated by one more read; those of hours long past are dropped."""
    kept = [ReadSpan(span.start, span.end, read_at)]
    for old in reads:
        left = ReadSpan(old.start, min(old.end, span.start), old.read_at)
        right = ReadSpan(max(old.start, span.end), old.end, old.read_at)
        kept += [part for part in (left, right) if part.start < part.end]
    first = max(read.end for read in kept) - _READS_KEPT
    return tuple(sorted(read for read in kept if read.end > first))


def delay_of(ended_at: datetime, read_at: datetime, lacked: datetime | None) -> int:
    """
    Return how many whole minutes after its end a row came, given the first read that had it; `UNKNOWN` if unknown.

    Args:
        lacked: The last read that lacked it; None if none did.
    """
    if lacked is None:
        return UNKNOWN
    if read_at <= ended_at:
        return 0
    came_at = min(read_at, lacked + _SLACK)
    # It ended during an outage of more than an hour without reads: when it came within the outage is unknown.
    return (came_at - ended_at) // _MINUTE if came_at >= ended_at else UNKNOWN


def note_block(
    known: Mapping[Place, Arrivals], hour: int, block: HourBlock, *, read_at: datetime, lacked: datetime | None
) -> dict[Place, Arrivals]:
    """
    Return the places to which the rows filed under one hour add arrivals, each with all its arrivals.

    Args:
        lacked: The last read that lacked the new rows; None if unknown.
    """
    changed: dict[Place, Arrivals] = {}
    none = Arrivals(series=np.empty(0, np.int32), delay=np.empty(0, np.int32))
    for span in sorted(set(block.span.tolist())):
        place = (step_of(span), hour + span)
        # A block has one cell for each series and span, in rising order of series.
        series = block.series[block.span == span]
        seen = known.get(place, none)
        fresh = series[~np.isin(series, seen.series)] if len(seen) else series
        if len(fresh):
            delay = delay_of(start_of(hour + span), read_at, lacked)
            more = Arrivals(series=fresh.astype(np.int32), delay=np.full(len(fresh), delay, np.int32))
            changed[place] = changed.get(place, seen).joined(more)
    return changed


def is_noted(known: Mapping[Place, Arrivals], hour: int, longest: int) -> bool:
    """Return whether arrivals were recorded for the rows filed under *hour*, given the span of the longest."""
    return (step_of(longest), hour + longest) in known


def step_of(span: int) -> int:
    """Return the step of the stream of a row that covers *span* hours."""
    return HOURLY if span == 1 else DAILY
