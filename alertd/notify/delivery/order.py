"""In which order entries leave, and when the next one is due; pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.severity import Severity

Lane = tuple[str, str]
"""(receiver, recipient)."""


def _free(entries: Iterable[OutboxEntry]) -> Iterator[tuple[Lane, OutboxEntry, datetime]]:
    """
    Yield the entries that wait for nothing but their time, in order, with that time.

    An entry waits for every earlier open one of its lane that speaks of the same alert, so that an end is never told
    before its beginning; entries of other alerts pass.
    """
    ahead: dict[Lane, set[str]] = {}
    known = list(entries)
    for entry, due in zip(known, _due_times(known), strict=True):
        lane = (entry.receiver, entry.recipient)
        earlier = ahead.setdefault(lane, set())
        is_free = earlier.isdisjoint(entry.fingerprints)
        earlier.update(entry.fingerprints)
        if is_free and entry.state is not EntryState.SENDING:
            yield lane, entry, due


def _due_times(entries: Sequence[OutboxEntry]) -> list[datetime]:
    """
    Return when each entry is due: one that quiet hours hold, no later than a critical one that waits for it.

    Otherwise an alert of a held storm that rises to critical would be told in the morning.
    """
    behind: dict[tuple[str, str, str], datetime] = {}
    times = []
    for entry in reversed(entries):
        places = [(entry.receiver, entry.recipient, fingerprint) for fingerprint in entry.fingerprints]
        due = entry.not_before
        if not entry.attempts:
            due = min([due, *(behind[place] for place in places if place in behind)])
        is_urgent = entry.message.severity is Severity.CRITICAL and not entry.message.reason.is_edit
        if is_urgent or due < entry.not_before:
            behind.update((place, min(due, behind.get(place, due))) for place in places)
        times.append(due)
    return times[::-1]


def ready(entries: Iterable[OutboxEntry], now: datetime) -> dict[Lane, OutboxEntry]:
    """Return the entry that each lane may send now; alerts go ahead of reports."""
    chosen: dict[Lane, OutboxEntry] = {}
    for lane, entry, due in _free(entries):
        first = chosen.get(lane)
        if due <= now and (first is None or (first.is_report and not entry.is_report)):
            chosen[lane] = entry
    return chosen


def next_due(entries: Iterable[OutboxEntry]) -> datetime | None:
    """Return when the next entry may be tried, None where nothing waits."""
    return min((due for _, _, due in _free(entries)), default=None)
