"""What the store remembers of its own writes saves questions, and is forgotten with a transaction that fails."""

from contextlib import closing

import pytest

from alertd.store.store import Store
from tests.store.samples import HOUR, NOW, block_of, change_of, table_of


class _Undone(Exception):
    """Ends a transaction."""


def test_facts_when_their_transaction_failed_then_the_next_one_stores_series_and_books_again(url: str) -> None:
    """Otherwise blocks would name series that the database does not have."""
    with closing(Store.open(url, now=NOW)) as store:
        change = change_of({HOUR: block_of(1)})
        store.save_facts(table_of(1))

        def fail() -> None:
            with store.transaction():
                store.save_facts(table_of(), books=[change])
                raise _Undone

        with pytest.raises(_Undone):
            fail()
        store.save_facts(table_of(), books=[change])
    with closing(Store.open_read_only(url)) as reader:
        assert reader.bills.load_series().names == table_of().names
        assert reader.bills.load_books()[change.book.key].covered == change.book.covered
        assert reader.check() == []
