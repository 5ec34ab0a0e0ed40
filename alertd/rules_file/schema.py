"""
The JSON Schema of a rules file, for editors and `alertd schema`, built from the loader's key tables.

Imports every rule and receiver type, which checking a file does not need.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from alertd.core.rules.base import Rule
from alertd.errors import UserError
from alertd.notify.registry import notifier_class, notifier_names
from alertd.rules_file.keys import key_table, object_schema
from alertd.rules_file.model import ReceiverEntry
from alertd.rules_file.rule_types import FORMER_NAMES, rule_types
from alertd.rules_file.sections import SECTIONS, VERSION, defaults_table
from alertd.rules_file.simple_types import Schema


def rules_schema() -> Schema:
    """Return the JSON Schema (2020-12) of the rules file."""
    definitions: Schema = {"Defaults": object_schema("defaults", defaults_table())}
    items: Schema = {}
    for name, section in SECTIONS.items():
        if section.kind is not None:
            definitions[section.kind.__name__] = object_schema(section.singular, key_table(section.kind))
            items[name] = _reference(section.kind.__name__)
    # An owner needs at least one of these keys; `references` reports this in words.
    definitions["Owner"] = {
        **definitions["Owner"],  # type: ignore[dict-item] # a schema, as those around it
        "anyOf": [{"required": ["match"]}, {"required": ["match_name"]}],
    }
    items["receivers"] = _by_type("receiver", "What kind of receiver it is.", _receivers(definitions), definitions)
    rules = {name: (kind.HELP, rule_schema(kind)) for name, kind in rule_types().items()}
    items["rules"] = _by_type("rule", "What the rule compares.", rules, definitions, FORMER_NAMES)
    properties: Schema = {
        "version": {"const": int(VERSION), "description": "The version of this format.", "examples": [int(VERSION)]},
        "defaults": {
            "anyOf": [_reference("Defaults"), {"type": "null"}],
            "description": "Defaults for rules and receivers.",
        },
    }
    for name, section in SECTIONS.items():
        # A section may be empty: all of its entries commented out.
        properties[name] = {"description": section.help, "type": ["array", "null"], "items": items[name]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:alertd:rules-file:{VERSION}",
        "title": "alertd rules",
        "description": "What alertd watches, from which value on it notifies, and whom.",
        "type": "object",
        "properties": properties,
        "required": ["version"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def rule_schema(kind: type[Rule]) -> Schema:
    """Return the JSON Schema of a rule of one type."""
    what: Schema = {**_names(kind.TYPE, FORMER_NAMES), "description": kind.HELP, "examples": [kind.TYPE]}
    schema = object_schema(f"{kind.TYPE} rule", key_table(kind), {"type": what})
    if kind.NEEDS_ONE_OF:
        schema["anyOf"] = [{"required": [key]} for key in kind.NEEDS_ONE_OF]
    return schema


def _names(name: str, former: Mapping[str, str]) -> Schema:
    """Return the schema of a type's name, which may also be a former one."""
    old = [word for word, new in former.items() if new == name]
    return {"anyOf": [{"const": name}, *map(_unoffered, old)]} if old else {"const": name}


def _words(kinds: dict[str, tuple[str, Schema]], former: Mapping[str, str]) -> Schema:
    """Return the schema of all types' names; editors offer the current names and accept the former."""
    offered: Schema = {"enum": list(kinds), "markdownEnumDescriptions": [text for text, _ in kinds.values()]}
    return {"anyOf": [offered, *map(_unoffered, former)]} if former else offered


def _unoffered(word: str) -> Schema:
    return {"type": "string", "pattern": f"^{word}$"}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _by_type(
    noun: str,
    help_: str,
    kinds: dict[str, tuple[str, Schema]],
    definitions: Schema,
    former: Mapping[str, str] = MappingProxyType({}),
) -> Schema:
    """
    Return the schema of entries whose keys depend on their `type`.

    It uses `if` and `then` instead of alternatives, so that an editor offers every type if none is written, and marks
    the key that is wrong instead of the entry.
    """
    for name, (_, schema) in kinds.items():
        definitions[f"{noun}_{name}"] = schema
    return {
        "type": "object",
        "properties": {
            "type": {"description": help_, **_words(kinds, former)},
        },
        "required": ["name", "type"],
        "allOf": [
            {
                "if": {"properties": {"type": _names(name, former)}, "required": ["type"]},
                "then": _reference(f"{noun}_{name}"),
            }
            for name in kinds
        ],
    }


class _InOrder(GenerateJsonSchema):
    """Generates JSON Schemas whose keys, and those of examples, keep the order of declaration."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002 # as inherited
        """Return the value unsorted."""
        return value


def _receivers(definitions: Schema) -> dict[str, tuple[str, Schema]]:
    """Return the description and schema of each receiver type; add the definitions that they refer to."""
    own = object_schema("receiver", key_table(ReceiverEntry))["properties"]
    assert isinstance(own, dict)
    found: dict[str, tuple[str, Schema]] = {}
    for word in notifier_names():
        what = {"const": word, "description": "What kind of receiver it is.", "examples": [word]}
        try:
            config = notifier_class(word).Config
        except UserError:
            # A plugin that cannot be imported: `check` reports it, editors accept any keys.
            found[word] = ("", {"type": "object", "properties": {"type": what}, "required": ["type", "name"]})
            continue
        schema = config.model_json_schema(schema_generator=_InOrder, ref_template=f"#/$defs/{word}_{{model}}")
        for name, definition in schema.pop("$defs", {}).items():
            definitions[f"{word}_{name}"] = definition
        schema["properties"] = {"name": own["name"], "type": what, **schema.get("properties", {}), **own}
        schema["required"] = ["name", "type", *schema.get("required", [])]
        schema["title"] = f"{word} receiver"
        found[word] = (str(schema.get("description", "")), schema)
    return found
