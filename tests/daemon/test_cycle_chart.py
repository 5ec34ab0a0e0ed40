"""Charts through the cycle: drawn from what was judged, kept in the store, and never the reason for a lost message."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import Alert
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.requests import Acknowledge
from alertd.core.chart import Chart
from alertd.core.hours import HourRange
from alertd.core.messages.message import Message
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Listing, ResourceKind
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.spend.bill import Balance, BillRows, KeyBills, MonthlyBill
from alertd.core.spend.reading import Cadence
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.state import Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.rules_file.model import Account, LoadedRules
from alertd.settings.model import load_settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import NOW, RUNNING, Row, bill_rows, rolling, row

AUDIENCE = Audience(default=("finops",), recipients={"finops": ("#finops",)}, editors=frozenset({"finops"}))


@dataclass(slots=True)
class Source:
    """An API that has these rows of GPUs, and nothing else."""

    rows: Sequence[Row]

    async def ask_time(self) -> None:
        """Its time is the test's."""

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        return bill_rows([each for each in self.rows if category == "gpu" and each.hour in span])

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        return ()

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return ()

    async def read_resources(self, kind: ResourceKind) -> Listing:
        return Listing(entries=())

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        return KeyBills(rows=bill_rows([]), keys=())

    async def read_balance(self, read_at: object) -> Balance:
        raise NotImplementedError("no rule asks for it")


class Undrawable(RollingSpend):
    """A rule whose chart is broken, as a plugin's may be."""

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:
        raise OverflowError("too many colours")


@pytest.fixture
async def gateway() -> AsyncIterator[StoreGateway]:
    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW))
    try:
        yield StoreGateway(thread)
    finally:
        await thread.close()


def cycle_of(gateway: StoreGateway, *rules: Rule) -> Cycle:
    rows = [row(RUNNING - 3, "61.25"), row(RUNNING - 30, "3"), row(RUNNING - 300, "7")]
    loaded = LoadedRules(
        accounts=(Account(name="default"),),  # type: ignore[arg-type] # a plain name
        owners=OwnerDirectory(),
        receivers=(),
        default_notify=(),
        routes=(),
        rules=rules,
        planned=(),
        inhibitions=(),
        reports=(),
        warnings=(),
        files=(),
        places={},
    )
    plan = build_plan(loaded, load_settings(), sources={"default": Source(rows)}, notifiers={})
    return Cycle(
        store=gateway,
        plan=replace(plan, audience=AUDIENCE),
        cadence=Cadence(),
        install_id="install",
        timer=lambda: 0.0,
    )


async def notified(gateway: StoreGateway) -> list[Message]:
    return [entry.message for entry in await gateway.open_entries()]


async def test_alert_when_notified_then_its_chart_comes_back_from_the_store_as_it_was_drawn(
    gateway: StoreGateway,
) -> None:
    """It ends with the value that the message shows, and is the same at each attempt."""
    cycle = cycle_of(gateway, rolling())
    await cycle.run(NOW)
    (message,) = await notified(gateway)
    assert message.chart is not None
    assert message.chart.points[-1].value == message.alerts[0].value == "61.25"
    assert message.chart.points[-1].at == message.alerts[0].as_of


async def test_chart_when_it_cannot_be_drawn_then_the_alert_goes_without(gateway: StoreGateway) -> None:
    """A picture is worth no message."""
    broken = Undrawable(name="broken", window=timedelta(hours=24), thresholds=rolling().thresholds, group_by=("owner",))
    await cycle_of(gateway, broken, rolling()).run(NOW)
    assert {message.alerts[0].rule: message.chart is not None for message in await notified(gateway)} == {
        "broken": False,
        "gpu-24h": True,
    }


async def test_acknowledgement_then_changes_the_message_with_its_chart_and_reports_it_without(
    gateway: StoreGateway,
) -> None:
    """The message keeps its picture; the line in its thread says only who took it."""
    cycle = cycle_of(gateway, rolling())
    await cycle.run(NOW)
    (alert,) = cycle.open_alerts()
    await cycle.carry_out(Acknowledge(fingerprint=alert.fingerprint, by="dana"), NOW)
    first, *later = await notified(gateway)
    charts = {message.reason: message.chart for message in later}
    assert charts == {NotifyReason.ACKNOWLEDGED: None, NotifyReason.UPDATED: first.chart}


async def test_acknowledgement_when_nothing_was_judged_yet_then_keeps_the_chart(gateway: StoreGateway) -> None:
    """Right after a start somebody may press a button: the message keeps its picture, drawn from what is stored."""
    cycle = cycle_of(gateway, rolling())
    await cycle.run(NOW)
    (alert,) = cycle.open_alerts()
    again = cycle_of(gateway, rolling())
    await again.carry_out(Acknowledge(fingerprint=alert.fingerprint, by="dana"), NOW)
    first, *later = await notified(gateway)
    charts = {message.reason: message.chart for message in later}
    assert charts == {NotifyReason.ACKNOWLEDGED: None, NotifyReason.UPDATED: first.chart}


async def test_chart_when_nothing_was_judged_since_the_start_then_is_that_of_what_is_stored(
    gateway: StoreGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page shows the alert as the last process did, and reads the store for it once."""
    cycle = cycle_of(gateway, rolling())
    await cycle.run(NOW)
    (alert,) = cycle.open_alerts()
    again, reads = cycle_of(gateway, rolling()), []
    stored = gateway.facts

    async def counted(plan: Plan, now: datetime) -> Facts:
        reads.append(now)
        return await stored(plan, now)

    monkeypatch.setattr(gateway, "facts", counted)
    shown = await cycle.chart(alert, NOW)
    assert shown is not None
    assert [await again.chart(alert, NOW), await again.chart(alert, NOW)] == [shown, shown]
    assert reads == [NOW]
    await again.run(NOW + timedelta(minutes=10))
    assert await again.chart(alert, NOW) == shown
    assert reads == [NOW]


@pytest.mark.parametrize("is_new_start", [False, True])
async def test_chart_when_the_rules_were_changed_then_is_drawn_by_the_new_ones(
    gateway: StoreGateway, *, is_new_start: bool
) -> None:
    """Until the next cycle, which may be long in coming, from what is stored: all that the new ones see."""
    longer = replace(rolling(), window=timedelta(hours=480))
    cycle = cycle_of(gateway, rolling(), replace(longer, name="read so far back"))
    await cycle.run(NOW)
    (alert,) = (one for one in cycle.open_alerts() if one.rule == rolling().name)
    if is_new_start:
        cycle = cycle_of(gateway, rolling())
    before = await cycle.chart(alert, NOW)
    cycle.use(replace(cycle.plan, rules=(longer,)))
    after = await cycle.chart(alert, NOW)
    assert before is not None
    assert after is not None
    assert (before.points[-1].value, after.points[-1].value) == ("61.25", "71.25")


async def test_chart_when_the_store_was_changed_by_something_else_then_is_of_what_is_stored_now(
    gateway: StoreGateway,
) -> None:
    """What was loaded for a chart before is forgotten with the rest: old spend may have been deleted."""
    cycle = cycle_of(gateway, rolling())
    await cycle.run(NOW)
    (alert,) = cycle.open_alerts()
    again = cycle_of(gateway, rolling())
    assert await again.chart(alert, NOW) is not None
    await gateway.call(lambda store: store.prune(before_hour=RUNNING - 1, before=NOW))
    again.forget()
    shown = await again.chart(alert, NOW)
    assert shown is None or all(point.value in {None, "0"} for point in shown.points)
