"""What commands share: settings with logging set up, tables, JSON, progress, durations as options."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from alertd.core.printable import escape_controls

if TYPE_CHECKING:
    from alertd.settings import Settings

LONGEST = timedelta(days=3660)
"""No option looks back further than ten years."""


def prepare(ctx: click.Context) -> "Settings":
    """
    Read the settings and set up logging by them and by `-v`.

    Raises:
        SettingsError: A setting is wrong.
    """
    from alertd.log import configure_logging
    from alertd.settings import load_settings
    from alertd.store.url import passwords_in

    settings = load_settings()
    secrets = (*settings.secrets(), *passwords_in(settings.store_url()))
    configure_logging(style=settings.log_format, level="debug" if ctx.obj else settings.log_level, secrets=secrets)
    return settings


def prepare_to_connect(ctx: click.Context) -> "Settings":
    """
    Do as `prepare` for a command that connects to others, and check what the system says of proxies and certificates.

    Raises:
        SettingsError: A setting or one of the system's variables is wrong.
    """
    settings = prepare(ctx)
    _ = settings.outgoing
    return settings


def check_outgoing() -> None:
    """
    Check the system's variables for proxies and certificates, which libraries read as soon as they are imported.

    Raises:
        SettingsError: One of them cannot be used.
    """
    from alertd.outgoing.connections import Outgoing

    Outgoing.from_environment(os.environ)


def print_json(content: object) -> None:
    """Print JSON for programs: one document, readable by people too."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=not (sys.stdout.encoding or "").lower().startswith("utf")))


def bars() -> str:
    """Return the bars of charts that standard output can show, lowest first."""
    from alertd.core.sparkline import ASCII, BLOCKS

    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """
    Set rows in columns of equal width, two blanks apart.

    Args:
        rows: The first one is the heading.
        right: Columns that hold numbers.
    """
    clean = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in clean) for n in range(len(clean[0]))]
    lines = [
        "  ".join(cell.rjust(widths[n]) if n in right else cell.ljust(widths[n]) for n, cell in enumerate(row)).rstrip()
        for row in clean
    ]
    return "\n".join(lines)


def duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """Read an option such as `7d`, `24h`, `90m`; refuse what is none with an example."""
    from alertd.core.times import parse_duration

    try:
        found = parse_duration(value.strip())
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if found > LONGEST:
        raise click.BadParameter(f'"{value}" is too long; the longest is {LONGEST.days}d')
    return found


@contextmanager
def progress(title: str, length: int) -> Iterator[Callable[[int, str], None]]:
    """
    Show on stderr how far something is, where that is a terminal.

    Yields:
        A function that takes how much further it is, and what was done last.
    """
    if not sys.stderr.isatty():
        yield lambda _further, _what: None
        return
    with click.progressbar(length=length, label=title, file=sys.stderr, item_show_func=lambda what: what or "") as bar:
        yield bar.update
