"""Which waiting entries a new one takes the place of: of an alert, one unsent message waits for each recipient."""

from collections.abc import Iterable, Mapping, Sequence

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import OutboxEntry

Place = tuple[str, str, str]
"""Receiver, recipient and an alert's fingerprint."""


def by_place(waiting: Iterable[OutboxEntry]) -> dict[Place, list[OutboxEntry]]:
    """Return the waiting entries of each alert and recipient, oldest first: a new entry asks for its own alone."""
    found: dict[Place, list[OutboxEntry]] = {}
    for old in waiting:
        for fingerprint in old.fingerprints:
            found.setdefault((old.receiver, old.recipient, fingerprint), []).append(old)
    return found


def foldable(entry: OutboxEntry, waiting: Mapping[Place, Sequence[OutboxEntry]]) -> list[OutboxEntry]:
    """
    Return the waiting entries that a new one may include: of the same alert, and certainly never sent.

    An entry whose fate is unknown is not touched: the new one waits behind it.
    """
    if len(entry.fingerprints) != 1:
        return []
    of_alert: list[OutboxEntry] = []
    for old in waiting.get((entry.receiver, entry.recipient, entry.fingerprints[0]), ()):
        if old.fingerprints == entry.fingerprints:
            if _may_join(old.message.reason, entry.message.reason):
                of_alert.append(old)
        else:
            # What came before a storm that includes the alert must not be sent after it.
            of_alert = []
    return of_alert if all(old.is_unsent for old in of_alert) else []


def _may_join(old: NotifyReason, new: NotifyReason) -> bool:
    """
    Return whether a newer entry may take a waiting one over.

    An edit stands for itself: what comes after it would leave the message wrong that it is to change. It is made anew
    only by another of its kind; and a correction is needless where what it corrects was never sent.
    """
    if new is NotifyReason.UPDATED:
        return old is NotifyReason.UPDATED
    return not old.is_edit or old is new
