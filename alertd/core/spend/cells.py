"""
Cells: the groups of a query split by stream. Each cell has an edge of its own, up to which its spend is summed.

This module knows which columns belong together, but no amounts and no time.
"""

from collections.abc import Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.spend.arrival import DAILY, HOURLY
from alertd.core.spend.bill import Series
from alertd.core.spend.selection import Selector, SpendQuery
from alertd.core.spend.stream import NEVER, StreamKey

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True, kw_only=True, eq=False)
class Side:
    """The cells of one step, and the columns that they sum."""

    columns: "NDArray[np.int64]"
    """Columns of the totals, in the order of the cells."""
    series: "NDArray[np.int64]"
    """The series of each of these columns."""
    starts: "NDArray[np.int64]"
    """The index in `columns` at which each cell begins."""

    def __len__(self) -> int:
        return len(self.starts)

    def gather(self, totals: "NDArray[np.int64]", rows: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return the sum of each cell's columns in the given rows of *totals*."""
        picked = totals[rows[:, None], self.columns]
        return picked if len(self.starts) == len(self.columns) else np.add.reduceat(picked, self.starts, axis=1)

    def by_series(self, size: int) -> "NDArray[np.int64]":
        """Return the number of each series' cell within this step; -1 for a series without one."""
        found = np.full(size, -1, np.int64)
        found[self.series] = np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.series)))
        return found


@dataclass(slots=True, kw_only=True, eq=False)
class Cells:
    """
    A query's groups by stream; cells of one group are adjacent, in the order of the groups.

    `known_through` is carried over from one moment to the next, so that no edge ever moves back.
    """

    groups: tuple[Labels, ...]
    numbers: dict[Labels, int]
    group: "NDArray[np.int64]"
    """The number of each cell's group."""
    stream: "NDArray[np.int64]"
    """The number of each cell's stream in `keys`."""
    keys: list[StreamKey]
    sides: dict[int, Side]
    """The cells of each step."""
    order: "NDArray[np.int64]"
    """For each cell its number before sorting by group: cells of hourly rows came first, then those of longer rows."""
    places: "NDArray[np.int64]"
    """The inverse of `order`."""
    group_starts: "NDArray[np.int64]"
    """The index of the first cell of each group that has one."""
    grouped: "NDArray[np.int64]"
    """The numbers of the groups that have a cell."""
    under_hourly: "NDArray[np.int64]"
    """For each cell of longer rows, the hourly cell of the same series: its totals include both."""
    selector: Selector
    long_count: int
    known_through: "NDArray[np.int64]" = field(default_factory=lambda: np.empty(0, np.int64))
    """The highest settled edge of each cell so far."""
    is_ahead: "NDArray[np.bool_]" = field(default_factory=lambda: np.empty(0, np.bool_))
    """For which cells `known_through` is later than what follows from the bills now."""
    bounds: list[int] = field(default_factory=list)
    """The index at which the cells of each group begin, and the end of the last ones."""
    kept: dict[object, object] = field(default_factory=dict)
    """Results that other modules last computed from the cells, by keys of their own; dropped when new series arrive."""

    def __len__(self) -> int:
        return len(self.group)

    @property
    def series(self) -> "NDArray[np.int64]":
        """Every series that the query selects, once."""
        return self.sides[HOURLY].series

    def is_outdated(self, selector: Selector, long_count: int) -> bool:
        """Return whether the series, their owners or the series with longer rows have changed since."""
        return self.selector is not selector or self.long_count != long_count

    def gather(
        self, totals: "NDArray[np.int64]", long: "NDArray[np.int64]", rows: "NDArray[np.int64]"
    ) -> "NDArray[np.int64]":
        """Return the totals of each cell in the given rows: a row for each of them, a column for each cell."""
        if not len(self):
            return np.zeros((len(rows), 0), np.int64)
        hourly = self.sides[HOURLY].gather(totals, rows)
        if not len(self.sides[DAILY]):
            # They are in the order of the cells already.
            return hourly
        longer = self.sides[DAILY].gather(long, rows)
        hourly[:, self.under_hourly] -= longer
        return np.concatenate((hourly, longer), axis=1)[:, self.order]

    def of_step(self, step: int) -> "NDArray[np.int64]":
        """Return the numbers of the cells of one step, in the order of its side."""
        return self.places[: len(self.sides[HOURLY])] if step == HOURLY else self.places[len(self.sides[HOURLY]) :]

    def of_category(self, category: str) -> "NDArray[np.bool_]":
        """Return which cells belong to a category."""
        chosen = [number for number, key in enumerate(self.keys) if key.category == category]
        return np.isin(self.stream, chosen)

    def by_group(self, values: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Sum the cells of each group, along the last axis; 0 for a group without a cell."""
        if len(self) == len(self.groups) == len(self.grouped):
            return values
        found = np.zeros((*values.shape[:-1], len(self.groups)), np.int64)
        if len(self):
            found[..., self.grouped] = np.add.reduceat(values, self.group_starts, axis=-1)
        return found

    def least(self, values: "NDArray[np.int64]", otherwise: int) -> "NDArray[np.int64]":
        """Return the least value of each group's cells; *otherwise* for a group without a cell."""
        if len(self) == len(self.groups) == len(self.grouped):
            return values
        found = np.full(len(self.groups), otherwise, np.int64)
        if len(self):
            found[self.grouped] = np.minimum.reduceat(values, self.group_starts)
        return found

    def groups_of(self, series: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
        """Return which groups contain any of the given series."""
        side = self.sides[HOURLY]
        found = np.zeros(len(self.groups), np.bool_)
        if len(side):
            each = np.logical_or.reduceat(series[side.series], side.starts)
            found[self.group[self.of_step(HOURLY)[each]]] = True
        return found

    def groups_where(self, cells: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
        """Return which groups contain any of the given cells."""
        found = np.zeros(len(self.groups), np.bool_)
        found[self.group[cells]] = True
        return found

    def names(self) -> list[tuple[Labels, StreamKey]]:
        """Return group and stream of each cell."""
        pairs = zip(self.group.tolist(), self.stream.tolist(), strict=True)
        return [(self.groups[group], self.keys[stream]) for group, stream in pairs]


def cells_of(
    selector: Selector,
    query: SpendQuery,
    names: Sequence[Series],
    long_ids: "NDArray[np.int64]",
    *,
    earlier: Cells | None,
) -> Cells:
    """
    Split the groups of a query by stream.

    Args:
        long_ids: The series of each column of the totals of longer rows.
        earlier: The cells before new series arrived: their `known_through` is carried over.
    """
    selection = selector.select(query)
    lengths = np.diff(selection.starts, append=len(selection.ids))
    group_of = np.full(len(names), -1, np.int64)
    group_of[selection.ids] = np.repeat(np.arange(len(selection.groups)), lengths)
    stream_of, categories = selector.categories()
    position = np.full(len(names), -1, np.int64)
    position[long_ids] = np.arange(len(long_ids))
    ids = np.asarray(selection.ids, np.int64)
    hourly, hourly_names = _side(ids, ids, group_of, stream_of)
    long = long_ids[group_of[long_ids] >= 0]
    daily, daily_names = _side(long, position[long], group_of, stream_of)
    keys = [StreamKey(*key, step) for step in (HOURLY, DAILY) for key in categories]
    group = np.concatenate((hourly_names[0], daily_names[0]))
    stream = np.concatenate((hourly_names[1], daily_names[1] + len(categories)))
    order = np.argsort(group, kind="stable")
    group, stream = group[order], stream[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    of_hourly = hourly.by_series(len(names))
    cells = Cells(
        groups=selection.groups,
        numbers=selection.numbers,
        group=group,
        stream=stream,
        keys=keys,
        sides={HOURLY: hourly, DAILY: daily},
        order=order,
        places=np.argsort(order, kind="stable"),
        group_starts=starts,
        grouped=group[starts],
        under_hourly=of_hourly[daily.series[daily.starts]] if len(daily) else np.empty(0, np.int64),
        selector=selector,
        long_count=len(long_ids),
        known_through=np.full(len(group), NEVER, np.int64),
        bounds=np.searchsorted(group, np.arange(len(selection.groups) + 1)).tolist(),
    )
    if earlier is not None and len(earlier):
        known = dict(zip(earlier.names(), earlier.known_through.tolist(), strict=True))
        cells.known_through[:] = [known.get(name, NEVER) for name in cells.names()]
    return cells


def _side(
    series: "NDArray[np.int64]",
    columns: "NDArray[np.int64]",
    group_of: "NDArray[np.int64]",
    stream_of: "NDArray[np.int64]",
) -> "tuple[Side, tuple[NDArray[np.int64], NDArray[np.int64]]]":
    """Return the cells of one step, and the group and stream of each."""
    order = np.lexsort((stream_of[series], group_of[series]))
    series, columns = series[order], columns[order]
    group, stream = group_of[series], stream_of[series]
    is_first = np.ones(len(series), bool)
    is_first[1:] = (group[1:] != group[:-1]) | (stream[1:] != stream[:-1])
    starts = np.flatnonzero(is_first)
    return Side(columns=columns, series=series, starts=starts), (group[starts], stream[starts])
