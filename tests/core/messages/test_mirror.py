"""What a receiver that keeps alerts is notified again: what was notified, in its present state."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alertd.core.alert import Alert, AlertState
from alertd.core.messages.message import AlertFacts
from alertd.core.messages.mirror import last_notified, present_state
from alertd.core.severity import Severity
from tests.builders import NOON, alert_facts, firing_message, resolved_message, storm_message
from tests.core.builders import firing

BEGAN = NOON - timedelta(minutes=5)
NOW = NOON + timedelta(hours=2)
ENDED = {"state": AlertState.RESOLVED, "resolved_at": NOW - timedelta(minutes=14)}


def of_alert(**changes: object) -> Alert:
    return replace(firing(), fired_at=BEGAN, **changes)  # type: ignore[arg-type]


def test_notified_when_its_severity_rose_then_as_it_was_notified_last_while_it_fired() -> None:
    """The end carries the severity that the alert has then, which may never have been notified."""
    risen = firing_message(alerts=(alert_facts(severity=Severity.CRITICAL),))
    notified = last_notified((storm_message(), firing_message(), risen, resolved_message()))
    assert notified[alert_facts().fingerprint] == alert_facts(severity=Severity.CRITICAL)
    assert len(notified) == 20


def as_ended(facts: AlertFacts) -> AlertFacts:
    return replace(facts, is_resolved=True, ends_at=NOW - timedelta(minutes=14))


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        pytest.param(of_alert(), (alert_facts(),), id="fires still: as it was told"),
        pytest.param(of_alert(severity=Severity.INFO), (alert_facts(),), id="lower, which is no news: as it was told"),
        pytest.param(of_alert(**ENDED), (as_ended(alert_facts()),), id="ended lately: with its end"),
        pytest.param(of_alert(**ENDED | {"resolved_at": NOW - timedelta(minutes=16)}), (), id="ended long ago"),
        pytest.param(replace(of_alert(), fired_at=NOW), (), id="another episode, not told yet"),
        pytest.param(
            replace(of_alert(), state=AlertState.PENDING, fired_at=None, started_at=NOW), (), id="pending again"
        ),
        pytest.param(None, (), id="not known any more"),
    ],
)
def test_alert_when_notified_again_then_present_state(alert: Alert | None, expected: tuple[AlertFacts, ...]) -> None:
    """A receiver knows an alert by the labels that it was notified with: others would be another alert."""
    assert present_state((alert_facts(),), (alert,), NOW) == expected
