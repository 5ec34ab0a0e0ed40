"""
Fill the generated parts of the README and the help pages from the code.

`python -m tests.help.tables` writes them; a test fails when they differ.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from fractions import Fraction
from functools import partial
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any, get_type_hints

from alertd.cli.help import TOPICS, read_page, summary_of
from alertd.cli.root import COMMANDS
from alertd.core.money import format_usd
from alertd.core.rules.base import Key, Rule, key_of
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.words import format_duration
from alertd.notify.registry import GROUP, notifier_class
from alertd.rules_file.model import QuietHoursEntry, ReceiverEntry
from alertd.rules_file.rule_types import rule_types
from alertd.rules_file.schema import rules_schema
from alertd.rules_file.sections import SECTIONS
from alertd.rules_test import model as test_model
from alertd.settings.model import Settings
from alertd.settings.sources import PREFIX
from alertd.web.families import families
from tests.help.documents import DOCUMENTS

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

WRITE = "python -m tests.help.tables"
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z_ ]+) -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)
_KEY_HEADING = ("key", "meaning", "example", "default")

TEST_PARTS: "dict[str, type[DataclassInstance]]" = {
    "": test_model.RuleTest,
    "bills: ": test_model.BilledSeries,
    "bills: revised: ": test_model.Revision,
    "unread: ": test_model.FailedReads,
    "monthly_bills: ": test_model.MonthlyEntry,
    "monthly_bills: status: ": test_model.StatusChange,
    "subscriptions: ": test_model.SubscriptionEntry,
    "subscriptions: renewed: ": test_model.Renewal,
    "instances: ": test_model.InstanceEntry,
    "instances: status: ": test_model.InstanceChange,
    "silences: ": test_model.SilenceEntry,
    "acknowledge: ": test_model.Acknowledgement,
    "expect: ": test_model.Expectation,
    "expect: alerts: ": test_model.ExpectedAlert,
    "expect: messages: ": test_model.ExpectedMessage,
}
"""How the keys of each part of a test are written on the page."""


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def _yaml(example: object) -> str:
    return f"`{_flow(example)}`"


def _flow(value: object) -> str:
    match value:
        case str():
            return value
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case dict():
            return f"{{{', '.join(f'{name}: {_flow(inner)}' for name, inner in value.items())}}}"
        case _:
            return json.dumps(value)


def _default(entry: "Field[object]", example: object) -> str:
    value = entry.default
    if value is MISSING:
        return "required" if entry.default_factory is MISSING else ""
    if isinstance(value, Fraction):
        return f"{float(value):.0%}" if str(example).endswith("%") else f"{float(value):g}"
    return _value(value)


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case timedelta() if value:
            return format_duration(value)
        case int() if value:
            return format_usd(value)
        case tuple():
            return ", ".join(map(str, value))
        case str():
            return value
        case _:
            return ""


def _keys(
    kind: "type[SpendRule | Rule | DataclassInstance]", *, without: frozenset[str] = frozenset()
) -> list[tuple[str, str, str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    rows = []
    for entry in fields(kind):
        note: Key | None = key_of(hints[entry.name])
        if note is not None and entry.name not in without:
            rows.append((f"`{note.name or entry.name}`", note.help, _yaml(note.example), _default(entry, note.example)))
    return rows


def _rule_type(word: str) -> str:
    kind = rule_types()[word]
    shared = _OF_SPEND - {"account"} if issubclass(kind, SpendRule) else _OF_ALL
    return f"\n**`{word}`**: {kind.HELP}\n\n" + _table(_KEY_HEADING, _keys(kind, without=shared)) + "\n"


_OF_SPEND, _OF_ALL = (frozenset(entry.name for entry in fields(kind)) for kind in (SpendRule, Rule))


def _rule_types() -> str:
    return "".join(_rule_type(word).removesuffix("\n") for word in rule_types()) + "\n"


def _rule_keys() -> str:
    return "\n" + _table(_KEY_HEADING, _keys(SpendRule)) + "\n"


def _commands() -> str:
    return "\n" + _table(("command", "does"), [(f"`alertd {name}`", text) for name, text in COMMANDS.items()]) + "\n"


def _settings() -> str:
    rows = [(f"`{name}`", text, f"`{default}`" if default else "") for name, default, text in describe_settings()]
    return "\n" + _table(("setting", "meaning", "default"), rows) + "\n"


def describe_settings() -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of every setting."""
    return [
        (f"{PREFIX}{name.upper()}", default_text(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def default_text(default: object) -> str:
    """Return a default as it is written."""
    if isinstance(default, timedelta):
        minutes = int(default.total_seconds()) // 60
        return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)


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


def _section(name: str) -> str:
    section = SECTIONS[name]
    assert section.kind is not None
    return f"\n**`{name}:`** {section.help}\n\n" + _table(_KEY_HEADING, _keys(section.kind)) + "\n"


def _sections() -> str:
    written = [_section(name).rstrip("\n") for name, section in SECTIONS.items() if section.kind is not None]
    return "\n".join(written) + "\n" + _defaults() + "\n"


def _defaults() -> str:
    schema = rules_schema()
    entry, definition = schema["properties"]["defaults"], schema["$defs"]["Defaults"]  # type: ignore[index] # JSON
    rows = [_schema_key(key, value, definition) for key, value in definition["properties"].items()]
    return f"\n**`defaults:`** {entry['description']}\n\n" + _table(_KEY_HEADING, rows)


def _receivers() -> str:
    parts = []
    for name in sorted(point.name for point in distribution("alertd").entry_points.select(group=GROUP)):
        schema = notifier_class(name).Config.model_json_schema()
        rows = [_schema_key(key, entry, schema) for key, entry in schema.get("properties", {}).items()]
        parts.append(f"\n**`{name}`**\n\n" + (_table(_KEY_HEADING, rows) if rows else "It has no keys of its own.\n"))
    parts.append("\n**Every receiver**\n\n" + _table(_KEY_HEADING, _keys(ReceiverEntry)))
    parts.append("\n**An entry of `quiet_hours:`**\n\n" + _table(_KEY_HEADING, _keys(QuietHoursEntry)))
    return "".join(parts) + "\n"


def _schema_key(key: str, entry: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, str, str, str]:
    default = "required" if key in schema.get("required", ()) else entry.get("default")
    shown = str(default).lower() if isinstance(default, bool) else str(default or "")
    return f"`{key}`", entry["description"], _yaml(entry["examples"][0]), "" if shown == "[]" else shown


def _pages() -> str:
    parts = []
    for heading, names in TOPICS:
        links = [f"- [{name}](alertd/help/{name}.md): {summary_of(read_page(name))}\n" for name in names]
        parts.append(f"\n{heading}:\n\n" + "".join(links))
    return "".join(parts) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "rule types": _rule_types,
    **{f"rule type {word}": partial(_rule_type, word) for word in rule_types()},
    "rule keys": _rule_keys,
    "sections": _sections,
    **{f"section {name}": partial(_section, name) for name in SECTIONS},
    "receivers": _receivers,
    "commands": _commands,
    "test keys": _test_keys,
    "settings": _settings,
    "metrics": _metrics,
    "pages": _pages,
}
"""What stands between `<!-- generated: NAME -->` and `<!-- end -->`."""


def filled(text: str) -> str:
    """Return a document with every generated part as the code has it now."""
    return _PART.sub(lambda part: part[1] + PARTS[part["name"]]() + part[4], text)


def without_generated(text: str) -> str:
    """Return a document without what the code says in it."""
    return _PART.sub("", text)


if __name__ == "__main__":
    for path in DOCUMENTS:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
