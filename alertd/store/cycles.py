"""The latest cycles: when each ran, whether it succeeded, and its figures."""

from datetime import datetime
from typing import NamedTuple

from alertd.core.dataclass import dataclass
from alertd.store.database import Database
from alertd.store.encoding import from_json, from_micros, to_json
from alertd.store.table import insert, row_of, select, value_of

KEPT_CYCLES = 1_000
"""Number of cycles kept: a week at one every ten minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRecord:
    """One finished cycle."""

    started_at: datetime
    finished_at: datetime
    is_ok: bool
    summary: tuple[tuple[str, str | int], ...] = ()
    """Its figures as (name, value) pairs, in display order."""


class _CycleRow(NamedTuple):
    started_at: int
    finished_at: int
    is_ok: int
    summary: str


class Cycles:
    """The table `cycle`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, record: CycleRecord) -> None:
        """Append a cycle and drop what is more than KEPT_CYCLES ago."""
        row = row_of(_CycleRow, record, summary=to_json(record.summary))
        with self._database.transaction():
            insert(self._database, "cycle", row)
            self._database.execute("DELETE FROM cycle WHERE id <= (SELECT MAX(id) FROM cycle) - ?", (KEPT_CYCLES,))

    def last(self, limit: int) -> tuple[CycleRecord, ...]:
        """Return at most *limit* cycles, the newest first."""
        return self._read("ORDER BY id DESC LIMIT ?", limit)

    def last_good(self) -> CycleRecord | None:
        """Return the latest successful cycle."""
        found = self._read("WHERE is_ok = 1 ORDER BY id DESC LIMIT ?", 1)
        return found[0] if found else None

    def _read(self, rest: str, limit: int) -> tuple[CycleRecord, ...]:
        return tuple(map(_record, select(self._database, _CycleRow, "cycle", rest, (limit,))))


def _record(row: _CycleRow) -> CycleRecord:
    where = f"cycle of {from_micros(row.started_at)}"
    return value_of(CycleRecord, row, summary=from_json(row.summary, tuple[tuple[str, str | int], ...], where=where))
