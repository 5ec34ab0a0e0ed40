"""
Repeats for receivers that keep alerts themselves, with the data with which each alert was sent.

Such a receiver identifies an alert by its labels, including the severity. So a repeat or end always uses what
was sent before, not the alert's current labels.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from alertd.core.alert import Alert, AlertState
from alertd.core.dataclass import replace
from alertd.core.messages.message import AlertFacts, Message

ENDS_SENT_FOR = timedelta(minutes=15)
"""How long an end is repeated, as in Prometheus, because the receiver may restart before it has notified anybody."""


def last_notified(messages: Iterable[Message]) -> dict[str, AlertFacts]:
    """
    Return the data last sent of each alert while it was firing, by fingerprint.

    Args:
        messages: Delivered messages, oldest first.
    """
    return {facts.fingerprint: facts for message in messages for facts in message.alerts if not facts.is_resolved}


def present_state(
    notified: Iterable[AlertFacts], alerts: Iterable[Alert | None], now: datetime
) -> tuple[AlertFacts, ...]:
    """
    Return the sent data of alerts that still fire, and of those that ended recently; no earlier episodes.

    Args:
        alerts: Alerts with the same fingerprints in the same order; None if no longer known.
    """
    present = (_present(facts, alert, now) for facts, alert in zip(notified, alerts, strict=True) if alert is not None)
    return tuple(facts for facts in present if facts is not None)


def _present(facts: AlertFacts, alert: Alert, now: datetime) -> AlertFacts | None:
    if facts.starts_at != (alert.fired_at or alert.started_at):
        return None
    if alert.state is AlertState.FIRING:
        return facts
    if alert.resolved_at is None or now - alert.resolved_at > ENDS_SENT_FOR:
        return None
    return replace(facts, is_resolved=True, ends_at=alert.resolved_at)
