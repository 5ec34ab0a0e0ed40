"""Types of keys with a single value: how each is read and written, and its JSON Schema."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import partial

from alertd.core import times
from alertd.core.address import ADDRESS_PATTERN
from alertd.core.calendar import PeriodStart
from alertd.core.dataclass import dataclass
from alertd.core.money import Usd
from alertd.core.rules.base import Key, Share
from alertd.core.severity import Severity
from alertd.core.slack_ids import parse_approver_id
from alertd.rules_file import moments, values
from alertd.rules_file.remedy import show
from alertd.rules_file.source import Node

Schema = dict[str, object]


@dataclass(frozen=True, slots=True)
class ValueType:
    """A type that a key may have."""

    read: Callable[[Node], object]
    """
    Return the value of a node.

    Raises:
        ValueError: The node itself is wrong; its text is for the author.
        Faults: Something inside the node is wrong.
    """
    schema: Schema
    write: Callable[..., object] = str
    """Return a value of this type in the file's notation."""


def leaf(parse: Callable[[object], object], schema: Schema, write: Callable[..., object] = str) -> ValueType:
    """Return a type whose values are parsed from a node's scalar value."""
    return ValueType(lambda node: parse(node.value), schema, write)


def _parse_approver(value: object) -> str:
    return parse_approver_id(values.parse_text(value))


_TEXT: Schema = {"type": ["string", "number"]}
_DURATION: Schema = {"anyOf": [{"type": "string", "pattern": times.DURATION}, {"const": 0}]}
_SHARE: Schema = {
    "anyOf": [{"type": "string", "pattern": values.SHARE}, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]
}
_MONEY: Schema = {"anyOf": [{"type": "string", "pattern": values.MONEY}, {"type": "number", "minimum": 0}]}
_MOMENT: Schema = {"type": "string", "anyOf": [{"pattern": moments.DATE}, {"pattern": times.INSTANT}]}
_PERIOD_START: Schema = {
    "anyOf": [{"type": "integer", "minimum": 1, "maximum": 28}, {"type": "string", "pattern": moments.YEAR_DAY}]
}
_PATTERN: Schema = {**_TEXT, "not": {"type": "string", "pattern": f"^{values.OPERATOR}|{values.REGULAR}"}}

# The parse function, schema and write function of each simple type. Bounds are added for keys that have them.
SIMPLE: dict[object, tuple[Callable[[object], object], Schema, Callable[..., object]]] = {
    str: (values.parse_text, _TEXT, str),
    bool: (values.parse_flag, {"type": "boolean"}, bool),
    int: (values.parse_whole, {"type": "integer"}, int),
    Fraction: (values.parse_number, {"type": "number"}, values.write_number),
    timedelta: (values.parse_duration, _DURATION, values.write_duration),
    Usd: (values.parse_money, _MONEY, values.write_money),
    Share: (values.parse_share, _SHARE, values.write_share),
    Severity: (
        partial(values.parse_enum, kind=Severity),
        {"enum": [severity.label for severity in Severity]},
        values.written_word,
    ),
    date: (moments.parse_date, {"type": "string", "pattern": moments.DATE}, str),
    datetime: (moments.parse_instant, {"type": "string", "pattern": times.INSTANT}, datetime.isoformat),
    values.Name: (values.parse_name, {"type": ["string", "integer"], "pattern": values.NAME}, str),
    values.Pattern: (values.parse_pattern, _PATTERN, str),
    values.Address: (values.parse_address, {"type": "string", "pattern": f"^$|{ADDRESS_PATTERN}"}, str),
    values.SlackId: (values.parse_slack_id, {"type": "string", "pattern": values.SLACK_ID}, str),
    # The rule's period decides which form is valid.
    moments.PeriodName: (values.parse_text, {"type": "string", "pattern": moments.PERIOD_NAME}, str),
    values.Approver: (_parse_approver, {"type": "string", "pattern": values.APPROVER}, str),
    values.LabelName: (values.parse_label_name, {"type": "string", "pattern": values.LABEL_NAME}, str),
    values.VariableName: (values.parse_variable_name, {"type": "string", "pattern": values.VARIABLE_NAME}, str),
    values.Url: (values.parse_url, {"type": "string", "pattern": values.URL}, str),
    moments.Zone: (moments.parse_zone, {"type": "string", "pattern": moments.ZONE}, str),
    moments.Schedule: (moments.parse_schedule, {"type": "string", "pattern": moments.SCHEDULE}, str),
    moments.Starting: (moments.parse_starting, _MOMENT, datetime.isoformat),
    moments.Ending: (moments.parse_ending, _MOMENT, str),
    PeriodStart | None: (moments.parse_period_start, _PERIOD_START, str),
    moments.DayHours: (moments.parse_day_hours, {"type": "string", "pattern": moments.DAY_HOURS}, str),
}


def duration_or_never(key: Key) -> ValueType:
    """Return the type of a duration or `never`, within the key's bounds."""
    options: list[object] = [_DURATION, {"const": "never"}]
    return leaf(
        _within(values.parse_duration_or_never, key, values.write_duration),
        {"anyOf": options},
        lambda duration: "never" if duration is None else values.write_duration(duration),
    )


def bounded(hint: object, key: Key) -> ValueType:
    """Return a type of `SIMPLE` within the key's bounds, whose schema offers the key's words."""
    parse, schema, write = SIMPLE[hint]
    if key.words and hint in {str, values.Pattern}:
        schema = _offering(schema, key, is_pattern=hint is values.Pattern)
    if key.at_least is None and key.at_most is None:
        return leaf(parse, schema, write)
    if hint in {int, Fraction}:
        low, high = (None if bound is None else write(bound) for bound in (key.at_least, key.at_most))
        bounds = {name: bound for name, bound in (("minimum", low), ("maximum", high)) if bound is not None}
        schema = {**schema, **bounds}
    elif hint is Usd and key.at_least == 1:
        above_zero = {"type": "number", "exclusiveMinimum": 0}
        schema = {"anyOf": [{"type": "string", "pattern": values.MONEY, "not": {"pattern": _ZERO}}, above_zero]}
    return leaf(_within(parse, key, write), schema, write)


_ZERO = r"^[^1-9]*$"


_GLOB = r"[*?\[]"


def _offering(schema: Schema, key: Key, *, is_pattern: bool) -> Schema:
    """Return a text's schema with the words that editors offer; patterns may also exclude words and contain globs."""
    excluded = [f"!{word}" for word in key.words] if is_pattern else []
    options: list[Schema] = [{"enum": [*key.words, *excluded]}]
    if not key.is_closed:
        options.append(schema)
    elif is_pattern:
        options.append({"type": "string", "pattern": _GLOB})
    return {"anyOf": options}


def _within(parse: Callable[[object], object], key: Key, write: Callable[..., object]) -> Callable[[object], object]:
    """Return *parse* with the key's bounds; None (`never`) is not bounded."""

    def parse_within(value: object) -> object:
        found = parse(value)
        if found is None:
            return found
        if key.at_least is not None and found < key.at_least:  # type: ignore[operator] # bounds have the key's type
            if key.at_least == 1 and write is values.write_money:
                raise ValueError(f"{show(value)} is zero; write an amount above 0")
            raise ValueError(f"{show(value)} is too little; the least is {write(key.at_least)}")
        if key.at_most is not None and found > key.at_most:  # type: ignore[operator] # the same
            raise ValueError(f"{show(value)} is too much; the most is {write(key.at_most)}")
        return found

    return parse_within
