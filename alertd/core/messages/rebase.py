"""Notifications that a wrong clock has dated into the future: due now, and not on a day that may be years away."""

from dataclasses import replace
from datetime import datetime, timedelta

from alertd.core.alerts.rebase import AHEAD, no_later_if_any
from alertd.core.messages.outbox import EntryState, OutboxEntry

LONGEST_WAIT = timedelta(hours=1)
"""No receiver is waited for longer between two attempts; what was never tried may wait for quiet hours to end."""


def rebased_entry(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """
    Return an open entry that waits no longer than it was meant to; the same object where it does not.

    Args:
        now: A time that was checked.
    """
    ahead = entry.created_at - now
    not_before = entry.not_before
    if entry.attempts and not_before - now > LONGEST_WAIT + AHEAD:
        not_before = now
    elif ahead > AHEAD:
        # It waits as long as it was to wait when it was made.
        not_before = max(now, not_before - ahead)
    after = replace(
        entry,
        not_before=not_before,
        first_attempt_at=no_later_if_any(entry.first_attempt_at, now),
        started_at=no_later_if_any(entry.started_at, now),
    )
    # What is being sent now is settled by who sends it.
    return entry if after == entry or entry.state is EntryState.SENDING else after
