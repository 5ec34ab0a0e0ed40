"""
`data_stale`: hours since the last complete read of the bills of some categories.

It evaluates reads, not spend, so it never lacks data. The built-in alert `alertd-blind` does the same for accounts with
a fixed limit; this rule is for other limits, single categories and other receivers.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Annotated, ClassVar

from alertd.core.alert import ACCOUNT_SEPARATOR, Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.hours import start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.rules.base import NOT_MATCHED, Key, Rule, highest, ratio_decimal, rising_problems
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.core.spend.bill import CATEGORIES
from alertd.core.spend.data_state import DataState, edge_of_book
from alertd.core.spend.ledger import CategoryBook
from alertd.core.words import format_age, format_instant, format_list

_GROUPS = ("account", "category")
_NAMED = 3
"""Maximum number of categories named in the headline; the rest is counted."""
_LISTED = 5
"""Maximum number of categories listed with their errors; the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class DataStale(Rule):
    """Measure the hours since the last complete read of the selected categories: the one read longest ago counts."""

    TYPE: ClassVar[str] = "data_stale"
    HELP: ClassVar[str] = (
        "Hours since the last complete successful read of the selected categories; one alert per account, or as "
        "`group_by` (account, category) says."
    )
    ADVICE: ClassVar[str] = (
        "Look at the errors below: `alertd check --online` asks the API again and says what to change. Until the bills "
        "are read again, no new spend raises an alert: look in the Novita console meanwhile."
    )
    NOT_REPLAYED: ClassVar[str] = "it depends on reads, not on bills"

    account: Annotated[Patterns, Key("A value, a glob or a list of them; `!x` excludes.", example="prod")] = Patterns()
    category: Annotated[
        Patterns,
        Key(
            "The productCategory polled. A value, a glob or a list of them; `!x` excludes.",
            example="gpu",
            words=CATEGORIES,
            is_closed=True,
        ),
    ] = Patterns()
    group_by: Annotated[
        tuple[str, ...],
        Key(
            "`account`, `category` or both. Empty: one alert for everything.",
            example=["account", "category"],
            words=("account", "category"),
            is_closed=True,
        ),
    ] = ("account",)
    thresholds: Annotated[
        Mapping[Severity, timedelta],
        Key(
            "Severity to the time without a complete read; make it several poll intervals, or each "
            "slow poll raises an alert.",
            example={"warning": "3h", "critical": "12h"},
            at_least=timedelta(minutes=1),
        ),
    ]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with groups and thresholds."""
        if not set(self.group_by) <= set(_GROUPS):
            yield "group_by", "data_stale depends on reads: it can group by account and category only"
        yield from rising_problems("thresholds", self.thresholds)

    @property
    def group_keys(self) -> tuple[str, ...]:
        """The rule's `group_by`, sorted."""
        return tuple(sorted(self.group_by))

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge the reads of every group."""
        groups: dict[Labels, list[CategoryBook]] = {}
        for key in facts.data.select(self.account, self.category):
            names = dict(zip(_GROUPS, key, strict=True))
            group = tuple((name, names[name]) for name in self.group_keys)
            groups.setdefault(group, []).append(facts.data.books[key])
        samples = (self._sample(facts, group, books) for group, books in groups.items())
        return [sample for sample in samples if sample.held is not None or sample.group in watched]

    def left_out(self, facts: Facts, group: Labels) -> str:
        """Return why a group is no longer judged: none of its categories is watched; empty while one is."""
        selected = facts.data.select(self.account, self.category)
        is_watched = any(set(group) <= set(zip(_GROUPS, key, strict=True)) for key in selected)
        return "" if is_watched else NOT_MATCHED

    def _sample(self, facts: Facts, group: Labels, books: Sequence[CategoryBook]) -> Sample:
        limits = {severity: seconds_of(limit) for severity, limit in self.thresholds.items()}
        leave = {severity: ceil(limit * self.resolve_below) for severity, limit in limits.items()}
        age = facts.now - unread_since(facts, books)
        held = highest(leave, seconds_of(age))
        stale = [b for b in books if seconds_of(facts.now - unread_since(facts, (b,))) >= min(leave.values())]
        accounts = sorted({book.account for book in books})
        account = ACCOUNT_SEPARATOR.join(accounts) or dict(group).get("account", "")
        refused = (facts.refused[name] for name in accounts if name in facts.refused)
        return Sample(
            group=group,
            labels=(*self.labels, *group),
            account=account,
            headline=_headline(stale if held else books, account, age, is_stale=held is not None),
            value=hours_of(age),
            unit=Unit.HOURS,
            reached=highest(limits, seconds_of(age)),
            held=held,
            thresholds=tuple((severity, hours_of(limit)) for severity, limit in sorted(self.thresholds.items())),
            as_of=read_edge(facts, books),
            is_complete=True,
            facts=(*(("Key refused", remedy) for remedy in refused), *_reads(stale, is_wide=len(accounts) > 1)),
        )


def seconds_of(age: timedelta) -> int:
    """Return an age in whole seconds, in which ages are compared."""
    return int(age.total_seconds())


def hours_of(age: timedelta) -> Decimal:
    """Return an age in hours as the value of a sample."""
    return ratio_decimal(Fraction(seconds_of(age), 3600))


def unread_since(facts: Facts, books: Iterable[CategoryBook]) -> datetime:
    """Return the oldest last read of some categories; one never read counts from when watching began."""
    return min((book.read_at or facts.watched_since or facts.now for book in books), default=facts.now)


def read_edge(facts: Facts, books: Iterable[CategoryBook]) -> datetime:
    """Return the time through which all categories with known edges are billed; now if there are none."""
    edges = (_edge(facts.data, book) for book in books)
    known = [edge for edge in edges if edge is not None]
    return start_of(min(known)) if known else facts.now


def _edge(data: DataState, book: CategoryBook) -> int | None:
    # The streams in *data* are built once for all rules; they do not include those of another view's book.
    if data.known_streams is None and data.books.get(book.key) is book:
        return data.streams.edge(book.key)
    return edge_of_book(book, data.now, data.settle_delay)


def last_read(book: CategoryBook) -> str:
    """Return why a category cannot be read, if it cannot, and when it was last read."""
    read = f"last read {format_instant(book.read_at) if book.read_at else 'never'}"
    return f"{book.error}; {read}" if book.error else read


def _reads(books: Sequence[CategoryBook], *, is_wide: bool) -> Iterator[tuple[str, str]]:
    ordered = sorted(books, key=lambda book: book.key)
    for book in ordered[:_LISTED]:
        yield f"{book.account}: {book.category}" if is_wide else book.category, last_read(book)
    if len(ordered) > _LISTED:
        more = len(ordered) - _LISTED
        yield "And more", f"{more} categories" if more > 1 else "1 category"


def _headline(books: Sequence[CategoryBook], account: str, age: timedelta, *, is_stale: bool) -> str:
    names = sorted({book.category for book in books})
    what = f"{format_list(names, most=_NAMED)} ({account})"
    return f"No complete read of {what} for {format_age(age)}" if is_stale else f"Bills are read again: {what}"
