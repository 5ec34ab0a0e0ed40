"""`alertd backtest`: rules over past bills."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alertd.cli.common import duration, prepare_to_connect, print_json, progress, run_whole, stored_now

if TYPE_CHECKING:
    from alertd.core.replay.replay import Replayer, Watch
    from alertd.history.backtest import Prepared
    from alertd.settings.model import Settings

_EPILOG = """\b
Examples:
  alertd backtest
  alertd backtest --since 60d --suggest
  alertd backtest --rules rules.yaml --against rules.new.yaml
  alertd backtest --json | jq '.messages_per_day'
"""


@click.command("backtest", epilog=_EPILOG)
@click.option(
    "--since",
    metavar="DURATION",
    default="30d",
    show_default=True,
    callback=duration,
    help="How far back from now, like 24h, 7d or 4w.",
)
@click.option("--rules", "path", type=click.Path(path_type=Path), help="Rules file to use instead of the usual one.")
@click.option("--against", type=click.Path(path_type=Path), help="Another rules file: show what it would change.")
@click.option("--suggest", is_flag=True, help="Suggest thresholds that fire once a week or month at most.")
@click.option("--all", "show_all", is_flag=True, help="List every episode, not only the largest.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    since: timedelta,
    path: Path | None,
    against: Path | None,
    *,
    suggest: bool,
    show_all: bool,
    as_json: bool,
) -> int:
    """
    Replay the rules hour by hour over past bills: what would have fired, when, for how long, with how many messages.

    It can read the store while a daemon runs, and writes nothing to it; missing bills are fetched into memory if the
    API key is set. Notes about gaps in the data go to stderr.
    """
    from alertd.cli.backtest_text import comparison_json, comparison_text, replay_json, replay_text, suggestion_text
    from alertd.core.replay.rule_edit import compare
    from alertd.core.replay.suggest import suggestions
    from alertd.daemon.service import SPEND_KEPT

    if not timedelta(days=1) <= since <= SPEND_KEPT:
        raise click.BadParameter(f"write between 1d and {SPEND_KEPT.days}d", param_hint="--since")
    if suggest and (against is not None or as_json):
        raise click.UsageError("--suggest cannot be combined with --against or --json")
    settings = prepare_to_connect(ctx)
    files = [path or settings.rules_path(), *([against] if against is not None else [])]
    prepared = run_whole(_prepare(settings, files, since))
    for note in prepared.notes:
        click.echo(f"Note: {note}", err=True)
    replayers = [_replayed(prepared, watch) for watch in prepared.watches]
    replays = [replayer.result() for replayer in replayers]
    if against is not None:
        before, after = replays
        changes = compare(before, after)
        if as_json:
            print_json(comparison_json(before, after, changes))
        else:
            click.echo(comparison_text(before, after, changes, names=[str(file) for file in files], show_all=show_all))
    elif as_json:
        print_json(replay_json(replays[0]))
    else:
        click.echo(replay_text(replays[0], show_all=show_all))
        if suggest:
            click.echo("\n" + suggestion_text(suggestions(replayers[0])))
    faults = {rule: fault for replay in replays for rule, fault in replay.faults.items()}
    for rule, fault in faults.items():
        click.echo(f'alertd: rule "{rule}" failed: {_fault_text(fault)}', err=True)
    return 1 if faults else 0


def _fault_text(fault: Exception | SystemExit) -> str:
    """Say what failed in a rule and what to do: a sum that does not fit is the vendor's mistake, all else a bug."""
    if isinstance(fault, OverflowError):
        return f"{fault}; look for the rows at fault with `alertd spend --by category,owner`"
    return f"{type(fault).__name__}: {fault}; report it with the rule and `alertd --version`"


async def _prepare(settings: "Settings", files: list[Path], since: timedelta) -> "Prepared":
    from alertd.history.backtest import prepare_replay
    from alertd.rules_file.load import load_rules

    rules = [load_rules(file) for file in files]
    return await prepare_replay(settings, rules, since=since, now=stored_now(settings), progress=progress)


def _replayed(prepared: "Prepared", watch: "Watch") -> "Replayer":
    from alertd.core.replay.replay import Replayer

    replayer = Replayer(prepared.history_of(watch), watch, prepared.hours)
    with progress("Replaying", len(prepared.hours)) as advance:
        for hour in range(prepared.hours.start, prepared.hours.end):
            replayer.step(hour)
            advance(1, "")
    return replayer
