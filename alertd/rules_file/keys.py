"""
Read mappings of the rules file into dataclasses whose fields have `Key` notes.

For each type that a key may have this module defines how its node is read, its JSON Schema, and how a default is
written. A rule type that uses only these types needs nothing else. Faults are collected with their places, instead of
stopping at the first.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import timedelta
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin, get_type_hints

from alertd.core.alerts.inhibition import Matchers
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd
from alertd.core.owners import Owner
from alertd.core.rules.base import Escalation, Key, Rule, key_of
from alertd.core.severity import Severity
from alertd.core.spend.bill import CATEGORIES
from alertd.rules_file import moments, values
from alertd.rules_file.faults import Fault, Faults, faults_at, not_a_mapping
from alertd.rules_file.remedy import flow, unknown_key
from alertd.rules_file.simple_types import SIMPLE, Schema, ValueType, bounded, duration_or_never, leaf
from alertd.rules_file.source import Node

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One key of a mapping and the field that it fills."""

    field: str
    note: Key
    type: ValueType
    is_required: bool
    default: object
    """The default in the file's notation; None if there is nothing to show."""


Table = Mapping[str, TableRow]
"""The keys that a mapping may have, by name in the file, in the order in which editors offer them."""


def read_keys(node: Node, table: Table, *, also_known: tuple[str, ...] = ()) -> dict[str, object]:
    """
    Return the values of the keys that are present, by field name.

    Args:
        node: Any node.
        table: The keys that it may have.
        also_known: Further allowed keys, which are read elsewhere.

    Raises:
        Faults: A key is missing, unknown or wrong, or the node is not a mapping; it holds all faults.
    """
    if not isinstance(node.value, dict):
        raise not_a_mapping(node)
    found: dict[str, object] = {}
    faults: list[Fault] = []
    for name, child in node.value.items():
        row = table.get(name)
        if row is not None:
            try:
                found[row.field] = row.type.read(child)
            except (ValueError, Faults) as error:
                faults += faults_at(error, child, (name,), example=row.note.example)
        elif name not in also_known:
            faults.append(Fault(*node.keys[name], (), unknown_key(name, (*also_known, *table))))
    for name, row in table.items():
        if row.is_required and name not in node.value:
            text = f"{name} is missing; write e.g. {name}: {flow(row.note.example)}"
            faults.append(Fault(node.line, node.column, (), text))
    if faults:
        raise Faults(faults)
    return found


def read(kind: Callable[..., T], node: Node) -> T:
    """
    Read a mapping into a dataclass and return it.

    Raises:
        Faults: As `read_keys` does.
    """
    return kind(**read_keys(node, key_table(kind)))


@cache
def key_table(kind: Callable[..., object]) -> Table:
    """
    Return the keys of a dataclass: every field that has a `Key` note.

    Raises:
        TypeError: A field has a type that keys cannot have: a bug in the dataclass.
    """
    hints = get_type_hints(kind, include_extras=True)
    refined = next((found for base, found in _REFINED.items() if isinstance(kind, type) and issubclass(kind, base)), {})
    found = {}
    for one in fields(kind):  # type: ignore[arg-type] # callers hand in dataclasses
        key = key_of(hints[one.name])
        if key is None:
            continue
        hint = get_args(hints[one.name])[0]
        hint = refined.get((one.name, hint), hint)
        is_required = one.default is MISSING and one.default_factory is MISSING
        default = one.default if one.default_factory is MISSING else one.default_factory()
        found[key.name or one.name] = table_row(one.name, hint, key, is_required=is_required, default=default)
    return found


def table_row(name: str, hint: object, key: Key, *, is_required: bool = False, default: object = None) -> TableRow:
    """Return one key of a table."""
    found = value_type(hint, key)
    written = found.write(default) if not is_required and (default or isinstance(default, bool)) else None
    if not is_required and default is None and timedelta in get_args(hint):
        written = "never"
    return TableRow(
        field=name, note=key, type=found, is_required=is_required, default=None if written == [] else written
    )


_REFINED: Mapping[type, Mapping[tuple[str, object], object]] = {
    # Keys that the core types as plain text, and the stricter types that the file requires.
    Rule: {
        ("name", str): values.Name,
        ("runbook_url", str): values.Url,
        ("timezone", str): moments.Zone,
        ("notify", tuple[str, ...]): values.Names,
        ("amounts_by_period", Mapping[str, Usd]): Mapping[moments.PeriodName, Usd],
    },
    Escalation: {("notify", tuple[str, ...]): values.Names},
    Owner: {("slack", str): values.SlackId, ("email", str): values.Address},
}


def value_type(hint: object, key: Key) -> ValueType:
    """
    Return how values of a field's type are read and written, and their JSON Schema.

    Raises:
        TypeError: Keys cannot have this type: a bug in the dataclass.
    """
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if hint in SIMPLE:
        return bounded(hint, key)
    if hint in {Labels, Matchers}:
        names, held = (values.LabelName, str) if hint == Labels else (str, Patterns)
        return _mapping(names, held, key, lambda found: tuple(sorted(found.items())))
    if hint is Patterns:
        # A filter without a pattern accepts everything, which nobody means by a list of none.
        return _list_of(value_type(values.Pattern, key), key, _patterns, at_least=1, noun="value, or remove the key")
    if hint is values.Approvers:
        return _list_of(value_type(values.Approver, key), key, tuple, at_least=1, noun="id")
    if hint is values.Names:
        return _list_of(value_type(str, key), key, tuple, at_least=1, noun="name, or remove the key")
    return _generic(hint, key)


def _generic(hint: object, key: Key) -> ValueType:
    arguments = get_args(hint)
    origin = get_origin(hint)
    if isinstance(hint, type) and issubclass(hint, values.Written):
        return leaf(hint.parse, dict(hint.SCHEMA))
    if isinstance(hint, type) and issubclass(hint, Enum):
        words: Schema = {"enum": [values.written_word(member) for member in hint]}
        return leaf(partial(values.parse_enum, kind=hint), words, values.written_word)
    if isinstance(hint, type) and is_dataclass(hint):
        return _nested(hint, key)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return _list_of(value_type(arguments[0], key), key, tuple)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(arguments[0], arguments[1], key, lambda found: dict(sorted(found.items())))
    if origin in {Union, UnionType} and len(arguments) == 2:
        return _either(*arguments, key)
    raise TypeError(f"keys of the rules file cannot be of type {hint}")


def _either(present: object, other: object, key: Key) -> ValueType:
    """Return the type of a value that may be None, or that may be replaced by a word of an enum."""
    if other is NoneType:
        return duration_or_never(key) if present is timedelta else value_type(present, key)
    if isinstance(other, type) and issubclass(other, Enum):
        return _value_or_word(value_type(present, key), value_type(other, key), other)
    raise TypeError(f"keys of the rules file cannot be of type {present} or {other}")


def _value_or_word(value: ValueType, word: ValueType, kind: type[Enum]) -> ValueType:
    words = [values.written_word(member) for member in kind]

    def read_either(node: Node) -> object:
        if node.value in words:
            return word.read(node)
        try:
            return value.read(node)
        except ValueError as error:
            raise ValueError(f"{error}, or {' or '.join(words)}") from None

    def write(found: object) -> object:
        return (word if isinstance(found, kind) else value).write(found)

    return ValueType(read_either, {"anyOf": [value.schema, word.schema]}, write)


def _patterns(texts: Iterable[str]) -> Patterns:
    # Order and repetition have no meaning: sorted, an edit of them does not change the rule's digest.
    return Patterns(tuple(sorted(set(texts))))


def _list_of(
    item: ValueType, key: Key, build: Callable[..., object], *, at_least: int = 0, noun: str = "name"
) -> ValueType:
    """Return the type of a list of items; a single item may be written without a list."""
    array: Schema = {"type": "array", "items": item.schema}
    if at_least:
        array["minItems"] = at_least
    if key.count:
        array |= {"minItems": key.count, "maxItems": key.count, "uniqueItems": True}
    example = key.example[0] if isinstance(key.example, list) and key.example else key.example

    def read_list(node: Node) -> object:
        if not isinstance(node.value, list):
            return build((item.read(node),))
        found = []
        faults: list[Fault] = []
        for one in node.value:
            try:
                found.append(item.read(one))
            except (ValueError, Faults) as error:
                faults += faults_at(error, one, example=example)
        if faults:
            raise Faults(faults)
        if len(found) < at_least:
            raise ValueError(f"the list is empty; write at least one {noun}")
        return build(found)

    def written(found: Patterns | tuple[object, ...]) -> object:
        return [item.write(one) for one in (found.texts if isinstance(found, Patterns) else found)]

    return ValueType(read_list, array if key.count else {"anyOf": [item.schema, array]}, written)


def _mapping(names: object, held: object, key: Key, build: Callable[..., object]) -> ValueType:
    parse_name, name_schema, write_name = SIMPLE[names]
    value = value_type(held, replace(key, words=()))
    words = name_schema.get("enum")
    closed = words if isinstance(words, list) else []
    schema: Schema = {"type": "object"}
    if closed:
        schema |= {"properties": dict.fromkeys(closed, value.schema), "additionalProperties": False}
        schema["minProperties"] = 1
    else:
        schema["additionalProperties"] = value.schema
        if key.words:
            schema["properties"] = {word: _values_of(word, value, held) for word in key.words}
        if pattern := name_schema.get("pattern"):
            schema["propertyNames"] = {"pattern": pattern}

    def read_mapping(node: Node) -> object:
        if not isinstance(node.value, dict):
            raise not_a_mapping(node, key.example)
        found: dict[object, object] = {}
        faults: list[Fault] = []
        for name, child in node.value.items():
            held: object = None
            try:
                held = value.read(child)
            except (ValueError, Faults) as error:
                faults += faults_at(error, child, (name,))
            try:
                found[parse_name(name)] = held
            except ValueError as error:
                faults.append(Fault(*node.keys[name], (), str(error)))
        if faults:
            raise Faults(faults)
        if closed and not found:
            raise ValueError(f"the mapping is empty; write at least one of {', '.join(closed)}")
        return build(found)

    return ValueType(
        read_mapping, schema, lambda found: {write_name(name): value.write(one) for name, one in found.items()}
    )


_SEVERITIES = Key("", example="", words=tuple(severity.label for severity in Severity), is_closed=True)
_CATEGORIES = Key("", example="", words=CATEGORIES, is_closed=True)


def _values_of(label: str, value: ValueType, held: object) -> Schema:
    """Return the schema of a matcher's values for a label: severity and category have a closed set."""
    key = {"severity": _SEVERITIES, "category": _CATEGORIES}.get(label)
    return value.schema if key is None else value_type(held, key).schema


def _nested(kind: type, key: Key) -> ValueType:
    table = key_table(kind)
    example = key.example[0] if isinstance(key.example, list) and key.example else key.example

    def read_nested(node: Node) -> object:
        if not isinstance(node.value, dict):
            raise not_a_mapping(node, example)
        return kind(**read_keys(node, table))

    return ValueType(read_nested, object_schema(kind.__name__, table))


def object_schema(title: str, table: Table, extra: Mapping[str, Schema] | None = None) -> Schema:
    """
    Return the JSON Schema of a mapping with these keys.

    Args:
        title: The name that editors show.
        table: The keys of the mapping.
        extra: Schemas of required keys that come before those of *table*.
    """
    properties = {**(extra or {}), **{name: _described(row) for name, row in table.items()}}
    required = [*(extra or ()), *(name for name, row in table.items() if row.is_required)]
    return {
        "title": title,
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _described(row: TableRow) -> Schema:
    """Return the schema of a key: its type, description, example, and default in the file's notation."""
    default = {} if row.default is None else {"default": row.default}
    return {**row.type.schema, **default, "description": row.note.help, "examples": [row.note.example]}
