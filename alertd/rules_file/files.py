"""Find and read the rules files, and join their sections into lists of entries, without interpreting the entries."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from alertd.core.dataclass import dataclass
from alertd.errors import Problem
from alertd.rules_file.entry import Entry, Findings, entries_of
from alertd.rules_file.remedy import closest, known_words, show
from alertd.rules_file.sections import SECTIONS, TOP_LEVEL_KEYS, VERSION
from alertd.rules_file.source import MAX_BYTES, Node, Number, parse
from alertd.settings.text_file import open_ordinary

_ENDINGS = (".yaml", ".yml")
_STARTER = "`alertd init` writes a starter"


@dataclass(slots=True)
class Joined:
    """The entries of all files by section, filled file by file."""

    files: list[Path] = field(default_factory=list)
    sections: dict[str, list[Entry]] = field(default_factory=lambda: {name: [] for name in SECTIONS})
    defaults: list[Entry] = field(default_factory=list)


def read_files(path: Path, findings: Findings) -> Joined:
    """
    Read a file, or each `*.yaml` and `*.yml` of a folder in order of name.

    A file that cannot be read or is not YAML becomes a problem; the other files are still read.
    """
    joined = Joined(files=rules_files(path, findings))
    missing = f"there is no such file; {_STARTER}, ALERTD_RULES names another"
    other = f"a rules file is a mapping with version: and rules:, not {{}}; {_STARTER}"
    for file in joined.files:
        root = read_mapping(file, findings, missing=missing, empty=f"the file is empty; {_STARTER}", other=other)
        if root is not None:
            _join(str(file), root, joined, findings)
    return joined


def read_mapping(file: Path, findings: Findings, *, missing: str, empty: str, other: str) -> Node | None:
    """
    Return the mapping that a file contains; None if it contains none, with the reason added as a problem.

    Args:
        missing: The text of the problem if the file does not exist.
        empty: The text if the file is empty.
        other: The text if the file contains something else, which replaces `{}`.
    """
    data = _bytes(file, findings, missing)
    if data is None:
        return None
    source = parse(data, str(file))
    for problem in source.problems:
        findings.add(problem)
    root = source.root
    if root is None and not source.problems:
        findings.add(Problem(str(file), 1, 1, empty))
    if root is None or isinstance(root.value, dict):
        return root
    findings.add(Problem(str(file), root.line, root.column, other.format(show(root.plain()))))
    return None


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, which would walk the growing tree of nodes: a big file loads in half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def rules_files(path: Path, findings: Findings) -> list[Path]:
    """Return the file, or those of a folder in order of name; if there are none, the reason is added as a problem."""
    try:
        if not path.is_dir():
            return [path]
        # Hidden files are editors' copies and Kubernetes' links to the same files.
        names = sorted(one for one in path.iterdir() if one.suffix in _ENDINGS and not one.name.startswith("."))
        found = [one for one in names if one.is_file()]
    except OSError as error:
        findings.add(Problem(str(path), 1, 1, f"cannot be read: {error.strerror}"))
        return []
    if not found:
        findings.add(Problem(str(path), 1, 1, f"no *.yaml file in this folder; {_STARTER}"))
    return found


def _bytes(file: Path, findings: Findings, missing: str) -> bytes | None:
    try:
        with open_ordinary(file) as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        findings.add(Problem(str(file), 1, 1, missing))
    except IsADirectoryError:
        findings.add(Problem(str(file), 1, 1, f"this is a folder; name the files in it, such as {file}/*.yaml"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "its name is not one that a file can have"
        findings.add(Problem(str(file), 1, 1, f"cannot be read: {why}; check its permissions"))
    return None


def _join(path: str, root: Node, joined: Joined, findings: Findings) -> None:
    _check_version(path, root, findings)
    for key, node in root.children.items():
        line, column = root.keys[key]
        if key in SECTIONS:
            joined.sections[key] += _entries(path, key, node, findings)
        elif key == "defaults":
            if isinstance(node.value, dict):
                joined.defaults.append(Entry(path=path, kind=key, number=0, node=node))
            elif node.value is not None:
                text = f"defaults: {show(node.plain())} is not a mapping; write key: value pairs"
                findings.add(Problem(path, node.line, node.column, text))
        elif key != "version":
            remedy = closest(key, TOP_LEVEL_KEYS) or f"; a rules file has {known_words(TOP_LEVEL_KEYS)}"
            findings.add(Problem(path, line, column, f"unknown key {show(key)}{remedy}"))


def _check_version(path: str, root: Node, findings: Findings) -> None:
    version = root.children.get("version")
    if version is None:
        findings.add(
            Problem(path, root.line, root.column, f"version is missing; begin the file with version: {VERSION}")
        )
    elif not isinstance(version.value, Number) or version.value != VERSION:
        text = f"version: {show(version.plain())} is not known to this alertd; write version: {VERSION}"
        findings.add(Problem(path, version.line, version.column, text))


def _entries(path: str, section: str, node: Node, findings: Findings) -> list[Entry]:
    singular = SECTIONS[section].singular
    if isinstance(node.value, list):
        return entries_of(path, singular, node.value)
    if node.value is not None:
        # An empty section is allowed: its entries may all be commented out.
        text = f"{section}: {show(node.plain())} is not a list; begin each {singular} with a dash (-)"
        findings.add(Problem(path, node.line, node.column, text))
    return []
