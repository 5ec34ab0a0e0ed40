"""
What a receiver that keeps the alerts itself is sent again: each alert by the facts that it was sent with.

Such a receiver knows an alert by its labels, the severity among them. So what is sent again, or ended, is always what
was sent before, not what the alert would be like today.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from alertd.core.alert import Alert, AlertState
from alertd.core.messages.message import AlertFacts, Message

ENDS_SENT_FOR = timedelta(minutes=15)
"""An end is sent again for so long, as Prometheus does: the receiver may restart before it has notified anybody."""


def last_notified(messages: Iterable[Message]) -> dict[str, AlertFacts]:
    """
    Return by fingerprint what was last sent of each alert while it fired.

    Args:
        messages: Delivered ones, oldest first.
    """
    return {facts.fingerprint: facts for message in messages for facts in message.alerts if not facts.is_resolved}


def present_state(
    notified: Iterable[AlertFacts], alerts: Iterable[Alert | None], now: datetime
) -> tuple[AlertFacts, ...]:
    """
    Return what was sent of alerts that still fire, and with its end what ended lately; nothing of earlier episodes.

    Args:
        alerts: Of the same fingerprints in the same order, None where one is not known any more.
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
