"""Judge every rule over what is known: from facts and open alerts to moves. Storing and telling are not here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.lifecycle import Move, end_orphans, step_rule
from alertd.core.labels import Labels
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts

Fault = tuple[str, Exception]
"""A rule's name and what went wrong in it."""


def judge(
    rules: Sequence[Rule], facts: Facts, alerts: Mapping[str, Alert], accounts: Collection[str]
) -> tuple[list[Move], list[Fault]]:
    """
    Move every alert by one evaluation of every enabled rule, and end those that nothing judges any more.

    Args:
        alerts: By fingerprint, the latest episode of each, resolved ones included.
        accounts: Those that are polled.

    Returns:
        What was seen of each alert, changed or not, and the rules that failed: one that fails holds up no other.
    """
    by_rule: dict[str, dict[str, Alert]] = {}
    for alert in alerts.values():
        by_rule.setdefault(alert.rule, {})[alert.fingerprint] = alert
    moves: list[Move] = []
    faults: list[Fault] = []
    for rule in rules:
        if not rule.enabled:
            continue
        of_rule = by_rule.get(rule.name, {})
        watched: dict[Labels, Alert] = {
            alert.group: alert for alert in of_rule.values() if alert.state is not AlertState.RESOLVED
        }
        try:
            stepped = step_rule(rule, rule.evaluate(facts, watched), of_rule, watched, facts.now)
            moves += [_restated(move, rule, facts) for move in stepped]
        except Exception as error:  # noqa: BLE001 -- the caller logs it with its trace
            faults.append((rule.name, error))
    return [*moves, *end_orphans(alerts, {rule.name: rule for rule in rules}, accounts, facts.now)], faults


def _restated(move: Move, rule: Rule, facts: Facts) -> Move:
    alert = move.after
    if alert.state is not AlertState.FIRING or alert.notified_as_of is None:
        return move
    return replace(move, restated=rule.restated(facts, alert, alert.notified_as_of))
