"""`alertd check`: rules and settings without running."""

from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alertd.cli.common import prepare, prepare_to_check, read_store
from alertd.core.printable import escape_controls

if TYPE_CHECKING:
    from alertd.daemon.online import Finding
    from alertd.errors import Problem
    from alertd.rules_file.model import LoadedRules
    from alertd.settings.asked import AskedSettings

_EPILOG = """\b
Examples:
  alertd check
  alertd check /etc/alertd/rules.yaml
  alertd check --online
"""


@click.command("check", epilog=_EPILOG)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--online",
    is_flag=True,
    help="Also ask whether keys, Slack (token, scopes, each channel) and the mail server work; sends nothing.",
)
@click.pass_context
def command(ctx: click.Context, path: Path | None, *, online: bool) -> int:
    """
    Check rules and settings; every error at once, as path:line:col: message.

    PATH is a rules file or a directory of them; by default the one that `alertd run` would use. Secrets that are not
    set here are warnings, so that rules can be checked where they are not deployed. Exit code 1 when there is
    an error.
    """
    from alertd.core.words import format_count
    from alertd.daemon.accounts import missing_action_keys, missing_keys
    from alertd.daemon.preflight import check_settings
    from alertd.daemon.receivers import build_notifiers, owner_warnings, secret_file_warnings
    from alertd.errors import RulesError, SettingsError
    from alertd.rules_file.load import load_rules
    from alertd.store.place import require_place

    # Mistakes elsewhere are reported in the same run.
    settings, wrong_settings = prepare_to_check(ctx)
    for text in wrong_settings:
        click.echo(text, err=True)
    target, rules = path or settings.rules_path(), None
    try:
        rules = load_rules(target)
    except RulesError as error:
        click.echo(str(error), err=True)
    try:
        check_settings(rules, settings)
    except SettingsError as error:
        click.echo(str(error), err=True)
        return 1
    if wrong_settings or rules is None:
        return 1
    notifiers, problems = build_notifiers(rules, settings)
    for text in filter(None, (*settings.warnings, require_place(settings.store_url()))):
        click.echo(f"warning: {text}", err=True)
    keys = [*missing_keys(rules, settings), *missing_action_keys(rules, settings)]
    problems += keys
    wrong = [problem for problem in problems if not problem.is_absence]
    for problem in (
        *rules.warnings,
        *owner_warnings(rules, notifiers),
        *secret_file_warnings(rules),
        *_unmatched(rules, settings),
        *(problem for problem in problems if problem.is_absence),
    ):
        click.echo(f"{problem.path}:{problem.line}:{problem.column}: warning: {problem.text}", err=True)
    if wrong:
        # A wrong value that is set here is wrong everywhere.
        click.echo(str(RulesError(wrong)), err=True)
        return 1
    enabled = sum(rule.enabled for rule in rules.rules)
    counts = ((enabled, "rule"), (len(rules.receivers), "receiver"), (len(rules.accounts), "account"))
    click.echo(f"{target}: ok: {', '.join(format_count(number, noun) for number, noun in counts)}")
    if not online:
        return 0
    if keys:
        # Only warnings when rules are edited; with --online nothing could be queried.
        click.echo("alertd: set the API keys that are named above, and run this again", err=True)
        return 1
    import asyncio

    from alertd.daemon.online import check_online

    code = asyncio.run(_online(check_online(rules, prepare(ctx), notifiers)))
    if problems:
        click.echo(
            "alertd: receivers that lack the secrets named above were not asked; set these, and ask again", err=True
        )
    return 1 if problems else code


async def _online(findings: "Awaitable[Sequence[Finding]]") -> int:
    is_well = True
    for finding in await findings:
        about = escape_controls(finding.about)
        for fault in finding.faults:
            is_well = False
            click.echo(f"{about}: {escape_controls(fault.removeprefix(f'{finding.about}: '))}", err=True)
        if not finding.is_asked:
            click.echo(f"{about}: not asked; only a message shows whether it arrives: `alertd send-test`")
        elif not finding.faults:
            click.echo(f"{about}: ok")
    return 0 if is_well else 1


def _unmatched(rules: "LoadedRules", settings: "AskedSettings") -> "Iterator[Problem]":
    """Yield a problem for each filter that no stored spend fits, and one where the store cannot be read."""
    from alertd.core.rules.unmatched import has_filters

    if not has_filters(rules.rules):
        return
    from alertd.errors import Problem, StoreError
    from alertd.queries.unmatched import read_unmatched
    from alertd.store.opening import is_there

    try:
        if not is_there(settings.store_url()):
            return
        with read_store(settings) as store:
            found = read_unmatched(store, rules.rules, rules.owners)
    except StoreError as error:
        yield Problem(str(rules.files[0]), 1, 1, f"the names in filters are not compared with stored spend: {error}")
        return
    yield from (rules.problem("rule", one.rule, one.text) for one in found)
