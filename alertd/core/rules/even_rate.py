"""
How fast a budget is spent: what rolling windows hold, against an even spread of the amount over the period.

It needs no history and no part of the period to be over. Windows may reach into the period before, and end where the
bills do, from both ends.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Annotated

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, whole_hours
from alertd.core.key import Key
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.rules.facts import Facts
from alertd.core.rules.rule import Problem, hourly_problems
from alertd.core.severity import Severity
from alertd.core.spend.data_state import Gap
from alertd.core.spend.edges import Edges
from alertd.core.spend.ends import GroupEnds, TwoEnds, two_ends
from alertd.core.spend.planned import Allowances

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOWS = 2
_NEARLY = 1 - 1e-9
"""Floats are compared with so much room; what passes is compared exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """How many times the even rate must be spent in each of two windows."""

    rate: Annotated[
        Fraction,
        Key("How many times the even rate.", example=10, at_least=Fraction(1, 10), at_most=Fraction(10_000)),
    ]
    windows: Annotated[
        tuple[timedelta, ...],
        Key(
            "Two windows of whole hours, each of which must hold so much: a long one for weight, a short one so that "
            "it ends soon.",
            example=["6h", "1h"],
            at_least=timedelta(hours=1),
            at_most=timedelta(days=92),
            count=_WINDOWS,
        ),
    ]


def burn_problems(burn: Mapping[Severity, Burn]) -> Iterator[Problem]:
    """Yield what is wrong with windows, and severities that would never be seen beside worse ones."""
    for severity, one in burn.items():
        way, name = ("burn", severity.label, "windows"), f"burn.{severity.label}.windows"
        if len(set(one.windows)) != _WINDOWS or len(one.windows) != _WINDOWS:
            yield way, f"{name}: write two different windows, e.g. windows: [6h, 1h]"
        yield from ((way, f"{name}: {text}") for window in one.windows for _, text in hourly_problems(name, window))
    for (mild, low), (bad, high) in combinations(sorted(burn.items()), 2):
        if set(low.windows) == set(high.windows) and not low.rate < high.rate:
            text = f"the rate of {bad.label} must be above that of {mild.label}, or it would never be seen"
            yield "burn", f"burn: {text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRate:
    """What a group spent in one window, against an even spread of its amount."""

    window: timedelta
    spent: Usd
    planned: Usd
    """What of it was planned: that does not count."""
    even: Fraction
    """What an even spread of the amount allows for the window, in 1e-10 USD; above 0."""

    @property
    def times(self) -> Fraction:
        """How many times the even rate was spent unplanned."""
        return (self.spent - self.planned) / self.even


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast one group spends, by window."""

    at_least: Mapping[timedelta, WindowRate] = field(default_factory=dict)
    about: Mapping[timedelta, WindowRate] = field(default_factory=dict)
    lasting: Mapping[timedelta, WindowRate] = field(default_factory=dict)
    """What a severity is left by."""
    gaps: tuple[Gap, ...] = ()
    """What is not known of these windows."""

    @property
    def as_expected(self) -> "Rates":
        """Return the rates by which a severity is left: once everything is billed."""
        return Rates(at_least=self.lasting, about=self.lasting, lasting=self.lasting, gaps=self.gaps)

    @property
    def is_lagging(self) -> bool:
        """Whether something is not billed yet."""
        return self.at_least != self.about

    def measures(self, burn: Mapping[Severity, Burn]) -> dict[Severity, Fraction]:
        """Return what each severity compares: the slower of its two windows."""
        if not self.at_least:
            return {}
        return {severity: min(self.at_least[window].times for window in one.windows) for severity, one in burn.items()}


NO_RATES = Rates()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RateScene:
    """What all groups of one rule spent in its windows at one moment."""

    ends: Mapping[timedelta, TwoEnds]
    gaps: tuple[Gap, ...]
    allowances: Callable[[HourRange], Allowances]
    """What is planned of a window."""
    _known: dict[HourRange, Allowances] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        burn: Mapping[Severity, Burn],
        facts: Facts,
        edges: Edges,
        *,
        metric: str,
        categories: Collection[tuple[str, str]],
        allowances: Callable[[HourRange], Allowances],
    ) -> "RateScene":
        """
        Sum up every window.

        Args:
            edges: Of the groups without what is paid for a fixed term: a price is no rate.
        """
        windows = sorted({window for one in burn.values() for window in one.windows})
        ends = {
            window: two_ends(facts.spend, facts.data, metric, edges, length=whole_hours(window)) for window in windows
        }
        first = edges.first - whole_hours(windows[-1])
        gaps = facts.data.gaps(tuple(categories), HourRange(first, edges.latest))
        return cls(ends=ends, gaps=gaps, allowances=allowances)

    def rates(self, group: Labels, budget: Usd, hours: int) -> Rates:
        """
        Return how fast a group spends.

        Args:
            budget: Its amount.
            hours: Of the period that this is for.
        """
        each = {window: ends.of(group) for window, ends in self.ends.items()}
        planned = {window: self._planned(group, found) for window, found in each.items()}

        def rate(window: timedelta, spent: Usd) -> WindowRate:
            amount, _ = planned[window]
            even = Fraction(budget * whole_hours(window), hours)
            return WindowRate(window=window, spent=spent, planned=Usd(min(amount, max(spent, 0))), even=even)

        return Rates(
            at_least={window: rate(window, found.at_least) for window, found in each.items()},
            about={window: rate(window, found.about) for window, found in each.items()},
            lasting={window: rate(window, found.lasting) for window, found in each.items()},
            gaps=tuple(dict.fromkeys((*self.gaps, *(gap for _, gaps in planned.values() for gap in gaps)))),
        )

    def _planned(self, group: Labels, found: GroupEnds) -> tuple[Usd, tuple[Gap, ...]]:
        if found.window not in self._known:
            self._known[found.window] = self.allowances(found.window)
        allowance = self._known[found.window].of(group, found.about)
        return allowance.amount, allowance.gaps

    def reaching(
        self, burn: Mapping[Severity, Burn], budgets: "Callable[[tuple[Labels, ...]], NDArray[np.float64]]", hours: int
    ) -> set[Labels]:
        """Return every group that may reach a rate, at the cost of a pass over arrays; and perhaps some more."""
        groups = next(iter(self.ends.values())).groups
        if not groups:
            return set()
        amounts, found = budgets(groups), np.zeros(len(groups), np.bool_)
        for one in burn.values():
            is_fast = np.ones(len(groups), np.bool_)
            for window in one.windows:
                least = amounts * float(one.rate * whole_hours(window) / hours)
                is_fast &= self.ends[window].at_least >= least * _NEARLY
            found |= is_fast
        return {groups[number] for number in np.flatnonzero(found).tolist()}
