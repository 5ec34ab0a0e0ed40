"""
Spend over time: the exact amount that each group was billed in each hour or day of a window, and what is not known.

It sums stored blocks, so that it reaches as far back as the store does, regardless of what the rules need. A zero may
mean that nothing is known: `SpendSteps.is_known` distinguishes the two.
"""

from collections.abc import Collection
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.calendar import day_bounds, days
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, HourSet, hour_of
from alertd.core.money import LARGEST_SUM, Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.block import HourBlock, spread
from alertd.core.spend.data_state import DataState
from alertd.core.spend.lately import last_hours
from alertd.core.spend.ledger import CategoryBook, SeriesTable
from alertd.core.spend.selection import SERIES_KEYS

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOURLY_UP_TO = 3 * HOURS_PER_DAY
"""Longest window, in hours, that is shown by the hour; longer ones are shown by the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The hours or days of a window; the first and the last day may be partial."""

    edges: tuple[int, ...]
    """The hours at which steps begin and end, in rising order: one more than there are steps."""
    is_by_day: bool
    running: int
    """The hour that has not ended."""
    timezone: str = "UTC"
    """The time zone of the days."""

    @property
    def span(self) -> HourRange:
        """The whole window."""
        return HourRange(self.edges[0], self.edges[-1])

    def __len__(self) -> int:
        return len(self.edges) - 1


def steps_of(hours: int, data: DataState) -> Steps | None:
    """
    Return the steps of the last *hours* billed hours, beginning no earlier than the first hour that was read.

    None while nothing was read.
    """
    window = last_hours(data, hours)
    if window is None:
        return None
    first = min((book.covered.ranges[0].start for book in data.books.values() if book.covered), default=window.end)
    start, end = max(window.start, first), window.end
    if start >= end:
        return None
    if hours <= HOURLY_UP_TO:
        return Steps(edges=tuple(range(start, end + 1)), is_by_day=False, running=hour_of(data.now))
    return Steps(edges=tuple(day_bounds(HourRange(start, end), "UTC")), is_by_day=True, running=hour_of(data.now))


def steps_of_month(first: date, timezone: str, data: DataState) -> Steps | None:
    """
    Return the days of a month as far as they are billed, beginning no earlier than the first hour that was read.

    None if nothing is known about the month.
    """
    edge = data.edge(data.books)
    month = days(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1), timezone)
    known = min((book.covered.ranges[0].start for book in data.books.values() if book.covered), default=month.end)
    start, end = max(month.start, known), min(month.end, edge if edge is not None else month.start)
    if start >= end:
        return None
    edges = tuple(day_bounds(HourRange(start, end), timezone))
    return Steps(edges=edges, is_by_day=True, running=hour_of(data.now), timezone=timezone)


class StepSums:
    """What every series was billed in each step; filled block by block, then only read."""

    def __init__(self, table: SeriesTable, steps: Steps) -> None:
        self.table = table
        self.steps = steps
        self._edges = np.asarray(steps.edges)
        self._sums: NDArray[np.int64 | np.object_] = np.zeros((len(steps), len(table)), np.int64)
        self._magnitude = 0.0

    def add(self, hour: int, block: HourBlock) -> None:
        """
        Add the rows that are filed under an hour, except for what they cover outside the window.

        Rows of a series that the table lacks came while it was read, and are left to the next reading.
        """
        # A row that has not ended is spread over its hours so far.
        running = self.steps.running
        for offset, series, amounts in spread(block.until(running + 1 - hour) if hour <= running else block, "amount"):
            if hour + offset not in self.steps.span:
                continue
            if series.max(initial=0) >= len(self._sums[0]):
                is_listed = series < len(self._sums[0])
                series, amounts = series[is_listed], amounts[is_listed]  # noqa: PLW2901 -- the part that counts
            self._magnitude += float(np.abs(amounts.astype(np.float64)).sum())
            if self._magnitude > LARGEST_SUM and self._sums.dtype == np.int64:
                # Sums that may not fit 64 bits are made with integers of any size: slow, but exact.
                self._sums = self._sums.astype(object)
            step = int(np.searchsorted(self._edges, hour + offset, "right")) - 1
            # Rows that have not ended may be cut to the same span, so that a series comes twice.
            np.add.at(self._sums[step], series, amounts)

    def by_group(self, numbers: "NDArray[np.intp]", count: int) -> "NDArray[np.int64 | np.object_]":
        """
        Return the sum of each group in each step.

        Args:
            numbers: The group of each series; *count* for a series without a group.

        Returns:
            A row for each group, a column for each step.
        """
        found = np.zeros((count + 1, len(self.steps)), self._sums.dtype)
        np.add.at(found, numbers, self._sums.T)
        return found[:count]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSteps:
    """What one group was billed: in total, and in each step."""

    value: str
    """An owner's id, a team, a category …; empty for the rest."""
    total: Usd
    amounts: tuple[Usd, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendSteps:
    """Spend over time by one attribute."""

    steps: Steps
    groups: tuple[GroupSteps, ...]
    """The groups with the largest totals, largest first."""
    rest: GroupSteps | None
    """All other groups together, None if there are none."""
    others: tuple[tuple[str, Usd], ...]
    """The totals of the groups in `rest`, largest first."""
    total: Usd
    is_known: tuple[bool, ...]
    """For each step, whether anything of it is known: unknown does not mean zero."""
    is_whole: tuple[bool, ...]
    """For each step, whether everything of it is known."""
    gaps: tuple[str, ...]
    """What is missing or doubted in the window, and up to now if a category cannot be read; a clause each."""
    edge: int | None
    """The hour through which spend is billed."""


def sum_steps(sums: StepSums, data: DataState, *, by: str, owners: OwnerDirectory, most: int) -> SpendSteps:
    """
    Return what each group was billed in each step.

    Args:
        by: A series key, `team` or an owner label.
        most: Maximum number of groups that are listed individually.
    """
    values, numbers = _groups(sums.table, data.accounts, by, owners)
    amounts = sums.by_group(numbers, len(values))
    totals = [sum(amounts[number].tolist()) for number in range(len(values))]
    order = sorted((n for n in range(len(values)) if amounts[n].any()), key=lambda n: (-totals[n], values[n]))
    named, others = order[:most], order[most:]
    edge = data.edge(data.books)
    known, whole = _knowledge(sums.steps, data, edge)
    return SpendSteps(
        steps=sums.steps,
        groups=tuple(GroupSteps(value=values[n], total=Usd(totals[n]), amounts=_row(amounts[n])) for n in named),
        rest=GroupSteps(
            value="",
            total=Usd(sum(totals[n] for n in others)),
            amounts=_row(amounts[np.array(others)].sum(axis=0)),
        )
        if others
        else None,
        others=tuple((values[n], Usd(totals[n])) for n in others),
        total=Usd(sum(totals)),
        is_known=known,
        is_whole=whole,
        gaps=data.words(data.gaps_now(sums.steps.span)),
        edge=edge,
    )


def _groups(
    table: SeriesTable, accounts: Collection[str], by: str, owners: OwnerDirectory
) -> "tuple[list[str], NDArray[np.intp]]":
    """Return the groups' values, and the number of each series' group; accounts no longer polled have none."""
    found: dict[str, int] = {}
    numbers = np.zeros(len(table), np.intp)
    position = SERIES_KEYS.index(by) if by in SERIES_KEYS else None
    for number, name in enumerate(table.names):
        value = name[position] if position is not None else owners.attribute(name.owner, by)
        numbers[number] = found.setdefault(value, len(found)) if name.account in accounts else -1
    numbers[numbers < 0] = len(found)
    return list(found), numbers


def _row(amounts: "NDArray[np.int64 | np.object_]") -> tuple[Usd, ...]:
    return tuple(map(Usd, amounts.tolist()))


def _knowledge(steps: Steps, data: DataState, edge: int | None) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Return for each step whether anything of it was read, and whether all of it was, in every category."""
    billed = HourRange(steps.span.start, min(max(edge or 0, steps.span.start), steps.span.end))
    read = HourSet.of(span for book in data.books.values() for span in book.covered.within(billed))
    missing = HourSet.of(
        span
        for book in data.books.values()
        for span in (
            *book.covered.missing_from(billed),
            *book.failed.within(_unsettled(book, billed, data.settle_delay)),
            *(HourRange(hour, hour + 1) for hour in book.suspicions if hour in billed),
        )
    )
    each = [HourRange(start, end) for start, end in pairwise(steps.edges)]
    known = tuple(bool(read.within(step)) for step in each)
    # The last step is whole only when all of its hours are billed.
    whole = tuple(step.end <= billed.end and not missing.within(step) for step in each)
    return known, whole


def _unsettled(book: CategoryBook, billed: HourRange, settle_delay: timedelta) -> HourRange:
    """
    Return the hours that have not been read since their bills settled.

    A failed read also covers many hours that are known well: only those never read after settling are gaps.
    """
    settled = hour_of(book.read_at - settle_delay) if book.read_at is not None else billed.start
    return HourRange(min(max(billed.start, settled), billed.end), billed.end)
