"""
What pydantic finds wrong with an entry -> problems in words for its author; no phrase of pydantic's reaches anybody.

The words come from the kind of fault and the model's JSON Schema, so that plugins' receivers are told as well as ours.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from alertd.errors import Problem
from alertd.rules_file.entry import KEY, Entry, Location
from alertd.rules_file.keys import InOrder, Schema
from alertd.rules_file.remedy import closest, known_words, show

_OF_PYDANTIC = frozenset(get_args(ErrorType))
_SECRET = re.compile("token|secret|password|passwd|webhook|credential|api_?key|^url$|://", re.IGNORECASE)


def faults(
    error: ValidationError, entry: Entry, model: type[BaseModel], *, also_known: tuple[str, ...] = ()
) -> list[Problem]:
    """
    Return a problem for each place that pydantic complains about.

    Args:
        error: What pydantic found.
        entry: What it looked at.
        model: What it looked with.
        also_known: Keys of the entry that the model does not know because another one checks them.
    """
    schema = _schema(model)
    found: dict[tuple[object, ...], Problem] = {}
    for detail in error.errors(include_url=False):
        problem = _fault(detail, entry, schema, also_known)
        # The branches of a union complain one by one of the same value: the first one is enough.
        found.setdefault((problem.line, problem.column, detail["type"] == "missing" and problem.text), problem)
    return list(found.values())


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(schema_generator=InOrder)


def _fault(detail: ErrorDetails, entry: Entry, schema: Schema, also_known: tuple[str, ...]) -> Problem:
    location: Location = detail["loc"]
    if detail["type"] == "missing":
        return entry.problem(location[:-1], _missing(str(location[-1]), _at(schema, schema, location)))
    if detail["type"] == "extra_forbidden":
        known = _properties(schema, _at(schema, schema, location[:-1]))
        known = known if len(location) > 1 else (*also_known, *known)
        _, _, keys = entry.find(location[:-1])
        inside = f"{keys}: " if keys else ""
        return entry.problem((*location, KEY), inside + unknown_key(str(location[-1]), known), has_keys=False)
    node, _, keys = entry.find(location)
    if node.value is None and KEY not in location:
        remedy = _example(_at(schema, schema, location))
        return entry.problem(location, f"nothing is written here; write a value{remedy} or remove the key")
    is_secret = bool(_SECRET.search(keys)) or (isinstance(node.value, str) and "://" in node.value)
    return entry.problem(location, _words(detail, "this" if is_secret else show(node.value), schema))


def unknown_key(key: str, known: tuple[str, ...]) -> str:
    """Return the words for a key that does not exist, with the nearest or all that do; a secret's with the remedy."""
    if f"{key}_env" in known:
        remedy = f"write {key}_env: NAME_OF_VARIABLE"
        also = f" or {key}_file: /path" if f"{key}_file" in known else ""
        return f"{key}: a secret never stands in this file; {remedy}{also}"
    near = closest(key, known)
    return f"unknown key {show(key)}{near or f'; it has {known_words(known)}'}"


def _missing(key: str, schema: Schema) -> str:
    example = _flow(next(iter(_list(schema.get("examples"))), None))
    return f"{key} is missing" + (f"; write e.g. {key}: {example}" if example else "")


def _example(schema: Schema) -> str:
    example = _flow(next(iter(_list(schema.get("examples"))), None))
    return f" like {example}" if example else ""


def _flow(example: object) -> str:
    match example:
        case None:
            return ""
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(value)}" for key, value in example.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_flow, example)) + "]"
        case bool():
            return "true" if example else "false"
        case str() if not re.fullmatch(r"[\w$./@-][\w $./@:+-]*", example):
            return json.dumps(example, ensure_ascii=False)
        case _:
            return str(example)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _at(schema: Schema, root: Schema, location: Location) -> Schema:
    """Return the part of a JSON Schema that describes a location, empty where it says nothing."""
    for part in location:
        options = [schema, *(_resolved(one, root) for name in ("anyOf", "oneOf") for one in _list(schema.get(name)))]
        inner = [_step(_resolved(option, root), part) for option in options]
        schema = next((_resolved(one, root) for one in inner if one), schema if isinstance(part, int) else {})
    return schema


def _step(schema: Schema, part: int | str) -> Schema:
    if isinstance(part, int):
        items = schema.get("items")
        return items if isinstance(items, dict) else {}
    properties = schema.get("properties")
    found = properties.get(part) if isinstance(properties, dict) else None
    return found if isinstance(found, dict) else {}


def _resolved(schema: object, root: Schema) -> Schema:
    if not isinstance(schema, dict):
        return {}
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    definitions = root.get("$defs")
    target = definitions.get(name) if name and isinstance(definitions, dict) else None
    return target if isinstance(target, dict) else schema


def _properties(root: Schema, schema: Schema) -> tuple[str, ...]:
    options = [schema, *(_resolved(one, root) for name in ("anyOf", "oneOf") for one in _list(schema.get(name)))]
    found = (_resolved(option, root).get("properties") for option in options)
    return tuple(name for properties in found if isinstance(properties, dict) for name in properties)


def _words(detail: ErrorDetails, value: str, schema: Schema) -> str:
    """Return what is wrong with a value, by the kind of the fault."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in {"value_error", "assertion_error"} and context.get("error"):
        return str(context["error"])
    if kind not in _OF_PYDANTIC:
        # The author of the receiver type chose these words.
        return detail["msg"]
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"{value} {words.format(context.get(name))}"
    remedy = _example(_at(schema, schema, detail["loc"]))
    if kind in _MAPPING_KINDS:
        return f"{value} is not a mapping; write {f'one{remedy}' if remedy else 'key: value pairs'}"
    for start, words in _KINDS.items():
        if kind.startswith(start):
            return f"{value} {words}{_expected(context)}"
    return f"{value} is not accepted here{f'; write a value{remedy}' if remedy else ''}"


def _expected(context: Mapping[str, object]) -> str:
    expected = str(context.get("expected", "")).replace("'", "")
    return f"; write {expected}" if expected else ""


_BOUNDS = {
    "greater_than": ("is too little; it must be above {}", "gt"),
    "greater_than_equal": ("is too little; the least is {}", "ge"),
    "less_than": ("is too much; it must be below {}", "lt"),
    "less_than_equal": ("is too much; the most is {}", "le"),
    "multiple_of": ("is not a multiple of {}", "multiple_of"),
    "string_too_short": ("is too short; the least length is {}", "min_length"),
    "string_too_long": ("is too long; the greatest length is {}", "max_length"),
    "too_short": ("has too few entries; write at least {}", "min_length"),
    "too_long": ("has too many entries; write at most {}", "max_length"),
    "url_scheme": ("has another scheme than {}", "expected_schemes"),
}

_MAPPING_KINDS = frozenset({"dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"})

# By the beginning of the kind's name; the first that fits wins.
_KINDS = {
    "string_pattern": "does not have the form that is asked for here",
    "string": "is not text; write it in quotes if it is meant",
    "int": "is not a whole number",
    "float": "is not a number",
    "finite_number": "is not a finite number",
    "decimal": "is not a decimal number",
    "bool": "is not true or false; write one of these, without quotes",
    "list": "is not a list; write e.g. [first, second]",
    "tuple": "is not a list; write e.g. [first, second]",
    "set": "is not a list; write e.g. [first, second]",
    "frozen_set": "is not a list; write e.g. [first, second]",
    "literal": "is not one of the words that are known here",
    "enum": "is not one of the words that are known here",
    "url": "is not an address; write it whole, like https://example.com/page",
    "time_delta": "is not a duration",
    "timezone": "has no time zone; write it with one, like 2026-12-01T08:00:00Z",
    "datetime": "is not a time; write it like 2026-12-01T08:00:00Z",
    "date": "is not a date; write it like 2026-12-01",
    "time": "is not a time of day",
    "none_required": "should not be written here; remove the key",
}
