"""An alert that ends by something else than its value keeps the last true one, and says what ended it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import pytest

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.due import notify_reason
from alertd.core.alerts.judge import judge
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.hours import HourRange
from alertd.core.labels import Patterns
from alertd.core.messages.compose import compose_alert
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.facts import Facts
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.spike import Spike
from tests.core.builders import DAY, HOUR, NOW, RUNNING, WARNING, Desk, desk_with, firing, rolling, row, usd

OWNER = rolling("20", None, category=Patterns(("gpu",)))
TEAM = replace(OWNER, group_by=("team",))
ROWS = [row(RUNNING - 3, "24", owner="g1"), row(RUNNING - 3, "1", category="llm", owner="g2")]


def owned(team: str) -> OwnerDirectory:
    return OwnerDirectory((Owner(match=Patterns(("g1",)), team=team),))


def facts_of(owners: OwnerDirectory = OwnerDirectory()) -> Facts:  # noqa: B008 # frozen
    desk = Desk()
    for category in ("gpu", "llm"):
        rows = [each for each in ROWS if each.series.category == category]
        desk.read(rows, HourRange(RUNNING - 24 * 40, RUNNING + 1), category=category)
    return desk.facts(owners=owners)


def moved(rules: Sequence[Rule], facts: Facts, known: Sequence[Alert], accounts: set[str]) -> list[Alert]:
    moves, faults = judge(rules, facts, {alert.fingerprint: alert for alert in known}, accounts)
    assert not faults
    names = {alert.fingerprint for alert in known} or {move.after.fingerprint for move in moves}
    return [move.after for move in moves if move.after.fingerprint in names]


def said(alert: Alert, rule: Rule | None) -> tuple[str, dict[str, str]]:
    """The title of its end, and its fields."""
    message = compose_alert(
        alert, rule, NotifyReason.RESOLVED, headline=alert.headline, owners=OwnerDirectory(), now=NOW + HOUR
    )
    return message.title, {field.name: field.text for field in message.fields}


@pytest.mark.parametrize(
    ("rule", "after", "reason"),
    [
        pytest.param(OWNER, [replace(OWNER, owner=Patterns(("!g1",)))], "no longer matched by the rule", id="owner"),
        pytest.param(
            OWNER, [replace(OWNER, category=Patterns(("llm",)))], "no longer matched by the rule", id="category"
        ),
        pytest.param(TEAM, [TEAM], "no longer matched by the rule", id="owner regrouped"),
        pytest.param(OWNER, [replace(OWNER, group_by=("team",))], "group_by changed by edit", id="group_by"),
        pytest.param(OWNER, [replace(OWNER, enabled=False)], "rule disabled", id="disabled"),
        pytest.param(OWNER, [], "rule removed", id="removed"),
        pytest.param(
            FirstSpend(name="new", min_spend=usd("5")),
            [FirstSpend(name="new", min_spend=usd("5"), owner=Patterns(("g2",)))],
            "no longer matched by the rule",
            id="first_spend",
        ),
    ],
)
def test_alert_when_the_rule_has_no_value_for_it_any_more_then_ends_with_its_last_one(
    rule: Rule, after: list[Rule], reason: str
) -> None:
    """It said that g1 spent $0.00, which spent $24."""
    (alert,) = moved([rule], facts_of(owned("research")), (), {"default"})
    (ended,) = moved(after, replace(facts_of(owned("ml")), now=NOW + HOUR), [alert], {"default"})
    assert (ended.state, ended.reason, ended.value) == (AlertState.RESOLVED, reason, alert.value)
    title, fields = said(ended, after[0] if after else None)
    assert title == f"{alert.headline} ({reason})"
    assert "$24.00" in title
    assert "Last value" not in fields, "the title says it"
    known = {alert.fingerprint: replace(alert, notified_at=NOW, notified_severity=alert.severity)}
    moves, _ = judge(after, replace(facts_of(owned("ml")), now=NOW + HOUR), known, {"default"})
    of_it = [move for move in moves if move.after.fingerprint == alert.fingerprint]
    assert [(move.before, notify_reason(move, NOW + HOUR)) for move in of_it] == [
        (known[alert.fingerprint], NotifyReason.RESOLVED)
    ], "who was notified of it hears of its end"


def test_alert_when_its_account_is_removed_then_ends_once_and_with_its_last_value() -> None:
    """The rule had a value of $0.00 for it besides, and both were stored."""
    (alert,) = moved([OWNER], facts_of(), (), {"default"})
    (ended,) = moved([OWNER], replace(Desk().facts(), now=NOW + HOUR), [alert], {"dev"})
    assert (ended.reason, ended.value) == ("account removed", alert.value)


def test_spike_when_an_edit_leaves_its_group_out_then_it_keeps_its_ratio() -> None:
    """There is no ratio by the new text."""
    rule = Spike(name="spike", window=DAY, thresholds={WARNING: Fraction(2)}, group_by=("owner",))
    rows = [row(RUNNING - n, "1") for n in range(1, 24 * 27)] + [row(RUNNING - 2, "200")]
    facts = desk_with(*rows).facts()
    (alert,) = moved([rule], facts, (), {"default"})
    edited = replace(rule, owner=Patterns(("x",)))
    (ended,) = moved([edited], replace(facts, now=NOW + HOUR), [alert], {"default"})
    assert (ended.value, ended.reason) == (alert.value, "no longer matched by the rule")


def test_budget_when_its_period_turns_then_the_end_speaks_of_the_period_that_is_over() -> None:
    """It repeated the last evaluation of that period: "with 5 h left", without what came in those."""
    rule = BudgetRule(name="month", period=Period.MONTH, amount=usd("100"), thresholds={WARNING: Share(Fraction(4, 5))})
    late = datetime(2026, 1, 31, 19, tzinfo=UTC)
    first = int(late.timestamp()) // 3600 - 1
    rows = [row(first, "90"), row(first + 4, "5")]
    before = desk_with(rows[0], now=late).facts(late)
    (alert,) = moved([rule], before, (), {"default"})
    assert "with 5 h left" in alert.headline
    turned = desk_with(*rows, row(first + 10, "1"), now=late + 12 * HOUR, days=60).facts(late + 12 * HOUR)
    (ended,) = moved([rule], turned, [alert], {"default"})
    assert ended.reason == "new month"
    assert said(ended, rule)[0] == ("Budget month: $95.00 of $100.00 (95 %) at the end of the month (new month)")
    assert str(ended.value) == "0.95"


@pytest.mark.parametrize(
    ("state", "reason", "headline"),
    [
        pytest.param(AlertState.RESOLVED, "rule removed", "x spent $5 (rule removed)", id="over, and not by the bills"),
        pytest.param(AlertState.RESOLVED, "", "x spent $5", id="over by the bills"),
        pytest.param(AlertState.FIRING, "thresholds changed by edit", "x spent $5", id="on, with another severity"),
    ],
)
def test_headline_when_an_alert_has_a_reason_then_said_at_its_end_alone(
    state: AlertState, reason: str, headline: str
) -> None:
    """An edit that raised it is no end of it."""
    assert replace(firing(), state=state, reason=reason).ended("x spent $5") == headline
