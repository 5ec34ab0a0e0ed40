"""
The life of an alert: `pending → firing → resolved`.

The most important rule: incomplete data may begin an alert or raise its severity, but never ends or lowers one. Only
the end of a calendar period ends an alert whatever the data, because the alert was about that period.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from alertd.core.alert import ACCOUNT_SEPARATOR, Alert, AlertState, Sample
from alertd.core.alert_event import Moved, Standing
from alertd.core.dataclass import dataclass, replace
from alertd.core.labels import Labels, fingerprint
from alertd.core.rules.base import Rule
from alertd.core.severity import Severity

_NO_WAIT = timedelta()
_TURN = "new "
"""The beginning of the reason of an alert that ended with its calendar period."""


def step(alert: Alert | None, sample: Sample, rule: Rule, now: datetime) -> Alert | None:
    """
    Advance one alert by one evaluation.

    Args:
        alert: As stored; None or resolved if none is open.
        sample: The evaluation's result; groups without data have no sample and are not advanced.

    Returns:
        The alert afterwards; the same object, or None, if nothing begins.
    """
    # An edit of the period or its zone does not end the period: the alert continues by the new rule.
    if alert is not None and alert.rule_digest == rule.digest() and (turned := _at_turn(alert, sample, now)):
        return turned
    reached = sample.reached if sample.is_complete or sample.may_raise else None
    if alert is None or alert.state is AlertState.RESOLVED:
        return alert if reached is None else _begin(alert, sample, rule, reached, now)
    if alert.state is AlertState.PENDING:
        after = _step_pending(alert, sample, rule, reached, now)
    else:
        after = _step_firing(alert, sample, rule, reached, now)
    is_moved = (alert.state, alert.severity) != (after.state, after.severity)
    if after.severity != alert.severity:
        after = replace(after, threshold=sample.threshold_of(after.severity))
    if after.severity > alert.severity:
        # An acknowledgement covers the severity that was shown: a rise is news, even while a silence withholds it.
        after = replace(after, acknowledged_by=None, acknowledged_at=None)
    if is_moved:
        after = replace(after, reason=_edit_reason(alert, after, sample, rule))
    return _observed(after, sample, rule, is_judged=is_moved or sample.is_complete)


def end(alert: Alert, *, reason: str, now: datetime) -> Alert:
    """Resolve an alert that no rule evaluates any more, e.g. because its rule was removed; its last value stays."""
    return replace(alert, state=AlertState.RESOLVED, resolved_at=now, reason=reason)


def closed(alert: Alert, sample: Sample, rule: Rule) -> Alert:
    """Return an alert that ended with its period, with that period's final value."""
    return _observed(alert, sample, rule, is_judged=True)


def _at_turn(alert: Alert, sample: Sample, now: datetime) -> Alert | None:
    """
    Return the alert if the sample is of another calendar period; None if it is of the same one or the alert has ended.

    A later period ends it, and may begin a new episode at the next evaluation. An earlier one
    occurs if the data edge moves back because the newest rows were withdrawn: then nothing changes.
    """
    if alert.period_start is None or sample.period_start is None or sample.period_start == alert.period_start:
        return None
    if sample.period_start < alert.period_start:
        return alert
    return None if alert.state is AlertState.RESOLVED else end(alert, reason=f"{_TURN}{sample.period}", now=now)


def numbered_from(moves: Iterable["Move"], first: int) -> list["Move"]:
    """Return moves in which alerts that were not stored number their episodes from a given one."""
    return [
        move if move.before is not None else replace(move, after=replace(move.after, episode=first)) for move in moves
    ]


def _begin(past: Alert | None, sample: Sample, rule: Rule, reached: Severity, now: datetime) -> Alert:
    fires = rule.for_ <= _NO_WAIT
    begun = Alert(
        fingerprint=fingerprint(rule.name, sample.group),
        rule=rule.name,
        type=rule.TYPE,
        account=sample.account,
        group=sample.group,
        labels=sample.labels,
        headline=sample.headline,
        episode=past.episode + 1 if past is not None else 1,
        state=AlertState.FIRING if fires else AlertState.PENDING,
        severity=reached,
        value=sample.value,
        threshold=sample.threshold_of(reached),
        unit=sample.unit,
        as_of=sample.as_of,
        is_complete=sample.is_complete,
        started_at=now,
        fired_at=now if fires else None,
        rule_digest=rule.digest(),
        peak=sample.value,
    )
    return _observed(begun, sample, rule, is_judged=True)


def _step_pending(alert: Alert, sample: Sample, rule: Rule, reached: Severity | None, now: datetime) -> Alert:
    if reached is not None:
        severity = reached if sample.is_complete else max(reached, alert.severity)
        if now - alert.started_at >= rule.for_:
            return replace(alert, state=AlertState.FIRING, fired_at=now, severity=severity)
        return replace(alert, severity=severity)
    if sample.is_complete:
        return replace(alert, state=AlertState.RESOLVED, resolved_at=now)
    return alert


def _step_firing(alert: Alert, sample: Sample, rule: Rule, reached: Severity | None, now: datetime) -> Alert:
    if reached is not None and reached > alert.severity:
        return replace(alert, severity=reached, condition_ended_at=None)
    if not sample.is_complete:
        # Missing data may hide that the condition holds: the time since it ended does not start, but continues.
        return alert if sample.held is None else replace(alert, condition_ended_at=None)
    if sample.held is not None:
        if sample.held >= alert.severity and alert.condition_ended_at is None:
            return alert
        return replace(alert, severity=min(alert.severity, sample.held), condition_ended_at=None)
    ended_at = alert.condition_ended_at or now
    if now - ended_at >= rule.keep_firing_for:
        return replace(alert, state=AlertState.RESOLVED, resolved_at=now)
    return replace(alert, condition_ended_at=ended_at)


def _observed(alert: Alert, sample: Sample, rule: Rule, *, is_judged: bool) -> Alert:
    """
    Apply the evaluation's values, whatever the new state.

    Args:
        is_judged: Whether the rule's text has had its full effect; until then an edit may still be named as the reason.
    """
    threshold = sample.threshold_of(alert.severity) if is_judged else None
    is_same_unit = sample.unit is alert.unit
    notified = alert.notified_severity
    return replace(
        alert,
        # A severity that was left and is reached again is news again.
        notified_severity=min(notified, alert.severity) if notified is not None else None,
        # A different value because of an edit of the rule is not a correction of what was notified.
        notified_as_of=alert.notified_as_of if is_same_unit and alert.rule_digest == rule.digest() else None,
        # A value notified in another unit must not be read in this one.
        notified_value=alert.notified_value if is_same_unit else None,
        type=rule.TYPE,
        account=sample.account,
        labels=sample.labels,
        headline=sample.headline,
        value=sample.value,
        unit=sample.unit,
        threshold=threshold if threshold is not None or not is_same_unit else alert.threshold,
        as_of=sample.as_of,
        expected=sample.expected,
        lagging=sample.lagging,
        is_window=sample.is_window,
        is_complete=sample.is_complete,
        peak=_worse(alert.peak, sample) if is_same_unit else sample.value,
        top=sample.top,
        table_note=sample.table_note,
        caveats=sample.caveats,
        facts=sample.facts,
        url=sample.url,
        period_start=sample.period_start,
        is_below=sample.is_below,
        rule_digest=rule.digest() if is_judged else alert.rule_digest,
    )


def _worse(peak: Decimal, sample: Sample) -> Decimal:
    return min(peak, sample.value) if sample.is_below else max(peak, sample.value)


def _edit_reason(before: Alert, after: Alert, sample: Sample, rule: Rule) -> str:
    """Return the reason if an edit of the rule moved the alert; with a threshold only if that explains the move."""
    if before.rule_digest == rule.digest():
        return ""
    old, new = before.threshold, sample.threshold_of(before.severity)
    if old is None or new is None or old == new or before.unit is not sample.unit:
        return "rule edited"
    is_worse = after.state is AlertState.FIRING and (
        before.state is AlertState.PENDING or after.severity > before.severity
    )
    is_eased = (new > old) is not sample.is_below
    return f"threshold {'raised' if new > old else 'lowered'} by edit" if is_eased is not is_worse else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An alert before and after a cycle, and the rule that evaluated it; no rule if it was removed."""

    before: Alert | None
    after: Alert
    rule: Rule | None
    restated: Decimal | None = None
    """The notified value by the current bills; None if that is unknown or none was notified."""

    @property
    def is_change(self) -> bool:
        """Whether anything is to be stored."""
        return self.before != self.after

    @property
    def is_rise(self) -> bool:
        """Whether the alert began, fired or became more severe."""
        before, after = self.before, self.after
        if after.state is AlertState.RESOLVED:
            return False
        if before is None or before.state is AlertState.RESOLVED:
            return True
        return after.state is not before.state or after.severity > before.severity

    @property
    def is_turn(self) -> bool:
        """Whether the alert ended with its calendar period."""
        return self.after.state is AlertState.RESOLVED and self.after.reason.startswith(_TURN)

    @property
    def arrow(self) -> str:
        """The change of state for logs, `pending -> firing (critical)`; empty if state and severity are unchanged."""
        move = moved(self.before, self.after)
        return move.text if move.before != move.after else ""


def moved(before: Alert | None, after: Alert) -> Moved:
    """Return an alert's state after a cycle, for its history."""
    return Moved(
        before=_standing(before) if before is not None else None,
        after=_standing(after),
        value=after.value,
        unit=after.unit,
        threshold=after.threshold if after.is_reached else None,
        is_below=after.is_below,
        expected=after.expected,
        as_of=after.as_of,
        lagging=after.lagging,
        is_complete=after.is_complete,
        reason=after.reason,
        caveats=after.caveats,
    )


def _standing(alert: Alert) -> Standing:
    return Standing(state=alert.state, severity=None if alert.state is AlertState.RESOLVED else alert.severity)


def step_rule(
    rule: Rule, samples: list[Sample], alerts: Mapping[str, Alert], open_groups: Mapping[Labels, Alert], now: datetime
) -> list[Move]:
    """
    Advance every alert of one rule.

    Args:
        samples: The rule's evaluation; at most one sample for each group.
        alerts: Every stored alert of the rule by fingerprint, including resolved ones, which number episodes.
        open_groups: The open ones among them by group.
    """
    moves = []
    for sample in samples:
        if not rule.has_keys_of(sample.group):
            # A group of an earlier `group_by`: it ends below, with its own reason.
            continue
        before = alerts.get(fingerprint(rule.name, sample.group))
        after = step(before, sample, rule, now)
        if after is not None and after is not before:
            moves.append(Move(before=before, after=after, rule=rule))
    for group, alert in open_groups.items():
        if not rule.has_keys_of(group):
            ended = end(alert, reason="group_by changed by edit", now=now)
            moves.append(Move(before=alert, after=ended, rule=rule))
    return moves


def end_orphans(
    alerts: Mapping[str, Alert], rules: Mapping[str, Rule], accounts: Collection[str], now: datetime
) -> list[Move]:
    """Resolve the open alerts that nothing evaluates any more: the rule or account was removed or disabled."""
    moves, reasons = [], dict[tuple[str, str], str]()
    for alert in alerts.values():
        if alert.state is AlertState.RESOLVED:
            continue
        # Thousands of alerts are of a few rules and accounts.
        reason = reasons.get((alert.rule, alert.account))
        if reason is None:
            reason = _orphaned(alert.account, rules.get(alert.rule), accounts)
            reasons[alert.rule, alert.account] = reason
        if reason:
            moves.append(Move(before=alert, after=end(alert, reason=reason, now=now), rule=rules.get(alert.rule)))
    return moves


def _orphaned(account: str, rule: Rule | None, accounts: Collection[str]) -> str:
    if rule is None:
        return "rule removed"
    if not rule.enabled:
        return "rule disabled"
    if account in accounts:
        return ""
    known = account.split(ACCOUNT_SEPARATOR) if account else []
    return "account removed" if known and not any(name in accounts for name in known) else ""
