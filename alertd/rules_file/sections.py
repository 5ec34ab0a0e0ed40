"""The top-level keys of a rules file: which sections there are and what their entries are."""

from collections.abc import Mapping
from functools import cache

from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.routing import Route
from alertd.core.dataclass import dataclass
from alertd.core.owners import Owner
from alertd.core.rules.base import Rule
from alertd.rules_file.keys import Table, key_table
from alertd.rules_file.model import Account, ActionEntry, DefaultsEntry, PlannedEntry, Report

VERSION = "1"

_DEFAULTS_OF_RULES = (
    "repeat_interval",
    "repeat_backoff",
    "repeat_every",
    "resolve_below",
    "send_resolved",
    "for",
    "escalate",
)


@dataclass(frozen=True, slots=True)
class Section:
    """A top-level key that holds entries."""

    singular: str
    help: str
    kind: type | None = None
    """The dataclass of its entries; None if it depends on the entry's `type`."""


SECTIONS: Mapping[str, Section] = {
    "accounts": Section("account", "Novita accounts; without any, one uses ALERTD_NOVITA_API_KEY.", Account),
    "owners": Section("owner", "Whom an id belongs to; the first match wins.", Owner),
    "receivers": Section("receiver", "Who can be notified, and how."),
    "actions": Section(
        "action", "What people can have alertd do about an alert; it never acts by itself.", ActionEntry
    ),
    "planned": Section(
        "planned spend", "Spend known in advance: it raises the thresholds of rules and hides nothing.", PlannedEntry
    ),
    "routes": Section("route", "Who is notified of alerts whose rule has no notify; the first match wins.", Route),
    "inhibitions": Section("inhibition", "Alerts that mute others while they fire.", Inhibition),
    "reports": Section("report", "Scheduled reports.", Report),
    "rules": Section("rule", "What to watch, and from which value on to notify."),
}
TOP_LEVEL_KEYS = ("version", *SECTIONS, "defaults")


@cache
def defaults_table() -> Table:
    """Return the keys of `defaults:`: its own, and some keys of rules, with the same bounds."""
    of_rules = key_table(Rule)
    return {**key_table(DefaultsEntry), **{name: of_rules[name] for name in _DEFAULTS_OF_RULES}}
