"""
Monthly bills and the balance, as they stand at an instant.

Decides status, debt and sums from the world's hourly truth. Paging and JSON are not its business.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alertd.simulator.meters import UNITS_PER_USD, day_of
from alertd.simulator.world import PAID_IN_A_WEEK, BillStatus, Money, SettlementStep, World

FIRST_MONTH = datetime(2025, 10, 1, tzinfo=UTC)
"""Source: "Monthly bill data is available starting from 2025-10", Query Monthly Bill."""

ISSUED_AFTER = timedelta(days=2, hours=10)
"""From the end of the month to the issue of its bill: the 3rd, 10:00 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthlyBill:
    """The bill of the month that begins at *month*; money in 1e-10 USD."""

    month: datetime
    status: BillStatus
    total: Money
    debt: int
    repaid: int
    is_running: bool

    @property
    def cash(self) -> int:
        """The part that vouchers do not pay."""
        return self.total.amount - self.total.voucher

    @property
    def owed(self) -> int:
        """What is still to be paid of an issued bill."""
        if self.status is BillStatus.OUTED:
            return self.cash
        return self.debt - self.repaid if self.status is BillStatus.OVERDUE else 0


def monthly_bills(world: World, *, now: datetime) -> list[MonthlyBill]:
    """Return every bill from the world's first month (2025-10 at the earliest) to the running one, oldest first."""
    return [_bill(world, month, now) for month in months(max(world.begins_at, FIRST_MONTH), now)]


def months(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the beginning of every month from that of *first* to that of *last*."""
    month = first.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= last:
        yield month
        month = next_month(month)


def next_month(month: datetime) -> datetime:
    """Return the beginning of the month after the one that begins at *month*."""
    return (month + timedelta(days=32)).replace(day=1)


def previous_month(month: datetime) -> datetime:
    """Return the beginning of the month before the one that begins at *month*."""
    return (month - timedelta(days=1)).replace(day=1)


def _bill(world: World, month: datetime, now: datetime) -> MonthlyBill:
    end = next_month(month)
    # The running month is known up to yesterday: the overview lags a day.
    total = world.final_total(day_of(month), day_of(min(end, now)))
    step = _settled(world, month, now - end - ISSUED_AFTER)
    cash = total.amount - total.voucher
    return MonthlyBill(
        month=month,
        status=step.status,
        total=total,
        debt=cash * step.debt_percent // 100,
        repaid=cash * step.repaid_percent // 100,
        is_running=now < end,
    )


def _settled(world: World, month: datetime, since_issue: timedelta) -> SettlementStep:
    current = SettlementStep(after=timedelta(0), status=BillStatus.OUTED)
    if since_issue < timedelta(0):
        return SettlementStep(after=timedelta(0), status=BillStatus.PENDING)
    for step in world.settlements.get(f"{month:%Y-%m}", PAID_IN_A_WEEK):
        if step.after <= since_issue:
            current = step
    return current


def cash_balance(world: World, *, now: datetime) -> int:
    """Return the cash left at *now*, in 1e-10 USD: what was paid in, less what was not paid by voucher."""
    now_s = int(now.timestamp())
    spent = world.final_total(day_of(world.begins_at), day_of(now))
    for category in {meter.category for meter in world.meters}:
        for row, version in world.final_rows(category, day_of(now) * 86_400, now_s):
            if row.end_s <= now_s:
                spent = spent.plus(version)
    spent = spent.plus(world.subscribed(datetime.fromtimestamp(day_of(now) * 86_400, UTC), now))
    top_ups = len(list(months(world.begins_at, now))) - 1
    paid_in = int((world.opening_usd + world.monthly_top_up_usd * top_ups) * UNITS_PER_USD)
    return paid_in - (spent.amount - spent.voucher)
