"""Silences, one row each."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from alertd.core.alerts.silence import Silence
from alertd.store.database import Database
from alertd.store.encoding import from_json, to_json, to_micros
from alertd.store.table import row_of, select, upsert


class _SilenceRow(NamedTuple):
    id: str
    created_at: int
    ends_at: int | None
    expired_at: int | None
    body: str


class Silences:
    """The table `silence`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_silences(self) -> tuple[Silence, ...]:
        """Return every stored silence, oldest first."""
        return self._read("ORDER BY created_at, id")

    def unended(self) -> tuple[Silence, ...]:
        """Return the silences that nobody has ended, oldest first; they may have expired."""
        return self._read("WHERE expired_at IS NULL ORDER BY created_at, id")

    def _read(self, rest: str) -> tuple[Silence, ...]:
        rows = select(self._database, _SilenceRow, "silence", rest)
        return tuple(from_json(row.body, Silence, where=f"silence {row.id}") for row in rows)

    def save(self, silences: Iterable[Silence]) -> None:
        """Store silences, replacing those with the same ids."""
        with self._database.transaction():
            for silence in silences:
                upsert(self._database, "silence", row_of(_SilenceRow, silence, body=to_json(silence)), ("id",))

    def prune(self, before: datetime) -> int:
        """Delete the silences that ended before an instant; return how many."""
        with self._database.transaction():
            moment = to_micros(before)
            return self._database.execute("DELETE FROM silence WHERE expired_at < ? OR ends_at < ?", (moment, moment))
