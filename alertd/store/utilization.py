"""The utilisation of instances: the sampled slots of each hour."""

from typing import NamedTuple

from alertd.core.hours import SECONDS_PER_HOUR
from alertd.core.resources import ResourceKey
from alertd.core.utilization import KEPT, SLOT, Slots
from alertd.store.database import Database
from alertd.store.encoding import from_json, to_json
from alertd.store.table import select, upsert

_A_HOUR = SECONDS_PER_HOUR // int(SLOT.total_seconds())


class _HourRow(NamedTuple):
    account: str
    owner: str
    hour: int
    slots: str
    """JSON pairs of slot and share."""


class Utilization:
    """The table `utilization`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> dict[ResourceKey, Slots]:
        """Return everything stored, by account and owner."""
        found: dict[ResourceKey, dict[int, int]] = {}
        for row in select(self._database, _HourRow, "utilization", "ORDER BY account, owner, hour"):
            pairs = from_json(row.slots, list[tuple[int, int]], where=f'the utilisation of "{row.owner}"')
            found.setdefault((row.account, row.owner), {}).update(pairs)
        return dict(found)

    def save(self, key: ResourceKey, slots: Slots, first: int) -> None:
        """Store the hours from a slot on, and delete the instance's hours beyond the retention."""
        account, owner = key
        hours: dict[int, list[tuple[int, int]]] = {}
        for slot, share in sorted(slots.items()):
            if slot // _A_HOUR >= first // _A_HOUR:
                hours.setdefault(slot // _A_HOUR, []).append((slot, share))
        with self._database.transaction():
            for hour, pairs in hours.items():
                row = _HourRow(account, owner, hour, to_json(pairs))
                upsert(self._database, "utilization", row, ("account", "owner", "hour"))
            oldest = max(slots, default=0) // _A_HOUR - int(KEPT.total_seconds()) // SECONDS_PER_HOUR
            self._database.execute(
                "DELETE FROM utilization WHERE account = ? AND owner = ? AND hour < ?", (account, owner, oldest)
            )

    def prune(self, before_hour: int) -> int:
        """Delete what is before an hour; return how many rows."""
        with self._database.transaction():
            return self._database.execute("DELETE FROM utilization WHERE hour < ?", (before_hour,))
