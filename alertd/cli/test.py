"""`alertd test`: unit tests of rules."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from alertd.cli.common import has_colour, run_whole

if TYPE_CHECKING:
    from alertd.rules_test.report import FileOutcome

_EPILOG = """\b
Examples:
  alertd test rules_test.yaml
  alertd test tests/*_test.yaml --junit report.xml
  alertd schema --for tests > rules-test.schema.json
"""


@click.command("test", epilog=_EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--junit", type=click.Path(path_type=Path), help="Also write the outcome to this file, as JUnit XML.")
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], junit: Path | None) -> int:
    """
    Run unit tests of rules: bills in, time passes, expected alerts and messages.

    Needs no key, no secret and no network, and sends nothing. Exit code 1 when a test fails or a file has mistakes.
    """
    from alertd.log import configure_logging
    from alertd.rules_test.report import summary

    configure_logging(style=None, level="debug" if ctx.obj else "error", secrets=())
    outcomes = run_whole(_run(files))
    click.echo(summary(outcomes))
    if junit is not None and not _write(junit, outcomes):
        return 1
    return 0 if all(outcome.passed for outcome in outcomes) else 1


async def _run(files: tuple[Path, ...]) -> list["FileOutcome"]:
    """Run the files, printing each failure as it occurs."""
    from alertd.clock import monotonic_s
    from alertd.rules_test.report import failure_text
    from alertd.rules_test.suite import run_file

    is_coloured = has_colour(sys.stdout)
    outcomes = []
    for path in files:
        outcome = await run_file(path, timer=monotonic_s, warn=lambda text: click.echo(text, err=True))
        for problem in outcome.problems:
            click.echo(str(problem), err=True)
        for test in outcome.tests:
            if not test.passed:
                click.echo(failure_text(test, has_colour=is_coloured) + "\n")
        outcomes.append(outcome)
    return outcomes


def _write(path: Path, outcomes: list["FileOutcome"]) -> bool:
    from alertd.rules_test.report import junit

    try:
        path.write_bytes(junit(outcomes))
    except OSError as error:
        click.echo(f"alertd: cannot write {path}: {error.strerror}", err=True)
        return False
    return True
