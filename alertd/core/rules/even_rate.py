"""
How fast a budget is spent: the spend in rolling windows, against an even spread of the amount over the period.

It needs no history and works from the period's first hour on. Windows may reach into the previous period and end at
the data edge; their sums are both what is billed at least and what is expected, see `spend.ends`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Annotated

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, whole_hours
from alertd.core.key import Key
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.rules.facts import Facts
from alertd.core.rules.rule import Problem, hourly_problems
from alertd.core.severity import Severity
from alertd.core.spend.data_state import Gap
from alertd.core.spend.edges import Edges
from alertd.core.spend.ends import TwoEnds, two_ends
from alertd.core.spend.planned import Allowances

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOWS = 2
_NEARLY = 1 - 1e-9
"""Margin of comparisons between floats; what passes is compared exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A multiple of the even rate that must be spent in each of two windows."""

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
    """Yield what is wrong with windows, and severities that a worse one would always hide."""
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

    spent: Usd
    about: Usd
    """What *spent* adds up to once everything is billed."""
    lasting: Usd
    """The spend by which a severity is left; never below *about*."""
    planned: Usd
    """How much of the spend was planned; it does not count."""
    even: Fraction
    """What an even spread of the amount allows for the window, in 1e-10 USD; above 0."""

    @property
    def times(self) -> Fraction:
        """The unplanned spend as a multiple of the even rate."""
        return (self.spent - min(self.planned, max(self.spent, 0))) / self.even


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast one group spends, by window."""

    windows: Mapping[timedelta, WindowRate] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    """What is missing in these windows."""

    @property
    def as_expected(self) -> "Rates":
        """The rates by which a severity is left: *lasting* takes the place of *spent*."""
        left = {window: replace(rate, spent=rate.lasting) for window, rate in self.windows.items()}
        return Rates(windows=left, gaps=self.gaps)

    @property
    def is_lagging(self) -> bool:
        """Whether some expected spend is not billed yet."""
        return any(rate.spent != rate.about for rate in self.windows.values())

    @property
    def is_held(self) -> bool:
        """Whether *lasting* is above *spent* in any window."""
        return any(rate.spent != rate.lasting for rate in self.windows.values())

    def measures(self, burn: Mapping[Severity, Burn]) -> dict[Severity, Fraction]:
        """Return what each severity compares with its limit: the lower rate of its two windows."""
        if not self.windows:
            return {}
        return {severity: min(self.windows[window].times for window in one.windows) for severity, one in burn.items()}


NO_RATES = Rates()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RateScene:
    """What all groups of one rule spent in its windows at one moment."""

    ends: Mapping[timedelta, TwoEnds]
    gaps: tuple[Gap, ...]
    allowances: Callable[[HourRange], Allowances]
    """Returns what is planned in a window."""
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
            edges: Those of the spend without subscriptions: the price of a fixed term has no rate.
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
            budget: The group's amount for the period.
            hours: Number of hours in the period.
        """
        rates, gaps = {}, list(self.gaps)
        for window, ends in self.ends.items():
            found = ends.of(group)
            if found.window not in self._known:
                self._known[found.window] = self.allowances(found.window)
            allowance = self._known[found.window].of(group, found.about)
            gaps += allowance.gaps
            rates[window] = WindowRate(
                spent=found.at_least,
                about=found.about,
                lasting=found.lasting,
                planned=allowance.amount,
                even=Fraction(budget * whole_hours(window), hours),
            )
        return Rates(windows=rates, gaps=tuple(dict.fromkeys(gaps)))

    def reaching(
        self, burn: Mapping[Severity, Burn], budgets: "Callable[[tuple[Labels, ...]], NDArray[np.float64]]", hours: int
    ) -> set[Labels]:
        """Return every group that may reach a rate, and possibly others, in one pass over arrays."""
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
