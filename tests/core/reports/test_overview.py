"""What is known at a glance, by hand-computed figures."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import numpy as np
import pytest

from alertd.core.calendar import Period
from alertd.core.hours import HourRange
from alertd.core.labels import Labels, Patterns
from alertd.core.owners import OwnerDirectory
from alertd.core.reports.figures import ReportScope, report_figures
from alertd.core.reports.overview import CategorySpend, overview
from alertd.core.reports.words import compose_report
from alertd.core.rules.balance import BalanceRule
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.budget_scene import Scene
from alertd.core.rules.facts import Facts
from alertd.core.rules.standing import Forecast, Standing
from alertd.core.spend.bill import Balance
from alertd.core.spend.block import HourBlock, empty_block
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.steps import StepSums, steps_of, sum_steps
from alertd.queries.alert_history import judgement
from tests.core.builders import HOUR, NOW, RUNNING, WARNING, Desk, desk_with, monthly_bill, rolling, row, tracked, usd

EDGE = RUNNING - 2
"""2026-01-10 10:00 UTC, as bills settle two hours late."""
MONTH_START = EDGE - 9 * 24 - 10
BUDGET = BudgetRule(
    name="month", period=Period.MONTH, amount=usd("100"), group_by=("owner",), thresholds={WARNING: Share(Fraction(1))}
)
BALANCE = BalanceRule(name="balance", available_below={WARNING: usd("10")})


def test_spend_when_summed_then_the_last_day_and_the_month_are_the_same_hours_for_every_category() -> None:
    """An hour before a window counts in no sum; what lags is shown through where it is billed."""
    desk = desk_with(
        row(EDGE - 1, "1"),
        row(EDGE - 24, "2"),
        row(EDGE - 25, "4"),
        row(MONTH_START, "8"),
        row(MONTH_START - 1, "16"),
        row(RUNNING - 1, "32", category="llm"),
    )
    assert overview(desk.facts(), []).spend == (
        CategorySpend(
            account="default",
            category="gpu",
            edge=EDGE,
            last_day=usd("1"),
            month=usd("15"),
            is_complete=True,
        ),
        CategorySpend(
            account="default",
            category="llm",
            edge=RUNNING,
            last_day=usd("32"),
            month=usd("32"),
            is_complete=True,
        ),
    )


@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("lag", [0, 1, 5])
def test_last_days_wherever_they_are_shown_then_one_sum(days: int, lag: int) -> None:
    """The tile, the panel, a report and the command each had a window of their own: three different "last 24 hours"."""
    rows = [row(RUNNING - n, f"{200 - n}.25") for n in range(200)]
    rows += [row(RUNNING - n, "3", category="llm", owner="key-1") for n in range(lag, 200)]
    desk = desk_with(*rows)
    facts = desk.facts()
    steps = steps_of(days * 24, facts.data)
    assert steps is not None
    sums = StepSums(desk.table, steps)
    for (_, _, hour), block in desk.blocks.items():
        sums.add(hour, block)
    panel = sum_steps(sums, facts.data, by="category", owners=OwnerDirectory(), most=8)
    scope = ReportScope(name="r", period=timedelta(days=days), group_by=(), timezone="Europe/Berlin")
    report = report_figures(scope, facts, alerts=(), rules=()).spend
    rule = replace(rolling(window=timedelta(days=days)), group_by=())
    (sample,) = rule.evaluate(facts, [()])
    by_hand = sum(each.amount for each in rows if RUNNING + 1 - days * 24 <= each.hour)
    assert report is not None
    assert (panel.total, report.total.amount) == (by_hand, by_hand)
    assert sample.value * 10**10 == by_hand
    day = overview(facts, []).last_day
    assert day is not None
    assert days > 1 or day.amount == by_hand


def test_month_when_the_last_billed_hour_ends_it_then_it_is_still_that_month() -> None:
    """At midnight of the first nothing of the new month is billed: zero would read as nothing spent."""
    now = NOW.replace(day=1, hour=0, minute=30)
    edge = RUNNING - 9 * 24 - 12
    desk = desk_with(row(edge - 1, "5"), now=now)
    (spend,) = overview(desk.facts(now), []).spend
    assert (spend.edge, spend.month) == (edge, usd("5"))


def test_spend_when_hours_could_not_be_read_then_says_so() -> None:
    """A sum that may be low is distinguished from one that is known."""
    desk = desk_with(row(EDGE - 1, "1"))
    desk.fail(HourRange(EDGE - 5, EDGE - 3), NOW - HOUR)
    assert [spend.is_complete for spend in overview(desk.facts(), []).spend] == [False]


def test_spend_when_nothing_was_ever_read_then_is_absent() -> None:
    """Unknown is not zero."""
    desk = Desk()
    desk.fail(HourRange(RUNNING - 24, RUNNING), NOW)
    assert overview(desk.facts(), []).spend == ()


def test_budgets_when_collected_then_largest_share_first_and_disabled_rules_left_out() -> None:
    """What is nearest to its end stands first."""
    desk = desk_with(row(EDGE - 1, "20"), row(EDGE - 2, "70", owner="gpu-2"))
    found = overview(desk.facts(), [BUDGET, replace(BUDGET, name="off", enabled=False)]).budgets.figures
    assert [(b.rule, dict(b.of_group.group)["owner"], b.of_group.standing.share) for b in found] == [
        ("month", "gpu-2", Fraction(7, 10)),
        ("month", "gpu-1", Fraction(1, 5)),
    ]


def test_runways_when_collected_then_of_the_accounts_that_a_rule_watches() -> None:
    """A balance that nobody watches is not read."""

    def read(account: str) -> Balance:
        return Balance(account=account, available=usd("90"), read_at=NOW)

    facts = replace(desk_with(row(EDGE - 1, "72")).facts(), balances={"default": read("default"), "dev": read("dev")})
    found = overview(facts, [replace(BALANCE, account=Patterns(("default",)))]).runways
    assert [(rule, runway.balance.account, runway.days) for rule, runway in found] == [
        ("balance", "default", Fraction(15, 4))
    ]


def test_bills_when_collected_then_the_newest_month_first() -> None:
    """The bill that is open now is looked for most often."""
    bills = tuple(
        tracked((NOW, monthly_bill(bill_id=month, month=month))) for month in ("2025-11", "2025-12", "2025-10")
    )
    assert [t.bill.month for t in overview(desk_with().facts(bills=bills), []).bills] == [
        "2025-12",
        "2025-11",
        "2025-10",
    ]


def test_budgets_when_a_rule_has_many_groups_then_only_the_largest_are_worked_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A standing is many figures: of the groups that nobody sees one by one only sums are needed."""
    asked: list[Labels] = []
    stand = BudgetRule._standing

    def noted(rule: BudgetRule, scene: Scene, group: Labels, forecast: Forecast | None) -> Standing | None:
        asked.append(group)
        return stand(rule, scene, group, forecast)

    monkeypatch.setattr(BudgetRule, "_standing", noted)
    spent = [row(hour, str(1 + owner), owner=f"gpu-{owner}") for owner in range(80) for hour in (EDGE - 240, EDGE - 1)]
    facts = desk_with(*spent).facts()
    rules = [replace(BUDGET, forecast={WARNING: Share(Fraction(1))})]
    first = overview(facts, rules)
    assert [b.of_group.standing.forecast is not None for b in first.budgets.figures] == [True] * 60
    assert (first.budgets.count, len(asked)) == (80, 60)
    asked.clear()
    bill_more(facts, "gpu-79", "1")
    overview(facts, rules, before=first)
    assert asked == [(("owner", "gpu-79"),)]


def slipped() -> Facts:
    """A vendor's slip of units in two categories of three."""
    huge = [row(EDGE - n, "500000000", category=name) for n in range(1, 4) for name in ("gpu", "llm")]
    return desk_with(*huge, row(EDGE - 1, "7", category="cloud_storage")).facts()


def test_overview_when_some_spend_does_not_fit_then_the_rest_is_shown() -> None:
    """Two rows of half a billion left the whole page without figures, with a trace in the log."""
    storage = replace(BUDGET, name="storage", category=Patterns(("cloud_storage",)))
    found = overview(slipped(), [BUDGET, storage])
    assert found.overflows
    assert [(each.category, each.last_day) for each in found.spend] == [("cloud_storage", usd("7"))]
    assert (found.last_day, found.month) == (None, None)
    assert [budget.rule for budget in found.budgets.figures] == ["storage"]


def test_report_when_spend_does_not_fit_then_says_so_and_shows_the_rest() -> None:
    """It failed, and was tried again for ever."""
    scope = ReportScope(name="weekly", period=timedelta(days=7), group_by=("category",), timezone="UTC")
    storage = replace(BUDGET, name="storage", category=Patterns(("cloud_storage",)))
    figures = report_figures(scope, slipped(), alerts=(), rules=[BUDGET, storage])
    message = compose_report(figures, owners=OwnerDirectory())
    assert message.title.startswith("weekly: spend adds up to more than 922 million USD and is not shown")
    assert [section.title for section in message.sections] == ["Budgets", "Alerts"]


def test_explain_when_a_rule_cannot_be_computed_then_says_why() -> None:
    """A command shows one line, not a trace."""
    assert list(judgement(rolling(), slipped())) == [
        "  not judged: the spend that it covers adds up to more than 922 million USD"
    ]


def test_exact_sums_when_they_do_not_fit_then_of_any_size() -> None:
    """Whoever looks for the rows at fault can see them."""
    facts = slipped()
    query = SpendQuery(group_by=("category",))
    found = facts.spend.exact_sums(query, "amount", HourRange(EDGE - 24, EDGE))
    assert {dict(group)["category"]: amount // 10**10 for group, amount in found.items()} == {
        "cloud_storage": 7,
        "gpu": 1_500_000_000,
        "llm": 1_500_000_000,
    }


def bill_more(facts: Facts, owner: str, amount: str) -> None:
    """Bill more in the hour before the edge, in the view that rules and page share."""
    number = [series.owner for series in facts.spend.series].index(owner)
    money = np.array([usd(amount)], np.int64)
    block = HourBlock(
        series=np.array([number], np.int32), span=np.ones(1, np.int32), amount=money, voucher=money * 0, pay=money
    )
    facts.spend.replace(EDGE - 1, empty_block(), block)


def test_budgets_when_nothing_moved_then_as_they_were_and_anew_once_one_moves() -> None:
    """What is kept from one poll to the next is what a first look would find."""
    facts = desk_with(row(EDGE - 1, "20"), row(EDGE - 2, "70", owner="gpu-2")).facts()
    rules = [BUDGET, replace(BUDGET, name="other", amount=usd("90"))]
    first = overview(facts, rules)
    again = overview(facts, rules, before=first)
    assert again.budgets is first.budgets
    assert {one.rule for one in overview(facts, rules[:1], before=again).budgets.figures} == {"month"}
    bill_more(facts, "gpu-1", "75")
    moved = overview(facts, rules, before=again).budgets
    afresh = overview(facts, [replace(rule) for rule in rules]).budgets
    assert (moved.figures, moved.rules, moved.count) == (afresh.figures, afresh.rules, afresh.count)
    assert [dict(each.of_group.group)["owner"] for each in moved.figures] == ["gpu-1", "gpu-1", "gpu-2", "gpu-2"]


def test_running_when_more_was_billed_since_then_the_kept_runs_are_not_shown() -> None:
    """The page of one poll says nothing of the next."""
    facts = desk_with(row(EDGE - 1, "20")).facts()
    (before,) = overview(facts, []).running
    assert overview(facts, []).running == (before,)
    bill_more(facts, "gpu-1", "30")
    (after,) = overview(facts, []).running
    assert (before.rate, after.rate) == (usd("20") // 3, usd("50") // 3)
