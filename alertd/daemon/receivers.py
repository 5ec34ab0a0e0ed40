"""Builds receivers from the rules file and the settings, to send or only to print; and sends outside the outbox."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.core.alerts.routing import OWNER
from alertd.core.dataclass import dataclass
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import delivery_key
from alertd.errors import Problem, RulesError
from alertd.log import get_logger
from alertd.notify.base import Dated, Delivered, Envelope, Notifier, ReceiverError, contact_kind
from alertd.notify.registry import notifier_class
from alertd.rules_file.model import LoadedRules
from alertd.settings.outgoing.connections import Outgoing
from alertd.settings.text_file import change_warning

if TYPE_CHECKING:
    from pydantic import BaseModel

    from alertd.settings.asked import SettingsInUse
    from alertd.settings.model import Settings


def build_notifiers(rules: LoadedRules, settings: "SettingsInUse") -> tuple[dict[str, Notifier], list[Problem]]:
    """Build every receiver; return those that cannot be built as problems with their places."""
    context = Surroundings(settings, os.environ, rules.folder)
    notifiers: dict[str, Notifier] = {}
    problems = []
    for receiver in rules.receivers:
        try:
            notifiers[receiver.name] = notifier_class(receiver.type)(receiver.name, receiver.config, context)
        except ReceiverError as error:
            problem = rules.problem("receiver", receiver.name, str(error), key=error.key)
            problems.append(replace(problem, is_absence=error.is_absence))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- foreign code; its text may repeat a secret
            get_logger().debug("receiver not built", receiver=receiver.name, exc_info=error)
            text = f"the receiver type {receiver.type} failed on this receiver: {type(error).__name__}"
            problems.append(rules.problem("receiver", receiver.name, f"{text}; report it to its author"))
    return notifiers, problems


def open_notifiers(
    rules: LoadedRules, settings: "SettingsInUse", stack: AsyncExitStack, *, now: Callable[[], datetime]
) -> dict[str, Notifier]:
    """
    Build every receiver; the exit stack closes them.

    Args:
        now: Returns the time, for receivers that date their messages.

    Raises:
        RulesError: One cannot be built.
    """
    notifiers, problems = build_notifiers(rules, settings)
    for notifier in notifiers.values():
        stack.push_async_callback(notifier.close)
        if isinstance(notifier, Dated):
            notifier.now = now
    if problems:
        raise RulesError(problems)
    return notifiers


def printing_notifiers(rules: LoadedRules, settings: "SettingsInUse") -> dict[str, Notifier]:
    """Return a printing notifier for every receiver, so that a dry run shows who would get what."""
    return {spec.name: printing_notifier(spec.name, rules, settings) for spec in rules.receivers}


def printing_notifier(name: str, rules: LoadedRules, settings: "SettingsInUse") -> Notifier:
    """Return a printing notifier, whatever the rules say."""
    from alertd.notify.console import ConsoleConfig, ConsoleNotifier  # noqa: PLC0415 -- a few commands alone

    return ConsoleNotifier(name, ConsoleConfig(), Surroundings(settings, os.environ, rules.folder), stands_in=True)


def fallbacks(rules: LoadedRules) -> dict[str, str]:
    """Return the fallback of each receiver: its own `fallback`, or the next best."""
    names = [receiver.name for receiver in rules.receivers]
    chosen = {}
    for receiver in rules.receivers:
        candidates = [receiver.fallback, *rules.default_notify, *names]
        other = next((name for name in candidates if name and name != receiver.name), None)
        if other is not None:
            chosen[receiver.name] = other
    return chosen


def chosen_notifiers(names: Iterable[str], rules: LoadedRules, settings: "Settings") -> dict[str, Notifier]:
    """
    Build some of the receivers, whatever is wrong with others.

    Raises:
        RulesError: One of them cannot be built.
    """
    notifiers, problems = build_notifiers(rules, settings)
    names = tuple(names)
    missing = [name for name in names if name not in notifiers]
    if missing:
        raise RulesError([p for p in problems if any(f'receiver "{name}"' in p.text for name in missing)])
    return {name: notifiers[name] for name in names}


async def send_now(notifiers: Mapping[str, Notifier], message: Message) -> list[tuple[str, str, bool]]:
    """Make one attempt for each recipient, past the outbox; return (to whom, what happened, delivered) for each."""
    from alertd.notify.delivery.attempt import attempt  # noqa: PLC0415 -- `check` builds receivers and sends nothing

    results = []
    for receiver, notifier in notifiers.items():
        try:
            for recipient in notifier.recipients:
                key = delivery_key(message.reason.value, receiver, recipient, message.created_at.isoformat())
                outcome = await attempt(notifier, Envelope(message=message, key=key, recipient=recipient))
                text = "delivered" if isinstance(outcome, Delivered) else f"not delivered: {outcome.reason}"
                to = f"{receiver} ({recipient})" if recipient else receiver
                results.append((to, text, isinstance(outcome, Delivered)))
        finally:
            await notifier.close()
    return results


def secret_file_warnings(rules: LoadedRules) -> list[Problem]:
    """Return a problem for every file that a key ending `_file` names and every user may change."""
    named = [("receiver", r.name, key, getattr(r.config, key)) for r in rules.receivers for key in _file_keys(r.config)]
    named += [("account", account.name, "api_key_file", account.api_key_file) for account in rules.accounts]
    found = []
    for kind, name, key, files in named:
        for file in files if isinstance(files, tuple) else (files,):
            # A file that cannot be examined is reported by its reader.
            with suppress(OSError, ValueError):
                path = rules.folder / (file or "")
                if file and (warning := change_warning(path, path.stat().st_mode)):
                    found.append(rules.problem(kind, name, f"{key}: {warning}", key=key))
    return found


def _file_keys(config: "BaseModel") -> list[str]:
    return [key for key in type(config).model_fields if key.endswith("_file")]


_NO_CONTACTS = "only a Slack receiver with a bot token and an email receiver can write to people, and there is none"


def contacts(notifiers: Mapping[str, Notifier]) -> dict[str, str]:
    """Return the first receiver for each kind of an owner's contact, Slack before mail."""
    found: dict[str, str] = {}
    for name, notifier in notifiers.items():
        kind = contact_kind(notifier)
        if kind:
            found.setdefault(kind, name)
    return {kind: found[kind] for kind in ("slack", "email") if kind in found}


def owner_warnings(rules: LoadedRules, notifiers: Mapping[str, Notifier]) -> list[Problem]:
    """
    Return a problem for every rule, route and default that notifies the owner although no receiver can.

    None if a receiver could not be built: it might be the one that can.
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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What notifiers may ask while they are built."""

    settings: "SettingsInUse"
    environment: Mapping[str, str]
    base_dir: Path

    @property
    def outgoing(self) -> Outgoing:
        """Return how to connect to others; one object for all."""
        return self.settings.outgoing

    def setting(self, name: str) -> str | None:
        """Return an alertd setting in plain text."""
        return self.settings.plain(name)
