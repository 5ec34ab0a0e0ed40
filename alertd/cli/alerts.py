"""`alertd alerts`: what is firing."""

from typing import TYPE_CHECKING

import click

from alertd.cli.common import prepare, print_json, table
from alertd.core.printable import escape_controls

if TYPE_CHECKING:
    from alertd.core.alert import Alert

_EPILOG = """\b
Examples:
  alertd alerts
  alertd alerts --all --json | jq '.[] | select(.severity == "critical")'
"""


@click.command("alerts", epilog=_EPILOG)
@click.option("--all", "show_all", is_flag=True, help="Pending and resolved ones too.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
@click.pass_context
def command(ctx: click.Context, *, show_all: bool, as_json: bool) -> int:
    """Show what is firing, worst first, and what withholds its notifications."""
    from alertd.clock import utc_now
    from alertd.core.alert import AlertState
    from alertd.core.alerts.mutes import mutes_text
    from alertd.core.messages.holding import why_withheld
    from alertd.queries.alert_json import alert_json
    from alertd.store.store import Store

    store = Store.open_read_only(prepare(ctx).store_url())
    try:
        with store.snapshot():
            alerts, waiting = store.alerts.all_alerts(), store.outbox.open_entries()
    finally:
        store.close()
    # One that was only ever pending is of no interest once it has ended.
    shown = [alert for alert in alerts if alert.state is not AlertState.RESOLVED or alert.fired_at is not None]
    if not show_all:
        shown = [alert for alert in shown if alert.state is AlertState.FIRING]
    shown.sort(key=lambda a: (a.state is AlertState.RESOLVED, -a.severity, a.rule, a.fingerprint))
    reasons = {alert.fingerprint: why_withheld(alert, waiting, utc_now()) for alert in shown}
    if as_json:
        print_json([alert_json(alert, reasons[alert.fingerprint]) for alert in shown])
    elif shown:
        click.echo(_table(shown))
        lines = [f"{fingerprint}  {mutes_text(mutes)}" for fingerprint, mutes in reasons.items() if mutes]
        if lines:
            click.echo("\nNotifications withheld at the moment:")
            click.echo("\n".join(map(escape_controls, lines)))
    else:
        click.echo("Nothing is firing." if not show_all else "There are no alerts.")
    return 0


def _table(alerts: "list[Alert]") -> str:
    from alertd.core.values import format_value

    rows = [("STATE", "SEVERITY", "SINCE (UTC)", "VALUE", "THRESHOLD", "RULE", "WHAT", "FINGERPRINT")]
    for alert in alerts:
        since = alert.resolved_at or alert.fired_at or alert.started_at
        threshold = format_value(alert.threshold, alert.unit) if alert.threshold is not None else ""
        rows.append(
            (
                alert.state.value,
                alert.severity.label,
                f"{since:%Y-%m-%d %H:%M}",
                format_value(alert.value, alert.unit) + ("" if alert.is_complete else " (incomplete)"),
                threshold,
                alert.rule,
                alert.headline,
                alert.fingerprint,
            )
        )
    return table(rows, right=frozenset({3, 4}))
