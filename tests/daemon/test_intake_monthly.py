"""Which monthly bills a daemon reads at each poll, and what it makes of those that change after they were settled."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from alertd.core.hours import HourRange
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Listing, ResourceKind
from alertd.core.spend.bill import FIRST_MONTH, Balance, BillRows, KeyBills, MonthlyBill
from alertd.core.spend.reading import Cadence
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import ApiUnavailable
from alertd.rules_file.model import Account, LoadedRules
from alertd.settings.model import load_settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import NOW, monthly_bill, usd

POLL = timedelta(minutes=10)
PAID = monthly_bill(month="2025-11", bill_id="b-11", status="paid")
RUNNING = monthly_bill(month="2026-01", bill_id="b-1", status="pending", debt=usd("0"), repaid=usd("0"))


@dataclass(slots=True)
class Source:
    """An account whose monthly bills the test holds; nothing else answers."""

    bills: list[MonthlyBill]
    asked: list[str] = field(default_factory=list)

    async def ask_time(self) -> None:
        """Its time is the test's."""

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        self.asked.append(start_month)
        return tuple(bill for bill in self.bills if bill.month >= start_month)

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        raise ApiUnavailable("no answer", account="default", what=category)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return ()

    async def read_resources(self, kind: ResourceKind) -> Listing:
        return Listing(entries=())

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        raise ApiUnavailable("no answer", account="default", what=category)

    async def read_balance(self, read_at: datetime) -> Balance:
        raise ApiUnavailable("no answer", account="default", what="balance")


RULES = LoadedRules(
    accounts=(Account(name="default"),),  # type: ignore[arg-type] # a plain name
    owners=OwnerDirectory(),
    receivers=(),
    default_notify=(),
    routes=(),
    rules=(),
    planned=(),
    inhibitions=(),
    reports=(),
    warnings=(),
    files=(),
    places={},
)


@pytest.fixture
def source() -> Source:
    return Source([PAID, RUNNING])


async def polls(source: Source, *instants: datetime) -> Cycle:
    """Run a daemon's cycles at some instants over one store."""
    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW))
    try:
        plan = build_plan(RULES, load_settings(), sources={"default": source}, notifiers={})
        cycle = Cycle(
            store=StoreGateway(thread),
            plan=plan,
            cadence=Cadence(),
            install_id="install",
            timer=lambda: 0.0,
        )
        for now in instants:
            await cycle.run(now)
        return cycle
    finally:
        await thread.close()


async def test_months_when_polled_then_all_at_start_and_once_a_day_and_the_open_ones_between(source: Source) -> None:
    """A settled month can become overdue again, and a bill can appear in an old month."""
    day = timedelta(days=1)
    await polls(source, NOW, NOW + POLL, NOW + day - POLL, NOW + day, NOW + day + POLL)
    assert source.asked == [FIRST_MONTH, "2026-01", "2026-01", FIRST_MONTH, "2026-01"]


@dataclass(slots=True)
class Emptied(Source):
    """An account whose list is empty after the first read."""

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        found = await Source.read_monthly_bills(self, start_month)
        return found if len(self.asked) == 1 else ()


async def test_bill_when_a_complete_read_has_it_no_more_then_known_as_gone() -> None:
    """It was asked for and did not come: that is a fact of its own, and no payment."""
    cycle = await polls(Emptied([monthly_bill(month="2026-01", bill_id="b-1")]), NOW, NOW + POLL, NOW + 2 * POLL)
    assert [tracked.gone_since for tracked in cycle.state.bills.values()] == [NOW + POLL]
