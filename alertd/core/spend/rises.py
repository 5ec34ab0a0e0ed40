"""
What groups spent in windows that end about now, each compared with what is usual in the same hours.

Usual is the median of the same hours of the week once two whole weeks of a group are known, before that of the same
hours of the day: neither one dear week nor one idle week moves it. All groups are computed at once, as arrays; this
module knows sums only. The rule decides what is too much, and whether enough is known.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HOURS_PER_DAY, HourRange
from alertd.core.labels import Labels
from alertd.core.spend.ends import TwoEnds
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROUPS_AT_ONCE = 512
"""Number of groups whose hourly running totals of a baseline are gathered together: 3 MB for 28 days."""
_ALWAYS = -(2**40)
HOURS_PER_WEEK = 7 * HOURS_PER_DAY
_WEEKS_TO_KNOW = 2
"""Minimum whole weeks known to compare with the same hours of the week; with fewer, with those of the day."""


class Compare(StrEnum):
    """The earlier windows with which a window is compared."""

    SAME_HOURS = "same_hours"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """How long the window and its baseline are, and which windows of the baseline count as usual."""

    window: int
    """Hours."""
    baseline: int
    """Hours."""
    compare: Compare

    @property
    def windows(self) -> int:
        """How many whole windows fit into the baseline."""
        return self.baseline // self.window

    def shifts(self, step: int) -> "NDArray[np.int64]":
        """Return how many hours before the window, in multiples of *step*, those of the baseline lie, newest first."""
        # Only windows that do not overlap it, which matters if it is several days long.
        return np.arange(-(-self.window // step) * step, self.baseline + 1, step)

    def before(self, end: int) -> HourRange:
        """Return the baseline of the window that ends at an hour."""
        start = end - self.window
        if self.compare is Compare.PREVIOUS:
            return HourRange(start - self.windows * self.window, start)
        return HourRange(start - self.baseline, start)

    def needed(self, ends: TwoEnds) -> HourRange:
        """Return all hours that the windows and their baselines cover."""
        first = min(
            int(ends.begins.min(initial=ends.edges.latest)), int(ends.edges.edge.min(initial=ends.edges.latest))
        )
        return HourRange(self.before(first).start, ends.edges.latest)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """One window of some groups, an element for each group; amounts in 1e-10 USD."""

    end: int
    """The hour at which the window ends."""
    spent: "NDArray[np.int64]"
    usual: "NDArray[np.int64]"
    """`parts` times the usual amount; 0 if that is zero or too little is known."""
    parts: "NDArray[np.int64]"
    highest: "NDArray[np.int64]"
    """The highest cost of any window of that length in the baseline."""
    known_for: "NDArray[np.int64]"
    """For how many hours before the window the group has spent, within the baseline."""
    is_lower: "NDArray[np.bool_]"
    """Whether the window counts for the lower end."""
    is_upper: "NDArray[np.bool_]"
    is_billed: bool = True
    """False if each stream is counted up to its own edge."""


def windows_of(
    view: SpendView, query: SpendQuery, metric: str, ends: TwoEnds, lengths: Lengths, groups: Sequence[int]
) -> "Iterator[tuple[NDArray[np.intp], list[Windows]]]":
    """
    Yield some groups at a time, by number, with their windows and what each is compared with.

    Args:
        groups: Their numbers, in the order of `ends`.
    """
    for at in range(0, len(groups), _GROUPS_AT_ONCE):
        chosen = np.array(groups[at : at + _GROUPS_AT_ONCE], np.intp)
        yield chosen, list(_windows(view, query, metric, ends, lengths, chosen))


def usual_at(
    view: SpendView, query: SpendQuery, metric: str, lengths: Lengths, end: int, group: Labels
) -> tuple[Fraction, int]:
    """Return what is usual for a group's window that ends at *end*, and the highest one before it; in 1e-10 USD."""
    number = view.sums(query, metric, HourRange(end - lengths.window, end)).numbers.get(group)
    if number is None:
        return Fraction(0), 0
    span = HourRange(lengths.before(end).start, end)
    totals = view.running_totals(query, metric, span, np.array([number], np.intp))
    (found,) = compared(totals, span, lengths, [end], first_hours_of(totals, span))
    return Fraction(int(found.usual[0]), int(found.parts[0])), int(found.highest[0])


def _windows(
    view: SpendView, query: SpendQuery, metric: str, ends: TwoEnds, lengths: Lengths, chosen: "NDArray[np.intp]"
) -> Iterator[Windows]:
    span, latest = lengths.needed(ends), ends.edges.latest
    totals = view.running_totals(query, metric, span, chosen)
    first_hours = first_hours_of(totals, span)
    begins = ends.begins[chosen]
    for found in compared(totals, span, lengths, range(int(begins.min()), latest + 1), first_hours):
        is_upper = np.full(len(chosen), found.end == latest or found.end >= ends.recent)
        yield replace(found, is_lower=begins <= found.end, is_upper=is_upper)
    if bool((ends.edges.edge != latest).any()):
        yield _up_to_own_edges(view, metric, ends, lengths, chosen, totals, span, first_hours)


def compared(
    totals: "NDArray[np.int64]",
    span: HourRange,
    lengths: Lengths,
    ends: Sequence[int],
    first_hours: "NDArray[np.int64]",
) -> list[Windows]:
    """
    Return the windows of each group that end at the given hours, compared with their baselines.

    Args:
        totals: Running totals in 1e-10 USD at each hour of the span and at its end, which hold windows and baselines.
        first_hours: As returned by `first_hours_of`.
    """
    usual, parts = _usual(totals, span, lengths, np.array(ends, np.int64), first_hours)
    everybody = np.ones(totals.shape[1], np.bool_)
    found = []
    for number, end in enumerate(ends):
        before = lengths.before(end)
        windows = Windows(
            end=end,
            spent=totals[end - span.start] - totals[end - lengths.window - span.start],
            usual=usual[number],
            parts=parts,
            highest=highest_windows(totals[before.start - span.start : before.end - span.start + 1], lengths.window),
            known_for=before.end - np.maximum(first_hours, before.start),
            is_lower=everybody,
            is_upper=everybody,
        )
        found.append(windows)
    return found


def _usual(
    totals: "NDArray[np.int64]",
    span: HourRange,
    lengths: Lengths,
    ends: "NDArray[np.int64]",
    first_hours: "NDArray[np.int64]",
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """Return a multiple of the usual amount, by window and group, and which multiple that is for each group."""
    if lengths.compare is Compare.PREVIOUS:
        starts = ends - lengths.window - span.start
        found = totals[starts] - totals[starts - lengths.windows * lengths.window]
        return found, np.full(totals.shape[1], lengths.windows, np.int64)
    usual, is_known = double_usual(totals, span.start, ends, lengths, first_hours)
    return np.where(is_known, usual, 0), np.full(totals.shape[1], 2, np.int64)


def first_hours_of(totals: "NDArray[np.int64]", span: HourRange) -> "NDArray[np.int64]":
    """Return each group's first hour with spend: long ago if it spent before the span, the span's end if never."""
    moved = totals[1:] != totals[:-1]
    first = np.where(moved.any(axis=0), span.start + moved.argmax(axis=0), span.end)
    return np.where(totals[0] != 0, _ALWAYS, first)


def _up_to_own_edges(
    view: SpendView,
    metric: str,
    ends: TwoEnds,
    lengths: Lengths,
    chosen: "NDArray[np.intp]",
    totals: "NDArray[np.int64]",
    span: HourRange,
    first_hours: "NDArray[np.int64]",
) -> Windows:
    """Return the window in which each stream ends at its own edge, compared with the same hours of each stream."""
    edges, latest = ends.edges, ends.edges.latest
    cells = edges.cells

    def sums(shifts: "NDArray[np.int64]", length: int) -> "NDArray[np.int64]":
        """Return, by shift, what groups were billed in *length* hours that end that long before each stream's edge."""
        ends = edges.edge - shifts[:, None]
        first, last = view.totals_each(cells, metric, (ends - length, ends))
        return cells.by_group(last - first)[:, chosen]

    if lengths.compare is Compare.PREVIOUS:
        (usual,) = sums(np.array([lengths.window]), lengths.windows * lengths.window)
        parts = np.full(len(usual), lengths.windows, np.int64)
    else:
        starts = np.full(len(chosen), latest - lengths.window)
        usual, is_known = double_median_of(lambda shifts: sums(shifts, lengths.window), lengths, starts, first_hours)
        usual = np.where(is_known, usual, 0)
        parts = np.full(len(usual), 2, np.int64)
    earliest = int(ends.begins[chosen].min())
    before = lengths.before(earliest)
    return Windows(
        end=latest,
        spent=ends.own[chosen],
        usual=usual,
        parts=parts,
        highest=highest_windows(totals[before.start - span.start : before.end - span.start + 1], lengths.window),
        known_for=before.end - np.maximum(first_hours, before.start),
        is_lower=np.zeros(len(chosen), np.bool_),
        is_upper=np.ones(len(chosen), np.bool_),
        is_billed=False,
    )


def double_usual(
    totals: "NDArray[np.int64]",
    first: int,
    ends: "NDArray[np.int64]",
    lengths: Lengths,
    first_hours: "NDArray[np.int64]",
) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """
    Return twice the median of the same hours, so that the middle of an even number of windows is exact.

    Args:
        totals: Running totals in 1e-10 USD, a row for each hour, a column for each group.
        first: The hour of the first row; no later than the baseline of any window.
        ends: The hours at which windows end.
        first_hours: The first hour of each group that held spend; windows before it say nothing about the group.

    Returns:
        The doubled median in 1e-10 USD by window and group, and whether there is one.
    """

    def sums_of(shifts: "NDArray[np.int64]") -> "NDArray[np.int64]":
        rows = ends - shifts[:, None] - first
        sums: NDArray[np.int64] = totals[rows] - totals[rows - lengths.window]
        return sums

    return double_median_of(sums_of, lengths, (ends - lengths.window)[:, None], first_hours[None, :])


def double_median_of(
    sums_of: "Callable[[NDArray[np.int64]], NDArray[np.int64]]",
    lengths: Lengths,
    starts: "NDArray[np.int64]",
    first_hours: "NDArray[np.int64]",
) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """
    Return the same as `double_usual`, given a function for the spend in earlier windows.

    Args:
        sums_of: Returns, by shift, what was spent in each window that many hours before, in 1e-10 USD.
        starts: When the windows begin.
        first_hours: As for `double_usual`; broadcast with *starts* it has the shape of the result.
    """
    # A short baseline does not reach back two weeks, however long the group has spent.
    known = np.minimum(starts - first_hours, lengths.baseline)
    is_by_week = known >= _WEEKS_TO_KNOW * HOURS_PER_WEEK
    doubled, is_known = np.zeros(known.shape, np.int64), np.zeros(known.shape, np.bool_)
    for step, these in ((HOURS_PER_WEEK, is_by_week), (HOURS_PER_DAY, ~is_by_week)):
        shifts = lengths.shifts(step)
        if not len(shifts) or not these.any():
            continue
        # The newest windows come first: those before a group's first hour are cut off at the end.
        counts = (shifts[:, None] <= (starts - first_hours)[these]).sum(axis=0)
        doubled[these] = _double_medians(sums_of(shifts)[:, these], counts)
        is_known[these] = counts > 0
    return doubled, is_known


def _double_medians(values: "NDArray[np.int64]", counts: "NDArray[np.intp]") -> "NDArray[np.int64]":
    """Return twice the median of the first *counts* values of each column, 0 if there are none."""
    rows = np.arange(len(values))[:, None]
    ordered = np.sort(np.where(rows < counts, values, np.iinfo(np.int64).max), axis=0)
    low, high = np.maximum(counts - 1, 0) // 2, counts // 2
    columns = np.arange(values.shape[1])
    return np.where(counts > 0, ordered[low, columns] + ordered[np.minimum(high, len(values) - 1), columns], 0)


def highest_windows(totals: "NDArray[np.int64]", length: int) -> "NDArray[np.int64]":
    """
    Return the most that each group spent in any window of *length*, in 1e-10 USD; 0 if the baseline is shorter.

    Args:
        totals: Running totals at each hour of the baseline and at its end, a column for each group.
        length: Hours.
    """
    if len(totals) <= length:
        return np.zeros(totals.shape[1], np.int64)
    highest: NDArray[np.int64] = (totals[length:] - totals[:-length]).max(axis=0)
    return highest
