"""The balances of the accounts as they were read, with their history."""

from datetime import datetime
from typing import NamedTuple

from alertd.core.money import Usd
from alertd.core.spend.bill import Balance
from alertd.store.database import Database
from alertd.store.encoding import from_micros, to_micros
from alertd.store.table import select, upsert

_KEY = ("account", "read_at")


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
        return {row.account: _balance(row) for row in rows}

    def since(self, start: datetime) -> tuple[Balance, ...]:
        """Return every balance that was read at or after an instant, the oldest first."""
        rows = select(
            self._database, _BalanceRow, "balance", "WHERE read_at >= ? ORDER BY read_at, account", (to_micros(start),)
        )
        return tuple(map(_balance, rows))

    def save(self, balance: Balance) -> None:
        """Append a balance; a second one with the same instant replaces the first."""
        row = _BalanceRow(
            account=balance.account,
            read_at=to_micros(balance.read_at),
            available=balance.available,
            cash=balance.cash,
            credit_limit=balance.credit_limit,
            outstanding=balance.outstanding,
        )
        upsert(self._database, "balance", row, _KEY)

    def forget_after(self, end: datetime) -> None:
        """Delete balances dated after an instant, by a clock that was ahead: they would count as the newest."""
        self._database.execute("DELETE FROM balance WHERE read_at > ?", (to_micros(end),))

    def prune(self, before: datetime) -> int:
        """Delete balances read before an instant, except the newest of each account; return how many."""
        newest = "SELECT MAX(read_at) FROM balance AS b WHERE b.account = balance.account"
        sql = f"DELETE FROM balance WHERE read_at < ? AND read_at < ({newest})"  # noqa: S608 -- fixed text
        with self._database.transaction():
            return self._database.execute(sql, (to_micros(before),))


def _balance(row: _BalanceRow) -> Balance:
    return Balance(
        account=row.account,
        available=Usd(row.available),
        cash=_usd(row.cash),
        credit_limit=_usd(row.credit_limit),
        outstanding=_usd(row.outstanding),
        read_at=from_micros(row.read_at),
    )


def _usd(units: int | None) -> Usd | None:
    return None if units is None else Usd(units)
