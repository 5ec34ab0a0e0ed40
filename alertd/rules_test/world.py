"""
The billing API of a test: the bills at the clock's time, including late and revised rows.

It answers as `alertd.novita` would; the daemon decides what to do with the answers.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from alertd.core.dataclass import dataclass
from alertd.core.hand_clock import HandClock
from alertd.core.hours import SECONDS_PER_HOUR, HourRange, hour_of
from alertd.core.money import UNITS_PER_USD, Usd
from alertd.core.resources import Listed, Listing, ResourceKind
from alertd.core.spend.bill import SUBSCRIPTION, Balance, BillRows, KeyBills, MonthlyBill, Series
from alertd.core.spend.subscription import rows_of
from alertd.core.utilization import WHOLE, Sample
from alertd.errors import ApiUnavailable
from alertd.rules_test.model import BilledSeries, InstanceEntry, MonthlyEntry, RuleTest, StatusChange
from alertd.rules_test.subscriptions import terms_of

_NEVER = 2**62
_SAMPLED_S = 300


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the bills and when it is visible, in seconds from the start."""

    series: int
    hour: int
    span: int
    amount: Usd
    voucher: int
    shown_from: float
    shown_until: float


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of one category as columns."""

    names: tuple[Series, ...]
    hour: NDArray[np.int32]
    span: NDArray[np.int32]
    series: NDArray[np.int32]
    amount: NDArray[np.int64]
    voucher: NDArray[np.int64]
    shown_from: NDArray[np.int64]
    shown_until: NDArray[np.int64]


class BillsOfTest:
    """The bills of one account, for the duration of one test."""

    def __init__(self, test: RuleTest, account: str, *, is_only: bool, clock: HandClock) -> None:
        self._test = test
        self._account = account
        self._clock = clock
        self._start = hour_of(test.start)
        own = {account, ""} if is_only else {account}
        self._monthly = [one for one in test.monthly_bills if one.account in own]
        self._instances = [one for one in test.instances if one.account in own]
        bought = [one for one in test.subscriptions if one.account in own]
        self._terms = [term for one in bought for term in terms_of(one, account, self._start)]
        self._balances = sorted((one for one in test.balances if one.account in own), key=lambda one: one.at)
        self._rows = self._by_category([one for one in test.bills if one.account in own])
        self._key_rows = self._by_category([one for one in test.key_bills if one.account in own])

    def _by_category(self, series: list[BilledSeries]) -> dict[str, _Rows]:
        return {
            category: self._columns([one for one in series if one.category == category])
            for category in dict.fromkeys(one.category for one in series)
        }

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        """Return the rows of a range that are visible now; for subscriptions, the charges of the terms bought."""
        if category == SUBSCRIPTION and self._terms:
            self._refuse(category)
            now = self._clock.now
            return rows_of(term for term in self._terms if term.bought_at <= now and hour_of(term.bought_at) in span)
        return self._read(self._rows, category, span)

    async def read_resources(self, kind: ResourceKind) -> Listing:
        """Return the instances that exist now; a test has no endpoints."""
        self._refuse("")
        if kind is not ResourceKind.INSTANCE:
            return Listing(entries=())
        return Listing(entries=tuple(filter(None, map(self._listed, self._instances))))

    def _listed(self, one: InstanceEntry) -> Listed | None:
        past = [change for change in one.status if change.at <= self._since_start()]
        if one.status and not past:
            return None
        status = past[-1].is_ if past else "running"
        return Listed(id=one.id, name=one.name, status=status, product=one.product, gpus=one.gpus)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[Sample, ...]:
        """Return a utilisation sample every five minutes, as far as the test specifies it."""
        self._refuse("")
        found: list[Sample] = []
        for one in self._instances:
            if one.id == owner and one.utilization is not None:
                for hour, percent in enumerate(one.utilization.amounts, self._start + one.start.hours):
                    if percent is not None:
                        share = percent * WHOLE // (100 * UNITS_PER_USD)
                        first = hour * SECONDS_PER_HOUR
                        found += ((at, share) for at in range(first, first + SECONDS_PER_HOUR, _SAMPLED_S))
        first_s, last_s = int(start.timestamp()), int(end.timestamp())
        return tuple(sample for sample in found if first_s <= sample[0] < last_s)

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        """Return the rows of a range that the list by API key shows now; keys have no names in a test."""
        return KeyBills(rows=self._read(self._key_rows, category, span), keys=())

    async def read_balance(self, read_at: datetime) -> Balance:
        """Return the balance as of now."""
        self._refuse("")
        past = [change for change in self._balances if change.at <= self._since_start()]
        if not past:
            raise ApiUnavailable("the test has no balance", account=self._account, what="balance")
        return Balance(account=self._account, available=past[-1].available, read_at=read_at)

    def _read(self, known: dict[str, _Rows], category: str, span: HourRange) -> BillRows:
        self._refuse(category)
        rows = known.get(category)
        if rows is None:
            return _bill_rows((), *(np.zeros(0, np.int64) for _ in range(5)))
        now_s = int(self._since_start() // timedelta(seconds=1))
        is_shown = (rows.shown_from <= now_s) & (now_s < rows.shown_until)
        chosen = np.flatnonzero(is_shown & (rows.hour >= span.start) & (rows.hour < span.end))
        amount, voucher = rows.amount[chosen], rows.voucher[chosen]
        return _bill_rows(rows.names, rows.hour[chosen], rows.span[chosen], rows.series[chosen], amount, voucher)

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        """Return the monthly bills of a month and later that exist now."""
        self._refuse("")
        found = []
        for entry in self._monthly:
            past = [change for change in entry.status if change.at <= self._since_start()]
            if past and entry.month.text >= start_month:
                found.append(_monthly_bill(entry, past[-1], self._account))
        return tuple(found)

    async def ask_time(self) -> None:
        """Do nothing: the API's clock is the test's clock."""

    def _since_start(self) -> timedelta:
        return self._clock.now - self._test.start

    def _refuse(self, category: str) -> None:
        """Raise if the test lets this read fail; without a category it is a read of monthly bills or the balance."""
        for reads in self._test.unread:
            is_meant = reads.category.matches(category) if category else not reads.category.texts
            if reads.account.matches(self._account) and is_meant and reads.start <= self._since_start() < reads.end:
                what = category or "monthly bills and balance"
                raise ApiUnavailable("the test lets this read fail", account=self._account, what=what)

    def _columns(self, series: list[BilledSeries]) -> _Rows:
        rows = [row for number, one in enumerate(series) for row in _rows_of(number, one)]
        return _Rows(
            names=tuple(_name(one, self._account) for one in series),
            hour=np.array([self._start + row.hour for row in rows], np.int32),
            span=np.array([row.span for row in rows], np.int32),
            series=np.array([row.series for row in rows], np.int32),
            amount=np.array([row.amount for row in rows], np.int64),
            voucher=np.array([row.voucher for row in rows], np.int64),
            shown_from=np.array([row.shown_from for row in rows], np.int64),
            shown_until=np.array([row.shown_until for row in rows], np.int64),
        )


def _name(one: BilledSeries, account: str) -> Series:
    return Series(
        account=account,
        category=one.category,
        subcategory=one.subcategory,
        owner=one.owner,
        product=one.product,
        product_id=one.product_id,
        billing_method=one.billing_method,
    )


def _rows_of(number: int, one: BilledSeries) -> Iterator[_Row]:
    """Yield every row of a series that is ever visible: as first billed, and as revised."""
    versions: dict[int, list[tuple[int, Usd | None]]] = {}
    for index, amount in enumerate(one.hours.amounts):
        hour = one.start.hours + index * one.span.hours
        shown_from = (hour + one.span.hours) * SECONDS_PER_HOUR + int(one.late.total_seconds())
        versions[hour] = [(shown_from, amount)]
    for revision in sorted(one.revised, key=lambda revision: revision.at):
        first = (revision.start or one.start).hours
        for index, amount in enumerate(revision.hours.amounts):
            hour = first + index * one.span.hours
            shown_from = max(int(revision.at.total_seconds()), (hour + one.span.hours) * SECONDS_PER_HOUR)
            versions.setdefault(hour, []).append((shown_from, amount))
    # A version that would appear later than its replacement is never visible.
    for hour, notified in versions.items():
        for (shown_from, amount), (shown_until, _) in pairwise([*notified, (_NEVER, None)]):
            if amount is not None:
                voucher = int(amount * one.voucher)
                yield _Row(number, hour, one.span.hours, amount, voucher, shown_from, shown_until)


def _bill_rows(
    names: tuple[Series, ...],
    hour: NDArray[np.signedinteger],
    span: NDArray[np.signedinteger],
    series: NDArray[np.signedinteger],
    amount: NDArray[np.int64],
    voucher: NDArray[np.int64],
) -> BillRows:
    return BillRows(
        names=names,
        hour=hour.astype(np.int32),
        span=span.astype(np.int32),
        series=series.astype(np.int32),
        amount=amount,
        voucher=voucher,
        pay=amount - voucher,
    )


def _monthly_bill(entry: MonthlyEntry, change: StatusChange, account: str) -> MonthlyBill:
    return MonthlyBill(
        account=account,
        bill_id=entry.id,
        month=entry.month.text,
        status=change.is_.value,
        total=entry.total,
        origin_total=entry.total,
        voucher_paid=Usd(0),
        cash_paid=Usd(0),
        debt=entry.debt if change.debt is None else change.debt,
        repaid=entry.repaid if change.repaid is None else change.repaid,
    )
