"""What a rolling sum may say while bills are still to come: the worked examples, and spend that never changes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import AlertState
from alertd.core.calendar import Period
from alertd.core.hours import hour_of, start_of
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.rule import Share
from alertd.core.spend.edges import edges_of
from alertd.core.spend.selection import SpendQuery
from tests.core.builders import HOUR, SETTLE, WARNING, rolling, usd
from tests.core.late_bills import FIRST, LateBills, Shown, at, daily, hourly, polls
from tests.examples import how_many, in_turn, rest_slow

DAYS = range(1, 15)
HOURS = range(FIRST, FIRST + 14 * 24)
MIDNIGHT = hour_of(at(10))


def whole(hours: int, warning: str) -> RollingSpend:
    """A rule on all spend in a window."""
    limits = {WARNING: usd(warning)}
    return replace(rolling(None, None), name="all", group_by=(), window=timedelta(hours=hours), thresholds=limits)


def day_hour(hour: int) -> int:
    """The hour of the UTC day."""
    return hour % 24


EXAMPLES = [
    pytest.param(
        [*hourly(HOURS, "1"), *daily(DAYS, "24")],
        whole(24, "40"),
        at(10, 10, 2),
        {"gpu": at(10, 10), "cloud_storage": at(10)},
        ("48", "48"),
        AlertState.FIRING,
        id="storage by the day and gpu by the hour",
    ),
    pytest.param(
        [*hourly(HOURS, "100", late=5), *hourly(HOURS, "1", category="llm", owner="key-1")],
        whole(1, "50"),
        at(10, 0, 2),
        {"gpu": at(9, 19), "llm": at(10)},
        ("101", "101"),
        AlertState.FIRING,
        id="gpu five hours later than llm",
    ),
    pytest.param(
        hourly(range(FIRST, MIDNIGHT + 10), "10", late=lambda hour: 21 if hour == hour_of(at(6, 4)) else 0),
        whole(3, "25"),
        at(10, 13, 2),
        {"gpu": at(10, 11)},
        ("20", "20"),
        AlertState.RESOLVED,
        id="stopped, with one row late days ago",
    ),
    pytest.param(
        [
            *hourly(HOURS, lambda hour: "100" if hour < MIDNIGHT else "60", late=2),
            *hourly(HOURS, "1", category="llm", owner="key-1"),
        ],
        whole(1, "80"),
        at(10, 3, 2),
        {"gpu": at(10, 1), "llm": at(10, 3)},
        ("61", "61"),
        AlertState.RESOLVED,
        id="gpu lowered, billed two hours late",
    ),
    pytest.param(
        hourly(HOURS, "10", late=lambda hour: 10 if day_hour(hour) == 5 else 0),
        whole(3, "25"),
        at(10, 8, 2),
        {"gpu": at(10, 8)},
        ("20", "30"),
        AlertState.FIRING,
        id="one row ten hours late",
    ),
]


@pytest.mark.parametrize(("rows", "rule", "now", "edges", "ends", "state"), rest_slow(EXAMPLES, fast=2))
def test_value_when_the_example_is_lived_through_then_as_the_rules_language_says(
    rows: Sequence[Shown],
    rule: RollingSpend,
    now: datetime,
    edges: dict[str, datetime],
    ends: tuple[str, str],
    state: AlertState,
) -> None:
    """Each line of the table, polled every hour from day 5 on by a fresh store."""
    world = LateBills(rows, (rule,))
    for moment in polls(at(5, 0, 2), now):
        world.judge(moment)
    facts = world.facts(now)
    found = edges_of(facts.spend, facts.data, SpendQuery(accounts=facts.data.accounts), facts.data.books)
    assert {key.category: edge for key, edge in found.of(())} == {name: hour_of(edge) for name, edge in edges.items()}
    (alert,) = world.alerts.values()
    expected = alert.expected if alert.expected is not None else alert.value
    assert (f"{alert.value:f}", f"{expected:f}", alert.state) == (*ends, state)


STEADY = [
    pytest.param(daily(DAYS, "24"), whole(24, "20"), id="day rows alone"),
    pytest.param([*hourly(HOURS, "1"), *daily(DAYS, "24")], whole(24, "40"), id="day rows and gpu"),
    *(
        pytest.param(
            [*hourly(HOURS, "100", late=late), *hourly(HOURS, "1", category="llm", owner="key-1")],
            whole(hours, limit),
            id=f"gpu {late} h later than llm, {hours} h",
        )
        for late in (1, 2)
        for hours, limit in ((1, "50"), (3, "250"), (24, "2350"))
    ),
    pytest.param([*hourly(HOURS, "1", category="cloud_storage"), *daily(DAYS, "24")], whole(24, "40"), id="in one"),
]


@pytest.mark.parametrize(("rows", "rule"), in_turn(STEADY, 0))
def test_alert_when_spend_is_steady_then_it_fires_once_and_goes_on(rows: Sequence[Shown], rule: RollingSpend) -> None:
    """Not billed yet is no zero: an alert on spend that never changes has no end."""
    world = LateBills(rows, (rule,))
    states = []
    for moment in polls(at(2, 12, 2), at(5, 12, 2)):
        world.judge(moment)
        states.append([alert.state for alert in world.alerts.values()])
    (alert,) = world.alerts.values()
    assert (alert.state, alert.episode) == (AlertState.FIRING, 1)
    assert states[-1] == [AlertState.FIRING]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """An owner that costs the same each hour until it stops, if it does."""

    name: str
    late: timedelta
    step: int
    stopped_at: int | None
    rows: list[Shown]


def spenders(seed: int, count: int = 30) -> list[Spender]:
    """Owners of streams that lag differently, each stream steadily."""
    chance = random.Random(seed)
    streams = [("gpu", 1, 0), ("llm", 1, chance.uniform(0, 4)), ("serverless", 1, chance.uniform(3, 12))]
    streams += [("cloud_storage", 24, chance.uniform(1, 20))]
    found = []
    for number in range(count):
        category, step, late = chance.choice(streams)
        begin = FIRST if step == 24 else FIRST + chance.randint(0, 40)
        stop = FIRST + chance.randint(80, 190) // step * step if chance.random() < 0.5 else None
        name, until = f"owner-{number}", stop or HOURS[-1] + 1
        if step == 1:
            rows = hourly(range(begin, until), "1", late=late, category=category, owner=name)
        else:
            rows = daily(range(1, (until - FIRST) // 24 + 1), "24", late=late, owner=name)
        found.append(Spender(name=name, late=timedelta(hours=late), step=step, stopped_at=stop, rows=rows))
    return found


@pytest.mark.parametrize("seed", range(how_many(1, thorough=4)))
@pytest.mark.slow
def test_alerts_when_spend_is_steady_or_stops_then_they_go_on_or_end_in_time(seed: int) -> None:
    """Steady spend never flaps; spend that stopped ends within its window, its stream's lateness, step and a poll."""
    poll, owners = HOUR * how_many(4, thorough=1), spenders(seed)
    window = timedelta(hours=random.Random(seed).choice([1, 3, 24]))
    rule = rolling(f"{window // HOUR * 0.95:.2f}", None, window=window)
    world = LateBills([shown for owner in owners for shown in owner.rows], (rule,))
    for moment in polls(at(2, 3, 2), at(12, 3, 2), poll):
        world.judge(moment)
    alerts = {dict(alert.group)["owner"]: alert for alert in world.alerts.values()}
    for owner in owners:
        alert = alerts[owner.name]
        assert alert.episode == 1, owner.name
        if owner.stopped_at is None:
            assert alert.state is AlertState.FIRING, owner.name
            continue
        # A row is seen by the poll after it came.
        lateness = max(SETTLE, owner.late + poll)
        latest = start_of(owner.stopped_at) + window + lateness + owner.step * HOUR + poll
        assert alert.resolved_at is not None, owner.name
        assert alert.resolved_at <= latest, owner.name


@pytest.mark.parametrize(
    ("rows", "rule", "lateness", "step"),
    [
        pytest.param(
            daily(range(1, 10), "24", late=lambda day: 6 + day * 5 % 7), whole(24, "20"), 12, 24, id="of a day"
        ),
        pytest.param(
            hourly(range(FIRST, MIDNIGHT), "10", late=lambda hour: random.Random(hour).uniform(0, 6)),
            whole(3, "25"),
            6,
            1,
            id="hourly",
        ),
    ],
)
def test_alert_when_rows_come_unevenly_late_then_it_goes_on_until_none_can_be_missing(
    rows: Sequence[Shown], rule: RollingSpend, lateness: int, step: int
) -> None:
    """One row in ten comes later than nine in ten do, and spend that never changes does not end with it."""
    world = LateBills(rows, (rule,))
    ends: list[datetime] = []
    waited: set[str] = set()
    for moment in polls(at(4, 0, 2), at(13, 0, 2)):
        ends += [moment for alert in world.judge(moment).values() if alert.state is AlertState.RESOLVED]
        waited.update(dict(alert.facts).get("Not ended yet", "") for alert in world.alerts.values())
    (alert,) = world.alerts.values()
    assert alert.episode == 1
    assert waited == {"", "rows that are due may still come"}
    # It stops on day 10; a poll more for the end of it, and one for the row that came between two polls.
    assert start_of(MIDNIGHT) < ends[0] <= start_of(MIDNIGHT) + rule.window + (lateness + step + 2) * HOUR


@pytest.mark.parametrize(
    ("now", "begun", "value", "expected"),
    [
        pytest.param(at(10, 8, 2), at(9), "0.5", "1", id="the day before, until storage is billed through its end"),
        pytest.param(at(10, 12, 2), at(10), "0.25", "0.5", id="then the day itself, storage at the pace of late"),
    ],
)
def test_budget_when_a_stream_lags_then_its_period_is_judged_until_it_is_billed(
    now: datetime, begun: datetime, value: str, expected: str
) -> None:
    """Since a fixed start all that is billed counts, and what lags at the pace of its last day."""
    shares = {WARNING: Share(Fraction(1, 10))}
    rule = BudgetRule(name="day", period=Period.DAY, amount=usd("48"), thresholds=shares)
    world = LateBills([*hourly(HOURS, "1"), *daily(DAYS, "24")], (rule,))
    for moment in polls(at(7, 0, 2), now):
        world.poll(moment)
    (sample,) = rule.evaluate(world.facts(now), [()])
    assert (sample.period_start, f"{sample.value:f}", f"{sample.expected:f}") == (begun, value, expected)
    assert "once cloud_storage is billed" in sample.headline
