"""
What a receiver that keeps the alerts itself is told again: each alert by the facts that it was told with.

Such a receiver knows an alert by its labels, the severity among them. So what is told again, or ended, is always what
was told, not what the alert would look like today.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from alertd.core.alert import Alert, AlertState
from alertd.core.messages.message import AlertFacts, Message

ENDS_TOLD_FOR = timedelta(minutes=15)
"""An end is told again for so long, as Prometheus does: the receiver may restart before it has told anybody."""


def last_notified(messages: Iterable[Message]) -> dict[str, AlertFacts]:
    """
    Return by fingerprint how each alert was told last while it fired.

    Args:
        messages: Delivered ones, oldest first.
    """
    return {facts.fingerprint: facts for message in messages for facts in message.alerts if not facts.is_resolved}


def as_it_stands(
    notified: Iterable[AlertFacts], alerts: Iterable[Alert | None], now: datetime
) -> tuple[AlertFacts, ...]:
    """
    Return what was told of alerts that fire still, and with its end what ended lately; nothing of earlier episodes.

    Args:
        alerts: Of the same fingerprints in the same order, None where one is not known any more.
    """
    standing = (
        _standing(facts, alert, now) for facts, alert in zip(notified, alerts, strict=True) if alert is not None
    )
    return tuple(facts for facts in standing if facts is not None)


def _standing(facts: AlertFacts, alert: Alert, now: datetime) -> AlertFacts | None:
    if facts.starts_at != (alert.fired_at or alert.started_at):
        return None
    if alert.state is AlertState.FIRING:
        return facts
    if alert.resolved_at is None or now - alert.resolved_at > ENDS_TOLD_FOR:
        return None
    return replace(facts, is_resolved=True, ends_at=alert.resolved_at)
