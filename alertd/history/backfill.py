"""
Fetch history: past hours that were never read are read once, newest first, and stored piece by piece.

Decides which hours are missing and in which pieces they are read; the ledger decides what an answer changes.
Stored pieces remain when it is stopped, so that the next run continues from there.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, hour_of
from alertd.core.rules.held import CategoryKey
from alertd.core.spend.bill import SUBSCRIPTION, BillRows
from alertd.core.spend.ledger import CategoryBook, file_rows
from alertd.core.spend.reading import missing_days, pieces
from alertd.daemon.state import BillSource, DaemonState, require_list
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import ApiCategoryUnknown, ApiError, ApiKeyRefused, ApiRequestRefused, StoreError

PIECE_HOURS = 7 * HOURS_PER_DAY
"""Days read and stored in one piece: a stop loses no more, and a related endpoint allows no longer hourly ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A range of one category to read."""

    key: CategoryKey
    span: HourRange


@dataclass(slots=True, kw_only=True)
class BackfillReport:
    """The outcome of a backfill."""

    rows: int = 0
    absent: list[CategoryKey] = field(default_factory=list)
    """Categories that an account does not have."""
    errors: list[str] = field(default_factory=list)


def plan_backfill(
    books: Mapping[CategoryKey, CategoryBook],
    keys: Sequence[CategoryKey],
    span: HourRange,
    *,
    now: datetime,
    settle_delay: timedelta,
) -> dict[CategoryKey, list[Piece]]:
    """
    Return the pieces to read of each category, newest first; categories with nothing missing are absent.

    Args:
        span: The wanted hours, from a UTC midnight on.
        settle_delay: Hours read sooner than this after their end may lack rows, and are read again afterwards.
    """
    found = {}
    for key in keys:
        book = books.get(key) or CategoryBook(account=key[0], category=key[1])
        if book.read_at is not None and now - book.read_at > settle_delay:
            unsettled = HourRange(hour_of(book.read_at - settle_delay), hour_of(now) + 1)
            book = replace(book, covered=book.covered.remove(unsettled))
        wanted = missing_days(book, span)
        spans = [piece for part in reversed(wanted.ranges) for piece in pieces(part, PIECE_HOURS)]
        if spans:
            found[key] = [Piece(key=key, span=part) for part in spans]
    return found


class Backfill:
    """
    Reads the pieces of a plan into a store, for one run.

    Args:
        state: As loaded from the store; kept equal to it.
        accounts: The billing API of each account that is read.
        on_read: Called with each piece once it is stored.
    """

    def __init__(
        self,
        *,
        store: StoreGateway,
        state: DaemonState,
        accounts: Mapping[str, BillSource],
        on_read: Callable[[Piece], None],
        now: datetime,
    ) -> None:
        self._store = store
        self._state = state
        self._accounts = accounts
        self._on_read = on_read
        self._now = now
        self._refused: set[str] = set()
        self._filing = asyncio.Lock()
        """Serialises changes of books, which share the series table."""
        self._report = BackfillReport()

    async def run(self, plan: Mapping[CategoryKey, Sequence[Piece]]) -> BackfillReport:
        """
        Read the whole plan; a category that fails stops where it is, the others continue.

        Raises:
            StoreError: A write failed; earlier commits remain.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for key, wanted in plan.items():
                    group.create_task(self._read_category(key, wanted))
        except* StoreError as failed:
            raise failed.exceptions[0] from None
        return self._report

    async def _read_category(self, key: CategoryKey, wanted: Sequence[Piece]) -> None:
        account, category = key
        try:
            for piece in wanted:
                if account in self._refused:
                    return
                rows = await self._accounts[account].read_bills(category, piece.span)
                if (known := self._state.books.get(key)) is not None:
                    require_list(known, rows, piece.span)
                await self._keep(piece, rows)
        except ApiError as error:
            book = self._state.books.get(key)
            # Not every account has a list of subscriptions.
            is_lacking = isinstance(error, ApiCategoryUnknown) or (
                category == SUBSCRIPTION and isinstance(error, ApiRequestRefused)
            )
            if is_lacking and (book is None or not book.covered):
                self._report.absent.append(key)
                return
            if isinstance(error, ApiKeyRefused):
                if account in self._refused:
                    return
                self._refused.add(account)
            self._report.errors.append(str(error))
        except OverflowError as error:
            self._report.errors.append(f'account "{account}": {category}: {error}')

    async def _keep(self, piece: Piece, rows: BillRows) -> None:
        async with self._filing:
            account, category = piece.key
            book = self._state.books.get(piece.key) or CategoryBook(account=account, category=category)
            # In a thread: a million rows take a second.
            filing = await asyncio.to_thread(
                file_rows, book, self._state.table, rows, piece.span, read_at=self._now, is_backfill=True
            )
            await self._store.save_facts(
                self._state.table,
                {piece.key: filing.book},
                {piece.key: filing.blocks},
                (),
                arrivals={piece.key: filing.arrivals},
            )
            self._state.books[piece.key] = filing.book
        self._report.rows += len(rows)
        self._on_read(piece)
