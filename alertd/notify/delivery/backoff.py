"""When the next attempt of a delivery is due, and when to give up."""

from datetime import datetime, timedelta

from alertd.core.retry_after import doubled_s

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=5)
LONGEST_RETRY_AFTER = timedelta(hours=1)
"""Longest Retry-After that is respected."""
UNKNOWN_WAIT = timedelta(seconds=60)
"""Wait before a second copy of a message that may have arrived."""
LOOKUP_PATIENCE = timedelta(minutes=15)
"""How long a lookup may fail before the message is sent again."""
BLOCKED_WAIT = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=72)
MOST_UNKNOWNS = 2
"""Attempts with unknown outcome before a person has to look."""


def next_attempt(attempts: int, now: datetime, *, retry_after: timedelta | None, jitter: float) -> datetime:
    """
    Return when to try again: 2 s after the first attempt, doubled after each, with full jitter, at most 5 minutes.

    Never earlier than the server allows.

    Args:
        attempts: Attempts made so far, at least 1.
        retry_after: What the server asked for.
        jitter: Uniform in [0, 1); the caller draws it.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog.
    """
    wait = jitter * timedelta(
        seconds=doubled_s(attempts, first_s=FIRST_WAIT.total_seconds(), longest_s=LONGEST_WAIT.total_seconds())
    )
    floor = min(retry_after or timedelta(), LONGEST_RETRY_AFTER)
    return now + max(wait, floor)


def is_spent(first_attempt_at: datetime | None, now: datetime) -> bool:
    """Return whether 72 hours of attempts have passed."""
    return first_attempt_at is not None and now - first_attempt_at >= GIVE_UP_AFTER
