"""`alertd db`: the store's integrity, an online copy, retention."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click

from alertd.cli.common import duration, now_of, prepare_to_ask, read_store
from alertd.cli.groups import CommandGroup


@click.group("db", cls=CommandGroup, epilog="\b\nExample:\n  alertd db check\n")
def command() -> None:
    """Check, back up or prune the store."""


@command.command("check", epilog="\b\nExample:\n  alertd db check\n")
@click.pass_context
def check(ctx: click.Context) -> int:
    """Check every page and row of the store; exit code 1 if anything is wrong."""
    with read_store(prepare_to_ask(ctx)) as store:
        findings = store.check()
    for finding in findings:
        click.echo(finding, err=True)
    if findings:
        return 1
    click.echo(f"{store.place}: ok")
    return 0


@command.command("backup", epilog="\b\nExample:\n  alertd db backup /backup/alertd-$(date +%F).db\n")
@click.argument("path", type=click.Path(path_type=Path))
@click.pass_context
def backup(ctx: click.Context, path: Path) -> int:
    """Copy the store into the new file PATH while the daemon keeps running; for PostgreSQL use pg_dump."""
    with read_store(prepare_to_ask(ctx)) as store:
        store.backup(path)
    click.echo(f"Wrote {path}")
    return 0


@command.command("prune", epilog="\b\nExample:\n  alertd db prune --spend 400d --messages 90d\n")
@click.option(
    "--spend", metavar="DURATION", default="400d", show_default=True, callback=duration, help="How long to keep spend."
)
@click.option(
    "--messages",
    metavar="DURATION",
    default="90d",
    show_default=True,
    callback=duration,
    help="How long to keep messages.",
)
@click.pass_context
def prune(ctx: click.Context, spend: timedelta, messages: timedelta) -> int:
    """Delete old spend, messages and history; a running daemon does so once a day."""
    from alertd.core.hours import hour_of
    from alertd.store.store import Store

    settings = prepare_to_ask(ctx)
    # Opening to write would create what is not there.
    with read_store(settings) as known:
        # A clock that is ahead would delete data within the retention.
        now = min(now_of(known), known.meta.clock.checked_at or now_of(known))
    with closing(Store.open(settings.store_url(), now=now)) as store:
        gone = store.prune(before_hour=hour_of(now - spend), before=now - messages)
    click.echo(f"Deleted {gone.hours} hours of spend, {gone.entries} messages, {gone.events} events.")
    return 0
