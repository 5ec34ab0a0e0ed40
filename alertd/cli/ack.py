"""`alertd ack`: acknowledge an alert."""

import asyncio

import click

from alertd.cli.asking import reading, submit, this_person
from alertd.cli.common import prepare_to_ask

_EPILOG = """\b
Examples:
  alertd ack 1c00c82c6fe2430d
  alertd ack 1c00 --by dana
  alertd ack 1c00 --undo
"""


@click.command("ack", epilog=_EPILOG)
@click.argument("fingerprint")
@click.option("--by", metavar="NAME", default=this_person, show_default="you", help="Who acknowledges it.")
@click.option("--undo", is_flag=True, help="Withdraw the acknowledgement.")
@click.pass_context
def command(ctx: click.Context, fingerprint: str, by: str, *, undo: bool) -> int:
    """
    Acknowledge an alert; the first four digits or more of the FINGERPRINT are enough (see `alertd alerts`).

    The alert is neither repeated nor escalated until its severity rises. When it resolves, a notification is sent.
    """
    from alertd.core.alerts.requests import parse_acknowledgement

    with reading(by="--by"):
        request = parse_acknowledgement(fingerprint, by=by, undo=undo)
    click.echo(asyncio.run(submit(prepare_to_ask(ctx), request)))
    return 0
