"""What a store holds of bills from an hour on, as a replay and a look at the past need it."""

from collections.abc import Iterable
from dataclasses import replace

from alertd.core.hours import start_of
from alertd.core.replay.past import History
from alertd.core.rules.held import CategoryKey
from alertd.core.spend.lists import View
from alertd.store.store import Store


def read_history(store: Store, keys: Iterable[CategoryKey], first: int, *, uses_keys: bool) -> History:
    """
    Return what a store holds of some categories, from an hour on.

    Args:
        uses_keys: Whether a rule looks at the list by API key.
    """
    wanted = tuple(keys)
    with store.snapshot():
        usage = _read_view(store, View.USAGE, wanted, first)
        return replace(
            usage,
            bills=store.bills.load_monthly(),
            balances=store.balances.since(start_of(first)),
            terms=store.terms.load(),
            key_names=store.key_bills.load_keys(),
            resources=store.resources.load(),
            keys=_read_view(store, View.API_KEY, wanted, first) if uses_keys else None,
        )


def _read_view(store: Store, view: View, keys: Iterable[CategoryKey], first: int) -> History:
    tables = store.books_of(view)
    blocks = list(tables.iter_blocks(first))
    known = tables.load_books()
    return History(
        table=tables.load_series(),
        books={key: book for key in keys if (book := known.get(key)) and book.is_asked},
        blocks=lambda _: blocks,
    )
