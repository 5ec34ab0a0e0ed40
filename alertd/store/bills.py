"""
The bills hour by hour: series, books and blocks of both views, and the monthly bills.

`alertd.core.spend.ledger` judges what the API returns; its results are stored here unchanged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import ClassVar, NamedTuple

from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, HourSet
from alertd.core.money import Usd
from alertd.core.spend.arrival import Arrivals, Place, ReadSpan, decode_each, encode_arrivals
from alertd.core.spend.bill import BillPhase, MonthlyBill, Series, TrackedBill
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, HourSummary, SeriesTable, Suspicion, summarise
from alertd.core.spend.lists import View
from alertd.core.spend.packing import pack
from alertd.store.blocks import iter_decoded
from alertd.store.database import Database, Value
from alertd.store.encoding import (
    damaged,
    from_json,
    from_micros,
    hours_from_text,
    hours_to_text,
    read,
    to_json,
    to_micros,
)
from alertd.store.table import insert_all, row_of, select, upsert_all, value_of

# A block of 10,000 cells has 120 kB, so a batch stays below 10 MB.
_BATCH_HOURS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BookChange:
    """A book after all reads of a cycle, and the blocks that changed; an empty block for rows that are gone."""

    book: CategoryBook
    blocks: Mapping[int, HourBlock] = field(default_factory=dict)
    arrivals: Mapping[Place, Arrivals] = field(default_factory=dict)
    """Where new rows arrived, complete."""


class _BookRow(NamedTuple):
    account: str
    category: str
    covered: str
    failed: str
    suspicions: str
    read_at: int | None
    error: str
    failed_at: int | None
    deep_read_at: int | None
    full_read_at: int | None
    reads: str


class _ArrivalRow(NamedTuple):
    account: str
    category: str
    step: int
    end_hour: int
    came: bytes


class _SummaryRow(NamedTuple):
    hour: int
    end_hour: int
    total: str
    has_credit: int
    digest: bytes


class _HourRow(NamedTuple):
    account: str
    category: str
    hour: int
    end_hour: int
    total: str
    has_credit: int
    digest: bytes
    block: bytes


class _SeriesRow(NamedTuple):
    id: int
    account: str
    category: str
    subcategory: str
    owner: str
    product: str
    product_id: str
    billing_method: str


class _MonthlyRow(NamedTuple):
    account: str
    bill_id: str
    bill: str
    phases: str
    last_seen_at: int


@dataclass(slots=True, kw_only=True)
class _Held:
    """What the database is known to have, unless a transaction failed since."""

    failures: int
    series: int
    books: dict[tuple[str, str], _BookRow]


_BOOK_KEY = ("account", "category")
_HOUR_KEY = ("account", "category", "hour")
_ARRIVAL_KEY = ("account", "category", "step", "end_hour")
_MONTHLY_KEY = ("account", "bill_id")


class Books:
    """The tables of one view of the bills: its series, its books and the hours of these."""

    VIEW: ClassVar[View]
    SERIES: ClassVar[str]
    BOOK: ClassVar[str]
    HOUR: ClassVar[str]
    ARRIVAL: ClassVar[str]

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: _Held | None = None

    def load_series(self) -> SeriesTable:
        """Return every series by the id that blocks use."""
        return SeriesTable(select(self._database, Series, self.SERIES, "ORDER BY id"))

    def load_books(self) -> dict[tuple[str, str], CategoryBook]:
        """Return every book by (account, category), with the summaries of its hours, without reading blocks."""
        with self._database.snapshot():
            books = select(self._database, _BookRow, self.BOOK, "ORDER BY account, category")
            return {
                (row.account, row.category): _book(row, self._summaries(row), self._arrivals(row), self.VIEW)
                for row in books
            }

    def _arrivals(self, book: _BookRow) -> dict[Place, Arrivals]:
        found = select(
            self._database,
            _ArrivalRow,
            self.ARRIVAL,
            "WHERE account = ? AND category = ? ORDER BY step, end_hour",
            (book.account, book.category),
        )
        where = f'account "{book.account}": {book.category}: arrivals'
        return read(lambda: decode_each(((row.step, row.end_hour), row.came) for row in found), where=where)

    def _summaries(self, book: _BookRow) -> dict[int, HourSummary]:
        rows = select(
            self._database,
            _SummaryRow,
            self.HOUR,
            "WHERE account = ? AND category = ? ORDER BY hour",
            (book.account, book.category),
        )
        return {row.hour: _summary(row, book) for row in rows}

    def iter_blocks(self, from_hour: int, categories: Collection[str] | None = None) -> Iterator[tuple[int, HourBlock]]:
        """
        Yield (hour, block) of each category with spend in or after an hour, with a few megabytes in memory at a time.

        Includes earlier blocks whose rows reach into that hour. Ordered by account, category and hour.

        Args:
            categories: Those to read; None for all.
        """
        sql = f"SELECT account, category FROM {self.BOOK} ORDER BY account, category"  # noqa: S608 -- a name of our own
        for account, category in self._database.rows(tuple[str, str], sql):
            if categories is not None and category not in categories:
                continue
            last: int | None = None
            while rows := self._rows(account, category, from_hour, last):
                yield from iter_decoded(rows, account, category)
                last = rows[-1][0]

    def _rows(self, account: str, category: str, from_hour: int, after: int | None) -> list[tuple[int, bytes]]:
        sql = f"SELECT hour, block FROM {self.HOUR} WHERE account = ? AND category = ? AND end_hour > ?"  # noqa: S608
        values: list[Value] = [account, category, from_hour]
        if after is not None:
            sql += " AND hour > ?"
            values.append(after)
        return self._database.rows(tuple[int, bytes], f"{sql} ORDER BY hour LIMIT {_BATCH_HOURS}", values)

    def blocks(self, account: str, category: str, hours: Iterable[int]) -> dict[int, HourBlock]:
        """Return the blocks of the requested hours; an hour without rows is absent."""
        where = "WHERE account = ? AND category = ? AND hour >= ? AND hour < ? ORDER BY hour"
        sql = f"SELECT hour, block FROM {self.HOUR} {where}"  # noqa: S608 -- a name of our own
        with self._database.snapshot():
            found = [
                row
                # One query for each run of hours: a first read requests a month of them.
                for run in HourSet.of([HourRange(hour, hour + 1) for hour in hours])
                for row in self._database.rows(tuple[int, bytes], sql, (account, category, run.start, run.end))
            ]
        return dict(iter_decoded(found, account, category))

    def save(self, table: SeriesTable, changes: Iterable[BookChange]) -> None:
        """
        Store new series, changed books and blocks; what is already stored is not written again.

        Raises:
            ValueError: *table* is not the loaded one: it has fewer series than the database.
        """
        with self._database.transaction():
            self._save_series(table)
            changes = list(changes)
            self._save_books([change.book for change in changes])
            for change in changes:
                if change.blocks:
                    self._save_blocks(change.book, change.blocks)
                if change.arrivals:
                    self._save_arrivals(change)

    def _stored(self) -> "_Held":
        """Return what the database has, queried again only after a commit that failed: only this process writes."""
        if self._held is None or self._held.failures != self._database.failures:
            sql = f"SELECT COALESCE(MAX(id) + 1, 0) FROM {self.SERIES}"  # noqa: S608 -- a name of our own
            ((series,),) = self._database.rows(tuple[int], sql)
            books = {(row.account, row.category): row for row in select(self._database, _BookRow, self.BOOK)}
            self._held = _Held(failures=self._database.failures, series=series, books=books)
        return self._held

    def _save_series(self, table: SeriesTable) -> None:
        stored = self._stored()
        if stored.series > len(table):
            raise ValueError(f"the series table has {len(table)} names, the database {stored.series}")
        rows = [_SeriesRow(number, *name) for number, name in enumerate(table.names[stored.series :], stored.series)]
        if rows:
            insert_all(self._database, self.SERIES, _SeriesRow, rows)
            stored.series = len(table)

    def _save_books(self, books: Iterable[CategoryBook]) -> None:
        stored = self._stored()
        rows = {book.key: _book_row(book) for book in books}
        changed = {key: row for key, row in rows.items() if stored.books.get(key) != row}
        if changed:
            upsert_all(self._database, self.BOOK, _BookRow, changed.values(), _BOOK_KEY)
            stored.books |= changed

    def _save_blocks(self, book: CategoryBook, blocks: Mapping[int, HourBlock]) -> None:
        sql = f"DELETE FROM {self.HOUR} WHERE account = ? AND category = ? AND hour = ?"  # noqa: S608
        gone = [(*book.key, hour) for hour, block in blocks.items() if not len(block)]
        if gone:
            self._database.executemany(sql, gone)
        # Encoded while they are written, so that only a few are held in memory at once.
        rows = (_hour_row(book, hour, block) for hour, block in blocks.items() if len(block))
        upsert_all(self._database, self.HOUR, _HourRow, rows, _HOUR_KEY)

    def _save_arrivals(self, change: BookChange) -> None:
        rows = (
            _ArrivalRow(*change.book.key, step, end, encode_arrivals(came))
            for (step, end), came in change.arrivals.items()
        )
        upsert_all(self._database, self.ARRIVAL, _ArrivalRow, rows, _ARRIVAL_KEY)
        first = min((end for _, end in change.book.arrivals), default=0)
        sql = f"DELETE FROM {self.ARRIVAL} WHERE account = ? AND category = ? AND end_hour < ?"  # noqa: S608
        self._database.write(sql, (*change.book.key, first))

    def prune(self, before_hour: int) -> int:
        """
        Delete the blocks whose spend ends at or before an hour; return how many.

        The hours before it then count as never read, not as empty. Books in memory must be reloaded.
        """
        with self._database.transaction():
            self._save_books([_without(book, before_hour) for book in self.load_books().values()])
            sql = f"DELETE FROM {self.HOUR} WHERE end_hour <= ?"  # noqa: S608 -- a name of our own
            return self._database.execute(sql, (before_hour,))


class Bills(Books):
    """The tables `series`, `book`, `bill_hour`, `arrival` and `monthly_bill`."""

    VIEW = View.USAGE
    SERIES = "series"
    BOOK = "book"
    HOUR = "bill_hour"
    ARRIVAL = "arrival"

    def load_monthly(self) -> tuple[TrackedBill, ...]:
        """Return every known monthly bill, by account and id."""
        rows = select(self._database, _MonthlyRow, "monthly_bill", "ORDER BY account, bill_id")
        return tuple(map(_tracked, rows))

    def save_monthly(self, tracked: Iterable[TrackedBill]) -> None:
        """Store monthly bills with their phases, replacing what was known."""
        rows = [
            _MonthlyRow(
                bill.bill.account,
                bill.bill.bill_id,
                to_json(bill.bill),
                to_json(bill.phases),
                to_micros(bill.last_seen_at),
            )
            for bill in tracked
        ]
        if rows:
            with self._database.transaction():
                upsert_all(self._database, "monthly_bill", _MonthlyRow, rows, _MONTHLY_KEY)


def _without(book: CategoryBook, before_hour: int) -> CategoryBook:
    """Return a book without the hours before one."""
    first = min((span.start for span in (*book.covered, *book.failed)), default=before_hour)
    gone = HourRange(min(first, before_hour), before_hour)
    return replace(
        book,
        covered=book.covered.remove(gone),
        failed=book.failed.remove(gone),
        suspicions={hour: s for hour, s in book.suspicions.items() if hour >= before_hour},
    )


def _hour_row(book: CategoryBook, hour: int, block: HourBlock) -> _HourRow:
    # The summary comes from the written block, never from the book, so that a row cannot contradict itself.
    summary = summarise(hour, block)
    return _HourRow(
        account=book.account,
        category=book.category,
        hour=hour,
        end_hour=summary.end,
        total=str(summary.total),
        has_credit=int(summary.has_credit),
        digest=summary.digest,
        block=pack(block),
    )


def _summary(row: _SummaryRow, book: _BookRow) -> HourSummary:
    try:
        total = Usd(int(row.total))
    except ValueError as error:
        raise damaged(f'account "{book.account}": {book.category}: sum of hour {row.hour}', error) from error
    return HourSummary(total=total, end=row.end_hour, digest=row.digest, has_credit=bool(row.has_credit))


def _book(
    row: _BookRow, hours: Mapping[int, HourSummary], arrivals: Mapping[Place, Arrivals], view: View
) -> CategoryBook:
    where = f'account "{row.account}": {row.category}: book'
    return value_of(
        CategoryBook,
        row,
        hours=hours,
        covered=hours_from_text(row.covered, where=where),
        failed=hours_from_text(row.failed, where=where),
        suspicions=from_json(row.suspicions, dict[int, Suspicion], where=where),
        view=view,
        arrivals=arrivals,
        reads=from_json(row.reads, tuple[ReadSpan, ...], where=where),
    )


def _book_row(book: CategoryBook) -> _BookRow:
    return row_of(
        _BookRow,
        book,
        covered=hours_to_text(book.covered),
        failed=hours_to_text(book.failed),
        suspicions=to_json(dict(sorted(book.suspicions.items()))),
        reads=to_json(book.reads),
    )


def _tracked(row: _MonthlyRow) -> TrackedBill:
    where = f'account "{row.account}": monthly bill {row.bill_id}'
    return TrackedBill(
        bill=from_json(row.bill, MonthlyBill, where=where),
        phases=from_json(row.phases, tuple[BillPhase, ...], where=where),
        last_seen_at=from_micros(row.last_seen_at),
    )
