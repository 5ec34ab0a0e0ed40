"""One rule's failure is that rule's alone, and somebody is notified of it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import pytest

from alertd.core.alert import Alert, AlertState, Sample
from alertd.core.alerts.judge import judge
from alertd.core.hours import HourRange
from alertd.core.labels import Labels, Patterns
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.rules.own.failed_rules import FailedRules
from tests.core.builders import HOUR, NOW, RUNNING, Desk, rolling, row

OWN = FailedRules.watching(notify=("finops",))
DAY = HourRange(RUNNING - 24, RUNNING)


@dataclass(frozen=True, kw_only=True)
class Faulty(Rule):
    """A rule with a bug."""

    TYPE: ClassVar[str] = "faulty"
    HELP: ClassVar[str] = "Fails."

    error: Exception | SystemExit = RuntimeError("list index\nout of range")

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Fail."""
        raise self.error


def on(category: str) -> Rule:
    return replace(rolling(name=category), category=Patterns((category,)))


def world(*, slipped: bool) -> Facts:
    """Steady spend in every category; a vendor's slip of units in two of them."""
    desk = Desk()
    for category in ("gpu", "llm", "storage"):
        amount = "500000000" if slipped and category != "storage" else "40"
        rows = [row(RUNNING - n, amount, category=category, owner=f"{category}-{n % 2}") for n in range(1, 5)]
        desk.read(rows, HourRange(RUNNING - 48, RUNNING + 1), category=category)
    return desk.facts()


def judged(rules: list[Rule], facts: Facts, alerts: dict[str, Alert], now: datetime) -> list[str]:
    """Judge once; return each alert's rule, state and group."""
    moves, _ = judge(rules, replace(facts, now=now), alerts, {"default"})
    alerts |= {move.after.fingerprint: move.after for move in moves}
    return sorted(
        f"{alert.rule} {'/'.join(value for _, value in alert.group)} {alert.state}".replace("  ", " ")
        for alert in alerts.values()
    )


def test_rules_when_two_categories_overflow_then_the_third_fires_and_the_failures_are_alerts() -> None:
    """Before, every cycle failed and nothing fired at all."""
    alerts: dict[str, Alert] = {}
    rules = [OWN, on("gpu"), on("llm"), on("storage")]
    assert judged(rules, world(slipped=True), alerts, NOW) == [
        "alertd-rule-failed gpu firing",
        "alertd-rule-failed llm firing",
        "storage storage-0 firing",
        "storage storage-1 firing",
    ]
    failed = next(alert for alert in alerts.values() if dict(alert.labels).get("failed_rule") == "gpu")
    assert failed.headline == 'Rule "gpu" cannot be computed'
    assert dict(failed.facts)["What went wrong"].endswith("adds up to more than 922 million USD")


def test_open_alerts_when_their_rule_fails_then_neither_end_nor_change_until_it_computes_again() -> None:
    """What nobody can judge stays, and the alert about it ends when there is a judgement again."""
    alerts: dict[str, Alert] = {}
    rules = [on("gpu"), on("storage"), OWN]
    judged(rules, world(slipped=False), alerts, NOW)
    before = {name: alert for name, alert in alerts.items() if alert.rule == "gpu"}
    assert len(before) == 2
    shown = judged(rules, world(slipped=True), alerts, NOW + HOUR)
    assert "alertd-rule-failed gpu firing" in shown
    assert {name: alert for name, alert in alerts.items() if alert.rule == "gpu"} == before
    judged(rules, world(slipped=True), alerts, NOW + 5 * HOUR)
    own = next(alert for alert in alerts.values() if alert.rule == OWN.name)
    assert own.value == 4
    assert "alertd-rule-failed gpu resolved" in judged(rules, world(slipped=False), alerts, NOW + 6 * HOUR)
    assert "no longer failing" in next(alert for alert in alerts.values() if alert.rule == OWN.name).headline


def test_rule_when_it_tries_to_leave_the_program_then_it_has_failed_as_any_other() -> None:
    """`sys.exit()` in the rule type of a plugin ended the daemon."""
    alerts: dict[str, Alert] = {}
    shown = judged([Faulty(name="odd", error=SystemExit(3)), on("storage"), OWN], world(slipped=True), alerts, NOW)
    assert shown == ["alertd-rule-failed odd firing", "storage storage-0 firing", "storage storage-1 firing"]


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        pytest.param([OWN], "the rule is gone", id="removed"),
        pytest.param([Faulty(name="odd", enabled=False), OWN], "nobody asks it any more", id="disabled"),
    ],
)
def test_failed_rule_when_it_is_judged_no_more_then_its_failure_ends(rules: list[Rule], why: str) -> None:
    """Nobody has to wait for what will never be computed."""
    alerts: dict[str, Alert] = {}
    judged([Faulty(name="odd"), OWN], world(slipped=False), alerts, NOW)
    (alert,) = alerts.values()
    assert dict(alert.facts)["What went wrong"] == 'RuntimeError: "list index out of range"'
    judged(rules, world(slipped=False), alerts, NOW + HOUR)
    assert [alert.state for alert in alerts.values()] == [AlertState.RESOLVED], why


def test_failed_rules_when_every_rule_is_computed_then_nothing_to_say() -> None:
    """Most of the time."""
    assert OWN.evaluate(world(slipped=False), ()) == []
