"""`alertd stop`: have the instance behind an alert stopped, by the daemon or, where none runs, by this command."""

import asyncio
import secrets
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from alertd.cli.asking import ask_daemon, open_known, reading, this_person
from alertd.cli.common import now_of, prepare_to_connect, read_store, stored_now
from alertd.core.dataclass import dataclass
from alertd.core.printable import escape_controls, escape_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from alertd.core.actions import Act, ActionRequest
    from alertd.core.alert import Alert
    from alertd.core.alerts.acting import Acting
    from alertd.core.messages.outbox import OutboxEntry
    from alertd.core.rules.base import Rule
    from alertd.daemon.actions import ActionWorker
    from alertd.daemon.store_gateway import StoreGateway
    from alertd.rules_file.model import LoadedRules
    from alertd.settings.model import Settings
    from alertd.store.store import Store

_EPILOG = """\b
Examples:
  alertd stop 1c00
  alertd stop 1c00 --action stop --yes
  alertd stop 1c00 --undo
"""
_LOOK_S = 1.0
"""Seconds between checks of the outcome."""
_WATCHED_FOR = timedelta(seconds=60)
"""How long the command waits for the daemon, which then carries on alone."""


@click.command("stop", epilog=_EPILOG)
@click.argument("fingerprint")
@click.option("--action", default="", metavar="NAME", help="Which action, if the alert's rule names several.")
@click.option("--undo", is_flag=True, help="Start an instance again that you stopped within the last hour.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_context
def command(ctx: click.Context, fingerprint: str, action: str, *, undo: bool, yes: bool) -> int:
    """
    Stop the instance behind an alert; the first four digits or more of the FINGERPRINT are enough.

    The alert's rule must name an action from `actions:` in the rules file, and the API must list the owner as a running
    GPU instance. The daemon carries the request out; if none is running, this command does. Each request calls the API
    at most once, and is done when the API confirms it. `alertd actions` shows the outcome.
    """
    from alertd.core.actions import Act
    from alertd.core.alerts.acting import parse_action

    with reading(by="the user's name"):
        by = this_person()
        name = secrets.token_hex(4)
        request = parse_action(
            Act(id=name, fingerprint=fingerprint, by=by, person=f"cli:{by}", action=action, undo=undo)
        )
    settings = prepare_to_connect(ctx)
    request, question = _preview(settings, request)
    if not yes and not _is_confirmed(question):
        return 1
    return asyncio.run(_ask(settings, request))


def _is_confirmed(question: tuple[str, ...]) -> bool:
    from alertd.errors import UserError

    *lines, last = map(escape_controls, question)
    for line in lines:
        click.echo(line, err=True)
    if not sys.stdin.isatty():
        raise UserError("this is not a terminal, so nobody can confirm; add --yes if you mean it")
    if click.confirm(last, err=True):
        return True
    click.echo("Nothing was asked for.", err=True)
    return False


def _preview(settings: "Settings", request: "Act") -> "tuple[Act, tuple[str, ...]]":
    """
    Return the request for the one alert that it names, and the confirmation question.

    Raises:
        UserError: It cannot be done as requested.
        StoreError: The store cannot be read.
    """
    from alertd.core.alerts.acting import act, consequences_of
    from alertd.core.alerts.request_outcome import find_alert
    from alertd.errors import RulesError
    from alertd.rules_file.load import load_rules

    with read_store(settings) as store:
        now = now_of(store)
        with reading():
            alert = find_alert({alert.fingerprint: alert for alert in store.alerts.all_alerts()}, request.fingerprint)
            request = replace(request, fingerprint=alert.fingerprint, episode=alert.episode)
            try:
                loaded = load_rules(settings.rules_path())
            except RulesError:
                # The daemon has valid rules in force, and decides; at night nobody should have to fix a file first.
                unknown = "The rules file cannot be read now, so nothing more is known of it here."
                return request, (unknown, f"Act on {alert.rule} ({alert.fingerprint}): {alert.headline}?")
            desk = _desk(store, loaded, settings, now)
            row, is_new = act(request, alert, desk.rules.get(alert.rule), desk.acting, now)
    if not is_new:
        return request, (f"{row.name} ({row.owner}) is asked for already, by {row.by}.", "Ask again?")
    if request.undo:
        return request, (f"Start {row.name} ({row.owner}) again?",)
    return request, (*consequences_of(alert, row.key, desk.acting), f"Stop {row.name} ({row.owner})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What this command decides by, like the daemon."""

    rules: "dict[str, Rule]"
    acting: "Acting"


def _desk(store: "Store", loaded: "LoadedRules", settings: "Settings", now: datetime) -> _Desk:
    """
    Read the state.

    Raises:
        StoreError: The store cannot be read.
    """
    from alertd.daemon.asked import acting_of
    from alertd.daemon.plan import actions_of
    from alertd.daemon.watching import build_watched

    watched, last = build_watched(loaded, settings), store.meta.last_read
    acting = acting_of(
        actions_of(loaded),
        (one for one in store.resources.load() if one.account in watched.resource_accounts),
        store.actions.recent(now),
        last.resources_read if last is not None else {},
    )
    return _Desk(rules={rule.name: rule for rule in watched.rules}, acting=acting)


async def _ask(settings: "Settings", request: "Act") -> int:
    from alertd.daemon.control_socket import NobodyListens

    try:
        text = await ask_daemon(settings, request)
    except NobodyListens:
        return await _do(settings, request)
    click.echo(escape_lines(text))
    return await _watch(settings, request)


async def _watch(settings: "Settings", request: "Act") -> int:
    """Watch for a while what the daemon does with it."""
    from alertd.clock import monotonic_s

    until_s, progress = monotonic_s() + _WATCHED_FOR.total_seconds(), _Progress()
    while True:
        with read_store(settings) as store:
            row = store.actions.request(request.id)
        if row is None:
            # Another request for the same instance is open, as was reported.
            return 0
        code = progress.show(row)
        if code is not None:
            return code
        if monotonic_s() >= until_s:
            click.echo("The daemon carries on; `alertd actions` shows the outcome.")
            return 0
        await asyncio.sleep(_LOOK_S)


class _Progress:
    """Prints each step of a request once."""

    def __init__(self) -> None:
        self._shown = ""

    def show(self, row: "ActionRequest") -> int | None:
        """Print a new step; return the exit code once the request has finished."""
        from alertd.core.actions import ActionState

        text = f"{row.state.value}{f': {row.detail}' if row.detail else ''}"
        if text != self._shown:
            self._shown = text
            click.echo(escape_controls(text))
        if not row.state.is_final:
            return None
        return 0 if row.state is ActionState.DONE else 1


async def _do(settings: "Settings", request: "Act") -> int:
    """
    Carry it out in this process, with the same rows and code as the daemon.

    Raises:
        UserError: It cannot be done as requested, or a key is missing.
        StoreError: The store cannot be written.
    """
    from alertd.clock import elapsed_s, utc_now
    from alertd.core.alerts.request_outcome import RequestOutcome, Situation, carry_out
    from alertd.daemon.accounts import open_instances
    from alertd.daemon.actions import ActionWorker
    from alertd.daemon.store_gateway import StoreGateway
    from alertd.rules_file.load import load_rules
    from alertd.store.thread import StoreThread

    loaded = load_rules(settings.rules_path())
    async with AsyncExitStack() as stack:
        instances = open_instances(loaded, settings, stack)
        now = stored_now(settings)
        ahead = now - utc_now()
        thread = await StoreThread.start(lambda: open_known(settings, now))
        stack.push_async_callback(thread.close)
        gateway = StoreGateway(thread)

        def asked(store: "Store") -> RequestOutcome:
            desk = _desk(store, loaded, settings, now)
            alerts = {alert.fingerprint: alert for alert in store.alerts.all_alerts()}
            return carry_out(
                request,
                Situation(alerts=alerts, silences={}, rules=desk.rules, inhibitions=(), acting=desk.acting, now=now),
            )

        with reading():
            outcome = await gateway.call(asked)
        await gateway.save_request(outcome, (), now)
        click.echo(escape_lines(outcome.text))
        row = outcome.action
        assert row is not None
        log = _Log(gateway, loaded, settings, await gateway.call(lambda store: _desk(store, loaded, settings, now)))
        worker = ActionWorker(log=log, instances=instances, now=lambda: utc_now() + ahead, elapsed=elapsed_s)
        return await _carried_out(worker, row, _read(gateway))


def _read(gateway: "StoreGateway") -> "Callable[[str], Awaitable[ActionRequest | None]]":
    async def read(name: str) -> "ActionRequest | None":
        return await gateway.call(lambda store: store.actions.request(name))

    return read


async def _carried_out(
    worker: "ActionWorker", row: "ActionRequest", read: "Callable[[str], Awaitable[ActionRequest | None]]"
) -> int:
    progress = _Progress()
    while True:
        await worker.turn()
        code = progress.show(await read(row.id) or row)
        if code is not None:
            return code
        await asyncio.sleep(_LOOK_S)


class _Log:
    """The action rows with the alerts' history, and the messages that the daemon is to update when it next runs."""

    def __init__(self, gateway: "StoreGateway", loaded: "LoadedRules", settings: "Settings", desk: _Desk) -> None:
        self._gateway = gateway
        self._loaded = loaded
        self._settings = settings
        self._desk = desk

    async def open_actions(self) -> "tuple[ActionRequest, ...]":
        return await self._gateway.open_actions()

    async def move_action(self, before: "ActionRequest", after: "ActionRequest", now: datetime) -> bool:
        alert = await self._gateway.call(lambda store: store.alerts.alert(after.fingerprint))
        entries = await self._shown(after, alert, now) if alert is not None and after.state.is_final else ()
        return await self._gateway.move_action(before, after, alert, entries, now)

    async def _shown(self, request: "ActionRequest", alert: "Alert", now: datetime) -> "Sequence[OutboxEntry]":
        from alertd.core.messages.dispatch import Dispatcher
        from alertd.daemon.plan import build_audience, build_link_targets, headlines
        from alertd.daemon.receivers import build_notifiers

        # A receiver whose secret is missing here is skipped: that is no reason to fail.
        notifiers, _ = build_notifiers(self._loaded, self._settings)
        targets = build_link_targets(self._loaded, self._settings)
        dispatcher = Dispatcher(
            audience=build_audience(self._loaded, notifiers, targets=targets),
            install_id=await self._gateway.call(lambda store: store.meta.install_id),
            headline_of=headlines(self._loaded),
            acting=self._desk.acting,
            now=now,
        )
        return dispatcher.entries_of_action(request, alert, self._desk.rules.get(alert.rule))
