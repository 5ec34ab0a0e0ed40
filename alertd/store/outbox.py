"""
The outbox: entries, delivery attempts, and compare-and-set changes.

Other modules decide when an entry is due and what follows from an attempt.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from alertd.core.alert import AlertState
from alertd.core.dataclass import dataclass
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.errors import StoreError
from alertd.store.database import Database, Value
from alertd.store.encoding import (
    from_json,
    read,
    to_json,
    to_micros,
)
from alertd.store.table import insert, insert_new, row_of, select, value_of

_OPEN = tuple(state.value for state in EntryState if state.is_open)
_OPEN_MARKS = ", ".join("?" for _ in _OPEN)
_ASKED_AT_ONCE = 20
_ABOUT = "id IN (SELECT entry_id FROM outbox_alert WHERE fingerprint = ?)"


class EntryMoved(StoreError):
    """An entry has changed since a change of it was decided; nothing was written."""

    def __init__(self, entry: OutboxEntry) -> None:
        self.entry = entry
        super().__init__(
            f'outbox entry {entry.id} for receiver "{entry.receiver}": is no longer {entry.state.value} '
            f"after {entry.attempts} attempts; read it again and decide again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryUpdate:
    """A change of an entry that applies only if the entry is still as read."""

    before: OutboxEntry
    after: OutboxEntry
    folded_into_key: str = ""
    """The delivery key of the entry that includes this one, if that has no id yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to send an entry."""

    entry_id: int
    number: int
    """Number of the attempt, from 1: the entry's `attempts` while it was under way."""
    started_at: datetime
    finished_at: datetime | None
    """None while it is under way, or after it was interrupted, until it is judged."""
    outcome: str
    detail: str


class _EntryRow(NamedTuple):
    id: int
    delivery_key: str
    receiver: str
    recipient: str
    group_name: str
    fingerprints: str
    message: str
    state: str
    created_at: int
    not_before: int
    attempts: int
    unknowns: int
    first_attempt_at: int | None
    started_at: int | None
    finished_at: int | None
    is_plain: int
    fallback_sent: int
    ref: str
    error: str
    folded_into: int | None


class _LinkRow(NamedTuple):
    fingerprint: str
    entry_id: int


class _AttemptRow(NamedTuple):
    entry_id: int
    number: int
    started_at: int
    finished_at: int | None
    outcome: str
    detail: str


_IS_OPEN = f"state IN ({_OPEN_MARKS})"
_BRIEF = ", ".join("'' AS message" if name == "message" else name for name in _EntryRow._fields)
_FIXED = ("id", "delivery_key", "receiver", "recipient", "group_name", "fingerprints", "created_at")
_CHANGEABLE = tuple(name for name in _EntryRow._fields if name not in _FIXED)


class Outbox:
    """The tables `outbox`, `outbox_alert` and `attempt`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: dict[int, tuple[_EntryRow, OutboxEntry]] = {}
        """The open entries at the last query, with their rows except the message."""

    def add(self, entries: Iterable[OutboxEntry]) -> int:
        """Add entries whose delivery keys are new; return how many there were."""
        with self._database.transaction():
            return sum(self._add(entry) for entry in entries)

    def _add(self, entry: OutboxEntry) -> bool:
        row = _entry_row(entry)
        added = insert_new(self._database, "outbox", row, known_by="delivery_key", generated="id")
        if added:
            number = self._id_of(entry.key)
            for fingerprint in sorted(set(entry.fingerprints)):
                insert(self._database, "outbox_alert", _LinkRow(fingerprint, number))
        return added

    def _id_of(self, key: str) -> int:
        found = self._database.rows(tuple[int], "SELECT id FROM outbox WHERE delivery_key = ?", (key,))
        if not found:
            raise ValueError(f"no outbox entry has the delivery key {key}")
        return found[0][0]

    def entry(self, number: int) -> OutboxEntry | None:
        """Return the entry with an id."""
        found = self._read("WHERE id = ?", (number,))
        return found[0] if found else None

    def open_entries(self) -> tuple[OutboxEntry, ...]:
        """
        Return the unfinished entries, in order of their ids.

        Called at every poll and page view, so unchanged messages are not read again.
        """
        # A message about thousands of alerts has megabytes. Rewriting it claims the entry, which counts an attempt.
        brief = f"SELECT {_BRIEF} FROM outbox WHERE {_IS_OPEN} ORDER BY id"  # noqa: S608 -- names of our own
        rows = self._database.rows(_EntryRow, brief, _OPEN)
        known = {row.id: found for row in rows if (found := self._open.get(row.id)) is not None and found[0] == row}
        changed = {row.id: row for row in rows if row.id not in known}
        # An attempt changes one or two entries; after a start or an alert storm all are new.
        if len(changed) > _ASKED_AT_ONCE:
            read = self._read(f"WHERE {_IS_OPEN} ORDER BY id", _OPEN)
        else:
            marks = ", ".join("?" for _ in changed)
            read = self._read(f"WHERE {_IS_OPEN} AND id IN ({marks})", (*_OPEN, *changed)) if changed else ()
        known |= {entry.id: (changed[entry.id], entry) for entry in read if entry.id in changed}
        # Entries that finished between the two reads are no longer open.
        self._open = {row.id: known[row.id] for row in rows if row.id in known}
        return tuple(entry for _, entry in self._open.values())

    def entries_of(self, fingerprint: str) -> tuple[OutboxEntry, ...]:
        """Return all entries about an alert, in order of their ids."""
        return self._read(f"WHERE {_ABOUT} ORDER BY id", (fingerprint,))

    def earlier(self, entry: OutboxEntry, fingerprint: str) -> tuple[OutboxEntry, ...]:
        """Return the same recipient's earlier entries about an alert, in order of their ids."""
        return self._read(
            f"WHERE {_ABOUT} AND id < ? AND receiver = ? AND recipient = ? ORDER BY id",
            (fingerprint, entry.id, entry.receiver, entry.recipient),
        )

    def delivered(self, receiver: str, recipient: str, *, since: datetime) -> tuple[OutboxEntry, ...]:
        """Return a recipient's entries about alerts that are open or ended since an instant, in order of ids."""
        return self._read(
            "WHERE receiver = ? AND recipient = ? AND state = ? AND id IN ("
            "SELECT entry_id FROM outbox_alert JOIN alert ON alert.fingerprint = outbox_alert.fingerprint "
            "WHERE alert.state <> ? OR alert.resolved_at >= ?) ORDER BY id",
            (receiver, recipient, EntryState.DELIVERED.value, AlertState.RESOLVED.value, to_micros(since)),
        )

    def counts(self) -> dict[tuple[str, EntryState], int]:
        """Return the number of entries by receiver and state; zeros are absent."""
        found = self._database.rows(
            tuple[str, str, int], "SELECT receiver, state, COUNT(*) FROM outbox GROUP BY receiver, state"
        )
        return {
            (receiver, read(partial(EntryState, state), where=f'outbox of "{receiver}"')): count
            for receiver, state, count in found
        }

    def _read(self, rest: str, values: Sequence[Value]) -> tuple[OutboxEntry, ...]:
        return tuple(map(_entry, select(self._database, _EntryRow, "outbox", rest, values)))

    def update(self, before: OutboxEntry, after: OutboxEntry) -> bool:
        """
        Replace an entry if it still has the state and the attempts of *before*; return whether it had.

        Raises:
            ValueError: *after* is a different notification: its key, recipient, group, alerts or date differ.
        """
        _require_same(before, after)
        self._open.pop(before.id, None)
        values = _entry_row(after)._asdict()
        changes = ", ".join(f"{name} = ?" for name in _CHANGEABLE)
        with self._database.transaction():
            written = self._database.execute(
                f"UPDATE outbox SET {changes} WHERE id = ? AND state = ? AND attempts = ?",  # noqa: S608 -- our own names
                (*(values[name] for name in _CHANGEABLE), before.id, before.state.value, before.attempts),
            )
        return written == 1

    def update_all(self, updates: Iterable[EntryUpdate]) -> None:
        """
        Apply all changes or none.

        Raises:
            EntryMoved: An entry was no longer as it was read.
            ValueError: An entry would be folded into one that does not exist.
        """
        with self._database.transaction():
            for change in updates:
                after = change.after
                if change.folded_into_key:
                    after = replace(after, folded_into=self._id_of(change.folded_into_key))
                if not self.update(change.before, after):
                    raise EntryMoved(change.before)

    def start_attempt(self, before: OutboxEntry, after: OutboxEntry) -> bool:
        """
        Claim an entry and store the attempt numbered `after.attempts`; to be committed before the first byte is sent.

        Returns:
            False if another took it first; nothing was written then.

        Raises:
            ValueError: *after* does not count one more attempt, or does not say when it began.
        """
        if after.started_at is None or after.attempts != before.attempts + 1:
            raise ValueError("a claim counts one attempt more and says when it began")
        with self._database.transaction():
            if not self.update(before, after):
                return False
            row = _AttemptRow(before.id, after.attempts, to_micros(after.started_at), None, "", "")
            insert(self._database, "attempt", row)
        return True

    def finish_attempt(
        self, before: OutboxEntry, after: OutboxEntry, *, finished_at: datetime, outcome: str, detail: str
    ) -> bool:
        """
        Store the outcome of the attempt numbered `before.attempts`, and the entry's new state.

        Returns:
            False if the entry was no longer as *before*; nothing was written then.
        """
        with self._database.transaction():
            if not self.update(before, after):
                return False
            self._database.execute(
                "UPDATE attempt SET finished_at = ?, outcome = ?, detail = ? WHERE entry_id = ? AND number = ?",
                (to_micros(finished_at), outcome, detail, before.id, before.attempts),
            )
        return True

    def attempts(self, entry_id: int) -> tuple[Attempt, ...]:
        """Return the attempts made for an entry, oldest first."""
        rows = select(self._database, _AttemptRow, "attempt", "WHERE entry_id = ? ORDER BY number", (entry_id,))
        return tuple(value_of(Attempt, row) for row in rows)

    def prune(self, before: datetime) -> int:
        """
        Delete entries that ended before an instant, with their attempts; return how many.

        Entries of an alert stay while its next message may refer to them: it is unresolved, or its end is not sent yet.
        """
        with self._database.transaction():
            return self._database.execute(
                f"DELETE FROM outbox WHERE state NOT IN ({_OPEN_MARKS}) "  # noqa: S608 -- placeholders only
                "AND COALESCE(finished_at, created_at) < ? AND NOT EXISTS ("
                "SELECT 1 FROM outbox_alert JOIN alert ON alert.fingerprint = outbox_alert.fingerprint "
                "WHERE outbox_alert.entry_id = outbox.id AND alert.state <> ?) AND id NOT IN ("
                "SELECT named.entry_id FROM outbox AS waiting "
                "JOIN outbox_alert AS waits ON waits.entry_id = waiting.id "
                "JOIN outbox_alert AS named ON named.fingerprint = waits.fingerprint "
                f"WHERE waiting.state IN ({_OPEN_MARKS}))",
                (*_OPEN, to_micros(before), AlertState.RESOLVED, *_OPEN),
            )


def _require_same(before: OutboxEntry, after: OutboxEntry) -> None:
    names = ("id", "key", "receiver", "recipient", "group", "fingerprints", "created_at")
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    if changed:
        raise ValueError(f"outbox entry {before.id}: {', '.join(changed)} cannot change")


def _entry_row(entry: OutboxEntry) -> _EntryRow:
    return row_of(
        _EntryRow,
        entry,
        delivery_key=entry.key,
        group_name=entry.group,
        fingerprints=to_json(entry.fingerprints),
        message=to_json(entry.message),
    )


def _entry(row: _EntryRow) -> OutboxEntry:
    where = f'outbox entry {row.id} for receiver "{row.receiver}"'
    return value_of(
        OutboxEntry,
        row,
        key=row.delivery_key,
        group=row.group_name,
        fingerprints=from_json(row.fingerprints, tuple[str, ...], where=where),
        message=from_json(row.message, Message, where=where),
        state=read(partial(EntryState, row.state), where=where),
    )
