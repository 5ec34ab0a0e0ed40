"""
Receivers that record messages instead of sending them; they need no secret, setting or network.

The real notifier, built with placeholder secrets, says whom a receiver reaches and what it supports.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import dataclass
from alertd.core.hand_clock import HandClock
from alertd.core.messages.message import Message
from alertd.errors import RulesError
from alertd.notify.base import (
    Delivered,
    Envelope,
    Notifier,
    Outcome,
    ReceiverError,
    SendsOnly,
    can_edit,
    contact_kind,
)
from alertd.notify.registry import notifier_class
from alertd.rules_file.model import LoadedRules
from alertd.settings.outgoing.connections import Outgoing

# Valid as a token as well as a URL: notifiers check the form of both when they are built.
_SECRET = "https://stand-in.invalid/"  # noqa: S105 -- stands in the place of one
# Placeholders by the receiver's key and its variable's name, where the form is not that of a URL.
_FORMED = {"bot_token": "xoxb-stand-in", "routing_key": "0123456789abcdef" * 2}
# Receivers must not use alertd's own secrets, so these differ.
_SETTINGS = {
    "slack_bot_token": "xoxb-setting",
    "slack_webhook_url": "https://setting.invalid/stand-in",
    # Encryption is checked by `alertd check`, not by a test of rules.
    "allow_plain_http": "True",
    "smtp_host": "stand-in.invalid",
    "smtp_from": "alertd@stand-in.invalid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessage:
    """A message sent to one recipient of a receiver."""

    receiver: str
    recipient: str
    message: Message
    sent_at: datetime


class Recorder(SendsOnly):
    """Replaces a receiver of the rules in a test, and accepts every message."""

    Config: ClassVar[type[BaseModel]] = BaseModel
    deadline: ClassVar[timedelta] = timedelta(minutes=1)

    def __init__(self, name: str, stands_for: Notifier, *, clock: HandClock, sent: list[SentMessage]) -> None:
        self._name = name
        self._clock = clock
        self._sent = sent
        self._recipients = stands_for.recipients
        self.can_edit = can_edit(stands_for)
        self.contact = contact_kind(stands_for)

    @property
    def recipients(self) -> tuple[str, ...]:
        """Return the capabilities of the real receiver."""
        return self._recipients

    async def send(self, envelope: Envelope) -> Outcome:
        """Record the message with the time at which it is sent."""
        self._sent.append(
            SentMessage(
                receiver=self._name,
                recipient=envelope.recipient,
                message=envelope.message,
                sent_at=self._clock.now,
            )
        )
        return Delivered(ref=str(len(self._sent)))

    async def edit(self, envelope: Envelope) -> Outcome:
        """Record a correction as a message of its own; updating the first message in place notifies nobody."""
        if envelope.message.reason is NotifyReason.UPDATED:
            return Delivered(ref=envelope.edits)
        return await self.send(envelope)


class _AnyVariable(Mapping[str, str]):
    """An environment in which every variable is set."""

    def __getitem__(self, name: str) -> str:
        return _FORMED.get(name, _SECRET)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _StandIns:
    """What notifiers may use while they are built."""

    environment: Mapping[str, str] = _AnyVariable()
    base_dir = Path()
    outgoing = Outgoing()

    def setting(self, name: str) -> str | None:
        return _SETTINGS.get(name)


def real_receivers(rules: LoadedRules) -> dict[str, Notifier]:
    """
    Build every receiver with placeholder secrets, to query it and never to send.

    Raises:
        RulesError: A receiver cannot be built this way: a plugin that needs more than alertd's own receivers.
    """
    found: dict[str, Notifier] = {}
    problems = []
    for spec in rules.receivers:
        try:
            found[spec.name] = notifier_class(spec.type)(spec.name, _with_stand_ins(spec.config), _StandIns())
        except ReceiverError as error:
            problems.append(rules.problem("receiver", spec.name, str(error), key=error.key))
    if problems:
        raise RulesError(problems)
    return found


def _with_stand_ins(config: BaseModel) -> BaseModel:
    """Return the configuration with variables instead of secret files, which may not exist here."""
    fields = type(config).model_fields
    changes: dict[str, str | None] = {}
    for name in fields:
        key, _, place = name.rpartition("_")
        variable = f"{key}_env"
        if not getattr(config, name) or variable not in fields:
            continue
        if place == "file":
            changes |= {name: None, variable: key}
        elif place == "env" and key in _FORMED:
            changes[variable] = key
    return config.model_copy(update=changes)
