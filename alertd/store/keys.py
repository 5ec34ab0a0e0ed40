"""Spend by API key, and the keys' names: the second view of the bills, in separate tables."""

from collections.abc import Iterable
from typing import NamedTuple

from alertd.core.spend.bill import ApiKey
from alertd.core.spend.lists import View
from alertd.store.bills import Books
from alertd.store.table import row_of, select, upsert_all, value_of


class _KeyRow(NamedTuple):
    account: str
    key_id: str
    name: str
    mask: str


class KeyBills(Books):
    """The tables `key_series`, `key_book`, `key_bill_hour`, `key_arrival` and `api_key`."""

    VIEW = View.API_KEY
    SERIES = "key_series"
    BOOK = "key_book"
    HOUR = "key_bill_hour"
    ARRIVAL = "key_arrival"

    def load_keys(self) -> tuple[ApiKey, ...]:
        """Return every API key ever named in bills, by account and id."""
        rows = select(self._database, _KeyRow, "api_key", "ORDER BY account, key_id")
        return tuple(value_of(ApiKey, row) for row in rows)

    def save_keys(self, keys: Iterable[ApiKey]) -> None:
        """Store keys, replacing what was known."""
        rows = (row_of(_KeyRow, key) for key in keys)
        with self._database.transaction():
            upsert_all(self._database, "api_key", _KeyRow, rows, ("account", "key_id"))
