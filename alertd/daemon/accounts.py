"""The accounts' keys, from where the rules file says, and a billing client for each account."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.clock import elapsed_s, utc_now
from alertd.core.http_url import split_http_url
from alertd.core.network_place import OFF_LIMITS, PLAIN_HTTP, is_off_limits, sends_in_clear
from alertd.errors import Problem, SettingsError, absence
from alertd.notify.secret import SecretError, SecretPlaces
from alertd.novita.endpoint import VENDOR_HOST, checked_key
from alertd.rules_file.model import Account, ActionEntry, LoadedRules

if TYPE_CHECKING:
    from alertd.daemon.state import BillSource
    from alertd.novita.instances import InstanceClient
    from alertd.settings.asked import SettingsInUse
    from alertd.settings.model import Settings


def api_key(account: Account, settings: "SettingsInUse", folder: Path) -> tuple[str, str]:
    """
    Return an account's key, and the name of the setting that it came from.

    Raises:
        SettingsError: It is not set, its file cannot be read, or it must not go to the account's base URL.
    """
    where = f'account "{account.name}"'
    base_url = account.base_url or settings.novita_base_url
    _check_base_url(base_url, where, settings)
    # alertd's own key is sent only to the vendor, or to the base URL in the settings.
    is_usual = _is_vendor(base_url) or base_url.rstrip("/") == settings.novita_base_url.strip().rstrip("/")
    places = SecretPlaces(environment=os.environ, folder=folder, setting=settings.plain)
    try:
        key = places.read(
            variable=account.api_key_env,
            file=account.api_key_file,
            noun="API key",
            own="novita_api_key" if is_usual else None,
        )
    except SecretError as error:
        raise _as_of(error, where) from None
    if key:
        source = account.api_key_env or str(folder / account.api_key_file)
        return checked_key(key, account=account.name, key_source=source), source
    if not is_usual:
        raise SettingsError(
            f"{where}: another base_url than ALERTD_NOVITA_BASE_URL wants a key of its own; set api_key_env or "
            "api_key_file"
        )
    key = settings.plain("novita_api_key") or ""
    if not key:
        text = f"{where}: ALERTD_NOVITA_API_KEY is not set; put the API key of your Novita AI account into it"
        raise absence(SettingsError(text))
    return checked_key(key, account=account.name, key_source="ALERTD_NOVITA_API_KEY"), "ALERTD_NOVITA_API_KEY"


def action_key(entry: ActionEntry, name: str, rules: LoadedRules, settings: "SettingsInUse") -> tuple[str, str, str]:
    """
    Return the key for an action in an account, its source, and the base URL that it is sent to.

    Raises:
        SettingsError: It is not set, cannot be read, is alertd's own key or one that reads bills, or must not be sent
            to the account's base URL.
    """
    where, written = f'action "{entry.name}", account "{name}"', entry.accounts[name]
    account = next((one for one in rules.accounts if one.name == name), None)
    if account is None:
        raise SettingsError(f"{where}: there is no such account")
    base_url = account.base_url or settings.novita_base_url
    _check_base_url(base_url, where, settings)
    places = SecretPlaces(environment=os.environ, folder=rules.folder, setting=settings.plain)
    try:
        key = places.read(variable=written.api_key_env, file=written.api_key_file, noun="key")
    except SecretError as error:
        raise _as_of(error, where) from None
    source = written.api_key_env or str(rules.folder / written.api_key_file)
    readers = [other.name for other in rules.accounts if key == _reading_key(other, settings, rules.folder)]
    if readers:
        raise SettingsError(
            f'{where}: {source} holds the key that reads the bills of account "{readers[0]}", which only ever reads; '
            "make another key for this action"
        )
    return key or "", source, base_url


def _as_of(error: SecretError, where: str) -> SettingsError:
    refused = SettingsError(f"{where}: {error}")
    refused.is_absence = error.is_absence
    return refused


def _reading_key(account: Account, settings: "SettingsInUse", folder: Path) -> str | None:
    """Return the key that reads an account's bills; None if it is not set, which is reported separately."""
    try:
        return api_key(account, settings, folder)[0]
    except SettingsError:
        return None


def _is_vendor(base_url: str) -> bool:
    parts = split_http_url(base_url)
    return parts is not None and (parts.scheme, parts.hostname, parts.port or 443) == ("https", VENDOR_HOST, 443)


def _check_base_url(base_url: str, where: str, settings: "SettingsInUse") -> None:
    """Refuse an address to which no key may be sent; `novita` checks its form."""
    parts = split_http_url(base_url)
    if parts is not None and is_off_limits(parts.hostname or ""):
        raise SettingsError(f"{where}: base_url: {OFF_LIMITS}")
    if sends_in_clear(base_url) and not settings.allow_plain_http:
        raise SettingsError(f"{where}: base_url: {PLAIN_HTTP}, or set ALERTD_ALLOW_PLAIN_HTTP=true")


def missing_keys(rules: LoadedRules, settings: "SettingsInUse") -> list[Problem]:
    """Return a problem for every account without an API key here."""
    problems = []
    for account in rules.accounts:
        try:
            api_key(account, settings, rules.folder)
        except SettingsError as error:
            text = str(error).removeprefix(f'account "{account.name}": ')
            problem = rules.problem("account", account.name, text)
            problems.append(replace(problem, is_absence=error.is_absence))
    return problems


def missing_action_keys(rules: LoadedRules, settings: "SettingsInUse") -> list[Problem]:
    """Return a problem for every action key that is not set here or must not be used."""
    problems = []
    for entry in rules.actions:
        for name in entry.accounts:
            try:
                action_key(entry, name, rules, settings)
            except SettingsError as error:
                text = str(error).removeprefix(f'action "{entry.name}", ')
                problem = rules.problem("action", entry.name, text, key="accounts")
                problems.append(replace(problem, is_absence=error.is_absence))
    return problems


def open_instances(
    rules: LoadedRules, settings: "Settings", stack: AsyncExitStack, *, elapsed: Callable[[], float] = elapsed_s
) -> dict[tuple[str, str], "InstanceClient"]:
    """
    Open the clients that carry out actions, by action and account.

    Raises:
        SettingsError: A key is missing.
    """
    if not rules.actions:
        return {}
    from alertd.novita.instances import InstanceClient  # noqa: PLC0415 -- as below
    from alertd.novita.transport import Transport  # noqa: PLC0415

    found: dict[tuple[str, str], InstanceClient] = {}
    for entry in rules.actions:
        for name in entry.accounts:
            key, source, base_url = action_key(entry, name, rules, settings)
            client = InstanceClient(
                Transport(
                    account=name,
                    api_key=key,
                    key_source=source,
                    base_url=base_url,
                    outgoing=settings.outgoing,
                    now=utc_now,
                    elapsed=elapsed,
                )
            )
            stack.push_async_callback(client.close)
            found[entry.name, name] = client
    return found


def open_sources(
    rules: LoadedRules,
    settings: "Settings",
    stack: AsyncExitStack,
    *,
    hear: Callable[[str, datetime | None, float], None] = lambda _account, _date, _asked_s: None,
    elapsed: Callable[[], float] = elapsed_s,
) -> "dict[str, BillSource]":
    """
    Open a billing client for every account.

    Args:
        hear: Called with the account, the `Date` of each answer, and when it was requested by *elapsed*.

    Raises:
        SettingsError: The key of an account is missing.
    """
    from alertd.novita.client import NovitaClient  # noqa: PLC0415 -- httpx is not needed by commands that only read
    from alertd.novita.transport import Transport  # noqa: PLC0415

    sources: dict[str, BillSource] = {}
    for account in rules.accounts:
        key, key_source = api_key(account, settings, rules.folder)
        client = NovitaClient(
            Transport(
                account=account.name,
                api_key=key,
                base_url=account.base_url or settings.novita_base_url,
                key_source=key_source,
                outgoing=settings.outgoing,
                hear=partial(hear, account.name),
                now=utc_now,
                elapsed=elapsed,
            )
        )
        stack.push_async_callback(client.close)
        sources[account.name] = client
    return sources
