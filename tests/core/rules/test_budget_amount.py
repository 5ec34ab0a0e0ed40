"""What a budget allows: amounts of single periods, where periods begin, and what was spent in the period before."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import Alert, AlertState, Sample
from alertd.core.alerts.judge import judge
from alertd.core.calendar import Period, PeriodStart, YearDay
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels
from alertd.core.rules.base import Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.budget_amount import Moving, PeriodAmounts
from tests.core.builders import CRITICAL, WARNING, Desk, Row, desk_with, row, stand, usd
from tests.examples import examples


def share(percent: int) -> Share:
    return Share(Fraction(percent, 100))


def rule(amount: str | None = "100", /, **parts: object) -> BudgetRule:
    """Warning from 80 %, critical from 100 %; of the last month's spend where no amount is given."""
    plain = BudgetRule(
        name="monthly",
        period=Period.MONTH,
        amount=usd(amount) if amount is not None else Moving.LAST_PERIOD,
        thresholds={WARNING: share(80), CRITICAL: share(100)},
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def at(text: str, amount: str, owner: str = "gpu-1") -> Row:
    return row(hour_of(moment(text)), amount, owner=owner)


def judged(
    budget: BudgetRule, rows: list[Row], now: str, watched: tuple[Labels, ...] = ((),), *, days: int = 99
) -> dict[str, Sample]:
    found = budget.evaluate(desk_with(*rows, now=moment(now), days=days).facts(moment(now)), watched)
    return {"|".join(value for _, value in sample.group): sample for sample in found}


NOW = "2026-03-24T14:05"


@pytest.mark.parametrize(
    ("parts", "rows", "value"),
    [
        pytest.param({"amounts_by_period": {"2026-03": usd("50")}}, [("2026-03-02", "40")], "0.8", id="its month"),
        pytest.param({"amounts_by_period": {"2026-02": usd("50")}}, [("2026-03-02", "40")], "0.4", id="another month"),
        pytest.param(
            {"period": Period.WEEK, "amounts_by_period": {"2026-W13": usd("50")}},
            [("2026-03-23", "40"), ("2026-03-22T23", "9")],
            "0.8",
            id="its week",
        ),
        pytest.param(
            {"period": Period.QUARTER, "amounts_by_period": {"2026-Q1": usd("50")}},
            [("2026-01-05", "40")],
            "0.8",
            id="its quarter",
        ),
        pytest.param(
            {"period": Period.YEAR, "amounts_by_period": {"2026": usd("50")}}, [("2026-01-05", "40")], "0.8", id="year"
        ),
        pytest.param(
            {"period": Period.DAY, "amounts_by_period": {"2026-03-24": usd("50")}},
            [("2026-03-24", "40"), ("2026-03-23T23", "9")],
            "0.8",
            id="its day",
        ),
        pytest.param(
            {"starts_on": 25, "amounts_by_period": {"2026-02": usd("50"), "2026-03": usd("1")}},
            [("2026-02-25", "40"), ("2026-02-24T23", "9")],
            "0.8",
            id="named by the month in which it begins",
        ),
        pytest.param(
            {"period": Period.YEAR, "starts_on": YearDay(4, 6), "amounts_by_period": {"2025": usd("50")}},
            [("2026-01-05", "40")],
            "0.8",
            id="named by the year in which it begins",
        ),
        pytest.param(
            {"period": Period.DAY, "timezone": "Asia/Kolkata", "amounts_by_period": {"2026-03-24": usd("50")}},
            [("2026-03-23T19", "40"), ("2026-03-23T18", "9")],
            "0.8",
            id="a day of its time zone",
        ),
    ],
)
def test_amount_when_a_period_has_its_own_then_that_counts(
    parts: dict[str, object], rows: list[tuple[str, str]], value: str
) -> None:
    """Other periods have the rule's."""
    found = judged(rule(**parts), [at(when, amount) for when, amount in rows], NOW)
    assert str(found[""].value) == value


def test_amount_when_last_period_then_each_group_has_what_it_spent() -> None:
    """To the last digit, grown by a share, and of single groups what is written."""
    budget = rule(None, grow=share(110), group_by=("owner",), amounts={"c": usd("10")})
    rows = [
        at("2026-01-31T23", "1000", "a"),
        at("2026-02-01T00", "30.0000000001", "a"),
        at("2026-02-28T23", "70", "a"),
        at("2026-02-10T00", "200", "b"),
        *(at("2026-03-05T00", "110", owner) for owner in "abc"),
    ]
    watched = tuple((("owner", owner),) for owner in "abc")
    found = judged(budget, rows, NOW, watched)
    # $100.0000000001 grown by a tenth is $110.0000000001: not reached.
    assert [found[owner].reached for owner in "abc"] == [WARNING, None, CRITICAL]
    assert ("Budget", "$110.00, 110 % of what was spent in February 2026") in found["a"].facts
    exact = judged(budget, [*rows, at("2026-03-06T00", "0.0000000001", "a")], NOW, watched)
    assert exact["a"].reached is CRITICAL


def test_amount_when_the_last_period_is_not_stored_then_nothing_is_decided() -> None:
    """A part of it would be an amount that nobody spent."""
    budget = rule(None)
    rows = [at("2026-02-20T00", "10"), at("2026-03-05T00", "500")]
    facts = desk_with(*rows, now=moment(NOW), days=40).facts(moment(NOW))
    assert budget.evaluate(facts, ()) == []
    why = (
        "the amount is what was spent in February 2026, which is not known completely: "
        "gpu was not read yet for 278 hours from 2026-02-01 00:00 UTC"
    )
    assert budget.undecided(facts) == (f"Nothing is decided in March 2026: {why}",)
    # Of a group without spend in what is known of it no more can be said.
    by_owner = desk_with(*rows, at("2026-03-05T00", "9", "new"), now=moment(NOW), days=40).facts(moment(NOW))
    assert rule(None, group_by=("owner",)).undecided(by_owner) == (f"Nothing is decided in March 2026: {why}",)
    assert stand(budget, facts) == ()
    (sample,) = budget.evaluate(facts, [()])
    assert (sample.is_complete, sample.may_raise, sample.caveats) == (False, False, (why,))
    assert budget.undecided(desk_with(*rows, now=moment(NOW), days=99).facts(moment(NOW))) == ()


@pytest.mark.parametrize(
    ("singles", "total"),
    [
        pytest.param({}, "20", id="two of the shared amount"),
        pytest.param({"a": "30"}, "40", id="one of its own"),
        pytest.param({"a": "30", "c": "5"}, "35", id="both of their own"),
        pytest.param({"b": "7"}, "20", id="one that is not chosen has its own"),
    ],
)
def test_amounts_when_those_of_groups_that_are_not_listed_are_added_then_each_with_its_own(
    singles: dict[str, str], total: str
) -> None:
    """The overview's last line is the sum of what it does not list."""
    amounts = PeriodAmounts(
        shared=usd("10"), singles={name: usd(text) for name, text in singles.items()}, named_by=("owner",)
    )
    groups = [(("owner", name),) for name in "abc"]
    assert amounts.total(groups, [0, 2]) == usd(total)
    assert amounts.values(tuple(groups)).tolist() == [float(amounts.of(group) or 0) for group in groups]


def test_amount_when_nothing_was_spent_in_the_last_period_then_the_group_has_none() -> None:
    """It says so; `first_spend` is for that."""
    budget = rule(None, group_by=("owner",))
    rows = [at("2026-02-20T00", "10", "old"), *(at("2026-03-05T00", "9", f"new-{n}") for n in range(7))]
    facts = desk_with(*rows, now=moment(NOW), days=99).facts(moment(NOW))
    assert budget.evaluate(facts, ()) == []
    (text,) = budget.undecided(facts)
    assert text == (
        "Nothing is decided of new-0, new-1, new-2, new-3, new-4 and 2 more in March 2026: "
        "nothing was spent in February 2026, which is the amount"
    )
    group = (("owner", "new-1"),)
    (sample,) = budget.evaluate(facts, [group])
    assert (sample.reached, sample.held, sample.is_complete) == (None, None, True)
    assert sample.headline == "Budget monthly of new-1: $9.00 spent, no amount: nothing was spent in February 2026"


def test_alert_when_a_period_without_an_amount_begins_then_ends_all_the_same() -> None:
    """What it said was of the month that is over."""
    budget = rule(None)
    alerts: dict[str, Alert] = {}
    states = []
    rows = [at("2026-02-10T00", "10"), at("2026-03-05T00", "20"), at("2026-04-01T00", "1")]
    for now in ("2026-03-31T20:05", "2026-04-01T04:05"):
        desk = Desk()
        seen = [each for each in rows if each.hour < hour_of(moment(now))]
        desk.read(seen, HourRange(hour_of(moment("2026-01-01")), hour_of(moment(now)) + 1), moment(now))
        if now > "2026-04":
            desk.fail(HourRange(hour_of(moment("2026-03-10")), hour_of(moment("2026-03-11"))), moment(now))
        moves, _ = judge((budget,), desk.facts(moment(now)), alerts, {"default"})
        alerts |= {move.after.fingerprint: move.after for move in moves}
        states.append([(alert.state, alert.reason) for alert in alerts.values()])
    assert states == [[(AlertState.FIRING, "")], [(AlertState.RESOLVED, "new month")]]


def test_restated_when_the_amount_is_the_last_period_then_by_what_it_is_now() -> None:
    """A late row of the month before changes the share that was notified."""
    budget = rule(None)
    rows = [at("2026-02-10T00", "10"), at("2026-03-05T00", "20")]
    now = moment(NOW)
    moves, _ = judge((budget,), desk_with(*rows, now=now, days=99).facts(now), {}, {"default"})
    (alert,) = (move.after for move in moves)
    alert = replace(alert, notified_value=alert.value)
    more = desk_with(*rows, at("2026-02-11T00", "10"), now=now, days=99).facts(now)
    assert budget.restated(more, alert, alert.as_of) == 1


def slow_start(day: date, kind: Period, starts_on: PeriodStart | None) -> date:
    while not {
        Period.DAY: True,
        Period.WEEK: day.weekday() == 0,
        Period.MONTH: day.day == (starts_on or 1),
    }[kind]:
        day -= timedelta(days=1)
    return day


@examples(20, thorough=150)
@given(
    spend=st.lists(st.tuples(st.integers(1, 70 * 24), st.integers(1, 900)), min_size=1, max_size=25),
    kind_start=st.one_of(
        st.tuples(st.sampled_from([Period.DAY, Period.WEEK]), st.none()),
        st.tuples(st.just(Period.MONTH), st.one_of(st.none(), st.integers(1, 28))),
    ),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    now=st.datetimes(datetime(2026, 3, 1), datetime(2026, 4, 20)),  # noqa: DTZ001 # taken as UTC
    grow=st.integers(50, 200),
)
def test_last_period_when_periods_start_anywhere_then_exactly_what_was_spent_in_it(
    spend: list[tuple[int, int]],
    kind_start: tuple[Period, int | None],
    timezone: str,
    now: datetime,
    grow: int,
) -> None:
    """Each row belongs to the local day in which its hour begins, and periods are whole local days."""
    kind, starts_on = kind_start
    now = now.replace(tzinfo=UTC, minute=5)
    rows = [row(hour_of(now) - back, f"{cents / 100:.2f}") for back, cents in spend]
    # The newest row ends now, so that the bills are known through this hour.
    rows.append(row(hour_of(now) - 1, "0.01"))
    budget = rule(None, period=kind, starts_on=starts_on, timezone=timezone, grow=share(grow))
    (sample,) = budget.evaluate(desk_with(*rows, now=now, days=99).facts(now), [()])
    zone = ZoneInfo(timezone)

    def first_of(hour: int) -> date:
        return slow_start(start_of(hour).astimezone(zone).date(), kind, starts_on)

    this = first_of(hour_of(now) - 1)
    last = slow_start(this - timedelta(days=1), kind, starts_on)
    spent = sum(each.amount for each in rows if first_of(each.hour) == this)
    before = sum(each.amount for each in rows if first_of(each.hour) == last)
    allowed = round(Fraction(before * grow, 100))
    if allowed <= 0:
        assert "no amount" in sample.headline
        return
    reached = CRITICAL if spent >= allowed else WARNING if spent * 10 >= allowed * 8 else None
    assert sample.reached is reached


def test_last_period_when_it_is_a_year_then_read_that_far_back() -> None:
    """All that an amount depends on must be read and held."""
    assert rule(None, period=Period.YEAR).lookback() == timedelta(days=732, hours=4)
    assert rule(None, period=Period.DAY).lookback() == timedelta(days=36, hours=2)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({"period": Period.WEEK, "starts_on": 3}, "starts_on is for period month and year; a week begins on Monday"),
        ({"period": Period.DAY, "starts_on": 3}, "starts_on is for period month and year; a day begins at midnight"),
        (
            {"period": Period.QUARTER, "starts_on": YearDay(2, 1)},
            "starts_on is for period month and year; a quarter begins with January, April, July and October",
        ),
        ({"starts_on": YearDay(4, 6)}, "04-06 is a day of the year; a month starts on a day from 1 to 28"),
        ({"period": Period.YEAR, "starts_on": 4}, "4 is a day of the month; write month and day, e.g. 04-06"),
        ({"grow": share(110)}, "grow does nothing without amount: last_period"),
        (
            {"amounts_by_period": {"2026-Q1": usd("1")}},
            "2026-Q1 is not a month of the calendar; a month is written like 2026-12",
        ),
        (
            {"period": Period.WEEK, "amounts_by_period": {"2026-W54": usd("1")}},
            "2026-W54 is not a week of the calendar; a week is written like 2026-W10",
        ),
    ],
)
def test_problems_when_keys_do_not_fit_the_period_then_named(parts: dict[str, object], problem: str) -> None:
    """With what to write instead."""
    ((_, text),) = rule(**parts).problems()
    assert text.startswith(problem)
