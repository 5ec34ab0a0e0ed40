"""Requests for actions on alerts, one row each: each step is stored before the next is taken."""

from datetime import datetime, timedelta
from typing import NamedTuple

from alertd.core.actions import UNDO_WITHIN, ActionRequest
from alertd.store.database import Database
from alertd.store.encoding import from_json, to_json, to_micros
from alertd.store.table import insert_new, row_of, select

LATELY = UNDO_WITHIN + timedelta(hours=23)
"""Requests that finished longer ago no longer matter; more recent ones are shown in messages."""


class ActionRow(NamedTuple):
    """The columns of `action_request`; `body` determines all others."""

    id: str
    fingerprint: str
    account: str
    owner: str
    state: str
    requested_at: int
    finished_at: int | None
    body: str

    @classmethod
    def of(cls, request: ActionRequest) -> "ActionRow":
        """Return the row for a request."""
        return row_of(cls, request, body=to_json(request))

    @property
    def request(self) -> ActionRequest:
        """
        The request that the row holds.

        Raises:
            StoreError: The row is damaged.
        """
        return from_json(self.body, ActionRequest, where=f"action request {self.id}")


class Actions:
    """The table `action_request`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_requests(self) -> tuple[ActionRequest, ...]:
        """Return every stored request, oldest first."""
        return self._read("ORDER BY requested_at, id")

    def open_requests(self) -> tuple[ActionRequest, ...]:
        """Return the unfinished requests, oldest first."""
        return self._read("WHERE finished_at IS NULL ORDER BY requested_at, id")

    def recent(self, now: datetime) -> tuple[ActionRequest, ...]:
        """Return requests that are open, or that finished so recently that they affect what may be requested."""
        since = to_micros(now - LATELY)
        return self._read("WHERE finished_at IS NULL OR finished_at >= ? ORDER BY requested_at, id", since)

    def request(self, name: str) -> ActionRequest | None:
        """Return the request with an id."""
        found = self._read("WHERE id = ?", name)
        return found[0] if found else None

    def _read(self, rest: str, *values: str | int) -> tuple[ActionRequest, ...]:
        return tuple(row.request for row in select(self._database, ActionRow, "action_request", rest, values))

    def add(self, request: ActionRequest) -> bool:
        """Store a new request; return False if its id exists or another request for its instance is open."""
        return insert_new(self._database, "action_request", ActionRow.of(request))

    def move(self, before: ActionRequest, after: ActionRequest) -> bool:
        """Store a request's next step; return False, and write nothing, if its state has changed meanwhile."""
        row = ActionRow.of(after)
        changed = self._database.execute(
            "UPDATE action_request SET state = ?, finished_at = ?, body = ? WHERE id = ? AND state = ?",
            (row.state, row.finished_at, row.body, row.id, before.state.value),
        )
        return changed == 1

    def prune(self, before: datetime) -> int:
        """Delete requests that finished before an instant; return how many."""
        with self._database.transaction():
            return self._database.execute("DELETE FROM action_request WHERE finished_at < ?", (to_micros(before),))
