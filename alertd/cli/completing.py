"""
Shell completion of names from the rules file.

It must be quick, so it reads the file without checking it, and takes settings only from the
environment. If nothing can be read, it completes nothing and never fails.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import click


def names_in(section: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """Return a completer for the names in a section of the rules file."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
        try:
            return [name for name in _names(section) if name.startswith(incomplete)]
        except (OSError, ValueError):
            return []

    return complete


def _names(section: str) -> Iterator[str]:
    from alertd.rules_file.entry import Findings
    from alertd.rules_file.files import rules_files
    from alertd.rules_file.source import MAX_BYTES, parse
    from alertd.settings.asked import AskedSettings
    from alertd.settings.text_file import open_ordinary

    named = os.environ.get("ALERTD_RULES", "")
    for file in rules_files(AskedSettings(rules=Path(named) if named else None).rules_path(), Findings()):
        with open_ordinary(file) as stream:
            root = parse(stream.read(MAX_BYTES + 1), str(file)).root
        entries = root.children.get(section) if root is not None else None
        for entry in entries.value if entries is not None and isinstance(entries.value, list) else ():
            name = entry.children.get("name")
            if name is not None and isinstance(name.value, str):
                yield name.value
