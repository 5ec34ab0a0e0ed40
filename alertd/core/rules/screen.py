"""
The hours of a stretch in which a rule must be judged: those in which a group may begin to reach a severity, or an alert
may change.

A screen errs on one side only: in the hours that it skips, certainly nothing changes. What happens in the others is
decided by the rule's own evaluation.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from decimal import Decimal
from typing import TYPE_CHECKING

from alertd.core.alert import Alert, AlertState
from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, HourSet
from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD
from alertd.core.severity import Severity
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stretch import Stretch, last_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sums = NDArray[np.int64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """Bounds of what one group's evaluations give, with an element for each hour of a stretch."""

    low: "NDArray[np.int64] | NDArray[np.float64]"
    """The lower bound of the value, in the unit of `beyond`."""
    high: "NDArray[np.int64] | NDArray[np.float64]"
    """The upper bound."""
    may_reach: "Mapping[Severity, Flags]"
    """In which hours each severity may be reached."""
    holds: "Mapping[Severity, Flags]"
    """In which hours each severity certainly lasts, and all data is there."""
    beyond: Callable[[Decimal], float]
    """Returns the smallest value above an alert's worst value so far."""

    def next_change(self, first: int, severity: Severity, peak: Decimal) -> int:
        """
        Return the first hour from *first* on in which an alert may change its severity or exceed its worst value.

        Args:
            peak: The worst value so far.
        """
        is_steady = np.zeros(len(self.low) - first, np.bool_)
        for each, flags in self.holds.items():
            if each >= severity:
                is_steady |= flags[first:]
        for each, flags in self.may_reach.items():
            if each > severity:
                is_steady &= ~flags[first:]
        count = first_of(~is_steady)
        if not count:
            return first
        low, high = self.low[first : first + count], self.high[first : first + count]
        # An hour that is certainly lower than another is not the worst.
        return first + first_of(high >= max(self.beyond(peak), low.max().item()))


CourseOf = Callable[[int], Course | None]
"""Returns the course of a group, given by number; None if it must be judged in every hour."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Screen:
    """Which hours of a stretch a rule can skip."""

    stretch: Stretch
    query: SpendQuery
    may_begin: "tuple[NDArray[np.intp], NDArray[np.intp]] | None"
    """
    Ascending hours, counted from the first, in which a group may reach a severity; and the number of that group.

    None if only an evaluation can say.
    """
    course_of: CourseOf | None = None
    """None if alerts must be judged in every hour."""
    _courses: dict[tuple[int, int], Course | None] = field(default_factory=dict)
    """By version of the view and number of the group, of those with an open alert."""

    @property
    def hours(self) -> HourRange:
        """The hours of the stretch."""
        return self.stretch.hours

    @property
    def numbers(self) -> Mapping[Labels, int]:
        """The number of each group."""
        return self.stretch.view.numbers(self.query)

    def next_beginning(self, after: int, open_groups: Collection[Labels]) -> int:
        """Return the first hour later than *after* in which a group without an open alert may reach a severity."""
        if self.may_begin is None:
            return after + 1
        hours, groups = self.may_begin
        first = int(np.searchsorted(hours, after + 1 - self.hours.start))
        numbers = self.numbers
        opened = [number for group in open_groups if (number := numbers.get(group)) is not None]
        is_new = ~np.isin(groups[first:], opened)
        found = first + first_of(is_new)
        return self.hours.start + int(hours[found]) if found < len(hours) else self.hours.end

    def next_change(self, after: int, alert: Alert, peak: Decimal) -> int:
        """Return the first hour later than *after* in which an open alert must be judged again."""
        number, first = self.numbers.get(alert.group), after + 1 - self.hours.start
        # Only then does the alert depend on its value alone.
        is_steady = alert.state is AlertState.FIRING and alert.condition_ended_at is None and alert.is_complete
        if self.course_of is None or number is None or not is_steady or first >= len(self.hours):
            return after + 1
        # What arrives later than it ends changes a course.
        key = (self.stretch.view.version, number)
        if key not in self._courses:
            self._courses[key] = self.course_of(number)
        course = self._courses[key]
        return after + 1 if course is None else self.hours.start + course.next_change(first, alert.severity, peak)


def course_of_sums(
    stretch: Stretch,
    query: SpendQuery,
    metric: str,
    hours: "NDArray[np.int64]",
    values: "Callable[[Sums], Sums]",
    *,
    reach: Mapping[Severity, int],
    leave: Mapping[Severity, int],
    unsure: "Flags",
) -> CourseOf:
    """
    Return the courses of groups whose sum is compared with fixed lines.

    Args:
        hours: The hours whose totals make up the sum, ascending.
        values: Returns the sum at each of the stretch's `ends`, given these totals.
        reach: The value from which on each severity is reached, in 1e-10 USD.
        leave: The value below which each severity ends.
        unsure: Hours in which every open alert must be judged, because data is missing.
    """
    is_daily = stretch.is_daily(query)

    def course(number: int) -> Course | None:
        each = values(stretch.totals(query, metric, hours, np.array([number])))
        try:
            low, _ = stretch.at_edge(query, metric, each)
        except LookupError:
            return None
        high = last_of(each, stretch.behind, np.maximum) if is_daily[number] else stretch.latest(each, np.maximum)
        # Rows longer than an hour change the value when they arrive.
        is_sure = ~(unsure | stretch.arrivals if is_daily[number] else unsure)
        return Course(
            low=low[:, 0],
            high=high[:, 0],
            may_reach={severity: high[:, 0] >= line for severity, line in reach.items()},
            holds={severity: (low[:, 0] >= line) & is_sure for severity, line in leave.items()},
            beyond=lambda peak: int(peak * UNITS_PER_USD) + 1,
        )

    return course


def beginnings(is_possible: "NDArray[np.bool_]") -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """Return the hours and the groups whose flag is set, in order of the hours."""
    hours, groups = np.nonzero(is_possible)
    return hours, groups


def hours_that_see(missing: HourSet, hours: HourRange, reach: "int | NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Return which hours of a stretch have missing data in them or in the *reach* hours before, for all or for each."""
    found, each = np.zeros(len(hours), np.bool_), np.arange(hours.start, hours.end)
    for span in missing:
        found |= (span.start <= each) & (each < span.end + reach)
    return found


def first_of(flags: "NDArray[np.bool_]") -> int:
    """Return the index of the first flag that is set; the number of flags if none is."""
    found = int(flags.argmax()) if len(flags) else 0
    return found if len(flags) and flags[found] else len(flags)
