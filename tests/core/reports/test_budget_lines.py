"""Which budgets have a line of their own: the largest shares, in a bounded number, and nothing lost from the sums."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alertd.core.calendar import Period, period_of
from alertd.core.money import Usd
from alertd.core.reports.budget_lines import MOST_OF_ALL, MOST_OF_RULE, budget_lines
from alertd.core.reports.figures import BudgetFigures
from alertd.core.rules.standing import Forecast, GroupStanding, Standing
from tests.core.builders import RUNNING

MONTH = period_of(RUNNING, Period.MONTH, "UTC")
STANDING = Standing(
    budget=Usd(100),
    spent=Usd(0),
    expected=Usd(0),
    period=MONTH,
    timezone="UTC",
    edge=RUNNING,
    last_day=None,
    forecast=None,
)


def figures(rule: str, owner: int, spent: int, forecast: int | None = None, *, complete: bool = True) -> BudgetFigures:
    total = Forecast(total=Usd(forecast), range=(Usd(0), Usd(forecast))) if forecast is not None else None
    standing = replace(STANDING, spent=Usd(spent), expected=Usd(spent), forecast=total)
    group = (("owner", f"gpu-{owner}"),)
    return BudgetFigures(rule=rule, of_group=GroupStanding(group=group, standing=standing, is_complete=complete))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(-5, 500)), max_size=400))
def test_lines_when_of_any_budgets_then_few_enough_and_they_add_up(spends: list[tuple[int, int]]) -> None:
    """A sum over the lines of a rule is the sum over its groups, whichever of them are named."""
    known = [figures(f"rule-{rule}", owner, spent) for owner, (rule, spent) in enumerate(spends)]
    known.sort(key=lambda one: -one.of_group.standing.share)
    found = budget_lines(known)
    assert {one.rule for one in found} == {one.rule for one in known}
    assert sum(line.group is not None for one in found for line in one.lines) <= max(MOST_OF_ALL, len(found))
    for one in found:
        of_rule = [budget.of_group.standing for budget in known if budget.rule == one.rule]
        named = [line.spent for line in one.lines if line.group is not None]
        assert len(named) <= MOST_OF_RULE
        assert named == sorted((standing.spent for standing in of_rule), reverse=True)[: len(named)]
        assert sum(line.spent for line in one.lines) == sum(standing.spent for standing in of_rule)
        assert sum(line.budget for line in one.lines) == sum(standing.budget for standing in of_rule)


def test_rest_when_each_has_a_forecast_then_their_sum_and_no_range() -> None:
    """The ranges of many do not add up: it is unlikely that all end high together."""
    (found,) = budget_lines(figures("month", number, 100 - number, 7) for number in range(MOST_OF_RULE + 3))
    rest = found.lines[-1]
    assert (rest.group, rest.forecast) == (None, Forecast(total=Usd(21), range=None))
    assert found.lines[0].forecast == Forecast(total=Usd(7), range=(Usd(0), Usd(7)))


def test_budgets_when_bills_of_one_group_are_missing_then_the_rule_is_not_complete() -> None:
    """Its sums may be low."""
    (found,) = budget_lines([figures("month", 1, 5), figures("month", 2, 3, complete=False)])
    assert not found.is_complete


def test_rank_when_shares_are_compared_then_in_the_order_of_their_fractions_however_near() -> None:
    """The largest amounts that fit differ by one unit, and shares that are equal have one rank."""
    amounts = [(spent, budget) for budget in (2**63 - 1, 2**63 - 2, 7) for spent in (-3, 0, 1, budget - 1, budget)]
    standings = [replace(STANDING, spent=Usd(spent), budget=Usd(budget)) for spent, budget in amounts]
    found = [(GroupStanding(group=(), standing=one, is_complete=True).rank, one.share) for one in standings]
    for rank, share in found:
        for other_rank, other_share in found:
            assert (rank < other_rank) == (share < other_share)
