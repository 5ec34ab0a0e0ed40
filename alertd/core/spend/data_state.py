"""What is known about the bills at a moment: how far each category was read, and what is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from functools import cached_property

from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, HourSet, hour_of, start_of
from alertd.core.labels import Patterns
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.stream import Streams, StreamState, streams_of
from alertd.core.words import format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Why some hours of a window are not known for sure."""

    account: str
    category: str
    text: str
    """A clause for people: "gpu could not be read since 12:00 UTC (HTTP 500)"."""
    may_hide_credit: bool
    """Whether the missing rows may include a credit, which would lower the sum."""


@dataclass(frozen=True, kw_only=True)
class DataState:
    """The books of all polled categories, queried together."""

    books: Mapping[tuple[str, str], CategoryBook]
    now: datetime
    settle_delay: timedelta
    known_streams: Streams | None = field(default=None, repr=False, compare=False)
    """How far each stream is billed, if not derived from the books: a replay sets it for a past moment."""
    _streams: list[Streams] = field(default_factory=list, repr=False, compare=False)
    _selected: dict[tuple[Patterns, Patterns], tuple[tuple[str, str], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _edges: dict[tuple[tuple[str, str], ...], int | None] = field(default_factory=dict, repr=False, compare=False)
    _gaps: dict[tuple[tuple[tuple[str, str], ...], HourRange], tuple[Gap, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    kept: dict[object, object] = field(default_factory=dict, repr=False, compare=False)
    """Results that other modules computed from the data, by keys of their own."""

    @cached_property
    def accounts(self) -> frozenset[str]:
        """The accounts that are polled."""
        return frozenset(account for account, _ in self.books)

    def select(self, account: Patterns, category: Patterns) -> tuple[tuple[str, str], ...]:
        """Return the (account, category) pairs that match both filters; cached, as many rules use the same filters."""
        found = self._selected.get((account, category))
        if found is None:
            found = tuple(key for key in self.books if account.matches(key[0]) and category.matches(key[1]))
            self._selected[account, category] = found
        return found

    @property
    def read_at(self) -> dict[tuple[str, str], datetime]:
        """When each category was last read successfully."""
        return {key: book.read_at for key, book in self.books.items() if book.read_at is not None}

    def use_streams(self, streams: Streams) -> None:
        """Use streams that were computed before."""
        self._streams[:] = [streams]

    def share_streams(self, other: "DataState | None") -> None:
        """Use the streams of other data if they are of the same books, in the same hour."""
        if other is None or not other._streams or (self.known_streams or other.known_streams) is not None:  # noqa: SLF001 -- another of this class
            return
        is_same = (
            hour_of(self.now) == hour_of(other.now)
            and self.settle_delay == other.settle_delay
            and self.books.keys() == other.books.keys()
            and all(book is other.books[key] for key, book in self.books.items())
        )
        if is_same:
            self.use_streams(other.streams)

    @property
    def streams(self) -> Streams:
        """The streams of all categories; computed once for all rules."""
        if self.known_streams is not None:
            return self.known_streams
        if not self._streams:
            self._streams.append(
                streams_of(
                    {key: book.arrivals for key, book in self.books.items()},
                    self.read_at,
                    now=self.now,
                    settle_delay=self.settle_delay,
                    # Stored before arrivals were recorded: until the next read, use the hours themselves.
                    stored={
                        key: [(hour, summary.end - hour) for hour, summary in book.hours.items()]
                        for key, book in self.books.items()
                        if not book.arrivals
                    },
                )
            )
        return self._streams[0]

    def edge(self, keys: Iterable[tuple[str, str]]) -> int | None:
        """Return the latest data edge of the given categories, None while none has one; cached."""
        asked = tuple(keys)
        if asked not in self._edges:
            each = (self.streams.edge(key) for key in asked)
            self._edges[asked] = max((edge for edge in each if edge is not None), default=None)
        return self._edges[asked]

    def gaps(self, keys: Iterable[tuple[str, str]], span: HourRange) -> tuple[Gap, ...]:
        """Return what is missing or doubted in a window, one gap per category; empty if it is complete. Cached."""
        asked = tuple(keys), span
        found = self._gaps.get(asked)
        if found is None:
            each = (self._gap(self.books[key], span) for key in asked[0])
            found = self._gaps[asked] = tuple(gap for gap in each if gap is not None)
        return found

    def gaps_now(self, window: HourRange) -> list[Gap]:
        """Return the gaps in a window; for a category that cannot be read now, the gaps up to now."""
        until_now = HourRange(window.start, max(hour_of(self.now) + 1, window.start))
        each = ((key, until_now if book.failed_at is not None else window) for key, book in self.books.items())
        return [gap for key, span in each for gap in self.gaps((key,), span)]

    def words(self, gaps: Iterable[Gap]) -> tuple[str, ...]:
        """Return gaps as text for people, with the account if there are several."""
        several = len(self.accounts) > 1
        return tuple(f"{gap.account}: {gap.text}" if several else gap.text for gap in gaps)

    def _gap(self, book: CategoryBook, span: HourRange) -> Gap | None:
        failed = book.failed.within(span)
        missing = book.covered.missing_from(span)
        doubted = sorted(hour for hour in book.suspicions if hour in span)
        if failed:
            text = f"{book.title} could not be read {_when(book, failed)} ({book.error or 'see the log'})"
        elif missing:
            first = start_of(missing.ranges[0].start)
            text = f"{book.title} was not read yet for {sum(map(len, missing))} hours from {format_instant(first)}"
        elif doubted:
            text = (
                f"{book.title} spend of {format_instant(start_of(doubted[0]))} is gone from the bills or less than "
                "half; it counts as before until a second read says the same"
            )
        else:
            return None
        # A doubted hour alone hides no credit: its held amount was billed, and counts until two reads say otherwise.
        hides = book.has_credit and bool(failed or missing)
        return Gap(account=book.account, category=book.category, text=text, may_hide_credit=hides)


def streams_of_book(book: CategoryBook, now: datetime, settle_delay: timedelta) -> tuple[StreamState, ...]:
    """Return how far each of a category's streams is billed, and how late its rows come."""
    return DataState(books={book.key: book}, now=now, settle_delay=settle_delay).streams.states(book.key)


def edge_of_book(book: CategoryBook, now: datetime, settle_delay: timedelta) -> int | None:
    """Return the latest edge of a category's streams; None while nothing is known."""
    return max((stream.edge for stream in streams_of_book(book, now, settle_delay)), default=None)


def _when(book: CategoryBook, failed: HourSet) -> str:
    """Return when reads began to fail, or which hours failed if newer ones can be read, as text."""
    if book.failed_at is not None:
        return f"since {format_instant(book.failed_at)}"
    return f"for {sum(map(len, failed))} hours from {format_instant(start_of(failed.ranges[0].start))}"
