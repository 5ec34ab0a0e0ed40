"""
What groups spent in windows that end about now, each beside what is usual in its own hours.

Arrays for all groups at once; it knows sums only. What is too much, and whether enough is known, is the rule's to say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange
from alertd.core.labels import Labels
from alertd.core.spend.ends import TwoEnds
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.usual import Baseline, double_median_of, double_usual, highest_windows
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROUPS_AT_ONCE = 512
"""The running totals of every hour of a baseline are gathered for so many groups: 3 MB for 28 days."""
_ALWAYS = -(2**40)


class Compare(StrEnum):
    """With which windows a window is compared."""

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

    @property
    def same_hours(self) -> Baseline:
        """The windows of the same hours in the baseline."""
        return Baseline(window=self.window, length=self.baseline)

    def before(self, end: int) -> HourRange:
        """Return the baseline of the window that ends at an hour."""
        start = end - self.window
        if self.compare is Compare.PREVIOUS:
            return HourRange(start - self.windows * self.window, start)
        return HourRange(start - self.baseline, start)

    def needed(self, ends: TwoEnds) -> HourRange:
        """Return all hours that decide."""
        first = min(
            int(ends.begins.min(initial=ends.edges.latest)), int(ends.edges.edge.min(initial=ends.edges.latest))
        )
        return HourRange(self.before(first).start, ends.edges.latest)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """One window of each of some groups; 1e-10 USD."""

    end: int
    """The hour at which the window ends."""
    spent: "NDArray[np.int64]"
    usual: "NDArray[np.int64]"
    """So many times what is usual as `parts` says; 0 where nothing is, or too little is known."""
    parts: "NDArray[np.int64]"
    highest: "NDArray[np.int64]"
    """The most that any window of that length in the baseline cost."""
    known_for: "NDArray[np.int64]"
    """For how many hours before the window the group has spent, within the baseline."""
    is_lower: "NDArray[np.bool_]"
    """Whether the window counts for the lower end."""
    is_upper: "NDArray[np.bool_]"
    is_billed: bool = True
    """False where each stream is counted up to its own edge."""


def windows_of(
    view: SpendView, query: SpendQuery, metric: str, ends: TwoEnds, lengths: Lengths, groups: Sequence[int]
) -> "Iterator[tuple[NDArray[np.intp], list[Windows]]]":
    """
    Yield some groups at a time, by number, with each of their windows and what it is compared with.

    Args:
        groups: Their numbers, in the order of `ends`.
    """
    for at in range(0, len(groups), _GROUPS_AT_ONCE):
        chosen = np.array(groups[at : at + _GROUPS_AT_ONCE], np.intp)
        yield chosen, list(_windows(view, query, metric, ends, lengths, chosen))


def usual_at(
    view: SpendView, query: SpendQuery, metric: str, lengths: Lengths, end: int, group: Labels
) -> tuple[Fraction, int]:
    """Return what is usual for a group's window that ends at an hour, and its highest one before; in 1e-10 USD."""
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
    Return the windows of each group that end at some hours, beside their baselines.

    Args:
        totals: Running totals in 1e-10 USD at each hour of the span and at its end, which hold windows and baselines.
        first_hours: As `first_hours_of` says.
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
    """Return so many times what is usual, by window and group, and how many times of each group."""
    if lengths.compare is Compare.PREVIOUS:
        starts = ends - lengths.window - span.start
        found = totals[starts] - totals[starts - lengths.windows * lengths.window]
        return found, np.full(totals.shape[1], lengths.windows, np.int64)
    usual, is_known = double_usual(totals, span.start, ends, lengths.same_hours, first_hours)
    return np.where(is_known, usual, 0), np.full(totals.shape[1], 2, np.int64)


def first_hours_of(totals: "NDArray[np.int64]", span: HourRange) -> "NDArray[np.int64]":
    """Return the first hour of each group that held spend; one long ago where it spent before the span."""
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
    """Return the window of which each stream's part ends at its own edge, beside the same hours of each stream."""
    edges, latest = ends.edges, ends.edges.latest
    cells = edges.cells

    def sums(shifts: "NDArray[np.int64]", length: int) -> "NDArray[np.int64]":
        """Return by shift what the groups were billed in the hours that end so long before each stream's edge."""
        last = edges.edge - shifts[:, None]
        hours = np.unique(np.concatenate((last.ravel(), last.ravel() - length)))
        at = view.totals_at(cells, metric, hours)
        each = np.arange(len(cells))
        billed = at[np.searchsorted(hours, last), each] - at[np.searchsorted(hours, last - length), each]
        return cells.by_group(billed)[:, chosen]

    if lengths.compare is Compare.PREVIOUS:
        (usual,) = sums(np.array([lengths.window]), lengths.windows * lengths.window)
        parts = np.full(len(usual), lengths.windows, np.int64)
    else:
        starts = np.full(len(chosen), latest - lengths.window)
        usual, is_known = double_median_of(
            lambda shifts: sums(shifts, lengths.window), lengths.same_hours, starts, first_hours
        )
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
