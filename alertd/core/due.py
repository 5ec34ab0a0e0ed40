"""Is a notification due, and why."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from alertd.core.alert import Alert, AlertState
from alertd.core.lifecycle import Move
from alertd.core.message import NotifyReason
from alertd.core.rules.base import Rule

LONGEST_REPEAT = timedelta(days=7)
"""A repeat interval does not grow past a week."""


def notify_reason(move: Move, now: datetime) -> NotifyReason | None:
    """
    Return why this alert is to be told now, or None.

    Due are: the beginning, a higher severity, the end of what was told, and a repeat while it fires. A lower severity
    is no news. An acknowledged alert is not repeated.
    """
    before, after = move.before, move.after
    if after.state is AlertState.RESOLVED:
        return _end_reason(before, after, move.rule)
    if after.state is not AlertState.FIRING:
        return None
    if before is None or before.state is not AlertState.FIRING or after.told_at is None:
        return NotifyReason.FIRST
    if after.severity > before.severity:
        return NotifyReason.RAISED
    if move.rule is not None and after.acknowledged_by is None and _is_repeat_due(after, move.rule, now):
        return NotifyReason.REPEAT
    return None


def _end_reason(before: Alert | None, after: Alert, rule: Rule | None) -> NotifyReason | None:
    was_firing = before is not None and before.state is AlertState.FIRING
    wanted = rule is None or rule.send_resolved
    return NotifyReason.RESOLVED if was_firing and after.told_at is not None and wanted else None


def repeat_interval(rule: Rule, told_count: int) -> timedelta | None:
    """Return the wait before the repeat number *told_count* + 1, None for never."""
    if rule.repeat_interval is None:
        return None
    longest = max(LONGEST_REPEAT, rule.repeat_interval)
    # From 64 repeats on every factor above 1 has long met the longest interval, or is too slow to matter.
    factor = rule.repeat_backoff ** min(told_count, 64)
    if rule.repeat_interval.total_seconds() * factor >= longest.total_seconds():
        return longest
    return rule.repeat_interval * float(factor)


def _is_repeat_due(alert: Alert, rule: Rule, now: datetime) -> bool:
    if alert.told_at is None:
        return False
    interval = repeat_interval(rule, alert.told_count)
    if interval is not None and now - alert.told_at >= interval:
        return True
    step = rule.repeat_step(alert)
    told = alert.told_value if alert.told_value is not None else Decimal(0)
    return step is not None and alert.value - told >= step


def told(alert: Alert, reason: NotifyReason, receivers: tuple[str, ...], now: datetime) -> Alert:
    """Note on the alert that a notification became due: when, with which value, for whom."""
    known = () if reason is NotifyReason.FIRST else alert.told_receivers
    return replace(
        alert,
        told_at=now,
        told_value=alert.value,
        told_count=alert.told_count + 1 if reason is NotifyReason.REPEAT else 0,
        # An acknowledgement is of what was told then: a rise is news, and is repeated until it is acknowledged itself.
        acknowledged_by=None if reason is NotifyReason.RAISED else alert.acknowledged_by,
        told_receivers=tuple(dict.fromkeys((*known, *receivers))),
    )
