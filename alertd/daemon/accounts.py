"""Accounts, connected: their keys, found where the rules file says, and a billing client for each."""

import os
from contextlib import AsyncExitStack
from pathlib import Path

from alertd.daemon.state import BillSource
from alertd.errors import Problem, SettingsError
from alertd.rules_file.model import Account, LoadedRules
from alertd.settings import Settings


def api_key(account: Account, settings: Settings, folder: Path) -> tuple[str, str]:
    """
    Return an account's key, and the name of the setting that it came from.

    Raises:
        SettingsError: It is not set, or its file cannot be read.
    """
    where = f'account "{account.name}"'
    if account.api_key_env:
        key = os.environ.get(account.api_key_env, "").strip()
        if not key:
            raise SettingsError(
                f"{where}: environment variable {account.api_key_env} is not set; put the API key into it"
            )
        return key, account.api_key_env
    if account.api_key_file:
        path = folder / account.api_key_file
        try:
            key = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{where}: cannot read {path}: {getattr(error, 'strerror', None) or 'not text'}"
            ) from None
        if not key:
            raise SettingsError(f"{where}: {path} is empty; put the API key into it")
        return key, str(path)
    key = settings.plain("novita_api_key") or ""
    if not key:
        raise SettingsError(
            f"{where}: ALERTD_NOVITA_API_KEY is not set; put the API key of your Novita AI account into it"
        )
    return key, "ALERTD_NOVITA_API_KEY"


def missing_keys(rules: LoadedRules, settings: Settings) -> list[Problem]:
    """Return a problem for every account whose API key is not set here."""
    problems = []
    for account in rules.accounts:
        try:
            api_key(account, settings, rules.folder)
        except SettingsError as error:
            text = str(error).removeprefix(f'account "{account.name}": ')
            problems.append(rules.problem("account", account.name, text))
    return problems


def open_sources(rules: LoadedRules, settings: Settings, stack: AsyncExitStack) -> dict[str, BillSource]:
    """
    Open a billing client for every account.

    Raises:
        SettingsError: The key of an account is missing.
    """
    from alertd.novita.client import NovitaClient  # noqa: PLC0415 -- httpx is not needed by commands that only read

    sources: dict[str, BillSource] = {}
    for account in rules.accounts:
        key, key_source = api_key(account, settings, rules.folder)
        client = NovitaClient(
            account=account.name,
            api_key=key,
            base_url=account.base_url or settings.novita_base_url,
            key_source=key_source,
        )
        stack.push_async_callback(client.close)
        sources[account.name] = client
    return sources
