"""The `receivers:` section: each entry is checked with the `Config` of its type, found in the notifier registry."""

from datetime import time
from typing import TYPE_CHECKING

from alertd.core.alerts.quiet_hours import QuietHours, is_always_quiet
from alertd.errors import UserError
from alertd.notify.registry import notifier_class, notifier_names
from alertd.rules_file.entry import Entry, Findings
from alertd.rules_file.faults import Faults
from alertd.rules_file.keys import key_table, read_keys
from alertd.rules_file.model import QuietHoursEntry, ReceiverEntry, ReceiverSpec, Weekday
from alertd.rules_file.references import named_type
from alertd.rules_file.remedy import show

if TYPE_CHECKING:
    from pydantic import BaseModel

OWN_KEYS = ("name", "type", "fallback", "quiet_hours")


def parse_receiver(entry: Entry, findings: Findings) -> ReceiverSpec | None:
    """Return a receiver; None if it is invalid, with the problems added to *findings*."""
    written = entry.node.value
    if not isinstance(written, dict):
        findings.add(entry.problem((), f"{show(entry.node.plain())} is not a receiver; write name: and type:"))
        return None
    config_type = _config_type(entry, findings)
    config = _read_config(entry, config_type, findings) if config_type is not None else None
    checked = _read_own(entry, findings, type_keys=tuple(key for key in written if key not in OWN_KEYS))
    if config is None or checked is None:
        return None
    quiet_hours = tuple(map(_quiet_hours, checked.quiet_hours))
    if is_always_quiet(quiet_hours):
        text = "these cover the whole week, so nothing below critical would ever be sent in time; leave a gap"
        findings.warn(entry.problem(("quiet_hours",), text))
    return ReceiverSpec(
        name=checked.name,
        type=str(written["type"].value),
        config=config,
        fallback=checked.fallback,
        quiet_hours=quiet_hours,
        place=entry.place,
    )


def _read_own(entry: Entry, findings: Findings, *, type_keys: tuple[str, ...]) -> ReceiverEntry | None:
    """Return the values of the keys that every receiver has; None if they are invalid."""
    try:
        return ReceiverEntry(
            **read_keys(entry.node, key_table(ReceiverEntry), also_known=("type", *type_keys))  # type: ignore[arg-type] # the table has checked them
        )
    except Faults as faults:
        for fault in faults.found:
            findings.add(fault.problem(entry))
    return None


def _quiet_hours(entry: QuietHoursEntry) -> QuietHours:
    start, end = entry.hours or (time(), time())
    days = frozenset(number for number, day in enumerate(Weekday) if day in entry.days)
    return QuietHours(days=days, start=start, end=end, timezone=entry.timezone)


def _config_type(entry: Entry, findings: Findings) -> "type[BaseModel] | None":
    name = named_type(entry, "receiver", notifier_names(), findings)
    if name is None:
        return None
    try:
        return notifier_class(name).Config
    except UserError as error:
        findings.add(entry.problem(("type",), str(error), has_keys=False))
    return None


def _read_config(entry: Entry, config_type: "type[BaseModel]", findings: Findings) -> "BaseModel | None":
    # Importing pydantic takes longer than checking a small file: import it only for files with receivers.
    from alertd.rules_file.config_faults import read_config  # noqa: PLC0415 # see above

    found = read_config(entry, config_type, OWN_KEYS)
    if isinstance(found, list):
        for problem in found:
            findings.add(problem)
        return None
    return found
