"""`alertd actions`: what was asked to be done about alerts, by whom, and what came of it."""

from typing import TYPE_CHECKING

import click

from alertd.cli.common import prepare_to_ask, print_json, read_store
from alertd.cli.tables import table
from alertd.core.times import iso_instant, iso_instant_or_none

if TYPE_CHECKING:
    from alertd.core.actions import ActionRequest

_EPILOG = """\b
Examples:
  alertd actions
  alertd actions --json | jq '.[] | select(.state == "unknown")'
"""


@click.command("actions", epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """Show requests to stop or start instances, newest first."""
    with read_store(prepare_to_ask(ctx)) as store:
        found = store.actions.all_requests()[::-1]
    if as_json:
        print_json([_json(request) for request in found])
    elif found:
        heading = ("ID", "WHAT", "INSTANCE", "REQUESTED (UTC)", "BY", "STATE", "ALERT", "DETAIL")
        click.echo(table([heading, *map(_row, found)], whole=(0, 3, 5, 6), optional=(6, 4)))
    else:
        click.echo("Nothing was asked for.")
    return 0


def _json(request: "ActionRequest") -> dict[str, object]:
    return {
        "id": request.id,
        "action": request.action,
        "verb": request.verb.value,
        "alert": request.fingerprint,
        "account": request.account,
        "owner": request.owner,
        "name": request.name,
        "requested_by": request.by,
        "requested_at": iso_instant(request.requested_at),
        "state": request.state.value,
        "finished_at": iso_instant_or_none(request.finished_at),
        "detail": request.detail,
    }


def _row(request: "ActionRequest") -> tuple[str, ...]:
    return (
        request.id,
        request.verb.value,
        request.name if request.name == request.owner else f"{request.name} ({request.owner})",
        f"{request.requested_at:%Y-%m-%d %H:%M}",
        request.by,
        request.state.value,
        request.fingerprint[:8],
        request.detail,
    )
