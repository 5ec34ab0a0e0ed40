"""
Through which hour each group will be billed at the beginning of each hour of a stretch, and with which totals.

A replay knows all rows in advance, and when each becomes known. So the sums that evaluations will see, with the
estimates for rows that are awaited, can be computed for many hours at once. They only decide which hours are judged.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange
from alertd.core.spend.arrival import DAILY
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.core.spend.block import spread
from alertd.core.spend.cells import Cells
from alertd.core.spend.edges import newest_rows
from alertd.core.spend.forecast import MOST_DAYS
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stream import NEVER
from alertd.core.spend.stretch import Stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Foreseen:
    """The cells of a query in each hour of a stretch: a row for each hour, a column for each cell or group."""

    hours: HourRange
    cells: Cells
    edge: "Ints"
    """The edge of each cell; that of the rule if the cell has no row."""
    known: "Ints"
    """The hour up to which all rows of each cell are known, and no later ones; at most its edge."""
    latest: "Ints"
    """The rule's edge, by hour."""
    earliest: "Ints"
    """The earliest edge of each group's cells."""
    is_sure: "Flags"
    """Whether all of this is certain for a group."""
    is_current: "Flags"
    """Whether moreover each of its cells is billed by the hour, up to the hour itself."""
    first: int
    """The hour of the first row of `totals`, as early as forecasts look back."""
    totals_of: Callable[[], "Ints"]

    @classmethod
    def of(cls, stretch: Stretch, query: SpendQuery, metric: str) -> "Foreseen":
        """Return what is known in advance; the same object for the same arguments."""
        found = stretch.kept.get((cls, query, metric))
        if not isinstance(found, cls):
            stretch.kept[cls, query, metric] = found = cls._of(stretch, query, metric)
        return found

    @classmethod
    def _of(cls, stretch: Stretch, query: SpendQuery, metric: str) -> "Foreseen":
        hours, cells = stretch.hours, stretch.view.cells(query)
        each = np.arange(hours.start, hours.end)[:, None]
        is_daily = np.array([key.step == DAILY for key in cells.keys], np.bool_)[cells.stream]
        newest = _newest(stretch, cells)
        settled = each - stretch.settle_hours
        edge = np.maximum(np.where(is_daily, settled - settled % DAILY, settled), newest)
        is_present = newest > NEVER
        latest = np.where(is_present, edge, NEVER).max(axis=1, initial=NEVER)
        edge = np.where(is_present, edge, latest[:, None])
        is_sure = _by_group(cells, ~is_daily | ~is_present | (each >= _seen_from(stretch, cells)))
        known = _known(stretch, cells, edge)
        is_sure &= _by_group(cells, ~is_daily | (newest <= known))
        # Which cells there are depends on the rows that are known.
        new = stretch.is_long.copy()
        new[cells.sides[DAILY].series] = False
        is_sure &= (latest > NEVER)[:, None] & ~cells.groups_of(new)
        first = hours.start - stretch.behind - MOST_DAYS * HOURS_PER_DAY
        return cls(
            hours=hours,
            cells=cells,
            edge=edge,
            known=known,
            latest=latest,
            earliest=np.array([cells.least(row, at) for row, at in zip(edge, latest.tolist(), strict=True)]),
            is_sure=is_sure,
            is_current=is_sure & _by_group(cells, ~is_daily & (edge == each)),
            first=first,
            totals_of=lambda: _totals(stretch, cells, metric, np.arange(first, hours.end + 1)),
        )

    @cached_property
    def totals(self) -> "Ints":
        """
        What each cell is billed before each hour from `first` on, in 1e-10 USD, with rows that become known later.

        Raises:
            OverflowError: The sums do not fit.
        """
        return self.totals_of()

    def parts(self, bounds: "Ints", at: "NDArray[np.intp]", groups: "NDArray[np.intp]") -> "Ints":
        """
        Return what groups are billed between neighbouring bounds, with estimates for hours that are not billed yet.

        Args:
            bounds: Hours in rising order, up to the rule's edge; a column for each of the groups.
            at: The hour of the stretch, counted from its first, in which each group is judged.
            groups: Their numbers; all of them certain.

        Returns:
            1e-10 USD; a row for each two neighbouring bounds, a column for each of the groups.
        """
        limits = np.asarray(self.cells.bounds, np.intp)
        counts = limits[groups + 1] - limits[groups]
        starts = np.cumsum(counts) - counts
        cell = np.arange(counts.sum()) + np.repeat(limits[groups] - starts, counts)
        own, known = (each[np.repeat(at, counts), cell] for each in (self.edge, self.known))
        asked = np.repeat(bounds, counts, axis=1)
        billed = np.diff(self._before(np.minimum(asked, known), cell), axis=0)
        a_day = self.last_day(own, known, cell)
        late = np.maximum(np.diff(np.maximum(asked, own), axis=0) * a_day // HOURS_PER_DAY, 0)
        found: Ints = np.add.reduceat(billed + late, starts, axis=1)
        return found

    def up_to(self, hours: "Ints", at: "NDArray[np.intp]") -> "Ints":
        """
        Return what each group is billed, with estimates, before some hours, up to the rule's edge.

        Args:
            hours: One for each of *at*.
            at: Hours of the stretch, counted from its first.
        """
        own, known, cell = self.edge[at], self.known[at], np.arange(len(self.cells))
        asked = hours[:, None]
        if bool((known >= asked).all()):
            return self.cells.by_group(self.totals[np.clip(hours - self.first, 0, len(self.totals) - 1)])
        late = np.maximum(np.maximum(asked - own, 0) * self.last_day(own, known, cell) // HOURS_PER_DAY, 0)
        return self.cells.by_group(self._before(np.minimum(asked, known), cell) + late)

    def last_day(self, own: "Ints", known: "Ints", cell: "NDArray[np.intp]") -> "Ints":
        """Return what cells are billed in the day before their edge; nothing if that is no rate."""
        found = self._before(known, cell) - self._before(np.minimum(own - HOURS_PER_DAY, known), cell)
        # Payments for fixed terms have no hourly rate.
        return np.where(self.cells.of_category(SUBSCRIPTION)[cell], 0, found)

    def _before(self, hours: "Ints", cell: "NDArray[np.intp]") -> "Ints":
        found: Ints = self.totals[np.clip(hours - self.first, 0, len(self.totals) - 1), cell]
        return found


def _newest(stretch: Stretch, cells: Cells) -> "Ints":
    """Return the end of each cell's newest row at the beginning of each hour; `NEVER` without one."""
    found = np.full((len(stretch.hours), len(cells)), NEVER, np.int64)
    found[0] = newest_rows(cells, stretch.data.streams)
    for step, side in cells.sides.items():
        if len(side):
            ends, series = stretch.rows_of(step)
            place = side.by_series(len(stretch.is_long))[series]
            chosen = place >= 0
            found[ends[chosen] - stretch.hours.start, cells.of_step(step)[place[chosen]]] = ends[chosen]
    return np.maximum.accumulate(found, axis=0)


def _seen_from(stretch: Stretch, cells: Cells) -> "Ints":
    """Return the hour from which on it is known when the rows of each cell's stream come."""
    each = [stretch.seen_from.get(key, stretch.hours.end) for key in cells.keys]
    return np.array(each, np.int64)[cells.stream]


def _known(stretch: Stretch, cells: Cells, edge: "Ints") -> "Ints":
    """Return each cell's edge, or the beginning of a longer row that is not known yet if that is earlier."""
    side = cells.sides[DAILY]
    if not len(side):
        return edge
    found, by_series, mine = edge.copy(), side.by_series(len(stretch.is_long)), cells.of_step(DAILY)
    for end, start, block in stretch.unknown:
        place = by_series[block.series]
        rows = slice(max(0, start - stretch.hours.start), max(0, end - stretch.hours.start))
        chosen = mine[distinct(place[place >= 0])]
        found[rows, chosen] = np.minimum(found[rows, chosen], start)
    return found


def _totals(stretch: Stretch, cells: Cells, metric: str, hours: "Ints") -> "Ints":
    """Return what each cell is billed before each of *hours*, with the rows still to come."""
    totals = stretch.view.totals_at(cells, metric, hours)
    side = cells.sides[DAILY]
    if not len(side) or not stretch.coming:
        return totals
    by_series, mine = side.by_series(len(stretch.is_long)), cells.of_step(DAILY)
    added = np.zeros((len(hours), len(side)), np.int64)
    for _, start, block in stretch.coming:
        for offset, series, amounts in spread(block, metric):
            # A total before an hour does not include that hour.
            row, place = start + offset + 1 - int(hours[0]), by_series[series]
            if row < len(hours):
                np.add.at(added[max(0, row)], place[place >= 0], amounts[place >= 0])
    totals[:, mine] += np.cumsum(added, axis=0)
    return totals


def _by_group(cells: Cells, flags: "Flags") -> "Flags":
    """Return for which groups all of their cells have a flag; none for a group without a cell."""
    found = np.zeros((len(flags), len(cells.groups)), np.bool_)
    if len(cells):
        found[:, cells.grouped] = np.logical_and.reduceat(flags, cells.group_starts, axis=1)
    return found
