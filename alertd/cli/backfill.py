"""`alertd backfill`: fetch history into the store."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.common import duration, prepare_to_connect, progress

if TYPE_CHECKING:
    from alertd.settings.model import Settings

_EPILOG = """\b
Examples:
  alertd backfill
  alertd backfill --since 180d
"""


@click.command("backfill", epilog=_EPILOG)
@click.option(
    "--since",
    metavar="DURATION",
    default="90d",
    show_default=True,
    callback=duration,
    help="How far back from now, like 24h, 7d or 4w.",
)
@click.pass_context
def command(ctx: click.Context, since: timedelta) -> int:
    """
    Fetch history into the store, newest first, skipping hours that were read before.

    It can be stopped at any time: what was read is stored, and the next run continues from there. Stop a running daemon
    first, because only one process can use the database.
    """
    from alertd.daemon.service import SPEND_KEPT

    if since < timedelta(hours=1):
        raise click.BadParameter("write at least 1h", param_hint="--since")
    if since > SPEND_KEPT:
        text = f"the store keeps {SPEND_KEPT.days} days: what is older would be deleted again; write at most"
        raise click.BadParameter(f"{text} {SPEND_KEPT.days}d", param_hint="--since")
    settings = prepare_to_connect(ctx)
    try:
        return asyncio.run(_backfill(settings, since))
    except KeyboardInterrupt:
        click.echo("\nStopped; what was read is stored, and the next `alertd backfill` continues there.", err=True)
        return 130


async def _backfill(settings: "Settings", since: timedelta) -> int:
    from contextlib import AsyncExitStack, closing, suppress

    from alertd.core.hours import HourRange, hour_of, midnight_before, start_of
    from alertd.core.spend.bill import CATEGORIES
    from alertd.core.words import format_instant
    from alertd.daemon.accounts import missing_keys
    from alertd.daemon.checked_time import timekeeper
    from alertd.daemon.store_gateway import StoreGateway
    from alertd.errors import StoreError
    from alertd.history.backfill import plan_backfill
    from alertd.history.backtest import checked_now, fetch, open_all, with_keys
    from alertd.rules_file.load import load_rules
    from alertd.store.lock import StoreLocked
    from alertd.store.opening import is_there
    from alertd.store.store import Store
    from alertd.store.thread import StoreThread

    rules = load_rules(settings.rules_path())
    problems = missing_keys(rules, settings)
    for problem in problems:
        click.echo(f"alertd: {problem.text}", err=True)
    readable = with_keys([rules], settings)
    names = [account.name for each in readable for account in each.accounts]
    if not names:
        return 1
    url, time = settings.store_url(), timekeeper(settings)
    if is_there(url):
        # A store of an earlier version cannot be read before it is migrated below.
        with suppress(StoreError), closing(Store.open_read_only(url)) as known:
            time.resume(known.meta.clock)
    async with AsyncExitStack() as stack:
        sources = open_all(readable, settings, stack, time=time)
        now = await checked_now(time, sources)
        try:
            thread = await StoreThread.start(lambda: Store.open(url, now=now))
        except StoreLocked as locked:
            raise StoreError(f"{locked}. A daemon can be stopped, and started again after the backfill") from None
        stack.push_async_callback(thread.close)
        gateway = StoreGateway(thread)
        span = HourRange(midnight_before(hour_of(now - since)), hour_of(now) + 1)
        keys = [(name, category) for name in names for category in CATEGORIES]
        books = (await gateway.load()).books
        plan = plan_backfill(books, keys, span, now=now, settle_delay=settings.settle_delay)
        if not plan:
            click.echo(f"Nothing is missing since {format_instant(start_of(span.start))}.")
            return 1 if problems else 0
        report = await fetch(gateway, sources, plan, now=now, progress=progress)
    for account, category in sorted(report.absent):
        click.echo(f'account "{account}" has no category {category}')
    for error in report.errors:
        click.echo(f"alertd: {error}", err=True)
    reach = "not everything was read" if report.errors else f"complete since {format_instant(start_of(span.start))}"
    click.echo(f"Read {report.rows:,} rows; {reach}.")
    return 1 if report.errors or problems else 0
