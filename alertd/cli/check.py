"""`alertd check`: rules and settings without running."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alertd.cli.common import prepare

if TYPE_CHECKING:
    from alertd.errors import Problem
    from alertd.rules_file.model import LoadedRules
    from alertd.settings import Settings

_EPILOG = """\b
Examples:
  alertd check
  alertd check /etc/alertd/rules.yaml
"""


@click.command("check", epilog=_EPILOG)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.pass_context
def command(ctx: click.Context, path: Path | None) -> int:
    """
    Check rules and settings; every error at once, as path:line:col: message.

    PATH is a rules file or a directory of them; by default the one that `alertd run` would use. Secrets that are not
    set here are warnings, so that rules can be checked where they are not deployed. Exit code 1 when there is
    an error.
    """
    from alertd.core.words import format_count
    from alertd.daemon.accounts import missing_action_keys, missing_keys
    from alertd.daemon.app import check_settings
    from alertd.daemon.receivers import build_notifiers, owner_warnings, secret_file_warnings
    from alertd.errors import RulesError, SettingsError
    from alertd.rules_file.load import load_rules

    try:
        settings = prepare(ctx)
    except SettingsError as error:
        click.echo(str(error), err=True)
        settings = None
    target = path or (settings.rules_path() if settings is not None else Path("rules.yaml"))
    try:
        rules = load_rules(target)
    except RulesError as error:
        click.echo(str(error), err=True)
        return 1
    if settings is None:
        return 1
    try:
        check_settings(rules, settings)
    except SettingsError as error:
        click.echo(str(error), err=True)
        return 1
    notifiers, problems = build_notifiers(rules, settings)
    for text in settings.warnings:
        click.echo(f"warning: {text}", err=True)
    for problem in (
        *rules.warnings,
        *owner_warnings(rules, notifiers),
        *secret_file_warnings(rules),
        *_unmatched(rules, settings),
        *problems,
        *missing_keys(rules, settings),
        *missing_action_keys(rules, settings),
    ):
        click.echo(f"{problem.path}:{problem.line}:{problem.column}: warning: {problem.text}", err=True)
    enabled = sum(rule.enabled for rule in rules.rules)
    counts = ((enabled, "rule"), (len(rules.receivers), "receiver"), (len(rules.accounts), "account"))
    click.echo(f"{target}: ok: {', '.join(format_count(number, noun) for number, noun in counts)}")
    return 0


def _unmatched(rules: "LoadedRules", settings: "Settings") -> "Iterator[Problem]":
    """Yield a problem for each filter that no stored spend fits, and one where the store cannot be read."""
    from alertd.errors import Problem, StoreError
    from alertd.queries.unmatched import read_unmatched
    from alertd.store.opening import is_there
    from alertd.store.store import Store

    url = settings.store_url()
    try:
        if not is_there(url):
            return
        store = Store.open_read_only(url)
        try:
            found = read_unmatched(store, rules.rules, rules.owners)
        finally:
            store.close()
    except StoreError as error:
        yield Problem(str(rules.files[0]), 1, 1, f"the names in filters are not compared with stored spend: {error}")
        return
    yield from (rules.problem("rule", one.rule, one.text) for one in found)
