"""Series, books, blocks and monthly bills: what is read back is what was written, and nothing else is written."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange, HourSet, start_of
from alertd.core.money import MAX_UNITS, Usd
from alertd.core.spend.arrival import Arrivals
from alertd.core.spend.bill import BillRows, Series, TrackedBill
from alertd.core.spend.block import HourBlock, empty_block, encode
from alertd.core.spend.ledger import CategoryBook, SeriesTable, Suspicion, file_rows
from alertd.errors import StoreError
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.examples import examples
from tests.store.places import Place, SqliteFiles
from tests.store.samples import HOUR, NOW, block_of, book_changes, change_of, names, table_of, texts, tracked_bills

EXAMPLES = examples(4, thorough=20)


@contextmanager
def fresh_store(place: Place) -> Iterator[tuple[Store, Store]]:
    """A store on a new database, and a second one that reads what the first committed."""
    with (
        place.fresh() as url,
        closing(Store.open(url, now=NOW)) as store,
        closing(Store.open_read_only(url)) as reader,
    ):
        yield store, reader


def hours_written(place: Place, url: str) -> list[tuple[object, ...]]:
    return place.run(url, "SELECT account, category, hour FROM bill_hour")


@EXAMPLES
@given(change=book_changes(account="ä'\"\0", category="gpu"))
def test_book_when_saved_then_another_connection_reads_it_equal(place: Place, change: BookChange) -> None:
    """Whatever a book may hold must survive a restart, to the microsecond and the last 1e-10 USD."""
    with fresh_store(place) as (store, reader):
        store.save_facts(table_of(account="ä'\"\0"), books=[change])
        assert reader.bills.load_books() == {change.book.key: change.book}
        read = reader.bills.blocks(*change.book.key, [*change.blocks, 700_000])
        assert {h: encode(b) for h, b in read.items()} == {h: encode(b) for h, b in change.blocks.items()}


@EXAMPLES
@given(bills=st.lists(tracked_bills, max_size=4, unique_by=lambda t: (t.bill.account, t.bill.bill_id)))
def test_monthly_bills_when_saved_then_another_connection_reads_them_equal(
    place: Place, bills: list[TrackedBill]
) -> None:
    """Phases decide how long a bill is overdue, so they must survive exactly."""
    with fresh_store(place) as (store, reader):
        store.save_facts(SeriesTable(), monthly=bills)
        expected = sorted(bills, key=lambda t: (t.bill.account.encode(), t.bill.bill_id.encode()))
        assert list(reader.bills.load_monthly()) == expected


@EXAMPLES
@given(found=st.lists(st.builds(Series, names, names, *[texts] * 5), unique=True, max_size=6), cut=st.integers(0, 6))
def test_series_when_saved_in_two_parts_then_ids_stay(place: Place, found: list[Series], cut: int) -> None:
    """A block knows its owner by number only: a number that moved would bill somebody else."""
    with fresh_store(place) as (store, reader):
        store.save_facts(SeriesTable(found[:cut]))
        store.save_facts(SeriesTable(found))
        assert reader.bills.load_series().names == found


def test_series_when_a_commit_failed_then_they_go_with_the_next(store: Store) -> None:
    """Otherwise the next blocks would name series that no restart can find."""
    table = table_of(2)
    broken = replace(change_of({HOUR: block_of(1)}).book, account="b")
    with pytest.raises(TypeError):
        store.save_facts(table, books=[change_of({HOUR: block_of(1)}), BookChange(book=broken, blocks={HOUR: None})])  # type: ignore[dict-item] # fails half way
    assert store.bills.load_series().names == []
    assert store.bills.load_books() == {}
    table.number(Series("a", "gpu", "gpu", "later", "H100", "p-1", "on-demand"))
    store.save_facts(table)
    assert store.bills.load_series().names == table.names


def test_series_table_of_another_store_when_saved_then_refused(store: Store) -> None:
    """A table that was not loaded from here would give its ids to other names."""
    store.save_facts(table_of(3))
    with pytest.raises(ValueError, match="has 2 names, the database 3"):
        store.save_facts(table_of(2))


def test_sum_of_an_hour_when_it_needs_more_than_64_bits_then_exact(store: Store) -> None:
    """Cells are bounded by 64 bits, their sum is not."""
    change = change_of({HOUR: block_of(MAX_UNITS, MAX_UNITS, MAX_UNITS)})
    store.save_facts(table_of(), books=[change])
    assert store.bills.load_books()["a", "gpu"].hours[HOUR].total == 3 * MAX_UNITS


def test_empty_block_when_saved_then_its_hour_is_gone(store: Store, place: Place, url: str) -> None:
    """Rows that were withdrawn must not count for ever."""
    store.save_facts(table_of(), books=[change_of({HOUR: block_of(1), HOUR + 1: block_of(2)})])
    store.save_facts(table_of(), books=[change_of({HOUR: empty_block()})])
    assert hours_written(place, url) == [("a", "gpu", HOUR + 1)]


def test_hour_when_saved_again_then_replaced_not_added(store: Store) -> None:
    """A late row revises its hour."""
    store.save_facts(table_of(), books=[change_of({HOUR: block_of(1, 2)})])
    store.save_facts(table_of(), books=[change_of({HOUR: block_of(5)})])
    ((hour, block),) = store.bills.iter_blocks(0)
    assert (hour, block.amount.tolist()) == (HOUR, [5])
    assert store.bills.load_books()["a", "gpu"].hours[HOUR].total == 5


def bill_rows(table: SeriesTable, values: dict[int, int]) -> BillRows:
    size = len(values)
    amount = np.array(list(values.values()), np.int64)
    return BillRows(
        names=tuple(table.names[:1]),
        hour=np.array(list(values), np.int32),
        span=np.ones(size, np.int32),
        series=np.zeros(size, np.int32),
        amount=amount,
        voucher=np.zeros(size, np.int64),
        pay=amount,
    )


def test_read_when_nothing_changed_then_no_hour_is_written(store: Store, place: Place, url: str) -> None:
    """A poll of 48 hours that says the same must not rewrite them: that would be gigabytes a day."""
    table = table_of(1)
    span = HourRange(HOUR - 47, HOUR + 1)
    rows = bill_rows(table, {hour: hour for hour in range(span.start, span.end)})
    book = CategoryBook(account="a", category="gpu")
    first = file_rows(book, table, rows, span, read_at=NOW)
    store.save_facts(table, books=[BookChange(book=first.book, blocks=first.blocks)])
    before = writes(store, place, url)

    store.save_facts(table, books=[BookChange(book=first.book, blocks={})])
    assert writes(store, place, url) == before, "the same book costs no write at all"

    again = file_rows(first.book, table, rows, span, read_at=NOW + timedelta(minutes=10))
    store.save_facts(table, books=[BookChange(book=again.book, blocks=again.blocks)])
    assert len(writes(store, place, url) - before) == 1, "a later read writes its book's row only"
    assert len(hours_written(place, url)) == 48


def writes(store: Store, place: Place, url: str) -> set[object]:
    """Something for each write of a row so far."""
    if place.name == "sqlite":
        return set(range(store._database._connection.total_changes))  # type: ignore[attr-defined] # SQLite's own count
    tables = ("series", "book", "bill_hour", "monthly_bill")
    return {(table, row) for table in tables for row in place.run(url, f"SELECT xmin::text, ctid::text FROM {table}")}


def test_iter_blocks_when_over_many_hours_then_all_in_order_from_the_hour_on(store: Store) -> None:
    """Batches must neither skip nor repeat an hour at their borders; rows that reach into the range come too."""
    long = HourBlock(
        series=np.array([0], np.int32),
        span=np.array([300], np.int32),
        amount=np.array([300], np.int64),
        voucher=np.array([0], np.int64),
        pay=np.array([300], np.int64),
    )
    content = {HOUR + n: block_of(n + 1) for n in range(200)}
    content[HOUR - 150] = long
    content[HOUR - 400] = long
    other = change_of({HOUR + 5: block_of(7)}, account="b", category="llm")
    store.save_facts(table_of(), books=[change_of(content), other])
    found = [(hour, block.total) for hour, block in store.bills.iter_blocks(HOUR)]
    assert found == [(HOUR - 150, 300), *[(HOUR + n, n + 1) for n in range(200)], (HOUR + 5, 7)]
    assert [hour for hour, _ in store.bills.iter_blocks(HOUR + 199)] == [HOUR + 199]
    assert [hour for hour, _ in store.bills.iter_blocks(HOUR, ("llm",))] == [HOUR + 5]


def test_prune_when_hours_go_then_they_count_as_never_read(store: Store) -> None:
    """Deleted spend that still counted as read would say "really zero" of what nobody knows any more."""
    content = {HOUR + n: block_of(n + 1) for n in range(10)}
    change = change_of(content)
    book = replace(change.book, failed=HourSet.of([HourRange(HOUR - 3, HOUR + 6)]))
    store.save_facts(table_of(), books=[BookChange(book=book, blocks=content)])
    pruned = store.prune(before_hour=HOUR + 4, before=start_of(HOUR))
    assert pruned.hours == 4
    kept = store.bills.load_books()["a", "gpu"]
    assert kept.covered.ranges == (HourRange(HOUR + 4, HOUR + 10),)
    assert kept.failed.ranges == (HourRange(HOUR + 4, HOUR + 6),)
    assert sorted(kept.hours) == list(range(HOUR + 4, HOUR + 10))
    assert store.check() == []


def test_prune_when_a_long_row_reaches_over_the_border_then_it_stays(store: Store) -> None:
    """A monthly row filed before the border still has spend after it."""
    long = replace(block_of(100), span=np.array([50], np.int32))
    store.save_facts(table_of(), books=[change_of({HOUR: long, HOUR + 1: block_of(1)})])
    assert store.prune(before_hour=HOUR + 10, before=NOW).hours == 1
    assert [hour for hour, _ in store.bills.iter_blocks(0)] == [HOUR]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param("UPDATE bill_hour SET block = x'01'", "block of hour", id="a block cut short"),
        pytest.param("UPDATE bill_hour SET total = 'much'", "sum of hour", id="a sum that is no number"),
        pytest.param("UPDATE book SET covered = '[[9, 3]]'", "range ends", id="a range that ends before it starts"),
        pytest.param("UPDATE book SET read_at = 9000000000000000000", "out of range", id="an instant beyond all years"),
    ],
)
def test_row_when_it_was_damaged_then_the_error_says_where_and_what_to_do(
    url: str, place: Place, statement: str, message: str
) -> None:
    """Silent zeros in place of bills are the worst of all answers."""
    with closing(Store.open(url, now=NOW)) as store:
        store.save_facts(table_of(), books=[change_of({HOUR: block_of(1)})])
    place.run(url, statement)
    with closing(Store.open(url, now=NOW)) as store:
        with pytest.raises(StoreError, match=message) as caught:
            list(store.bills.iter_blocks(0) if "block" in message else store.bills.load_books())
        assert "backup" in str(caught.value)


def test_block_when_one_of_many_is_damaged_then_the_error_names_its_hour(store: Store, url: str, place: Place) -> None:
    """They are decoded together; whoever has to look at the damage needs its place."""
    change = change_of({HOUR + n: block_of(*[5] * 100) for n in range(9)})
    store.save_facts(table_of(100), books=[change])
    place.run(url, f"UPDATE bill_hour SET block = substr(block, 1, 50) WHERE hour = {HOUR + 4}")
    with pytest.raises(StoreError, match=f"block of hour {HOUR + 4} cannot be read"):
        list(store.bills.iter_blocks(0))


def test_row_when_a_number_became_text_then_said_so(path: Path) -> None:
    """SQLite takes anything into any column; PostgreSQL does not."""
    url = f"sqlite:///{path}"
    with closing(Store.open(url, now=NOW)) as store:
        store.save_facts(table_of(), books=[change_of({HOUR: block_of(1)})])
    SqliteFiles().run(url, "UPDATE book SET read_at = 'noon'")
    with closing(Store.open(url, now=NOW)) as store, pytest.raises(StoreError, match=r"not as it was written.*backup"):
        store.bills.load_books()


def test_instants_when_far_apart_then_exact(store: Store) -> None:
    """Floats of seconds would lose microseconds; integers do not."""
    at = datetime(2199, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    store.save_facts(SeriesTable(), books=[BookChange(book=CategoryBook(account="a", category="gpu", read_at=at))])
    assert store.bills.load_books()["a", "gpu"].read_at == at


def test_arrivals_when_saved_again_then_the_oldest_go_with_the_book_and_the_rest_stay(store: Store) -> None:
    """What is learnt of late rows is kept for as long as the book knows of it, and no longer."""
    change = change_of({HOUR: block_of(1)})
    came = {(1, end): Arrivals(series=np.array([0], np.int32), delay=np.array([end], np.int32)) for end in (7, 8, 9)}
    store.save_facts(table_of(), books=[replace(change, book=replace(change.book, arrivals=came), arrivals=came)])
    fresh = {(1, 10): came[1, 9]}
    kept = {place: came[place] for place in came if place[1] > 7} | fresh
    store.save_facts(table_of(), books=[replace(change, book=replace(change.book, arrivals=kept), arrivals=fresh)])
    assert store.bills.load_books()["a", "gpu"].arrivals == kept


def test_prune_when_an_answer_is_doubted_then_doubts_of_kept_hours_alone_stay(store: Store) -> None:
    """Money that vanished from an hour is believed by a later read of it, and what is deleted is read no more."""
    doubt = Suspicion(digest=b"d", total=Usd(1), since=NOW)
    change = change_of({HOUR + n: block_of(1) for n in range(3)})
    book = replace(change.book, suspicions=dict.fromkeys((HOUR, HOUR + 1, HOUR + 2), doubt))
    store.save_facts(table_of(), books=[replace(change, book=book)])
    store.prune(before_hour=HOUR + 1, before=NOW)
    assert list(store.bills.load_books()["a", "gpu"].suspicions) == [HOUR + 1, HOUR + 2]
