"""
The two ends of a sum over a window that ends about now: what is billed at least, and what it is about.

Not billed yet is neither zero nor a guess presented as a fact. All groups of a query at once, as arrays; nothing here
knows thresholds.
Source of the rules: README, "What alertd believes".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from alertd.core.alert import Lag
from alertd.core.hours import EPOCH, HOURS_PER_DAY, HourRange, first_hour_from, hour_of, start_of
from alertd.core.labels import Labels
from alertd.core.money import MAX_UNITS, Usd
from alertd.core.spend.arrival import DAILY, HOURLY
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.core.spend.cells import Cells
from alertd.core.spend.ledger import DataState
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stream import NEVER, StreamKey, Streams, fitted, late_streams
from alertd.core.spend.view import GroupSums, SpendView

_LONGEST_GAP = 2
"""So many empty hours between hours with money are taken to be late."""


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Through which hour the groups of a query are billed."""

    cells: Cells
    edge: NDArray[np.int64]
    """Of each cell; that of the rule where the group has no row in the stream."""
    is_present: NDArray[np.bool_]
    """Whether the group has rows in the stream at all."""
    latest: int
    """The rule's edge: the latest of all."""

    def of(self, group: Labels) -> list[tuple[StreamKey, int]]:
        """Return the streams in which a group has rows, and its edge in each."""
        number = self.cells.numbers.get(group)
        found = np.flatnonzero((self.cells.group == number) & self.is_present).tolist() if number is not None else []
        return [(self.cells.keys[int(self.cells.stream[cell])], int(self.edge[cell])) for cell in found]

    def earliest(self, unread: Iterable[tuple[str, str]] = ()) -> NDArray[np.int64]:
        """
        Return the earliest edge of each group's streams, the latest of all where it has no row.

        Args:
            unread: The (account, category) pairs that nobody waits for.
        """
        not_awaited = [number for number, key in enumerate(self.cells.keys) if (key.account, key.category) in {*unread}]
        awaited = np.where(np.isin(self.cells.stream, not_awaited), self.latest, self.edge)
        return self.cells.least(awaited, self.latest)

    def earliest_of(self, group: Labels) -> int:
        """Return the earliest edge of a group's streams, the latest of all where it has no row."""
        return min((edge for _, edge in self.of(group)), default=self.latest)


@dataclass(frozen=True, slots=True, eq=False)
class TwoEnds:
    """What each group was billed in a window of some hours, from both ends, in 1e-10 USD."""

    edges: Edges
    length: int
    """Hours of the window."""
    at_least: NDArray[np.int64]
    about: NDArray[np.int64]
    own: NDArray[np.int64]
    """What each stream shows in the window that ends at its own edge, with what late hours are taken to hold."""
    begins: NDArray[np.int64]
    """The first hour at which a window ends that counts for the lower value."""
    recent: int
    """The first hour at which a window ends that counts for the upper value; above the rule's edge where none does."""
    ended: NDArray[np.int64]
    """The hour at which the window ends that gave the lower value."""
    is_window: NDArray[np.bool_]
    """Whether that window holds exactly the lower value; it may hold more than can still be so."""
    groups: tuple[Labels, ...] = ()
    numbers: dict[Labels, int] = field(default_factory=dict)

    def of(self, group: Labels) -> "GroupEnds":
        """Return the two ends of one group, nothing where it has no row."""
        number = self.numbers.get(group)
        if number is None:
            window = HourRange(self.edges.latest - self.length, self.edges.latest)
            return GroupEnds(at_least=Usd(0), about=Usd(0), window=window, is_window=True)
        ended = int(self.ended[number])
        return GroupEnds(
            at_least=Usd(int(self.at_least[number])),
            about=Usd(int(self.about[number])),
            window=HourRange(ended - self.length, ended),
            is_window=bool(self.is_window[number]),
        )

    def reaching(self, floor: int) -> list[Labels]:
        """Return the groups whose upper end is *floor* or more, in the order of the groups."""
        return [self.groups[number] for number in np.flatnonzero(self.about >= floor).tolist()]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEnds:
    """The two ends of one group's sum."""

    at_least: Usd
    """What is billed."""
    about: Usd
    """What it comes to once every stream is billed; never below what is billed."""
    window: HourRange
    """The hours that gave the lower value."""
    is_window: bool


def edges_of(view: SpendView, data: DataState, query: SpendQuery, keys: Iterable[tuple[str, str]]) -> Edges:
    """
    Return through which hour each group of a query is billed in each stream.

    Args:
        keys: The (account, category) pairs that the query lets through: their reads count where nobody has a row.
    """
    cells, streams = view.cells(query), data.streams
    newest = _newest(cells, streams)
    edge = np.full(len(cells), NEVER, np.int64)
    for step in (HOURLY, DAILY):
        _settle(cells, streams, step, newest, edge)
    np.maximum(cells.known_through, edge, out=cells.known_through)
    edge = np.maximum(cells.known_through, newest)
    is_present = (newest > NEVER) | (view.totals_at(cells, view.first_metric, np.array([hour_of(data.now)]))[0] != 0)
    is_present &= edge > NEVER
    latest = int(edge[is_present].max()) if is_present.any() else (data.edge(keys) or hour_of(data.now))
    return Edges(cells, np.where(is_present, edge, latest), is_present, latest)


def _settle(cells: Cells, streams: Streams, step: int, newest: NDArray[np.int64], edge: NDArray[np.int64]) -> None:
    """Fill in the last read of each cell's stream less how late its rows come."""
    side = cells.sides[step]
    if not len(side):
        return
    mine = cells.of_step(step)
    stream_of = cells.stream[mine]
    size = int(side.series.max()) + 1
    lateness = streams.lateness_of(step, side.by_series(size), stream_of, cells.keys)
    for number in np.unique(stream_of).tolist():
        chosen = stream_of == number
        places = mine[chosen]
        edge[places] = streams.settled(cells.keys[number], lateness[chosen], newest[places])


def _newest(cells: Cells, streams: Streams) -> NDArray[np.int64]:
    """Return the end of each cell's newest row."""
    found = np.full(len(cells), NEVER, np.int64)
    for step, side in cells.sides.items():
        if len(side):
            of_series = fitted(streams.rows[step].newest, int(side.series.max()) + 1, NEVER)
            found[cells.of_step(step)] = np.maximum.reduceat(of_series[side.series], side.starts)
    return found


def two_ends(view: SpendView, data: DataState, metric: str, edges: Edges, *, length: int) -> TwoEnds:
    """
    Return what each group was billed in a window, at least and about.

    Args:
        length: Hours of the window.
    """
    cells = edges.cells
    recent = min(first_hour_from(data.now - data.settle_delay), edges.latest + 1)
    first = min(int(edges.edge.min(initial=edges.latest)), recent)
    ends = np.arange(min(first, edges.latest), edges.latest + 1)
    hours = np.unique(np.concatenate((ends, ends - length)))
    totals = view.totals_at(cells, metric, hours)
    at = _Rows(hours, totals)
    billed = cells.by_group(at.windows(ends, length))
    # About: each stream in the window that ends at its own edge, or at the rule's where that is more.
    own = at.each(edges.edge) - at.each(edges.edge - length)
    last = at.windows(ends[-1:], length)[0]
    for fill in _fills(view, data, metric, edges, length):
        own += fill.between(edges.edge - length, edges.edge)
        last += fill.between(np.full_like(edges.edge, edges.latest - length), np.full_like(edges.edge, edges.latest))
    about = cells.by_group(np.maximum(own, last))
    is_recent = ends >= recent
    if is_recent.any():
        about = np.maximum(about, billed[is_recent].max(axis=0))
    # At least: the largest window that ends between the group's earliest edge and the rule's.
    begins = np.minimum(np.minimum(cells.least(edges.edge, edges.latest), recent), edges.latest)
    is_meant = ends[:, None] >= begins[None, :]
    meant = np.where(is_meant, billed, -MAX_UNITS)
    newest_first = meant[::-1]
    best = newest_first.argmax(axis=0)
    largest = np.take_along_axis(newest_first, best[None, :], axis=0)[0]
    return TwoEnds(
        edges=edges,
        length=length,
        at_least=np.minimum(largest, about),
        about=about,
        own=cells.by_group(own),
        begins=begins,
        recent=recent,
        ended=ends[len(ends) - 1 - best],
        is_window=largest <= about,
        groups=cells.groups,
        numbers=cells.numbers,
    )


@dataclass(frozen=True, slots=True, eq=False)
class SinceStart:
    """What each group was billed since a fixed hour, from both ends."""

    at_least: GroupSums
    """All that is billed."""
    about: GroupSums
    """With what each stream that lags is still to bring, at the pace of its last 24 known hours."""


def since_start(view: SpendView, metric: str, edges: Edges, *, start: int, end: int) -> SinceStart:
    """
    Return what each group was billed from an hour on, at least and about.

    Args:
        end: What comes later does not count, nor what is later than the rule's edge.
    """
    cells = edges.cells
    through = max(start, min(end, edges.latest))
    known = np.clip(edges.edge, start, through)
    hours = np.unique(np.concatenate((known, edges.edge, edges.edge - HOURS_PER_DAY, (start, through))))
    at = _Rows(hours, view.totals_at(cells, metric, hours))
    last = at.each(np.full_like(known, through))
    billed = last - at.each(np.full_like(known, start))
    last_day = at.each(edges.edge) - at.each(edges.edge - HOURS_PER_DAY)
    late = (through - known) * last_day // HOURS_PER_DAY - (last - at.each(known))
    # What was paid for a fixed term is no pace.
    late[cells.of_category(SUBSCRIPTION)] = 0
    at_least, about = cells.by_group(billed), cells.by_group(billed + np.maximum(late, 0))
    return SinceStart(_sums(cells, at_least), _sums(cells, about))


def _sums(cells: Cells, values: NDArray[np.int64]) -> GroupSums:
    return GroupSums(cells.groups, values, cells.numbers, int(values.max(initial=-MAX_UNITS)))


class _Rows:
    """Running totals of each cell at some hours, and what lies between two of them."""

    def __init__(self, hours: NDArray[np.int64], totals: NDArray[np.int64]) -> None:
        self._hours = hours
        self._totals = totals

    def windows(self, ends: NDArray[np.int64], length: int) -> NDArray[np.int64]:
        """Return the sum of each cell in the windows that end at some hours."""
        found: NDArray[np.int64] = self._totals[self._at(ends)] - self._totals[self._at(ends - length)]
        return found

    def each(self, hours: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the total of each cell at an hour of its own."""
        found: NDArray[np.int64] = self._totals[self._at(hours), np.arange(len(hours))]
        return found

    def _at(self, hours: NDArray[np.int64]) -> NDArray[np.intp]:
        return np.searchsorted(self._hours, hours)


class _Fill:
    """What late hours are taken to hold: the mean of their neighbours."""

    def __init__(self, first: int, amounts: NDArray[np.int64]) -> None:
        self._first = first
        self._totals = np.concatenate((np.zeros((1, amounts.shape[1]), np.int64), np.cumsum(amounts, axis=0)))

    def between(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what falls into a stretch of each cell's own."""
        last, each = len(self._totals) - 1, np.arange(self._totals.shape[1])
        low, high = (np.clip(hours - self._first, 0, last) for hours in (starts, ends))
        found: NDArray[np.int64] = self._totals[high, each] - self._totals[low, each]
        return found


def _fills(view: SpendView, data: DataState, metric: str, edges: Edges, length: int) -> Sequence[_Fill]:
    """Return what is put into empty hours, where rows of a stream came late in the last days; else nothing."""
    cells, streams = edges.cells, data.streams
    late = {key: streams.longest_s[key] for key in late_streams(streams, cells.keys)}
    if not late or not len(cells):
        return ()
    longest = np.array([late.get(key, 0) for key in cells.keys], np.int64)[cells.stream]
    now_s = (data.now - EPOCH).total_seconds()
    oldest = hour_of(data.now) - int(longest.max()) // 3600 - 1
    first = max(oldest, int(edges.edge.min()) - length, view.span.start) - _LONGEST_GAP
    hours = np.arange(first, edges.latest + _LONGEST_GAP + 1)
    amounts = np.diff(view.totals_at(cells, metric, hours), axis=0)
    has_money = amounts > 0
    may_be_late = (amounts == 0) & (now_s - (hours[1:, None] * 3600) < longest)
    may_be_late &= ~_has_row(cells, streams, hours[:-1], may_be_late)
    found = np.zeros_like(amounts)
    one = may_be_late[1:-1] & has_money[:-2] & has_money[2:]
    found[1:-1][one] = _mean(amounts[:-2], amounts[2:])[one]
    is_empty = amounts == 0
    two = is_empty[1:-2] & is_empty[2:-1] & has_money[:-3] & has_money[3:]
    mean = _mean(amounts[:-3], amounts[3:])
    for at in (slice(1, -2), slice(2, -1)):
        chosen = two & may_be_late[at]
        found[at][chosen] = mean[chosen]
    return (_Fill(first, found),) if found.any() else ()


def _mean(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    return one // 2 + other // 2 + (one % 2 + other % 2) // 2


def _has_row(cells: Cells, streams: Streams, hours: NDArray[np.int64], asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a cell has a row although no money: an hour that is billed with nothing is no late one."""
    found = np.zeros_like(asked)
    side, mine = cells.sides[HOURLY], cells.of_step(HOURLY)
    by_series = side.by_series(int(side.series.max()) + 1) if len(side) else np.empty(0, np.int64)
    for row in np.flatnonzero(asked.any(axis=1)).tolist():
        place = (HOURLY, int(hours[row]) + 1)
        for arrivals in streams.arrivals.values():
            if (came := arrivals.get(place)) is not None:
                known = by_series[came.series[came.series < len(by_series)]]
                found[row, mine[known[known >= 0]]] = True
    return found


def lagging(data: DataState, edges: Edges, group: Labels, *, is_missed: bool) -> tuple[Lag, ...]:
    """
    Return the streams of a group that are billed less far than settled rows are.

    Args:
        is_missed: Something is not billed yet: then every stream that is behind the rule's edge counts.
    """
    settled = hour_of(data.now - data.settle_delay)
    several = len(data.accounts) > 1
    return tuple(
        Lag(
            stream=f"{key.category} ({key.account})" if several else key.category,
            through=start_of(edge),
            is_by_day=key.step == DAILY,
        )
        for key, edge in edges.of(group)
        # Subscriptions are read by the hour, and nobody waits for one.
        if key.category != SUBSCRIPTION and edge < (edges.latest if is_missed else settled - settled % key.step)
    )
