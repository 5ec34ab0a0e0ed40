"""Re-dates notifications that a wrong clock has dated into the future, which may be years away."""

from datetime import datetime, timedelta

from alertd.core.alerts.rebase import AHEAD, no_later_if_any
from alertd.core.dataclass import replace
from alertd.core.messages.outbox import EntryState, OutboxEntry

LONGEST_WAIT = timedelta(hours=1)
"""Longest wait between two attempts; entries that were never tried may wait for quiet hours to end."""


def due_by(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """
    Return an entry due by a clock that went back, where it would wait too long; else the same object.

    A process that starts with a clock that is ahead dates attempts by it, until an answer says what time it is. The
    entry waits for as long as after its last attempt: a receiver may have asked for that.

    Args:
        now: The best known time; it need not be checked, as no receiver is asked sooner than it may be.
    """
    # An entry that is being sent is settled by its sender.
    if entry.first_attempt_at is None or entry.state is EntryState.SENDING:
        return entry
    if entry.not_before - now <= LONGEST_WAIT + AHEAD:
        return entry
    wait = entry.not_before - (entry.started_at or entry.not_before)
    return replace(
        entry,
        # The clock was set in the middle of an attempt after which it seems to wait for longer.
        not_before=now + wait if timedelta() < wait <= LONGEST_WAIT + AHEAD else now,
        first_attempt_at=min(entry.first_attempt_at, now),
        started_at=no_later_if_any(entry.started_at, now),
    )


def rebased_entry(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """
    Return an open entry with its intended wait; the same object if that is unchanged.

    Args:
        now: A checked time.
    """
    ahead = entry.created_at - now
    if ahead <= AHEAD or entry.state is EntryState.SENDING:
        return due_by(entry, now)
    # Keep the wait intended when it was made. If it is due before then, that was decided since, by the right clock.
    is_ahead = entry.not_before >= entry.created_at
    after = replace(
        entry,
        not_before=max(now, entry.not_before - ahead) if is_ahead else entry.not_before,
        first_attempt_at=no_later_if_any(entry.first_attempt_at, now),
        started_at=no_later_if_any(entry.started_at, now),
    )
    return entry if after == entry else after
