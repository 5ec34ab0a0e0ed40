"""The store's outbox for the delivery: each call is one transaction on the store's thread."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.message import AlertFacts
from alertd.core.messages.mirror import ENDS_SENT_FOR, last_notified, present_state
from alertd.core.messages.outbox import EntryState, OutboxEntry, Target
from alertd.store.store import Store
from alertd.store.thread import StoreThread

_BEGINNINGS = frozenset({NotifyReason.FIRST, NotifyReason.STORM})
_ANNOUNCING = frozenset({NotifyReason.FIRST, NotifyReason.STORM, NotifyReason.RAISED, NotifyReason.REPEAT})
_CONTINUATIONS = frozenset(
    {
        NotifyReason.RAISED,
        NotifyReason.REPEAT,
        NotifyReason.ESCALATED,
        NotifyReason.ACKNOWLEDGED,
        NotifyReason.ACTION,
        NotifyReason.RESOLVED,
    }
)

_EDITS_A_TURN = 200
"""Entries at a time: some tens of milliseconds of the store's thread."""


class StoredOutbox:
    """
    Implements the outbox interface of `notify.delivery`, for the life of the store's thread.

    Args:
        thread: Closed by its owner.
    """

    def __init__(self, thread: StoreThread) -> None:
        self.call = thread.call
        """Runs `function(store, *args)` on the store's thread, for calls that need no common transaction."""

    async def open_entries(self) -> Sequence[OutboxEntry]:
        """Return every entry that is not finished, oldest first."""
        return await self.call(lambda store: store.outbox.open_entries())

    async def replace_entry(
        self, before: OutboxEntry, after: OutboxEntry, *, add: Sequence[OutboxEntry], outcome: str
    ) -> bool:
        """Store an entry's next state with its attempt and any fallback copies, in one transaction."""

        def run(store: Store) -> bool:
            with store.transaction():
                if after.state is EntryState.SENDING:
                    written = store.outbox.start_attempt(before, after)
                elif before.state is EntryState.SENDING:
                    written = store.outbox.finish_attempt(
                        before,
                        after,
                        finished_at=after.finished_at or after.not_before,
                        outcome=outcome,
                        detail=after.error,
                    )
                else:
                    written = store.outbox.update(before, after)
                if written:
                    store.outbox.add(add)
            return written

        return await self.call(run)

    async def thread_ref(self, entry: OutboxEntry) -> str:
        """Return the `ref` of the delivered message in which the alert's current episode began, or an empty text."""
        if len(entry.fingerprints) != 1 or entry.message.reason not in _CONTINUATIONS:
            return ""

        first = await self.call(lambda store: _delivered_first(_earlier(store, entry, _BEGINNINGS)))
        return first.ref if first is not None else ""

    async def targets(self, edits: Sequence[OutboxEntry]) -> Mapping[int, Target]:
        """Return the delivered message that each edit is to change, by the edit's id; edits without one are absent."""
        found: dict[int, Target] = {}
        for start in range(0, len(edits), _EDITS_A_TURN):
            turn = edits[start : start + _EDITS_A_TURN]
            found |= await self.call(partial(_targets, edits=turn))
        return found

    async def fold(self, entries: Sequence[OutboxEntry], *, why: str, now: datetime) -> None:
        """Close entries that are no longer needed, in one transaction, except those that changed meanwhile."""

        def run(store: Store) -> None:
            with store.transaction():
                for entry in entries:
                    gone = replace(entry, state=EntryState.FOLDED, finished_at=now, error=why)
                    store.outbox.update(entry, gone)

        await self.call(run)

    async def notified(self, entry: OutboxEntry) -> tuple[AlertFacts, ...]:
        """Return the entry's alerts as last sent to its recipient while they were firing."""
        known = await self.call(
            lambda store: _sent(store, entry.receiver, entry.recipient, entry.created_at - ENDS_SENT_FOR)
        )
        return tuple(known[fingerprint] for fingerprint in entry.fingerprints if fingerprint in known)

    async def mirrored(self, receiver: str, recipient: str, now: datetime) -> tuple[AlertFacts, ...]:
        """Return the alerts sent to a recipient that still fire or ended recently, with their current states."""

        def read(store: Store) -> tuple[AlertFacts, ...]:
            with store.snapshot():
                notified = _sent(store, receiver, recipient, now - ENDS_SENT_FOR)
                return present_state(notified.values(), map(store.alerts.alert, notified), now)

        return await self.call(read)


def _sent(store: Store, receiver: str, recipient: str, since: datetime) -> dict[str, AlertFacts]:
    entries = store.outbox.delivered(receiver, recipient, since=since)
    return last_notified(entry.message for entry in entries)


def _targets(store: Store, *, edits: Sequence[OutboxEntry]) -> dict[int, Target]:
    found = ((edit.id, _target(store, edit)) for edit in edits)
    return {number: target for number, target in found if target is not None}


def _target(store: Store, edit: OutboxEntry) -> Target | None:
    """Return what an edit is to change; in a message about many alerts, only the alert of its buttons."""
    if edit.message.reason is NotifyReason.CORRECTED:
        announced = _earlier(store, edit, _ANNOUNCING)
        return Target(ref=announced[-1].ref) if announced and _is_alone(announced[-1]) and announced[-1].ref else None
    began = [
        known
        for known in _earlier(store, edit, _BEGINNINGS)
        if _is_alone(known) or known.message.alerts[0].fingerprint == edit.fingerprints[0]
    ]
    first = _delivered_first(began)
    if first is None:
        return None
    return Target(ref=first.ref, storm=None if _is_alone(first) else first.message)


def _is_alone(entry: OutboxEntry) -> bool:
    return len(entry.fingerprints) == 1


def _delivered_first(entries: Sequence[OutboxEntry]) -> OutboxEntry | None:
    """Return the first that has arrived: a storm may speak later of an alert that began in a message of its own."""
    return next((entry for entry in entries if entry.ref), None)


def _earlier(store: Store, entry: OutboxEntry, reasons: frozenset[NotifyReason]) -> list[OutboxEntry]:
    """Return earlier entries with such reasons of the same alert episode and recipient, oldest first."""
    fingerprint = entry.fingerprints[0]
    began = _began(entry, fingerprint)
    earlier = [known for known in store.outbox.earlier(entry, fingerprint) if _began(known, fingerprint) == began]
    # For recipients of the escalation alone, the thread begins with it.
    return [known for known in earlier if known.message.reason in reasons] or [
        known for known in earlier if known.message.reason is NotifyReason.ESCALATED
    ]


def _began(entry: OutboxEntry, fingerprint: str) -> datetime | None:
    """Return when the alert episode of an entry began, which identifies the episode."""
    return next((facts.starts_at for facts in entry.message.alerts if facts.fingerprint == fingerprint), None)
