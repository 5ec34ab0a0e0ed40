"""What the metrics say of spend, budgets, balances and bills: every figure by hand, every label bounded."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from alertd.core.hours import HourRange
from alertd.core.reports.overview import overview
from alertd.queries.status import read_status
from alertd.store.store import Store
from alertd.web.metrics import MetricsPage
from tests.core.builders import (
    HOUR,
    NOW,
    RUNNING,
    desk_with,
    row,
)
from tests.web.pages import BALANCE, BUDGET, EDGE, of, owing, page, samples, seen, with_balances


def test_spend_when_shown_then_by_account_and_category_and_whether_it_is_complete(store: Store) -> None:
    """The two sums that everybody asks for first, and whether they may still be low."""
    desk = desk_with(row(EDGE - 1, "3.25"), row(EDGE - 30, "4"), row(RUNNING - 1, "0.01", category="llm"))
    desk.fail(HourRange(EDGE - 5, EDGE - 3), NOW - HOUR)
    text = page(store, of(desk.facts()))
    assert samples(text, "alertd_spend_last_day_usd") == {("default", "gpu"): 3.25, ("default", "llm"): 0.01}
    assert samples(text, "alertd_spend_month_usd") == {("default", "gpu"): 7.25, ("default", "llm"): 0.01}
    assert samples(text, "alertd_spend_complete") == {("default", "gpu"): 0, ("default", "llm"): 1}


@pytest.mark.parametrize("text", ["9999999.99", "0.01", "123456.78", "-12.34"])
def test_amounts_when_turned_into_floats_then_exact_to_the_cent(store: Store, text: str) -> None:
    """Prometheus has only floats: the nearest one must read as the amount that was billed."""
    found = samples(page(store, of(desk_with(row(EDGE - 1, text)).facts())), "alertd_spend_last_day_usd")
    assert found == {("default", "gpu"): float(text)}


def test_budgets_when_shown_then_amount_spent_forecast_and_what_is_over(store: Store) -> None:
    """What a gauge on the wall shows: how much, of what, and where it leads."""
    hours = [row(EDGE - 1 - n, "0.50") for n in range(50 * 24)]
    found = of(desk_with(*hours, row(EDGE - 1, "20", owner="gpu-2")).facts(), BUDGET)
    text = page(store, found)
    spent = (9 * 24 + 10) * 0.5
    assert samples(text, "alertd_budget_usd") == {("month", "owner=gpu-1"): 100, ("month", "owner=gpu-2"): 100}
    assert samples(text, "alertd_budget_spent_usd") == {("month", "owner=gpu-1"): spent, ("month", "owner=gpu-2"): 20}
    assert samples(text, "alertd_budget_elapsed_ratio") == {("month",): pytest.approx((9 * 24 + 10) / (31 * 24))}
    assert samples(text, "alertd_budget_complete") == {("month",): 1}
    # An owner new on the last hour has no forecast; one who spends the same each hour has that for every hour left.
    assert samples(text, "alertd_budget_forecast_usd") == {("month", "owner=gpu-1"): 31 * 24 * 0.5}
    rates = samples(text, "alertd_budget_even_rate_ratio")
    assert rates["month", "owner=gpu-1", "1h"] == pytest.approx(0.5 / (100 / (31 * 24)))
    assert rates["month", "owner=gpu-1", "6h"] == pytest.approx(0.5 / (100 / (31 * 24)))
    low = samples(text, "alertd_budget_forecast_low_usd")["month", "owner=gpu-1"]
    high = samples(text, "alertd_budget_forecast_high_usd")["month", "owner=gpu-1"]
    assert low <= 372 <= high


def test_budgets_when_there_are_many_groups_then_the_largest_share_and_the_rest_together(store: Store) -> None:
    """Nothing is lost from the sum, and the groups that are nearest to their budget have their own line."""
    desk = desk_with(*(row(EDGE - 1, str(number), owner=f"gpu-{number}") for number in range(1, 61)))
    text = page(store, of(desk.facts(), BUDGET))
    spent = samples(text, "alertd_budget_spent_usd")
    assert spent.pop(("month", "other")) == sum(range(1, 11))
    assert spent == {("month", f"owner=gpu-{number}"): number for number in range(11, 61)}
    assert samples(text, "alertd_budget_usd")["month", "other"] == 10 * 100


@pytest.mark.slow
def test_forecast_of_the_rest_when_one_of_them_has_none_then_absent(store: Store) -> None:
    """A sum with a part missing would read as a forecast that is low."""
    steady = [row(EDGE - 1 - n, "0.01", owner=f"gpu-{owner}") for owner in range(52) for n in range(40 * 24)]
    both = page(store, of(desk_with(*steady).facts(), BUDGET))
    assert samples(both, "alertd_budget_forecast_usd")["month", "other"] == pytest.approx(2 * 31 * 24 * 0.01)
    assert ("month", "other") not in samples(both, "alertd_budget_forecast_low_usd")
    one_new = page(store, of(desk_with(*steady, row(EDGE - 1, "0.001", owner="new")).facts(), BUDGET))
    assert ("month", "other") in samples(one_new, "alertd_budget_spent_usd")
    assert ("month", "other") not in samples(one_new, "alertd_budget_forecast_usd")


HOSTILE = ["x" * 5_000, "x" * 5_000 + "y", "a,team=b", "a;team=b", 'quote"\\\nline', "other", "", "émoji ☃"]


def test_groups_when_their_names_are_hostile_then_distinguished_and_short(store: Store) -> None:
    """Two series of one name would be refused by Prometheus, and a name without end fills its memory."""
    desk = desk_with(*(row(EDGE - 1, str(n + 1), owner=name) for n, name in enumerate(HOSTILE)))
    found = samples(page(store, of(desk.facts(), BUDGET)), "alertd_budget_spent_usd")
    assert sorted(found.values()) == list(range(1, len(HOSTILE) + 1))
    assert max(len(group) for _, group in found) < 100
    assert ("month", "owner=other") in found


@pytest.mark.slow
def test_page_when_bills_bring_thousands_of_names_then_below_5000_series(store: Store) -> None:
    """What alertd watches must not take down what watches alertd."""
    bills = tuple(owing(f"state-{number}", "1", "2025-10") for number in range(1_000))
    rows = [row(EDGE - 1, "1", owner=f"gpu-{number}") for number in range(6_000)]
    known = overview(desk_with(*rows).facts(bills=bills), [BUDGET])
    counts = Counter(
        family.name for family in text_string_to_metric_families(page(store, seen(known))) for _ in family.samples
    )
    assert counts["alertd_budget_spent_usd"] == 51
    assert counts.total() < 5_000


def test_groups_when_there_are_many_rules_then_all_rules_stay_and_few_groups_each(store: Store) -> None:
    """The bound is on the page: more rules share it."""
    desk = desk_with(*(row(EDGE - 1, "1", owner=f"gpu-{number}") for number in range(60)))
    rules = [replace(BUDGET, name=f"month-{number}", forecast={}) for number in range(100)]
    found = samples(page(store, of(desk.facts(), *rules)), "alertd_budget_spent_usd")
    assert set(Counter(rule for rule, _ in found).values()) == {6}
    assert len({rule for rule, _ in found}) == 100


def test_balance_when_shown_then_once_for_an_account_and_its_runway_for_each_rule(store: Store) -> None:
    """Two rules may judge one balance by different paces."""
    desk = desk_with(*(row(EDGE - 1 - n, "1") for n in range(48)))
    week = replace(BALANCE, name="week", window=timedelta(days=7))
    text = page(store, of(with_balances(desk.facts(), default="72", dev="5"), BALANCE, week))
    assert samples(text, "alertd_balance_usd") == {("default",): 72, ("dev",): 5}
    assert samples(text, "alertd_balance_read_timestamp_seconds")["default",] == (NOW - HOUR).timestamp()
    assert samples(text, "alertd_balance_runway_seconds") == {
        ("default", "low"): 3 * 86_400,
        ("default", "week"): 72 / 48 * 7 * 86_400,
    }
    # Nothing of the other account was ever billed: it has no pace, which is not a runway of zero.
    assert samples(text, "alertd_balance_runway_complete")["dev", "low"] == 0


def test_monthly_bills_when_shown_then_debt_and_number_of_those_still_to_be_paid(store: Store) -> None:
    """Paid ones owe nothing; a status that nobody knows is not lost, and makes no label of its own."""
    bills = (
        owing("overdue", "80", "2025-10"),
        owing("overdue", "20.50", "2025-11"),
        owing("disputed", "7", "2025-12"),
        owing("paid", "100", "2025-09"),
    )
    text = page(store, of(desk_with().facts(bills=bills)))
    assert samples(text, "alertd_monthly_bills_owed_usd") == {
        ("default", "outed"): 0,
        ("default", "other"): 7,
        ("default", "overdue"): 100.5,
        ("default", "pending"): 0,
    }
    assert samples(text, "alertd_monthly_bills") == {
        ("default", "outed"): 0,
        ("default", "other"): 1,
        ("default", "overdue"): 2,
        ("default", "pending"): 0,
    }


def test_page_when_a_later_overview_comes_then_shows_it(store: Store) -> None:
    """What is rendered once for many requests must not stay when more is known."""
    figures = of(desk_with(row(EDGE - 1, "1")).facts())
    shown = MetricsPage(figures)
    status = read_status(store, now=NOW, poll_interval=HOUR, settle_delay=2 * HOUR)
    first = shown.text(status, store_bytes=1)
    assert shown.text(status, store_bytes=1).count(b"alertd_spend_month_usd{") == 1
    figures.note_overview(overview(desk_with(row(EDGE - 1, "2")).facts(), []), 0.1)
    second = shown.text(status, store_bytes=1)
    found = [samples(text.decode(), "alertd_spend_month_usd")["default", "gpu"] for text in (first, second)]
    assert found == [1, 2]
