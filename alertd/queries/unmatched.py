"""Filters of rules that match no stored spend."""

from collections.abc import Iterable

from alertd.core.owners import OwnerDirectory
from alertd.core.rules.base import Rule
from alertd.core.rules.held import with_api_names
from alertd.core.rules.unmatched import Unmatched, unmatched
from alertd.core.spend.lists import View
from alertd.store.store import Store


def read_unmatched(store: Store, rules: Iterable[Rule], owners: OwnerDirectory) -> tuple[Unmatched, ...]:
    """
    Return the filters of enabled rules that match no stored spend.

    Args:
        owners: The owners of the rules file.

    Raises:
        StoreError: The store cannot be read.
    """
    with store.snapshot():
        series = {view: store.books_of(view).load_series().names for view in View if view in store.views}
        named = with_api_names(owners, store.key_bills.load_keys(), store.resources.load())
    return unmatched(rules, series, named)
