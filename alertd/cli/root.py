"""The command group: finds commands by name, imports only the one asked for, and turns errors into exit codes."""

import os
import sys
from contextlib import suppress
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from alertd import __version__
from alertd.cli.groups import CommandGroup
from alertd.cli.terminal import OutputFailed, protect_terminal
from alertd.errors import AlertdError

COMMANDS = {
    "demo": "Show alertd at work on a simulated month; no key, no network.",
    "run": "Run the service.",
    "check": "Check rules and settings without running.",
    "init": "Write a commented starter rules file.",
    "test": "Run unit tests of rules.",
    "schema": "Print the JSON Schema of the rules file, or of test files.",
    "alerts": "Show what is firing.",
    "running": "Show what runs now, and what it costs an hour.",
    "ack": "Acknowledge an alert: no repeats until it gets worse.",
    "silence": "Withhold notifications for a while.",
    "stop": "Stop the instance behind an alert, or start it again.",
    "actions": "Show requests to stop or start instances, by whom and with what outcome.",
    "explain": "Show why an alert was notified or not, with its history.",
    "spend": "Show what was spent.",
    "report": "Send or print a report now.",
    "status": "Show polls, how far bills are read, receivers and health.",
    "healthcheck": "Ask the running daemon whether it is alive; for containers.",
    "send-test": "Send one test message through a receiver.",
    "backtest": "Replay the rules over past bills: what would have fired.",
    "backfill": "Fetch history into the store.",
    "simulate": "Serve a simulated billing API.",
    "db": "Check, back up or prune the store.",
    "help": "Show the reference: rules, settings, metrics, receivers and more.",
    "completion": "Print a script that completes commands and names in bash, zsh or fish.",
}
"""Name and short help of each command; the module is named alike, with underscores."""


class _Commands(CommandGroup):
    """The commands by name; a command's module is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"alertd.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without importing every command."""
        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        formatter.write("\nExit codes: 0 done, 1 failed, 2 wrong usage.\n")
        formatter.write("\nStart with `alertd demo`, then `alertd init`. `alertd help` lists the reference,\n")
        formatter.write("`alertd help settings` all settings.\n")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="alertd %(version)s")
@click.option("-v", "--verbose", count=True, help="Log at level debug.")
@click.pass_context
def cli(ctx: click.Context, verbose: int) -> None:
    """alertd notifies Slack and email when a Novita AI account spends too much or leaves a bill unpaid."""
    ctx.obj = verbose


def run(arguments: list[str] | None = None) -> int:
    """
    Run a command line.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
    """
    protect_terminal()
    try:
        code = _run(arguments)
        # Flush now, while an error can still be reported: the interpreter flushes too late.
        sys.stdout.flush()
    except OutputFailed as error:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # The reader closed the pipe (`alertd spend | head`): not an error, and the interpreter must not complain.
        if error.is_unread:
            return 0
        with suppress(OSError):
            click.echo(f"alertd: standard output cannot be written: {error}", err=True)
        return 1
    return code


def _run(arguments: list[str] | None) -> int:
    try:
        code = cli.main(arguments, prog_name="alertd", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        if isinstance(error, click.NoSuchOption):
            from alertd.cli.wrong_option import explained

            error = explained(error)
        error.show()
        return error.exit_code
    except AlertdError as error:
        click.echo(f"alertd: {error}", err=True)
        return 1
    except OverflowError as error:
        # Commands say more where they can; nobody gets a traceback for what a vendor billed.
        click.echo(f"alertd: {error}; look for the rows at fault with `alertd spend --by category,owner`", err=True)
        return 1
    except (KeyboardInterrupt, click.exceptions.Abort):
        return 130
    return code if isinstance(code, int) else 0
