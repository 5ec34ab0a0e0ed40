"""
The outbox: one entry per notification and recipient, and the states it goes through.

    pending → sending → delivered | unknown | pending (not before …) | blocked | gave up

Source of the states and their figures: the help page "delivery".
"""

import json
from datetime import datetime
from enum import IntEnum, StrEnum

from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import dataclass
from alertd.core.messages.message import Message


class Urgency(IntEnum):
    """Priority among entries of one recipient that do not wait for each other; the lowest is sent first."""

    NEW = 0
    """A new or worse alert, or a test that somebody is waiting for."""
    RESOLVED = 1
    REPEAT = 2
    """A repeat or acknowledgement of what was announced."""
    REPORT = 3
    EDIT = 4
    """An edit of a delivered message, which notifies nobody."""


_REPEATS = frozenset({NotifyReason.REPEAT, NotifyReason.ACKNOWLEDGED, NotifyReason.ACTION})


class EntryState(StrEnum):
    """The delivery state of an entry."""

    PENDING = "pending"
    """Due, or waiting until `not_before`; no copy can have arrived."""
    SENDING = "sending"
    """An attempt is under way; at a start it means `unknown`."""
    UNKNOWN = "unknown"
    """An attempt ended without an answer: a copy may have arrived."""
    DELIVERED = "delivered"
    BLOCKED = "blocked"
    """The receiver's configuration must be fixed; retried every hour and at a reload."""
    GAVE_UP = "gave up"
    FOLDED = "folded"
    """Sent as part of a later entry, `folded_into`."""

    @property
    def is_open(self) -> bool:
        """Whether it is unfinished."""
        return self in {EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.BLOCKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One notification for one recipient of one receiver; replaced at each change."""

    id: int = 0
    """Assigned by the store; entries of one group are sent in this order. 0 until stored."""
    key: str
    """The delivery key: the same at every attempt."""
    receiver: str
    recipient: str
    """Channel, address or URL label within the receiver; empty if the receiver has only one."""
    group: str
    """Entries of one receiver, recipient and group are sent in order: an alert's fingerprint or a storm's name."""
    fingerprints: tuple[str, ...]
    """The alerts that it is about."""
    message: Message
    state: EntryState = EntryState.PENDING
    created_at: datetime
    not_before: datetime
    attempts: int = 0
    unknowns: int = 0
    """Attempts with unknown outcome."""
    first_attempt_at: datetime | None = None
    """Start of the time before giving up, which excludes time in which alertd did not run."""
    started_at: datetime | None = None
    """When the last attempt began."""
    finished_at: datetime | None = None
    is_plain: bool = False
    """Whether to send plain text, because the full layout was refused."""
    fallback_sent: bool = False
    """Whether the fallback receiver got a copy."""
    ref: str = ""
    """Id of the delivered message: Slack's `channel/ts`, a mail's Message-ID."""
    error: str = ""
    """The last failure, in words."""
    folded_into: int | None = None

    @property
    def due_since(self) -> datetime:
        """When it should have been sent: entries held by quiet hours are not late, retries are."""
        return self.first_attempt_at or self.not_before

    @property
    def is_unsent(self) -> bool:
        """Whether it still has to be sent, and no copy can have been sent."""
        return self.state in {EntryState.PENDING, EntryState.BLOCKED} and not self.unknowns

    @property
    def may_have_arrived(self) -> bool:
        """Whether the answer to an attempt was lost, and nobody has looked since what became of it."""
        return self.state is EntryState.UNKNOWN or (self.state is EntryState.BLOCKED and self.unknowns > 0)

    @property
    def urgency(self) -> Urgency:
        """Its kind of news."""
        message = self.message
        if message.reason.is_edit:
            return Urgency.EDIT
        if self.is_report:
            return Urgency.REPORT
        if message.is_resolved:
            return Urgency.RESOLVED
        return Urgency.REPEAT if message.reason in _REPEATS else Urgency.NEW

    @property
    def is_report(self) -> bool:
        """Whether it is not about an alert, and can wait for those that are."""
        return not self.fingerprints


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The delivered message that an edit replaces."""

    ref: str
    storm: Message | None = None
    """The text of a message about many alerts whose first alert the edit is about."""


def delivery_key(*parts: str) -> str:
    """
    Return 32 hex digits that stay the same at every attempt of one notification.

    Args:
        parts: install, rule, group, episode, kind, receiver, recipient.
    """
    import hashlib  # noqa: PLC0415 -- as in `labels`

    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
