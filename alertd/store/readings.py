"""What is read beside the bills: balances with their history, subscriptions, instances and their utilisation."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from alertd.core.hours import SECONDS_PER_HOUR, HourRange, start_of
from alertd.core.resources import Resource, ResourceKey
from alertd.core.spend.bill import Balance, Term
from alertd.core.utilization import KEPT, SLOT, Slots
from alertd.store.database import Database
from alertd.store.encoding import from_json, to_json, to_micros
from alertd.store.table import insert, row_of, select, upsert, upsert_all, value_of


class _BalanceRow(NamedTuple):
    account: str
    read_at: int
    available: int
    cash: int | None
    credit_limit: int | None
    outstanding: int | None


class Balances:
    """The table `balance`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def last(self) -> dict[str, Balance]:
        """Return the newest balance of each account."""
        newest = "WHERE read_at = (SELECT MAX(read_at) FROM balance AS b WHERE b.account = balance.account)"
        rows = select(self._database, _BalanceRow, "balance", f"{newest} ORDER BY account")
        return {row.account: value_of(Balance, row) for row in rows}

    def since(self, start: datetime) -> tuple[Balance, ...]:
        """Return every balance that was read at or after an instant, the oldest first."""
        rows = select(
            self._database, _BalanceRow, "balance", "WHERE read_at >= ? ORDER BY read_at, account", (to_micros(start),)
        )
        return tuple(value_of(Balance, row) for row in rows)

    def save(self, balance: Balance) -> None:
        """Append a balance; a second one with the same instant replaces the first."""
        upsert(self._database, "balance", row_of(_BalanceRow, balance), ("account", "read_at"))

    def forget_after(self, end: datetime) -> None:
        """Delete balances dated after an instant, by a clock that was ahead: they would count as the newest."""
        self._database.execute("DELETE FROM balance WHERE read_at > ?", (to_micros(end),))

    def prune(self, before: datetime) -> int:
        """Delete balances read before an instant, except the newest of each account; return how many."""
        newest = "SELECT MAX(read_at) FROM balance AS b WHERE b.account = balance.account"
        sql = f"DELETE FROM balance WHERE read_at < ? AND read_at < ({newest})"  # noqa: S608 -- fixed text
        with self._database.transaction():
            return self._database.execute(sql, (to_micros(before),))


class _TermRow(NamedTuple):
    account: str
    bought_at: int
    ends_at: int
    term: str


class Terms:
    """The table `term`; purchases in a range are replaced as a whole, like rows of bills."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> tuple[Term, ...]:
        """Return every term, in the order in which they were bought."""
        rows = select(self._database, _TermRow, "term", "ORDER BY account, bought_at, id")
        return tuple(from_json(row.term, Term, where=f'a subscription of account "{row.account}"') for row in rows)

    def replace(self, account: str, span: HourRange, terms: Iterable[Term]) -> None:
        """Store the purchases of a range, replacing those known before."""
        start, end = to_micros(start_of(span.start)), to_micros(start_of(span.end))
        with self._database.transaction():
            self._database.execute(
                "DELETE FROM term WHERE account = ? AND bought_at >= ? AND bought_at < ?", (account, start, end)
            )
            for term in terms:
                row = _TermRow(
                    account=account,
                    bought_at=to_micros(term.bought_at),
                    ends_at=to_micros(term.ends_at or term.bought_at),
                    term=to_json(term),
                )
                insert(self._database, "term", row)

    def prune(self, before: datetime) -> int:
        """Delete the terms that ended before an instant; return how many."""
        with self._database.transaction():
            return self._database.execute("DELETE FROM term WHERE ends_at < ?", (to_micros(before),))


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
        rows = (row_of(_ResourceRow, one, body=to_json(one)) for one in resources)
        with self._database.transaction():
            upsert_all(self._database, "resource", _ResourceRow, rows, ("account", "id"))

    def prune(self, before: datetime) -> int:
        """Delete resources that were gone before an instant; return how many."""
        with self._database.transaction():
            return self._database.execute("DELETE FROM resource WHERE gone_at < ?", (to_micros(before),))


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
