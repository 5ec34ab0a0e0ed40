"""
What a cycle works with: the memory between cycles, the plan, the report, and the protocols that others fill.

Data and shapes only; `intake` reads and files, `cycle` judges and decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from alertd.core.alert import Alert
from alertd.core.audience import Audience
from alertd.core.bill import BillRows, MonthlyBill, TrackedBill
from alertd.core.block import HourBlock
from alertd.core.dispatch import Decisions
from alertd.core.hours import HOURS_PER_DAY, HourRange, hour_of, midnight_before
from alertd.core.ledger import CategoryBook, SeriesTable
from alertd.core.outbox import OutboxEntry
from alertd.core.quieting import Quieted
from alertd.core.rules.base import Rule
from alertd.core.silence import Silence
from alertd.core.spend import SpendView

Key = tuple[str, str]
"""(account, category)."""


class BillSource(Protocol):
    """The billing API of one account."""

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        """
        Return every row of a range, whole or not at all.

        Raises:
            ApiError: It could not be read.
        """

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        """
        Return every monthly bill from a month on.

        Raises:
            ApiError: They could not be read.
        """

    @property
    def last_server_date(self) -> datetime | None:
        """The API's own clock at the last answer."""


class FactStore(Protocol):
    """What a cycle asks of the store; each call is one transaction and runs on the store's own thread."""

    async def load(self) -> "Memory":
        """Return books, series, monthly bills and alerts as stored."""

    async def fill(self, view: SpendView, from_hour: int) -> None:
        """Fill an empty view with every stored block that reaches into *from_hour* or later."""

    async def save_facts(
        self,
        table: SeriesTable,
        books: Mapping[Key, CategoryBook],
        blocks: Mapping[Key, Mapping[int, HourBlock]],
        bills: Sequence[TrackedBill],
    ) -> Mapping[Key, Mapping[int, HourBlock]]:
        """Store what was read and return the blocks that were there before, for the hours that changed."""

    async def save_quieting(self, quieted: Quieted, entries: Sequence[OutboxEntry], now: datetime) -> None:
        """Store acknowledgements and silences with their history and notifications, in one transaction."""

    async def decide(self, decide: Callable[[Sequence[OutboxEntry]], Decisions], now: datetime) -> Decisions:
        """Give the open outbox entries to *decide* and store what it returns, in one transaction."""


@dataclass(slots=True, kw_only=True)
class Memory:
    """What the daemon holds between cycles; always equal to what is stored."""

    table: SeriesTable
    books: dict[Key, CategoryBook]
    bills: dict[tuple[str, str], TrackedBill]
    alerts: dict[str, Alert]
    """By fingerprint, the latest episode."""
    silences: dict[str, Silence]
    """By id, those that nobody ended; their time may have run out."""
    watched_since: datetime
    """When this store was made: blindness counts from here while nothing was read."""
    is_fresh: bool
    """No cycle has finished yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to watch: the rules and whom to tell. Replaced whole at reload."""

    accounts: Mapping[str, BillSource]
    categories: tuple[str, ...]
    rules: tuple[Rule, ...]
    audience: Audience
    headline_of: Callable[[Alert, Rule | None], str]

    def horizon(self, now: datetime) -> int:
        """Return the first hour that some rule can see."""
        furthest = max((rule.lookback() for rule in self.rules if rule.enabled), default=timedelta())
        # The data edge may lie a day behind; the day before is what its window begins in.
        return midnight_before(hour_of(now - furthest)) - HOURS_PER_DAY


@dataclass(slots=True, kw_only=True)
class CycleReport:
    """What one cycle did: the one log line, and what `--once` judges by."""

    started_at: datetime
    rows: int = 0
    ranges: int = 0
    hours_changed: int = 0
    hours_doubted: int = 0
    rows_rounded: int = 0
    errors: list[str] = field(default_factory=list)
    rule_errors: list[str] = field(default_factory=list)
    firing: int = 0
    pending: int = 0
    moves: list[str] = field(default_factory=list)
    notifications: int = 0
    read_s: float = 0.0
    evaluate_s: float = 0.0
    decide_s: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether everything was read and every rule judged."""
        return not self.errors and not self.rule_errors

    def figures(self) -> tuple[tuple[str, str | int], ...]:
        """Return what log line and history show, in this order."""
        return (
            ("rows", self.rows),
            ("ranges", self.ranges),
            ("hours_changed", self.hours_changed),
            ("hours_doubted", self.hours_doubted),
            ("rows_rounded", self.rows_rounded),
            ("firing", self.firing),
            ("pending", self.pending),
            ("notifications", self.notifications),
            ("read_ms", int(self.read_s * 1000)),
            ("evaluate_ms", int(self.evaluate_s * 1000)),
            ("decide_ms", int(self.decide_s * 1000)),
            ("errors", "; ".join(self.errors)),
            ("rule_errors", ", ".join(self.rule_errors)),
        )
