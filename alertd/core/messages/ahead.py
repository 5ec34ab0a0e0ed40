"""What waits in the outbox ahead of a new entry: what the new one may include, and what it has to wait for."""

from collections.abc import Iterable, Mapping, Sequence

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import OutboxEntry

Place = tuple[str, str, str]
"""Receiver, recipient and an alert's fingerprint."""


def by_place(waiting: Iterable[OutboxEntry]) -> dict[Place, list[OutboxEntry]]:
    """Return the waiting entries by alert and recipient, oldest first, for lookups by new entries."""
    found: dict[Place, list[OutboxEntry]] = {}
    for old in waiting:
        for fingerprint in old.fingerprints:
            found.setdefault((old.receiver, old.recipient, fingerprint), []).append(old)
    return found


def foldable(entry: OutboxEntry, waiting: Mapping[Place, Sequence[OutboxEntry]]) -> list[OutboxEntry]:
    """
    Return the waiting entries that a new one may include: of the same alert, and certainly unsent.

    An entry with an unknown outcome is not touched: the new one waits for it.
    """
    if len(entry.fingerprints) != 1:
        return []
    of_alert: list[OutboxEntry] = []
    for old in waiting.get((entry.receiver, entry.recipient, entry.fingerprints[0]), ()):
        if old.fingerprints == entry.fingerprints:
            if _may_join(old.message, entry.message):
                of_alert.append(old)
        else:
            # Entries from before a storm that includes the alert must not be sent after it.
            of_alert = []
    return of_alert if all(old.is_unsent for old in of_alert) else []


def has_news(ahead: Iterable[OutboxEntry]) -> bool:
    """Return whether entries hold up a new one about their alert: an edit, which changes what was sent, does not."""
    return not all(old.message.reason.is_edit for old in ahead)


def _may_join(old: Message, new: Message) -> bool:
    """
    Return whether a newer entry may include a waiting one.

    An edit stands for itself: what comes after it would leave the message wrong that it is to change. It is made anew
    only by another of its kind that changes the same message, which each episode has of its own; and a correction is
    needless where what it corrects was never sent.
    """
    if new.reason.is_edit and _episodes(old) != _episodes(new):
        return False
    if new.reason is NotifyReason.UPDATED:
        return old.reason is NotifyReason.UPDATED
    return not old.reason.is_edit or old.reason is new.reason


def _episodes(message: Message) -> set[tuple[str, int]]:
    return {(facts.fingerprint, facts.episode) for facts in message.alerts}
