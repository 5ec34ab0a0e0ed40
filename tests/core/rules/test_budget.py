"""`budget` by hand-computed values: periods, shares, pace, forecast, single budgets, gaps, the turn of a period."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from alertd.core.alert import Alert, AlertState, Sample, Unit
from alertd.core.alerts.judge import judge as judge_all
from alertd.core.alerts.lifecycle import step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.messages.compose import compose_alert
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Metric, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.severity import Severity
from tests.core.builders import CRITICAL, DAY, HOUR, WARNING, Desk, Row, desk_with, group, row, usd

INFO = Severity.INFO
NOON = datetime(2026, 3, 24, 14, 5, tzinfo=UTC)
EDGE = hour_of(NOON) - 2
"""Without newer rows: the read less two hours."""
MARCH = hour_of(datetime(2026, 3, 1, tzinfo=UTC))


def share(percent: int) -> Share:
    return Share(Fraction(percent, 100))


def budget(amount: str = "100", /, **parts: object) -> BudgetRule:
    """A monthly budget: warning from 80 %, critical from 100 %."""
    rule = BudgetRule(
        name="monthly-budget",
        period=Period.MONTH,
        amount=usd(amount),
        thresholds={WARNING: share(80), CRITICAL: share(100)},
    )
    return replace(rule, **parts)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hour(text: str) -> int:
    return hour_of(at(text))


def judge(rule: BudgetRule, *rows: Row, now: datetime = NOON, watched: tuple[Labels, ...] = ((),)) -> dict[str, Sample]:
    """The samples by their group's values, of a desk that has read 100 days."""
    seen = rule.evaluate(desk_with(*rows, now=now, days=99).facts(now), watched)
    by_group = {"|".join(value for _, value in s.group): s for s in seen}
    assert len(by_group) == len(seen)
    return by_group


def one(rule: BudgetRule, *rows: Row, now: datetime = NOON) -> Sample:
    return judge(rule, *rows, now=now)[""]


def steady(per_day: str, first: int, last: int) -> list[Row]:
    """The same amount in the first hour of each 24, from one hour up to another."""
    return [row(h, per_day) for h in range(first, last, 24)]


# --- which hours count ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "now", "spent_at", "counts"),
    [
        pytest.param({}, "2026-03-24T14:05", "2026-03-01T00", True, id="the month's first hour"),
        pytest.param({}, "2026-03-24T14:05", "2026-02-28T23", False, id="the hour before it"),
        pytest.param({}, "2026-04-01T02:05", "2026-03-31T23", True, id="its last hour, once it is billed"),
        pytest.param({}, "2026-04-01T03:05", "2026-03-31T23", False, id="an hour later it is the next month"),
        pytest.param({}, "2028-02-29T23:05", "2028-02-01T00", True, id="a leap February's first hour on its last day"),
        pytest.param({}, "2028-03-01T02:05", "2028-02-29T23", True, id="its last hour"),
        pytest.param({}, "2028-03-01T03:05", "2028-02-29T23", False, id="over on the first of March"),
        pytest.param({"period": Period.QUARTER}, "2026-04-01T02:05", "2026-01-01T00", True, id="a whole quarter"),
        pytest.param({"period": Period.QUARTER}, "2026-04-01T03:05", "2026-03-31T23", False, id="the next quarter"),
        pytest.param({"period": Period.WEEK}, "2026-03-22T20:05", "2026-03-16T00", True, id="from Monday"),
        pytest.param({"period": Period.WEEK}, "2026-03-22T20:05", "2026-03-15T23", False, id="not from Sunday"),
        pytest.param({"period": Period.WEEK}, "2026-03-23T02:05", "2026-03-22T23", True, id="to Sunday"),
        pytest.param({"period": Period.DAY}, "2026-03-24T14:05", "2026-03-24T00", True, id="today"),
        pytest.param({"period": Period.DAY}, "2026-03-24T14:05", "2026-03-23T23", False, id="yesterday"),
        pytest.param(
            {"period": Period.DAY, "timezone": "Europe/Berlin"}, "2026-03-29T23:05", "2026-03-28T23", True,
            id="Berlin, 23 hours: the first",
        ),
        pytest.param(
            {"period": Period.DAY, "timezone": "Europe/Berlin"}, "2026-03-30T01:05", "2026-03-29T21", False,
            id="Berlin, 23 hours: 22:00 UTC is the next day",
        ),
        pytest.param(
            {"period": Period.DAY, "timezone": "Europe/Berlin"}, "2026-10-26T01:05", "2026-10-24T22", True,
            id="Berlin, 25 hours: the first, seen at the last",
        ),
        pytest.param(
            {"period": Period.DAY, "timezone": "America/New_York"}, "2026-03-09T06:05", "2026-03-08T05", True,
            id="New York, 23 hours: the first, seen at the last",
        ),
        pytest.param(
            {"period": Period.DAY, "timezone": "America/New_York"}, "2026-03-09T07:05", "2026-03-09T03", False,
            id="New York, 23 hours: over",
        ),
        pytest.param(
            {"period": Period.DAY, "timezone": "America/New_York"}, "2026-11-02T07:05", "2026-11-01T04", True,
            id="New York, 25 hours: the first, seen at the last",
        ),
        pytest.param(
            {"timezone": "Asia/Kolkata"}, "2026-03-24T14:05", "2026-02-28T18", False, id="midnight at 18:30 UTC: before"
        ),
        pytest.param(
            {"timezone": "Asia/Kolkata"}, "2026-03-24T14:05", "2026-02-28T19", True, id="midnight at 18:30 UTC: after"
        ),
    ],
)  # fmt: skip
def test_spend_when_it_lies_around_the_period_then_that_inside_counts(
    parts: dict[str, object], now: str, spent_at: str, counts: bool
) -> None:
    """The period of the last billed hour, to the data edge."""
    sample = one(budget(**parts), row(hour(spent_at), "60"), now=at(now))
    assert sample.value == (Decimal("0.6") if counts else 0)


# --- shares -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "spent", "reached", "held"),
    [
        pytest.param("100", "71.9999999999", None, None, id="a hair below 90 % of the threshold"),
        pytest.param("100", "72", None, WARNING, id="90 % of it holds"),
        pytest.param("100", "79.9999999999", None, WARNING, id="a hair below the threshold"),
        pytest.param("100", "80", WARNING, WARNING, id="the threshold exactly"),
        pytest.param("100", "90", WARNING, CRITICAL, id="90 % of the next holds it"),
        pytest.param("100", "100", CRITICAL, CRITICAL, id="the whole budget"),
        pytest.param("33.3333333333", "26.6666666666", None, WARNING, id="80 % is no whole unit: below"),
        pytest.param("33.3333333333", "26.6666666667", WARNING, WARNING, id="80 % is no whole unit: above"),
        pytest.param("0.0000000001", "0.0000000001", CRITICAL, CRITICAL, id="the smallest budget"),
        pytest.param("900,000,000", "719,999,999.9999999999", None, WARNING, id="the largest, a unit below"),
    ],
)
def test_severity_when_a_share_is_spent_then_reached_and_held(
    amount: str, spent: str, reached: Severity | None, held: Severity | None
) -> None:
    """Compared as fractions: no rounding reaches a threshold."""
    sample = one(budget(amount), row(EDGE - 1, spent))
    assert (sample.reached, sample.held) == (reached, held)
    assert (sample.value >= Decimal("0.8")) == (reached is not None)


def test_ledger_when_empty_then_nothing_is_spent() -> None:
    """Read and empty is really zero; never read is not known."""
    sample = one(budget(forecast={WARNING: share(100)}))
    assert (str(sample.value), sample.reached, sample.held, sample.is_complete) == ("0", None, None, True)
    assert judge(budget(), watched=()) == {}
    desk = Desk()
    desk.books["default", "gpu"] = desk.book()
    assert budget().evaluate(desk.facts(NOON), ((),)) == []


def test_budget_when_the_filter_fits_no_category_then_the_open_alert_ends() -> None:
    """An edit of `category` leaves nothing of what the alert told."""
    assert one(budget(category=Patterns(("llm",))), row(EDGE - 1, "90")).held is None


def test_credit_when_it_is_billed_then_it_counts() -> None:
    """What is paid back is budget again."""
    assert one(budget(), row(MARCH, "90"), row(MARCH + 5, "-20")).value == Decimal("0.7")
    assert one(budget(), row(MARCH, "-20")).value == Decimal("-0.2")


def test_metric_when_pay_then_only_cash_counts() -> None:
    """Vouchers are nobody's budget."""
    paid = Row(series=row(0, "1").series, hour=EDGE - 1, amount=usd("90"), voucher=usd("5"))
    sample = one(budget(metric=Metric.PAY), paid)
    assert sample.value == Decimal("0.85")
    assert sample.headline.startswith("Budget monthly-budget (pay): $85.00 of $100.00 (85 %)")


# --- pace -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "spent", "reached", "held"),
    [
        # April has 720 hours: a tenth are 72, the first three days.
        pytest.param("2026-04-04T01:05", "99", None, None, id="71 hours are less than a tenth"),
        pytest.param("2026-04-04T02:05", "13", WARNING, WARNING, id="72 hours: 13 % in 10 % is 1.3 exactly"),
        pytest.param("2026-04-04T02:05", "12.9999999999", None, WARNING, id="a hair less is held at 90 % of it"),
        pytest.param("2026-04-04T02:05", "11.6999999999", None, None, id="below 1.17 it is left"),
        pytest.param("2026-04-16T02:05", "64.9999999999", None, WARNING, id="half of April, a hair below 65 %"),
        pytest.param("2026-04-16T02:05", "65", WARNING, WARNING, id="half of April, 65 %"),
        pytest.param("2026-04-16T02:05", "100", CRITICAL, CRITICAL, id="twice the pace"),
        pytest.param("2026-05-01T02:05", "100", None, None, id="the whole at the end is the pace"),
    ],
)
def test_pace_when_spent_share_is_ahead_of_time_then_reached(
    now: str, spent: str, reached: Severity | None, held: Severity | None
) -> None:
    """Spent share over elapsed share, after a tenth of the period."""
    rule = budget(thresholds={}, pace={WARNING: Fraction(13, 10), CRITICAL: Fraction(2)})
    sample = one(rule, row(hour("2026-04-01T05"), spent), now=at(now))
    assert (sample.reached, sample.held) == (reached, held)


# --- forecast ---------------------------------------------------------------------------------------------------------

APRIL = hour("2026-04-01T00")
FORECAST = {WARNING: share(100), CRITICAL: share(120)}


@pytest.mark.parametrize(
    ("amount", "reached", "held"),
    [
        pytest.param("300", WARNING, WARNING, id="10 a day in 30 days meet 300 exactly"),
        pytest.param("300.0000000001", None, WARNING, id="a hair more is not reached"),
        pytest.param("250", CRITICAL, CRITICAL, id="120 % exactly"),
        pytest.param("400", None, None, id="75 % of it"),
    ],
)
def test_forecast_when_spend_goes_on_then_its_end_is_compared(
    amount: str, reached: Severity | None, held: Severity | None
) -> None:
    """Ten dollars a day since February, looked at on the sixth of April: 50 spent, 250 to come."""
    rows = steady("10", APRIL - 40 * 24, APRIL + 5 * 24)
    sample = one(budget(amount, thresholds={}, forecast=FORECAST), *rows, now=at("2026-04-06T02:05"))
    assert (sample.reached, sample.held) == (reached, held)
    assert dict(sample.facts)["Forecast"].startswith("$300.00 (")


@pytest.mark.parametrize(
    ("parts", "now", "first", "is_notified"),
    [
        pytest.param({}, "2026-04-04T02:05", APRIL - 40 * 24, True, id="a tenth of the month"),
        pytest.param({}, "2026-04-04T01:05", APRIL - 40 * 24, False, id="an hour less"),
        pytest.param({}, "2026-04-20T02:05", hour("2026-04-18T00"), False, id="the group began two days ago"),
        pytest.param({}, "2026-04-20T02:05", hour("2026-04-17T00"), True, id="the group began three days ago"),
        pytest.param(
            {"min_history": 14 * DAY}, "2026-04-01T03:05", APRIL - 40 * 24, True, id="history: the first hour"
        ),
        pytest.param(
            {"min_history": 14 * DAY}, "2026-04-01T03:05", APRIL - 13 * 24 + 1, False, id="history: too short"
        ),
    ],
)
def test_forecast_when_little_is_known_then_not_made(
    parts: dict[str, object], now: str, first: int, is_notified: bool
) -> None:
    """A tenth of the period must be over and known of the group, or so much history as the rule asks for."""
    rule = budget("1", thresholds={}, forecast=FORECAST, **parts)
    sample = one(rule, *steady("10", first, hour_of(at(now)) - 2), now=at(now))
    assert (sample.reached is not None, "Forecast" in dict(sample.facts)) == (is_notified, is_notified)


def test_forecast_when_most_lies_ahead_then_found_before_anything_is_spent_of_the_budget() -> None:
    """The groups that a forecast reaches are not those that have spent most."""
    rows = [row(h, "10", owner="gpu-2") for h in range(APRIL - 40 * 24, APRIL + 73, 24)]
    rule = budget("200", group_by=("owner",), forecast=FORECAST)
    samples = judge(rule, *rows, row(APRIL, "1"), now=at("2026-04-04T03:05"), watched=())
    assert {name: sample.reached for name, sample in samples.items()} == {"gpu-2": CRITICAL}


# --- one alert for all three ------------------------------------------------------------------------------------------


def test_severity_when_several_reach_then_the_highest_with_its_words() -> None:
    """The reader sees which of them it was, and no threshold that does not belong to it."""
    rows = steady("10", APRIL - 40 * 24, APRIL + 15 * 24)
    rule = budget(
        "180",
        thresholds={INFO: share(50), WARNING: share(80), CRITICAL: share(100)},
        pace={WARNING: Fraction(13, 10)},
        forecast=FORECAST,
    )
    sample = one(rule, *rows, now=at("2026-04-16T02:05"))
    assert (sample.value, sample.reached, sample.held) == (Decimal("0.833333333333"), CRITICAL, CRITICAL)
    assert sample.headline == (
        "Budget monthly-budget: $150.00 of $180.00 (83.3 %) with 15 d left; at today's pace it runs out on Apr 19; "
        "1.67 times the budgeted pace; forecast to end at $300.00 (166.7 %)"
    )
    assert sample.thresholds == ((INFO, Decimal("0.5")), (WARNING, Decimal("0.8")))
    assert sample.facts == (
        ("Period", "April 2026, 50 % over"),
        ("Left", "$30.00"),
        ("Today's pace", "$10.00 in 24h: runs out on Apr 19"),
        ("Against the budgeted pace", "1.67 times"),
        ("Forecast", "$300.00 (166.7 %), 80 % range by past errors $300.00 to $300.00"),
        ("Reached by", "spend (warning from 80 %), pace (warning from 1.3 times), forecast (critical from 120 %)"),
    )
    assert (sample.unit, sample.period, sample.period_start) == (Unit.RATIO, "month", at("2026-04-01"))


@pytest.mark.parametrize(
    ("parts", "rows", "now", "headline"),
    [
        pytest.param(
            {}, [row(MARCH, "4062"), row(EDGE - 3, "38")], "2026-03-24T14:05",
            "$4,100.00 of $5,000.00 (82 %) with 7 d left", id="it lasts",
        ),
        pytest.param(
            {}, [row(MARCH, "3820"), row(EDGE - 3, "280")], "2026-03-24T14:05",
            "$4,100.00 of $5,000.00 (82 %) with 7 d left; at today's pace it runs out on Mar 27", id="it runs out",
        ),
        pytest.param(
            {}, [row(EDGE - 3, "5200")], "2026-03-24T14:05", "$5,200.00 of $5,000.00 (104 %) with 7 d left", id="over",
        ),
        pytest.param(
            {}, [row(MARCH, "4100")], "2026-04-01T02:05",
            "$4,100.00 of $5,000.00 (82 %) at the end of the month", id="the end",
        ),
        pytest.param(
            {"period": Period.DAY, "timezone": "Europe/Berlin"}, [row(hour("2026-03-24T08"), "4100")],
            "2026-03-24T14:05",
            "$4,100.00 of $5,000.00 (82 %) with 11 h left; at today's pace it runs out at 18:00 CET", id="a day",
        ),
    ],
)  # fmt: skip
def test_headline_when_read_then_says_where_the_budget_stands(
    parts: dict[str, object], rows: list[Row], now: str, headline: str
) -> None:
    """It is the line on the phone."""
    assert one(budget("5,000", **parts), *rows, now=at(now)).headline == f"Budget monthly-budget: {headline}"


def test_facts_when_over_the_budget_then_by_how_much() -> None:
    """A negative rest reads badly."""
    facts = dict(one(budget(), row(EDGE - 1, "120")).facts)
    assert (facts["Over budget by"], facts["Today's pace"]) == ("$20.00", "$120.00 in 24h")
    assert "Left" not in facts


# --- budgets of single groups -----------------------------------------------------------------------------------------

DIRECTORY = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-1", "gpu-2")), name="trainer-a", team="research"),
        Owner(match=Patterns(("gpu-3",)), team="web"),
    )
)


@pytest.mark.parametrize(
    ("group_by", "amounts", "reached"),
    [
        pytest.param(("owner",), {}, {}, id="none reaches the common one"),
        pytest.param(("owner",), {"gpu-2": "50"}, {"gpu-2": CRITICAL}, id="an owner by id"),
        pytest.param(("owner",), {"trainer-a": "50"}, {"gpu-1": WARNING, "gpu-2": CRITICAL}, id="owners by name"),
        pytest.param(
            ("owner",), {"trainer-a": "50", "gpu-2": "60"}, {"gpu-1": WARNING, "gpu-2": WARNING}, id="id wins"
        ),
        pytest.param(("owner",), {"research": "1"}, {}, id="a team is no owner"),
        pytest.param(("team",), {"research": "90"}, {"research": CRITICAL}, id="a team"),
        pytest.param(("team",), {"research": "500"}, {}, id="a larger one"),
        pytest.param(
            ("category", "team"), {"web": "10"}, {"gpu|web": CRITICAL, "gpu|research": WARNING}, id="two keys"
        ),
    ],
)
def test_amounts_when_set_for_single_groups_then_theirs_count(
    group_by: tuple[str, ...], amounts: dict[str, str], reached: dict[str, Severity]
) -> None:
    """gpu-1 spent 40, gpu-2 50, gpu-3 10; all others have 100."""
    rule = budget(group_by=group_by, amounts={name: usd(text) for name, text in amounts.items()})
    rows = (row(MARCH, "40"), row(MARCH, "50", owner="gpu-2"), row(MARCH, "10", owner="gpu-3"))
    samples = rule.evaluate(desk_with(*rows, now=NOON, days=99).facts(NOON, owners=DIRECTORY), ())
    found = {"|".join(value for _, value in s.group): s.reached for s in samples if s.reached is not None}
    assert found == reached


def test_watched_group_when_it_spends_nothing_then_a_sample_of_zero() -> None:
    """Otherwise its alert would stay open for ever."""
    rule = budget(group_by=("owner",), amounts={"gpu-9": usd("5")}, forecast=FORECAST)
    samples = judge(rule, row(MARCH, "90"), watched=(group("gpu-9"),))
    assert {name: (s.value, s.held) for name, s in samples.items()} == {
        "gpu-1": (Decimal("0.9"), CRITICAL),
        "gpu-9": (0, None),
    }


def test_repeat_every_when_the_budget_is_a_groups_own_then_counts_its_dollars() -> None:
    """`repeat_every: $10` is ten dollars, whatever share of the budget that is."""
    rule = budget(
        group_by=("owner",), amounts={"trainer-a": usd("50")}, repeat_every=usd("10"), repeat_interval=None
    )  # fmt: skip
    facts = [
        desk_with(row(MARCH, text), now=NOON, days=99).facts(NOON, owners=DIRECTORY) for text in ("40", "49", "50")
    ]
    alerts: dict[str, Alert] = {}
    counted = []
    for known in facts:
        ((move,), _) = judge_all([rule], known, alerts, {"default"})
        alerts = {move.after.fingerprint: move.after}
        assert move.after.billed is not None
        counted.append(move.after.billed.total)
    assert counted == [0, usd("9"), usd("10")]


# --- completeness -----------------------------------------------------------------------------------------------------


def with_gap(gap: HourRange, *rows: Row, now: datetime = NOON) -> Desk:
    """gpu read whole; llm failing for some hours."""
    desk = desk_with(*rows, row(hour_of(now) - 50 * 24, "0.01", category="llm"), now=now, days=99)
    desk.fail(gap, now, category="llm")
    return desk


def test_spend_and_pace_when_a_category_failed_then_may_fire_and_may_not_resolve() -> None:
    """Missing data can hide spend but never invent it."""
    rule = budget(pace={CRITICAL: Fraction(1)})
    desk = with_gap(HourRange(EDGE - 5, EDGE + 3), row(MARCH, "80"))
    (sample,) = rule.evaluate(desk.facts(NOON), ())
    assert (sample.is_complete, sample.may_raise, sample.reached) == (False, True, CRITICAL)
    assert sample.caveats == ("llm could not be read since 2026-03-24 14:05 UTC (HTTP 500)",)


def test_spend_when_a_credit_may_be_missing_then_may_not_fire() -> None:
    """The true share could be lower."""
    desk = with_gap(HourRange(EDGE - 5, EDGE + 3), row(MARCH, "80"), row(MARCH, "-1", category="llm"))
    (sample,) = budget().evaluate(desk.facts(NOON), ((),))
    assert (sample.is_complete, sample.may_raise) == (False, False)


@pytest.mark.parametrize("gap", [HourRange(APRIL + 100, APRIL + 101), HourRange(APRIL - 24, APRIL - 23)])
def test_forecast_when_data_is_missing_then_neither_reached_nor_left(gap: HourRange) -> None:
    """In the period or in the history before it: a forecast is never decided from incomplete data."""
    now = at("2026-04-06T02:05")
    rule = budget("100", thresholds={}, forecast=FORECAST)
    desk = with_gap(gap, *steady("10", APRIL - 40 * 24, APRIL + 5 * 24), now=now)
    (sample,) = rule.evaluate(desk.facts(now), ((),))
    assert (sample.reached, sample.is_complete, "Forecast" in dict(sample.facts)) == (None, False, False)
    (complete,) = rule.evaluate(desk_with(*steady("10", APRIL - 40 * 24, APRIL + 5 * 24), now=now).facts(now), ())
    alert = step(None, complete, rule, now)
    assert alert is not None
    after = step(alert, sample, rule, now + HOUR)
    assert after is not None
    assert (after.state, after.severity) == (AlertState.FIRING, CRITICAL)


def test_spend_when_only_history_is_missing_then_complete_without_a_forecast() -> None:
    """A rule that asks for no forecast does not wait for what only a forecast needs."""
    desk = with_gap(HourRange(MARCH - 30, MARCH - 29), row(MARCH, "80"))
    (sample,) = budget().evaluate(desk.facts(NOON), ())
    assert (sample.is_complete, sample.caveats, "Forecast" in dict(sample.facts)) == (True, (), False)


# --- the turn of a period ---------------------------------------------------------------------------------------------


def live(rule: BudgetRule, *moments: tuple[str, Desk]) -> list[Alert | None]:
    """The alert after each look at a desk."""
    alert, seen = None, []
    for text, desk in moments:
        (sample,) = rule.evaluate(desk.facts(at(text)), ((),))
        alert = step(alert, sample, rule, at(text))
        seen.append(alert)
    return seen


def desk_at(text: str, *rows: Row) -> tuple[str, Desk]:
    return text, desk_with(*rows, now=at(text), days=99)


def states(alerts: list[Alert | None]) -> list[tuple[str, int, str] | None]:
    return [(a.state.value, a.episode, a.reason) if a is not None else None for a in alerts]


def test_alert_when_a_month_begins_then_ends_as_it_was_and_a_new_episode_begins() -> None:
    """What it notified was of the month that is over; the same spend in the new one is another alert."""
    march, april = row(MARCH, "90"), row(APRIL, "85")
    alerts = live(
        budget(),
        desk_at("2026-04-01T02:05", march),
        desk_at("2026-04-01T03:05", march, april),
        desk_at("2026-04-01T03:15", march, april),
        desk_at("2026-04-01T03:25", march, april),
    )
    assert states(alerts) == [("firing", 1, ""), ("resolved", 1, "new month"), ("firing", 2, ""), ("firing", 2, "")]
    assert [a.headline.partition(" with")[0] for a in alerts if a is not None][1:3] == [
        "Budget monthly-budget: $90.00 of $100.00 (90 %) at the end of the month",
        "Budget monthly-budget: $85.00 of $100.00 (85 %)",
    ]
    assert len({a.fingerprint for a in alerts if a is not None}) == 1


def test_alert_when_the_month_turns_and_data_is_missing_then_ends_all_the_same() -> None:
    """The calendar ends it, not the bills."""
    now = at("2026-04-02T03:05")
    desk = with_gap(HourRange(APRIL, APRIL + 27), row(MARCH, "90"), now=now)
    alerts = live(budget(), desk_at("2026-03-31T02:05", row(MARCH, "90")), ("2026-04-02T03:05", desk))
    assert states(alerts) == [("firing", 1, ""), ("resolved", 1, "new month")]


def test_alert_when_the_data_edge_falls_back_over_the_turn_then_nothing_moves() -> None:
    """A row of the new month that is taken back does not bring the old alert again."""
    first = live(
        budget(),
        desk_at("2026-04-01T00:05", row(MARCH, "90")),
        desk_at("2026-04-01T00:15", row(MARCH, "90"), row(APRIL, "1")),
    )
    (old,) = budget().evaluate(desk_at("2026-04-01T00:25", row(MARCH, "90"))[1].facts(at("2026-04-01T00:25")), ())
    assert old.period_start == at("2026-03-01")
    assert states(first)[-1] == ("resolved", 1, "new month")
    newer = live(budget(), desk_at("2026-04-01T00:15", row(APRIL, "90")))[0]
    assert newer is not None
    assert step(newer, old, budget(), at("2026-04-01T00:25")) is newer


def test_alert_when_the_period_is_edited_then_judged_on_by_the_new_text() -> None:
    """An edit is no turn of the calendar: the alert goes on, or ends by the edit."""
    before = live(budget(), desk_at("2026-03-24T14:05", row(MARCH, "90")))[0]
    assert before is not None
    quarter, day = budget(period=Period.QUARTER), budget(period=Period.DAY)
    desk = desk_with(row(MARCH, "90"), now=NOON, days=99)
    found = []
    for rule in (quarter, day):
        (sample,) = rule.evaluate(desk.facts(NOON), ((),))
        after = step(before, sample, rule, NOON)
        assert after is not None
        found.append((after.state.value, after.reason, after.period_start))
    assert found == [("firing", "", at("2026-01-01")), ("resolved", "rule edited", at("2026-03-24"))]


def test_severity_when_raised_by_the_forecast_then_no_threshold_of_another_kind() -> None:
    """82 % "critical from 80 %" would be the warning's threshold."""
    rows = steady("10", APRIL - 40 * 24, APRIL + 15 * 24)
    now = "2026-04-16T02:05"
    rule = budget("180", thresholds={WARNING: share(80)}, forecast={CRITICAL: share(120)})
    (sample,) = rule.evaluate(desk_at(now, *rows)[1].facts(at(now)), ())
    warned = step(None, replace(sample, reached=WARNING, held=WARNING), rule, at(now))
    assert warned is not None
    raised = step(warned, sample, rule, at(now))
    assert raised is not None
    titles = [
        compose_alert(a, rule, NotifyReason.FIRST, headline="82 %", owners=OwnerDirectory(), now=at(now)).title
        for a in (warned, raised)
    ]
    assert (raised.severity, titles) == (CRITICAL, ["82 % (warning from 80 %)", "82 %"])


# --- words and mistakes -----------------------------------------------------------------------------------------------


def test_sample_when_evaluated_then_labels_and_contributors() -> None:
    """Whose, and what spends most, against as many hours before."""
    rows = (row(MARCH, "90"), row(MARCH - 24, "7"))
    rule = budget(group_by=("owner",))
    (sample,) = rule.evaluate(desk_with(*rows, now=NOON, days=99).facts(NOON, owners=DIRECTORY), ())
    assert sample.headline.startswith("Budget monthly-budget of trainer-a (gpu-1): $90.00 of $100.00 (90 %)")
    assert dict(sample.labels) == {"owner": "gpu-1", "owner_name": "trainer-a", "team": "research"}
    assert [(c.owner, c.amount, c.before) for c in sample.top] == [("gpu-1", usd("90"), usd("7"))]
    assert sample.table_note == "March 2026 to 2026-03-24 12:00 UTC, against as many hours before"
    quarter = replace(rule, period=Period.QUARTER, amount=usd("100"))
    (long,) = quarter.evaluate(desk_with(*rows, now=NOON, days=99).facts(NOON), ())
    assert [c.before for c in long.top] == [None]


REMEDY = "nothing can be reached; write thresholds: {warning: 80%}, or pace:, burn: or forecast:"


@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        pytest.param(budget(), [], id="none"),
        pytest.param(
            budget(thresholds={}),
            [("thresholds", REMEDY)],
            id="nothing to reach",
        ),
        pytest.param(
            budget(pace={WARNING: Fraction(2), CRITICAL: Fraction(2)}),
            [("pace", "pace: critical must be above warning, or it would never be seen")],
            id="equal paces",
        ),
        pytest.param(
            budget(forecast={INFO: share(100), WARNING: share(90)}),
            [("forecast", "forecast: warning must be above info, or it would never be seen")],
            id="falling forecasts",
        ),
        pytest.param(
            budget(amounts={"a": usd("1")}, group_by=("category",)),
            [("amounts", "amounts needs groups to give them to; write group_by: [owner] or group_by: [team]")],
            id="amounts of nobody",
        ),
        pytest.param(
            budget(min_history=DAY),
            [("min_history", "min_history does nothing without forecast; write forecast: {…}, or remove it")],
            id="history for nothing",
        ),
    ],
)
def test_problems_when_the_rule_makes_no_sense_then_named(rule: BudgetRule, problems: list[tuple[str, str]]) -> None:
    """What a single key cannot show, with the remedy."""
    assert list(rule.problems()) == problems


def test_lookback_when_asked_then_the_period_and_five_weeks() -> None:
    """All that a forecast looks at must be read and held."""
    assert budget().lookback() == timedelta(days=31 + 35, hours=2)
    assert budget(period=Period.DAY).lookback() == timedelta(days=36, hours=2)
    assert budget(timezone="Europe/Berlin").digest() != budget().digest()
