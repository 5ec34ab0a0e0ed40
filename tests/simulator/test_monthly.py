"""Monthly bills and the balance, instant by instant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alertd.simulator.meters import to_usd
from alertd.simulator.monthly import MonthlyBill, cash_balance, monthly_bills, next_month, previous_month
from alertd.simulator.queries import MonthlyQuery
from alertd.simulator.scenarios import quiet_month, unpaid_bill
from alertd.simulator.server import page_of

START = datetime(2026, 1, 1, tzinfo=UTC)
UNPAID = unpaid_bill(1, START)
QUIET = quiet_month(2, START)


def bill_at(now: datetime, month: str) -> MonthlyBill:
    bills = monthly_bills(UNPAID, now=now)
    return next(bill for bill in bills if f"{bill.month:%Y-%m}" == month)


@pytest.mark.parametrize(
    ("now", "status", "debt_percent", "repaid_percent", "owed_percent"),
    [
        pytest.param("2025-12-31T23:59:59", "pending", 0, 0, 0, id="while the month runs"),
        pytest.param("2026-01-03T09:59:59", "pending", 0, 0, 0, id="over but not issued"),
        pytest.param("2026-01-03T10:00:00", "outed", 0, 0, 100, id="issued on the 3rd at 10:00"),
        pytest.param("2026-01-10T10:00:00", "overdue", 100, 0, 100, id="overdue a week later"),
        pytest.param("2026-01-15T10:00:00", "overdue", 100, 40, 60, id="repaid in part"),
        pytest.param("2026-01-18T10:00:00", "paid", 100, 100, 0, id="paid"),
    ],
)
def test_unpaid_bill_when_time_passes_then_goes_through_its_states(
    now: str, status: str, debt_percent: int, repaid_percent: int, owed_percent: int
) -> None:
    """The story of a bill that is paid late."""
    bill = bill_at(datetime.fromisoformat(now).replace(tzinfo=UTC), "2025-12")
    assert bill.status == status
    assert bill.debt == bill.cash * debt_percent // 100
    assert bill.repaid == bill.cash * repaid_percent // 100
    assert abs(bill.owed - bill.cash * owed_percent // 100) <= 1


def test_voided_bill_when_it_still_shows_debt_then_owes_nothing() -> None:
    """A cancelled bill is a trap for whoever adds up debts."""
    bill = bill_at(START, "2025-11")
    assert (bill.status, bill.owed) == ("voided", 0)
    assert bill.debt > 0


def test_monthly_total_when_the_month_is_over_then_is_the_hourly_truth() -> None:
    """Monthly and hourly bills speak of the same money."""
    world = QUIET
    december = next(bill for bill in monthly_bills(world, now=START) if bill.month.month == 12)
    assert to_usd(december.total.amount) == world.final_spend(previous_month(START), START)


def test_monthly_total_when_the_month_runs_then_lags_a_day() -> None:
    """The overview shows what was spent up to yesterday."""
    world = QUIET
    now = START + timedelta(days=9, hours=15)
    running = monthly_bills(world, now=now)[-1]
    assert running.is_running
    assert to_usd(running.total.amount) == world.final_spend(START, START + timedelta(days=9))


def test_months_when_the_world_is_older_than_the_api_then_begin_with_october_2025() -> None:
    """No monthly bill is older than 2025-10."""
    world = replace(QUIET, begins_at=datetime(2025, 7, 1, tzinfo=UTC))
    assert monthly_bills(world, now=START)[0].month == datetime(2025, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize("page_size", [1, 2, 5, 20, 1000])
def test_pages_when_read_to_the_empty_one_then_hold_every_bill_once(page_size: int) -> None:
    """Pages lie about their size, but never about their bills."""
    now = datetime(2031, 2, 3, tzinfo=UTC)
    template = monthly_bills(QUIET, now=START)[0]
    bills, month = [], START
    while month < now:
        bills.append(replace(template, month=month))
        month = next_month(month)
    read: list[MonthlyBill] = []
    sizes = set()
    for page in range(1, 200):
        got = page_of(bills, MonthlyQuery(start_month=START, page=page, page_size=page_size))
        if not got:
            break
        sizes.add(len(got))
        read += got
    assert read == bills
    assert sizes != {page_size}


def test_balance_when_an_hour_is_over_then_falls_by_its_cash_and_rises_by_the_top_up() -> None:
    """Runway rests on a balance that is the other side of the bills."""
    world = replace(QUIET, monthly_top_up_usd=Decimal(100))
    last_hour = START - timedelta(hours=1)
    paid = {
        now: to_usd(cash_balance(world, now=now))
        for now in (world.begins_at, last_hour, START, START + timedelta(minutes=59))
    }
    cash = sum(
        version.amount - version.voucher
        for category in {meter.category for meter in world.meters}
        for row, version in world.final_rows(category, 0, int(START.timestamp()))
        if row.end_s > last_hour.timestamp()
    )
    assert paid[world.begins_at] == world.opening_usd
    assert paid[last_hour] - paid[START] == to_usd(cash) - 100
    assert paid[START] == paid[START + timedelta(minutes=59)]
