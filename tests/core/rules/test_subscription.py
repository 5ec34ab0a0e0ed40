"""`subscription`: terms that end, renewals, purchases; and what rules on spend make of them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import Alert, AlertState, Sample
from alertd.core.alerts.due import notify_reason
from alertd.core.alerts.lifecycle import Move, step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Patterns
from alertd.core.rules.balance import BalanceRule
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.subscription import SubscriptionRule
from alertd.core.severity import Severity
from alertd.core.spend.bill import SUBSCRIPTION, Balance, Term
from alertd.core.spend.ledger import file_rows
from alertd.core.spend.subscription import renewals, rows_of
from tests.core.builders import CRITICAL, DAY, HOUR, NOW, WARNING, Desk, desk_with, row, stand, usd

RULE = SubscriptionRule(
    name="terms", ends_within={WARNING: timedelta(days=7), CRITICAL: timedelta(days=1)}, on_new=Severity.INFO
)
LONG_AGO = NOW - timedelta(days=90)


def term(ends_in: timedelta | None = timedelta(days=5), **parts: object) -> Term:
    """A GPU for a month at $500, bought so that it ends in a while."""
    plain = Term(
        account="default",
        owner="inst-9",
        product="H100",
        product_id="h100",
        category="gpu",
        kind="monthly_renew",
        bought_at=NOW - timedelta(days=25),
        starts_at=NOW - timedelta(days=25),
        ends_at=None if ends_in is None else NOW + ends_in,
        amount=usd("500"),
        voucher=usd("100"),
        pay=usd("400"),
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def judge(*terms: Term, watched: Iterable[Alert] = ()) -> list[Sample]:
    facts = replace(Desk().facts(NOW), terms=terms, watched_since=LONG_AGO)
    return RULE.evaluate(facts, {alert.group: alert for alert in watched})


@pytest.mark.parametrize(
    ("left", "reached"),
    [
        pytest.param(timedelta(days=8), None, id="far off"),
        pytest.param(timedelta(days=7), WARNING, id="the limit exactly"),
        pytest.param(timedelta(days=1), CRITICAL, id="the last day"),
        pytest.param(timedelta(0), None, id="over"),
        pytest.param(None, None, id="an end that nobody knows"),
    ],
)
def test_term_when_it_ends_soon_then_by_how_soon(left: timedelta | None, reached: Severity | None) -> None:
    """Days until a fixed term ends that was not renewed."""
    assert [sample.reached for sample in judge(term(left))] == ([reached] if reached else [])


def test_term_when_renewed_then_its_alert_ends() -> None:
    """The later term of the same product counts; another product of the owner does not."""
    (sample,) = judge(term())
    alert = step(None, sample, RULE, NOW)
    assert alert is not None
    (renewed,) = judge(term(), term(timedelta(days=35)), watched=[alert])
    ended = step(alert, renewed, RULE, NOW)
    assert ended is not None
    assert ended.state is AlertState.RESOLVED
    assert ended.headline == "Subscription of inst-9 (H100) was renewed until 2026-02-14 12:05 UTC"
    (other,) = judge(term(), term(timedelta(days=35), product_id="a100"), watched=[alert])
    assert other.held is WARNING


def test_headline_when_it_ends_soon_then_says_whose_and_when() -> None:
    """Whoever reads it must know what stops."""
    (sample,) = judge(term())
    assert sample.headline == "Subscription of inst-9 (H100) ends in 5 d, 2026-01-15 12:05 UTC, and was not renewed"


@pytest.mark.parametrize(
    ("bought", "kind", "is_notified"),
    [
        pytest.param(NOW - HOUR, "monthly_new_buy", True, id="an hour ago"),
        pytest.param(NOW - HOUR, "monthly_renew", False, id="a renewal is no purchase"),
        pytest.param(NOW - 2 * DAY, "monthly_new_buy", False, id="days ago"),
        pytest.param(LONG_AGO - DAY, "monthly_new_buy", False, id="before alertd looked"),
    ],
)
def test_purchase_when_new_then_notified_once_and_neither_repeated_nor_ended(
    bought: datetime, kind: str, is_notified: bool
) -> None:
    """Somebody bought a month of a GPU: that is news, once."""
    samples = judge(term(timedelta(days=30), bought_at=bought, kind=kind))
    assert [sample.reached for sample in samples] == ([Severity.INFO] if is_notified else [])
    for sample in samples:
        alert = step(None, sample, RULE, NOW)
        assert alert is not None
        assert notify_reason(Move(before=None, after=alert, rule=RULE), NOW) is NotifyReason.FIRST
        seen = replace(alert, notified_at=NOW, notified_severity=Severity.INFO, notified_value=alert.value)
        assert notify_reason(Move(before=seen, after=seen, rule=RULE), NOW + 30 * DAY) is None
        ended = replace(seen, state=AlertState.RESOLVED)
        assert notify_reason(Move(before=seen, after=ended, rule=RULE), NOW + DAY) is None


# --- as money ---------------------------------------------------------------------------------------------------------


def desk_with_term(bought: Term) -> Desk:
    """A desk with $10 of GPU today, and a term."""
    desk = Desk()
    key = (bought.account, SUBSCRIPTION)
    span = HourRange(hour_of(NOW) - 70 * 24, hour_of(NOW) + 1)
    desk.read([row(hour_of(NOW) - 3, "10")], span)
    filing = file_rows(desk.book(SUBSCRIPTION), desk.table, rows_of([bought]), span, read_at=NOW)
    desk.books[key] = filing.book
    for hour, block in filing.blocks.items():
        desk.blocks[key[0], key[1], hour] = block
    return desk


@pytest.mark.parametrize(
    ("category", "value"),
    [
        pytest.param(Patterns(), "10", id="not named: left out"),
        pytest.param(Patterns(("!llm",)), "10", id="nor by excluding another"),
        pytest.param(Patterns((SUBSCRIPTION,)), "500", id="named"),
        pytest.param(Patterns(("gpu", SUBSCRIPTION)), "510", id="named beside another"),
    ],
)
def test_rolling_spend_when_a_term_was_paid_then_counts_only_where_it_is_named(category: Patterns, value: str) -> None:
    """A month's price is no spend of the hour in which it is paid."""
    rule = RollingSpend(name="r", window=timedelta(days=1), thresholds={WARNING: usd("1")}, category=category)
    (sample,) = rule.evaluate(desk_with_term(term(bought_at=NOW - 4 * HOUR)).facts(), {})
    assert str(sample.value) == value


def test_budget_when_a_term_was_paid_then_counts_it_whole_and_draws_no_pace_from_it() -> None:
    """It is money of the month; an hour later it must not look like $500 a day."""
    rule = BudgetRule(name="b", period=Period.MONTH, amount=usd("1000"), thresholds={WARNING: Share(Fraction(1, 10))})
    facts = desk_with_term(term(bought_at=NOW - 4 * HOUR)).facts()
    (sample,) = rule.evaluate(facts, {})
    assert str(sample.value) == "0.51"
    assert sample.expected is None or sample.expected < 1
    assert [(one.standing.spent, one.standing.last_day) for one in stand(rule, facts)] == [(usd("510"), usd("10"))]
    named = replace(rule, category=Patterns(("gpu", SUBSCRIPTION)))
    assert [one.standing.last_day for one in stand(named, facts)] == [usd("510")]


def test_runway_when_a_renewal_falls_due_then_the_balance_lasts_no_longer() -> None:
    """$600 at $10 a day lasts 60 days, but not beyond a renewal of $400 and one of $300."""
    balance = Balance(account="default", available=usd("600"), read_at=NOW)
    rule = BalanceRule(name="b", runway_below={WARNING: timedelta(days=30)}, window=timedelta(hours=24))
    desk = desk_with_term(term(bought_at=NOW - 4 * HOUR))
    due = (term(timedelta(days=5)), term(timedelta(days=9), owner="inst-2", pay=usd("300")))
    (runway,) = rule.runways(replace(desk.facts(NOW), balances={"default": balance}, terms=due))
    assert runway.days == 9
    (alone,) = rule.runways(replace(desk.facts(NOW), balances={"default": balance}))
    assert alone.days == 60


def test_renewals_when_asked_then_the_last_term_of_each_product_that_ends_then() -> None:
    """A term that was renewed already falls due at the end of the later one."""
    terms = [term(), term(timedelta(days=35)), term(timedelta(days=3), owner="inst-2")]
    assert [one.owner for one in renewals(terms, NOW, NOW + 7 * DAY)] == ["inst-2"]


def test_forecast_when_a_renewal_falls_into_the_period_then_counted_once_and_no_rhythm() -> None:
    """A month's price paid today is not paid each day, and is paid again at its end."""
    rule = BudgetRule(
        name="b",
        period=Period.MONTH,
        amount=usd("1000"),
        forecast={WARNING: Share(Fraction(1, 10))},
        min_history=HOUR,
    )
    paid = term(timedelta(days=30), bought_at=NOW - 4 * HOUR)
    desk = desk_with_term(paid)
    due_in_period = term(timedelta(days=10), owner="inst-2", amount=usd("70"))
    due_later = term(timedelta(days=40), owner="inst-3", amount=usd("90"))
    (plain,) = stand(rule, replace(desk.facts(NOW), terms=(paid,)))
    (more,) = stand(rule, replace(desk.facts(NOW), terms=(paid, due_in_period, due_later)))
    assert plain.standing.forecast is not None
    assert more.standing.forecast is not None
    assert more.standing.forecast.total - plain.standing.forecast.total == usd("70")
    (without,) = stand(rule, desk_with(row(hour_of(NOW) - 3, "10"), days=70).facts(NOW))
    assert without.standing.forecast is not None
    assert plain.standing.forecast.total - without.standing.forecast.total == usd("500")
