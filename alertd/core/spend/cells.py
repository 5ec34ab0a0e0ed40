"""
The groups of a query split by stream: the unit in which an edge is kept and spend is summed up to it.

It knows which columns belong together, no amounts and no time.
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
    """The cells of one step, and the columns that they add up."""

    columns: "NDArray[np.int64]"
    """Of the totals, in the order of the cells."""
    series: "NDArray[np.int64]"
    """The series of each of these columns."""
    starts: "NDArray[np.int64]"
    """Where each cell begins in the columns."""

    def __len__(self) -> int:
        return len(self.starts)

    def gather(self, totals: "NDArray[np.int64]", rows: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Add up the columns of each cell, in some rows."""
        picked = totals[rows[:, None], self.columns]
        return picked if len(self.starts) == len(self.columns) else np.add.reduceat(picked, self.starts, axis=1)

    def by_series(self, size: int) -> "NDArray[np.int64]":
        """Return the number of the cell of each series, as it is within this step; -1 for those without one."""
        found = np.full(size, -1, np.int64)
        found[self.series] = np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.series)))
        return found


@dataclass(slots=True, kw_only=True, eq=False)
class Cells:
    """
    A query's groups by stream; cells of one group lie side by side, in the order of the groups.

    `known_through` is kept from one moment to the next: no edge ever moves back.
    """

    groups: tuple[Labels, ...]
    numbers: dict[Labels, int]
    group: "NDArray[np.int64]"
    """The number of each cell's group."""
    stream: "NDArray[np.int64]"
    """The number of each cell's stream in `keys`."""
    keys: list[StreamKey]
    sides: dict[int, Side]
    """By step."""
    order: "NDArray[np.int64]"
    """For each cell its number before cells were ordered by group: those of hourly rows, then those of longer ones."""
    places: "NDArray[np.int64]"
    """The inverse of `order`."""
    group_starts: "NDArray[np.int64]"
    """Where each group with a cell begins."""
    grouped: "NDArray[np.int64]"
    """The numbers of these groups."""
    under_hourly: "NDArray[np.int64]"
    """For each cell of longer rows the hourly one of the same series: its totals hold both."""
    selector: Selector
    long_count: int
    known_through: "NDArray[np.int64]" = field(default_factory=lambda: np.empty(0, np.int64))
    """The highest settled edge of each cell so far."""
    is_ahead: "NDArray[np.bool_]" = field(default_factory=lambda: np.empty(0, np.bool_))
    """Of which cells that is later than what the bills say now."""
    bounds: list[int] = field(default_factory=list)
    """Where the cells of each group begin, and where the last ones end."""
    kept: dict[object, object] = field(default_factory=dict)
    """What was worked out of the cells last, by whoever did: it goes when series come."""

    def __len__(self) -> int:
        return len(self.group)

    @property
    def series(self) -> "NDArray[np.int64]":
        """Every series that counts, once."""
        return self.sides[HOURLY].series

    def is_outdated(self, selector: Selector, long_count: int) -> bool:
        """Return whether series came since."""
        return self.selector is not selector or self.long_count != long_count

    def gather(
        self, totals: "NDArray[np.int64]", long: "NDArray[np.int64]", rows: "NDArray[np.int64]"
    ) -> "NDArray[np.int64]":
        """Return the totals of each cell in some rows: a row for each, a column for each cell."""
        if not len(self):
            return np.zeros((len(rows), 0), np.int64)
        hourly = self.sides[HOURLY].gather(totals, rows)
        if not len(self.sides[DAILY]):
            return hourly[:, self.order]
        longer = self.sides[DAILY].gather(long, rows)
        hourly[:, self.under_hourly] -= longer
        return np.concatenate((hourly, longer), axis=1)[:, self.order]

    def of_step(self, step: int) -> "NDArray[np.int64]":
        """Return the numbers of the cells of one step, in the order of its side."""
        return self.places[: len(self.sides[HOURLY])] if step == HOURLY else self.places[len(self.sides[HOURLY]) :]

    def of_category(self, category: str) -> "NDArray[np.bool_]":
        """Return which cells are of a category."""
        chosen = [number for number, key in enumerate(self.keys) if key.category == category]
        return np.isin(self.stream, chosen)

    def by_group(self, values: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Add up cells to groups, along the last axis; a group without a cell has nothing."""
        if len(self) == len(self.groups) == len(self.grouped):
            return values
        found = np.zeros((*values.shape[:-1], len(self.groups)), np.int64)
        if len(self):
            found[..., self.grouped] = np.add.reduceat(values, self.group_starts, axis=-1)
        return found

    def least(self, values: "NDArray[np.int64]", otherwise: int) -> "NDArray[np.int64]":
        """Return the least value of each group's cells."""
        if len(self) == len(self.groups) == len(self.grouped):
            return values
        found = np.full(len(self.groups), otherwise, np.int64)
        if len(self):
            found[self.grouped] = np.minimum.reduceat(values, self.group_starts)
        return found

    def groups_of(self, series: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
        """Return which groups have one of some series."""
        side = self.sides[HOURLY]
        found = np.zeros(len(self.groups), np.bool_)
        if len(side):
            each = np.logical_or.reduceat(series[side.series], side.starts)
            found[self.group[self.of_step(HOURLY)[each]]] = True
        return found

    def groups_where(self, cells: "NDArray[np.bool_]") -> "NDArray[np.bool_]":
        """Return which groups have one of some cells."""
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
        earlier: The cells before some series came: what was known through stays known.
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
