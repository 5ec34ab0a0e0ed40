"""`reconcile` against spend by API key, by hand-computed sums of a month's two lists."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import AlertState, Sample
from alertd.core.alerts.lifecycle import step
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.rules.base import NOT_MATCHED, Share
from alertd.core.rules.reconcile import Against, Reconcile
from alertd.core.spend.lists import View
from tests.core.builders import WARNING, Desk, Row, desk_with, monthly_bill, row, tracked

FIRST = hour_of(datetime(2026, 3, 1, tzinfo=UTC))
AFTER = hour_of(datetime(2026, 4, 1, tzinfo=UTC))
NOW = datetime(2026, 4, 2, 12, 5, tzinfo=UTC)
RULE = Reconcile(name="keys-agree", against=Against.API_KEY)
GROUP: Labels = (("account", "default"), ("category", "llm"), ("month", "2026-03"))


def llm(hour: int, amount: str, *, category: str = "llm", account: str = "default") -> Row:
    return row(hour, amount, owner="key-1", category=category, account=account)


def month_of(*rows: Row) -> Desk:
    """Both months before April, read whole."""
    return desk_with(*rows, now=NOW, days=95)


def judge(usage: Desk, keys: Desk, *watched: Labels, rule: Reconcile = RULE, now: datetime = NOW) -> list[Sample]:
    by_key = keys.facts(now)
    facts = replace(usage.facts(now, bills=(tracked((now, monthly_bill())),)), keys=(by_key.spend, by_key.data))
    return rule.evaluate(facts, watched)


@pytest.mark.parametrize(
    ("usage", "keys", "notified"),
    [
        pytest.param([llm(FIRST, "100")], [llm(FIRST, "100")], {}, id="equal"),
        pytest.param([llm(FIRST, "100")], [llm(FIRST + 5, "99")], {}, id="the tolerance met exactly is none"),
        pytest.param([llm(FIRST, "100")], [llm(FIRST, "98.9999")], {"llm 2026-03": "0.010001"}, id="a hair more"),
        pytest.param([llm(FIRST, "100")], [llm(AFTER - 1, "120")], {"llm 2026-03": "0.2"}, id="more by key"),
        pytest.param([llm(FIRST, "100")], [llm(FIRST, "90"), llm(AFTER, "10")], {"llm 2026-03": "0.1"}, id="April"),
        pytest.param(
            [llm(FIRST, "100")],
            [llm(FIRST, "90"), llm(FIRST - 1, "10")],
            {"llm 2026-03": "0.1", "llm 2026-02": "1"},
            id="February is compared too",
        ),
        pytest.param(
            [llm(FIRST, "5"), llm(FIRST, "7", category="gen_api")],
            [llm(FIRST, "7"), llm(FIRST, "5", category="gen_api")],
            {"llm 2026-03": "0.4", "gen_api 2026-03": "0.285714"},
            id="categories do not make up for each other",
        ),
        pytest.param([llm(FIRST, "5"), row(FIRST, "9")], [llm(FIRST, "5")], {}, id="gpu has no keys"),
        pytest.param([llm(FIRST, "0.02")], [llm(FIRST, "0.01")], {}, id="a cent is rounding"),
    ],
)
def test_difference_when_the_lists_differ_then_as_a_share_of_usage(
    usage: list[Row], keys: list[Row], notified: dict[str, str]
) -> None:
    """Per account, category and UTC month."""
    found = {
        f"{dict(s.group)['category']} {dict(s.group)['month']}": s for s in judge(month_of(*usage), month_of(*keys))
    }
    assert {name: str(sample.value) for name, sample in found.items() if sample.reached} == notified


def with_gap(start: int) -> Desk:
    desk = month_of(llm(FIRST, "50"))
    desk.fail(HourRange(start, start + 1), at=NOW, category="llm")
    return desk


def read_early() -> Desk:
    desk = Desk()
    early = datetime(2026, 4, 1, 1, 59, tzinfo=UTC)
    desk.read([llm(FIRST, "50")], HourRange(FIRST - 2000, AFTER + 2), early, category="llm")
    return desk


WHOLE = month_of(llm(FIRST, "100"))
SHORT = month_of(llm(FIRST, "50"))


@pytest.mark.parametrize(
    ("usage", "keys", "caveat"),
    [
        pytest.param(WHOLE, SHORT, "", id="both whole"),
        pytest.param(WHOLE, with_gap(FIRST), "llm could not be read", id="the first hour by key"),
        pytest.param(with_gap(AFTER - 1), WHOLE, "llm could not be read", id="the last hour of usage"),
        pytest.param(WHOLE, with_gap(AFTER), "", id="an hour after"),
        pytest.param(WHOLE, read_early(), "llm is not billed through", id="too early"),
        pytest.param(read_early(), WHOLE, "llm is not billed through", id="usage too early"),
        pytest.param(month_of(row(FIRST, "1")), SHORT, "llm is not read in both views", id="no such category"),
    ],
)
def test_month_when_anything_is_missing_in_either_list_then_not_decided(usage: Desk, keys: Desk, caveat: str) -> None:
    """Half a list is no difference; an open alert waits."""
    assert bool(judge(usage, keys)) is not bool(caveat)
    (sample,) = (s for s in judge(usage, keys, GROUP) if s.group == GROUP)
    assert (sample.is_complete, sample.reached) == (not caveat, None if caveat else WARNING)
    assert " ".join(sample.caveats).startswith(caveat)


@pytest.mark.parametrize(
    ("keys", "rule", "now", "state"),
    [
        pytest.param(SHORT, RULE, NOW, AlertState.FIRING, id="still apart"),
        pytest.param(WHOLE, RULE, NOW, AlertState.RESOLVED, id="the late rows came"),
    ],
)
def test_open_alert_when_the_lists_change_then_ends_or_stays(
    keys: Desk, rule: Reconcile, now: datetime, state: AlertState
) -> None:
    """It ends when both agree, or when the month is not looked at any more."""
    (seen,) = judge(WHOLE, SHORT)
    alert = step(None, seen, RULE, NOW)
    (sample,) = (s for s in judge(WHOLE, keys, GROUP, rule=rule, now=now) if s.group == GROUP)
    after = step(alert, sample, rule, now)
    assert after is not None
    assert after.state is state


def test_month_when_it_is_not_compared_any_more_then_says_why() -> None:
    """Its alert ends with the difference that it had."""
    facts = WHOLE.facts()
    assert not RULE.left_out(facts, GROUP)
    assert replace(RULE, account=Patterns(("dev",))).left_out(facts, GROUP) == NOT_MATCHED
    assert RULE.left_out(replace(facts, now=NOW + timedelta(days=61)), GROUP) == "its hours are too long ago"


def test_sample_when_apart_then_names_both_sums() -> None:
    """The reader looks for the missing $5."""
    (sample,) = judge(WHOLE, month_of(llm(FIRST, "95")))
    assert sample.group == GROUP
    assert sample.headline == (
        "llm of 2026-03 (default) is $5.00 (5 %) more in the usage bills than by API key: $100.00 against $95.00"
    )
    assert sample.facts == (
        ("Usage bills", "$100.00"),
        ("By API key", "$95.00"),
        ("Difference", "$5.00 more in the usage bills"),
        ("Month", "2026-03 (UTC)"),
    )
    assert sample.as_of == datetime(2026, 4, 1, tzinfo=UTC)


def test_month_when_the_list_by_key_did_not_exist_yet_then_never_compared() -> None:
    """The API has nothing before 2026: hours that were never read are not zero."""
    keys = Desk()
    keys.read([], HourRange(hour_of(datetime(2026, 1, 1, tzinfo=UTC)), hour_of(NOW) + 1), NOW, category="llm")
    january = datetime(2026, 1, 20, tzinfo=UTC)
    usage = desk_with(llm(hour_of(datetime(2025, 12, 5, tzinfo=UTC)), "100"), now=january, days=95)
    assert judge(usage, keys, now=january) == []


def test_rule_when_asked_what_it_reads_then_both_views_and_groups_by_month() -> None:
    """A rule on bills reads no keys."""
    assert (set(RULE.views), set(Reconcile(name="x").views)) == (set(View), {View.USAGE})
    assert RULE.group_keys == ("account", "category", "month")
    assert replace(RULE, thresholds={WARNING: Share(Fraction(1, 5))}).digest() != RULE.digest()
