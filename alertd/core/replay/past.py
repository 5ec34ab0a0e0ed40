"""
The past as the daemon would have seen it, hour by hour, from the bills stored now.

A row is known once the last hour that it covers is over; every category that was ever read was read in each hour; a
monthly bill is in the phase it was in. Hours that were never read, or whose read failed, are missing as they would have
been. It knows nothing of rules: it gives them their facts.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.money import Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Resource
from alertd.core.rules.facts import Facts
from alertd.core.rules.held import CategoryKey, Held, LastRead, build_facts, never_asked, with_api_names
from alertd.core.rules.watched import Watched
from alertd.core.spend.arrival import step_of
from alertd.core.spend.bill import ApiKey, Balance, BillPhase, Term, TrackedBill
from alertd.core.spend.block import HourBlock, empty_block
from alertd.core.spend.data_state import DataState
from alertd.core.spend.lateness import Delays
from alertd.core.spend.ledger import CategoryBook, HourSummary, SeriesTable
from alertd.core.spend.lists import View
from alertd.core.spend.stream import NEVER, STEPS, StepRows, StreamKey, Streams
from alertd.core.spend.stretch import Stretch
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONG_AGO = -(2**62)
_CREDIT = {_LONG_AGO: HourSummary(total=Usd(0), end=_LONG_AGO, digest=b"", has_credit=True)}
"""Placeholder for all earlier hours in which a credit was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The stored past."""

    table: SeriesTable
    books: Mapping[CategoryKey, CategoryBook]
    """Books of every polled category that was ever requested."""
    blocks: Callable[[int], Iterable[tuple[int, HourBlock]]]
    """Returns (hour, block) of everything that reaches into an hour or later; may be called repeatedly."""
    bills: tuple[TrackedBill, ...] = ()
    balances: tuple[Balance, ...] = ()
    """Balances, in the order in which they were read."""
    terms: tuple[Term, ...] = ()
    """Subscriptions."""
    key_names: tuple[ApiKey, ...] = ()
    resources: tuple[Resource, ...] = ()
    """Names of instances and endpoints; their past states are unknown."""
    """The current names of API keys."""
    keys: "History | None" = None
    """The same for the list by API key; None if no rule uses it."""

    def of(self, accounts: Collection[str]) -> "History":
        """Return the part for some accounts."""
        return replace(
            self,
            books={key: book for key, book in self.books.items() if key[0] in accounts},
            bills=tuple(tracked for tracked in self.bills if tracked.bill.account in accounts),
            balances=tuple(balance for balance in self.balances if balance.account in accounts),
            terms=tuple(term for term in self.terms if term.account in accounts),
            keys=self.keys.of(accounts) if self.keys is not None else None,
        )

    @classmethod
    def empty(cls) -> "History":
        """Return an empty history."""
        return cls(table=SeriesTable(), books={}, blocks=lambda _: ())


class _Rows:
    """The rows that have ended at an ascending hour; all count as on time, because their arrival is not stored."""

    def __init__(self, size: int, first: int, settle_delay: timedelta) -> None:
        self._first = first
        self._settle_delay = settle_delay
        self._seen: set[StreamKey] = set()
        """Streams with a row since the first requested hour: before that, their delay could not be known."""
        self._newest = {step: np.full(size, NEVER, np.int64) for step in STEPS}
        self._of_stream: dict[StreamKey, int] = {}
        self._nothing = Delays(
            count=np.zeros(size, np.int64), late_series=np.empty(0, np.int64), late_s=np.empty(0, np.int64)
        )
        self._coming: list[tuple[int, StreamKey, NDArray[np.int32]]] = []

    def note(self, key: CategoryKey, hour: int, block: HourBlock) -> None:
        """Add what is filed under an hour."""
        for span in distinct(block.span).tolist():
            stream = StreamKey(*key, step_of(span))
            self._coming.append((hour + span, stream, block.series[block.span == span]))

    def begin(self) -> None:
        """Sort the rows; no more may be added."""
        self._coming.sort(key=lambda row: row[0], reverse=True)

    def ending_before(self, hour: int) -> "list[tuple[int, StreamKey, NDArray[np.int32]]]":
        """Return the rows that are not known yet and end before an hour, earliest first."""
        return list(takewhile(lambda row: row[0] < hour, reversed(self._coming)))

    def seen_from(self, hour: int) -> dict[StreamKey, int]:
        """Return from which hour on the delay of each stream is known, as far as it is before a given one."""
        found = {stream: end for end, stream, _ in reversed(self.ending_before(hour)) if end > self._first}
        return found | dict.fromkeys(self._seen, self._first)

    def streams(self, hour: int, read_at: Mapping[CategoryKey, datetime]) -> Streams:
        """Return what is known at the beginning of an hour, which must be later than at the last call."""
        while self._coming and self._coming[-1][0] <= hour:
            end, stream, series = self._coming.pop()
            self._newest[stream.step][series] = end
            self._of_stream[stream] = end
            if end > self._first:
                self._seen.add(stream)
        settle_s = -(-self._settle_delay // timedelta(seconds=1))
        return Streams(
            rows={step: StepRows(newest=self._newest[step], delays=self._nothing) for step in STEPS},
            read_at=read_at,
            longest_s={},
            patience_s={},
            lateness_s=dict.fromkeys(self._seen, settle_s),
            newest=dict(self._of_stream),
            settle_delay=self._settle_delay,
        )


class Past:
    """
    The facts of each hour, requested in ascending order; one spend view serves all of them.

    Args:
        history: The stored past.
        watched: What is watched, and by which rules.
        span: The hours of the spend view: from the first that a rule needs to the last requested one.
        first: The first requested hour.
        view: The history's list of bills.
        is_explained: As in `Facts`.
    """

    def __init__(
        self,
        history: History,
        watched: Watched,
        span: HourRange,
        first: int,
        *,
        owners: OwnerDirectory,
        view: View = View.USAGE,
        is_explained: bool = False,
    ) -> None:
        has_names = bool(history.key_names or history.resources)
        self._owners = with_api_names(owners, history.key_names, history.resources) if has_names else owners
        self._keys: Past | None = None
        if history.keys is not None:
            self._keys = Past(history.keys, watched, span, first, owners=self._owners, view=View.API_KEY)
        self._history = history
        self._watched = watched
        self._first = first
        self._view = view
        self._is_explained = is_explained
        self._credit_from: dict[CategoryKey, int] = {}
        """The first hour in which a category's credit was known."""
        self._is_long = np.zeros(len(history.table), np.bool_)
        """Series with a row of more than an hour."""
        self._has_credit = np.zeros(len(history.table), np.bool_)
        """Series with a credit."""
        self._rows = _Rows(len(history.table), first, watched.settle_delay)
        self._coming: list[tuple[int, int, HourBlock]] = []
        """(hour in which it is known, hour of its start, rows with that start and end), latest first."""
        self.spend = SpendView(history.table, span, metrics=watched.metrics_of(view), owners=self._owners)
        # A row is known once it has ended, so none is ever spread over its hours so far.
        self.spend.advance(span.end)
        self.spend.fill(self._known_at_first(span))
        for key, book in history.books.items():
            for hour, summary in book.hours.items():
                if hour < span.start and summary.has_credit:
                    self._note_credit(key, summary.end)
        self._rows.begin()
        self._coming.sort(key=lambda part: part[0], reverse=True)

    def _known_at_first(self, span: HourRange) -> Iterator[tuple[int, HourBlock]]:
        """Yield what can be in the view from the start; a row of several hours would be visible before it is known."""
        names = self._history.table.names
        for hour, block in self._history.blocks(span.start):
            if not len(block):
                continue
            name = names[int(block.series[0])]
            key = (name.account, name.category)
            if key not in self._history.books:
                continue
            self._rows.note(key, hour, block)
            ends = hour + block.span.astype(np.int64)
            of_credits = ends[block.amount < 0]
            if len(of_credits):
                self._has_credit[block.series[block.amount < 0]] = True
                self._note_credit(key, int(of_credits.min()))
            is_long = block.span > 1
            self._is_long[block.series[is_long]] = True
            is_late = is_long & (ends > self._first)
            if not is_late.any():
                yield hour, block
                continue
            yield hour, block.part(~is_late)
            for end in distinct(ends[is_late]).tolist():
                self._coming.append((end, hour, block.part(ends == end)))

    def _note_credit(self, key: CategoryKey, hour: int) -> None:
        self._credit_from[key] = min(hour, self._credit_from.get(key, hour))

    def at(self, now: datetime) -> Facts:
        """Return what the daemon knew at an instant, which must not be before that of the last call."""
        parts = {View.USAGE: self} | ({View.API_KEY: self._keys} if self._keys is not None else {})
        for part in parts.values():
            part._advance(hour_of(now))  # noqa: SLF001 -- another of this class
        bills = (_bill_at(tracked, now) for tracked in self._history.bills)
        known = bisect_right(self._history.balances, now, key=lambda balance: balance.read_at)
        books = {view: part._books(now) for view, part in parts.items()}  # noqa: SLF001 -- as above
        held = Held(
            books=books,
            bills=tuple(bill for bill in bills if bill is not None),
            balances={balance.account: balance for balance in self._history.balances[:known]},
            terms=tuple(term for term in self._history.terms if term.bought_at <= now),
            owners=self._owners,
            streams={view: part._streams(now) for view, part in parts.items()},  # noqa: SLF001 -- as above
            last_read=LastRead(dropped=never_asked(books, self._watched)),
            watched_since=min(now, start_of(self._first)),
        )
        spend = {view: part.spend for view, part in parts.items()}
        return build_facts(held, self._watched, spend, now, is_explained=self._is_explained)

    def of(self, view: View) -> "Past":
        """
        Return the past of one list of bills.

        Raises:
            LookupError: Spend by API key was requested but is not available.
        """
        if view is self._view:
            return self
        if self._keys is None:
            raise LookupError("spend by API key is not at hand")
        return self._keys

    def ahead(self, hours: HourRange, now: datetime) -> Stretch | None:
        """
        Return what will be known in some hours, none before that of the last call; None if it may shrink.

        Args:
            now: When the first of them begins.
        """
        unknown = [row for row in self._coming if row[1] < hours.end]
        coming = [row for row in unknown if row[0] < hours.end]
        if any((column < 0).any() for *_, part in coming for column in (part.amount, part.voucher, part.pay)):
            return None
        return Stretch(
            view=self.spend,
            data=self.state(now),
            hours=hours,
            coming=coming,
            unknown=unknown,
            rows=self._rows.ending_before(hours.end),
            seen_from=self._rows.seen_from(hours.end),
            is_long=self._is_long,
            has_credit=self._has_credit,
            has_terms=bool(self._history.terms),
            settle_hours=-(-self._watched.settle_delay // timedelta(hours=1)),
            books=self._history.books,
            owners=self._owners,
        )

    def _advance(self, hour: int) -> None:
        """Update the spend view to what is known at the beginning of an hour."""
        self.spend.forget_sums()
        while self._coming and self._coming[-1][0] <= hour:
            _, start, part = self._coming.pop()
            self.spend.replace(start, empty_block(), part)

    @property
    def books(self) -> Mapping[CategoryKey, CategoryBook]:
        """The books as stored now."""
        return self._history.books

    def state(self, now: datetime) -> DataState:
        """Return what had been read at an instant, and the data edges."""
        return DataState(
            books=self._books(now),
            now=now,
            settle_delay=self._watched.settle_delay,
            known_streams=self._streams(now),
        )

    def _streams(self, now: datetime) -> Streams:
        return self._rows.streams(hour_of(now), dict.fromkeys(self._history.books, now))

    def _books(self, now: datetime) -> dict[CategoryKey, CategoryBook]:
        return {key: self._book(book, hour_of(now), now) for key, book in self._history.books.items()}

    def _book(self, book: CategoryBook, hour: int, now: datetime) -> CategoryBook:
        begun = HourRange(_LONG_AGO, hour + 1)
        return CategoryBook(
            account=book.account,
            category=book.category,
            view=book.view,
            hours=_CREDIT if self._credit_from.get(book.key, hour + 1) <= hour else {},
            covered=book.covered.within(begun),
            failed=book.failed.within(begun),
            error=book.error,
            read_at=now,
        )


def _bill_at(tracked: TrackedBill, now: datetime) -> TrackedBill | None:
    """
    Return a monthly bill as it was at an instant; None before it was first seen.

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
    """Return the last hour that can be replayed: the current one, or the last one that was read."""
    ends = [span.end - 1 for book in history.books.values() for span in book.covered]
    return min(hour_of(now), max(ends, default=hour_of(now)))
