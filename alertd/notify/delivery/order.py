"""The order in which entries are sent, and when the next one is due; pure, and linear in the entries."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from alertd.core.dataclass import dataclass
from alertd.core.messages.outbox import EntryState, OutboxEntry, Urgency
from alertd.core.severity import Severity

Lane = tuple[str, str]
"""(receiver, recipient)."""
_Place = tuple[str, str, str]
"""A lane and an alert."""


@dataclass(frozen=True, slots=True)
class _Free:
    """An entry that waits only for its time."""

    entry: OutboxEntry
    lane: Lane
    due: datetime
    rank: tuple[int, int]
    """Priority by urgency, and by severity for news: the lowest is sent first."""


def _free(entries: Iterable[OutboxEntry]) -> Iterator[_Free]:
    """
    Yield the entries that wait only for their time, in the order of their ids.

    An entry waits for every earlier open one of its lane about the same alert, so that an end is never
    announced before its beginning; entries of other alerts pass. Edits hold up nothing but later edits: each changes
    a message that was sent before it, whatever is sent meanwhile.
    """
    ahead: set[_Place] = set()
    edits_ahead: set[_Place] = set()
    known = list(entries)
    for entry, due, rank in zip(known, _due_times(known), _ranks(known), strict=True):
        places = _places(entry)
        is_edit = entry.urgency is Urgency.EDIT
        is_free = ahead.isdisjoint(places) and not (is_edit and not edits_ahead.isdisjoint(places))
        (edits_ahead if is_edit else ahead).update(places)
        if is_free and entry.state is not EntryState.SENDING:
            yield _Free(entry, (entry.receiver, entry.recipient), due, rank)


def _places(entry: OutboxEntry) -> list[_Place]:
    return [(entry.receiver, entry.recipient, fingerprint) for fingerprint in entry.fingerprints]


def _due_times(entries: Sequence[OutboxEntry]) -> list[datetime]:
    """
    Return when each entry is due: one held by quiet hours, no later than a critical one that waits for it.

    Otherwise an alert of a held storm that rises to critical would only be announced in the morning.
    """
    behind: dict[_Place, datetime] = {}
    times = []
    for entry in reversed(entries):
        places = _places(entry)
        due = entry.not_before
        if entry.first_attempt_at is None:
            due = min([due, *(behind[place] for place in places if place in behind)])
        is_urgent = entry.message.severity is Severity.CRITICAL and not entry.message.reason.is_edit
        if is_urgent or due < entry.not_before:
            behind.update((place, min(due, behind.get(place, due))) for place in places)
        times.append(due)
    return times[::-1]


def _ranks(entries: Sequence[OutboxEntry]) -> list[tuple[int, int]]:
    """Return the priority of each entry: that of the most urgent entry that waits for it."""
    behind: dict[_Place, tuple[int, int]] = {}
    ranks = []
    for entry in reversed(entries):
        urgency, places = entry.urgency, _places(entry)
        rank = (urgency.value, -entry.message.severity if urgency is Urgency.NEW else 0)
        if urgency is not Urgency.EDIT:
            rank = min([rank, *(behind[place] for place in places if place in behind)])
            behind.update((place, rank) for place in places)
        ranks.append(rank)
    return ranks[::-1]


def ready(entries: Iterable[OutboxEntry], now: datetime) -> dict[Lane, OutboxEntry]:
    """Return the entry that each lane may send now: news before repeats, those before reports, edits last."""
    chosen: dict[Lane, _Free] = {}
    for free in _free(entries):
        first = chosen.get(free.lane)
        if free.due <= now and (first is None or free.rank < first.rank):
            chosen[free.lane] = free
    return {lane: free.entry for lane, free in chosen.items()}


def due_edits(entries: Iterable[OutboxEntry], now: datetime) -> list[OutboxEntry]:
    """Return the edits that wait only for their turn, in the order of their ids."""
    return [free.entry for free in _free(entries) if free.due <= now and free.entry.urgency is Urgency.EDIT]


def next_due(entries: Iterable[OutboxEntry]) -> datetime | None:
    """Return when the next entry may be tried; None if nothing waits."""
    return min((free.due for free in _free(entries)), default=None)


def behind(entry: OutboxEntry, entries: Iterable[OutboxEntry]) -> list[OutboxEntry]:
    """Return the entries of a lane that wait, directly or indirectly, for an entry; edits are left out."""
    places = set(_places(entry))
    found = []
    for later in entries:
        if later.id > entry.id and later.urgency is not Urgency.EDIT and not places.isdisjoint(_places(later)):
            places.update(_places(later))
            found.append(later)
    return found
