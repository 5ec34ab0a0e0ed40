"""
Read a receiver's own keys into its type's pydantic configuration, or report problems without pydantic's phrases.

The wording derives from the kind of error and the model's fields, so that plugins' receivers are checked like ours.
Imported only when a receiver is read: importing pydantic takes longer than the rest of `check` of a small file.
"""

import re
from collections.abc import Iterator, Mapping
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from alertd.errors import Problem
from alertd.rules_file.entry import KEY, Entry, Location
from alertd.rules_file.remedy import flow, show, unknown_key

_OF_PYDANTIC = frozenset(get_args(ErrorType))
_SECRET = re.compile("token|secret|password|passwd|webhook|credential|api_?key|^url$|://", re.IGNORECASE)


def read_config(entry: Entry, model: type[BaseModel], own_keys: tuple[str, ...]) -> BaseModel | list[Problem]:
    """
    Return a receiver's configuration, or a problem for each value that pydantic rejects.

    Args:
        entry: The receiver; its node is a mapping.
        model: The configuration model of its type.
        own_keys: Keys that every receiver has, which are read elsewhere.
    """
    values = {key: node.native() for key, node in entry.node.children.items() if key not in own_keys}
    found: dict[tuple[object, ...], Problem] = {}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_url=False)
        places = {detail["loc"] for detail in details}
        for detail in details:
            location = detail["loc"]
            if detail["type"] == "too_short" and any(place[:-1] == location for place in places):
                # pydantic drops invalid items of a list before it counts them; the items are reported anyway.
                continue
            problem = _fault(detail, entry, model, own_keys)
            # Each branch of a union reports the same value: the first error is enough.
            found.setdefault((problem.line, problem.column, detail["type"] == "missing" and problem.text), problem)
    return list(found.values())


def _fault(detail: ErrorDetails, entry: Entry, model: type[BaseModel], own_keys: tuple[str, ...]) -> Problem:
    location: Location = detail["loc"]
    holder, _ = _at(model, location[:-1])
    _, field = _at(model, location)
    like = _like(field)
    if detail["type"] == "missing":
        example = f"; write e.g. {location[-1]}: {like}" if like else ""
        return entry.problem(location[:-1], f"{location[-1]} is missing{example}")
    if detail["type"] == "extra_forbidden":
        known = (*(own_keys if len(location) == 1 else ()), *_keys(holder))
        _, _, keys = entry.find(location[:-1])
        inside = f"{keys}: " if keys else ""
        return entry.problem((*location, KEY), inside + unknown_key(str(location[-1]), known), has_keys=False)
    node, _, keys = entry.find(location)
    if node.value is None and KEY not in location:
        remedy = f" like {like}" if like else ""
        return entry.problem(location, f"nothing is written here; write a value{remedy} or remove the key")
    # In a mapping the invalid part may be a key instead of a value.
    value = location[-2] if KEY in location else node.value
    is_secret = bool(_SECRET.search(keys)) or (isinstance(value, str) and "://" in value)
    return entry.problem(location, _words(detail, "this" if is_secret else show(value), like))


def _at(model: type[BaseModel], location: Location) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """Return the model and the field at a location; None for either that does not exist."""
    inner: type[BaseModel] | None = model
    field = None
    for part in location:
        if isinstance(part, int):
            continue
        field = None if inner is None else _fields(inner).get(part)
        inner = None if field is None else next(_models_in(field.annotation), None)
    return inner, field


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _keys(model: type[BaseModel] | None) -> tuple[str, ...]:
    return tuple(_fields(model)) if model is not None else ()


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _like(field: FieldInfo | None) -> str:
    return flow(field.examples[0]) if field is not None and field.examples else ""


def _words(detail: ErrorDetails, value: str, like: str) -> str:
    """Return what is wrong with a value, by the kind of error."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in {"value_error", "assertion_error"} and context.get("error"):
        return str(context["error"])
    if kind not in _OF_PYDANTIC:
        # The author of the receiver type chose these words.
        return detail["msg"]
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        return f"{value} {words.format(context.get(name))}"
    if kind in _MAPPING_KINDS:
        return f"{value} is not a mapping; write {f'one like {like}' if like else 'key: value pairs'}"
    for start, words in _KINDS.items():
        if kind.startswith(start):
            return f"{value} {words}{_expected(context, like)}"
    return f"{value} is not accepted here{f'; write a value like {like}' if like else ''}"


def _expected(context: Mapping[str, object], like: str) -> str:
    if "pattern" in context:
        return f"; write one like {like}" if like else f"; it must match {context['pattern']}"
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

# By prefix of the error kind; the first match wins.
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
    "url": "is not an address; write it in full, like https://example.com/page",
    "time_delta": "is not a duration",
    "timezone": "has no time zone; write it with one, like 2026-12-01T08:00:00Z",
    "datetime": "is not a time; write it like 2026-12-01T08:00:00Z",
    "date": "is not a date; write it like 2026-12-01",
    "time": "is not a time of day",
    "none_required": "should not be written here; remove the key",
}
