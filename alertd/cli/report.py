"""`alertd report`: a report now, sent or printed."""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from alertd.cli.common import now_of, prepare_to_connect, print_sent, read_store
from alertd.cli.completing import names_in
from alertd.core.nearest import nearest

if TYPE_CHECKING:
    from alertd.core.messages.message import Message
    from alertd.rules_file.model import LoadedRules, Report
    from alertd.settings.model import Settings

_EPILOG = """\b
Examples:
  alertd report weekly           send it to its receivers
  alertd report weekly --print   show it, send nothing
  alertd report --print          the only report, or one of the last 7 days
"""


@click.command("report", epilog=_EPILOG)
@click.argument("name", required=False, shell_complete=names_in("reports"))
@click.option("--print", "is_printed", is_flag=True, help="Print the report here and send nothing.")
@click.pass_context
def command(ctx: click.Context, name: str | None, *, is_printed: bool) -> int:
    """
    Send the report NAME of the rules file now, from stored bills; NAME is optional if there is only one.

    It is sent to its receivers directly, with one attempt each and without the outbox: nothing is retried, and the
    scheduled report is still sent. Exit code 1 if a receiver did not accept it.
    """
    from alertd.daemon.receivers import chosen_notifiers, send_now
    from alertd.rules_file.load import load_rules

    settings = prepare_to_connect(ctx)
    rules = load_rules(settings.rules_path())
    report = _chosen(rules, name, is_printed=is_printed)
    if is_printed:
        return 0 if asyncio.run(_is_printed(_compose(settings, rules, report), rules, settings)) else 1
    notifiers = chosen_notifiers(report.notify, rules, settings)
    return print_sent(asyncio.run(send_now(notifiers, _compose(settings, rules, report))))


def _chosen(rules: "LoadedRules", name: str | None, *, is_printed: bool) -> "Report":
    names: list[str] = [report.name for report in rules.reports]
    if name is not None and name not in names:
        near = nearest(name, names)
        hint = f'did you mean "{near}"?' if near else "the rules file has none"
        hint = hint if near or not names else f"there {_listed(names)}"
        raise click.BadParameter(f'there is no report "{name}"; {hint}', param_hint="NAME")
    if name is None and not names and is_printed:
        return _default(rules)
    if name is None and len(names) != 1:
        hint = "write reports: into the rules file, or look with --print" if not names else "name one of them"
        raise click.UsageError(f"There {_listed(names)}; {hint}.")
    return next(report for report in rules.reports if name in {None, report.name})


def _listed(names: list[str]) -> str:
    return f"are the reports {', '.join(names)}" if len(names) > 1 else f"is {names[0] if names else 'no report'}"


def _default(rules: "LoadedRules") -> "Report":
    """Return the default report for a rules file without any: the last 7 days, by team if any owner has one."""
    from alertd.rules_file.model import Report
    from alertd.rules_file.moments import Schedule
    from alertd.rules_file.values import Name

    has_teams = any(owner.team for owner in rules.owners.entries)
    return Report(
        name=Name("spend"), schedule=Schedule(""), group_by=("category", "team") if has_teams else ("category",)
    )


def _compose(settings: "Settings", rules: "LoadedRules", report: "Report") -> "Message":
    from alertd.core.reports.figures import report_figures
    from alertd.core.reports.words import compose_report
    from alertd.daemon.plan import build_link_targets
    from alertd.daemon.watching import build_watched, scope_of
    from alertd.queries.snapshot import read_snapshot

    scope = scope_of(report)
    with read_store(settings) as store:
        watched = build_watched(rules, settings)
        watched = replace(watched, reach=max(watched.reach, scope.reach))
        known = read_snapshot(store, watched, owners=rules.owners, now=now_of(store))
    figures = report_figures(scope, known.facts, alerts=known.alerts, rules=watched.rules)
    return compose_report(figures, owners=known.facts.owners, targets=build_link_targets(rules, settings))


async def _is_printed(message: "Message", rules: "LoadedRules", settings: "Settings") -> bool:
    from alertd.daemon.receivers import printing_notifier, send_now

    ((_, _, is_printed),) = await send_now({"report": printing_notifier("report", rules, settings)}, message)
    return is_printed
