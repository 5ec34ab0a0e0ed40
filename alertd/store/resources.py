"""Instances and serverless endpoints: their names in the API, and their last known states."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from alertd.core.resources import Resource
from alertd.store.database import Database
from alertd.store.encoding import from_json, to_json, to_micros, to_micros_or_none
from alertd.store.table import select, upsert_all


class _ResourceRow(NamedTuple):
    account: str
    id: str
    gone_at: int | None
    body: str


class Resources:
    """The table `resource`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> tuple[Resource, ...]:
        """Return everything ever listed, by account and id, so that yesterday's instance still has its name."""
        rows = select(self._database, _ResourceRow, "resource", "ORDER BY account, id")
        return tuple(from_json(row.body, Resource, where=f'resource "{row.id}"') for row in rows)

    def save(self, resources: Iterable[Resource]) -> None:
        """Store resources, replacing their previous state."""
        rows = (_ResourceRow(one.account, one.id, to_micros_or_none(one.gone_at), to_json(one)) for one in resources)
        with self._database.transaction():
            upsert_all(self._database, "resource", _ResourceRow, rows, ("account", "id"))

    def prune(self, before: datetime) -> int:
        """Delete resources that were gone before an instant; return how many."""
        with self._database.transaction():
            return self._database.execute("DELETE FROM resource WHERE gone_at < ?", (to_micros(before),))
