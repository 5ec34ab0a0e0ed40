"""How commands submit requests: to the running daemon if there is one, else directly to the store."""

import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from alertd.core.printable import escape_lines

if TYPE_CHECKING:
    from datetime import datetime

    from alertd.core.alerts.requests import Request
    from alertd.settings.asked import SettingsInUse
    from alertd.store.store import Store
    from alertd.store.url import PostgresUrl


def this_person() -> str:
    """Return who runs the command, as far as the system knows."""
    try:
        # With sudo, the person who called it.
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


@contextmanager
def reading(**places: str) -> Iterator[None]:
    """
    Name the argument of a request that cannot be parsed.

    Args:
        places: The argument or option of each part of the request.

    Raises:
        BadParameter: It cannot be parsed.
        UserError: It is valid but cannot be carried out.
    """
    from alertd.core.alerts.requests import RequestError, RequestTextError
    from alertd.errors import UserError

    try:
        yield
    except RequestTextError as error:
        raise click.BadParameter(str(error), param_hint=places.get(error.part)) from None
    except RequestError as error:
        raise UserError(str(error)) from None


async def submit(settings: "SettingsInUse", request: "Request") -> str:
    """
    Have the daemon carry it out, or do so in the store if none is running; return the outcome.

    Raises:
        UserError: It cannot be done as requested.
        StoreError: The store cannot be opened, or the daemon gave no answer.
    """
    from alertd.core.alerts.requests import RequestError
    from alertd.daemon.control_socket import NobodyListens
    from alertd.errors import UserError

    try:
        text = await ask_daemon(settings, request)
    except NobodyListens:
        try:
            text = await _do(settings, request)
        except RequestError as error:
            raise UserError(str(error)) from None
    # Owners keep the names that the bills have.
    return escape_lines(text)


async def ask_daemon(settings: "SettingsInUse", request: "Request") -> str:
    """
    Have the daemon carry it out; return the outcome, in which names are not escaped.

    Raises:
        NobodyListens: No daemon runs on this store.
        UserError: It cannot be done as asked.
        StoreError: The daemon gave no answer.
    """
    from alertd.daemon.control_socket import ask, socket_path
    from alertd.errors import UserError
    from alertd.store.url import PostgresUrl, parse_database_url

    database = parse_database_url(settings.store_url())
    if database is None:
        raise UserError("ALERTD_DATABASE_URL: sqlite:// is an in-memory database; no other process can read it")
    if isinstance(database, PostgresUrl):
        import asyncio

        return await asyncio.to_thread(_ask_shared, database, request)
    return await ask(socket_path(database), request)


def _ask_shared(database: "PostgresUrl", request: "Request") -> str:
    """Ask the daemon that uses a shared database, on whichever host it runs."""
    from alertd.daemon.control_socket import NobodyListens
    from alertd.daemon.control_table import ask_daemon
    from alertd.store.opening import LeaseWatch, open_to_ask

    with closing(LeaseWatch(database)) as watch:
        holder = watch.holder()
    if holder is None:
        raise NobodyListens
    with open_to_ask(database) as requests:
        return ask_daemon(requests, request, holder=holder)


def open_known(settings: "SettingsInUse", now: "datetime") -> "Store":
    """
    Open an existing store for writing.

    Raises:
        StoreError: It does not exist or cannot be written.
    """
    from alertd.store.store import Store

    # Opening to write would create what is not there.
    Store.open_read_only(settings.store_url()).close()
    return Store.open(settings.store_url(), now=now)


async def _do(settings: "SettingsInUse", request: "Request") -> str:
    from alertd.cli.common import stored_now
    from alertd.core.alerts.request_outcome import Situation, carry_out
    from alertd.daemon.store_gateway import StoreGateway
    from alertd.errors import RulesError
    from alertd.rules_file.load import load_rules
    from alertd.store.thread import StoreThread

    now = stored_now(settings)
    try:
        loaded = load_rules(settings.rules_path())
        rules, inhibitions = {rule.name: rule for rule in loaded.rules}, loaded.inhibitions
    except RulesError:
        # A silence works without readable rules; only an amount needs them, and reports that.
        rules, inhibitions = {}, ()

    thread = await StoreThread.start(lambda: open_known(settings, now))
    try:
        gateway = StoreGateway(thread)
        state = await gateway.load()
        outcome = carry_out(
            request,
            Situation(alerts=state.alerts, silences=state.silences, rules=rules, inhibitions=inhibitions, now=now),
        )
        await gateway.save_request(outcome, (), now)
    finally:
        await thread.close()
    return f"{outcome.text}\nNo daemon runs on this store; it will know when it starts."
