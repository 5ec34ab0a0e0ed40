"""`alertd explain`: why an alert was notified or not."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.common import now_of, prepare_to_ask, read_store
from alertd.cli.completing import names_in
from alertd.core.printable import escape_controls

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from alertd.core.alert import Alert
    from alertd.core.alerts.audience import Audience
    from alertd.core.owners import OwnerDirectory
    from alertd.core.rules.base import Rule
    from alertd.core.rules.watched import Watched
    from alertd.rules_file.model import LoadedRules
    from alertd.settings.asked import AskedSettings
    from alertd.store.store import Store

_EPILOG = """\b
Examples:
  alertd explain 1c00c82c6fe2430d
  alertd explain gpu-24h-per-owner
  alertd explain 1c00 --at 2026-03-11T08:00Z
"""
_MOST = 5
"""How many alerts of a rule are explained in full; the others are listed."""


@click.command("explain", epilog=_EPILOG)
@click.argument("name", metavar="FINGERPRINT-or-RULE", shell_complete=names_in("rules"))
@click.option("--at", "at_text", metavar="TIME", help="Explain as of this time, with its zone, like 2026-03-11T08:00Z.")
@click.pass_context
def command(ctx: click.Context, name: str, at_text: str | None) -> int:
    """
    Show why an alert was notified or not: value, billed through, state, what withholds it, route, each
    send and its answer.

    The first four or more digits of a fingerprint are enough. A rule's name shows how it evaluates now and its
    alerts, firing ones first.
    """
    from alertd.daemon.watching import build_watched
    from alertd.errors import UserError
    from alertd.queries.alert_history import history_lines, read_history

    asked = _instant(at_text) if at_text is not None else None
    settings = prepare_to_ask(ctx)
    loaded = _rules(settings)
    with read_store(settings) as store:
        now = now_of(store)
        at = asked or now
        if at > now:
            raise click.BadParameter("this time is in the future", param_hint="--at")
        alerts = {alert.fingerprint: alert for alert in store.alerts.all_alerts()}
        watched = build_watched(loaded, settings) if loaded is not None else None
        rules = {rule.name: rule for rule in watched.rules} if watched is not None else {}
        found = _found(alerts, name, rules)
        if isinstance(found, str):
            raise UserError(found)
        judged = []
        if loaded is not None and watched is not None and name in rules:
            judged = _judged(store, watched, loaded.owners, rules[name], at, is_past=at_text is not None)
        histories = [read_history(store, alert, at=at, is_past=at_text is not None) for alert in found[:_MOST]]
    for line in judged:
        click.echo(line)
    if not histories:
        click.echo("  No alert of it is known.")
    for number, history in enumerate(histories):
        if number or judged:
            click.echo(f"\n{'-' * 80}\n")
        for line in history_lines(history, rules.get(history.alert.rule), _audience(loaded)):
            click.echo(escape_controls(line.rstrip()))
    for alert in found[_MOST:]:
        click.echo(escape_controls(f"Not explained in full: {alert.fingerprint}  {alert.state}  {alert.headline}"))
    return 0


def _instant(text: str) -> datetime:
    from alertd.core.times import parse_instant

    try:
        return parse_instant(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None


def _rules(settings: "AskedSettings") -> "LoadedRules | None":
    """Return the rules; None if they cannot be read, because the history is shown anyway."""
    from alertd.errors import RulesError
    from alertd.rules_file.load import load_rules

    try:
        return load_rules(settings.rules_path())
    except RulesError:
        return None


def _found(alerts: "Mapping[str, Alert]", name: str, rules: "Collection[str]") -> "Sequence[Alert] | str":
    """Return the alerts that a name refers to, open ones first, newest first; or why there are none."""
    from alertd.core.alert import AlertState
    from alertd.core.alerts.request_outcome import find_alert
    from alertd.core.alerts.requests import RequestError

    of_rule = [alert for alert in alerts.values() if alert.rule == name]
    if of_rule:
        return sorted(
            of_rule, key=lambda a: (a.state is AlertState.RESOLVED, -(a.fired_at or a.started_at).timestamp())
        )
    if name in rules:
        return []
    try:
        return [find_alert(alerts, name.lower())]
    except RequestError as error:
        return f"{error}; nor is there a rule of that name"


def _judged(
    store: "Store", watched: "Watched", owners: "OwnerDirectory", rule: "Rule", at: datetime, *, is_past: bool
) -> list[str]:
    """Return how a rule evaluates the current bills, with the groups closest to a threshold."""
    from alertd.core.words import format_instant
    from alertd.queries.alert_history import judgement
    from alertd.queries.snapshot import read_past, read_snapshot

    state = "" if rule.enabled else ", disabled"
    when, edge = format_instant(at), "" if not is_past else ", as far as they were billed then"
    heading = f"Rule {rule.name} ({rule.TYPE}{state}), judged for {when} by the bills known now{edge}"
    if is_past and rule.NOT_REPLAYED:
        return [heading, f"  not judged: {rule.NOT_REPLAYED}"]
    # A disabled rule is evaluated as if it were enabled.
    asked = replace(rule, enabled=True)
    only = replace(watched, rules=(asked,), reach=timedelta())
    if is_past:
        return [heading, *judgement(asked, read_past(store, only, owners=owners, at=at))]
    return [heading, *judgement(asked, read_snapshot(store, only, owners=owners, now=at).facts)]


def _audience(loaded: "LoadedRules | None") -> "Audience | None":
    from alertd.core.alerts.audience import Audience
    from alertd.daemon.watching import default_receivers

    if loaded is None:
        return None
    return Audience(routes=loaded.routes, default=default_receivers(loaded))
