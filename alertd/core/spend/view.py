"""
The spend view: hourly spend of every series in memory, with running totals, so that a window costs the same
whatever its length.

`totals[h, s]` is the sum of series s over all hours of the view before its h-th, so a window is the difference of two
rows.
It knows sums only: completeness and data edge are the ledger's.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import field
from fractions import Fraction
from typing import TYPE_CHECKING

from alertd.core.alert import Contributor
from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange
from alertd.core.labels import Labels
from alertd.core.money import MAX_UNITS, Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.bill import Series
from alertd.core.spend.block import HourBlock, differing, empty_block, spread
from alertd.core.spend.cells import Cells, cells_of
from alertd.core.spend.known_edges import KnownEdge, by_cell, edges_ahead, restore
from alertd.core.spend.ledger import SeriesTable
from alertd.core.spend.lists import View
from alertd.core.spend.selection import Selection, Selector, SpendQuery
from alertd.core.spend.stream import StreamKey
from alertd.core.spend.totals import GROWTH, LongTotals, Magnitude, OpenRows, shift, wider

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS_AT_ONCE = 64
"""Hours that are gathered together: those of a quarter, of every series, would double the memory."""
_CHANGES_KEPT = 512
"""So many changes are known one by one, an hour of one category each: more than a cycle usually brings."""


@dataclass(frozen=True, slots=True, eq=False)
class GroupSums:
    """Sums by group in 1e-10 USD; `largest` lets a rule pass over all groups at once."""

    groups: tuple[Labels, ...]
    values: "NDArray[np.int64]"
    numbers: dict[Labels, int]
    largest: int

    def of(self, group: Labels) -> Usd:
        """Return a group's sum, 0 where it has no row."""
        number = self.numbers.get(group)
        return Usd(0 if number is None else int(self.values[number]))

    def at_least(self, floor: int) -> Iterable[tuple[Labels, Usd]]:
        """Return the groups whose sum is *floor* or more, in the order of the groups."""
        if self.largest < floor:
            return ()
        return [(self.groups[n], Usd(int(self.values[n]))) for n in np.flatnonzero(self.values >= floor).tolist()]


@dataclass(slots=True)
class _Cache:
    """Sums that are asked for again; they hold until the spend or the series change."""

    sums: dict[tuple[SpendQuery, str, int, int], GroupSums] = field(default_factory=dict)
    by_hour: "dict[tuple[SpendQuery, str, HourRange], NDArray[np.int64]]" = field(default_factory=dict)

    def clear(self) -> None:
        self.sums.clear()
        self.by_hour.clear()


class SpendView:
    """
    Hourly spend over a fixed span of hours, for the metrics asked for; hours outside the span are left out.

    Lives as long as the ledger it mirrors, is changed only by `add` (an hour's old and new block), and is rebuilt when
    time has moved past its span.
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
        width = max(16, len(table))
        self._totals = {metric: np.zeros((len(span) + 1, width), np.int64) for metric in metrics}
        self._cache = _Cache()
        self._selector = Selector(table.names[:0], self._owners)
        self._magnitude = {metric: Magnitude(width) for metric in self._totals}
        self._cells: dict[SpendQuery, Cells] = {}
        self._known_edges: dict[str, dict[tuple[Labels, StreamKey], int]] = {}
        self._long = LongTotals(len(span) + 1, self._totals)
        self._open = OpenRows()
        self._running: int | None = None
        self._version = 0
        self._changes: deque[tuple[int, NDArray[np.int64] | None]] = deque(maxlen=_CHANGES_KEPT)
        self._touched: tuple[tuple[int, int], NDArray[np.bool_] | None] | None = None
        self.moment: object = None
        """What everything rested on when it was last worked out: see `moment_of`."""

    @property
    def version(self) -> int:
        """A number that rises with each change of spend or series."""
        self._refresh()
        return self._version

    def touched_since(self, version: int) -> "NDArray[np.bool_] | None":
        """Return which series changed since a version; None where that is not known any more, or all did."""
        asked = version, self._version
        if self._touched is None or self._touched[0] != asked:
            self._touched = asked, self._touched_since(version)
        return self._touched[1]

    def _touched_since(self, version: int) -> "NDArray[np.bool_] | None":
        if version < self._version and self._changes[0][0] > version + 1:
            return None
        found = np.zeros(len(self._table), np.bool_)
        for changed, series in self._changes:
            if changed > version:
                if series is None:
                    return None
                found[series] = True
        return found

    def _changed(self, series: "NDArray[np.integer] | None") -> None:
        """Count a change of some series, None for all."""
        self._version += 1
        self._changes.append((self._version, None if series is None else np.unique(series)))
        self._cache.clear()

    @property
    def series(self) -> Sequence[Series]:
        """All that was ever billed, in the order of arrival."""
        return self._table.names

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics that are held."""
        return frozenset(self._totals)

    @property
    def first_metric(self) -> str:
        """One of the metrics that are held, whichever."""
        return next(iter(self._totals))

    def use_owners(self, owners: OwnerDirectory) -> None:
        """Group and filter by other teams and labels of owners; no sum changes, and no edge moves back."""
        self._owners = owners
        # Made anew with the next question.
        self._selector = Selector(self._table.names[:0], owners)
        self._cache.clear()

    def fill(self, blocks: Iterable[tuple[int, HourBlock]]) -> None:
        """Load stored blocks into an empty view: one pass over the cells, one over the hours."""
        self._fit()
        for hour, block in blocks:
            short, long = self._split(block)
            self._note_open(hour, long, 1)
            for metric, totals in self._totals.items():
                for part in (short, self._billed(hour, long)):
                    for offset, series, amounts in spread(part, metric):
                        if hour + offset in self.span:
                            self._magnitude[metric].grow(series, amounts, 1)
                            row = hour + offset - self.span.start + 1
                            np.add.at(totals[row], series, amounts)
                            if part is not short:
                                columns = self._long.columns(series)
                                np.add.at(self._long.totals[metric][row], columns, amounts)
        for totals in (*self._totals.values(), *self._long.totals.values()):
            np.cumsum(totals, axis=0, out=totals)
        self._changed(None)

    def replace(self, hour: int, old: HourBlock, new: HourBlock) -> None:
        """Replace what was filed under an hour; only what differs is touched."""
        self._fit()
        old, new = differing(old, new)
        for block, sign in ((old, -1), (new, 1)):
            short, long = self._split(block)
            self._note_open(hour, long, sign)
            self._add(hour, short, sign)
            self._add(hour, self._billed(hour, long), sign, is_long=True)
        self._changed(np.concatenate((old.series, new.series)))

    def advance(self, running: int) -> None:
        """
        Let time pass up to an hour: a row that has not ended yet is spread over its hours so far, the running one too.

        Until this is first called every row counts as ended.
        """
        if running == self._running:
            return
        before, self._running = self._running, running
        spread_anew = []
        for hour, block in self._open.blocks():
            was = block if before is None or hour > before else block.until(before + 1 - hour)
            if hour <= running:
                self._add(hour, was, -1, is_long=True)
                self._add(hour, self._billed(hour, block), 1, is_long=True)
                spread_anew.append(block.series)
        self._open.forget(running)
        if spread_anew:
            self._changed(np.concatenate(spread_anew))

    def _split(self, block: HourBlock) -> tuple[HourBlock, HourBlock]:
        """Return the rows of up to an hour, and the longer ones."""
        if block.longest <= 1:
            return block, empty_block()
        is_long = block.span > 1
        long = block.part(is_long)
        self._long.fit(long.series)
        return block.part(~is_long), long

    def _billed(self, hour: int, long: HourBlock) -> HourBlock:
        """Return longer rows as they are spread now."""
        is_begun = self._running is not None and hour <= self._running
        return long.until(self._running + 1 - hour) if is_begun and self._running is not None else long

    def _note_open(self, hour: int, long: HourBlock, sign: int) -> None:
        if len(long) and (self._running is None or hour + long.longest > self._running + 1):
            self._open.note(hour, long, sign)

    def forget_sums(self) -> None:
        """Let go of the sums that are kept to be asked for again: each takes memory for every group."""
        self._cache.clear()

    def _add(self, hour: int, block: HourBlock, sign: int, *, is_long: bool = False) -> None:
        """Add a block to the totals, or take it off."""
        for metric, totals in self._totals.items():
            parts = [part for part in spread(block, metric) if hour + part[0] in self.span and len(part[1])]
            for _, series, amounts in parts:
                self._magnitude[metric].grow(series, amounts, sign)
            row = hour - self.span.start + 1
            shift(totals, row, parts, sign)
            if is_long:
                named = [(offset, self._long.columns(series), amounts) for offset, series, amounts in parts]
                shift(self._long.totals[metric], row, named, sign)

    def _fit(self) -> None:
        """Widen the arrays when the table has more series than columns."""
        for metric, totals in self._totals.items():
            if len(self._table) > totals.shape[1]:
                width = int(len(self._table) * GROWTH)
                self._totals[metric] = wider(totals, width)
                self._magnitude[metric].fit(width)

    def sums(self, query: SpendQuery, metric: str, window: HourRange) -> GroupSums:
        """
        Return the sum of each group in a window; hours outside the view count as nothing.

        A query without `group_by` has exactly one group, even when no series matches.

        Raises:
            OverflowError: What the query's series hold together does not fit 64 bits; so say all that sum below.
        """
        self._refresh()
        key = (query, metric, window.start, window.end)
        found = self._cache.sums.get(key)
        if found is None:
            selection = self._selector.select(query)
            self._magnitude[metric].check(selection.ids)
            found = self._sums(selection, metric, window)
            self._cache.sums[key] = found
        return found

    def exact_sums(self, query: SpendQuery, metric: str, window: HourRange) -> dict[Labels, int]:
        """Return the sum of each group in a window as integers of any size: slower than `sums`, and for people only."""
        self._refresh()
        selection = self._selector.select(query)
        if not len(selection.ids):
            return dict.fromkeys(selection.groups, 0)
        each = self._window(metric, window)[selection.ids].tolist()
        if self._magnitude[metric].is_large:
            # The totals of a series may have wrapped round: each of its hours fits by itself.
            start, end = self._bounds(window)
            hours = np.diff(self._totals[metric][start : end + 1, selection.ids], axis=0)
            each = [sum(amounts) for amounts in hours.T.tolist()]
        ends = [*selection.starts.tolist()[1:], len(each)]
        return {
            group: sum(each[start:end])
            for group, start, end in zip(selection.groups, selection.starts.tolist(), ends, strict=True)
        }

    def has_group(self, query: SpendQuery, group: Labels) -> bool:
        """Return whether any series of a query, with or without spend, belongs to a group."""
        self._refresh()
        return group in self._selector.select(query).numbers

    def _refresh(self) -> None:
        """Take notice of new series."""
        if len(self._selector.names) != len(self._table):
            self._fit()
            self._selector = Selector(tuple(self._table.names), self._owners)
            self._changed(None)

    def _sums(self, selection: Selection, metric: str, window: HourRange) -> GroupSums:
        values = self._by_group(selection, self._window(metric, window))
        return GroupSums(selection.groups, values, selection.numbers, int(values.max(initial=-MAX_UNITS)))

    def _by_group(self, selection: Selection, each: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Add up, along the last axis, what each series has."""
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
        Return the sum of each group between each of some hours and the next, in 1e-10 USD.

        Args:
            bounds: Hours in rising order; those outside the view count as its ends.
            groups: The numbers of those that are asked for, in the order of `sums`; None for all.

        Returns:
            A row for each two neighbouring bounds, a column for each of the groups.
        """
        self._refresh()
        rows = np.clip(np.asarray(bounds) - self.span.start, 0, len(self.span))
        if groups is not None:
            return np.diff(self._totals_of(query, metric, rows, groups), axis=0)
        selection = self._selector.select(query)
        self._magnitude[metric].check(selection.ids)
        return self._by_group(selection, np.diff(self._totals[metric][rows], axis=0))

    def running_totals(
        self, query: SpendQuery, metric: str, span: HourRange, groups: "NDArray[np.intp]"
    ) -> "NDArray[np.int64]":
        """
        Return what some groups were billed from the view's beginning up to each hour of a span and up to its end.

        Hours outside the view count as its ends.

        Args:
            groups: Their numbers, in the order of `sums`.

        Returns:
            1e-10 USD; a row for each hour and one for the end, a column for each of the groups.
        """
        self._refresh()
        rows = np.clip(np.arange(span.start, span.end + 1) - self.span.start, 0, len(self.span))
        return self._totals_of(query, metric, rows, groups)

    def _totals_of(
        self, query: SpendQuery, metric: str, rows: "NDArray[np.int64]", groups: "NDArray[np.intp]"
    ) -> "NDArray[np.int64]":
        """Return the running totals of some groups in some rows."""
        columns, starts = self._selector.select(query).columns_of(groups)
        self._magnitude[metric].check(columns)
        if not len(columns):
            return np.zeros((len(rows), len(groups)), np.int64)
        picked = self._totals[metric][rows[:, None], columns]
        return picked if len(columns) == len(groups) else np.add.reduceat(picked, starts, axis=1)

    def by_hour(self, query: SpendQuery, metric: str, span: HourRange) -> "NDArray[np.int64]":
        """
        Return what all series of a query, whatever their groups, spent in each hour of a span, in 1e-10 USD.

        Hours outside the view count as nothing.
        """
        self._refresh()
        found = self._cache.by_hour.get((query, metric, span))
        if found is None:
            totals, ids = self._totals[metric], self._selector.select(query).ids
            self._magnitude[metric].check(ids)
            rows = np.clip(np.arange(span.start, span.end + 1) - self.span.start, 0, len(self.span))
            parts = (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE))
            found = np.diff(np.concatenate([totals[np.ix_(part, ids)].sum(axis=1) for part in parts]))
            self._cache.by_hour[query, metric, span] = found
        return found

    def cells(self, query: SpendQuery) -> Cells:
        """Return the groups of a query split by stream; the same object for as long as no series comes."""
        self._refresh()
        found = self._cells.get(query)
        if found is None or found.is_outdated(self._selector, self._long.count):
            self._cells[query] = found = cells_of(
                self._selector, query, self._table.names, self._long.ids, earlier=found
            )
            if self._known_edges:
                restore(found, self._known_edges.get(query.text, {}))
        return found

    def take_over(self, edges: Iterable[KnownEdge]) -> None:
        """Begin with edges that were known before this view was made."""
        self._known_edges = by_cell(edges)

    def edges_ahead(self, view: View) -> list[KnownEdge]:
        """
        Return the edges that would be earlier if they were worked out from the bills as they are now.

        Args:
            view: Which view of the bills this is of.
        """
        return [edge for query, cells in self._cells.items() for edge in edges_ahead(view, query, cells)]

    def totals_at(self, cells: Cells, metric: str, hours: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """
        Return what each cell was billed from the view's beginning up to each of some hours, in 1e-10 USD.

        Hours outside the view count as its ends. A row for each hour, a column for each cell.
        """
        self._magnitude[metric].check(cells.series)
        rows = np.minimum(np.maximum(hours - self.span.start, 0), len(self.span))
        return cells.gather(self._totals[metric], self._long.totals[metric], rows)

    def _window(self, metric: str, window: HourRange) -> "NDArray[np.int64]":
        totals = self._totals[metric]
        start, end = self._bounds(window)
        difference: NDArray[np.int64] = totals[end] - totals[start]
        return difference

    def _bounds(self, window: HourRange) -> tuple[int, int]:
        """Return the rows of the totals between which a window lies, as far as the view reaches."""
        last = len(self.span)
        return min(max(window.start - self.span.start, 0), last), min(max(window.end - self.span.start, 0), last)

    def top(
        self,
        query: SpendQuery,
        metric: str,
        window: HourRange,
        group: Labels,
        *,
        before: HourRange | None,
        count: int = 3,
    ) -> tuple[Contributor, ...]:
        """
        Return the largest parts of a group's sum by owner, product and category, largest first.

        Args:
            before: The window to compare with; None when it is not known.
            count: At most so many; parts of nothing are left out.
        """
        parts, now, then = self._parts(query, metric, (window, before or HourRange(0, 0)), group)
        _, names = self._selector.parts()
        chosen = np.flatnonzero(now > 0)
        if len(chosen) > count:
            # With all that are as large as the last of them: names decide.
            least = np.partition(now[chosen], -count)[-count]
            chosen = chosen[now[chosen] >= least]
        largest = sorted((-int(now[n]), names[parts[n]], int(then[n])) for n in chosen.tolist())
        return tuple(
            Contributor(
                owner=owner,
                product=product,
                category=category,
                amount=Usd(-amount),
                before=Usd(earlier) if before is not None else None,
            )
            for amount, (owner, product, category), earlier in largest[:count]
        )

    def risen(
        self, query: SpendQuery, metric: str, window: HourRange, group: Labels, *, before: HourRange, count: int = 3
    ) -> tuple[Contributor, ...]:
        """
        Return the parts of a group's sum that rose most over their mean of earlier windows, largest rise first.

        Args:
            before: The earlier windows, of the same length, end to end.
            count: At most so many; parts that did not rise are left out.
        """
        windows = len(before) // len(window)
        columns = [column.tolist() for column in self._parts(query, metric, (window, before), group)]
        _, names = self._selector.parts()
        rises = [
            (now * windows - then, names[part], now, then)
            for part, now, then in zip(*columns, strict=True)
            if now * windows > then
        ]
        return tuple(
            Contributor(
                owner=owner,
                product=product,
                category=category,
                amount=Usd(now),
                before=Usd(round(Fraction(then, windows))),
            )
            for _, (owner, product, category), now, then in sorted(rises, key=lambda rise: (-rise[0], rise[1]))[:count]
        )

    def first_hour(self, query: SpendQuery, metric: str, window: HourRange, group: Labels) -> int | None:
        """Return the first hour of a window in which a group was charged or credited anything; None without one."""
        ids = self._ids(query, group)
        start, end = self._bounds(window)
        charged = np.diff(self._totals[metric][start : end + 1, ids], axis=0).any(axis=1)
        hours = np.flatnonzero(charged)
        return self.span.start + start + int(hours[0]) if len(hours) else None

    def totals_before(self, query: SpendQuery, metric: str, group: Labels, hours: Sequence[int]) -> list[int]:
        """
        Return what a group spent from the view's beginning up to each of some hours, in 1e-10 USD.

        So the difference of two is the spend between them. Hours outside the view count as its ends.
        """
        ids = self._ids(query, group)
        self._magnitude[metric].check(ids)
        rows = np.clip(np.asarray(hours) - self.span.start, 0, len(self.span))
        parts = (rows[at : at + _ROWS_AT_ONCE] for at in range(0, len(rows), _ROWS_AT_ONCE))
        return [total for part in parts for total in self._totals[metric][np.ix_(part, ids)].sum(axis=1).tolist()]

    def _ids(self, query: SpendQuery, group: Labels) -> "NDArray[np.intp]":
        """Return the series of a group."""
        self._refresh()
        selection = self._selector.select(query)
        number = selection.numbers.get(group)
        if number is None or len(selection.ids) == 0:
            return np.zeros(0, np.intp)
        end = selection.starts[number + 1] if number + 1 < len(selection.starts) else len(selection.ids)
        return selection.ids[selection.starts[number] : end]

    def _parts(
        self, query: SpendQuery, metric: str, windows: tuple[HourRange, HourRange], group: Labels
    ) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]":
        """Return the parts of a group by number (see `Selector.parts`), and the sum of each in two windows."""
        ids = self._ids(query, group)
        self._magnitude[metric].check(ids)
        totals = self._totals[metric]
        bounds = [self._bounds(window) for window in windows]
        now, then = (totals[end, ids] - totals[start, ids] for start, end in bounds)
        part_of, names = self._selector.parts()
        if len(names) == len(part_of):
            # Each series is a part of its own, as nearly everywhere.
            return part_of[ids], now, then
        chosen, places = np.unique(part_of[ids], return_inverse=True)
        sums = np.zeros((2, len(chosen)), np.int64)
        for total, each in zip(sums, (now, then), strict=True):
            np.add.at(total, places, each)
        return chosen, sums[0], sums[1]
