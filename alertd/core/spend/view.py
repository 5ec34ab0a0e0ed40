"""
The spend view: hourly spend of every series in memory, with running totals, so that a window costs the same
whatever its length.

It knows sums only: `ledger` decides completeness, `edges` the data edge.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from alertd.core.arrays import distinct, np
from alertd.core.hours import HourRange
from alertd.core.labels import Labels
from alertd.core.money import MAX_UNITS
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.bill import Series
from alertd.core.spend.block import HourBlock, differing
from alertd.core.spend.cells import Cells, cells_of
from alertd.core.spend.changes import Changes
from alertd.core.spend.group_sums import GroupSums
from alertd.core.spend.known_edges import KnownEdge, by_cell, edges_ahead, restore
from alertd.core.spend.ledger import SeriesTable
from alertd.core.spend.lists import View
from alertd.core.spend.running_totals import RunningTotals
from alertd.core.spend.selection import Parts, Selection, Selector, SpendQuery
from alertd.core.spend.stream import StreamKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS_AT_ONCE = 64
"""Number of hours that are gathered together: a quarter of every series at once would double the memory."""


class SpendView:
    """
    Hourly spend over a fixed span of hours, for the given metrics; hours outside the span are left out.

    Lives as long as the ledger it mirrors. Once filled, its spend is changed only by `replace` (an hour's old and new
    block) and `advance`; it is rebuilt when time has moved past its span.
    """

    def __init__(
        self,
        table: SeriesTable,
        span: HourRange,
        *,
        metrics: Iterable[str] = ("amount",),
        owners: OwnerDirectory | None = None,
    ) -> None:
        self.span = span
        self._table = table
        self._owners = owners or OwnerDirectory()
        self._totals = RunningTotals(table, span, metrics)
        self._sums: dict[tuple[SpendQuery, str, HourRange], GroupSums] = {}
        """Cached sums; like `_by_hour`, they are valid until spend or series change."""
        self._by_hour: dict[tuple[SpendQuery, str, HourRange], NDArray[np.int64]] = {}
        self._selector = Selector(table.names[:0], self._owners)
        self._cells: dict[SpendQuery, Cells] = {}
        self._known_edges: dict[str, dict[tuple[Labels, StreamKey], int]] = {}
        self._changes = Changes()
        self.moment: object = None
        """The inputs of the results that were last computed: see `moment_of`."""
        self.kept: dict[object, object] = {}
        """Results that other modules computed from the spend, by keys of their own; dropped with the cached sums."""

    @property
    def version(self) -> int:
        """A number that rises with each change of spend or series."""
        self._refresh()
        return self._changes.version

    def touched_since(self, version: int) -> "NDArray[np.bool_] | None":
        """Return which series changed after *version*; None if that is no longer known, or all of them did."""
        return self._changes.since(version, series=len(self._table))

    def _changed(self, series: "NDArray[np.integer] | None") -> None:
        """Record a change of *series*; None means all of them."""
        self._changes.count(series)
        self.forget_sums()

    @property
    def series(self) -> Sequence[Series]:
        """All series that were ever billed, in the order of arrival."""
        return self._table.names

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics that are held."""
        return frozenset(self._totals.metrics)

    @property
    def first_metric(self) -> str:
        """Any one of the metrics that are held."""
        return self._totals.metrics[0]

    def use_owners(self, owners: OwnerDirectory) -> None:
        """Group and filter by new teams and labels of owners; no amount changes, and no edge moves back."""
        self._owners = owners
        # Rebuilt by the next query.
        self._selector = Selector(self._table.names[:0], owners)
        self.forget_sums()

    def fill(self, blocks: Iterable[tuple[int, HourBlock]]) -> None:
        """Load stored blocks into an empty view."""
        self._totals.fill(blocks)
        self._changed(None)

    def replace(self, hour: int, old: HourBlock, new: HourBlock) -> None:
        """Replace the block filed under an hour; only the cells that differ are touched."""
        self._changed(self._totals.replace(hour, *differing(old, new)))

    def advance(self, running: int) -> None:
        """
        Advance to the hour *running*: a row that has not ended is spread over its hours up to and including that one.

        Until the first call every row counts as ended.
        """
        spread_anew = self._totals.advance(running)
        if spread_anew is not None:
            self._changed(spread_anew)

    def forget_sums(self) -> None:
        """Drop the cached sums: each takes memory for every group."""
        self._sums.clear()
        self._by_hour.clear()
        self.kept.clear()

    def sums(self, query: SpendQuery, metric: str, window: HourRange) -> GroupSums:
        """
        Return the sum of each group in a window; hours outside the view count as nothing.

        A query without `group_by` has exactly one group, even when no series matches.

        Raises:
            OverflowError: The query's series together may not fit 64 bits; the same holds for the other sums below.
        """
        self._refresh()
        found = self._sums.get((query, metric, window))
        if found is None:
            selection = self._selector.select(query)
            self._totals.magnitude[metric].check(selection.ids)
            values = self._by_group(selection, self._window(metric, window))
            largest = int(values.max(initial=-MAX_UNITS))
            found = GroupSums(selection.groups, values, selection.numbers, largest)
            self._sums[query, metric, window] = found
        return found

    def exact_sums(self, query: SpendQuery, metric: str, window: HourRange) -> dict[Labels, int]:
        """Return the sum of each group in a window as integers of any size: slower than `sums`, for display only."""
        self._refresh()
        selection = self._selector.select(query)
        if not len(selection.ids):
            return dict.fromkeys(selection.groups, 0)
        each = self._window(metric, window)[selection.ids].tolist()
        if self._totals.magnitude[metric].is_large:
            # The totals of a series may have wrapped round, but each single hour fits.
            start, end = self._bounds(window)
            hours = np.diff(self._totals.of[metric][start : end + 1, selection.ids], axis=0)
            each = [sum(amounts) for amounts in hours.T.tolist()]
        ends = [*selection.starts.tolist()[1:], len(each)]
        return {
            group: sum(each[start:end])
            for group, start, end in zip(selection.groups, selection.starts.tolist(), ends, strict=True)
        }

    def _refresh(self) -> None:
        """Include new series of the table."""
        if len(self._selector.names) != len(self._table.names):
            self._totals.fit()
            self._selector = Selector(tuple(self._table.names), self._owners)
            self._changed(None)

    def _by_group(self, selection: Selection, each: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Sum values by series to values by group, along the last axis."""
        if selection.is_everything:
            return each[..., : len(selection.ids)]
        if len(selection.ids) == 0:
            return np.zeros((*each.shape[:-1], len(selection.groups)), np.int64)
        picked = each[..., selection.ids]
        is_single = picked.shape[-1] == len(selection.starts)
        return picked if is_single else np.add.reduceat(picked, selection.starts, axis=-1)

    def between(
        self, query: SpendQuery, metric: str, bounds: Sequence[int], groups: "NDArray[np.intp] | None" = None
    ) -> "NDArray[np.int64]":
        """
        Return the sum of each group between each two neighbouring bounds, in 1e-10 USD.

        Args:
            bounds: Hours in rising order; those outside the view count as its ends.
            groups: The numbers of the requested groups, in the order of `sums`; None for all.

        Returns:
            A row for each two neighbouring bounds, a column for each of the groups.
        """
        self._refresh()
        if groups is not None:
            return np.diff(self.totals_up_to(query, metric, np.asarray(bounds), groups), axis=0)
        rows = self._rows(np.asarray(bounds))
        selection = self._selector.select(query)
        self._totals.magnitude[metric].check(selection.ids)
        return self._by_group(selection, np.diff(self._totals.of[metric][rows], axis=0))

    def running_totals(
        self, query: SpendQuery, metric: str, span: HourRange, groups: "NDArray[np.intp]"
    ) -> "NDArray[np.int64]":
        """Return `totals_up_to` for each hour of a span, and for its end."""
        return self.totals_up_to(query, metric, np.arange(span.start, span.end + 1), groups)

    def totals_up_to(
        self,
        query: SpendQuery,
        metric: str,
        hours: "NDArray[np.int64]",
        groups: "NDArray[np.intp]",
        *,
        is_meant: "NDArray[np.bool_] | None" = None,
    ) -> "NDArray[np.int64]":
        """
        Return what *groups* were billed from the view's beginning up to each of *hours*.

        Hours outside the view count as its ends.

        Args:
            groups: The numbers of the groups, in the order of `sums`.
            is_meant: Which of the series count; None for all.

        Returns:
            1e-10 USD; a row for each hour, a column for each of the groups.
        """
        self._refresh()
        columns, starts = self._selector.select(query).columns_of(groups)
        self._totals.magnitude[metric].check(columns)
        rows = self._rows(hours)
        if not len(columns):
            return np.zeros((len(rows), len(groups)), np.int64)
        picked = self._totals.of[metric][rows[:, None], columns]
        if is_meant is not None:
            picked[:, ~is_meant[columns]] = 0
        return picked if len(columns) == len(groups) else np.add.reduceat(picked, starts, axis=1)

    def total_of(
        self, query: SpendQuery, metric: str, hours: "NDArray[np.int64]", is_meant: "NDArray[np.bool_]"
    ) -> "NDArray[np.int64]":
        """Return what the query's series in *is_meant* were billed together up to each of *hours*."""
        self._refresh()
        ids = self._selector.select(query).ids
        ids = ids[is_meant[ids]]
        self._totals.magnitude[metric].check(ids)
        return self._added_up(ids, metric, hours)

    def numbers(self, query: SpendQuery) -> dict[Labels, int]:
        """Return the number of each group of a query, with or without spend, in the order of `sums`."""
        self._refresh()
        return self._selector.select(query).numbers

    def group_of_series(self, query: SpendQuery) -> "NDArray[np.intp]":
        """Return the number of each series' group, -1 if the query excludes it."""
        self._refresh()
        selection = self._selector.select(query)
        found = np.full(len(self._table), -1, np.intp)
        if len(selection.ids):
            lengths = np.diff(selection.starts, append=len(selection.ids))
            found[selection.ids] = np.repeat(np.arange(len(selection.starts)), lengths)
        return found

    def by_hour(self, query: SpendQuery, metric: str, span: HourRange) -> "NDArray[np.int64]":
        """
        Return what all series of a query, whatever their groups, spent in each hour of a span, in 1e-10 USD.

        Hours outside the view count as nothing.
        """
        self._refresh()
        found = self._by_hour.get((query, metric, span))
        if found is None:
            ids = self._selector.select(query).ids
            found = np.diff(self._added_up(ids, metric, np.arange(span.start, span.end + 1)))
            self._by_hour[query, metric, span] = found
        return found

    def cells(self, query: SpendQuery) -> Cells:
        """Return the groups of a query split by stream; the same object until new series arrive or owners change."""
        self._refresh()
        found = self._cells.get(query)
        if found is None or found.is_outdated(self._selector, self._totals.long.count):
            self._cells[query] = found = cells_of(
                self._selector, query, self._table.names, self._totals.long.ids, earlier=found
            )
            if self._known_edges:
                restore(found, self._known_edges.get(query.text, {}))
        return found

    def take_over(self, edges: Iterable[KnownEdge]) -> None:
        """Start with edges that were known before this view was made."""
        self._known_edges = by_cell(edges)

    def edges_ahead(self, view: View) -> list[KnownEdge]:
        """
        Return the edges that would be earlier if they were computed from the bills as they are now.

        Args:
            view: Which view of the bills this is of.
        """
        return [edge for query, cells in self._cells.items() for edge in edges_ahead(view, query, cells)]

    def totals_at(self, cells: Cells, metric: str, hours: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """
        Return what each cell was billed from the view's beginning up to each of *hours*, in 1e-10 USD.

        Hours outside the view count as its ends. A row for each hour, a column for each cell.
        """
        self._totals.magnitude[metric].check(cells.series)
        return cells.gather(self._totals.of[metric], self._totals.long.totals[metric], self._rows(hours))

    def totals_each(
        self,
        cells: Cells,
        metric: str,
        hours: "Iterable[NDArray[np.int64] | int]",
        *,
        chosen: "NDArray[np.intp] | None" = None,
    ) -> "list[NDArray[np.int64]]":
        """
        Return what each cell was billed from the view's beginning up to hours of its own, in 1e-10 USD.

        Args:
            hours: Each item gives one result: an hour for all cells, or an array whose last axis is the cells.
            chosen: The numbers of the requested cells; None for all.
        """
        asked = [np.asarray(each, np.int64) for each in hours]
        places = distinct(np.concatenate([each.ravel() for each in asked]))
        totals = self.totals_at(cells, metric, places)
        totals = totals if chosen is None else totals[:, chosen]
        columns = np.arange(totals.shape[1])
        return [totals[np.searchsorted(places, each), columns] for each in asked]

    def _window(self, metric: str, window: HourRange) -> "NDArray[np.int64]":
        totals = self._totals.of[metric]
        start, end = self._bounds(window)
        difference: NDArray[np.int64] = totals[end] - totals[start]
        return difference

    def _bounds(self, window: HourRange) -> tuple[int, int]:
        """Return the rows of the totals between which a window lies, as far as the view reaches."""
        last = self._totals.last
        return min(max(window.start - self.span.start, 0), last), min(max(window.end - self.span.start, 0), last)

    def first_hour(self, query: SpendQuery, metric: str, window: HourRange, group: Labels) -> int | None:
        """Return the first hour of a window in which a group was charged or credited anything; None without one."""
        ids = self._ids(query, group)
        start, end = self._bounds(window)
        charged = np.diff(self._totals.of[metric][start : end + 1, ids], axis=0).any(axis=1)
        hours = np.flatnonzero(charged)
        return self.span.start + start + int(hours[0]) if len(hours) else None

    def _added_up(self, ids: "NDArray[np.intp]", metric: str, hours: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return what the given series together were billed from the view's beginning up to each of *hours*."""
        self._totals.magnitude[metric].check(ids)
        rows, totals = self._rows(hours), self._totals.of[metric]
        parts = (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE))
        return np.concatenate([totals[:0, 0], *(totals[np.ix_(part, ids)].sum(axis=1) for part in parts)])

    def _rows(self, hours: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return the rows of the totals for *hours*, limited to what the view covers."""
        return np.minimum(np.maximum(hours - self.span.start, 0), self._totals.last)

    def _ids(self, query: SpendQuery, group: Labels) -> "NDArray[np.intp]":
        """Return the series of a group."""
        self._refresh()
        selection = self._selector.select(query)
        number = selection.numbers.get(group)
        if number is None or len(selection.ids) == 0:
            return np.zeros(0, np.intp)
        end = selection.starts[number + 1] if number + 1 < len(selection.starts) else len(selection.ids)
        return selection.ids[selection.starts[number] : end]

    def parts(
        self, query: SpendQuery, metric: str, windows: tuple[HourRange, HourRange], group: Labels, *, largest: int = 0
    ) -> Parts:
        """Return what the parts of a group were billed in two windows: all, or at least the *largest* of the first."""
        ids = self._ids(query, group)
        self._totals.magnitude[metric].check(ids)
        totals = self._totals.of[metric]
        (start, end), (start_then, end_then) = (self._bounds(window) for window in windows)
        now = totals[end, ids] - totals[start, ids]
        part_of, names = self._selector.parts()
        if len(names) == len(part_of):
            # Each series is a part of its own, as is nearly always so.
            if 0 < largest < len(ids):
                # All that are as large as the last of them: names decide between equals.
                is_large = now >= max(1, np.partition(now, -largest)[-largest])
                ids, now = ids[is_large], now[is_large]
            return Parts(names, part_of[ids], now, totals[end_then, ids] - totals[start_then, ids])
        then = totals[end_then, ids] - totals[start_then, ids]
        chosen, places = np.unique(part_of[ids], return_inverse=True)
        sums = np.zeros((2, len(chosen)), np.int64)
        for total, each in zip(sums, (now, then), strict=True):
            np.add.at(total, places, each)
        return Parts(names, chosen, sums[0], sums[1])
