"""
The forecasts of many hours at once: which of them may exceed a limit, and what they are.

Most forecasts lie far below their limit. For those a bound that needs a few sums of whole days is enough; the others
are computed by `forecast` itself.
"""

from dataclasses import field
from typing import TYPE_CHECKING

from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY
from alertd.core.spend.forecast import (
    HISTORY_DAYS,
    MOST_DAYS,
    STEP,
    SpendHistory,
    expected_rest,
    known_hours,
)
from alertd.core.spend.foreseen import Foreseen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_BACK_HOURS = MOST_DAYS * HOURS_PER_DAY
"""How far back forecasts look."""
_AT_ONCE = 1 << 20
"""Number of sums that are examined together: 8 MiB."""
_SLACK = 1e-9
"""Relative tolerance of comparisons between floats."""
_UNITS = 1e3
"""Absolute tolerance, in 1e-10 USD: more than the rounding of all sums together."""
_WEEK_HOURS = 7 * HOURS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForecastsAhead:
    """The forecasts of a query's groups for the ends of their periods, in each hour of a stretch."""

    foreseen: Foreseen
    starts: "Ints"
    """When the period begins, by hour of the stretch."""
    ends: "Ints"
    """When it ends."""
    min_history: int
    """Hours after which a group has a forecast whatever the period; 0 for none."""
    _of_groups: "dict[int, Floats]" = field(default_factory=dict)
    _likely: set[int] = field(default_factory=set)
    """Groups that may reach their limit: theirs are worked out together."""

    @property
    def is_sure(self) -> "Flags":
        """For which hours and groups the forecast is certain: the group's edges lie in the period."""
        found: Flags = self.foreseen.is_sure & (self.foreseen.earliest >= self.starts[:, None])
        return found

    def may_reach(self, limits: "Floats", has_credit: "Flags") -> "Flags":
        """
        Return in which hours groups may have a forecast of at least their limit.

        Args:
            limits: By group, in 1e-10 USD.
            has_credit: Which groups have a credit.
        """
        is_sure = self.is_sure
        found = np.zeros_like(is_sure)
        hours = np.flatnonzero(self._may_forecast)
        step = max(1, _AT_ONCE // (16 * max(1, len(limits))))
        for first in range(0, len(hours), step):
            part = hours[first : first + step]
            found[part] = self._may_exceed(part, limits) | has_credit | ~is_sure[part]
        at, groups = np.nonzero(found & is_sure)
        reached = self.totals(at, groups) >= limits[groups] * (1 - _SLACK) - _UNITS
        found &= ~is_sure
        found[at[reached], groups[reached]] = True
        self._likely.update(distinct(groups[reached]).tolist())
        return found

    def of_group(self, number: int) -> "Floats":
        """Return the forecast total of a group in each hour, in 1e-10 USD; NaN without one, or an uncertain one."""
        if number not in self._of_groups:
            asked = np.array(sorted((self._likely | {number}) - self._of_groups.keys()))
            at, columns = np.nonzero(self.is_sure[:, asked])
            totals = np.full((len(self.starts), len(asked)), np.nan)
            totals[at, columns] = self.totals(at, asked[columns])
            self._of_groups.update(zip(asked.tolist(), totals.T, strict=True))
        return self._of_groups[number]

    def totals(self, at: "NDArray[np.intp]", groups: "NDArray[np.intp]") -> "Floats":
        """
        Return the forecast totals of certain pairs of an hour and a group, in 1e-10 USD; NaN for none.

        Args:
            at: Hours, counted from the stretch's first.
        """
        found = np.full(len(at), np.nan)
        edge = self.foreseen.latest[at]
        days = (edge - np.maximum(self.starts[at] - HISTORY_DAYS * HOURS_PER_DAY, edge - _BACK_HOURS)) // HOURS_PER_DAY
        for count in distinct(days).tolist():
            pairs = np.flatnonzero((days == count) & self._may_forecast[at])
            step = max(1, _AT_ONCE // (4 * count))
            for first in range(0, len(pairs), step):
                part = pairs[first : first + step]
                found[part] = self._totals(at[part], groups[part], count)
        return found

    @property
    def _may_forecast(self) -> "Flags":
        is_begun: Flags = (self.foreseen.latest - self.starts) * 10 >= self.ends - self.starts
        return np.ones(len(is_begun), np.bool_) if self.min_history else is_begun

    def _totals(self, at: "NDArray[np.intp]", groups: "NDArray[np.intp]", days: int) -> "Floats":
        edge, start, end = self.foreseen.latest[at], self.starts[at], self.ends[at]
        head = (end - edge) % HOURS_PER_DAY
        begins = edge - np.arange(days, 0, -1)[:, None] * HOURS_PER_DAY
        bounds = np.concatenate((np.stack((begins, begins + head), axis=1).reshape(2 * days, -1), edge[None]))
        parts = self.foreseen.parts(bounds, at, groups).astype(np.float64)
        last = self.foreseen.parts(edge - np.arange(HOURS_PER_DAY, -1, -1)[:, None], at, groups)
        history = SpendHistory(
            days=parts[::2] + parts[1::2], heads=parts[::2], hours=last.astype(np.float64), hours_left=end - edge
        )
        known = known_hours(history)
        is_enough = np.minimum(edge - start, known) * 10 >= end - start
        if self.min_history:
            is_enough |= known >= self.min_history
        spent = self.foreseen.parts(np.stack((start, edge)), at, groups)[0]
        return np.where(is_enough, spent + np.rint(expected_rest(history)), np.nan)

    def _may_exceed(self, at: "NDArray[np.intp]", limits: "Floats") -> "Flags":
        """
        Return which groups without credits may exceed their limits in some hours, by whole days alone.

        A typical week, times the ratio of the last week to it, costs as much as the last week. If spend has stepped to
        another level within that week, its days before the step are adjusted: a flat amount that is added is at most
        half of the week's spend; a factor may be large, but needs four days that exceed those of the week before.
        """
        edge, begun, ends = (each[at] for each in (self.foreseen.latest, self.starts, self.ends))

        def up_to(hours: "Ints") -> "Floats":
            return self.foreseen.up_to(hours, at).astype(np.float64)

        until = {day: up_to(edge - day * HOURS_PER_DAY) for day in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14)}
        week, fortnight = until[0] - until[7], until[0] - until[14]
        days = (edge - np.maximum(begun - HISTORY_DAYS * HOURS_PER_DAY, edge - _BACK_HOURS)) // HOURS_PER_DAY
        oldest = up_to(edge - days * HOURS_PER_DAY)
        is_old = until[11] > oldest
        pairs = [(until[day] - until[day + 1], until[day + 7] - until[day + 8]) for day in range(4)]
        rises = [now > STEP * then * (1 - _SLACK) - _UNITS for now, then in pairs]
        has_stepped = rises[0] | (pairs[0][0] * STEP < pairs[0][1] * (1 + _SLACK) + _UNITS)
        is_open = (np.logical_and.reduce(rises) | ~is_old) & (week > 0)
        left = (ends - edge)[:, None]
        weeks = left // _WEEK_HOURS + 1
        rest = weeks * np.where(has_stepped, 2.5 * week + fortnight, week)
        # Within the first week there is no step, and the days that are known stand for the others.
        is_young = until[7] <= oldest
        rest = np.where(is_young, weeks * 3.5 * week, rest)
        if self.min_history or (ends - begun).min() <= 2 * HOURS_PER_DAY * 10:
            # After less than two days the hourly rate continues.
            rest = np.where(is_young & (until[2] <= oldest), left * week, rest)
        spent = until[0] - up_to(begun)
        found: Flags = (spent + rest >= limits * (1 - _SLACK) - _UNITS * weeks) | (is_open & ~is_young)
        return found
