"""
A made-up account: its meters, how its bills are kept, and the exact truth about both.

PURE: everything is a function of the world and of the `now` that is handed in. The days that were asked for are
remembered, up to a bound, because a client asks for the same ones again and again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from alertd.simulator.meters import DAY_S, Meter, charges_of_day, day_of, to_usd
from alertd.simulator.rows import USUAL, Publication, Row, Version, publish
from alertd.simulator.subscriptions import Subscription, terms_between

MAX_REMEMBERED_ROWS = 150_000
"""Cache limit: three months of twenty owners, about 100 MB. A larger world recomputes its days."""

CATEGORIES = (
    "gpu",
    "llm",
    "serverless",
    "cloud_storage",
    "gen_api",
    "cloud_sandbox",
    "llm_dedicated_endpoint",
    "web_search",
    "bare_metal",
)
"""Every product category except `summary`, which is their control total."""


class BillStatus(StrEnum):
    """The states of a monthly bill."""

    PENDING = "pending"
    OUTED = "outed"
    PAID = "paid"
    OVERDUE = "overdue"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementStep:
    """The state of a monthly bill from *after* its issue on; shares are of the part to be paid in cash."""

    after: timedelta
    status: BillStatus
    debt_percent: int = 0
    repaid_percent: int = 0


Settlement = tuple[SettlementStep, ...]
"""The states of a monthly bill after it is issued, in chronological order."""

PAID_IN_A_WEEK: Settlement = (SettlementStep(after=timedelta(days=7), status=BillStatus.PAID),)


class Money(NamedTuple):
    """A sum in 1e-10 USD: the whole, and the part of it that vouchers pay."""

    amount: int = 0
    voucher: int = 0

    def plus(self, other: "Money | Version") -> "Money":
        """Return the sum of both."""
        return Money(self.amount + other.amount, self.voucher + other.voucher)


class SeenRow(NamedTuple):
    """A row and one version of it."""

    row: Row
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """
    An account that spends from *begins_at* on, without end.

    Attributes:
        begins_at: A midnight UTC, before which nothing was spent.
        settlements: How the bill of a month, `YYYY-MM`, is settled; bills of other months are paid within a week.
        opening_usd: The cash balance at the beginning; *monthly_top_up_usd* joins it on the first of every later month.
        summary: One line for people: what there is to see.
    """

    name: str
    summary: str
    seed: int
    begins_at: datetime
    meters: tuple[Meter, ...]
    publication: Publication = USUAL
    settlements: Mapping[str, Settlement] = field(default_factory=dict)
    user_id: str = "user-7f3a"
    opening_usd: Decimal = Decimal(10_000)
    monthly_top_up_usd: Decimal = Decimal(0)
    credit_limit_usd: Decimal = Decimal(500)
    subscriptions: tuple[Subscription, ...] = ()
    _days: dict[tuple[str, int], tuple[Row, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _totals: dict[int, Money] = field(default_factory=dict, init=False, repr=False, compare=False)

    def rows_of_day(self, category: str, day: int) -> tuple[Row, ...]:
        """Return every row of *category* that starts on *day* (days since 1970), visible or not."""
        rows = self._days.get((category, day))
        if rows is None:
            rows = () if day < day_of(self.begins_at) else tuple(self._make_rows(category, day))
            self._remember((category, day), rows)
        return rows

    def _make_rows(self, category: str, day: int) -> Iterator[Row]:
        for meter in self.meters:
            if meter.category == category:
                for charge in charges_of_day(meter, seed=self.seed, day=day):
                    yield publish(meter, charge, seed=self.seed, publication=self.publication)

    def _remember(self, place: tuple[str, int], rows: tuple[Row, ...]) -> None:
        self._days[place] = rows
        remembered = sum(map(len, self._days.values()))
        while remembered > MAX_REMEMBERED_ROWS and len(self._days) > 1:
            oldest = next(iter(self._days))
            remembered -= len(self._days.pop(oldest))

    def visible_rows(self, category: str, start_s: int, end_s: int, *, now: datetime) -> Iterator[SeenRow]:
        """
        Yield the rows of *category* that a reader at *now* finds touching [start_s, end_s), Unix seconds.

        A row that begins before *start_s* and reaches into the interval is among them.
        """
        now_s = int(now.timestamp())
        for day in _days_touched(max(start_s, int(self.begins_at.timestamp())), min(end_s, now_s)):
            for row in self.rows_of_day(category, day):
                if row.start_s < end_s and row.end_s > start_s:
                    version = row.visible_at(now_s)
                    if version is not None:
                        yield SeenRow(row, version)

    def final_rows(self, category: str, start_s: int, end_s: int) -> Iterator[SeenRow]:
        """Yield the rows of *category* that start in [start_s, end_s), Unix seconds, in their final version."""
        for day in _days_touched(max(start_s, int(self.begins_at.timestamp())), end_s):
            for row in self.rows_of_day(category, day):
                if start_s <= row.start_s < end_s and row.final is not None:
                    yield SeenRow(row, row.final)

    def final_spend(
        self, start: datetime, end: datetime, *, category: str | None = None, owner_id: str | None = None
    ) -> Decimal:
        """
        Return the final, exact total in USD of the rows that start in [start, end).

        A row that is billed by the day counts in full at its midnight.
        """
        bounds = int(start.timestamp()), int(end.timestamp())
        seen = (row for each in _chosen(category) for row in self.final_rows(each, *bounds))
        return _sum_usd(seen, owner_id)

    def final_total(self, first_day: int, end_day: int) -> Money:
        """Return the final total of the days in [first_day, end_day), days since 1970, over all categories."""
        total = Money()
        for day in range(max(first_day, day_of(self.begins_at)), end_day):
            total = total.plus(self._total_of_day(day))
        return total

    def _total_of_day(self, day: int) -> Money:
        total = self._totals.get(day)
        if total is None:
            total = Money()
            for category in CATEGORIES:
                for _, version in self.final_rows(category, day * DAY_S, (day + 1) * DAY_S):
                    total = total.plus(version)
            begins = datetime.fromtimestamp(day * DAY_S, UTC)
            total = total.plus(self.subscribed(begins, begins + timedelta(days=1)))
            self._totals[day] = total
        return total

    def subscribed(self, start: datetime, end: datetime) -> Money:
        """Return what was paid for fixed terms in [start, end)."""
        total = Money()
        for term in terms_between(self.subscriptions, start, end):
            total = total.plus(Money(term.of.amount, term.of.voucher))
        return total


def _days_touched(start_s: int, end_s: int) -> range:
    # A row never crosses midnight UTC, so the days of the interval hold every row that touches it.
    return range(start_s // DAY_S, -(-end_s // DAY_S))


def _chosen(category: str | None) -> tuple[str, ...]:
    return CATEGORIES if category is None else (category,)


def _sum_usd(rows: Iterator[SeenRow], owner_id: str | None) -> Decimal:
    return to_usd(sum(version.amount for row, version in rows if owner_id in {None, row.meter.owner_id}))
