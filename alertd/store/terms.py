"""Subscriptions: the fixed terms that were bought."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from alertd.core.hours import HourRange, start_of
from alertd.core.spend.bill import Term
from alertd.store.database import Database
from alertd.store.encoding import from_json, to_json, to_micros
from alertd.store.table import insert, select


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
