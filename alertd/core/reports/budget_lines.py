"""
The budgets that matter most, in a bounded number: where a line for each of a hundred thousand owners has no place.

It ranks and chooses; what a budget's figures are is `standing`'s to say.
"""

from collections.abc import Iterable
from fractions import Fraction
from functools import partial

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.money import Usd, if_it_fits
from alertd.core.rules.base import Rule
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.facts import Facts
from alertd.core.rules.standing import Forecast, GroupStanding
from alertd.core.rules.standings import Rest, Standings, least_of
from alertd.core.rules.verdicts import Ground
from alertd.core.words import format_duration

MOST_OF_RULE = 50
"""Of one rule no more groups than a person can look through."""
MOST_OF_ALL = 500
"""Of all rules together, so that one page of them stays small however many rules have groups."""
MOST_RANKED = 60
"""So many are put in one order, whatever their rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFigures:
    """Where one group's budget stands."""

    rule: str
    of_group: GroupStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """A group's budget, or those of all the smaller groups together. Amounts in 1e-10 USD."""

    group: Labels | None
    """None for the rest."""
    budget: Usd
    spent: Usd
    forecast: Forecast | None
    """None where it is not known of the whole; that of several groups has no range, as ranges do not add up."""
    rates: tuple[tuple[str, Fraction], ...] = ()
    """By window how many times the even rate is spent; of several groups together none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBudgets:
    """The budgets of one rule; never without a line."""

    rule: str
    lines: tuple[BudgetLine, ...]
    """The largest spent share first, then the rest."""
    elapsed: Fraction
    """The share of the period that is over."""
    is_complete: bool
    """Nothing of the period up to the edge is missing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankedBudgets:
    """Where the groups of all budgets stand."""

    grounds: tuple[tuple[str, Ground | None], ...] = ()
    """By rule what all this rests on; None where it cannot be computed."""
    figures: tuple[BudgetFigures, ...] = ()
    """Those with the largest spent share, that first; at most `MOST_RANKED`."""
    count: int = 0
    """How many there are in all."""
    rules: tuple[RuleBudgets, ...] = ()
    """By name."""

    def are_of(self, grounds: tuple[tuple[str, Ground | None], ...]) -> bool:
        """Return whether nothing moved since."""
        return len(grounds) == len(self.grounds) and all(
            one[0] == other[0] and one[1] is other[1] for one, other in zip(grounds, self.grounds, strict=True)
        )


NO_BUDGETS = RankedBudgets()


def most_groups(rules: int) -> int:
    """Return how many groups of each rule have a line of their own where so many rules have any."""
    return max(1, min(MOST_OF_RULE, MOST_OF_ALL // max(1, rules)))


def ranked_budgets(facts: Facts, rules: Iterable[Rule], *, before: RankedBudgets = NO_BUDGETS) -> RankedBudgets:
    """
    Return where the groups of the enabled budgets stand.

    Args:
        before: Those of the last time: returned again where no budget moved.
    """
    budgets = [rule for rule in rules if isinstance(rule, BudgetRule) and rule.enabled]
    # A rule that cannot be computed has an alert of its own; the others are shown.
    grounds = tuple((rule.name, if_it_fits(partial(rule.stands_on, facts), None)) for rule in budgets)
    if before.grounds and before.are_of(grounds):
        return before
    found = {rule.name: if_it_fits(partial(rule.standings, facts), None) for rule in budgets}
    standings = {name: one for name, one in sorted(found.items()) if one is not None and len(one)}
    most = most_groups(len(standings))
    return RankedBudgets(
        grounds=grounds,
        figures=_ranked(standings),
        count=sum(map(len, standings.values())),
        rules=tuple(_lines(name, one, most) for name, one in standings.items()),
    )


def _ranked(of_rules: dict[str, Standings]) -> tuple[BudgetFigures, ...]:
    """Return the groups of the largest share, whatever their rule."""
    shares = np.concatenate([np.empty(0), *(one.shares for one in of_rules.values())])
    least = least_of(shares, MOST_RANKED)
    places = [(-rank, name, group) for name, one in of_rules.items() for rank, group in one.ranked(least)]
    chosen = [(name, group) for _, name, group in sorted(places)[:MOST_RANKED]]
    of_groups = {
        (name, each.group): each
        for name, one in of_rules.items()
        for each in one.of([group for rule, group in chosen if rule == name])
    }
    return tuple(BudgetFigures(rule=name, of_group=of_groups[name, group]) for name, group in chosen)


def _lines(rule: str, standings: Standings, most: int) -> RuleBudgets:
    named = standings.largest(most)
    groups, rest = standings.of(named), standings.rest(named)
    return RuleBudgets(
        rule=rule,
        lines=(*map(_line, groups), *((_rest(rest),) if rest is not None else ())),
        elapsed=groups[0].standing.elapsed,
        is_complete=standings.is_complete,
    )


def _line(of_group: GroupStanding) -> BudgetLine:
    standing = of_group.standing
    return BudgetLine(
        group=of_group.group,
        budget=standing.budget,
        spent=standing.spent,
        forecast=standing.forecast,
        rates=tuple((format_duration(window), each.times) for window, each in standing.rates.windows.items()),
    )


def _rest(rest: Rest) -> BudgetLine:
    return BudgetLine(group=None, budget=rest.budget, spent=rest.spent, forecast=rest.forecast)
