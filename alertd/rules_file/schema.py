"""
The shape of a rules file: its sections, the models that check their entries, and the JSON Schema that editors use.

Rule types and receiver types are found, not listed. What one entry says of another is checked in `references.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from alertd.core.alerts.inhibition import Inhibition
from alertd.core.rules import rule_types
from alertd.core.rules.base import Key, Rule
from alertd.rules_file.keys import CONFIG, InOrder, Schema, dataclass_fields, described, keys_model, model_field
from alertd.rules_file.model import (
    Account,
    OwnerEntry,
    PlannedEntry,
    Report,
    RouteEntry,
)
from alertd.rules_file.receivers import receivers_schema
from alertd.rules_file.values import Name, Names

VERSION = "1"

_DEFAULTS_OF_RULES = (
    "repeat_interval",
    "repeat_backoff",
    "repeat_every",
    "resolve_below",
    "send_resolved",
    "for_",
    "escalate",
)


@dataclass(frozen=True, slots=True)
class Section:
    """A top-level key that holds entries."""

    singular: str
    help: str
    kind: type | None = None
    """The dataclass of its entries; None where the entry's `type` decides."""


SECTIONS: Mapping[str, Section] = {
    "accounts": Section("account", "Novita accounts; without any, one uses ALERTD_NOVITA_API_KEY.", Account),
    "owners": Section("owner", "Who stands behind an id; the first match wins.", OwnerEntry),
    "receivers": Section("receiver", "Who can be told, and how."),
    "planned": Section(
        "planned spend", "Spend known in advance: it raises the lines of rules and hides nothing.", PlannedEntry
    ),
    "routes": Section("route", "Who is told of alerts whose rule has no notify; the first match wins.", RouteEntry),
    "inhibitions": Section("inhibition", "Alerts that mute others while they fire.", Inhibition),
    "reports": Section("report", "Reports at set times.", Report),
    "rules": Section("rule", "What to watch, and from which value on to tell."),
}
TOP_LEVEL_KEYS = ("version", *SECTIONS, "defaults")


@cache
def rule_model(kind: type[Rule]) -> type[BaseModel]:
    """Return the model that checks a rule's keys, `type` included."""
    found: dict[str, tuple[object, FieldInfo]] = {
        "type": (Literal[kind.TYPE], described(..., Key(kind.HELP, example=kind.TYPE), "type")),
        **dataclass_fields(kind),
    }
    model: type[BaseModel] = create_model(kind.__name__, __config__=CONFIG, **found)  # type: ignore[call-overload] # fields from a table
    return model


@cache
def defaults_model() -> type[BaseModel]:
    """Return the model of `defaults:`: keys of every rule with the same bounds, and receivers."""
    of_rules = dataclass_fields(Rule)
    found = {
        "notify": model_field("notify", Names, Key("Receivers where no rule or route names any.", example=["finops"])),
        "fallback": model_field(
            "fallback", Name, Key("Who is told what another receiver could not take.", example="billing-mail")
        ),
        **{name: of_rules[name] for name in _DEFAULTS_OF_RULES},
    }
    model: type[BaseModel] = create_model("Defaults", __config__=CONFIG, **found)  # type: ignore[call-overload] # fields from a table
    return model


def rules_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of the rules file, for editors and `alertd schema`."""
    rules = [rule_model(kind) for kind in rule_types().values()]
    entries = {name: keys_model(section.kind) for name, section in SECTIONS.items() if section.kind is not None}
    models = [*rules, *entries.values(), defaults_model()]
    references, definitions = models_json_schema([(model, "validation") for model in models], schema_generator=InOrder)
    receiver, of_receivers = receivers_schema()
    items: Schema = {name: references[model, "validation"] for name, model in entries.items()}
    items["receivers"] = receiver
    items["rules"] = {"oneOf": [references[model, "validation"] for model in rules]}
    properties: Schema = {
        "version": {"const": int(VERSION), "description": "The version of this format.", "examples": [int(VERSION)]},
        "defaults": {
            "anyOf": [references[defaults_model(), "validation"], {"type": "null"}],
            "description": "What holds for rules and receivers that do not say otherwise.",
        },
    }
    for name, section in SECTIONS.items():
        # A section may be empty: all of its entries commented out.
        properties[name] = {"description": section.help, "type": ["array", "null"], "items": items[name]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:alertd:rules-file:{VERSION}",
        "title": "alertd rules",
        "description": "What alertd watches, from which value on it tells, and whom.",
        "type": "object",
        "properties": properties,
        "required": ["version"],
        "additionalProperties": False,
        "$defs": definitions["$defs"] | of_receivers,
    }
