"""Evaluation over 10,000 owners in which alerts live, the overview, and the past hour by hour."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.judge import judge
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, HourSet, hour_of, whole_hours
from alertd.core.labels import Patterns
from alertd.core.money import Usd
from alertd.core.replay.replay import Replayer
from alertd.core.reports.overview import overview
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.facts import Facts
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.severity import Severity
from alertd.core.spend.arrival import HOURLY, Arrivals, Place
from alertd.core.spend.bill import Series
from alertd.core.spend.block import HourBlock, empty_block
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ends import two_ends
from alertd.core.spend.ledger import CategoryBook, HourSummary, SeriesTable
from alertd.core.spend.view import SpendView
from tests.bench import backtest as past
from tests.bench.measure import ROUNDS, Row, cpu_ms, in_turn

HOURS, RULES = 744, 1_000
NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
END = hour_of(NOW)
CATEGORIES = ("gpu", "llm", "serverless", "gen_api", "bare_metal")
WINDOWS = (1, 6, 24, 168, 744, 360)
GROUPS = (("owner",), ("category",), ("product",))
NEAR = 1.01
"""Thresholds over the largest group: so each group of long windows lies above `resolve_below` and below the line."""
MOVING = 100
REPLAYED = 744
"""Hours."""


class World:
    """Owners with a row in each hour, and how often they were asked."""

    def __init__(self, owners: int = 10_000) -> None:
        self.owners, self.minute = owners, 0
        random = np.random.default_rng(1)
        self.cells: NDArray[np.int64] = random.integers(0, 2 * 10**9, (HOURS, self.owners))
        table = SeriesTable(
            Series("default", CATEGORIES[n % 5], "x", f"owner-{n}", f"product-{n % 40}", "", "on-demand")
            for n in range(self.owners)
        )
        self.view = SpendView(table, HourRange(END - HOURS, END + 192))
        self.came = {name: newest_of(np.arange(n, self.owners, 5, dtype=np.int32)) for n, name in enumerate(CATEGORIES)}
        self.fill()

    def fill(self) -> None:
        """Fill the view as after a restart."""
        self.view.fill((END - HOURS + n, block_of(np.arange(self.owners), row)) for n, row in enumerate(self.cells))

    def facts(self) -> Facts:
        """Return what a poll a minute later knows, in which every category was read again."""
        self.minute += 1
        now = NOW + timedelta(seconds=self.minute)
        data = DataState(
            books={("default", name): book(name, now, came) for name, came in self.came.items()},
            now=now,
            settle_delay=timedelta(hours=2),
        )
        return Facts(now=now, spend=self.view, data=data)

    def move(self) -> None:
        """Let one owner in a hundred have spent a little more, two hours ago."""
        random = np.random.default_rng(self.minute)
        owners = np.sort(random.choice(self.owners, self.owners // MOVING, replace=False))
        self.view.replace(END - 2, empty_block(), block_of(owners, random.integers(0, 10**5, len(owners))))


def block_of(series: NDArray[np.int64], amount: NDArray[np.int64]) -> HourBlock:
    """Return rows of one hour."""
    ones = np.ones(len(series), np.int32)
    return HourBlock(series=series.astype(np.int32), span=ones, amount=amount, voucher=amount * 0, pay=amount)


def newest_of(series: NDArray[np.int32]) -> Mapping[Place, Arrivals]:
    """Return when the newest rows of a category came: at once."""
    return {(HOURLY, END): Arrivals(series=series, delay=series * 0)}


def book(category: str, now: datetime, came: Mapping[Place, Arrivals]) -> CategoryBook:
    """Return a category that is known whole."""
    hour = HourSummary(total=Usd(1), end=END, digest=b"", has_credit=False)
    covered = HourSet.of([HourRange(END - 2 * HOURS, END + 1)])
    return CategoryBook(
        account="default", category=category, hours={END - 1: hour}, covered=covered, read_at=now, arrivals=came
    )


def rules_of(world: World, factor: float) -> list[RollingSpend]:
    """Return mixed rules, the threshold of each at a factor of its largest group, or at a share of its groups."""
    return [_rule(world, n, factor) for n in range(RULES)]


def _rule(world: World, n: int, factor: float) -> RollingSpend:
    rule = RollingSpend(
        name=f"rule-{n}",
        window=timedelta(hours=WINDOWS[n % 6]),
        group_by=GROUPS[(n // 6) % 3],
        thresholds={Severity.WARNING: Usd(1)},
        category=Patterns(("gpu",)) if n % 3 == 1 else Patterns(),
        product=Patterns((f"product-{n % 40}",)) if n % 3 == 2 else Patterns(),
    )
    facts = world.facts()
    sums = two_ends(facts.spend, facts.data, "amount", rule.edges(facts), length=whole_hours(rule.window)).at_least
    limit = int(np.quantile(sums, factor)) if factor < 1 else int(sums.max() * factor)
    return replace(rule, thresholds={Severity.WARNING: Usd(limit)})


def evaluation() -> Iterator[Row]:
    """Every rule again: with nothing new, with one group in a hundred moving, and with two alerts a rule."""
    world = World()
    memory_ms = statistics.median(cpu_ms(lambda: int(world.cells.sum())) for _ in range(ROUNDS))
    for factor, alive in ((NEAR, "no alert"), (0.999, "alerts")):
        rules = rules_of(world, factor)
        alerts: dict[str, Alert] = {}

        def cycle(alerts: dict[str, Alert] = alerts, rules: list[RollingSpend] = rules) -> None:
            moves, faults = judge(rules, world.facts(), alerts, {"default"})
            assert not faults
            alerts.update({move.after.fingerprint: move.after for move in moves})

        first_ms = cpu_ms(cycle)
        cycle()
        firing = sum(alert.state is AlertState.FIRING for alert in alerts.values())
        unchanged = statistics.median(cpu_ms(cycle) for _ in range(ROUNDS))

        def moving(cycle: Callable[[], None] = cycle) -> None:
            world.move()
            cycle()

        moved = statistics.median(cpu_ms(moving) for _ in range(ROUNDS))
        what = f"1,000 rules x 10,000 owners x 744 h, {alive} ({firing} firing); floor: a pass over the memory"
        parts = (
            ("first", first_ms, ""),
            ("nothing new", unchanged, "15 ms"),
            ("1 % moving", moved, "60 ms"),
        )
        for name, found, target in parts:
            yield Row(name=f"evaluation, {name}", what=what, floor_ms=memory_ms, alertd_ms=found, target=target)


def restart() -> Iterator[Row]:
    """The view from its blocks, and the first evaluation."""
    world = World()
    rules = rules_of(world, NEAR)

    def begin() -> None:
        world.view = SpendView(world.view._table, world.view.span)
        world.fill()
        judge(rules, world.facts(), {}, {"default"})

    floor, found = in_turn(lambda: np.cumsum(world.cells, axis=0), begin)
    what = "7.4 M cells to the first evaluation, without the database; floor: their running totals"
    yield Row(name="restart", what=what, floor_ms=floor, alertd_ms=found, target="800 ms")


def page() -> Iterator[Row]:
    """The overview of 500 owners and 50 budgets, on a month's first day and with forecasts in the middle of one."""
    yield from _page("", {})
    yield from _page(", with forecasts", {"starts_on": 15})


def _page(kind: str, parts: dict[str, object]) -> Iterator[Row]:
    world = World(owners=500)
    warning = {Severity.WARNING: Share(Fraction(8, 10))}
    rules = [
        BudgetRule(
            name=f"budget-{n}",
            group_by=("owner",),
            period=Period.MONTH,
            amount=Usd((n + 1) * 10**11),
            thresholds=warning,
            **parts,  # type: ignore[arg-type]
        )
        for n in range(50)
    ]
    known = overview(world.facts(), rules)

    def judged() -> None:
        judge(rules, world.facts(), {}, {"default"})

    def seen() -> None:
        nonlocal known
        known = overview(world.facts(), rules, before=known)

    def moved() -> None:
        world.move()
        seen()

    what = "500 owners x 50 budgets; floor: judging them"
    for name, task in ((f"nothing new{kind}", seen), (f"1 % moving{kind}", moved)):
        floor, found = in_turn(judged, task)
        yield Row(name=f"overview, {name}", what=what, floor_ms=floor, alertd_ms=found, target="40 ms")


def backtest() -> Iterator[Row]:
    """An hour of a replay of 500 owners and 50 rules: the mean of 31 days."""
    hours = HourRange(past.UNTIL - REPLAYED, past.UNTIL)
    replayer = Replayer(past.history(), past.watch(), hours)

    def run() -> None:
        for hour in range(hours.start, hours.end):
            replayer.step(hour)

    what = f"500 owners x 50 rules, an hour of {len(hours)}"
    yield Row(name="backtest", what=what, floor_ms=0, alertd_ms=cpu_ms(run) / len(hours), target="2.7 ms")
