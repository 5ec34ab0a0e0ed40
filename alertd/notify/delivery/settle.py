"""The next state of an outbox entry after an attempt: pure, every outcome in one place."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import dataclass
from alertd.core.messages.compose import compose_undelivered
from alertd.core.messages.outbox import EntryState, OutboxEntry, delivery_key
from alertd.notify.base import (
    CannotLook,
    ConfigurationRefused,
    ContentRefused,
    Delivered,
    Lookup,
    NotFound,
    NotSent,
    Outcome,
    Unknown,
)
from alertd.notify.delivery.backoff import (
    BLOCKED_WAIT,
    LOOKUP_PATIENCE,
    MOST_UNKNOWNS,
    UNKNOWN_WAIT,
    is_spent,
    next_attempt,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An entry after an attempt, and whether the fallback receiver must be notified now."""

    entry: OutboxEntry
    escalates: bool = False


def claim(entry: OutboxEntry, now: datetime) -> OutboxEntry:
    """Return the entry as stored before the first byte is sent."""
    first = entry.first_attempt_at
    if first is not None and now - entry.not_before > BLOCKED_WAIT:
        # It was due long ago, but the system slept or the process was frozen: that does not count as time of attempts.
        first = min(now, first + (now - entry.not_before))
    return replace(
        entry,
        state=EntryState.SENDING,
        attempts=entry.attempts + 1,
        started_at=now,
        first_attempt_at=first or now,
    )


def settle(
    entry: OutboxEntry, outcome: Outcome, *, now: datetime, can_look_up: bool, deadline: timedelta, jitter: float
) -> Settled:
    """
    Return the next state of a claimed entry.

    Args:
        can_look_up: Whether the receiver can say later if the message arrived.
        deadline: Time after which nothing of the attempt can still arrive.
        jitter: Uniform in [0, 1).
    """
    entry = _awake(entry, now, deadline)
    match outcome:
        case Delivered(ref):
            return Settled(entry=replace(entry, state=EntryState.DELIVERED, ref=ref, finished_at=now, error=""))
        case NotSent(reason, retry_after):
            due = next_attempt(entry.attempts, now, retry_after=retry_after, jitter=jitter)
            # An earlier attempt may have arrived, whatever became of this one: it is looked for before the next.
            state = EntryState.UNKNOWN if can_look_up and entry.unknowns else EntryState.PENDING
            return _again(entry, state, due, reason, now)
        case Unknown(reason):
            return _unknown(entry, reason, now=now, can_look_up=can_look_up, deadline=deadline)
        case ConfigurationRefused(reason):
            settled = _again(entry, EntryState.BLOCKED, now + BLOCKED_WAIT, reason, now)
            return replace(settled, escalates=True)
        case ContentRefused(reason) if not entry.is_plain:
            return Settled(entry=replace(entry, state=EntryState.PENDING, is_plain=True, not_before=now, error=reason))
        case ContentRefused(reason):
            return _give_up(entry, reason, now)
        case _:
            assert_never(outcome)


def _awake(entry: OutboxEntry, now: datetime, deadline: timedelta) -> OutboxEntry:
    """Exclude time beyond the deadline of an attempt, during which the system slept."""
    if entry.first_attempt_at is None or entry.started_at is None:
        return entry
    asleep = now - entry.started_at - deadline
    if asleep <= BLOCKED_WAIT:
        return entry
    return replace(entry, first_attempt_at=min(now, entry.first_attempt_at + asleep))


def settle_lookup(entry: OutboxEntry, found: Lookup, *, now: datetime, jitter: float) -> Settled:
    """
    Return the next state of an unknown entry after a lookup.

    A pending result may be sent when it is due, at once or soon; an unknown one is looked up again later.

    Args:
        jitter: Uniform in [0, 1).
    """
    match found:
        case Delivered(ref):
            return Settled(entry=replace(entry, state=EntryState.DELIVERED, ref=ref, finished_at=now, error=""))
        case NotFound():
            # Disproved: this attempt no longer counts as a possible copy.
            if is_spent(entry.first_attempt_at, now):
                return _give_up(entry, entry.error, now)
            unknowns = max(0, entry.unknowns - 1)
            # It was not sent, and waits as after any failed attempt, to spare a failing server.
            due = next_attempt(entry.attempts, now, retry_after=None, jitter=jitter)
            return Settled(entry=replace(entry, state=EntryState.PENDING, not_before=due, unknowns=unknowns))
        case CannotLook(reason):
            waited = now - (entry.started_at or now)
            if waited >= LOOKUP_PATIENCE:
                return Settled(entry=replace(entry, state=EntryState.PENDING, not_before=now, error=reason))
            return Settled(entry=replace(entry, not_before=now + UNKNOWN_WAIT, error=reason))
        case _:
            assert_never(found)


def found_sending(
    entry: OutboxEntry, *, now: datetime, can_look_up: bool, deadline: timedelta, may_repeat: bool = False
) -> Settled:
    """
    Return the next state of an entry whose process ended in the middle of an attempt.

    Args:
        may_repeat: Whether a second copy is harmless.
    """
    reason = "alertd stopped while it was being sent"
    # Time in which alertd did not run does not count towards giving up, however long it was.
    entry = _awake(entry, now, deadline)
    if may_repeat:
        return _again(entry, EntryState.PENDING, now, reason, now)
    return _unknown(entry, reason, now=now, can_look_up=can_look_up, deadline=deadline)


def _unknown(entry: OutboxEntry, reason: str, *, now: datetime, can_look_up: bool, deadline: timedelta) -> Settled:
    entry = replace(entry, unknowns=entry.unknowns + 1, error=reason)
    if entry.unknowns > MOST_UNKNOWNS:
        return _give_up(entry, f"{reason}; {entry.unknowns} copies may have arrived", now)
    if is_spent(entry.first_attempt_at, now) and not can_look_up:
        return _give_up(entry, reason, now)
    if can_look_up:
        # Only after the deadline can the attempt no longer arrive, so that "not found" is conclusive.
        due = min(entry.started_at or now, now) + deadline
        return Settled(entry=replace(entry, state=EntryState.UNKNOWN, not_before=max(now, due)))
    if entry.unknowns == MOST_UNKNOWNS:
        blocked = replace(entry, state=EntryState.BLOCKED, not_before=now + BLOCKED_WAIT)
        return Settled(entry=blocked, escalates=True)
    return Settled(entry=replace(entry, state=EntryState.UNKNOWN, not_before=now + UNKNOWN_WAIT))


def _again(entry: OutboxEntry, state: EntryState, due: datetime, reason: str, now: datetime) -> Settled:
    if is_spent(entry.first_attempt_at, now):
        return _give_up(entry, reason, now)
    return Settled(entry=replace(entry, state=state, not_before=due, error=reason))


def _give_up(entry: OutboxEntry, reason: str, now: datetime) -> Settled:
    gone = replace(entry, state=EntryState.GAVE_UP, finished_at=now, error=reason)
    return Settled(entry=gone, escalates=True)


def needs_fallback(settled: Settled) -> bool:
    """Return whether a copy for the fallback receiver is due: once for each entry, never for a copy or a test."""
    entry = settled.entry
    own = entry.message.reason not in {NotifyReason.UNDELIVERED, NotifyReason.TEST}
    return settled.escalates and own and not entry.fallback_sent


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
