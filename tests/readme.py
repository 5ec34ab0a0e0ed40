"""Fill the generated parts of the README from the code: `python -m tests.readme` writes them, a test holds them."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

from alertd.cli.root import COMMANDS
from alertd.core.money import format_usd
from alertd.core.rules import rule_types
from alertd.core.rules.base import Key, Rule, key_of
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.words import format_duration
from alertd.rules_test import model as test_model
from alertd.settings import describe_settings
from alertd.web.families import families

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

README = Path(__file__).parent.parent / "README.md"
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z ]+) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)


TEST_PARTS: "dict[str, type[DataclassInstance]]" = {
    "": test_model.RuleTest,
    "bills: ": test_model.BilledSeries,
    "bills: revised: ": test_model.Revision,
    "unread: ": test_model.FailedReads,
    "monthly_bills: ": test_model.MonthlyEntry,
    "monthly_bills: status: ": test_model.StatusChange,
    "silences: ": test_model.SilenceEntry,
    "acknowledge: ": test_model.Acknowledgement,
    "expect: ": test_model.Expectation,
    "expect: alerts: ": test_model.ExpectedAlert,
    "expect: messages: ": test_model.ExpectedMessage,
}
"""How the keys of each part of a test are written in the README."""


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _yaml(example: object) -> str:
    if isinstance(example, str):
        return f"`{example}`"
    if isinstance(example, list):
        return f"`[{', '.join(map(str, example))}]`"
    if isinstance(example, dict):
        return f"`{{{', '.join(f'{name}: {value}' for name, value in example.items())}}}`"
    return f"`{json.dumps(example)}`"


def _default(entry: "Field[object]") -> str:
    value = entry.default
    if value is MISSING:
        return "required" if entry.default_factory is MISSING else ""
    return _value(value)


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case timedelta() if value:
            return format_duration(value)
        case Fraction():
            return f"{value.numerator * 100 // value.denominator}%" if value < 1 else str(value)
        case int() if value:
            return format_usd(value)
        case tuple():
            return ", ".join(map(str, value))
        case str():
            return value
        case _:
            return ""


def _keys(kind: "type[SpendRule | Rule]", *, without: frozenset[str] = frozenset()) -> list[tuple[str, str, str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    rows = []
    for entry in fields(kind):
        note: Key | None = key_of(hints[entry.name])
        if note is not None and entry.name not in without:
            rows.append((f"`{note.name or entry.name}`", note.help, _yaml(note.example), _default(entry)))
    return rows


def _rule_types() -> str:
    of_spend, of_all = (frozenset(entry.name for entry in fields(kind)) for kind in (SpendRule, Rule))
    parts = []
    for word, kind in rule_types().items():
        shared = of_spend - {"account"} if issubclass(kind, SpendRule) else of_all
        parts.append(f"\n**`{word}`**: {kind.HELP}\n\n")
        parts.append(_table(("key", "meaning", "example", "default"), _keys(kind, without=shared)))
    return "".join(parts) + "\n"


def _rule_keys() -> str:
    return "\n" + _table(("key", "meaning", "example", "default"), _keys(SpendRule)) + "\n"


def _commands() -> str:
    return "\n" + _table(("command", "does"), [(f"`alertd {name}`", text) for name, text in COMMANDS.items()]) + "\n"


def _settings() -> str:
    rows = [(f"`{name}`", text, f"`{default}`" if default else "") for name, default, text in describe_settings()]
    return "\n" + _table(("setting", "meaning", "default"), rows) + "\n"


def _test_keys() -> str:
    rows = []
    for prefix, kind in TEST_PARTS.items():
        hints = get_type_hints(kind, include_extras=True)
        for entry in fields(kind):
            note = key_of(hints[entry.name])
            if note is not None:
                rows.append((f"`{prefix}{note.name or entry.name}`", note.help))
    return "\n" + _table(("key of a test", "meaning"), rows) + "\n"


def _metrics() -> str:
    rows = []
    for family in families():
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append((f"`{family.name}`", labels, family.meaning))
    return "\n" + _table(("metric", "labels", "meaning"), rows) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "rule types": _rule_types,
    "rule keys": _rule_keys,
    "commands": _commands,
    "test keys": _test_keys,
    "settings": _settings,
    "metrics": _metrics,
}


def filled(text: str) -> str:
    """Return the README with every generated part as the code has it now."""
    return _PART.sub(lambda part: part[1] + PARTS[part["name"]]() + part[4], text)


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
