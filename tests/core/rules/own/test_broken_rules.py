"""The alert that alertd raises of itself about its rules file."""

from datetime import timedelta

import pytest

from alertd.core.alert import AlertState
from alertd.core.alerts.due import notified, notify_reason
from alertd.core.alerts.lifecycle import Move, step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.rules.facts import Facts
from alertd.core.rules.own.broken_rules import RulesBroken
from alertd.core.rules.records import ReloadOutcome
from alertd.core.severity import Severity
from tests.core.builders import NOW, Desk

RULE = RulesBroken.watching(notify=("finops",))
BROKEN = ReloadOutcome(faults=("rules.yaml:3:5: unknown key",), broken_since=NOW - timedelta(hours=2))


def facts(file: ReloadOutcome) -> Facts:
    base = Desk().facts()
    return Facts(now=base.now, spend=base.spend, data=base.data, rules_file=file)


def test_file_when_in_force_then_no_alert() -> None:
    """Most of the time there is nothing to say."""
    assert RULE.evaluate(facts(ReloadOutcome(changes="1 rule added (a)")), ()) == []


@pytest.mark.parametrize(
    ("count", "headline", "named", "more"),
    [
        pytest.param(1, "The rules file has a mistake", ["Mistake"], [], id="one"),
        pytest.param(2, "The rules file has 2 mistakes", ["Mistake 1", "Mistake 2"], [], id="two"),
        pytest.param(5, "The rules file has 5 mistakes", [f"Mistake {n}" for n in range(1, 6)], [], id="five"),
        pytest.param(
            6, "The rules file has 6 mistakes", [f"Mistake {n}" for n in range(1, 6)], ["1 mistake"], id="one more"
        ),
        pytest.param(
            7, "The rules file has 7 mistakes", [f"Mistake {n}" for n in range(1, 6)], ["2 mistakes"], id="two more"
        ),
    ],
)
def test_file_when_broken_then_says_where(count: int, headline: str, named: list[str], more: list[str]) -> None:
    """Whoever edits the file is shown the place of each mistake, up to a bound."""
    file = ReloadOutcome(faults=tuple(f"rules.yaml:{n}:1: wrong" for n in range(1, count + 1)), broken_since=NOW)
    (sample,) = RULE.evaluate(facts(file), ())
    assert sample.headline == f"{headline}: the rules from before the edit stay in force"
    assert list(sample.facts) == [
        *((name, f"rules.yaml:{n}:1: wrong") for n, name in enumerate(named, 1)),
        *(("And more", text) for text in more),
    ]
    assert sample.reached is Severity.WARNING


def test_file_when_broken_for_long_then_notified_once_and_its_end_with_what_changed() -> None:
    """A forgotten typo is no reason to nag; that it is mended is news."""
    (sample,) = RULE.evaluate(facts(BROKEN), ())
    assert sample.value == 2
    alert = step(None, sample, RULE, NOW)
    assert alert is not None
    assert notify_reason(Move(before=None, after=alert, rule=RULE), NOW) is NotifyReason.FIRST
    alert = notified(alert, NotifyReason.FIRST, (), NOW)
    later = NOW + timedelta(days=30)
    (sample,) = RULE.evaluate(facts(BROKEN), ((),))
    again = step(alert, sample, RULE, later)
    assert again is not None
    assert notify_reason(Move(before=alert, after=again, rule=RULE), later) is None
    (sample,) = RULE.evaluate(facts(ReloadOutcome(changes="1 rule added (a)")), ((),))
    ended = step(again, sample, RULE, later)
    assert ended is not None
    assert (ended.state, ended.headline) == (
        AlertState.RESOLVED,
        "The rules file is in force again: 1 rule added (a)",
    )
