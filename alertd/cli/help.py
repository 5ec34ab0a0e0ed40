"""`alertd help`: the reference pages, shipped in the package as files, so that showing one imports nothing."""

import re
import shutil
import sys
from importlib.resources import files

import click

from alertd.cli.common import has_colour
from alertd.cli.help_text import render, styled
from alertd.core.nearest import nearest

TOPICS = (
    ("Rules", ("rules", "budgets", "balance", "api-keys", "planned", "reports", "tests", "backtest")),
    ("Notifications", ("receivers", "slack", "email", "silences", "actions", "delivery", "data", "promises")),
    (
        "Operation",
        ("settings", "commands", "running", "proxies", "postgresql", "page", "http", "metrics", "performance"),
    ),
    ("Getting started", ("demo", "faq", "troubleshooting")),
)
"""The pages by heading, in the order of the list."""
NAMES = tuple(name for _, names in TOPICS for name in names)
_WIDEST = 100
"""Maximum line length: longer lines are hard to read on any terminal."""
_NEAR = 0.7
"""Minimum similarity of a typo to the intended name; with less, "PagerDuty" would match "page"."""
_EPILOG = """\b
Examples:
  alertd help                       list the topics
  alertd help rules                 rule types and keys
  alertd help settings --markdown > settings.md
"""


def read_page(name: str) -> str:
    """Return the Markdown of a page in `NAMES`."""
    return files("alertd").joinpath("help", f"{name}.md").read_text(encoding="utf-8")


def summary_of(page: str) -> str:
    """Return the line under a page's title, which summarises the page."""
    return page.split("\n", 3)[2]


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in NAMES if name.startswith(incomplete)]


@click.command("help", epilog=_EPILOG)
@click.argument("topic", required=False, shell_complete=_complete)
@click.option("--markdown", "is_markdown", is_flag=True, help="Write the page as Markdown.")
@click.pass_context
def command(ctx: click.Context, topic: str | None, *, is_markdown: bool) -> None:
    """
    Show a page of the reference, or list the topics.

    TOPIC is a page, or a command whose --help is shown.
    """
    if topic is None:
        click.echo(_list_markdown() if is_markdown else _list())
    elif topic in NAMES:
        page = read_page(topic)
        click.echo(page if is_markdown else render(page, width=_width(), has_colour=_has_colour()), nl=False)
    else:
        click.echo(_help_of(ctx, topic))


def _help_of(ctx: click.Context, name: str) -> str:
    """Return the --help of a command, or fail with the nearest topic."""
    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    if name in root.list_commands(ctx):
        found = root.get_command(ctx, name)
        assert found is not None
        return found.get_help(click.Context(found, info_name=f"alertd {name}"))
    return ctx.fail(f'There is no topic "{name}". {_remedy(name.lower(), root.list_commands(ctx))}')


def _remedy(name: str, commands: list[str]) -> str:
    near = nearest(name, [*NAMES, *commands], cutoff=_NEAR)
    if near is not None:
        return f'Did you mean "{near}"?'
    on = [topic for topic in NAMES if _is_about(read_page(topic), name)]
    if on:
        return f"Read about it with: {', '.join(f'alertd help {topic}' for topic in on[:3])}."
    return "`alertd help` lists all."


def _is_about(page: str, word: str) -> bool:
    """Return whether a heading, or the first cell of a table row, contains the word."""
    named = re.findall(r"^(?:#+ |\*\*|\| )([^|\n*]+)", page, re.MULTILINE)
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text.lower()) for text in named)


def _list() -> str:
    lines = ["`alertd help TOPIC` shows a page, `alertd COMMAND --help` a command's options."]
    longest = max(map(len, NAMES))
    for heading, names in TOPICS:
        lines += ["", styled(heading, "1", has_colour=_has_colour())]
        lines += [f"  {name:<{longest}}  {summary_of(read_page(name))}" for name in names]
    return "\n".join(lines)


def _list_markdown() -> str:
    return "\n".join(f"- [{name}]({name}.md): {summary_of(read_page(name))}" for name in NAMES)


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _WIDEST)


def _has_colour() -> bool:
    return has_colour(sys.stdout)
