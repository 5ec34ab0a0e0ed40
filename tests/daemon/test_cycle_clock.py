"""A system clock that is wrong freezes decisions; an API that does not answer must not look like one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import AlertState
from alertd.core.hours import HourRange
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.bill import Balance, BillRows, KeyBills, MonthlyBill
from alertd.core.spend.reading import Cadence
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import ApiUnavailable
from alertd.queries.cycle_report import CycleReport
from alertd.rules_file.model import Account, LoadedRules
from alertd.settings import load_settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import NOW

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class DeadSource:
    """An API that answered once, long ago, and does not any more."""

    clock_skew: timedelta | None

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        raise ApiUnavailable("no answer", account="default", what=category)

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        raise ApiUnavailable("no answer", account="default", what="monthly bills")

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


async def run(skew: timedelta | None) -> tuple[CycleReport, list[AlertState]]:
    """Run one cycle when the store is ten hours old and the API silent."""
    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW - 10 * HOUR))
    try:
        plan = build_plan(RULES, load_settings(), sources={"default": DeadSource(skew)}, notifiers={})
        cycle = Cycle(
            store=StoreGateway(thread),
            plan=plan,
            cadence=Cadence(),
            install_id="install",
            timer=lambda: 0.0,
        )
        report = await cycle.run(NOW)
        return report, [alert.state for alert in cycle.open_alerts()]
    finally:
        await thread.close()


@pytest.mark.parametrize(
    "skew",
    [
        pytest.param(None, id="it never answered"),
        pytest.param(timedelta(0), id="clocks agreed at the last answer, however long ago"),
        pytest.param(HOUR, id="an hour off, exactly"),
        pytest.param(-HOUR, id="an hour behind"),
    ],
)
async def test_cycle_when_the_api_is_silent_then_decides(skew: timedelta | None) -> None:
    """Blindness is told when it matters most: while nothing answers."""
    report, states = await run(skew)
    assert states == [AlertState.FIRING]
    assert not any("set the clock" in error for error in report.errors)


@pytest.mark.parametrize("skew", [HOUR + timedelta(seconds=1), -2 * HOUR, timedelta(days=400)])
async def test_cycle_when_the_clock_is_wrong_then_decides_nothing_and_says_both_times(skew: timedelta) -> None:
    """A wrong clock would end and begin alerts for hours that are not over, or long past."""
    report, states = await run(skew)
    assert states == []
    (error,) = [error for error in report.errors if "set the clock" in error]
    assert f"says {NOW:%Y-%m-%d %H:%M} UTC" in error
    assert f"{NOW - skew:%Y-%m-%d %H:%M} UTC; nothing is decided" in error
