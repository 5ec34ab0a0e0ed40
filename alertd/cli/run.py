"""`alertd run`: the service, one cycle of it, or a look at what it would do."""

import asyncio
import os
from typing import TYPE_CHECKING

import click

from alertd.cli.common import prepare_to_connect

if TYPE_CHECKING:
    from alertd.daemon.signals import Signals
    from alertd.daemon.systemd import ServiceManager
    from alertd.settings.model import Settings

_EPILOG = """\b
Examples:
  alertd run                 the service, until SIGTERM
  alertd run --once          one complete cycle, e.g. from cron
  alertd run --dry-run       show what would be sent; send and store nothing
"""


@click.command("run", epilog=_EPILOG)
@click.option(
    "--once", is_flag=True, help="Run one complete cycle, then exit; exit code 1 if a poll or a delivery failed."
)
@click.option(
    "--dry-run", is_flag=True, help="Run one cycle over a copy of the store: show messages, send and store nothing."
)
@click.pass_context
def command(ctx: click.Context, *, once: bool, dry_run: bool) -> int:
    """
    Run the service: poll bills, evaluate the rules, deliver notifications.

    SIGHUP rereads the rules. SIGTERM and SIGINT stop it once the notification that is being sent has been delivered or
    has failed. Under systemd (Type=notify) it reports when it is serving, reloading or stopping, and that it is not
    stuck. With PostgreSQL a second process waits as a standby and takes over when the first is gone.

    The settings that matter most are ALERTD_RULES, ALERTD_DATABASE_URL, ALERTD_NOVITA_API_KEY, ALERTD_POLL_INTERVAL and
    ALERTD_HTTP_LISTEN; `alertd help settings` lists all.
    """
    from alertd.log import get_logger

    settings = prepare_to_connect(ctx)
    for text in settings.warnings:
        get_logger().warning("setting questionable", text=text)
    if dry_run:
        return asyncio.run(_dry_run(settings))
    return asyncio.run(_once(settings) if once else _serve(settings))


async def _serve(settings: "Settings") -> int:
    from alertd.daemon.allocator import share_one_arena
    from alertd.daemon.signals import Signals, leave_at_once
    from alertd.daemon.systemd import ServiceManager

    share_one_arena()
    with Signals(on_overdue=leave_at_once) as signals:
        try:
            return await _take_turns(settings, ServiceManager.from_environment(os.environ), signals)
        except asyncio.CancelledError:
            if not signals.stop.is_set():
                raise
            # A stop was requested during the start.
            return 0


async def _take_turns(settings: "Settings", manager: "ServiceManager", signals: "Signals") -> int:
    from alertd.daemon.app import load_checked_rules
    from alertd.daemon.receivers import secret_file_warnings
    from alertd.daemon.standby import wait_for_turn
    from alertd.log import get_logger
    from alertd.store.lease import StoreHeld

    # Report mistakes now, not at the takeover.
    for problem in secret_file_warnings(load_checked_rules(settings)):
        get_logger().warning("secret file questionable", text=str(problem))
    while await wait_for_turn(settings, manager, signals):
        try:
            return await _lead(settings, manager, signals)
        except StoreHeld:
            # Another standby was quicker.
            continue
    return 0


async def _lead(settings: "Settings", manager: "ServiceManager", signals: "Signals") -> int:
    from alertd.clock import utc_now
    from alertd.daemon.app import load_checked_rules, open_app
    from alertd.daemon.service import Service
    from alertd.rules_file.watch import RulesWatch
    from alertd.store.lease import LeaseLost
    from alertd.store.store import Store

    watch = RulesWatch(settings.rules_path())
    rules = load_checked_rules(settings)
    url, loop = settings.store_url(), asyncio.get_running_loop()
    is_lost = False

    def lose() -> None:
        nonlocal is_lost
        is_lost = True
        loop.call_soon_threadsafe(signals.stop.set)

    def opened() -> Store:
        return Store.open(url, now=utc_now(), on_lost=lose)

    async with open_app(settings, rules, open_store=opened) as app:
        await Service(app, watch=watch, manager=manager, signals=signals).run()
        place = await app.gateway.call(lambda store: store.place)
    if is_lost:
        raise LeaseLost(place)
    return 0


async def _once(settings: "Settings") -> int:
    from alertd.daemon.app import load_checked_rules, open_app
    from alertd.daemon.poll import run_once

    async with open_app(settings, load_checked_rules(settings)) as app:
        is_ok = await run_once(app)
        # Left behind by a command that was killed.
        await app.actions.turn()
        return 0 if is_ok else 1


async def _dry_run(settings: "Settings") -> int:
    from alertd.clock import utc_now
    from alertd.daemon.app import open_app
    from alertd.daemon.poll import run_once
    from alertd.daemon.receivers import printing_notifiers
    from alertd.queries.unmatched import read_unmatched
    from alertd.rules_file.load import load_rules
    from alertd.store.store import Store

    rules = load_rules(settings.rules_path())
    url = settings.store_url()
    notifiers = printing_notifiers(rules, settings)
    async with open_app(
        settings,
        rules,
        open_store=lambda: Store.open_memory_copy(url, now=utc_now()),
        notifiers=notifiers,
        instances={},
    ) as app:
        is_ok = await run_once(app)
        open_alerts = app.cycle.open_alerts()
        lonely = await app.gateway.call(read_unmatched, rules.rules, rules.owners)
    for one in lonely:
        click.echo(f"Note: {one}", err=True)
    click.echo(dry_run_summary(len(open_alerts), is_ok=is_ok), err=True)
    return 0 if is_ok else 1


def dry_run_summary(open_alerts: int, *, is_ok: bool) -> str:
    """Return the last line of a dry run, which warns that failed reads may hide alerts."""
    from alertd.core.words import format_count

    alerts = format_count(open_alerts, "alert")
    doubt = (
        ""
        if is_ok
        else " as far as bills could be read (see the errors above; `alertd check --online` tests key and address)"
    )
    return f"Dry run: {alerts} open{doubt}, nothing sent, nothing stored."
