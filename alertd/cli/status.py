"""`alertd status`: the daemon's state."""

import click

from alertd.cli.common import now_of, prepare_to_ask, print_json, read_store
from alertd.cli.tables import table
from alertd.core.printable import escape_controls

_EPILOG = """\b
Examples:
  alertd status
  alertd status --json
"""


@click.command("status", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """Show last polls, how far bills are read, alerts, outbox and receivers; exit code 1 if there is a problem."""
    from alertd.queries.status import read_status

    settings = prepare_to_ask(ctx)
    with read_store(settings) as store:
        status = read_status(
            store, now=now_of(store), poll_interval=settings.poll_interval, settle_delay=settings.settle_delay
        )
    if as_json:
        print_json(status.json())
        return 0 if status.is_healthy else 1
    click.echo(f"alertd {status.version}: {'well' if status.is_healthy else 'NOT WELL'}")
    for problem in status.problems:
        click.echo(f"  - {problem}")
    click.echo(f"\nStore           {store.place}")
    click.echo(f"Last cycle      {status.last_cycle_text}")
    click.echo(f"Last good cycle {status.last_good_text}")
    click.echo(f"Next poll       {status.next_poll_text}")
    click.echo(f"Clock           {status.clock_text}")
    click.echo(f"Rules           {status.rules_text}")
    click.echo(f"Alerts          {status.firing} firing, {status.pending} pending")
    for resource in status.resources:
        click.echo(f"Resources       {escape_controls(resource.text)}")
    if status.edges:
        heading = ("ACCOUNT", "CATEGORY", "BILLED THROUGH (UTC)", "LAST READ (UTC)", "STATE")
        click.echo("\n" + table([heading, *(edge.row() for edge in status.edges)], whole={2, 3}, optional=(3,)))
    if status.receivers:
        titles = ("RECEIVER", "DELIVERED", "WAITING", "UNKNOWN", "BLOCKED", "GAVE UP", "LAST ERROR")
        rows = [receiver.row() for receiver in status.receivers]
        click.echo("\n" + table([titles, *rows], right=range(1, 6)))
    return 0 if status.is_healthy else 1
