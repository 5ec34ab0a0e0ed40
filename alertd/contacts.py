"""Which receivers can write to the people and channels behind owners, and where a rules file counts on it in vain."""

from collections.abc import Mapping

from alertd.core.routing import OWNER
from alertd.errors import Problem
from alertd.notify.base import Notifier, contact_kind
from alertd.rules_file.model import LoadedRules

_NO_CONTACTS = "only a Slack receiver with a bot token and an email receiver can write to people, and there is none"


def contacts(notifiers: Mapping[str, Notifier]) -> dict[str, str]:
    """Return for each kind of contact of an owner the first receiver that writes to it, Slack before mail."""
    found: dict[str, str] = {}
    for name, notifier in notifiers.items():
        kind = contact_kind(notifier)
        if kind:
            found.setdefault(kind, name)
    return {kind: found[kind] for kind in ("slack", "email") if kind in found}


def owner_warnings(rules: LoadedRules, notifiers: Mapping[str, Notifier]) -> list[Problem]:
    """
    Return a problem for every rule, and for routes and defaults, that tells the owner where none can be written to.

    Nothing is said where a receiver could not be built: it may be the one that could.
    """
    ways = contacts(notifiers)
    is_known = any(owner.address(kind) for owner in rules.owners.entries for kind in ways)
    if is_known or len(notifiers) < len(rules.receivers):
        return []
    why = "no owner has a slack id or an email that some receiver writes to" if ways else _NO_CONTACTS
    text = f"notify: owner reaches nobody: {why}; alerts go where routes and defaults lead instead"
    naming = [rule for rule in rules.rules if rule.enabled and OWNER in rule.notify]
    escalating = [r for r in rules.rules if r.enabled and r.escalate is not None and OWNER in r.escalate.notify]
    found = [rules.problem("rule", rule.name, text) for rule in naming]
    found += [rules.problem("rule", rule.name, f"escalate: {text}") for rule in escalating]
    if OWNER in rules.default_notify or any(OWNER in route.notify for route in rules.routes):
        found.append(Problem(str(rules.files[0]), 1, 1, f"routes and defaults: {text}"))
    return found
