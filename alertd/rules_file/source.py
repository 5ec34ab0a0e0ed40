"""
Parse YAML text into light nodes with their positions; constructs that could surprise the file's author are refused.

Scalars follow YAML 1.2's core schema: `no`, `on`, `22:00` are text, `010` is ten, and a number keeps its spelling.
Works on the parser's events without recursion, so that neither depth nor aliases can exhaust the machine. Independent
of rules.
"""

import re
from collections.abc import Iterator
from dataclasses import field
from functools import lru_cache
from typing import NoReturn

import yaml

from alertd.core.dataclass import dataclass
from alertd.core.words import quote
from alertd.errors import Problem
from alertd.rules_file.yaml_words import explain

MAX_BYTES = 16 * 2**20
"""Maximum size of a file: ten times a file of 10,000 rules."""
MAX_DEPTH = 32
"""Maximum nesting, so that code that walks the nodes may recurse; a rules file needs six levels."""
MAX_NODES = 1_000_000
"""Maximum nodes in a file: three times a file of 10,000 rules; limits the time for 16 MiB to seconds."""
MAX_ALIAS_NODES = 100_000
"""Maximum number of nodes that aliases may add: a malicious file of 300 bytes can expand to billions."""
MAX_PROBLEMS = 100
"""Maximum number of problems per file; more are usually one mistake repeated."""

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII
)
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BEFORE_COMMA = re.compile(r"(\$\s?|[Uu][Ss][Dd]\s)?[0-9]{1,3}(,[0-9]{3})*")
_AFTER_COMMA = re.compile(r"[0-9]+(\.[0-9]+)?(\s?[Uu][Ss][Dd])?")
_MAY_BE_SPECIAL = frozenset("0123456789+-.~nNtTfF")
# More digits are an id, not a quantity; int() refuses more than 4,300.
_NUMBER_LENGTH = 64
# Strings, compiled on first use: for all of Unicode that takes as long as reading a small file.
_UNPRINTABLE_ASCII = "[^\t\n\r\x20-\x7e]"
_UNPRINTABLE = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_SURROGATE = re.compile("[\ud800-\udfff]")


class Number(str):
    """A number in YAML, kept as it was written: money must not pass through binary floats."""

    __slots__ = ()

    @property
    def native(self) -> int | float:
        """The number as Python's int or float."""
        if _INTEGER.fullmatch(self):
            base = {"0x": 16, "0o": 8}.get(self[:2], 10)
            return int(self, base)
        return float(self.lower().replace(".inf", "inf").replace(".nan", "nan"))


# Not frozen and not keyword-only: a file of 10,000 rules builds 300,000 of them, and freezing doubles the time.
@dataclass(slots=True)
class Node:
    """A scalar, list or mapping, and where it begins (lines and columns count from 1, in characters)."""

    line: int
    column: int
    value: "str | bool | list[Node] | dict[str, Node] | None"
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Line and column of each key of a mapping."""

    @property
    def children(self) -> "dict[str, Node]":
        """The nodes of a mapping by key; empty for any other node."""
        return self.value if isinstance(self.value, dict) else {}

    def plain(self) -> object:
        """Return the value as str, Number, bool, None, list and dict."""
        value = self.value
        if isinstance(value, dict):
            return {key: node.plain() for key, node in value.items()}
        if isinstance(value, list):
            return [node.plain() for node in value]
        return value

    def native(self) -> object:
        """Return the value as JSON types: numbers are int and float."""
        value = self.value
        if isinstance(value, dict):
            return {key: node.native() for key, node in value.items()}
        if isinstance(value, list):
            return [node.native() for node in value]
        return value.native if isinstance(value, Number) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The contents of a file: its root node, None if it is empty or not readable, and all problems found."""

    root: Node | None
    problems: tuple[Problem, ...]


def parse(data: bytes, path: str) -> Source:
    """
    Read one YAML document.

    Args:
        data: The file's bytes, UTF-8 with or without a byte order mark.
        path: The file's name in problems.
    """
    builder = _Builder(path)
    text = ""
    try:
        text = _text(data, builder)
        for event in _events(text):
            builder.take(event)
    except _Stop:
        return Source(root=None, problems=tuple(builder.problems))
    except yaml.YAMLError as error:
        problem = Problem(path, *explain(error, text))
        return Source(root=None, problems=(*builder.problems, problem))
    return Source(root=builder.root, problems=tuple(builder.problems))


def _events(text: str) -> Iterator[yaml.Event]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
    return events


def _text(data: bytes, builder: "_Builder") -> str:
    if len(data) > MAX_BYTES:
        builder.stop(
            1, 1, f"the file is larger than {MAX_BYTES // 2**20} MiB; split it into several files of one folder"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        builder.stop(*_place(before), "the file is not UTF-8 text; save it with the encoding UTF-8")
    if found := re.search(_UNPRINTABLE_ASCII if text.isascii() else _UNPRINTABLE, text):
        code = ord(found.group())
        builder.stop(*_place(text[: found.start()]), f"character U+{code:04X} is not allowed in YAML; remove it")
    return text


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def scalar(text: str) -> str | bool | None:
    """Return the value of a plain scalar in YAML 1.2's core schema."""
    if text and text[0] not in _MAY_BE_SPECIAL:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) <= _NUMBER_LENGTH and (_INTEGER.fullmatch(text) or _FLOAT.fullmatch(text)):
        return Number(text)
    return text


@lru_cache(maxsize=1024)
def _is_no_text(key: str) -> bool:
    value = scalar(key)
    return not isinstance(value, str) or isinstance(value, Number)


class _Stop(Exception):
    """The file cannot be read any further; the problem is recorded."""


@dataclass(slots=True)
class _Open:
    """A list or mapping that is still open."""

    node: Node
    anchor: str | None
    nodes_before: int
    key: str | None = None
    last_key: str = ""
    is_flow: bool = False
    """Whether it is a list in brackets or a mapping in braces."""
    is_dropped: bool = False
    """Whether the next value is dropped, because its key was refused."""
    height: int = 0


@dataclass(frozen=True, slots=True)
class _Anchor:
    node: Node
    size: int
    height: int


class _Builder:
    """Builds nodes from events; used for one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.root: Node | None = None
        self._documents = 0
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchor] = {}
        self._nodes = 0
        self._alias_nodes = 0

    def stop(self, line: int, column: int, text: str) -> NoReturn:
        """Record a problem that ends the reading of the file, and raise `_Stop`."""
        self.problems.append(Problem(self.path, line, column, text))
        raise _Stop

    def take(self, event: yaml.Event) -> None:
        """Process the next event."""
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._take_start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._take_end()
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self.stop(*_mark(event), "a second document begins here; a rules file is one document, remove the ---")

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        line, column = _mark(event)
        text: str = event.value
        is_plain = event.implicit[0]
        if event.tag is not None:
            self._refuse_tag(event)
        elif not is_plain and not text.isascii() and _SURROGATE.search(text):
            self._problem(line, column, "half of a surrogate pair is not a character; write the character itself")
            text = _SURROGATE.sub("?", text)
        top = self._open[-1] if self._open else None
        if top is not None and top.key is None and isinstance(top.node.value, dict):
            self._take_key(top, text, line, column, is_plain=is_plain)
            return
        node = Node(line, column, scalar(text) if is_plain else text)
        self._count(line, column)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(node, 1, 0)
        self._add(node)

    def _take_key(self, top: _Open, text: str, line: int, column: int, *, is_plain: bool) -> None:
        before = top.node.value.get(top.last_key) if isinstance(top.node.value, dict) else None
        if is_plain and top.is_flow and before is not None and self._joins_amount(before, text):
            top.key, top.is_dropped = text, True
            return
        top.key = top.last_key = text
        first = top.node.keys.get(text)
        if first is not None:
            notified = f"first at line {first[0]}, column {first[1]}; keep one of them"
            self._problem(line, column, f"key {quote(text)} is written twice; {notified}")
            top.is_dropped = True
        elif is_plain and text == "<<":
            self._problem(
                line, column, "merge keys (<<) are not part of YAML 1.2; write the keys out, or put them into defaults:"
            )
            top.is_dropped = True
        elif is_plain and _is_no_text(text):
            self._problem(line, column, f'key {quote(text)} is not text; write it in quotes: "{text[:40]}"')
        top.node.keys[text] = (line, column) if first is None else first

    def _joins_amount(self, before: Node, text: str) -> bool:
        """Return whether a key in braces is the rest of an amount split at a comma, as in `{warning: $1,200}`."""
        start = before.value
        if not isinstance(start, str) or not _BEFORE_COMMA.fullmatch(start) or not _AFTER_COMMA.fullmatch(text):
            return False
        whole = f"{start},{text}"
        if "," in start:
            found = self.problems[-1] if self.problems else None
            if found is None or (found.line, found.column) != (before.line, before.column):
                # The value is in quotes.
                return False
            # An earlier comma of this amount was already reported: report the entire amount instead.
            self.problems.pop()
        self._problem(before.line, before.column, f'inside of {{ }} a comma ends the value; quote it: "{whole}"')
        if re.match("[0-9]{3}(?![0-9])", text):
            before.value = whole
        return True

    def _take_start(self, event: yaml.CollectionStartEvent) -> None:
        line, column = _mark(event)
        if event.tag is not None:
            self._refuse_tag(event)
        self._refuse_as_key(line, column)
        if len(self._open) >= MAX_DEPTH:
            self.stop(line, column, f"lists and mappings are nested more than {MAX_DEPTH} deep")
        self._count(line, column)
        value: list[Node] | dict[str, Node] = {} if isinstance(event, yaml.MappingStartEvent) else []
        opened = _Open(Node(line, column, value), event.anchor, self._nodes - 1, is_flow=bool(event.flow_style))
        self._open.append(opened)

    def _take_end(self) -> None:
        done = self._open.pop()
        if done.anchor is not None:
            self._anchors[done.anchor] = _Anchor(done.node, self._nodes - done.nodes_before, done.height + 1)
        if self._open:
            self._open[-1].height = max(self._open[-1].height, done.height + 1)
        self._add(done.node)

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        line, column = _mark(event)
        name = event.anchor or ""
        self._refuse_as_key(line, column)
        if any(entry.anchor == name for entry in self._open):
            self.stop(line, column, f"alias *{name} refers to a value that contains it; write the values out")
        anchor = self._anchors.get(name)
        if anchor is None:
            self.stop(line, column, f'alias *{name} has no anchor before it; quote a glob: "*{name}"')
        self._nodes += anchor.size
        self._alias_nodes += anchor.size
        if self._alias_nodes > MAX_ALIAS_NODES:
            self.stop(line, column, f"aliases stand for more than {MAX_ALIAS_NODES:,} values; write fewer of them")
        if len(self._open) + anchor.height > MAX_DEPTH:
            self.stop(line, column, f"with alias *{name}, lists and mappings are nested more than {MAX_DEPTH} deep")
        if self._open:
            self._open[-1].height = max(self._open[-1].height, anchor.height)
        self._add(anchor.node)

    def _refuse_as_key(self, line: int, column: int) -> None:
        top = self._open[-1] if self._open else None
        if top is not None and top.key is None and isinstance(top.node.value, dict):
            self.stop(line, column, "a key must be text, not a list, a mapping or an alias; is a quote missing?")

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        tag = str(getattr(event, "tag", "")).replace("tag:yaml.org,2002:", "!!")
        remedy = "remove it" if tag.startswith("!!") else f'to exclude, write "{tag[:40]}" in quotes'
        self._problem(*_mark(event), f"tag {tag[:40]} is not allowed; {remedy}")

    def _count(self, line: int, column: int) -> None:
        self._nodes += 1
        if self._nodes - self._alias_nodes > MAX_NODES:
            self.stop(line, column, f"the file holds more than {MAX_NODES:,} values; split it into several files")

    def _add(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        top = self._open[-1]
        value = top.node.value
        if isinstance(value, list):
            value.append(node)
            return
        if isinstance(value, dict) and top.key is not None and not top.is_dropped:
            value[top.key] = node
        top.key, top.is_dropped = None, False

    def _problem(self, line: int, column: int, text: str) -> None:
        self.problems.append(Problem(self.path, line, column, text))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Stop


def _mark(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
