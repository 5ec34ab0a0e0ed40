"""Whether a notification is due, and why."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from alertd.core.alert import Address, Alert, AlertState
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import replace
from alertd.core.rules.base import Rule
from alertd.core.values import format_value
from alertd.core.words import format_instant

CORRECTED_FROM = Decimal("0.1")
"""A notified value is corrected if later data changes it by more than this fraction."""
LONGEST_REPEAT = timedelta(days=7)
"""Longest repeat interval: a week."""


def notify_reason(move: Move, now: datetime) -> NotifyReason | None:
    """
    Return why a notification of this alert is due now, or None.

    Due are: the beginning, a severity above the notified one, the end of a notified alert, its escalation, a repeat
    while it fires, and a correction if later data changes the notified value. A lower severity is no news. An
    acknowledged alert is neither escalated nor repeated. A withheld notification stays due: only notified states count.
    """
    before, after = move.before, move.after
    if after.state is AlertState.RESOLVED:
        return _end_reason(before, after, move.rule)
    return _firing_reason(move, now) if after.state is AlertState.FIRING else None


def _firing_reason(move: Move, now: datetime) -> NotifyReason | None:
    after = move.after
    if after.notified_at is None:
        return NotifyReason.FIRST
    if after.notified_severity is None or after.severity > after.notified_severity:
        return NotifyReason.RAISED
    if move.rule is not None and after.acknowledged_by is None and not move.rule.is_event(after):
        # If both are due, the repeat goes first: else the escalation's receivers would get it right afterwards.
        if _is_repeat_due(after, move.rule, now):
            return NotifyReason.REPEAT
        if _is_escalation_due(after, move.rule, now):
            return NotifyReason.ESCALATED
    return NotifyReason.CORRECTED if _is_correction_due(move) else None


def _end_reason(before: Alert | None, after: Alert, rule: Rule | None) -> NotifyReason | None:
    was_firing = before is not None and before.state is AlertState.FIRING
    wanted = rule is None or (rule.send_resolved and not rule.is_event(after))
    return NotifyReason.RESOLVED if was_firing and after.notified_at is not None and wanted else None


class Calm:
    """Moves of which no notification is due before a known instant; lives as long as what the daemon knows."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[Move, datetime]] = {}

    def note(self, move: Move) -> None:
        """Record a move that changes nothing, and of which nothing is due now."""
        alert, rule, until = move.after, move.rule, datetime.max.replace(tzinfo=UTC)
        if alert.state is AlertState.FIRING and rule is not None and alert.acknowledged_by is None:
            until = next_due_at(alert, rule) or until
        self._until[alert.fingerprint] = move, until

    def holds(self, move: Move, now: datetime) -> bool:
        """Return whether this very move was recorded, and nothing of it has become due since."""
        known = self._until.get(move.after.fingerprint)
        return known is not None and known[0] is move and now < known[1]

    def drop(self, move: Move) -> None:
        """Forget an alert that has changed."""
        self._until.pop(move.after.fingerprint, None)


def repeat_interval(rule: Rule, repeat_count: int) -> timedelta | None:
    """Return the wait before repeat number *repeat_count* + 1; None for never."""
    if rule.repeat_interval is None or not repeat_count:
        return rule.repeat_interval
    longest = max(LONGEST_REPEAT, rule.repeat_interval)
    # After 64 repeats every factor above 1 has reached the longest interval, or is too close to 1 to matter.
    factor = rule.repeat_backoff ** min(repeat_count, 64)
    if rule.repeat_interval.total_seconds() * factor >= longest.total_seconds():
        return longest
    return rule.repeat_interval * float(factor)


def next_due_at(alert: Alert, rule: Rule) -> datetime | None:
    """
    Return when a notification of a firing alert becomes due by time alone: its repeat or escalation.

    None if only a change of the alert can make one due.
    """
    found = [repeat_at(alert, rule), _escalation_at(alert, rule)]
    return min((instant for instant in found if instant is not None), default=None)


def repeat_at(alert: Alert, rule: Rule) -> datetime | None:
    """Return when a notified alert is repeated; None for never."""
    interval = repeat_interval(rule, alert.repeat_count)
    return None if interval is None or alert.notified_at is None else alert.notified_at + interval


def _is_repeat_due(alert: Alert, rule: Rule, now: datetime) -> bool:
    if alert.notified_at is None:
        return False
    at = repeat_at(alert, rule)
    if at is not None and now >= at:
        return True
    if rule.repeat_every is None or alert.billed is None:
        return False
    return alert.billed.total - alert.billed.notified >= rule.repeat_every


def _is_correction_due(move: Move) -> bool:
    was, is_now = move.after.notified_value, move.restated
    if was is None or is_now is None or was == is_now:
        return False
    return abs(is_now - was) > abs(was) * CORRECTED_FROM


def corrected(move: Move, now: datetime) -> Alert:
    """Record on the alert that its notified value was corrected, and how."""
    alert = move.after
    if move.restated is None or alert.notified_value is None or alert.notified_as_of is None:
        return alert
    was, is_now = (format_value(value, alert.unit) for value in (alert.notified_value, move.restated))
    through = format_instant(alert.notified_as_of)
    text = f"Corrected {format_instant(now)}: was {was}, now {is_now} for the same hours, billed through {through}."
    return replace(alert, notified_value=move.restated, corrected=text)


def _escalation_at(alert: Alert, rule: Rule) -> datetime | None:
    if rule.escalate is None or alert.escalated_at is not None or alert.fired_at is None:
        return None
    return alert.fired_at + rule.escalate.after


def _is_escalation_due(alert: Alert, rule: Rule, now: datetime) -> bool:
    at = _escalation_at(alert, rule)
    return at is not None and now >= at


def notified(alert: Alert, reason: NotifyReason, addresses: tuple[Address, ...], now: datetime) -> Alert:
    """Record on the alert that a notification became due: when, with which value, for whom."""
    known = () if reason is NotifyReason.FIRST else alert.notified_to
    to = tuple(dict.fromkeys((*known, *addresses)))
    if reason is NotifyReason.ESCALATED:
        # The other receivers keep their own intervals.
        return replace(alert, escalated_at=now, notified_to=to)
    return replace(
        alert,
        notified_at=now,
        notified_value=alert.value,
        notified_as_of=alert.as_of if alert.is_window else None,
        notified_severity=alert.severity,
        billed=replace(alert.billed, notified=alert.billed.total) if alert.billed is not None else None,
        corrected="",
        repeat_count=alert.repeat_count + 1 if reason is NotifyReason.REPEAT else 0,
        notified_to=to,
    )
