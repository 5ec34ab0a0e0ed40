"""
The past as the daemon had it before it, hour by hour, from bills as they are stored now.

A row is known once the last hour that it covers is over; every category that was ever read was read in each hour; a
monthly bill is in the phase it was in. Hours that were never read, or whose read failed, are missing as they would have
been. It knows nothing of rules: it gives them their facts.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.money import Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.spend.bill import Balance, BillPhase, TrackedBill
from alertd.core.spend.block import EMPTY, HourBlock
from alertd.core.spend.ledger import CategoryBook, DataState, HourSummary, SeriesTable
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.view import SpendView

_LONG_AGO = -(2**62)

Key = tuple[str, str]
"""(account, category)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that is stored of the past."""

    table: SeriesTable
    books: Mapping[Key, CategoryBook]
    """Of every category that is polled and was ever asked for."""
    blocks: Callable[[int], Iterable[tuple[int, HourBlock]]]
    """Gives (hour, block) of everything that reaches into an hour or later; may be asked more than once."""
    bills: tuple[TrackedBill, ...] = ()
    balances: tuple[Balance, ...] = ()
    """In the order in which they were read."""
    keys: "History | None" = None
    """The same of the list by API key; None where no rule looks at it."""

    def of(self, accounts: Collection[str]) -> "History":
        """Return the part that is of some accounts."""
        return replace(
            self,
            books={key: book for key, book in self.books.items() if key[0] in accounts},
            bills=tuple(tracked for tracked in self.bills if tracked.bill.account in accounts),
            balances=tuple(balance for balance in self.balances if balance.account in accounts),
            keys=self.keys.of(accounts) if self.keys is not None else None,
        )

    @classmethod
    def empty(cls) -> "History":
        """Return the history of which nothing is known."""
        return cls(table=SeriesTable(), books={}, blocks=lambda _: ())


@dataclass(slots=True)
class _Marks:
    """What decides the data edge of one category and what incomplete data may hide there."""

    ends: list[int] = field(default_factory=list)
    """The hours at which rows end, rising."""
    credit_from: int | None = None
    """The first hour in which a credit was known."""

    def note(self, ends: NDArray[np.int64], amounts: NDArray[np.int64]) -> None:
        self.ends += np.unique(ends).tolist()
        of_credits = ends[amounts < 0]
        if len(of_credits):
            self.note_credit(int(of_credits.min()))

    def note_credit(self, hour: int) -> None:
        self.credit_from = hour if self.credit_from is None else min(hour, self.credit_from)

    def summaries(self, hour: int) -> dict[int, HourSummary]:
        """Return one hour that stands for all that are over: the edge and whether a credit was seen follow from it."""
        has_credit = self.credit_from is not None and self.credit_from <= hour
        number = bisect_right(self.ends, hour)
        if not number and not has_credit:
            return {}
        end = self.ends[number - 1] if number else _LONG_AGO
        return {end - 1: HourSummary(total=Usd(0), end=end, digest=b"", has_credit=has_credit)}


class Past:
    """
    The facts of each hour, asked for in rising order; one spend view serves all of them.

    Args:
        history: What is stored.
        span: The hours that the spend view holds: from the first that a rule can see to the last that is asked for.
        first: The first hour that is asked for.
        metrics: Those that the rules sum.
        settle_delay: How late a bill may usually be.
    """

    def __init__(
        self,
        history: History,
        span: HourRange,
        first: int,
        *,
        metrics: Iterable[str],
        owners: OwnerDirectory,
        settle_delay: timedelta,
        planned: tuple[PlannedSpend, ...] = (),
    ) -> None:
        metrics = sorted(metrics)
        self._keys: Past | None = None
        if history.keys is not None:
            self._keys = Past(history.keys, span, first, metrics=metrics, owners=owners, settle_delay=settle_delay)
        self._planned = planned
        self._history = history
        self._first = first
        self._owners = owners
        self._settle_delay = settle_delay
        self._marks = {key: _Marks() for key in history.books}
        self._coming: list[tuple[int, int, HourBlock]] = []
        """(hour in which it is known, hour of its start, rows of that start and end), the last first."""
        self.spend = SpendView(history.table, span, metrics=metrics, owners=owners)
        self.spend.fill(self._known_at_first(span))
        for key, book in history.books.items():
            self._marks[key].ends.sort()
            for hour, summary in book.hours.items():
                if hour < span.start and summary.has_credit:
                    self._marks[key].note_credit(summary.end)
        self._coming.sort(key=lambda part: part[0], reverse=True)

    def _known_at_first(self, span: HourRange) -> Iterator[tuple[int, HourBlock]]:
        """Yield what can be in the view from the beginning; a row of several hours would show before it is known."""
        names = self._history.table.names
        for hour, block in self._history.blocks(span.start):
            if not len(block):
                continue
            name = names[int(block.series[0])]
            marks = self._marks.get((name.account, name.category))
            if marks is None:
                continue
            ends = hour + block.span.astype(np.int64)
            marks.note(ends, block.amount)
            is_late = (block.span > 1) & (ends > self._first)
            if not is_late.any():
                yield hour, block
                continue
            yield hour, _part(block, ~is_late)
            for end in np.unique(ends[is_late]).tolist():
                self._coming.append((end, hour, _part(block, ends == end)))

    def at(self, hour: int) -> Facts:
        """Return what the daemon knew at the beginning of an hour; a later one than at the last call."""
        self.spend.forget_sums()
        while self._coming and self._coming[-1][0] <= hour:
            _, start, part = self._coming.pop()
            self.spend.replace(start, EMPTY, part)
        now = start_of(hour)
        bills = (_bill_at(tracked, now) for tracked in self._history.bills)
        keys = self._keys.at(hour) if self._keys is not None else None
        return Facts(
            now=now,
            spend=self.spend,
            data=self.state(hour),
            bills=tuple(bill for bill in bills if bill is not None),
            owners=self._owners,
            watched_since=start_of(self._first),
            keys=(keys.spend, keys.data) if keys is not None else None,
            balances={balance.account: balance for balance in self._balances(now)},
            planned=self._planned,
            is_explained=False,
        )

    def _balances(self, now: datetime) -> Sequence[Balance]:
        known = self._history.balances
        return known[: bisect_right(known, now, key=lambda balance: balance.read_at)]

    @property
    def books(self) -> Mapping[Key, CategoryBook]:
        """The books as they are stored now."""
        return self._history.books

    def state(self, hour: int) -> DataState:
        """Return what was read at the beginning of an hour, and through when is billed."""
        now = start_of(hour)
        books = {key: self._book(book, hour, now) for key, book in self._history.books.items()}
        return DataState(books=books, now=now, settle_delay=self._settle_delay)

    def _book(self, book: CategoryBook, hour: int, now: datetime) -> CategoryBook:
        begun = HourRange(_LONG_AGO, hour + 1)
        return CategoryBook(
            account=book.account,
            category=book.category,
            view=book.view,
            hours=self._marks[book.key].summaries(hour),
            covered=book.covered.within(begun),
            failed=book.failed.within(begun),
            error=book.error,
            read_at=now,
        )


def _part(block: HourBlock, chosen: NDArray[np.bool_]) -> HourBlock:
    return HourBlock(
        series=block.series[chosen],
        span=block.span[chosen],
        amount=block.amount[chosen],
        voucher=block.voucher[chosen],
        pay=block.pay[chosen],
    )


def _bill_at(tracked: TrackedBill, now: datetime) -> TrackedBill | None:
    """
    Return a monthly bill as it was at an instant, None before it was first seen.

    Of an earlier phase the status is known and whether money was owed, not how much: the bill's debt stands for it,
    and where that is gone its total.
    """
    phases = tuple(phase for phase in tracked.phases if phase.since <= now)
    if not phases:
        return None
    bill = tracked.bill
    if len(phases) < len(tracked.phases):
        bill = replace(bill, status=phases[-1].status, repaid=Usd(0), debt=_debt_of(tracked, phases[-1]))
    return TrackedBill(bill=bill, phases=phases, last_seen_at=now)


def _debt_of(tracked: TrackedBill, phase: BillPhase) -> Usd:
    return (tracked.bill.debt or tracked.bill.total) if phase.owes else Usd(0)


def last_hour(history: History, now: datetime) -> int:
    """Return the last hour that can be replayed: the running one, or the last one that was read."""
    ends = [span.end - 1 for book in history.books.values() for span in book.covered]
    return min(hour_of(now), max(ends, default=hour_of(now)))
