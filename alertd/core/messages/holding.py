"""Entries that wait for quiet hours or a silence to end, and until when, as alerts are muted or acknowledged."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from alertd.core.alert import Alert
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.mutes import Holds
from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import replace
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.muted import Muted, MuteKind
from alertd.core.severity import Severity

_HOLD = timedelta(days=1)
"""Wait for a mute without a known end; renewed in time."""
_ALL_WEEK = timedelta(days=7)
"""Quiet hours this long have no end: held messages are sent at the time that was first set."""
_FRESH_FOR = timedelta(minutes=5)
"""Messages sent this soon are still current: about the length of a poll, and retries within it are identical."""
_ACKNOWLEDGED = frozenset({NotifyReason.REPEAT, NotifyReason.ESCALATED})
"""Reasons that are suppressed for an acknowledged alert."""
_WITHHELD = _ACKNOWLEDGED | {NotifyReason.FIRST, NotifyReason.RAISED, NotifyReason.STORM}
"""Reasons that a silence or inhibition suppresses; ends, answers to people and edits pass."""
_SENT_AT_NIGHT = frozenset({NotifyReason.ACKNOWLEDGED, NotifyReason.ACTION, NotifyReason.UNDELIVERED})
"""Reasons that quiet hours do not hold: answers to people, and what another receiver could not take."""


def is_held(entry: OutboxEntry, now: datetime) -> bool:
    """Return whether a notification waits for quiet hours or a silence to end: due later, and not being tried."""
    # Filed during a cycle, it is due a moment after the cycle's instant without being held.
    reason = entry.message.reason
    is_shown_at_once = reason.is_edit or reason in {NotifyReason.ACKNOWLEDGED, NotifyReason.ACTION}
    is_untried = entry.state is EntryState.PENDING and entry.first_attempt_at is None
    return is_untried and not is_shown_at_once and entry.not_before > now


def is_written_anew(entry: OutboxEntry, now: datetime) -> bool:
    """
    Return whether a waiting notification is rewritten with the current state of its alerts when it is sent.

    Not where a copy may have left: it is repeated as it was. Reports, tests and copies for the fallback receiver are of
    the moment that they name.
    """
    is_of_alerts = bool(entry.fingerprints) and entry.message.reason is not NotifyReason.UNDELIVERED
    return entry.is_unsent and is_of_alerts and now - entry.created_at >= _FRESH_FOR


def withheld(
    entries: Sequence[OutboxEntry], alerts: Mapping[str, Alert], audience: Audience, now: datetime
) -> tuple[OutboxEntry, ...]:
    """
    Return notifications about to be sent in their held state if each must wait: muted by now, or in quiet hours.

    They have not been sent. Failed attempts no longer count: delivery starts over when the mute or the quiet hours end.

    Args:
        alerts: The current alerts, by fingerprint.

    Returns:
        Nothing if one of them is to be sent.
    """
    held_entries = []
    for entry in entries:
        until = _waits_until(entry, alerts, audience, now)
        if until is None:
            return ()
        held_entries.append(replace(entry, state=EntryState.PENDING, not_before=until, first_attempt_at=None))
    return tuple(held_entries)


def _waits_until(entry: OutboxEntry, alerts: Mapping[str, Alert], audience: Audience, now: datetime) -> datetime | None:
    """Return until when a notification about to be sent must wait; None if it is to be sent."""
    reason = entry.message.reason
    if not entry.is_unsent or not entry.fingerprints or reason.is_edit or reason in _SENT_AT_NIGHT:
        return None
    if reason in _WITHHELD and _is_all_unwanted(entry, alerts, now):
        return now + _HOLD
    # Due before they began, it was delayed into them: alertd did not run, or its receiver did not answer.
    until = audience.held_until(entry.receiver, entry.message.severity, now)
    return until if until is None or until - now < _ALL_WEEK else None


def holds(waiting: Iterable[OutboxEntry], now: datetime) -> Holds:
    """Return until when quiet hours hold notifications in open outbox entries."""
    found: dict[str, dict[str, datetime]] = {}
    for entry in waiting:
        for fingerprint in entry.fingerprints if is_held(entry, now) else ():
            of_alert = found.setdefault(fingerprint, {})
            of_alert[entry.receiver] = max(entry.not_before, of_alert.get(entry.receiver, now))
    return found


def overdue(entries: Iterable[OutboxEntry], now: datetime) -> list[OutboxEntry]:
    """
    Return the entries that should have arrived by now; entries held by quiet hours are not late.

    Entries that follow a held one of the same alert wait with it and are not late either, except critical ones.

    Args:
        entries: Open entries, in the order of their ids.
    """
    places: set[tuple[str, str, str]] = set()
    late = []
    for entry in entries:
        is_urgent = entry.message.severity is Severity.CRITICAL and not entry.message.reason.is_edit
        if is_held(entry, now):
            places.update(_places(entry))
        # A message may be about thousands of alerts, and nearly always none is held.
        elif entry.due_since <= now and (
            is_urgent or entry.attempts or not places or places.isdisjoint(_places(entry))
        ):
            late.append(entry)
    return late


def _places(entry: OutboxEntry) -> Iterable[tuple[str, str, str]]:
    return ((entry.receiver, entry.recipient, fingerprint) for fingerprint in entry.fingerprints)


def held(
    waiting: Iterable[OutboxEntry], alerts: Mapping[str, Alert], audience: Audience, now: datetime
) -> dict[int, datetime]:
    """
    Return the new send times of held entries, if changed.

    Entries that are silenced or inhibited while held, or acknowledged before a repeat, keep waiting; once nothing
    mutes them any more, they wait only for the quiet hours of the current rules file.
    """
    times = {}
    for entry in waiting:
        if not is_held(entry, now):
            continue
        if _is_all_unwanted(entry, alerts, now):
            until = entry.not_before if entry.not_before - now > _HOLD / 2 else now + _HOLD
        else:
            until = audience.held_until(entry.receiver, entry.message.severity, now) or now
            if until - now >= _ALL_WEEK:
                until = min(until, entry.not_before)
        if until != entry.not_before:
            times[entry.id] = until
    return times


def _is_all_unwanted(entry: OutboxEntry, alerts: Mapping[str, Alert], now: datetime) -> bool:
    return all(_is_unwanted(entry, alerts.get(fingerprint), now) for fingerprint in entry.fingerprints)


def _is_unwanted(entry: OutboxEntry, alert: Alert | None, now: datetime) -> bool:
    if alert is None:
        return False
    is_known = alert.acknowledged_by is not None and entry.message.reason in _ACKNOWLEDGED
    return is_known or (alert.muted is not None and _withholds(alert.muted, now))


def _withholds(muted: Muted, now: datetime) -> bool:
    """Return whether the mute of the last cycle holds a notification that is already due."""
    # If no route leads to a receiver any more, an entry that has one is sent there.
    return muted.kind is not MuteKind.NO_RECEIVER and (muted.until is None or muted.until > now)
