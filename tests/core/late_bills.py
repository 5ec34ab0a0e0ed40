"""
A made world whose bills come late, in steps and revised, polled as the daemon polls: for tests and benchmarks of truth.

Rows are shown from an instant on; each poll reads the ranges that are due and files them; rules are judged over what is
known then. Nothing here computes an expected value.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from alertd.core.alert import Alert, Sample
from alertd.core.alerts.judge import judge
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.rules.watched import Watched
from alertd.core.spend.bill import BillRows
from alertd.core.spend.block import HourBlock, empty_block
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook, SeriesTable, file_failure, file_rows
from alertd.core.spend.reading import Cadence, plan_reads
from alertd.core.spend.view import SpendView
from tests.core.builders import SETTLE, Row, a_series, usd

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
"""Day 1 of every world."""
FIRST = hour_of(BEGIN)
_NEVER = 2**62


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """An instant of a day, day 1 being the first."""
    return BEGIN + timedelta(days=day - 1, hours=hour, minutes=minute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One row and when the bills show it, in seconds since the epoch."""

    row: Row
    shown_from: float
    shown_until: float = _NEVER


def hourly(
    hours: Iterable[int],
    amount: str | Callable[[int], str],
    *,
    late: float | Callable[[int], float] = 0,
    category: str = "gpu",
    owner: str = "gpu-1",
) -> list[Shown]:
    """Rows of an hour each; *late* hours after their end."""
    found = []
    for hour in hours:
        cost = amount(hour) if callable(amount) else amount
        delay = late(hour) if callable(late) else late
        row = Row(series=a_series(owner, category=category), hour=hour, amount=usd(cost))
        found.append(Shown(row=row, shown_from=(hour + 1 + delay) * 3600))
    return found


def daily(
    days: Iterable[int],
    amount: str,
    *,
    late: float | Callable[[int], float] = 9,
    category: str = "cloud_storage",
    owner: str = "disk-1",
) -> list[Shown]:
    """Rows of a day each, days counted from 1; *late* hours after the day."""
    found = []
    for day in days:
        hour = FIRST + (day - 1) * 24
        delay = late(day) if callable(late) else late
        row = Row(series=a_series(owner, category=category), hour=hour, span=24, amount=usd(amount))
        found.append(Shown(row=row, shown_from=(hour + 24 + delay) * 3600))
    return found


@dataclass(slots=True)
class LateBills:
    """The world, and what a daemon that polls it has read."""

    rows: Sequence[Shown]
    rules: tuple[Rule, ...]
    settle_delay: timedelta = SETTLE
    cadence: Cadence = field(default_factory=Cadence)
    is_down: Callable[[datetime, str], bool] = lambda _now, _category: False
    table: SeriesTable = field(default_factory=SeriesTable)
    books: dict[tuple[str, str], CategoryBook] = field(default_factory=dict)
    blocks: dict[tuple[str, str, int], HourBlock] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    view: SpendView | None = None
    reads: list[tuple[str, HourRange, datetime]] = field(default_factory=list)
    """Every successful read: of which category, what it asked for, and when."""
    _by_category: dict[str, "_Columns"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for category in sorted({shown.row.series.category for shown in self.rows}):
            mine = [shown for shown in self.rows if shown.row.series.category == category]
            self._by_category[category] = _Columns(mine)

    def poll(self, now: datetime) -> Facts:
        """Read what is due of every category, and return what is known then."""
        watched = Watched(accounts=("default",), rules=self.rules, settle_delay=self.settle_delay)
        horizon = watched.horizon(now)
        for category, columns in self._by_category.items():
            key = ("default", category)
            book = self.books.get(key) or CategoryBook(account=key[0], category=category)
            spans = plan_reads(
                book, now, horizon=horizon, settle_delay=self.settle_delay, cadence=self.cadence, first=FIRST
            )
            for span in spans:
                if self.is_down(now, category):
                    self.books[key] = book = file_failure(book, span, error="HTTP 500", failed_at=now)
                    break
                filing = file_rows(book, self.table, columns.answer(span, now.timestamp()), span, read_at=now)
                self.books[key] = book = filing.book
                self.reads.append((category, span, now))
                for hour, block in filing.blocks.items():
                    before = self.blocks.get((*key, hour), empty_block())
                    self.blocks[*key, hour] = block
                    if self.view is not None:
                        self.view.replace(hour, before, block)
        return self.facts(now)

    def facts(self, now: datetime) -> Facts:
        """What a rule may look at now."""
        if self.view is None or hour_of(now) + 24 >= self.view.span.end:
            self.view = SpendView(self.table, HourRange(FIRST - 24, hour_of(now) + 24 * 40), owners=OwnerDirectory())
            self.view.advance(hour_of(now))
            self.view.fill((hour, block) for (_, _, hour), block in self.blocks.items())
        self.view.advance(hour_of(now))
        data = DataState(books=self.books, now=now, settle_delay=self.settle_delay)
        return Facts(now=now, spend=self.view, data=data, is_explained=False)

    def judge(self, now: datetime) -> dict[str, Alert]:
        """Poll and judge every rule; return the alerts by fingerprint, resolved ones included."""
        moves, faults = judge(self.rules, self.poll(now), self.alerts, {"default"})
        if faults:
            raise faults[0][1]
        for move in moves:
            self.alerts[move.after.fingerprint] = move.after
        return self.alerts

    def sample(self, now: datetime) -> Sample:
        """Poll and return what the first rule says of the whole."""
        (sample,) = self.rules[0].evaluate(self.poll(now), [()])
        return sample


def polls(first: datetime, last: datetime, every: timedelta = timedelta(hours=1)) -> Iterator[datetime]:
    """Yield the instants of polls, both ends included."""
    now = first
    while now <= last:
        yield now
        now += every


class _Columns:
    """The rows of one category as arrays."""

    def __init__(self, rows: Sequence[Shown]) -> None:
        kept = sorted(rows, key=lambda shown: shown.row.hour)
        names = {series: n for n, series in enumerate(dict.fromkeys(shown.row.series for shown in kept))}
        self._names = tuple(names)
        self._hour = np.array([s.row.hour for s in kept], np.int32)
        self._span = np.array([s.row.span for s in kept], np.int32)
        self._series = np.array([names[s.row.series] for s in kept], np.int32)
        self._amount = np.array([s.row.amount for s in kept], np.int64)
        self._from = np.array([s.shown_from for s in kept])
        self._until = np.array([s.shown_until for s in kept])

    def answer(self, span: HourRange, now_s: float) -> BillRows:
        low, high = np.searchsorted(self._hour, (span.start, span.end))
        shown = (self._from[low:high] <= now_s) & (now_s < self._until[low:high])
        chosen = low + np.flatnonzero(shown)
        amount = self._amount[chosen]
        return BillRows(
            names=self._names,
            hour=self._hour[chosen],
            span=self._span[chosen],
            series=self._series[chosen],
            amount=amount,
            voucher=np.zeros(len(amount), np.int64),
            pay=amount,
        )


__all__ = ["BEGIN", "FIRST", "LateBills", "Shown", "at", "daily", "hourly", "polls", "start_of"]
