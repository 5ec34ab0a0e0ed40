"""Through which hour each group of a query is billed, stream by stream; this module computes no sums."""

from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING, Self

from alertd.core.alert import Lag
from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass
from alertd.core.hours import SECONDS_PER_HOUR, hour_of, start_of
from alertd.core.labels import Labels
from alertd.core.spend.arrival import DAILY, HOURLY
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.core.spend.cells import Cells
from alertd.core.spend.data_state import DataState
from alertd.core.spend.moment import Moment, Reads, is_within, moment_of, seconds_of
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stream import NEVER, StreamKey, Streams, fitted
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Through which hour the groups of a query are billed."""

    cells: Cells
    edge: "NDArray[np.int64]"
    """The edge of each cell; `latest` if the group has no row in the stream."""
    is_present: "NDArray[np.bool_]"
    """Whether the group has rows in the stream at all."""
    latest: int
    """The rule's edge: the latest of all cells."""
    first: int
    """The earliest edge of all cells."""
    sure: "NDArray[np.int64]"
    """For each cell, the earliest end of a window that counts before an alert is lowered; at most its edge."""
    _of: dict[Labels, tuple[tuple[StreamKey, int], ...]] = field(default_factory=dict)

    def of(self, group: Labels) -> tuple[tuple[StreamKey, int], ...]:
        """Return the streams in which a group has rows, and its edge in each."""
        found = self._of.get(group)
        if found is None:
            found = self._of[group] = tuple(self._streams(group))
        return found

    def _streams(self, group: Labels) -> list[tuple[StreamKey, int]]:
        number = self.cells.numbers.get(group)
        if number is None:
            return []
        first, last = self.cells.bounds[number : number + 2]
        return [
            (self.cells.keys[int(self.cells.stream[cell])], int(self.edge[cell]))
            for cell in range(first, last)
            if self.is_present[cell]
        ]

    def earliest(self, unread: Iterable[tuple[str, str]] = ()) -> "NDArray[np.int64]":
        """
        Return the earliest edge of each group's streams; `latest` if it has no row.

        Args:
            unread: The (account, category) pairs that are not waited for.
        """
        skipped = {*unread}
        if not skipped:
            return self.cells.least(self.edge, self.latest)
        not_awaited = [number for number, key in enumerate(self.cells.keys) if (key.account, key.category) in skipped]
        awaited = np.where(np.isin(self.cells.stream, not_awaited), self.latest, self.edge)
        return self.cells.least(awaited, self.latest)

    def earliest_of(self, group: Labels) -> int:
        """Return the earliest edge of a group's streams; `latest` if it has no row."""
        if self.first == self.latest:
            # Nearly always so: no stream lags.
            return self.latest
        return min((edge for _, edge in self.of(group)), default=self.latest)

    def is_like(self, other: Self) -> bool:
        """Return whether all edges equal those of *other*."""
        return (
            self.cells is other.cells
            and self.latest == other.latest
            and np.array_equal(self.edge, other.edge)
            and np.array_equal(self.sure, other.sure)
            and np.array_equal(self.is_present, other.is_present)
        )


@dataclass(slots=True, eq=False)
class _Kept:
    """The edges that were computed last, and the inputs for which they are valid."""

    edges: Edges
    moment: Moment
    """The moment for which they are known to be valid."""
    settled: "NDArray[np.int64]"
    sure: "NDArray[np.int64]"
    newest: "NDArray[np.int64]"
    reads: Reads
    streams: Streams
    """The streams that they were computed from."""
    hour: int


def edges_of(view: SpendView, data: DataState, query: SpendQuery, keys: Iterable[tuple[str, str]]) -> Edges:
    """
    Return through which hour each group of a query is billed in each stream; the same object while no edge moves.

    Args:
        keys: The (account, category) pairs that the query selects: their reads count if no group has a row.
    """
    cells, moment = view.cells(query), moment_of(view, data)
    kept = cells.kept.get(Edges)
    if not isinstance(kept, _Kept):
        cells.kept[Edges] = kept = _worked_out(view, cells, moment, keys, earlier=None)
    elif kept.moment is not moment:
        cells.kept[Edges] = kept = _worked_out(view, cells, moment, keys, earlier=kept)
    return kept.edges


def _worked_out(
    view: SpendView, cells: Cells, moment: Moment, keys: Iterable[tuple[str, str]], *, earlier: _Kept | None
) -> _Kept:
    streams = moment.streams
    if (
        earlier is not None
        and earlier.streams.mark is streams.mark
        and earlier.streams.read_at.keys() == streams.read_at.keys()
        and earlier.hour == moment.hour
        and is_within(streams.read_at, earlier.reads)
    ):
        settled, sure, newest, reads = earlier.settled, earlier.sure, earlier.newest, earlier.reads
        if (newest > NEVER).all():
            # Only spend changed, and no edge depends on it.
            moment.hold(reads)
            return _Kept(earlier.edges, moment, settled, sure, newest, reads, streams, moment.hour)
    else:
        newest, reads = newest_rows(cells, streams), {}
        settled, sure = np.full(len(cells), NEVER, np.int64), np.full(len(cells), -NEVER, np.int64)
        for step in (HOURLY, DAILY):
            _settle(cells, streams, step, newest, settled, sure, reads)
        np.maximum(cells.known_through, settled, out=cells.known_through)
        cells.is_ahead = cells.known_through > np.maximum(settled, newest)
    edge = np.maximum(cells.known_through, newest)
    is_present = newest > NEVER
    if not is_present.all():
        is_present = is_present | (view.totals_at(cells, view.first_metric, np.array([moment.hour]))[0] != 0)
    is_present &= edge > NEVER
    if earlier is not None and settled is earlier.settled and np.array_equal(is_present, earlier.edges.is_present):
        # Only spend changed: all edges stay the same.
        moment.hold(reads)
        return _Kept(earlier.edges, moment, settled, sure, newest, reads, streams, moment.hour)
    if is_present.any():
        latest = int(edge[is_present].max())
    else:
        latest = moment.data.edge(keys) or moment.hour
        # Without any rows the edge depends on every read.
        reads = {key: (seconds_of(at), seconds_of(at) + 1) for key, at in streams.read_at.items()}
    each = np.where(is_present, edge, latest)
    edges = Edges(cells, each, is_present, latest, first=int(each.min(initial=latest)), sure=np.minimum(sure, each))
    if earlier is not None and edges.is_like(earlier.edges):
        edges = earlier.edges
    moment.hold(reads)
    return _Kept(edges, moment, settled, sure, newest, reads, streams, moment.hour)


def _settle(
    cells: Cells,
    streams: Streams,
    step: int,
    newest: "NDArray[np.int64]",
    edge: "NDArray[np.int64]",
    sure: "NDArray[np.int64]",
    reads: Reads,
) -> None:
    """Fill in *edge* and *sure* from each stream's last read and lateness, and the *reads* for which they are valid."""
    side = cells.sides[step]
    if not len(side):
        return
    mine = cells.of_step(step)
    stream_of = cells.stream[mine]
    size = int(side.series.max()) + 1
    lateness = streams.lateness_of(step, side.by_series(size), stream_of, cells.keys)
    for number in distinct(stream_of).tolist():
        chosen = stream_of == number
        places = mine[chosen]
        key = cells.keys[number]
        edge[places] = streams.settled(key, lateness[chosen], newest[places])
        sure[places] = streams.sure(key, lateness[chosen], newest[places])
        read_at = streams.read_at.get((key.account, key.category))
        if read_at is not None:
            delays = np.concatenate((lateness[chosen], streams.patience(key, lateness[chosen])))
            _hold(reads, (key.account, key.category), seconds_of(read_at), delays)


def _hold(reads: Reads, key: tuple[str, str], read_s: int, lateness: "NDArray[np.int64]") -> None:
    """Narrow the range of read times within which no edge of the given lateness moves."""
    # An awaited daily row also depends on the hour of the read itself.
    over = np.append((read_s - lateness) % SECONDS_PER_HOUR, read_s % SECONDS_PER_HOUR)
    since, until = read_s - int(over.min()), read_s + SECONDS_PER_HOUR - int(over.max())
    known = reads.get(key, (since, until))
    reads[key] = (max(since, known[0]), min(until, known[1]))


def newest_rows(cells: Cells, streams: Streams) -> "NDArray[np.int64]":
    """Return the end of each cell's newest row; `NEVER` without one."""
    found = np.full(len(cells), NEVER, np.int64)
    for step, side in cells.sides.items():
        if len(side):
            of_series = fitted(streams.rows[step].newest, int(side.series.max()) + 1, NEVER)
            found[cells.of_step(step)] = np.maximum.reduceat(of_series[side.series], side.starts)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """The groups of a query that moved between two evaluations."""

    groups: "NDArray[np.bool_]"
    """Whether each group moved, by number."""
    numbers: "NDArray[np.intp]"
    """The numbers of those that did."""
    chosen: frozenset[int]
    """The same numbers, to look up a few of them."""

    @classmethod
    def of(cls, groups: "NDArray[np.bool_]") -> Self:
        """Return the groups of which each says whether it moved."""
        numbers = np.flatnonzero(groups)
        return cls(groups, numbers, frozenset(numbers.tolist()))


@dataclass(slots=True, eq=False)
class _Moves:
    """Which groups of a query moved between two evaluations; cached, as many rules need the same."""

    since: int
    version: int
    before: Edges
    edges: Edges
    moved: Moved | None

    def is_of(self, since: int, version: int, before: Edges, edges: Edges) -> bool:
        """Return whether this is the result for the given two evaluations."""
        return (self.since, self.version) == (since, version) and self.before is before and self.edges is edges


def moved_between(view: SpendView, since: int, before: Edges, edges: Edges) -> Moved | None:
    """
    Return which groups have other spend or other edges than at version *since* of the view.

    Args:
        before: The edges at that version.

    Returns:
        None if all of them may have moved.
    """
    cells, version = edges.cells, view.version
    if before.cells is not cells or before.latest != edges.latest:
        return None
    known = cells.kept.get(_Moves)
    if isinstance(known, _Moves) and known.is_of(since, version, before, edges):
        return known.moved
    touched = view.touched_since(since)
    groups = None if touched is None else cells.groups_of(touched)
    if groups is not None and before is not edges:
        is_moved = (before.edge != edges.edge) | (before.sure != edges.sure)
        groups |= cells.groups_where(is_moved | (before.is_present != edges.is_present))
    moved = Moved.of(groups) if groups is not None else None
    cells.kept[_Moves] = _Moves(since, version, before, edges, moved)
    return moved


def lagging(data: DataState, edges: Edges, group: Labels, *, is_missed: bool) -> tuple[Lag, ...]:
    """
    Return the streams of a group that are not billed as far as rows should have settled.

    Args:
        is_missed: Whether expected spend is not billed yet: then every stream behind the rule's edge counts.
    """
    settled = hour_of(data.now - data.settle_delay)
    if edges.first >= (edges.latest if is_missed else settled):
        # Nearly always so: no stream of any group lags.
        return ()
    several = len(data.accounts) > 1
    return tuple(
        Lag(
            stream=f"{key.category} ({key.account})" if several else key.category,
            through=start_of(edge),
            is_by_day=key.step == DAILY,
        )
        for key, edge in edges.of(group)
        # Subscriptions are filed by the hour, but none is ever awaited.
        if key.category != SUBSCRIPTION and edge < (edges.latest if is_missed else settled - settled % key.step)
    )
