"""`burn` of a budget: two windows against an even spread of the amount, by hand and against slow sums."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import Alert, AlertState, Sample
from alertd.core.alerts.judge import judge
from alertd.core.calendar import Period, YearDay
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.budget_amount import Moving
from alertd.core.rules.even_rate import Burn
from alertd.core.severity import Severity
from alertd.core.spend.planned import PlannedSpend
from tests.core.builders import CRITICAL, SETTLE, WARNING, Desk, Row, desk_with, row, usd
from tests.core.late_bills import LateBills, at, polls
from tests.core.spend.test_ends import made_world
from tests.core.truth_oracle import BilledRow, Oracle, Read
from tests.examples import examples, how_many

H = timedelta(hours=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hour(text: str) -> int:
    return hour_of(moment(text))


def fast(rate: int = 10, windows: tuple[int, ...] = (6, 1)) -> Burn:
    return Burn(rate=Fraction(rate), windows=tuple(each * H for each in windows))


def rule(**parts: object) -> BudgetRule:
    """$720 for April 2026: $1 an hour evenly; critical from ten times that in 6 h and in 1 h."""
    plain = BudgetRule(name="monthly", period=Period.MONTH, amount=usd("720"), burn={CRITICAL: fast()})
    return replace(plain, **parts)  # type: ignore[arg-type]


def hourly_rows(first: str, amounts: list[str], owner: str = "gpu-1") -> list[Row]:
    return [row(hour(first) + number, amount, owner=owner) for number, amount in enumerate(amounts) if amount != "0"]


def judged(budget: BudgetRule, rows: list[Row], now: str, watched: tuple[Labels, ...] = ((),)) -> dict[str, Sample]:
    facts = desk_with(*rows, now=moment(now), days=99).facts(moment(now))
    found = budget.evaluate(facts, watched)
    # What nobody watches yet begins just so.
    begun = {sample.group: sample.reached for sample in replace(budget).evaluate(facts, ()) if sample.reached}
    assert begun == {sample.group: sample.reached for sample in found if sample.reached}
    return {"|".join(value for _, value in sample.group): sample for sample in found}


@pytest.mark.parametrize(
    ("amounts", "reached", "held"),
    [
        pytest.param(["10"] * 6, CRITICAL, CRITICAL, id="exactly ten times in both"),
        pytest.param(["10"] * 5 + ["9.99"], None, CRITICAL, id="the short window misses by a cent"),
        pytest.param(["9.99"] + ["10"] * 5, None, CRITICAL, id="the long window misses by a cent"),
        pytest.param(["0"] * 5 + ["60"], CRITICAL, CRITICAL, id="one dear hour is enough for both"),
        pytest.param(["60"] + ["0"] * 4 + ["8.99"], None, None, id="the short one is over and below its nine tenths"),
        pytest.param(["0"] * 5 + ["53.99"], None, None, id="the long one is below its nine tenths"),
        pytest.param(["20", "20", "0", "0", "5", "9"], None, CRITICAL, id="nine tenths in both hold it"),
    ],
)
def test_rate_when_two_windows_hold_spend_then_both_must_reach_it(
    amounts: list[str], reached: Severity | None, held: Severity | None
) -> None:
    """A long window alone ends late, a short one alone fires for a moment."""
    rows = hourly_rows("2026-04-10T06", amounts)
    sample = judged(rule(), rows, "2026-04-10T12:05")[""]
    assert (sample.reached, sample.held) == (reached, held)


@pytest.mark.parametrize(
    ("parts", "hours"),
    [
        pytest.param({}, 720, id="April"),
        pytest.param({"timezone": "Europe/Berlin"}, 720, id="April there"),
        pytest.param({"period": Period.DAY}, 24, id="a day"),
        pytest.param({"period": Period.WEEK}, 168, id="a week"),
        pytest.param({"period": Period.QUARTER}, 2184, id="a quarter"),
        pytest.param({"period": Period.QUARTER, "timezone": "Europe/Berlin"}, 2184, id="a quarter there"),
        pytest.param({"period": Period.YEAR}, 8760, id="a year"),
        pytest.param({"starts_on": 15}, 744, id="a month of March and April"),
        pytest.param({"starts_on": 15, "timezone": "Europe/Berlin"}, 743, id="with the clocks' change"),
        pytest.param({"period": Period.YEAR, "starts_on": YearDay(4, 6)}, 8760, id="a year from April 6"),
    ],
)
def test_rate_when_periods_differ_then_even_over_their_own_hours(parts: dict[str, object], hours: int) -> None:
    """What is even is the amount over as many hours as the period really has."""
    amount = usd(str(hours * 2))
    rows = hourly_rows("2026-04-10T06", ["20"] * 6)
    assert judged(rule(amount=amount, **parts), rows, "2026-04-10T12:05")[""].reached is CRITICAL
    dearer = usd(f"{hours * 2}.01")
    assert judged(rule(amount=dearer, **parts), rows, "2026-04-10T12:05")[""].reached is None


def test_rate_when_the_period_has_just_begun_then_windows_reach_into_the_one_before() -> None:
    """No history and no tenth of the period is needed."""
    rows = hourly_rows("2026-03-31T19", ["10"] * 6)
    sample = judged(rule(), rows, "2026-04-01T01:05")[""]
    assert (sample.reached, sample.period_start) == (CRITICAL, moment("2026-04-01"))
    assert sample.headline == (
        "Budget monthly: $10.00 of $720.00 (1.4 %) with 29 d left; at today's pace it runs out on Apr 12; "
        "spent at 10 times the even rate in 6h and in 1h"
    )
    assert ("Reached by", "rate (critical from 10 times the even one)") in sample.facts
    text = "$10.00 in 1h, 10 times the even $1.00; $60.00 in 6h, 10 times the even $6.00"
    assert ("Against an even spread", text) in sample.facts
    assert sample.thresholds == ()


def test_rate_when_severities_differ_then_each_has_its_windows() -> None:
    """The highest that is reached counts."""
    both = rule(burn={WARNING: fast(3, (24, 3)), CRITICAL: fast(10, (6, 1))})
    slow = hourly_rows("2026-04-09T12", ["3"] * 24)
    assert judged(both, slow, "2026-04-10T12:05")[""].reached is WARNING
    assert judged(both, [*slow, *hourly_rows("2026-04-10T06", ["8"] * 6)], "2026-04-10T12:05")[""].reached is CRITICAL


def test_rate_when_groups_have_their_own_amounts_then_theirs_count() -> None:
    """A single amount, another one for the month, and what was spent in the month before."""
    rows = [*hourly_rows("2026-04-10T06", ["10"] * 6, "a"), *hourly_rows("2026-04-10T06", ["10"] * 6, "b")]
    watched = ((("owner", "a"),), (("owner", "b"),))
    single = rule(group_by=("owner",), amounts={"b": usd("721")})
    found = judged(single, rows, "2026-04-10T12:05", watched)
    assert [found[name].reached for name in "ab"] == [CRITICAL, None]
    other = rule(group_by=("owner",), amounts_by_period={"2026-04": usd("721")}, amounts={"b": usd("720")})
    found = judged(other, rows, "2026-04-10T12:05", watched)
    assert [found[name].reached for name in "ab"] == [None, CRITICAL]
    moving = rule(group_by=("owner",), amount=Moving.LAST_PERIOD, grow=Share(Fraction(2)))
    last = [row(hour("2026-03-05T00"), "360", owner="a"), row(hour("2026-03-05T00"), "361", owner="b")]
    found = judged(moving, [*rows, *last], "2026-04-10T12:05", watched)
    assert [found[name].reached for name in "ab"] == [CRITICAL, None]


def test_rate_when_a_subscription_is_bought_then_its_price_is_none() -> None:
    """What is paid for a fixed term counts as spent, and is no rate unless the rule names it."""
    bought = row(hour("2026-04-10T11"), "100", category="subscription")
    rows = [*hourly_rows("2026-04-10T06", ["9"] * 6), bought]
    sample = judged(rule(), rows, "2026-04-10T12:05")[""]
    assert (sample.reached, str(sample.value)[:5]) == (None, "0.213")
    named = rule(category=Patterns(("gpu", "subscription")))
    assert judged(named, rows, "2026-04-10T12:05")[""].reached is CRITICAL
    only = rule(category=Patterns(("subscription",)), burn={CRITICAL: fast(10, (6, 1))})
    assert judged(only, rows, "2026-04-10T12:05")[""].reached is CRITICAL


def test_rate_when_spend_is_planned_then_only_the_rest_counts() -> None:
    """What is known in advance raises the line by as much as of it falls into each window."""
    rows = hourly_rows("2026-04-10T06", ["12"] * 6)
    facts = desk_with(*rows, now=moment("2026-04-10T12:05"), days=99).facts(moment("2026-04-10T12:05"))

    def reached(amount: str) -> Severity | None:
        span = HourRange(hour("2026-04-10T06"), hour("2026-04-11T06"))
        plan = PlannedSpend(amount=usd(amount), hours=span)
        (sample,) = rule().evaluate(replace(facts, planned=(plan,)), [()])
        return sample.reached

    # $72 in 6 h of which $60 must be left, and the last hour of which $10 must be.
    assert (reached("12"), reached("12.01")) == (CRITICAL, None)


def test_rate_when_data_is_missing_then_may_fire_and_does_not_end() -> None:
    """A gap hides spend, before the period's start too."""

    def with_gap(rows: list[Row]) -> Sample:
        desk = Desk()
        first, last = hour("2026-01-01T00"), hour("2026-04-01T02")
        desk.read([*rows], HourRange(first, last + 1), moment("2026-04-01T02:05"))
        desk.fail(HourRange(hour("2026-03-31T20"), hour("2026-03-31T21")), moment("2026-04-01T02:05"))
        now = moment("2026-04-01T02:05")
        (sample,) = rule().evaluate(desk.facts(now), [()])
        return sample

    fired = with_gap(hourly_rows("2026-03-31T21", ["15"] * 5))
    assert (fired.reached, fired.may_raise, fired.is_complete) == (CRITICAL, True, False)
    ended = with_gap(hourly_rows("2026-03-31T21", ["1"] * 5))
    assert (ended.held, ended.is_complete) == (None, False)
    # A credit may lie in the gap: the windows that reach there decide nothing, what the month holds does.
    credit = row(hour("2026-03-02T00"), "-1")
    unsure = with_gap([*hourly_rows("2026-03-31T21", ["15"] * 5), credit])
    assert (unsure.reached, unsure.may_raise) == (None, True)


@pytest.mark.parametrize("seed", range(how_many(2, thorough=4)))
def test_rate_when_bills_lag_then_fires_by_at_least_and_ends_by_about(seed: int) -> None:
    """Each group's two windows from both ends, against sums that are made row by row."""
    chance = random.Random(f"rates {seed}")
    rows, windows = made_world(seed), chance.choice([(6, 1), (24, 3), (12, 2)])
    budget = rule(group_by=("owner",), burn={WARNING: fast(chance.choice([2, 5, 8]), windows)})
    world = LateBills(rows, (budget,))
    billed = [
        BilledRow(
            s.row.series.owner,
            s.row.series.category,
            s.row.hour,
            s.row.span,
            s.row.amount,
            datetime.fromtimestamp(s.shown_from, UTC),
        )
        for s in rows
    ]
    oracles = {window: Oracle(billed, window, SETTLE) for window in windows}
    owners, done, seen = sorted({each.owner for each in billed}), 0, 0
    for now in polls(at(2, chance.randint(0, 23), 7), at(6), timedelta(hours=5)):
        facts = world.poll(now)
        for category, span, read_at in world.reads[done:]:
            for oracle in oracles.values():
                oracle.note(Read(category, span.start, span.end, read_at))
        done = len(world.reads)
        groups = [(("owner", owner),) for owner in owners]
        found = {sample.group: sample for sample in budget.evaluate(facts, groups)}
        first = oracles[windows[0]]
        latest = max(edge for owner in owners for edge in first.edges(now, [owner]).values())
        limit = budget.burn[WARNING].rate
        for owner in owners:
            for oracle in oracles.values():
                oracle.edges(now, [owner])
            low, about = (
                min(
                    Fraction(oracle.ends(now, [owner], latest)[end] * 744, usd("720") * window)
                    for window, oracle in oracles.items()
                )
                for end in (0, 1)
            )
            sample = found[(("owner", owner),)]
            assert sample.reached == (WARNING if low >= limit else None), (now, owner)
            assert sample.held == (WARNING if about >= limit * Fraction(9, 10) else None), (now, owner)
            seen += low >= limit
    assert seen


@examples(15, thorough=120)
@given(
    amounts=st.lists(st.integers(0, 40), min_size=30, max_size=30),
    rate=st.integers(1, 20),
    windows=st.lists(st.integers(1, 24), min_size=2, max_size=2, unique=True),
    amount=st.integers(1, 5000),
)
def test_rate_when_everything_is_billed_then_as_the_definition_says(
    amounts: list[int], rate: int, windows: list[int], amount: int
) -> None:
    """Spend in each window is at least rate times amount times window over period."""
    first = hour("2026-04-01T00") - 10
    rows = [row(first + n, str(cents / 4)) for n, cents in enumerate(amounts) if cents]
    rows.append(row(first + len(amounts) - 1, "0.01"))
    now = start_of(first + len(amounts)) + timedelta(minutes=5)
    budget = rule(amount=usd(str(amount)), burn={WARNING: fast(rate, tuple(windows))})
    (sample,) = budget.evaluate(desk_with(*rows, now=now, days=40).facts(now), [()])
    by_hour = [Fraction(cents, 4) for cents in amounts]
    by_hour[-1] += Fraction(1, 100)
    # The newest row is the running hour's neighbour: windows end with it or up to two hours sooner.
    expected = all(sum(by_hour[-w:]) >= Fraction(rate * amount * w, 720) for w in windows)
    if expected:
        assert sample.reached is WARNING
    ends = (0, 1, 2)
    best = [max(sum(by_hour[len(by_hour) - back - w : len(by_hour) - back]) for back in ends) for w in windows]
    is_possible = all(value >= Fraction(rate * amount * w, 720) for value, w in zip(best, windows, strict=True))
    assert is_possible or sample.reached is None


def test_alert_when_spend_stops_then_ends_with_its_short_window() -> None:
    """That is what the short window is for."""
    rows = hourly_rows("2026-04-10T06", ["30"] * 8)
    budget = rule()
    states = []
    alerts: dict[str, Alert] = {}
    for now in (moment("2026-04-10T12:05") + n * H for n in range(7)):
        seen = [each for each in rows if each.hour < hour_of(now)]
        facts = desk_with(*seen, now=now, days=60).facts(now)
        moves, _ = judge((budget,), facts, alerts, {"default"})
        alerts |= {move.after.fingerprint: move.after for move in moves}
        states.append([a.state for a in alerts.values()])
    assert states[0] == [AlertState.FIRING]
    # The last row ends at 14:00; without newer ones the bills are known through two hours before now.
    assert states == [[AlertState.FIRING]] * 5 + [[AlertState.RESOLVED]] * 2


@pytest.mark.parametrize(
    ("burn", "text"),
    [
        (Burn(rate=Fraction(2), windows=(H,)), "write two different windows, e.g. windows: [6h, 1h]"),
        (Burn(rate=Fraction(2), windows=(H, H)), "write two different windows, e.g. windows: [6h, 1h]"),
        (
            Burn(rate=Fraction(2), windows=(6 * H, timedelta(minutes=90))),
            "90m is not a whole number of hours; bills come by the hour",
        ),
    ],
)
def test_problems_when_windows_are_odd_then_named(burn: Burn, text: str) -> None:
    """The remedy stands beside it."""
    way = ("burn", "warning", "windows")
    assert list(rule(burn={WARNING: burn}).problems()) == [(way, f"burn.warning.windows: {text}")]


def test_problems_when_a_worse_severity_is_never_seen_then_named() -> None:
    """Only of the same windows one rate says which comes first."""
    same = rule(burn={WARNING: fast(10), CRITICAL: fast(10)})
    text = "burn: the rate of critical must be above that of warning, or it would never be seen"
    assert list(same.problems()) == [("burn", text)]
    assert list(rule(burn={WARNING: fast(10, (24, 3)), CRITICAL: fast(10)}).problems()) == []
