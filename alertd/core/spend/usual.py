"""
What is usual for a window of spend: what the same hours cost before, and the most that any hours of that length cost.

The same hours are those of the week, once two whole weeks of a group are known, before that those of the day; usual is
their median, which neither one dear week nor one idle week moves. It knows sums only: which hours are known, and
whether enough of them, is the rule's to judge.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOURS_PER_WEEK = 7 * HOURS_PER_DAY
_WEEKS_TO_KNOW = 2
"""With fewer whole weeks known, a group's hours are compared with those of the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """With which windows a window is compared."""

    window: int
    """How long each is, in hours."""
    length: int
    """Hours before the window that count."""

    def shifts(self, step: int) -> "NDArray[np.int64]":
        """Return how many hours before the window those lie that are whole multiples of *step* before, newest first."""
        # Of a window of several days only those that do not overlap it.
        return np.arange(-(-self.window // step) * step, self.length + 1, step)


def double_usual(
    totals: "NDArray[np.int64]",
    first: int,
    ends: "NDArray[np.int64]",
    baseline: Baseline,
    first_hours: "NDArray[np.int64]",
) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """
    Return twice the median of the same hours, so that the middle of an even number of windows is exact.

    Args:
        totals: Running totals in 1e-10 USD, a row for each hour, a column for each group.
        first: The hour of the first row; no later than the baseline of any window.
        ends: The hours at which windows end.
        first_hours: The first hour of each group that held spend; windows before it say nothing of the group.

    Returns:
        The doubled median in 1e-10 USD by window and group, and where there is one.
    """

    def sums_of(shifts: "NDArray[np.int64]") -> "NDArray[np.int64]":
        rows = ends - shifts[:, None] - first
        sums: NDArray[np.int64] = totals[rows] - totals[rows - baseline.window]
        return sums

    return double_median_of(sums_of, baseline, (ends - baseline.window)[:, None], first_hours[None, :])


def double_median_of(
    sums_of: "Callable[[NDArray[np.int64]], NDArray[np.int64]]",
    baseline: Baseline,
    starts: "NDArray[np.int64]",
    first_hours: "NDArray[np.int64]",
) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """
    Return the same as `double_usual`, by what was spent in the windows that lie some hours before.

    Args:
        sums_of: By shift what was spent in every window so many hours before, in 1e-10 USD.
        starts: When the windows begin.
        first_hours: Together with *starts* of the shape of what is returned.
    """
    # Whatever was spent before, a short baseline knows no two weeks.
    known = np.minimum(starts - first_hours, baseline.length)
    is_by_week = known >= _WEEKS_TO_KNOW * HOURS_PER_WEEK
    doubled, is_known = np.zeros(known.shape, np.int64), np.zeros(known.shape, np.bool_)
    for step, these in ((HOURS_PER_WEEK, is_by_week), (HOURS_PER_DAY, ~is_by_week)):
        shifts = baseline.shifts(step)
        if not len(shifts) or not these.any():
            continue
        # The newest windows come first: what lies before a group's first hour is left out at the end.
        counts = (shifts[:, None] <= (starts - first_hours)[these]).sum(axis=0)
        doubled[these] = _double_medians(sums_of(shifts)[:, these], counts)
        is_known[these] = counts > 0
    return doubled, is_known


def _double_medians(values: "NDArray[np.int64]", counts: "NDArray[np.intp]") -> "NDArray[np.int64]":
    """Return twice the median of the first *counts* values of each column, 0 where there are none."""
    rows = np.arange(len(values))[:, None]
    ordered = np.sort(np.where(rows < counts, values, np.iinfo(np.int64).max), axis=0)
    low, high = np.maximum(counts - 1, 0) // 2, counts // 2
    columns = np.arange(values.shape[1])
    return np.where(counts > 0, ordered[low, columns] + ordered[np.minimum(high, len(values) - 1), columns], 0)


def highest_windows(totals: "NDArray[np.int64]", length: int) -> "NDArray[np.int64]":
    """
    Return the most that each group spent in any window of a length, in 1e-10 USD; 0 where there is none so long.

    Args:
        totals: Running totals at each hour of the baseline and at its end, a column for each group.
        length: Hours.
    """
    if len(totals) <= length:
        return np.zeros(totals.shape[1], np.int64)
    highest: NDArray[np.int64] = (totals[length:] - totals[:-length]).max(axis=0)
    return highest
