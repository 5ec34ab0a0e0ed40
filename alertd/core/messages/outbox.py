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
    """Which of two entries of one recipient leaves first, where neither waits for the other; the lowest does."""

    NEW = 0
    """Somebody must hear of an alert, or of one that is worse by now; or waits for a test."""
    RESOLVED = 1
    REPEAT = 2
    """What was announced already, said again or acknowledged."""
    REPORT = 3
    EDIT = 4
    """A delivered message shows another state: nobody is notified."""


_REPEATS = frozenset({NotifyReason.REPEAT, NotifyReason.ACKNOWLEDGED, NotifyReason.ACTION})


class EntryState(StrEnum):
    """Where an entry is on its way out."""

    PENDING = "pending"
    """Due, or waiting until `not_before`; no copy can have arrived."""
    SENDING = "sending"
    """An attempt is under way; found at start it means `unknown`."""
    UNKNOWN = "unknown"
    """An attempt ended without an answer: a copy may have arrived."""
    DELIVERED = "delivered"
    BLOCKED = "blocked"
    """The receiver's configuration must be fixed; tried again each hour and at reload."""
    GAVE_UP = "gave up"
    FOLDED = "folded"
    """Sent as part of a later entry, `folded_into`."""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done."""
        return self in {EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.BLOCKED}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One notification for one recipient of one receiver; replaced at each change."""

    id: int = 0
    """Given by the store; entries of one group leave in this order. 0 until stored."""
    key: str
    """The delivery key: the same at every attempt."""
    receiver: str
    recipient: str
    """Channel, address or URL label within the receiver; empty where the receiver has but one."""
    group: str
    """Entries of one receiver, recipient and group go out in order: an alert's fingerprint or a storm's name."""
    fingerprints: tuple[str, ...]
    """The alerts that it is about."""
    message: Message
    state: EntryState = EntryState.PENDING
    created_at: datetime
    not_before: datetime
    attempts: int = 0
    unknowns: int = 0
    """Attempts whose outcome could not be learnt."""
    first_attempt_at: datetime | None = None
    """Giving up counts from here: time in which alertd did not run is no attempt."""
    started_at: datetime | None = None
    """When the last attempt began."""
    finished_at: datetime | None = None
    is_plain: bool = False
    """Send as plain text: the full layout was refused."""
    fallback_sent: bool = False
    """A copy went to the fallback receiver."""
    ref: str = ""
    """Where the delivered message is: Slack's `channel/ts`, a mail's Message-ID."""
    error: str = ""
    """The last failure, in words."""
    folded_into: int | None = None

    @property
    def due_since(self) -> datetime:
        """When it was first to be sent: what quiet hours hold back is not late, what is tried again is."""
        return self.first_attempt_at or self.not_before

    @property
    def is_unsent(self) -> bool:
        """Whether it still has to be sent, and no copy can have left."""
        return self.state in {EntryState.PENDING, EntryState.BLOCKED} and not self.unknowns

    @property
    def urgency(self) -> Urgency:
        """What kind of news it holds."""
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
        """It is about no alert, and can wait for those that are."""
        return not self.fingerprints


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The delivered message in whose place an edit is to stand."""

    ref: str
    storm: Message | None = None
    """What stands there, where it speaks of many alerts and the edit is about the first of them."""


def delivery_key(*parts: str) -> str:
    """
    Return 32 hex digits that stay the same at every attempt of one notification.

    Args:
        parts: install, rule, group, episode, kind, receiver, recipient.
    """
    import hashlib  # noqa: PLC0415 -- as in `labels`

    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
