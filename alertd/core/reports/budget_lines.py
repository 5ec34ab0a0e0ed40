"""
The budgets that matter most, in a bounded number: where a line for each of a hundred thousand owners has no place.

It chooses and sums; what a budget's figures are is `standing`'s to say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.reports.figures import BudgetFigures
from alertd.core.rules.standing import Forecast, GroupStanding
from alertd.core.words import format_duration

MOST_OF_RULE = 50
"""Of one rule no more groups than a person can look through."""
MOST_OF_ALL = 500
"""Of all rules together, so that one page of them stays small however many rules have groups."""


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


def most_groups(rules: int) -> int:
    """Return how many groups of each rule have a line of their own where so many rules have any."""
    return max(1, min(MOST_OF_RULE, MOST_OF_ALL // max(1, rules)))


def budget_lines(budgets: Iterable[BudgetFigures]) -> tuple[RuleBudgets, ...]:
    """
    Return for every rule its groups of the largest share, one by one, and the others summed.

    Args:
        budgets: The largest spent share first.
    """
    of_rule: dict[str, list[GroupStanding]] = {}
    for figures in budgets:
        of_rule.setdefault(figures.rule, []).append(figures.of_group)
    most = most_groups(len(of_rule))
    return tuple(
        RuleBudgets(
            rule=rule,
            lines=(*map(_line, groups[:most]), *_rest(groups[most:])),
            elapsed=groups[0].standing.elapsed,
            is_complete=all(group.is_complete for group in groups),
        )
        for rule, groups in sorted(of_rule.items())
    )


def _line(of_group: GroupStanding) -> BudgetLine:
    standing = of_group.standing
    return BudgetLine(
        group=of_group.group,
        budget=standing.budget,
        spent=standing.spent,
        forecast=standing.forecast,
        rates=tuple((format_duration(window), each.times) for window, each in standing.rates.at_least.items()),
    )


def _rest(groups: Sequence[GroupStanding]) -> tuple[BudgetLine, ...]:
    if not groups:
        return ()
    standings = [group.standing for group in groups]
    forecasts = [standing.forecast for standing in standings if standing.forecast is not None]
    total = Forecast(total=Usd(sum(forecast.total for forecast in forecasts)), range=None)
    return (
        BudgetLine(
            group=None,
            budget=Usd(sum(standing.budget for standing in standings)),
            spent=Usd(sum(standing.spent for standing in standings)),
            forecast=total if len(forecasts) == len(groups) else None,
        ),
    )
