"""
The hours of a stretch in which a rule must be judged: those in which a group may begin to reach a severity, or an alert
may change.

A screen errs on one side only: in the hours that it skips, certainly nothing changes. What happens in the others is
decided by the rule's own evaluation.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from alertd.core.alert import Alert, AlertState
from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, HourSet
from alertd.core.labels import Labels
from alertd.core.severity import Severity
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stretch import Stretch, last_of, of_both

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sums = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The limits that one group's value is compared with, in 1e-10 USD."""

    reach: Mapping[Severity, int]
    """The value from which on each severity is reached."""
    leave: Mapping[Severity, int]
    """The value below which each severity ends."""
    beyond: Callable[[Decimal], int]
    """Returns the smallest value above an alert's worst value so far."""

    def next_change(
        self, low: "NDArray[np.int64]", high: "NDArray[np.int64]", severity: Severity, peak: Decimal
    ) -> int:
        """
        Return the index of the first hour in which an alert may change its severity or exceed its worst value.

        Args:
            low: The lower bound of the value in each hour.
            high: The upper bound.
            peak: The worst value so far.
        """
        leave = self.leave.get(severity)
        if leave is None:
            return 0
        is_open = low < leave
        above = min((line for other, line in self.reach.items() if other > severity), default=None)
        if above is not None:
            is_open |= high >= above
        count = first_of(is_open)
        if not count:
            return 0
        # An hour that is certainly lower than another is not the worst.
        return first_of(high[:count] >= max(self.beyond(peak), int(low[:count].max())))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screen:
    """Which hours of a stretch a rule can skip."""

    hours: HourRange
    numbers: Mapping[Labels, int]
    """The number of each group."""
    may_begin: "tuple[NDArray[np.intp], NDArray[np.intp]] | None"
    """
    Ascending hours, counted from the first, in which a group may reach a severity; and the number of that group.

    None if only an evaluation can say.
    """
    change: Callable[[Alert, int, int, Decimal], int] | None = None
    """
    Returns the first hour, counted from the stretch's first, in which a firing alert must be judged again.

    Takes the alert, its group's number, the first hour to consider and the worst value so far. None if alerts must be
    judged in every hour.
    """

    def next_beginning(self, after: int, open_groups: Collection[Labels]) -> int:
        """Return the first hour later than *after* in which a group without an open alert may reach a severity."""
        if self.may_begin is None:
            return after + 1
        hours, groups = self.may_begin
        first = int(np.searchsorted(hours, after + 1 - self.hours.start))
        opened = [number for group in open_groups if (number := self.numbers.get(group)) is not None]
        is_new = ~np.isin(groups[first:], opened)
        found = first + first_of(is_new)
        return self.hours.start + int(hours[found]) if found < len(hours) else self.hours.end

    def next_change(self, after: int, alert: Alert, peak: Decimal) -> int:
        """Return the first hour later than *after* in which an open alert must be judged again."""
        number, first = self.numbers.get(alert.group), after + 1 - self.hours.start
        # Only then does the alert depend on its value alone.
        is_steady = alert.state is AlertState.FIRING and alert.condition_ended_at is None and alert.is_complete
        if self.change is None or number is None or not is_steady or first >= len(self.hours):
            return after + 1
        return self.hours.start + self.change(alert, number, first, peak)


def screen_of(
    stretch: Stretch,
    query: SpendQuery,
    metric: str,
    hours: "NDArray[np.int64]",
    values: "Callable[[Sums], Sums]",
    *,
    least: "int | NDArray[np.int64] | None",
    lines_of: Callable[[int], Lines],
    unsure: "NDArray[np.bool_]",
    is_at_edge: bool = False,
) -> Screen:
    """
    Return the screen of a rule that compares one sum of each group with fixed lines.

    Args:
        hours: The hours whose totals make up the sum, ascending.
        values: Returns the sum at each of the stretch's `ends`, given these totals.
        least: The sum that reaches a severity, by group or for all; None if there are other ways to reach one.
        lines_of: Returns the lines of a group.
        unsure: Hours in which every open alert must be judged, because data is missing or a period changes.
        is_at_edge: Whether the sum ends at the latest edge of all groups, not at one of the group's own.
    """
    is_daily = stretch.is_daily(query)

    def change(alert: Alert, number: int, first: int, peak: Decimal) -> int:
        each = values(stretch.totals(query, metric, hours, np.array([number])))
        try:
            low, high = stretch.at_edge(query, metric, each)
        except LookupError:
            return first
        if not is_at_edge:
            high = last_of(each, stretch.behind, np.maximum) if is_daily[number] else stretch.latest(each, np.maximum)
        # Rows longer than an hour change the value when they arrive.
        stops = unsure | stretch.arrivals if is_daily[number] else unsure
        end = first + first_of(stops[first:])
        return first + lines_of(number).next_change(low[first:end, 0], high[first:end, 0], alert.severity, peak)

    is_reached = None
    if least is not None:
        is_reached = stretch.highest(of_both(stretch.whole_totals(query, metric, hours), values)) >= least
    return Screen(
        hours=stretch.hours,
        numbers=stretch.view.numbers(query),
        may_begin=beginnings(is_reached) if is_reached is not None else None,
        change=change,
    )


def beginnings(is_possible: "NDArray[np.bool_]") -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """Return the hours and the groups whose flag is set, in order of the hours."""
    hours, groups = np.nonzero(is_possible)
    return hours, groups


def hours_that_see(missing: HourSet, hours: HourRange, reach: int) -> "NDArray[np.bool_]":
    """Return which hours of a stretch have missing data in them or in the *reach* hours before."""
    found = np.zeros(len(hours), np.bool_)
    for span in missing:
        found[max(0, span.start - hours.start) : max(0, span.end + reach - hours.start)] = True
    return found


def first_of(flags: "NDArray[np.bool_]") -> int:
    """Return the index of the first flag that is set; the number of flags if none is."""
    found = int(flags.argmax()) if len(flags) else 0
    return found if len(flags) and flags[found] else len(flags)
