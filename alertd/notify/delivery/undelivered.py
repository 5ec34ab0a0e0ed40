"""Copies for the fallback receiver of notifications that another receiver did not deliver."""

from collections.abc import Iterable
from datetime import datetime

from alertd.core.messages.compose import compose_undelivered
from alertd.core.messages.outbox import OutboxEntry, delivery_key


def undelivered(
    entry: OutboxEntry, *, fallback: str, to: Iterable[str], now: datetime, install_id: str
) -> list[OutboxEntry]:
    """
    Return a copy of an undelivered entry for each recipient of the fallback receiver.

    Args:
        entry: The undelivered entry.
        fallback: The fallback receiver's name.
        to: The fallback's recipients.
        now: When the copies are made and due.
        install_id: Part of their delivery keys.
    """
    message = compose_undelivered(entry.message, receiver=entry.receiver, why=entry.error, now=now)
    return [
        OutboxEntry(
            key=delivery_key(install_id, entry.key, "undelivered", fallback, recipient),
            receiver=fallback,
            recipient=recipient,
            group=entry.group,
            fingerprints=entry.fingerprints,
            message=message,
            created_at=now,
            not_before=now,
        )
        for recipient in to
    ]
