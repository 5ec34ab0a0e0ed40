"""
Streams of rows: through which hour each is billed, and how late its rows come.

A stream is a category's rows of up to an hour, or its longer ones. Nothing here knows amounts.
Source of the rules: README, "What alertd believes".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import EPOCH, SECONDS_PER_HOUR, hour_of, midnight_before
from alertd.core.spend.arrival import DAILY, HOURLY, KEPT_HOURS, Arrivals, Place, step_of
from alertd.core.spend.lateness import LONGEST_S, OWN_ROWS, Delays, usual_delay

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = -(2**40)
"""The edge of a stream without rows, an hour before all others."""
STEPS = (HOURLY, DAILY)
LONGEST_LAG_HOURS = LONGEST_S // SECONDS_PER_HOUR + DAILY
"""Hours that an edge may lie behind now while reads succeed: the longest lateness plus a step."""
_DAY_S = DAILY * SECONDS_PER_HOUR
_ENOUGH_DAYS = 5
"""Minimum number of daily rows that show how much later than the others one may come."""
_SECOND = timedelta(seconds=1)


class StreamKey(NamedTuple):
    """One stream of one account."""

    account: str
    category: str
    step: int
    """`HOURLY` or `DAILY`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepRows:
    """What is known about the rows of one step, by series."""

    newest: "NDArray[np.int64]"
    """The end of the newest row that has ended or is of the running hour; `NEVER` without one."""
    delays: Delays


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """How far one stream is billed, and how late its rows come."""

    key: StreamKey
    edge: int
    """Billed through the start of this hour."""
    lateness: timedelta


@dataclass(slots=True, kw_only=True)
class Streams:
    """
    The streams of some categories at one moment.

    Args:
        rows: By step; the series are those of one table.
        read_at: When each category was last read successfully, by account and category.
        longest_s: By stream, the greatest delay of recent rows, in seconds.
        patience_s: By daily stream, the seconds after which a row is no longer waited for; its lateness if missing.
    """

    rows: Mapping[int, StepRows]
    read_at: Mapping[tuple[str, str], datetime]
    longest_s: Mapping[StreamKey, int]
    patience_s: Mapping[StreamKey, int]
    lateness_s: Mapping[StreamKey, int]
    newest: Mapping[StreamKey, int]
    """The end of the newest row of each stream that has one."""
    settle_delay: timedelta
    arrivals: Mapping[tuple[str, str], Mapping[Place, Arrivals]] = field(default_factory=dict)
    mark: object = field(default_factory=object)
    """A token that stays the same while the rows do, whenever they were read."""

    @property
    def settle_s(self) -> int:
        """The minimum lateness, in whole seconds."""
        return -(-self.settle_delay // _SECOND)

    def settled(
        self, stream: StreamKey, lateness_s: "NDArray[np.int64]", newest: "NDArray[np.int64]"
    ) -> "NDArray[np.int64]":
        """
        Return the last read of a stream minus each lateness, rounded down to the step, in hours.

        A day is billed hours after its end. Until the first row of a stream was seen to come, it is unknown how many:
        if the day before is there, the row that is due is waited for until a day after its day ended.

        Args:
            newest: The end of the newest row, for each lateness.
        """
        read_at = self.read_at.get((stream.account, stream.category))
        if read_at is None:
            return np.full(len(lateness_s), NEVER, np.int64)
        read_s = (read_at - EPOCH) // _SECOND
        hours = (read_s - lateness_s) // SECONDS_PER_HOUR
        if stream.step == HOURLY:
            return hours
        days = hours - hours % DAILY
        if stream in self.lateness_s:
            return days
        patient = (read_s // SECONDS_PER_HOUR // DAILY - 1) * DAILY
        return np.where(newest == days - DAILY, np.minimum(days, patient), days)

    def sure(
        self, stream: StreamKey, lateness_s: "NDArray[np.int64]", newest: "NDArray[np.int64]"
    ) -> "NDArray[np.int64]":
        """
        Return the earliest end of a window that counts before an alert is lowered; `-NEVER` if none does.

        One row in ten comes later than its lateness. Hourly rows that are often later than the settle delay leave gaps
        in the newest windows, so every window that ended within their lateness counts. A daily row that is due and
        missing is the whole day: it is waited for longer than any recent row took, at most a day beyond its lateness.
        """
        settled = self.settled(stream, self.patience(stream, lateness_s), newest)
        if stream.step == HOURLY:
            return np.where(lateness_s > self.settle_s, settled + 1, -NEVER)
        found: NDArray[np.int64] = np.maximum(settled, newest)
        return found

    def patience(self, stream: StreamKey, lateness_s: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return, for each lateness, the seconds after which a row is no longer waited for."""
        if stream.step == HOURLY:
            return lateness_s + 1
        found: NDArray[np.int64] = np.clip(self.patience_s.get(stream, 0), lateness_s, lateness_s + _DAY_S)
        return found

    def states(self, key: tuple[str, str]) -> tuple[StreamState, ...]:
        """Return the streams of a category that have rows; while none has, the hourly one if the category was read."""
        keys = [stream for step in STEPS if (stream := StreamKey(*key, step)) in self.newest]
        if not keys and key in self.read_at:
            keys = [StreamKey(*key, HOURLY)]
        return tuple(
            StreamState(key=stream, edge=self._edge(stream), lateness=timedelta(seconds=self._lateness(stream)))
            for stream in keys
        )

    def edge(self, key: tuple[str, str]) -> int | None:
        """Return the latest edge of a category's streams; None while nothing is known about it."""
        return max((state.edge for state in self.states(key)), default=None)

    def _lateness(self, stream: StreamKey) -> int:
        return self.lateness_s.get(stream, self.settle_s)

    def _edge(self, stream: StreamKey) -> int:
        newest = self.newest.get(stream, NEVER)
        settled = self.settled(stream, np.array([self._lateness(stream)], np.int64), np.array([newest], np.int64))
        return max(int(settled[0]), newest)

    def lateness_of(
        self, step: int, cells: "NDArray[np.int64]", streams: "NDArray[np.int64]", keys: list[StreamKey]
    ) -> "NDArray[np.int64]":
        """
        Return how late the rows of each cell come, in seconds: its own from twelve rows on, else its stream's.

        Args:
            cells: For each series its cell, -1 for none.
            streams: For each cell the number of its stream in *keys*.
        """
        delays = self.rows[step].delays
        own, counts = usual_delay(delays, fitted(cells, len(delays.count), -1), len(streams), settle_s=self.settle_s)
        of_stream = np.array([self._lateness(key) for key in keys], np.int64)
        return np.where(counts >= OWN_ROWS, own, of_stream[streams])


def fitted(values: "NDArray[np.int64]", size: int, missing: int) -> "NDArray[np.int64]":
    """Return an array by series, cut or padded to *size*: series may have come since it was made."""
    if len(values) >= size:
        return values[:size]
    return np.concatenate((values, np.full(size - len(values), missing, np.int64)))


class _Came(NamedTuple):
    """The rows of a stream as parallel columns: their series, the hour of their end, and how late they came."""

    series: "NDArray[np.int32]"
    end: "NDArray[np.int64]"
    delay_s: "NDArray[np.int64]"
    """Negative if unknown."""

    def part(self, chosen: "NDArray[np.bool_]") -> "_Came":
        """Return some of the rows."""
        if chosen.all():
            return self
        return _Came(series=self.series[chosen], end=self.end[chosen], delay_s=self.delay_s[chosen])


def _came(places: Mapping[Place, Arrivals], step: int) -> _Came | None:
    """Return the rows of one step, None without any: hundreds of places have few rows each, so join them at once."""
    found = [(end, arrivals) for (its_step, end), arrivals in places.items() if its_step == step]
    if not found:
        return None
    return _Came(
        series=np.concatenate([arrivals.series for _, arrivals in found]),
        end=np.repeat(np.array([end for end, _ in found], np.int64), [len(arrivals) for _, arrivals in found]),
        delay_s=np.concatenate([arrivals.delay for _, arrivals in found]).astype(np.int64) * 60,
    )


def _step_rows(over: Sequence[_Came], taught: Sequence[_Came], size: int, settle_s: int) -> StepRows:
    """
    Return the newest rows and the delays of one step, over all categories.

    Args:
        over: The rows that have ended, or are of the running hour.
        taught: The rows with a known delay.
    """
    newest = np.full(size, NEVER, np.int64)
    for came in over:
        np.maximum.at(newest, came.series, came.end)
    series = np.concatenate([np.empty(0, np.int64), *(came.series for came in taught)])
    delay_s = np.concatenate([np.empty(0, np.int64), *(came.delay_s for came in taught)])
    is_late = delay_s > settle_s
    return StepRows(
        newest=newest,
        delays=Delays(
            count=np.bincount(series, minlength=size).astype(np.int64),
            late_series=series[is_late],
            late_s=delay_s[is_late],
        ),
    )


def _newest(stored: Iterable[tuple[int, int]], key: tuple[str, str], running: int) -> dict[StreamKey, int]:
    """Return the end of the newest row of each stream of a category, from the stored hours."""
    newest: dict[StreamKey, int] = {}
    for hour, span in stored:
        step = step_of(span)
        if hour + span <= _end_seen(running, step):
            stream = StreamKey(*key, step)
            newest[stream] = max(hour + span, newest.get(stream, NEVER))
    return newest


def _end_seen(running: int, step: int) -> int:
    """Return the last end that counts: the running hour's once it has a row, that of a longer row once it has ended."""
    return running + (step == HOURLY)


def streams_of(
    arrivals: Mapping[tuple[str, str], Mapping[Place, Arrivals]],
    read_at: Mapping[tuple[str, str], datetime],
    *,
    now: datetime,
    settle_delay: timedelta,
    stored: Mapping[tuple[str, str], Iterable[tuple[int, int]]],
) -> Streams:
    """
    Return the streams of some categories; all mappings are by account and category.

    Args:
        stored: For categories without known arrivals, the hours with rows and the span of the longest in each.
    """
    running, settle_s = hour_of(now), -(-settle_delay // _SECOND)
    newest: dict[StreamKey, int] = {}
    for key, hours in stored.items():
        newest |= _newest(hours, key, running)
    found = {
        StreamKey(*key, step): came
        for key, places in arrivals.items()
        for step in STEPS
        if (came := _came(places, step)) is not None
    }
    over = {stream: came.part(came.end <= _end_seen(running, stream.step)) for stream, came in found.items()}
    newest |= {stream: int(came.end.max()) for stream, came in over.items() if len(came.end)}
    taught = {
        stream: came.part((came.end > running - KEPT_HOURS) & (came.delay_s >= 0)) for stream, came in found.items()
    }
    taught = {stream: came for stream, came in taught.items() if len(came.end)}
    size = 1 + max((int(came.series.max(initial=-1)) for came in found.values()), default=-1)
    return Streams(
        rows={
            step: _step_rows(
                [came for stream, came in over.items() if stream.step == step],
                [came for stream, came in taught.items() if stream.step == step],
                size,
                settle_s,
            )
            for step in STEPS
        },
        read_at=read_at,
        longest_s={stream: int(came.delay_s.max()) for stream, came in taught.items()},
        patience_s={stream: _patience(came.delay_s) for stream, came in taught.items() if stream.step == DAILY},
        lateness_s={stream: _quantile(came.delay_s, settle_s) for stream, came in taught.items()},
        newest=newest,
        settle_delay=settle_delay,
        arrivals=arrivals,
    )


def _quantile(delay_s: "NDArray[np.int64]", settle_s: int) -> int:
    """Return the delay in seconds within which nine in ten of the given rows came."""
    is_late = delay_s > settle_s
    delays = Delays(
        count=np.array([len(delay_s)], np.int64),
        late_series=np.zeros(int(is_late.sum()), np.int64),
        late_s=delay_s[is_late],
    )
    found, _ = usual_delay(delays, np.zeros(1, np.int64), 1, settle_s=settle_s)
    return int(found[0])


def _patience(delay_s: "NDArray[np.int64]") -> int:
    """Return how late in seconds a daily row may still come: as far beyond the latest as that is beyond the first."""
    if len(delay_s) < _ENOUGH_DAYS:
        return LONGEST_S + _DAY_S
    return int(2 * delay_s.max() - delay_s.min())


def late_streams(streams: Streams, keys: Iterable[StreamKey]) -> list[StreamKey]:
    """Return the streams of hourly rows some of which came later than the settle delay."""
    return [key for key in keys if key.step == HOURLY and streams.longest_s.get(key, 0) > streams.settle_s]


def through_text(edge: int, step: int) -> str:
    """Return through when a stream is billed, as text for people: a day by its date, an hour with its time."""
    last = EPOCH + timedelta(hours=edge)
    if step == DAILY and midnight_before(edge) == edge:
        last -= timedelta(hours=1)
        return f"{last:%b} {last.day}"
    return f"{last:%b} {last.day} {last:%H:%M}"
