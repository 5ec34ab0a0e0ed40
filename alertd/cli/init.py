"""`alertd init`: a starter rules file."""

from importlib.resources import files
from pathlib import Path

import click

_EPILOG = """\b
Example:
  alertd init && $EDITOR rules.yaml && alertd check
"""


@click.command("init", epilog=_EPILOG)
@click.argument("path", default="rules.yaml", type=click.Path(path_type=Path))
def command(path: Path) -> int:
    """Write a commented starter rules file to PATH (default rules.yaml); it never overwrites one."""
    text = files("alertd.rules_file").joinpath("starter.yaml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        click.echo(f"alertd: {path} exists; it was left as it is", err=True)
        return 1
    except OSError as error:
        click.echo(f"alertd: cannot write {path}: {error.strerror}", err=True)
        return 1
    click.echo(f"Wrote {path}. Edit it, then: alertd check && alertd run --dry-run")
    return 0
