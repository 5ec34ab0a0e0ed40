"""
The entry points that installed packages register in a group.

Reads the same files as `importlib.metadata`, whose import takes longer than a command that only reads may run. Packages
in archives are not found, but none of alertd's dependencies can be in one.
Source: https://packaging.python.org/specifications/entry-points/.
"""

import os
import re
import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module

from alertd.core.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """A name and the object that a package registers under it."""

    name: str
    value: str
    """A module, optionally with an object in it: `package.module:object`."""
    package: str

    def load(self) -> object:
        """Import and return the object; raises any exception of the package's code."""
        module, _, path = self.value.partition("[")[0].replace(" ", "").partition(":")
        return reduce(getattr, path.split(".") if path else (), import_module(module))


def entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of all packages on `sys.path`; of a package found twice, the first counts."""
    found: list[EntryPoint] = []
    seen = set()
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 -- only names are needed, of hundreds of entries
        except OSError:
            # As for imports, an entry of the path may not exist.
            continue
        for name in names:
            stem, ending = os.path.splitext(name)  # noqa: PTH122
            package = re.sub(r"[-_.]+", "-", stem.partition("-")[0]).lower()
            if ending in {".dist-info", ".egg-info"} and package not in seen:
                seen.add(package)
                found += _registered(os.path.join(folder, name), group)  # noqa: PTH118
    return found


def _registered(metadata: str, group: str) -> Iterator[EntryPoint]:
    """Yield the entry points that one package registers in a group."""
    text = _text(metadata, "entry_points.txt")
    if group not in text:
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield EntryPoint(name=name.strip(), value=value.strip(), package=_name(metadata))


def _name(metadata: str) -> str:
    """Return a package's name as written in its metadata."""
    about = _text(metadata, "METADATA") or _text(metadata, "PKG-INFO")
    found = re.search(r"^Name: *(\S+)", about, re.MULTILINE)
    return found[1] if found else os.path.basename(metadata).partition("-")[0]  # noqa: PTH119


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:  # noqa: PTH118, PTH123
            return file.read()
    except OSError:
        return ""
