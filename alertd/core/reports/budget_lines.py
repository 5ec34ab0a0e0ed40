"""
The most important budgets, in a bounded number, since there may be a hundred thousand owners.

It ranks and chooses; `standing` computes a budget's figures.
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
"""Maximum groups per rule: as many as a person can read."""
MOST_OF_ALL = 500
"""Maximum groups of all rules together, so that the page stays small."""
MOST_RANKED = 60
"""Maximum number of groups ranked across all rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetFigures:
    """The state of one group's budget."""

    rule: str
    of_group: GroupStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLine:
    """A group's budget, or those of all smaller groups together. Amounts in 1e-10 USD."""

    group: Labels | None
    """None for the smaller groups together."""
    budget: Usd
    spent: Usd
    forecast: Forecast | None
    """None if not completely known; without a range for several groups, because ranges do not add up."""
    rates: tuple[tuple[str, Fraction], ...] = ()
    """Multiple of the even rate by window; empty for several groups together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBudgets:
    """The budgets of one rule, with at least one line."""

    rule: str
    lines: tuple[BudgetLine, ...]
    """The largest spent share first, the smaller groups together last."""
    elapsed: Fraction
    """The elapsed share of the period."""
    is_complete: bool
    """Whether nothing of the period up to the edge is missing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RankedBudgets:
    """The state of all budgets' groups."""

    grounds: tuple[tuple[str, Ground | None], ...] = ()
    """The data behind it, by rule; None if it cannot be computed."""
    figures: tuple[BudgetFigures, ...] = ()
    """Groups with the largest spent share, that first; at most `MOST_RANKED`."""
    count: int = 0
    """The total number of groups."""
    rules: tuple[RuleBudgets, ...] = ()
    """By name."""

    def are_of(self, grounds: tuple[tuple[str, Ground | None], ...]) -> bool:
        """Return whether nothing has changed since."""
        return len(grounds) == len(self.grounds) and all(
            one[0] == other[0] and one[1] is other[1] for one, other in zip(grounds, self.grounds, strict=True)
        )


NO_BUDGETS = RankedBudgets()


def most_groups(rules: int) -> int:
    """Return how many groups of each rule get separate lines, given the number of rules with groups."""
    return max(1, min(MOST_OF_RULE, MOST_OF_ALL // max(1, rules)))


def ranked_budgets(facts: Facts, rules: Iterable[Rule], *, before: RankedBudgets = NO_BUDGETS) -> RankedBudgets:
    """
    Return the state of the enabled budgets' groups.

    Args:
        before: The previous result, returned again if no budget has changed.
    """
    budgets = [rule for rule in rules if isinstance(rule, BudgetRule) and rule.enabled]
    # A rule that cannot be computed has its own alert; the others are shown.
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
    """Return the groups with the largest share, across all rules."""
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
