"""Judge every rule over what is known: from facts and open alerts to moves. Storing and notifying are not here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from alertd.core.alert import Alert, AlertState, Rate, Sample
from alertd.core.alerts.lifecycle import Move, closed, end, end_orphans, step_rule
from alertd.core.labels import Labels
from alertd.core.resources import Resource
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts, RuleFault
from alertd.core.rules.group_rule import GroupRule, Judged
from alertd.core.rules.own.failed_rules import LABEL, FailedRules
from alertd.core.words import quote

Fault = tuple[str, Exception | SystemExit]
"""A rule's name and what went wrong in it."""


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
    Move every alert by one evaluation of every enabled rule, and end those that nothing judges any more.

    Args:
        alerts: By fingerprint, the latest episode of each, resolved ones included.
        accounts: Those that are polled.
        passed_over: The names of rules of which it is known that they would move nothing.
        steady: By rule the groups of open alerts of which that is known.

    Returns:
        What was seen of each alert, changed or not, and the rules that failed: one that fails holds up no other, and
        its open alerts stay as they are. `FailedRules` is judged last, by what failed.
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
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- the caller logs it with its trace; a plugin may try to leave
            faults.append((rule.name, error))
    return [*moves, *orphans], faults


def _judge_one(rule: Rule, facts: Facts, of_rule: Mapping[str, Alert], steady: Collection[Labels]) -> list[Move]:
    watched: dict[Labels, Alert] = {
        alert.group: alert for alert in of_rule.values() if alert.state is not AlertState.RESOLVED
    }
    kept = rule if isinstance(rule, GroupRule) else None
    if watched and kept is not None and kept.is_unmoved(facts, watched):
        same = [_again(kept, facts, alert, kept.last_sample(alert.group)) for alert in watched.values()]
        if None not in same and kept.judged.keys() == watched.keys():
            return [move for move in same if move is not None]
    moves = []
    for group, alert in [(group, alert) for group, alert in watched.items() if rule.has_keys_of(group)]:
        if why := rule.left_out(facts, group):
            del watched[group]
            moves.append(Move(before=alert, after=end(alert, reason=why, now=facts.now), rule=rule))
    samples = kept.evaluate(facts, watched, steady) if kept and steady else rule.evaluate(facts, watched)
    if not (samples or watched or moves):
        # As of most rules at most polls.
        return moves
    by_group = {sample.group: sample for sample in samples}
    again: dict[Labels, Move] = {}
    if kept is not None:
        known = ((group, _again(kept, facts, alert, by_group.get(group))) for group, alert in watched.items())
        again = {group: move for group, move in known if move is not None}
    others = [sample for sample in samples if sample.group not in again]
    stepped = step_rule(rule, others, of_rule, watched, facts.now)
    moves += [_counted(_closed(move, rule, facts), rule, facts) for move in stepped]
    opened = [move.after for move in moves if move.after.state is not AlertState.RESOLVED]
    rates = rule.rates(facts, opened) if facts.is_explained else {}
    moves = [_restated(_rated(move, rates.get(move.after.group)), rule, facts) for move in moves]
    moves += again.values()
    if kept is not None:
        _note(kept, facts, moves, by_group)
    return moves


def _note(rule: GroupRule, facts: Facts, moves: Sequence[Move], samples: Mapping[Labels, Sample]) -> None:
    """Note what every alert of a rule was judged by."""
    rule.judged.clear()
    for move in moves:
        alert, sample = move.after, samples.get(move.after.group)
        if sample is not None:
            resource = _resource(facts, alert)
            rule.judged[alert.group] = Judged(sample=sample, alert=alert, restated=move.restated, resource=resource)


def _rated(move: Move, rate: Rate | None) -> Move:
    """Note what the group costs now; the API's list may say so where no bill does."""
    return move if move.after.rate == rate else replace(move, after=replace(move.after, rate=rate))


def _again(rule: GroupRule, facts: Facts, alert: Alert, sample: Sample | None) -> Move | None:
    """
    Return the move of an alert of whose group nothing changed since it was judged last; None where it must be judged.

    A sample that is the very one of the last time says that the group did not move, and that the hour and what is
    missing are the same: then a firing alert stays as it is, whatever was noted on it since.
    """
    last = rule.judged.get(alert.group)
    is_firing = alert.state is AlertState.FIRING and alert.condition_ended_at is None
    if last is None or sample is not last.sample or not is_firing or alert.rule_digest != rule.digest():
        return None
    judged = last.alert
    if alert is judged and not facts.resources:
        # As of nearly all at nearly every poll: nobody has touched it since.
        return Move(before=alert, after=alert, rule=rule, restated=last.restated)
    # What was seen of it is what this rule saw, not what another evaluation or a store says.
    is_own = alert.headline is judged.headline and alert.value is judged.value and alert.episode == judged.episode
    is_noted = alert.notified_severity is None or alert.notified_severity <= alert.severity
    is_counted = (alert.billed is None) == (judged.billed is None) and alert.severity is judged.severity
    is_rated = alert.rate is judged.rate or alert.rate == judged.rate
    if not (is_own and is_noted and is_counted and is_rated):
        return None
    if _resource(facts, alert) != last.resource:
        return None
    move = Move(before=alert, after=alert, rule=rule)
    if (alert.notified_as_of, alert.notified_value) != (judged.notified_as_of, judged.notified_value):
        return _restated(move, rule, facts)
    return replace(move, restated=last.restated) if last.restated is not None else move


def _resource(facts: Facts, alert: Alert) -> Resource | None:
    """Return what the lists say of an alert's owner, which says what it costs where no bill does."""
    owner = dict(alert.group).get("owner") if facts.resources else None
    return facts.resource_of(alert.account, owner) if owner else None


def _closed(move: Move, rule: Rule, facts: Facts) -> Move:
    """Let an alert that the turn of its period ended speak of that period as it ended."""
    sample = rule.closing(facts, move.after) if move.is_turn else None
    return move if sample is None else replace(move, after=closed(move.after, sample, rule))


def _counted(move: Move, rule: Rule, facts: Facts) -> Move:
    alert = move.after
    if alert.state is AlertState.RESOLVED:
        return move
    return replace(move, after=replace(alert, billed=rule.counted(facts, alert)))


def _noted(faults: Sequence[Fault], alerts: Mapping[str, Alert], now: datetime) -> dict[str, RuleFault]:
    """Return what failed, each since the alert about it began."""
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
    # A bug's own text may quote anything: it is cut.
    return f"{type(error).__name__}{f': {quote(text)}' if text else ''}"


def _restated(move: Move, rule: Rule, facts: Facts) -> Move:
    alert = move.after
    if alert.state is not AlertState.FIRING or alert.notified_as_of is None:
        return move
    return replace(move, restated=rule.restated(facts, alert, alert.notified_as_of))
