"""
What is usual for a window of spend: what the same hours cost before, and the most that any hours of that length cost.

The same hours are those of the week, once two whole weeks of a group are known, before that those of the day; usual is
their median, which neither one dear week nor one idle week moves. It knows sums only: which hours are known, and
whether enough of them, is the rule's to judge.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOURS_PER_WEEK = 7 * HOURS_PER_DAY
_WEEKS_TO_KNOW = 2
"""With fewer whole weeks known, a group's hours are compared with those of the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The windows with which one window is compared; hours since 1970."""

    window: HourRange
    length: int
    """Hours before the window that count."""

    @property
    def hours(self) -> HourRange:
        """The hours before the window that count."""
        return HourRange(self.window.start - self.length, self.window.start)

    def same(self, step: int) -> tuple[HourRange, ...]:
        """Return the windows at whole multiples of *step* hours before this one that lie within the baseline."""
        return _same(self.window, self.length, step)

    @property
    def by_week(self) -> tuple[HourRange, ...]:
        """The same hours of the weeks before."""
        return self.same(HOURS_PER_WEEK)

    @property
    def by_day(self) -> tuple[HourRange, ...]:
        """The same hours of the days before; of a window of several days, those that do not overlap it."""
        return self.same(HOURS_PER_DAY)

    @property
    def bounds(self) -> tuple[int, ...]:
        """The hours at which running totals are needed for `double_usual`, in rising order."""
        windows = (*self.by_week, *self.by_day)
        return tuple(sorted({hour for window in windows for hour in (window.start, window.end)}))


@lru_cache(maxsize=256)
def _same(window: HourRange, length: int, step: int) -> tuple[HourRange, ...]:
    # Every rule of the same window asks, several times in each hour.
    oldest = window.start - length
    shifts = range(step, length + step, step)
    return tuple(
        HourRange(window.start - shift, window.end - shift)
        for shift in shifts
        if oldest <= window.start - shift and window.end - shift <= window.start
    )


def double_usual(
    totals: "NDArray[np.int64]", baseline: Baseline, first_hours: "NDArray[np.int64]"
) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """
    Return twice the median of the same hours, so that the middle of an even number of windows is exact.

    Args:
        totals: Running totals in 1e-10 USD at `baseline.bounds`, a row each, a column for each group.
        first_hours: The first hour of each group that held spend; windows before it say nothing of the group.

    Returns:
        The doubled median of each group in 1e-10 USD, and for which groups there is one.
    """
    row = {hour: number for number, hour in enumerate(baseline.bounds)}
    return double_median_of(lambda window: totals[row[window.end]] - totals[row[window.start]], baseline, first_hours)


def double_median_of(
    sums_of: "Callable[[HourRange], NDArray[np.int64]]", baseline: Baseline, first_hours: "NDArray[np.int64]"
) -> "tuple[NDArray[np.int64], NDArray[np.bool_]]":
    """
    Return the same as `double_usual`, by what each group spent in each of the windows.

    Args:
        sums_of: Of a window of `by_week` or `by_day`, in 1e-10 USD.
        first_hours: As for `double_usual`.
    """
    # Whatever was spent before, a short baseline knows no two weeks.
    known = np.minimum(baseline.window.start - first_hours, baseline.length)
    is_by_week = known >= _WEEKS_TO_KNOW * HOURS_PER_WEEK
    doubled = np.zeros(len(first_hours), np.int64)
    is_known = np.zeros(len(first_hours), np.bool_)
    for windows, these in ((baseline.by_week, is_by_week), (baseline.by_day, ~is_by_week)):
        if not windows or not these.any():
            continue
        sums = np.stack([sums_of(window)[these] for window in windows])
        starts = np.array([window.start for window in windows])
        counts = (starts[:, None] >= first_hours[these]).sum(axis=0)
        # The newest windows come first: what lies before a group's first hour is left out at the end.
        doubled[these] = _double_medians(sums, counts)
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
