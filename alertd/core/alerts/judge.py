"""Evaluate every rule: from facts and open alerts to moves, without storing or notifying."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from alertd.core.alert import Alert, AlertState, Rate, Sample
from alertd.core.alerts.lifecycle import Move, closed, end, end_orphans, step_rule
from alertd.core.dataclass import dataclass, replace
from alertd.core.labels import Labels
from alertd.core.resources import Resource
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts, RuleFault
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.own.failed_rules import LABEL, FailedRules
from alertd.core.rules.verdicts import Verdicts
from alertd.core.words import quote

Fault = tuple[str, Exception | SystemExit]
"""A rule's name and its exception."""


def judge(
    rules: Sequence[Rule],
    facts: Facts,
    alerts: Mapping[str, Alert],
    accounts: Collection[str],
    *,
    passed_over: Collection[str] = (),
    steady: Mapping[str, Collection[Labels]] = MappingProxyType({}),
) -> tuple[list[Move], list[Fault]]:
    """
    Advance every alert by one evaluation of every enabled rule, and end those that nothing evaluates any more.

    Args:
        alerts: The latest episode of each alert, by fingerprint, including resolved ones.
        accounts: The polled accounts.
        passed_over: Names of rules that are known to change nothing.
        steady: Groups of open alerts that are known not to change, by rule.

    Returns:
        The move of each alert, changed or not, and the rules that failed: a failure does not affect other rules, and
        its open alerts stay as they are. `FailedRules` is evaluated last, with the failures.
    """
    orphans = end_orphans(alerts, {rule.name: rule for rule in rules}, accounts, facts.now)
    ended = {move.after.fingerprint: move.after for move in orphans}
    by_rule: dict[str, dict[str, Alert]] = {}
    for fingerprint, alert in alerts.items():
        by_rule.setdefault(alert.rule, {})[fingerprint] = ended.get(fingerprint, alert)
    moves: list[Move] = []
    faults: list[Fault] = []
    for rule in sorted(rules, key=lambda rule: isinstance(rule, FailedRules)):
        if not rule.enabled or rule.name in passed_over:
            continue
        of_rule = by_rule.get(rule.name, {})
        known = facts
        if isinstance(rule, FailedRules):
            known = replace(facts, rule_faults=_noted(faults, of_rule, facts.now))
        try:
            moves += _judge_one(rule, known, of_rule, steady.get(rule.name, ()))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- the caller logs it with its traceback; a plugin may raise SystemExit
            faults.append((rule.name, error))
    return [*moves, *orphans], faults


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """How an alert was judged."""

    sample: Sample
    alert: Alert
    """The alert at that time."""
    restated: Decimal | None
    """Its notified value by the bills at that time."""
    resource: Resource | None
    """Its owner's entry in the lists at that time."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Last:
    """The last evaluation of a rule's open alerts."""

    by_group: dict[Labels, _Judged] = field(default_factory=dict)
    verdicts: Verdicts | None = None
    """The verdicts by which they were judged."""
    moves: list[Move] = field(default_factory=list)
    """Their moves by those verdicts, once none of them moved any more."""

    @classmethod
    def of(cls, rule: GroupRule) -> "_Last":
        """Return a rule's last evaluation; empty before the first poll."""
        found = rule.kept.get(_Last)
        if not isinstance(found, _Last):
            rule.kept[_Last] = found = _Last()
        return found

    def are_of(self, opened: Mapping[Labels, Alert], facts: Facts) -> bool:
        """Return whether these are the same alert objects, with the same entries of their owners in the lists."""
        if len(opened) != len(self.moves) or any(
            move.after is not alert for move, alert in zip(self.moves, opened.values(), strict=True)
        ):
            return False
        return not facts.resources or all(
            self.by_group[group].resource == _resource(facts, alert) for group, alert in opened.items()
        )


def _judge_one(rule: Rule, facts: Facts, of_rule: Mapping[str, Alert], steady: Collection[Labels]) -> list[Move]:
    watched = {alert.group: alert for alert in of_rule.values() if alert.state is not AlertState.RESOLVED}
    kept = rule if isinstance(rule, GroupRule) else None
    samples = kept.evaluate(facts, watched, steady) if kept and steady else rule.evaluate(facts, watched)
    same = _all_again(kept, facts, watched) if watched and kept is not None else None
    if same is not None:
        return same
    gone = [(alert, rule.left_out(facts, group)) for group, alert in watched.items() if rule.has_keys_of(group)]
    moves = [Move(before=alert, after=end(alert, reason=why, now=facts.now), rule=rule) for alert, why in gone if why]
    if moves:
        for move in moves:
            del watched[move.after.group]
        samples = rule.evaluate(facts, watched)
    if not (samples or watched or moves):
        # The usual case.
        return moves
    by_group = {sample.group: sample for sample in samples}
    again = _those_again(kept, facts, watched, by_group) if kept is not None else {}
    others = [sample for sample in samples if sample.group not in again]
    moves += [_closed(move, rule, facts) for move in step_rule(rule, others, of_rule, watched, facts.now)]
    opened = [move.after for move in moves if move.after.state is not AlertState.RESOLVED]
    rates = rule.rates(facts, opened) if facts.is_explained and opened else {}
    moves = [_counted(move, rates.get(move.after.group), rule, facts) for move in moves]
    moves += again.values()
    if kept is not None:
        _note(kept, facts, moves, by_group)
    return moves


def _all_again(rule: GroupRule, facts: Facts, watched: Mapping[Labels, Alert]) -> list[Move] | None:
    """Return the moves of a rule's open alerts if its last evaluation changes none of them; else None."""
    verdicts, last = rule.verdicts, _Last.of(rule)
    if verdicts is None or verdicts is not last.verdicts:
        return None
    if last.are_of(watched, facts):
        # The usual case: nothing has changed these alerts since.
        return last.moves
    if last.by_group.keys() != watched.keys():
        return None
    again = _those_again(rule, facts, watched, verdicts.by_group)
    if len(again) < len(watched):
        return None
    last.moves = list(again.values())
    return last.moves


def _those_again(
    rule: GroupRule, facts: Facts, watched: Mapping[Labels, Alert], samples: Mapping[Labels, Sample]
) -> dict[Labels, Move]:
    """Return the moves of those open alerts that the samples do not change."""
    last = _Last.of(rule).by_group
    each = (
        (group, _again(rule, facts, alert, samples.get(group), last.get(group))) for group, alert in watched.items()
    )
    return {group: move for group, move in each if move is not None}


def _note(rule: GroupRule, facts: Facts, moves: Sequence[Move], samples: Mapping[Labels, Sample]) -> None:
    """Record the evaluation of every alert of a rule."""
    found, last = {}, _Last.of(rule).by_group
    for move in moves:
        alert, sample = move.after, samples.get(move.after.group)
        if sample is not None:
            resource, known = _resource(facts, alert), last.get(alert.group)
            is_same = known is not None and known.sample is sample and known.alert is alert
            if known is None or not is_same or (known.restated, known.resource) != (move.restated, resource):
                known = _Judged(sample=sample, alert=alert, restated=move.restated, resource=resource)
            found[alert.group] = known
    rule.kept[_Last] = _Last(by_group=found, verdicts=rule.verdicts)


def _again(rule: GroupRule, facts: Facts, alert: Alert, sample: Sample | None, last: _Judged | None) -> Move | None:
    """
    Return the move of an alert whose group has not changed since the last evaluation; None if it must be evaluated.

    The same sample object means that the group did not move, and that the hour and the missing data are
    the same: then a firing alert stays as it is, whatever was recorded on it since.
    """
    is_firing = alert.state is AlertState.FIRING and alert.condition_ended_at is None
    if last is None or sample is not last.sample or not is_firing or alert.rule_digest != rule.digest():
        return None
    judged = last.alert
    if alert is judged and not facts.resources:
        return Move(before=alert, after=alert, rule=rule, restated=last.restated)
    # Compare with this rule's own evaluation, not with the store or another evaluation.
    is_own = alert.headline is judged.headline and alert.value is judged.value and alert.episode == judged.episode
    is_noted = alert.notified_severity is None or alert.notified_severity <= alert.severity
    is_counted = (alert.billed is None) == (judged.billed is None) and alert.severity is judged.severity
    is_rated = alert.rate is judged.rate or alert.rate == judged.rate
    if not (is_own and is_noted and is_counted and is_rated):
        return None
    if _resource(facts, alert) != last.resource:
        return None
    is_notified_since = (alert.notified_as_of, alert.notified_value) != (judged.notified_as_of, judged.notified_value)
    restated = _restated(alert, rule, facts) if is_notified_since else last.restated
    return Move(before=alert, after=alert, rule=rule, restated=restated)


def _resource(facts: Facts, alert: Alert) -> Resource | None:
    """Return the entry of an alert's owner in the lists, which has its rate if no bill does."""
    owner = dict(alert.group).get("owner") if facts.resources else None
    return facts.resource_of(alert.account, owner) if owner else None


def _closed(move: Move, rule: Rule, facts: Facts) -> Move:
    """Give an alert that ended with its period that period's final value."""
    sample = rule.closing(facts, move.after) if move.is_turn else None
    return move if sample is None else replace(move, after=closed(move.after, sample, rule))


def _counted(move: Move, rate: Rate | None, rule: Rule, facts: Facts) -> Move:
    """Record what the group was billed, its current rate, and the notified value by the current bills."""
    alert = move.after
    billed = alert.billed if alert.state is AlertState.RESOLVED else rule.counted(facts, alert)
    if billed != alert.billed or rate != alert.rate:
        alert = replace(alert, billed=billed, rate=rate)
    return Move(before=move.before, after=alert, rule=move.rule, restated=_restated(alert, rule, facts))


def _noted(faults: Sequence[Fault], alerts: Mapping[str, Alert], now: datetime) -> dict[str, RuleFault]:
    """Return the failures, each since its alert began."""
    begun = {
        dict(alert.group).get(LABEL): alert.started_at
        for alert in alerts.values()
        if alert.state is not AlertState.RESOLVED
    }
    return {rule: RuleFault(text=_in_words(error), since=begun.get(rule, now)) for rule, error in faults}


def _in_words(error: Exception | SystemExit) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OverflowError) and text:
        return text
    # The text of a bug may contain anything, so it is cut.
    return f"{type(error).__name__}{f': {quote(text)}' if text else ''}"


def _restated(alert: Alert, rule: Rule, facts: Facts) -> Decimal | None:
    if alert.state is not AlertState.FIRING or alert.notified_as_of is None:
        return None
    return rule.restated(facts, alert, alert.notified_as_of)
