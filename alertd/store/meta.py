"""Named facts about the installation, such as its id and the schema's version."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from alertd.core.rules.records import ClockRecord, ReloadOutcome
from alertd.store.database import Database
from alertd.store.encoding import from_json, from_micros, to_json, to_micros

if TYPE_CHECKING:
    from alertd.core.rules.held import LastRead
    from alertd.core.spend.known_edges import KnownEdge

_INSTALL_ID = "install_id"
_CREATED_AT = "created_at"
_RULES_FILE = "rules_file"
_LAST_READ = "last_read"
_EDGES = "edges"
_CLOCK = "clock"
_NEXT_POLL_AT = "next_poll_at"
_PRUNED_AT = "pruned_at"
_FIRST_EPISODE = "first_episode"


class Meta:
    """The table `meta`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """Return a fact; None if it was never stored."""
        found = self._database.rows(tuple[str], "SELECT content FROM meta WHERE name = ?", (name,))
        return found[0][0] if found else None

    def with_prefix(self, prefix: str) -> dict[str, str]:
        """Return the facts whose names begin with a prefix, by the rest of their names."""
        found = self._database.rows(
            tuple[str, str], "SELECT name, content FROM meta WHERE substr(name, 1, ?) = ?", (len(prefix), prefix)
        )
        return {name.removeprefix(prefix): content for name, content in found}

    def put(self, name: str, content: str) -> None:
        """Store a fact, replacing the previous one."""
        sql = (
            "INSERT INTO meta (name, content) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content"
        )
        self._database.write(sql, (name, content))

    def put_rules_file(self, rules_file: ReloadOutcome) -> None:
        """Store the outcome of the last reading of the rules file."""
        self.put(_RULES_FILE, to_json(rules_file))

    @property
    def rules_file(self) -> ReloadOutcome | None:
        """The outcome of the last reading of the rules file; None before the first."""
        content = self.get(_RULES_FILE)
        return from_json(content, ReloadOutcome, where="meta rules_file") if content is not None else None

    def put_edges(self, edges: "Sequence[KnownEdge]") -> None:
        """Store the data edges that the current bills would move back."""
        self.put(_EDGES, to_json(edges))

    @property
    def edges(self) -> "tuple[KnownEdge, ...]":
        """The data edges that the current bills would move back."""
        from alertd.core.spend.known_edges import KnownEdge  # noqa: PLC0415 -- as in `Store`

        content = self.get(_EDGES)
        return from_json(content, tuple[KnownEdge, ...], where="the data edges") if content is not None else ()

    def put_last_read(self, last_read: "LastRead") -> None:
        """Store the outcome of the last read of the billing API."""
        self.put(_LAST_READ, to_json(last_read))

    @property
    def last_read(self) -> "LastRead | None":
        """The outcome of the last read of the billing API; None before the first."""
        from alertd.core.rules.held import LastRead  # noqa: PLC0415 -- as in `Store`

        content = self.get(_LAST_READ)
        return from_json(content, LastRead, where="meta last_read") if content is not None else None

    def put_clock(self, record: ClockRecord) -> ClockRecord:
        """Store the last checked time, or that it is unknown; return the previous value."""
        before = self.clock
        if record.checked_at is None:
            record = replace(before, note=record.note, is_wrong=record.is_wrong)
        self.put(_CLOCK, to_json(record))
        return before

    @property
    def clock(self) -> ClockRecord:
        """The last time checked against the billing API's, and what is wrong with the system's clock."""
        content = self.get(_CLOCK)
        return from_json(content, ClockRecord, where="meta clock") if content is not None else ClockRecord()

    def put_next_poll_at(self, at: datetime | None) -> None:
        """Store when the next poll is due; None if none is planned."""
        self.put(_NEXT_POLL_AT, str(to_micros(at)) if at is not None else "")

    @property
    def next_poll_at(self) -> datetime | None:
        """When the daemon polls next, or would have polled when it stopped; None if no poll is planned."""
        return self._instant(_NEXT_POLL_AT)

    def put_pruned_at(self, now: datetime) -> None:
        """Store when old spend and messages were last deleted."""
        self.put(_PRUNED_AT, str(to_micros(now)))

    @property
    def pruned_at(self) -> datetime | None:
        """When old spend and messages were last deleted; None before the first time."""
        return self._instant(_PRUNED_AT)

    def put_first_episode(self, number: int) -> None:
        """Store the first episode number for alerts that are not stored."""
        self.put(_FIRST_EPISODE, str(number))

    @property
    def first_episode(self) -> int:
        """The first episode number for an alert that is not stored: above those of deleted alerts."""
        return int(self.get(_FIRST_EPISODE) or 1)

    def _instant(self, name: str) -> datetime | None:
        content = self.get(name)
        return from_micros(int(content)) if content else None

    def put_created_at(self, at: datetime) -> None:
        """Correct the date of the first opening, at which the clock was wrong."""
        self.put(_CREATED_AT, str(to_micros(at)))

    def establish(self, *, now: datetime, new_id: Callable[[], str]) -> None:
        """Give the installation its id and creation time at the first open; later calls change nothing."""
        with self._database.transaction():
            if self.get(_INSTALL_ID) is None:
                self.put(_INSTALL_ID, new_id())
                self.put(_CREATED_AT, str(to_micros(now)))

    @property
    def install_id(self) -> str:
        """The id that delivery keys of this installation begin with; a restored backup keeps it."""
        return self._established(_INSTALL_ID)

    @property
    def created_at(self) -> datetime:
        """When the database was first opened."""
        return from_micros(int(self._established(_CREATED_AT)))

    def _established(self, name: str) -> str:
        content = self.get(name)
        if content is None:
            raise LookupError(f"meta {name} is written when the store is first opened to write")
        return content
