"""The `receivers:` section: each entry is checked by its type's own `Config`, which the notifier registry finds."""

from datetime import time

from pydantic import BaseModel, ValidationError

from alertd.core.alerts.quiet_hours import QuietHours, is_always_quiet
from alertd.errors import UserError
from alertd.notify.registry import notifier_class, notifier_names
from alertd.rules_file.entry import Entry, Findings
from alertd.rules_file.faults import faults
from alertd.rules_file.keys import InOrder, Schema, build, keys_model
from alertd.rules_file.model import QuietHoursEntry, ReceiverEntry, ReceiverSpec, Weekday
from alertd.rules_file.remedy import closest, known_words, show

_OWN_KEYS = ("name", "type", "fallback", "quiet_hours")


def _config(type_name: str) -> type[BaseModel]:
    return notifier_class(type_name).Config


def parse_receiver(entry: Entry, findings: Findings) -> ReceiverSpec | None:
    """Return a receiver, or None when something is wrong with it; what, is added to the findings."""
    written = entry.node.value
    if not isinstance(written, dict):
        findings.add(entry.problem((), f"{show(entry.node.plain())} is not a receiver; write name: and type:"))
        return None
    config_type = _config_type(entry, findings)
    config = _parse_config(entry, config_type, findings) if config_type is not None else None
    own = {key: node.plain() for key, node in written.items() if key in _OWN_KEYS and key != "type"}
    model = keys_model(ReceiverEntry)
    try:
        checked = build(ReceiverEntry, model.model_validate(own))
    except ValidationError as error:
        for problem in faults(error, entry, model):
            findings.add(problem)
        return None
    if config is None or not isinstance(checked, ReceiverEntry):
        return None
    quiet_hours = tuple(map(_quiet_hours, checked.quiet_hours))
    if is_always_quiet(quiet_hours):
        text = "these cover the whole week, so nothing below critical would ever be told in time; leave a gap"
        findings.warn(entry.problem(("quiet_hours",), text))
    return ReceiverSpec(
        name=checked.name,
        type=str(written["type"].value),
        config=config,
        fallback=checked.fallback,
        quiet_hours=quiet_hours,
        place=entry.place,
    )


def _quiet_hours(entry: QuietHoursEntry) -> QuietHours:
    start, end = entry.hours or (time(), time())
    days = frozenset(number for number, day in enumerate(Weekday) if day in entry.days)
    return QuietHours(days=days, start=start, end=end, timezone=entry.timezone)


def _config_type(entry: Entry, findings: Findings) -> type[BaseModel] | None:
    node, _, keys = entry.find(("type",))
    names = notifier_names()
    if not keys:
        findings.add(entry.problem((), f"type is missing; write type: followed by one of {known_words(names)}"))
        return None
    if not isinstance(node.value, str) or node.value not in names:
        remedy = closest(node.value, names) if isinstance(node.value, str) else ""
        remedy = remedy or f"; it has {known_words(names)}"
        findings.add(
            entry.problem(("type",), f"unknown receiver type {show(node.value)}{remedy}", has_keys=False),
        )
        return None
    try:
        return _config(node.value)
    except UserError as error:
        findings.add(entry.problem(("type",), str(error), has_keys=False))
    return None


def _parse_config(entry: Entry, config_type: type[BaseModel], findings: Findings) -> BaseModel | None:
    assert isinstance(entry.node.value, dict)
    values = {key: node.native() for key, node in entry.node.value.items() if key not in _OWN_KEYS}
    try:
        return config_type.model_validate(values)
    except ValidationError as error:
        for problem in faults(error, entry, config_type, also_known=_OWN_KEYS):
            findings.add(problem)
    return None


def receivers_schema() -> tuple[Schema, dict[str, object]]:
    """Return the JSON Schema of one receiver, and the definitions that it refers to."""
    own = keys_model(ReceiverEntry).model_json_schema(schema_generator=InOrder)["properties"]
    options: list[object] = []
    definitions: dict[str, object] = {}
    for type_name in notifier_names():
        try:
            config = _config(type_name)
        except UserError:
            # A plugin that cannot be imported: `check` says so, the editor lets its keys pass.
            options.append(
                {"type": "object", "properties": {"type": {"const": type_name}}, "required": ["type", "name"]}
            )
            continue
        schema = config.model_json_schema(schema_generator=InOrder, ref_template=f"#/$defs/{type_name}_{{model}}")
        for name, definition in schema.pop("$defs", {}).items():
            definitions[f"{type_name}_{name}"] = definition
        what = {"const": type_name, "description": "What kind of receiver it is.", "examples": [type_name]}
        schema["properties"] = {"name": own["name"], "type": what, **schema.get("properties", {}), **own}
        schema["required"] = ["name", "type", *schema.get("required", [])]
        schema["title"] = f"{type_name} receiver"
        options.append(schema)
    return {"oneOf": options}, definitions
