"""In which hours a budget has to be judged: bounds of everything that can reach one of its limits."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property, partial
from math import ceil
from typing import TYPE_CHECKING, Self

from alertd.core.arrays import distinct, np
from alertd.core.calendar import CalendarPeriod
from alertd.core.calendar import period_of as calendar_period
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HOURS_PER_DAY, HourRange, HourSet, whole_hours
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd
from alertd.core.rules.budget_amount import Moving, PeriodAmounts, names_of_singles
from alertd.core.rules.budget_keys import BudgetKeys
from alertd.core.rules.screen import Course, Screen, beginnings, hours_that_see
from alertd.core.rules.standing import LEAST_SHARE
from alertd.core.severity import Severity
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.core.spend.forecast import HISTORY_DAYS
from alertd.core.spend.forecast_ahead import ForecastsAhead
from alertd.core.spend.foreseen import Foreseen
from alertd.core.spend.lists import View
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stretch import Stretch, last_of, of_both, sums_over

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Floats = NDArray[np.float64]
    Sums = NDArray[np.int64]
    BySeverity = dict[Severity, Flags]

_SLACK = 1e-9
"""Relative tolerance of comparisons between floats."""


@dataclass(frozen=True, kw_only=True)
class ScreenedBudget(BudgetKeys):
    """A budget that can tell in which hours nothing may happen."""

    def screen(self, stretch: Stretch) -> Screen | None:
        """Return in which hours a limit may be reached, or an alert may change; None if amounts vary."""
        if self.amount is Moving.LAST_PERIOD or self.amounts_by_period or (self.forecast and stretch.has_terms):
            return None
        ahead = _Ahead.of(self, stretch)
        return Screen(
            stretch=stretch, query=ahead.query, may_begin=beginnings(ahead.may_begin()), course_of=ahead.course_of
        )

    def period_of(self, hour: int) -> CalendarPeriod:
        """Return the period that an hour belongs to."""
        return calendar_period(hour, self.period, self.timezone, self.starts_on)

    def query_of(self, stretch: Stretch) -> SpendQuery:
        """Return what the rule sums."""
        return self._query(stretch.data)

    @cached_property
    def hourly(self) -> Self:
        """The rule without subscriptions, unless it names them: the price of a fixed term has no rate."""
        if SUBSCRIPTION in self.category.texts or self.view is not View.USAGE:
            return self
        return replace(self, category=Patterns((*self.category.texts, f"!{SUBSCRIPTION}")))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ahead:
    """The bounds of one budget in a stretch."""

    rule: ScreenedBudget
    stretch: Stretch
    query: SpendQuery
    hourly: SpendQuery
    """The query of what has a rate."""
    budgets: list[Usd]
    """By number of the group."""
    starts: "Sums"
    """When the period begins to which each of the stretch's ends belongs."""
    ends: "Sums"
    """When it ends."""
    unsure: "Flags"
    """Hours in which every open alert must be judged, because data is missing or the period changes."""
    forecasts: ForecastsAhead | None

    @classmethod
    def of(cls, rule: ScreenedBudget, stretch: Stretch) -> "_Ahead":
        query, hours = rule.query_of(stretch), stretch.hours
        # An edge at the end of a period still belongs to it, not to the next one.
        periods = [rule.period_of(hour - 1).hours for hour in stretch.ends.tolist()]
        starts, ends = (np.array(each, np.int64) for each in zip(*((p.start, p.end) for p in periods), strict=True))
        assert not isinstance(rule.amount, Moving)
        amounts = PeriodAmounts(
            shared=rule.amount, singles=rule.amounts, named_by=names_of_singles(rule.group_by), owners=stretch.owners
        )
        missing = stretch.missing(rule.categories(stretch.data))
        turns = HourSet.of(HourRange(start, start + 1) for start in distinct(starts).tolist())
        reach = stretch.ends - starts + (HISTORY_DAYS * HOURS_PER_DAY if rule.forecast else 0)
        windows = (whole_hours(window) for one in rule.burn.values() for window in one.windows)
        longest = np.maximum(last_of(reach, stretch.behind, np.maximum), max(windows, default=0))
        unsure = hours_that_see(missing, hours, longest + stretch.behind)
        forecasts = None
        if rule.forecast:
            foreseen = Foreseen.of(stretch, query, rule.metric)
            places = np.clip(foreseen.latest - stretch.first_end, 0, len(starts) - 1)
            forecasts = ForecastsAhead(
                foreseen=foreseen,
                starts=starts[places],
                ends=ends[places],
                min_history=whole_hours(rule.min_history),
            )
        return cls(
            rule=rule,
            stretch=stretch,
            query=query,
            hourly=rule.hourly.query_of(stretch),
            budgets=[amounts.of(group) or Usd(1) for group in stretch.view.numbers(query)],
            starts=starts,
            ends=ends,
            unsure=unsure | hours_that_see(turns, hours, stretch.behind),
            forecasts=forecasts,
        )

    def may_begin(self) -> "Flags":
        """Return in which hours groups may reach a severity."""
        rule, stretch, budgets = self.rule, self.stretch, np.array(self.budgets, np.float64)
        found = np.zeros((len(stretch.hours), len(budgets)), np.bool_)
        if rule.thresholds or rule.pace:
            hours, spent = self._spent
            most = stretch.highest(of_both(stretch.whole_totals(self.query, rule.metric, hours), spent))
            if rule.thresholds:
                share = min(rule.thresholds.values())
                found |= most >= np.array([ceil(share * budget) for budget in self.budgets], np.int64)
            if rule.pace:
                line = self._earliest_pace * float(min(rule.pace.values()))
                found |= most >= line[:, None] * budgets * (1 - _SLACK)
        for one in rule.burn.values():
            is_fast = np.ones(found.shape, np.bool_)
            for window in map(whole_hours, one.windows):
                hours = np.arange(stretch.first_end - window, stretch.hours.end)
                parts = stretch.whole_totals(self.hourly, rule.metric, hours)
                most = stretch.highest(of_both(parts, partial(sums_over, length=window)))
                line = float(one.rate * window) / last_of(self.ends - self.starts, stretch.behind, np.maximum)
                is_fast &= self._placed(most) >= line[:, None] * budgets * (1 - _SLACK)
            found |= is_fast
        if self.forecasts is not None:
            limits = budgets * float(min(rule.forecast.values()))
            found |= self.forecasts.may_reach(limits, stretch.with_credit(self.query))
        return found

    def course_of(self, number: int) -> Course | None:
        """Return the course of a group, given by number."""
        rule, stretch, budget = self.rule, self.stretch, self.budgets[number]
        hours, spent = self._spent
        each = spent(stretch.totals(self.query, rule.metric, hours, np.array([number])))
        try:
            low, high = stretch.at_edge(self.query, rule.metric, each)
            criteria = [
                *self._spend(each, budget),
                *(self._rates(self._group(number), budget) if rule.burn else ()),
                *(self._forecast(number, budget) if self.forecasts is not None else ()),
            ]
        except LookupError:
            return None
        is_sure = ~self.unsure
        if stretch.is_daily(self.query)[number]:
            # Rows longer than an hour change the value when they arrive.
            is_sure &= ~stretch.arrivals
        nothing = np.zeros(len(stretch.hours), np.bool_)
        may_reach, holds = (dict.fromkeys(Severity, nothing) for _ in range(2))
        for severity, reached, held in criteria:
            may_reach[severity] = may_reach[severity] | reached
            holds[severity] = holds[severity] | (held & is_sure)
        return Course(
            low=low[:, 0],
            high=high[:, 0],
            may_reach=may_reach,
            holds=holds,
            # Shares are rounded down.
            beyond=lambda peak: ceil((Fraction(peak) + LEAST_SHARE) * budget),
        )

    def _spend(self, each: "Sums", budget: Usd) -> "Iterator[tuple[Severity, Flags, Flags]]":
        """Yield each severity with the hours in which share or pace may reach it, and in which they certainly hold."""
        rule = self.rule
        flags = [
            (severity, each >= ceil(share * budget), each >= ceil(share * rule.resolve_below * budget))
            for severity, share in rule.thresholds.items()
        ]
        for severity, limit in rule.pace.items():
            line = self._paced[:, None] * float(limit * budget)
            is_held = each >= line * float(rule.resolve_below) * (1 + _SLACK)
            flags.append((severity, each >= line * (1 - _SLACK), is_held))
        for severity, reached, held in flags:
            yield severity, self._at_edge(self.query, reached)[1], self._at_edge(self.query, held)[0]

    def _rates(self, group: Labels, budget: Usd) -> "Iterator[tuple[Severity, Flags, Flags]]":
        """Yield the same for the spend of the last windows."""
        rule, stretch = self.rule, self.stretch
        number = stretch.view.numbers(self.hourly)[group]
        is_daily = stretch.is_daily(self.hourly)[number]
        for severity, one in rule.burn.items():
            reached, held = (np.ones(len(stretch.hours), np.bool_) for _ in range(2))
            for window in map(whole_hours, one.windows):
                hours = np.arange(stretch.first_end - window, stretch.hours.end)
                sums = sums_over(stretch.totals(self.hourly, rule.metric, hours, np.array([number])), window)
                line = (float(one.rate * window * budget) / (self.ends - self.starts))[:, None]
                is_high = sums >= line * (1 - _SLACK)
                reached &= (
                    last_of(is_high, stretch.behind, np.maximum) if is_daily else stretch.latest(is_high, np.maximum)
                )[:, 0]
                held &= self._at_edge(self.hourly, sums >= line * float(rule.resolve_below) * (1 + _SLACK))[0]
            yield severity, reached, held

    def _forecast(self, number: int, budget: Usd) -> "Iterator[tuple[Severity, Flags, Flags]]":
        """Yield the same for the forecast."""
        assert self.forecasts is not None
        is_sure, totals = self.forecasts.is_sure[:, number], self.forecasts.of_group(number)
        for severity, share in self.rule.forecast.items():
            line = float(share * budget)
            yield (
                severity,
                ~is_sure | (totals >= line * (1 - _SLACK)),
                is_sure & (totals >= line * float(self.rule.resolve_below) * (1 + _SLACK)),
            )

    def _at_edge(self, query: SpendQuery, flags: "Flags") -> "tuple[Flags, Flags]":
        """Return in which hours flags by end are certainly set, and in which they may be."""
        low, high = self.stretch.at_edge(query, self.rule.metric, flags)
        return low[:, 0], high[:, 0]

    def _group(self, number: int) -> Labels:
        return next(group for group, each in self.stretch.view.numbers(self.query).items() if each == number)

    def _placed(self, of_hourly: "Sums") -> "Sums":
        """Return sums by group of what has a rate, in the order of all groups; 0 for those without."""
        numbers = self.stretch.view.numbers(self.hourly)
        found = np.zeros((len(of_hourly), len(self.budgets)), np.int64)
        for group, number in self.stretch.view.numbers(self.query).items():
            if group in numbers:
                found[:, number] = of_hourly[:, numbers[group]]
        return found

    @property
    def _paced(self) -> "Floats":
        """The share of the period that is over at each end; infinite in the first tenth, when it is not judged."""
        elapsed = (self.stretch.ends - self.starts) / (self.ends - self.starts)
        return np.where((self.stretch.ends - self.starts) * 10 >= self.ends - self.starts, elapsed, np.inf)

    @property
    def _earliest_pace(self) -> "Floats":
        """The least of these shares among the edges that each hour may have."""
        paced = self._paced[:, None]
        try:
            low, _ = self.stretch.at_edge(self.query, self.rule.metric, paced)
        except LookupError:
            low = -last_of(-paced, self.stretch.behind, np.maximum)
        return low[:, 0]

    @property
    def _spent(self) -> "tuple[Sums, Callable[[Sums], Sums]]":
        """The hours whose totals are needed, and a function from these to what is spent at each end."""
        ends = self.stretch.ends
        hours, places = np.unique(np.concatenate((ends, self.starts)), return_inverse=True)

        def spent(totals: "Sums") -> "Sums":
            return totals[places[: len(ends)]] - totals[places[len(ends) :]]

        return hours, spent
