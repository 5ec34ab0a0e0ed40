"""The second view of the bills and the balances: kept apart, across a restart, pruned with the rest, checked."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import hour_of
from alertd.core.money import MAX_UNITS, Usd
from alertd.core.spend.bill import ApiKey, Balance
from alertd.core.spend.lists import View
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.examples import examples
from tests.store.places import Place
from tests.store.samples import HOUR, NOW, amounts, block_of, book_changes, change_of, names, table_of, texts

DAY = timedelta(days=1)
EXAMPLES = examples(4, thorough=15)
maybe_amounts = st.none() | amounts
balances = st.builds(
    Balance,
    account=names,
    available=amounts,
    cash=maybe_amounts,
    credit_limit=maybe_amounts,
    outstanding=maybe_amounts,
    read_at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
)


@EXAMPLES
@given(usage=book_changes(), keys=book_changes())
def test_books_when_saved_in_both_views_then_come_back_apart(place: Place, usage: BookChange, keys: BookChange) -> None:
    """The same account, category and hours in both: neither may touch the other."""
    with place.fresh() as url, closing(Store.open(url, now=NOW)) as store:
        store.save_facts(table_of(), books=[usage])
        store.save_facts(table_of(7, category="llm"), books=[keys], view=View.API_KEY)
        (of_usage,), (of_keys,) = store.bills.load_books().values(), store.key_bills.load_books().values()
        assert of_usage == usage.book
        assert (of_keys.view, of_keys.title) == (View.API_KEY, "gpu by API key")
        assert (dict(of_keys.hours), of_keys.covered) == (dict(keys.book.hours), keys.book.covered)
        assert (len(store.bills.load_series()), len(store.key_bills.load_series())) == (5, 7)
        read = [(hour, b.total) for hour, b in store.key_bills.iter_blocks(0)]
        assert read == sorted((hour, b.total) for hour, b in keys.blocks.items())


def test_views_when_reopened_then_books_and_names_are_known_before_any_read(url: str) -> None:
    """A restart forgets neither what a key spent nor what it is called."""
    ci = ApiKey(account="a", key_id="key-1", name="ci", mask="sk_1")
    with closing(Store.open(url, now=NOW)) as store:
        assert store.views == {View.USAGE}
        store.use_views([View.API_KEY, View.USAGE])
        store.save_facts(table_of(), books=[change_of({HOUR: block_of(1, 2)})], view=View.API_KEY)
        store.key_bills.save_keys([ApiKey(account="a", key_id="key-1", name="old", mask="")])
        store.key_bills.save_keys([ci, ApiKey(account="b", key_id="key-1", name="", mask="sk_9")])
    with closing(Store.open(url, now=NOW)) as store:
        assert store.views == {View.USAGE, View.API_KEY}
        assert store.key_bills.load_books()["a", "gpu"].hours[HOUR].total == 3
        assert store.bills.load_books() == {}
        assert [(key.account, key.label) for key in store.key_bills.load_keys()] == [("a", "ci"), ("b", "sk_9")]


@EXAMPLES
@given(account=names, key_id=names, name=texts, mask=texts)
def test_key_when_saved_then_comes_back_as_it_was(
    place: Place, account: str, key_id: str, name: str, mask: str
) -> None:
    """Names are anything that people type."""
    key = ApiKey(account=account, key_id=key_id, name=name, mask=mask)
    with place.fresh() as url, closing(Store.open(url, now=NOW)) as store:
        store.key_bills.save_keys([key])
        assert store.key_bills.load_keys() == (key,)


@EXAMPLES
@given(st.lists(balances, max_size=6))
def test_balances_when_saved_then_the_newest_of_each_account_comes_back(place: Place, saved: list[Balance]) -> None:
    """Slowly: the last of the largest read times, account by account."""
    with place.fresh() as url, closing(Store.open(url, now=NOW)) as store:
        newest: dict[str, Balance] = {}
        for one in saved:
            store.balances.save(one)
            if one.account not in newest or one.read_at >= newest[one.account].read_at:
                newest[one.account] = one
        assert store.balances.last() == newest


def balance(at: datetime, account: str = "a") -> Balance:
    return Balance(account=account, available=Usd(-MAX_UNITS), read_at=at)


def test_prune_when_old_then_both_views_and_balances_but_the_last_of_each(url: str, place: Place) -> None:
    """History ends with the spend beside it; the last balance is needed after however long a stop."""
    with closing(Store.open(url, now=NOW)) as store:
        for view in View:
            old_and_new = change_of({HOUR - 900: block_of(1), HOUR: block_of(2)})
            store.save_facts(table_of(), books=[old_and_new], view=view)
        for days in (50, 40, 30):
            store.balances.save(balance(NOW - days * DAY))
            store.balances.save(balance(NOW - days * DAY, "b"))
        store.balances.save(balance(NOW))
        store.prune(before_hour=hour_of(NOW - 35 * DAY), before=NOW)
        assert [[*books.load_books()["a", "gpu"].hours] for books in (store.bills, store.key_bills)] == [[HOUR], [HOUR]]
        store.prune(before_hour=HOUR, before=NOW)
        assert {name: kept.read_at for name, kept in store.balances.last().items()} == {
            "a": NOW,
            "b": NOW - 30 * DAY,
        }
    assert place.run(url, "SELECT COUNT(*) FROM balance") == [(2,)]


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        pytest.param("UPDATE key_bill_hour SET total = '7'", "gpu by API key: block of hour", id="another sum"),
        pytest.param("UPDATE key_series SET id = 9 WHERE id = 4", "key_series: 5 ids are not numbered", id="numbers"),
    ],
)
def test_check_when_the_second_view_contradicts_itself_then_found(
    url: str, place: Place, statement: str, finding: str
) -> None:
    """`alertd db check` looks at both."""
    with closing(Store.open(url, now=NOW)) as store:
        store.save_facts(table_of(), books=[change_of({HOUR: block_of(1, 2, 3)})], view=View.API_KEY)
        assert store.check() == []
    place.run(url, statement)
    with closing(Store.open_read_only(url)) as reader:
        assert finding in "\n".join(reader.check())
