"""Which budgets have a line of their own: the largest shares, in a bounded number, and nothing lost from the sums."""

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from alertd.core.calendar import Period, period_of
from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.money import Usd
from alertd.core.reports.budget_lines import MOST_OF_ALL, MOST_OF_RULE, MOST_RANKED, most_groups, ranked_budgets
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.budget_amount import Moving
from alertd.core.rules.facts import Facts
from alertd.core.rules.standing import Forecast, rank_of
from tests.core.builders import RUNNING, WARNING, desk_with, row, stand, usd

MONTH = period_of(RUNNING, Period.MONTH, "UTC")
MONTHLY = BudgetRule(
    name="month", period=Period.MONTH, amount=usd("100"), group_by=("owner",), thresholds={WARNING: Share(Fraction(1))}
)
BUDGETS = [
    MONTHLY,
    replace(MONTHLY, name="single", amounts={"gpu-1": usd("7"), "gpu-2": usd("0.0000000001")}),
    replace(MONTHLY, name="category", group_by=("category",), amount=usd("33.3333333333")),
    replace(MONTHLY, name="all", group_by=()),
    replace(MONTHLY, name="last", amount=Moving.LAST_PERIOD, grow=Share(Fraction(11, 10))),
    replace(MONTHLY, name="day", period=Period.DAY, category=Patterns(("llm",))),
]


def made_facts(chance: random.Random) -> Facts:
    """Groups of few distinct amounts, so that shares are often equal; of two categories, now and last month."""
    hours = [RUNNING - 3, RUNNING - 30, RUNNING - 400]
    rows = [
        row(chance.choice(hours), chance.choice(["1", "1", "2.5", "-1", "40"]), owner=f"gpu-{owner}", category=category)
        for owner in range(chance.choice([0, 3, 70, 130]))
        for category in ("gpu", "llm")[: chance.choice([1, 2])]
    ]
    return desk_with(*rows).facts()


@pytest.mark.parametrize("seed", range(12))
def test_budgets_when_ranked_then_as_if_every_group_were_worked_out(seed: int) -> None:
    """The order is by exact shares, a sum over the lines of a rule is the sum over its groups, and few are named."""
    chance = random.Random(f"budgets {seed}")
    facts, rules = made_facts(chance), chance.sample(BUDGETS, chance.randint(1, len(BUDGETS)))
    found = ranked_budgets(facts, rules)
    everyone = {rule.name: stand(replace(rule), facts) for rule in rules}
    in_order = sorted((-each.standing.share, name, each.group) for name, groups in everyone.items() for each in groups)
    assert [(-f.of_group.standing.share, f.rule, f.of_group.group) for f in found.figures] == in_order[:MOST_RANKED]
    assert found.count == len(in_order)
    assert [one.rule for one in found.rules] == sorted(name for name, groups in everyone.items() if groups)
    assert sum(line.group is not None for one in found.rules for line in one.lines) <= MOST_OF_ALL
    for one in found.rules:
        groups = everyone[one.rule]
        named = [line for line in one.lines if line.group is not None]
        assert len(named) == min(len(groups), most_groups(len(found.rules)))
        assert [line.group for line in named] == [each.group for each in groups[: len(named)]]
        assert sum(line.spent for line in one.lines) == sum(each.standing.spent for each in groups)
        assert sum(line.budget for line in one.lines) == sum(each.standing.budget for each in groups)
        assert one.is_complete == all(each.is_complete for each in groups)


def test_rest_when_each_has_a_forecast_then_their_sum_and_no_range() -> None:
    """The ranges of many do not add up: it is unlikely that all end high together."""
    rows = [
        row(RUNNING - 3 - hour, str(1 + owner), owner=f"gpu-{owner}")
        for owner in range(MOST_OF_RULE + 3)
        for hour in range(0, 40 * 24, 6)
    ]
    facts = desk_with(*rows).facts()
    (found,) = ranked_budgets(facts, [MONTHLY]).rules
    others = [each.standing.forecast for each in stand(replace(MONTHLY), facts)[MOST_OF_RULE:]]
    rest = found.lines[-1]
    assert rest.group is None
    assert rest.forecast == Forecast(total=Usd(sum(one.total for one in others if one is not None)), range=None)
    assert found.lines[0].forecast is not None
    assert found.lines[0].forecast.range is not None


def test_budgets_when_bills_are_missing_then_the_rule_is_not_complete() -> None:
    """Its sums may be low."""
    desk = desk_with(row(RUNNING - 3, "5"))
    desk.fail(HourRange(RUNNING - 5, RUNNING - 4))
    (found,) = ranked_budgets(desk.facts(), [MONTHLY]).rules
    assert not found.is_complete


def test_rank_when_shares_are_compared_then_in_the_order_of_their_fractions_however_near() -> None:
    """The largest amounts that fit differ by one unit, and shares that are equal have one rank."""
    amounts = [(spent, budget) for budget in (2**63 - 1, 2**63 - 2, 7) for spent in (-3, 0, 1, budget - 1, budget)]
    found = [(rank_of(Usd(spent), Usd(budget)), Fraction(spent, budget)) for spent, budget in amounts]
    for rank, share in found:
        for other_rank, other_share in found:
            assert (rank < other_rank) == (share < other_share)
