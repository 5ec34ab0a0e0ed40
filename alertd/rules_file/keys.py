"""
Dataclasses whose fields carry `Key` notes -> pydantic models that check a mapping of the rules file and build them.

One table says, for each type that a key may have, how it is read, what its JSON Schema is and how a default is written.
A rule type that keeps to these types needs nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from fractions import Fraction
from functools import cache, partial
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    create_model,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from alertd.core.alerts.inhibition import Matchers
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd
from alertd.core.rules.base import Key, Share, key_of
from alertd.core.severity import Severity
from alertd.rules_file import values
from alertd.rules_file.remedy import show

Schema = dict[str, object]

CONFIG = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class InOrder(GenerateJsonSchema):
    """JSON Schemas whose keys, and those of their examples, stay in the order of the language."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002 # as inherited
        """Leave the order as it is."""
        return value


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type that a key may have: pydantic's annotation, its JSON Schema, and how a value of it is written."""

    annotation: object
    schema: Schema
    write: Callable[..., object] = str


def _leaf(parse: Callable[[object], object], schema: Schema, write: Callable[..., object] = str) -> ValueType:
    return ValueType(Annotated[object, PlainValidator(parse), WithJsonSchema(schema)], schema, write)


_TEXT: Schema = {"type": ["string", "number"]}
_DURATION: Schema = {"anyOf": [{"type": "string", "pattern": values.DURATION}, {"const": 0}]}
_SHARE: Schema = {
    "anyOf": [{"type": "string", "pattern": values.SHARE}, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]
}
_MONEY: Schema = {"anyOf": [{"type": "string", "pattern": values.MONEY}, {"type": "number", "minimum": 0}]}
_MOMENT: Schema = {"type": "string", "anyOf": [{"pattern": values.DATE}, {"pattern": values.INSTANT}]}

# The parse function and schema of each simple type. Bounds are added where a key has them.
_SIMPLE: dict[object, tuple[Callable[[object], object], Schema, Callable[..., object]]] = {
    str: (values.parse_text, _TEXT, str),
    bool: (values.parse_flag, {"type": "boolean"}, bool),
    int: (values.parse_whole, {"type": "integer"}, int),
    Fraction: (values.parse_number, {"type": "number"}, values.write_number),
    timedelta: (values.parse_duration, _DURATION, values.write_duration),
    Usd: (values.parse_money, _MONEY, values.write_money),
    Share: (values.parse_share, _SHARE, values.write_share),
    Severity: (values.parse_severity, {"enum": [severity.label for severity in Severity]}, values.written_word),
    date: (values.parse_date, {"type": "string", "pattern": values.DATE}, str),
    datetime: (values.parse_instant, {"type": "string", "pattern": values.INSTANT}, datetime.isoformat),
    values.Name: (values.parse_name, {"type": ["string", "integer"], "pattern": values.NAME}, str),
    values.LabelName: (values.parse_label_name, {"type": "string", "pattern": values.LABEL_NAME}, str),
    values.VariableName: (values.parse_variable_name, {"type": "string", "pattern": values.VARIABLE_NAME}, str),
    values.Url: (values.parse_url, {"type": "string", "pattern": values.URL}, str),
    values.Zone: (values.parse_zone, {"type": "string"}, str),
    values.Schedule: (values.parse_schedule, {"type": "string"}, str),
    values.Starting: (values.parse_starting, _MOMENT, datetime.isoformat),
    values.Ending: (values.parse_ending, _MOMENT, str),
    values.DayHours: (values.parse_day_hours, {"type": "string", "pattern": values.DAY_HOURS}, str),
}

_REFINED: dict[tuple[str, object], object] = {
    # Keys that rule types hold as plain text, and what the file asks of them.
    ("name", str): values.Name,
    ("runbook_url", str): values.Url,
    ("timezone", str): values.Zone,
    ("notify", tuple[str, ...]): values.Names,
}


def value_type(hint: object, key: Key) -> ValueType:
    """
    Return how values of a field's type are read and written.

    Raises:
        TypeError: Keys cannot have this type yet; a programming error of a rule type's author.
    """
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if hint in _SIMPLE:
        return _bounded(hint, key)
    if hint in {Labels, Matchers}:
        names, held = (values.LabelName, str) if hint == Labels else (str, Patterns)
        return _mapping(names, held, key, lambda found: tuple(sorted(found.items())))
    if hint is Patterns:
        return _list_of(value_type(str, key), _patterns)
    if hint is values.Names:
        return _list_of(value_type(str, key), tuple, at_least=1)
    return _generic(hint, key)


def _generic(hint: object, key: Key) -> ValueType:
    arguments = get_args(hint)
    origin = get_origin(hint)
    if isinstance(hint, type) and issubclass(hint, values.Written):
        return _leaf(hint.parse, dict(hint.SCHEMA))
    if isinstance(hint, type) and issubclass(hint, Enum):
        words: Schema = {"enum": [values.written_word(member) for member in hint]}
        return _leaf(partial(values.parse_enum, kind=hint), words, values.written_word)
    if isinstance(hint, type) and is_dataclass(hint):
        return _nested(hint)
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return _list_of(value_type(arguments[0], key), tuple)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(arguments[0], arguments[1], key, lambda found: dict(sorted(found.items())))
    if origin in {Union, UnionType} and NoneType in arguments and len(arguments) == 2:
        present = next(argument for argument in arguments if argument is not NoneType)
        return _duration_or_never(key) if present is timedelta else value_type(present, key)
    raise TypeError(f"keys of the rules file cannot be of type {hint}")


def _duration_or_never(key: Key) -> ValueType:
    options: list[object] = [_DURATION, {"const": "never"}]
    return _leaf(
        _within(values.parse_duration_or_never, key, values.write_duration),
        {"anyOf": options},
        lambda duration: "never" if duration is None else values.write_duration(duration),
    )


def _bounded(hint: object, key: Key) -> ValueType:
    parse, schema, write = _SIMPLE[hint]
    if key.at_least is None and key.at_most is None:
        return _leaf(parse, schema, write)
    if hint in {int, Fraction}:
        low, high = (None if bound is None else write(bound) for bound in (key.at_least, key.at_most))
        bounds = {name: bound for name, bound in (("minimum", low), ("maximum", high)) if bound is not None}
        schema = {**schema, **bounds}
    elif hint is Usd and key.at_least == 1:
        above_zero = {"type": "number", "exclusiveMinimum": 0}
        schema = {"anyOf": [{"type": "string", "pattern": values.MONEY, "not": {"pattern": _ZERO}}, above_zero]}
    return _leaf(_within(parse, key, write), schema, write)


_ZERO = r"^[^1-9]*$"


def _within(parse: Callable[[object], object], key: Key, write: Callable[..., object]) -> Callable[[object], object]:
    """Return *parse* with the key's bounds; values without an order (`never`) are not bounded."""

    def parse_within(value: object) -> object:
        found = parse(value)
        if found is None:
            return found
        if key.at_least is not None and found < key.at_least:  # type: ignore[operator] # bounds have the key's type
            if key.at_least == 1 and write is values.write_money:
                raise ValueError(f"{show(value)} is nothing; write an amount above 0")
            raise ValueError(f"{show(value)} is too little; the least is {write(key.at_least)}")
        if key.at_most is not None and found > key.at_most:  # type: ignore[operator] # the same
            raise ValueError(f"{show(value)} is too much; the most is {write(key.at_most)}")
        return found

    return parse_within


def _patterns(texts: tuple[str, ...]) -> Patterns:
    # Order and repetition mean nothing: in one order, an edit of them leaves the rule's digest as it was.
    return Patterns(tuple(sorted(set(texts))))


def _list_of(item: ValueType, build: Callable[..., object], *, at_least: int = 0) -> ValueType:
    array: Schema = {"type": "array", "items": item.schema}
    if at_least:
        array["minItems"] = at_least
    schema: Schema = {"anyOf": [item.schema, array]}

    def as_list(value: object) -> object:
        return value if isinstance(value, list) or value is None else [value]

    def checked(found: tuple[object, ...]) -> object:
        if len(found) < at_least:
            raise ValueError("the list is empty; write at least one name, or remove the key")
        return build(found)

    def written(found: Patterns | tuple[object, ...]) -> object:
        return [item.write(one) for one in (found.texts if isinstance(found, Patterns) else found)]

    annotation = Annotated[
        tuple[item.annotation, ...],  # type: ignore[name-defined] # built from the dataclass's types
        BeforeValidator(as_list),
        AfterValidator(checked),
        WithJsonSchema(schema),
    ]
    return ValueType(annotation, schema, written)


def _mapping(names: object, held: object, key: Key, build: Callable[..., object]) -> ValueType:
    name_type = _leaf(*_SIMPLE[names])
    value = value_type(held, key)
    words = name_type.schema.get("enum")
    closed = words if isinstance(words, list) else []
    schema: Schema = {"type": "object"}
    if closed:
        schema |= {"properties": dict.fromkeys(closed, value.schema), "additionalProperties": False}
        schema["minProperties"] = 1
    else:
        schema["additionalProperties"] = value.schema
        if pattern := name_type.schema.get("pattern"):
            schema["propertyNames"] = {"pattern": pattern}

    def checked(found: dict[object, object]) -> object:
        if closed and not found:
            raise ValueError(f"the mapping is empty; write at least one of {', '.join(closed)}")
        return build(found)

    annotation = Annotated[
        dict[name_type.annotation, value.annotation],  # type: ignore[name-defined] # built from the dataclass's types
        AfterValidator(checked),
        WithJsonSchema(schema),
    ]
    return ValueType(
        annotation, schema, lambda found: {name_type.write(name): value.write(one) for name, one in found.items()}
    )


def _nested(kind: type) -> ValueType:
    model = keys_model(kind)
    schema = model.model_json_schema(schema_generator=InOrder)
    annotation = Annotated[
        model,  # type: ignore[valid-type] # built from the dataclass's types
        AfterValidator(partial(build, kind)),
        WithJsonSchema(schema),
    ]
    return ValueType(annotation, schema)


def model_field(
    name: str, hint: object, key: Key, *, is_required: bool = False, default: object = None
) -> tuple[object, FieldInfo]:
    """Return one field of a pydantic model: annotation and everything that its key's note says."""
    found = value_type(hint, key)
    if is_required:
        return found.annotation, described(..., key, name)
    written = found.write(default) if default or isinstance(default, bool) else None
    if default is None and timedelta in get_args(hint):
        written = "never"
    return found.annotation, described(None, key, name, written=None if written == [] else written)


def described(default: object, key: Key, name: str, *, written: object = None) -> FieldInfo:
    """Return what a schema says of a key: its note, and its default as written."""

    def tell_default(schema: Schema) -> None:
        schema.pop("default", None)
        if written is not None:
            schema["default"] = written

    return Field(  # type: ignore[return-value] # declared as of the default's type
        default,
        alias=key.name or name,
        description=key.help,
        examples=[key.example],
        json_schema_extra=tell_default,  # type: ignore[arg-type] # what is written is JSON
    )


def dataclass_fields(kind: type) -> dict[str, tuple[object, FieldInfo]]:
    """Return a model's fields for every field of a dataclass that has a `Key` note."""
    hints = get_type_hints(kind, include_extras=True)
    is_ours = kind.__module__.startswith(("alertd.rules_file.", "alertd.rules_test."))
    found = {}
    for one in fields(kind):
        hint = hints[one.name]
        key = key_of(hint)
        if key is None:
            continue
        bare = get_args(hint)[0]
        if not is_ours:
            bare = _REFINED.get((one.name, bare), bare)
        is_required = one.default is MISSING and one.default_factory is MISSING
        default = one.default if one.default_factory is MISSING else one.default_factory()
        found[one.name] = model_field(one.name, bare, key, is_required=is_required, default=default)
    return found


@cache
def keys_model(kind: type) -> type[BaseModel]:
    """Return the pydantic model that checks the keys of a dataclass."""
    model: type[BaseModel] = create_model(kind.__name__, __config__=CONFIG, **dataclass_fields(kind))  # type: ignore[call-overload] # fields from a table
    return model


def written_keys(model: BaseModel) -> dict[str, object]:
    """Return the values of the keys that the author wrote, by field name."""
    return {name: getattr(model, name) for name in model.model_fields_set}


def build(kind: Callable[..., object], model: BaseModel) -> object:
    """Return the dataclass that a checked model stands for."""
    return kind(**written_keys(model))
