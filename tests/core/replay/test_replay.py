"""Replay against the daemon's own cycle, fed with the same bills hour by hour: alerts and messages must be the same."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from alertd.core.alert import Alert, AlertState, Sample
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.inhibition import Inhibition
from alertd.core.alerts.quiet_hours import QuietHours
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.money import Usd
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.replay.past import History
from alertd.core.replay.replay import Replayer, Watch
from alertd.core.resources import Listing, ResourceKind
from alertd.core.rules.base import Escalation, Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.facts import Facts
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.monthly_bill import MonthlyBillRule
from alertd.core.rules.reconcile import Reconcile
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.running import RunningRule
from alertd.core.rules.spike import Spike
from alertd.core.severity import Severity
from alertd.core.spend.bill import Balance, BillRows, KeyBills, MonthlyBill
from alertd.core.spend.reading import Cadence
from alertd.core.spend.rises import Compare
from alertd.daemon.cycle import Cycle
from alertd.daemon.state import Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import RUNNING, SETTLE, Row, a_series, bill_rows, desk_with, monthly_bill, row, usd
from tests.examples import examples, how_many

INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
CATEGORIES = ("gpu", "cloud_storage")
OWNERS = ("gpu-1", "gpu-2", "disk-1", "")
SINCE = hour_of(datetime(2026, 1, 30, 20, tzinfo=UTC))
"""Shortly before a month ends, on a Friday."""
LIVE_HOURS = 44


@dataclass(slots=True, kw_only=True)
class Hourly:
    """A billing API that shows a row once the last hour that it covers is over."""

    rows: Sequence[Row]
    bills: Sequence[tuple[int, MonthlyBill]]
    """(hour from which the bill looks so, the bill)."""
    now: datetime = start_of(SINCE)

    async def ask_time(self) -> None:
        """Its time is the test's."""

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        running = hour_of(self.now)
        asked = (row for row in self.rows if row.hour in span and row.series.category == category)
        return bill_rows(row for row in asked if row.hour + row.span <= running)

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        seen = {bill.bill_id: bill for hour, bill in self.bills if hour <= hour_of(self.now)}
        return tuple(bill for bill in seen.values() if bill.month >= start_month)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return ()

    async def read_resources(self, kind: ResourceKind) -> Listing:
        return Listing(entries=())

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        raise NotImplementedError("no rule here looks at keys")

    async def read_balance(self, read_at: datetime) -> Balance:
        raise NotImplementedError("no rule here looks at balances")


def audience(*, is_quiet: bool, inhibits: bool) -> Audience:
    """Three receivers, one with quiet hours; `gpu-1` has a person behind it."""
    everything = Patterns(("*",))
    return Audience(
        default=("finops",),
        recipients={"finops": ("",), "mail": ("a@example.com", "b@example.com"), "oncall": ("",)},
        owners=OwnerDirectory((Owner(match=Patterns(("gpu-1",)), name="trainer", team="research", email="x@y.z"),)),
        contacts={"email": "mail"},
        editors=frozenset({"finops"}),
        inhibitions=(
            Inhibition(
                when=(("severity", Patterns(("critical",))),),
                mute=(("severity", Patterns(("warning",))), ("rule", everything)),
                equal=("owner",),
            ),
        )
        * inhibits,
        quiet_hours={"mail": (QuietHours(days=frozenset(range(7)), start=time(22), end=time(7)),) * is_quiet},
    )


Told = tuple[str, str, str, str, str]
"""(delivery key, receiver, recipient, reason, title)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What the daemon did: its alerts after each hour, the messages of each, and what was stored in the end."""

    alerts: Sequence[Mapping[str, Alert]]
    notified: Sequence[Sequence[Told]]
    received: Mapping[str, int]
    """Receiver to messages that were delivered, corrections left out."""
    history: History


async def live(source: Hourly, rules: tuple[Rule, ...], who: Audience) -> Lived:
    """Run the real cycle hour by hour over a real store; whatever is due is delivered at once."""
    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=start_of(SINCE)))
    try:
        gateway = StoreGateway(thread)
        plan = Plan(
            accounts={"default": source},
            categories=CATEGORIES,
            settle_delay=SETTLE,
            rules=rules,
            audience=who,
            headline_of=lambda alert, _: alert.headline,
        )
        cycle = Cycle(store=gateway, plan=plan, cadence=Cadence(), install_id="replay", timer=lambda: 0.0)
        alerts, notified, known = [], [], set[int]()
        for hour in range(SINCE, SINCE + LIVE_HOURS):
            source.now = start_of(hour)
            await deliver(gateway, source.now)
            report = await cycle.run(source.now)
            assert report.is_ok
            await gateway.record(report, source.now)
            alerts.append({name: plain(alert) for name, alert in cycle.state.alerts.items()})
            entries = [entry for entry in await thread.call(all_entries) if entry.id not in known]
            known |= {entry.id for entry in entries}
            notified.append(sorted(map(as_told, entries)))
            await deliver(gateway, source.now)
        await deliver(gateway, start_of(SINCE + 10_000))
        received = [e.receiver for e in await thread.call(all_entries) if counts(e)]
        return Lived(
            alerts=alerts,
            notified=notified,
            received={name: received.count(name) for name in sorted(set(received))},
            history=await thread.call(history_of),
        )
    finally:
        await thread.close()


async def deliver(gateway: StoreGateway, now: datetime) -> None:
    """Let everything that is due arrive."""
    for entry in await gateway.open_entries():
        if entry.not_before <= now:
            after = replace(entry, state=EntryState.DELIVERED, finished_at=now)
            assert await gateway.replace_entry(entry, after, add=(), outcome="")


def all_entries(store: Store) -> list[OutboxEntry]:
    """Every entry ever made."""
    names = {alert.fingerprint for alert in store.alerts.all_alerts()}
    found = {entry.id: entry for name in names for entry in store.outbox.entries_of(name)}
    return [found[number] for number in sorted(found)]


def counts(entry: OutboxEntry) -> bool:
    """Whether somebody got a new message."""
    return entry.state is EntryState.DELIVERED and not entry.message.reason.is_edit


def history_of(store: Store) -> History:
    """What a backtest reads of a store."""
    blocks = list(store.bills.iter_blocks(0))
    return History(
        table=store.bills.load_series(),
        books=store.bills.load_books(),
        blocks=lambda _: blocks,
        bills=store.bills.load_monthly(),
    )


def as_told(entry: OutboxEntry) -> Told:
    return entry.key, entry.receiver, entry.recipient, entry.message.reason.value, entry.message.title


def plain(alert: Alert) -> Alert:
    """The alert without what only explains it, and without the hours that its view happens to hold."""
    billed = replace(alert.billed, held=Usd(0), since=0) if alert.billed is not None else None
    return replace(alert, top=(), rate=None, facts=(), billed=billed)


def decided(alert: Alert) -> tuple[object, ...]:
    """What was decided about an alert, without the value that it has meanwhile."""
    noted = (alert.notified_at, alert.notified_value, alert.notified_severity, alert.notified_to, alert.repeat_count)
    times = (alert.started_at, alert.fired_at, alert.resolved_at, alert.condition_ended_at, alert.escalated_at)
    return (alert.state, alert.severity, alert.episode, alert.reason, alert.muted, alert.corrected, *noted, *times)


# --- bills and rules to try -----------------------------------------------------------------------------------------

CENTS = st.integers(1, 900).map(lambda cents: cents * 10**8)


@st.composite
def bills_of_hours(draw: st.DrawFn) -> list[Row]:
    """Stretches of hourly spend before and during the replay, storage by the day, and now and then a credit."""
    rows = []
    for owner in OWNERS:
        stretches = st.tuples(st.integers(-24 * 40, LIVE_HOURS), st.integers(1, 300), CENTS)
        for start, length, amount in draw(st.lists(stretches, max_size=3)):
            hours = range(SINCE + start, min(SINCE + start + length, SINCE + LIVE_HOURS))
            rows += [Row(series=a_series(owner), hour=hour, amount=amount + hour % 7) for hour in hours]
    daily = draw(st.lists(CENTS, max_size=6))
    midnight = SINCE - SINCE % 24
    for day, amount in enumerate(daily, -3):
        series = a_series("disk-1", category="cloud_storage", product="disk")
        rows.append(Row(series=series, hour=midnight + 24 * day, span=24, amount=amount * 24 + 5))
    for hour in draw(st.lists(st.integers(-30, LIVE_HOURS - 1), max_size=2)):
        rows.append(Row(series=a_series("gpu-2", product="credit"), hour=SINCE + hour, amount=usd("-3"), voucher=0))
    return rows


@st.composite
def monthly_bills(draw: st.DrawFn) -> list[tuple[int, MonthlyBill]]:
    """December's bill: due, then perhaps overdue, then perhaps paid."""
    at = sorted(draw(st.lists(st.integers(-5, LIVE_HOURS), min_size=3, max_size=3, unique=True)))
    debt = usd(draw(st.sampled_from(["40", "100"])))
    states = [
        monthly_bill(status="outed", debt=Usd(0), repaid=Usd(0)),
        monthly_bill(status="overdue", debt=debt, repaid=Usd(0)),
        monthly_bill(status="paid", debt=debt, repaid=debt),
    ]
    return [(SINCE + hour, bill) for hour, bill in zip(at, states, strict=True)]


def limits(low: str, high: str) -> st.SearchStrategy[dict[Severity, Usd]]:
    return st.sampled_from([{WARNING: usd(low)}, {INFO: usd(low), CRITICAL: usd(high)}, {WARNING: usd(high)}])


RATIOS = [{WARNING: Fraction(2)}, {INFO: Fraction(3, 2), CRITICAL: Fraction(4)}]
SHARES = [{WARNING: Share(Fraction(8, 10))}, {INFO: Share(Fraction(1, 2)), CRITICAL: Share(Fraction(1))}]
GROUPS = st.sampled_from([(), ("owner",), ("team",), ("category",), ("category", "owner")])
SPEND: dict[str, st.SearchStrategy[object]] = {
    "group_by": GROUPS,
    "category": st.sampled_from([Patterns(), Patterns(("gpu",)), Patterns(("cloud_*",))]),
}
WINDOWS = st.sampled_from([1, 6, 24, 72]).map(lambda hours: timedelta(hours=hours))
SHARED: dict[str, st.SearchStrategy[object]] = {
    "name": st.sampled_from(["a", "b", "c", "d"]),
    "for_": st.sampled_from([timedelta(), timedelta(hours=2)]),
    "resolve_below": st.sampled_from([Share(Fraction(9, 10)), Share(Fraction(1)), Share(Fraction(1, 2))]),
    "repeat_interval": st.sampled_from([timedelta(hours=24), timedelta(hours=3), None]),
    "send_resolved": st.booleans(),
    "notify": st.sampled_from([(), ("mail",), ("owner",), ("finops", "mail")]),
    "escalate": st.sampled_from([None, Escalation(after=timedelta(hours=5), notify=("oncall",))]),
}
RULES = st.one_of(
    st.builds(
        RollingSpend,
        **SHARED,
        **SPEND,
        window=WINDOWS,
        thresholds=limits("20", "90"),
        repeat_every=st.sampled_from([None, usd("30")]),
    ),
    st.builds(
        Spike,
        **SHARED,
        **SPEND,
        window=st.sampled_from([timedelta(hours=6), timedelta(hours=24)]),
        thresholds=st.sampled_from(RATIOS),
    ),
    st.builds(
        RunningRule,
        **SHARED,
        category=st.just(Patterns(("gpu", "llm"))),
        gap=st.sampled_from([timedelta(hours=1), timedelta(hours=3)]),
        min_rate=st.sampled_from([usd("0.05"), usd("5")]),
        thresholds=st.just({INFO: timedelta(hours=2), WARNING: timedelta(hours=5)}),
    ),
    st.builds(FirstSpend, **SHARED, min_spend=st.just(usd("5")), lookback_=st.just(timedelta(days=7))),
    st.builds(
        BudgetRule,
        **SHARED,
        **SPEND,
        period=st.sampled_from(Period),
        amount=st.sampled_from([usd("50"), usd("500")]),
        thresholds=st.sampled_from([{}, *SHARES]),
        forecast=st.sampled_from(SHARES),
        pace=st.sampled_from([{}, *RATIOS]),
    ),
    st.builds(MonthlyBillRule, **SHARED, min_debt=st.just(usd("50"))),
    st.builds(Reconcile, **SHARED, severity=st.just(WARNING)),
)


def stretch(owner: str, start: int, length: int, amount: str) -> list[Row]:
    return [Row(series=a_series(owner), hour=SINCE + start + n, amount=usd(amount)) for n in range(length)]


MIDNIGHT = SINCE - SINCE % 24
BUSY_ROWS = [
    *stretch("gpu-1", -24 * 40, 24 * 42, "1"),
    *stretch("gpu-1", 10, 9, "8"),
    *stretch("gpu-2", 3, 20, "15"),
    *(
        Row(series=a_series("disk-1", category="cloud_storage"), hour=MIDNIGHT + 24 * day, span=24, amount=usd("48"))
        for day in range(-3, 2)
    ),
    Row(series=a_series("gpu-2", product="credit"), hour=SINCE + 25, amount=usd("-3")),
]
BUSY_BILLS = [
    (SINCE - 2, monthly_bill(status="outed", debt=Usd(0), repaid=Usd(0))),
    (SINCE + 4, monthly_bill(status="overdue", debt=usd("80"), repaid=Usd(0))),
    (SINCE + 30, monthly_bill(status="paid", debt=usd("80"), repaid=usd("80"))),
]
BUSY_RULES: list[Rule] = [
    RollingSpend(
        name="a",
        group_by=("owner",),
        window=timedelta(hours=24),
        thresholds={WARNING: usd("30"), CRITICAL: usd("70")},
        repeat_every=usd("20"),
        escalate=Escalation(after=timedelta(hours=5), notify=("oncall",)),
        notify=("finops", "mail", "owner"),
    ),
    RollingSpend(
        name="b",
        category=Patterns(("cloud_storage",)),
        window=timedelta(hours=72),
        thresholds={WARNING: usd("90")},
        for_=timedelta(hours=2),
        repeat_interval=timedelta(hours=3),
    ),
    Spike(
        name="c",
        group_by=("owner",),
        window=timedelta(hours=6),
        compare=Compare.PREVIOUS,
        baseline=timedelta(days=7),
        min_history=timedelta(days=2),
        thresholds={WARNING: Fraction(2)},
        notify=("mail",),
    ),
    FirstSpend(name="d", min_spend=usd("5"), lookback_=timedelta(days=7), notify=("mail",)),
    BudgetRule(name="e", period=Period.DAY, amount=usd("50"), thresholds=SHARES[1], forecast=SHARES[0], pace=RATIOS[0]),
    MonthlyBillRule(name="f", min_debt=usd("50"), thresholds={WARNING: timedelta(), CRITICAL: timedelta(hours=8)}),
    Reconcile(name="g", severity=WARNING),
    RollingSpend(name="h", group_by=("category",), window=timedelta(hours=72), thresholds={INFO: usd("20")}),
    RollingSpend(name="i", window=timedelta(hours=24), thresholds={INFO: usd("20")}),
]


TestT = TypeVar("TestT", bound=Callable[..., None])


def in_busy_days(test: TestT) -> TestT:
    """Try every rule with both ways of holding back together, in thorough runs also with each alone."""
    for is_quiet, inhibits in ((True, True), (True, False), (False, True))[: how_many(1, thorough=3)]:
        who = audience(is_quiet=is_quiet, inhibits=inhibits)
        test = example(rows=BUSY_ROWS, bills=BUSY_BILLS, rules=BUSY_RULES, who=who)(test)
    return test


@settings(
    examples(8, thorough=8),
    # Those that are written here show every rule and both ways of holding back; drawn ones cost seconds each.
    phases=tuple(Phase)[: how_many(1, thorough=len(Phase))],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@in_busy_days
@given(
    rows=bills_of_hours(),
    bills=monthly_bills(),
    rules=st.lists(RULES, min_size=1, max_size=4, unique_by=lambda rule: rule.name),
    who=st.builds(audience, is_quiet=st.booleans(), inhibits=st.booleans()),
)
def test_replay_when_bills_are_those_that_the_daemon_saw_then_alerts_and_messages_are_the_same(
    rows: list[Row], bills: list[tuple[int, MonthlyBill]], rules: list[Rule], who: Audience
) -> None:
    """A backtest that says something else than the daemon would have said is worse than none."""
    lived = asyncio.run(live(Hourly(rows=rows, bills=bills), tuple(rules), who))
    watch = Watch(
        rules=tuple(rules),
        accounts=("default",),
        audience=who,
        headline_of=lambda alert, _: alert.headline,
        settle_delay=SETTLE,
    )

    replayer = Replayer(lived.history, watch, HourRange(SINCE, SINCE + LIVE_HOURS))

    for number, hour in enumerate(range(SINCE, SINCE + LIVE_HOURS)):
        decisions = replayer.step(hour)
        lived_now = lived.alerts[number]
        assert {n: decided(alert) for n, alert in replayer.alerts.items()} == {
            n: decided(alert) for n, alert in lived_now.items()
        }
        # What is not judged keeps its value of the last time.
        assert [plain(alert) for alert in decisions.alerts] == [lived_now[a.fingerprint] for a in decisions.alerts]
        assert sorted(map(as_told, decisions.entries)) == lived.notified[number]
    replay = replayer.result()
    assert replay.messages() == lived.received
    assert not replay.faults
    firing = {e.fingerprint: e for e in replay.episodes if e.ended_at is None}
    last = {n: a for n, a in lived.alerts[-1].items() if a.state is AlertState.FIRING}
    assert {n: e.severity >= last[n].severity for n, e in firing.items()} == dict.fromkeys(last, True)
    for episode in replay.episodes:
        values = [
            (-alert.value if alert.is_below else alert.value, number, alert.unit)
            for number, alerts in enumerate(lived.alerts)
            if (alert := alerts.get(episode.fingerprint)) is not None
            and alert.state is AlertState.FIRING
            and episode.started_at <= start_of(SINCE + number) < (episode.ended_at or start_of(SINCE + LIVE_HOURS))
        ]
        worst, at, unit = max(values, key=lambda value: (value[0], -value[1]))
        if {each for *_, each in values} == {unit}:
            assert (abs(worst), start_of(SINCE + at)) == (abs(episode.peak), episode.peak_at)


@dataclass(frozen=True, kw_only=True)
class Broken(RollingSpend):
    """A rule with a fault in it."""

    def evaluate(self, facts: Facts, watched: Collection[Labels], steady: Collection[Labels] = ()) -> list[Sample]:
        raise ZeroDivisionError("division by zero")


def test_replay_when_a_rule_fails_then_says_so_and_the_others_go_on() -> None:
    """One faulty rule must not hide what the others found."""
    desk = desk_with(*(row(RUNNING - 20 + n, "5") for n in range(10)))
    history = History(
        table=desk.table, books=desk.books, blocks=lambda _: [(hour, held) for (*_, hour), held in desk.blocks.items()]
    )
    good = RollingSpend(name="good", window=timedelta(hours=6), thresholds={WARNING: usd("20")})
    broken = Broken(name="broken", window=timedelta(hours=6), thresholds={WARNING: usd("20")})
    watch = Watch(
        rules=(broken, good),
        accounts=("default",),
        audience=Audience(),
        headline_of=lambda alert, _: alert.headline,
        settle_delay=SETTLE,
    )
    replayer = Replayer(history, watch, HourRange(RUNNING - 30, RUNNING + 1))

    for hour in range(RUNNING - 30, RUNNING + 1):
        replayer.step(hour)

    replay = replayer.result()
    assert {name: repr(fault) for name, fault in replay.faults.items()} == {
        "broken": "ZeroDivisionError('division by zero')"
    }
    assert [(episode.rule, episode.peak) for episode in replay.episodes] == [("good", Decimal(30))]
    # From $20 on, and after the last row while the edge waits two hours for more, until less than $18 is left.
    assert replay.firing_hours == {"good": 11}


def test_episodes_when_listed_then_by_their_start_and_then_by_name_ended_or_not() -> None:
    """A report that is read twice is in the same order, whatever ended in between."""
    desk = desk_with(row(RUNNING - 20, "50"))
    history = History(
        table=desk.table, books=desk.books, blocks=lambda _: [(hour, held) for (*_, hour), held in desk.blocks.items()]
    )
    ends, stays, larger = (
        RollingSpend(name=name, window=timedelta(hours=hours), thresholds={WARNING: usd("20")})
        for name, hours in (("c", 3), ("a", 24), ("b", 24))
    )
    watch = Watch(
        rules=(ends, larger, stays),
        accounts=("default",),
        audience=Audience(),
        headline_of=lambda alert, _: alert.headline,
        settle_delay=SETTLE,
    )
    replayer = Replayer(history, watch, HourRange(RUNNING - 30, RUNNING - 10))
    for hour in range(RUNNING - 30, RUNNING - 10):
        replayer.step(hour)
    found = replayer.result().episodes
    assert len({episode.started_at for episode in found}) == 1
    assert [(episode.rule, episode.ended_at is not None) for episode in found] == [
        ("a", False),
        ("b", False),
        ("c", True),
    ]
