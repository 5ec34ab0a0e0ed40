"""
The words that alertd does not use, and the texts that people read.
`python -m tests.words` prints every text that uses one.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from alertd.cli.root import cli
from tests.help.documents import DOCUMENTS, ROOT
from tests.help.tables import without_generated

LIST = ROOT / "tests" / "words.txt"


@dataclass(frozen=True, slots=True)
class Found:
    """A text that uses one of the words, and its place."""

    place: str
    text: str
    word: str
    instead: str

    def __str__(self) -> str:
        """Return two lines: place, word and what to write instead; then the text."""
        return f"{self.place}: {self.word!r}; write: {self.instead}\n    {self.text}"


@cache
def rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the expressions of the list, each with what to write instead."""
    lines = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    pairs = (line.rsplit(" -> ", 1) for line in lines)
    return tuple((re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in pairs)


def find(place: str, text: str) -> Iterator[Found]:
    """Yield each word of the list that a text uses."""
    shown = " ".join(text.split())
    for pattern, instead in rules():
        for word in pattern.finditer(shown):
            yield Found(place, shown, word[0], instead)


def paragraphs(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield the paragraphs of a document with their places; a sentence may span several lines."""
    name = path.relative_to(ROOT).as_posix()
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        yield f"{name}:{line}", paragraph
        line += paragraph.count("\n")


def shown_of(text: str) -> str:
    """Remove from a template what is not shown: statements, expressions except their strings, names in attributes."""
    text = re.sub(r"\{%.*?%\}|\{#.*?#\}", " ", text)
    text = re.sub(r"\{\{.*?\}\}", lambda found: " ".join(re.findall(r'"([^"]*)"', found[0])), text)
    return re.sub(r'\b(?:id|class|href|for|name|aria-labelledby)="[^"]*"', "", text)


def documents() -> Iterator[tuple[str, str]]:
    """Yield the paragraphs of everything that is written for people and is not code."""
    for path in (*DOCUMENTS, ROOT / "CHANGELOG.md"):
        yield from paragraphs(path, without_generated(path.read_text(encoding="utf-8")))
    for folder, pattern in (("alertd", "*.yaml"), ("deploy", "*"), ("alertd/web/templates", "*.html")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            if path.is_file() and path.suffix in {".yaml", ".html", ".service", ".json", ".txt"}:
                yield from paragraphs(path, shown_of(path.read_text(encoding="utf-8")))
    for path in (ROOT / "rules.example.yaml", ROOT / "Dockerfile"):
        yield from paragraphs(path, path.read_text(encoding="utf-8"))


def command_help() -> Iterator[tuple[str, str]]:
    """Yield the --help of every command by paragraph."""

    def of(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
        context = click.Context(command, info_name=name, max_content_width=100)
        yield name, command.get_help(context)
        if isinstance(command, click.Group):
            for word in command.list_commands(context):
                inner = command.get_command(context, word)
                assert inner is not None
                yield from of(inner, f"{name} {word}")

    for name, text in of(cli, "alertd"):
        for paragraph in text.split("\n\n"):
            yield f"{name} --help", paragraph


def strings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the strings of a module that may be shown: no docstrings, and no single lower-case words."""
    docstrings = set()
    # Statements come before what they hold.
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr):
            docstrings.add(id(node.value))
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in docstrings:
            continue
        text = node.value
        if re.search(r"\s", text.strip()) or text[:1].isupper():
            yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", text


def room_of(path: Path) -> str:
    """Return the room of a module; `root` if it is in none."""
    parts = path.relative_to(ROOT / "alertd").parts
    return "root" if len(parts) == 1 else ".".join(parts[: 2 if parts[0] == "core" and len(parts) > 2 else 1])


def rooms() -> dict[str, list[Path]]:
    """Return the modules of the package by room."""
    found: dict[str, list[Path]] = {}
    for path in sorted((ROOT / "alertd").rglob("*.py")):
        found.setdefault(room_of(path), []).append(path)
    return found


def in_room(room: str) -> list[Found]:
    """Return the words of the list that the strings of a room use."""
    return [found for path in rooms()[room] for place, text in strings(path) for found in find(place, text)]


if __name__ == "__main__":
    for one in (*(found for room in rooms() for found in in_room(room)), *(f for p in documents() for f in find(*p))):
        print(one)  # noqa: T201 -- a command's output
