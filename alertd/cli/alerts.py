"""`alertd alerts`: what is firing."""

import sys
from typing import TYPE_CHECKING

import click

from alertd.cli.common import has_colour, now_of, prepare_to_ask, print_json, read_store
from alertd.cli.tables import table
from alertd.core.printable import escape_controls
from alertd.core.severity import Severity

if TYPE_CHECKING:
    from alertd.core.alert import Alert

_COLOURS = {Severity.INFO: "36", Severity.WARNING: "33", Severity.CRITICAL: "1;31"}
"""Terminal colours of the severities: cyan, yellow, bold red."""
_EPILOG = """\b
Examples:
  alertd alerts
  alertd alerts --fail-on critical || systemctl stop training
  alertd alerts --all --json | jq '.[] | select(.severity == "critical")'
"""


@click.command("alerts", epilog=_EPILOG)
@click.option("--all", "show_all", is_flag=True, help="Show pending and resolved alerts too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.option(
    "--fail-on",
    metavar="SEVERITY",
    type=click.Choice([severity.label for severity in Severity], case_sensitive=False),
    help="Exit code 1 if any alert fires at this severity or above, silenced and acknowledged ones included: "
    f"{', '.join(severity.label for severity in Severity)}.",
)
@click.pass_context
def command(ctx: click.Context, *, show_all: bool, as_json: bool, fail_on: str | None) -> int:
    """Show what is firing, worst first, and what withholds its notifications."""
    from alertd.core.alert import AlertState
    from alertd.core.alerts.mutes import mutes_of, mutes_text
    from alertd.core.messages.holding import holds
    from alertd.queries.alert_json import alert_json

    with read_store(prepare_to_ask(ctx)) as store, store.snapshot():
        alerts, waiting = store.alerts.all_alerts(), store.outbox.open_entries()
        now = now_of(store)
    # An alert that never left pending is of no interest once it has ended.
    shown = [alert for alert in alerts if alert.state is not AlertState.RESOLVED or alert.fired_at is not None]
    if not show_all:
        shown = [alert for alert in shown if alert.state is AlertState.FIRING]
    shown.sort(key=lambda a: (a.state is AlertState.RESOLVED, -a.severity, a.rule, a.fingerprint))
    held = holds(waiting, now)
    reasons = {alert.fingerprint: mutes_of(alert, held) for alert in shown}
    if as_json:
        print_json([alert_json(alert, reasons[alert.fingerprint]) for alert in shown])
    elif shown:
        click.echo(_table(shown, is_coloured=has_colour(sys.stdout)))
        short = _short([alert.fingerprint for alert in shown])
        lines = [f"{fingerprint[:short]}  {mutes_text(mutes)}" for fingerprint, mutes in reasons.items() if mutes]
        if lines:
            click.echo("\nNotifications withheld at the moment:")
            click.echo("\n".join(map(escape_controls, lines)))
    else:
        click.echo("Nothing is firing." if not show_all else "There are no alerts.")
    worst = max((alert.severity for alert in alerts if alert.state is AlertState.FIRING), default=None)
    return int(fail_on is not None and worst is not None and worst >= Severity[fail_on.upper()])


def _table(alerts: "list[Alert]", *, is_coloured: bool) -> str:
    from alertd.core.values import format_value

    rows = [("FINGERPRINT", "STATE", "SEVERITY", "SINCE (UTC)", "VALUE", "THRESHOLD", "RULE", "WHAT")]
    short = _short([alert.fingerprint for alert in alerts])
    for alert in alerts:
        since = alert.resolved_at or alert.fired_at or alert.started_at
        threshold = (
            format_value(alert.threshold, alert.unit) if alert.threshold is not None and alert.is_reached else ""
        )
        rows.append(
            (
                alert.fingerprint[:short],
                alert.state.value,
                alert.severity.label,
                f"{since:%Y-%m-%d %H:%M}",
                format_value(alert.value, alert.unit) + ("" if alert.is_complete else " (incomplete)"),
                threshold,
                alert.rule,
                alert.ended(alert.headline),
            )
        )
    colours = {number: _COLOURS[alert.severity] for number, alert in enumerate(alerts, 1)} if is_coloured else {}
    return table(rows, right={4, 5}, whole={3}, optional=(1, 5, 3), colours=colours, coloured={2})


def _short(fingerprints: list[str]) -> int:
    """Return how many digits distinguish the fingerprints; commands accept prefixes."""
    return next((n for n in (8, 12) if len({one[:n] for one in fingerprints}) == len(fingerprints)), 16)
