"""`rolling_spend` by hand-computed values: windows, groups, filters, completeness."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from alertd.core.alert import Sample
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import Metric
from alertd.core.rules.rolling_spend import RollingSpend
from tests.core.builders import (
    CRITICAL,
    NOW,
    RUNNING,
    WARNING,
    Desk,
    Row,
    a_series,
    desk_with,
    group,
    rolling,
    row,
    usd,
)

EDGE = RUNNING - 2
"""Without a row of the last hours the window ends here: the read less two hours."""
WHOLE = rolling(group_by=())


def judge(rule: RollingSpend, desk: Desk, *watched: Labels) -> dict[str, Sample]:
    """The samples by their group's values."""
    seen = rule.evaluate(desk.facts(), watched)
    by_group = {"|".join(value for _, value in s.group): s for s in seen}
    assert len(by_group) == len(seen)
    return by_group


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        pytest.param([row(EDGE - 24, "60")], "60", id="the first hour of the window is in"),
        pytest.param([row(EDGE - 25, "60")], None, id="the hour before is out"),
        pytest.param([row(EDGE - 1, "60")], "60", id="the last settled hour is in"),
        pytest.param([row(RUNNING, "60")], "60", id="a row of the running hour moves the edge to its end"),
        pytest.param([row(RUNNING - 23, "60"), row(RUNNING, "1")], "61", id="and the window with it: first hour"),
        pytest.param([row(RUNNING - 24, "60"), row(RUNNING, "1")], "60", id="a window of an hour ago counts too"),
        pytest.param([row(RUNNING - 26, "60"), row(RUNNING, "1")], None, id="not one before the settle delay"),
        pytest.param([row(EDGE - 34, "96", span=24)], "96", id="a day's row is whole until the next one is due"),
        pytest.param([row(EDGE - 24, "25"), row(EDGE - 2, "25")], "50", id="rows add up to the threshold exactly"),
        pytest.param([row(EDGE - 24, "60"), row(EDGE - 3, "-15")], "45", id="a credit counts, held at 90 % exactly"),
        pytest.param([row(EDGE - 24, "60"), row(EDGE - 3, "-15.0000000001")], None, id="a hair less is held no more"),
        pytest.param([], None, id="an empty ledger"),
    ],
)
def test_value_when_rows_lie_around_the_window_then_those_inside_count(rows: list[Row], value: str | None) -> None:
    """The 24 hours that end at the data edge, half-open."""
    samples = judge(rolling(), desk_with(*rows), group())
    assert {k: str(s.value) for k, s in samples.items() if s.held} == ({"gpu-1": value} if value else {})


@pytest.mark.parametrize(
    ("value", "reached", "held"),
    [
        ("44.99", None, None),
        ("45", None, WARNING),
        ("49.9999999999", None, WARNING),
        ("50", WARNING, WARNING),
        ("89.9999999999", WARNING, WARNING),
        ("90", WARNING, CRITICAL),
        ("100", CRITICAL, CRITICAL),
    ],
)
def test_severity_when_value_grows_then_reached_and_held(value: str, reached: object, held: object) -> None:
    """Reached at the threshold exactly, held down to 90 % of it."""
    (sample,) = judge(rolling(), desk_with(row(EDGE - 1, value)), group()).values()
    assert (sample.reached, sample.held) == (reached, held)


def test_watched_group_when_it_spends_nothing_then_a_sample_of_zero() -> None:
    """Otherwise its alert would stay open for ever."""
    samples = judge(rolling(), desk_with(row(EDGE - 1, "60", owner="gpu-2")), group("gpu-1"))
    assert {k: (str(s.value), s.held, s.is_complete) for k, s in samples.items()} == {
        "gpu-1": ("0", None, True),
        "gpu-2": ("60", WARNING, True),
    }


def test_evaluate_when_nothing_was_ever_read_then_no_sample() -> None:
    """Nothing known is not zero: not even a watched group may end by it."""
    desk = Desk()
    desk.books["default", "gpu"] = desk.book()
    assert judge(rolling(), desk, group()) == {}
    desk.fail(HourRange(RUNNING - 24, RUNNING + 1))
    assert judge(rolling(), desk, group()) == {}


def test_evaluate_when_the_filter_fits_no_category_then_the_open_alert_is_judged() -> None:
    """An edit of `category` to something else leaves nothing of what the alert told."""
    desk = desk_with(row(EDGE - 1, "60"))
    samples = judge(rolling(category=Patterns(("llm",))), desk, group())
    assert {k: s.held for k, s in samples.items()} == {"gpu-1": None}


DIRECTORY = OwnerDirectory(
    (
        Owner(match=Patterns(("gpu-1", "gpu-2")), name="trainer-a", team="research", labels=(("env", "prod"),)),
        Owner(match=Patterns(("gpu-3",)), team="web"),
    )
)
MANY = desk_with(
    row(EDGE - 1, "30"),
    row(EDGE - 1, "25", owner="gpu-2"),
    row(EDGE - 1, "60", owner="gpu-3", account="dev"),
    row(EDGE - 1, "70", owner="", category="llm"),
    Row(series=a_series("gpu-3", product="A100"), hour=EDGE - 1, amount=usd("7"), voucher=usd("3")),
)


@pytest.mark.parametrize(
    ("parts", "values"),
    [
        pytest.param({}, {"": "70", "gpu-3": "67"}, id="by owner, the ownerless on its own"),
        pytest.param({"group_by": ()}, {"": "192"}, id="the whole"),
        pytest.param({"group_by": ("team",)}, {"research": "55", "web": "67", "": "70"}, id="by team"),
        pytest.param({"group_by": ("env",)}, {"prod": "55", "": "137"}, id="by an owner's label"),
        pytest.param({"group_by": ("account",)}, {"default": "132", "dev": "60"}, id="by account"),
        pytest.param({"group_by": ("category", "product")}, {"gpu|H100": "115", "llm|H100": "70"}, id="by two keys"),
        pytest.param({"category": Patterns(("llm",))}, {"": "70"}, id="one category"),
        pytest.param({"category": Patterns(("!llm",))}, {"gpu-3": "67"}, id="all but one"),
        pytest.param({"team": Patterns(("web",))}, {"gpu-3": "67"}, id="one team"),
        pytest.param({"account": Patterns(("default",)), "group_by": ()}, {"": "132"}, id="one account"),
        pytest.param({"product": Patterns(("A*",)), "thresholds": {WARNING: usd("7")}}, {"gpu-3": "7"}, id="a product"),
        pytest.param(
            {"metric": Metric.VOUCHER, "thresholds": {WARNING: usd("3")}}, {"gpu-3": "3"}, id="what vouchers paid"
        ),
        pytest.param({"metric": Metric.PAY, "owner": Patterns(("gpu-3",))}, {"gpu-3": "64"}, id="what is paid in cash"),
        pytest.param(
            {"product_id": Patterns(("a100",)), "thresholds": {WARNING: 1}}, {"gpu-3": "7"}, id="a product id"
        ),
        pytest.param({"billing_method": Patterns(("spot",))}, {}, id="a billing method that nobody has"),
    ],
)
def test_groups_when_filtered_and_grouped_then_their_sums(parts: dict[str, object], values: dict[str, str]) -> None:
    """Every key of the rules file by a sum that can be checked by eye."""
    rule = rolling(**parts)
    samples = rule.evaluate(MANY.facts(owners=DIRECTORY), ())
    assert {"|".join(v for _, v in s.group): str(s.value) for s in samples} == values


def test_sample_when_evaluated_then_words_labels_and_limits() -> None:
    """All that the message needs, in words for people."""
    facts = MANY.facts(owners=DIRECTORY)
    rule = rolling("20", category=Patterns(("gpu",)), labels=(("team", "x"), ("tier", "1")))
    sample = next(s for s in rule.evaluate(facts, ()) if s.group == group())
    assert sample.headline == "trainer-a (gpu-1) spent $30.00 on gpu in 24h"
    assert dict(sample.labels) == {
        "owner": "gpu-1", "owner_name": "trainer-a", "team": "research", "env": "prod", "tier": "1",
    }  # fmt: skip
    assert sample.thresholds == ((WARNING, Decimal(20)), (CRITICAL, Decimal(100)))
    assert (sample.as_of, sample.account) == (start_of(EDGE), "default, dev")
    assert sample.table_note == "24h to 2026-01-10 10:00 UTC, against the 24h before"
    assert [(c.owner, c.product, c.amount, c.before) for c in sample.top] == [("gpu-1", "H100", usd("30"), 0)]


@pytest.mark.parametrize(
    ("parts", "headline"),
    [
        pytest.param({"group_by": ()}, "Spend in 24h is $192.00", id="the whole"),
        pytest.param({"group_by": ("account",)}, "default spent $132.00 in 24h", id="an account"),
        pytest.param({"owner": Patterns(("",))}, "(no owner) spent $70.00 in 24h", id="spend without an owner"),
        pytest.param(
            {"metric": Metric.PAY, "owner": Patterns(("gpu-3",)), "window": timedelta(days=7)},
            "gpu-3 spent $64.00 (pay) in 7d",
            id="cash, and a week",
        ),
    ],
)
def test_headline_when_groups_differ_then_reads_well(parts: dict[str, object], headline: str) -> None:
    """It is the line on the phone."""
    assert rolling(**parts).evaluate(MANY.facts(owners=DIRECTORY), ())[0].headline == headline


# --- completeness ---------------------------------------------------------------------------------------------------


def partly(*, credit: bool = False) -> Desk:
    """gpu read whole, llm failing for its newest hours."""
    desk = desk_with(row(EDGE - 1, "60"), row(EDGE - 9, "-1" if credit else "1", category="llm"))
    desk.fail(HourRange(RUNNING - 12, RUNNING + 1), category="llm")
    return desk


def test_sample_when_a_category_failed_then_incomplete_but_may_raise() -> None:
    """Missing data can hide spend but never invent it."""
    (sample,) = judge(WHOLE, partly()).values()
    assert (sample.is_complete, sample.may_raise, str(sample.value)) == (False, True, "61")
    assert sample.caveats == ("llm could not be read since 2026-01-10 12:05 UTC (HTTP 500)",)
    (only_gpu,) = judge(rolling(category=Patterns(("gpu",))), partly()).values()
    assert (only_gpu.is_complete, only_gpu.caveats) == (True, ())


def test_sample_when_a_credit_may_be_missing_then_may_not_raise() -> None:
    """The true sum could be lower than what is seen."""
    (sample,) = judge(WHOLE, partly(credit=True)).values()
    assert (sample.is_complete, sample.may_raise) == (False, False)


def test_sample_when_only_the_window_before_has_gaps_then_complete_without_comparison() -> None:
    """An old gap spoils the comparison, not the value."""
    desk = Desk()
    desk.read([row(EDGE - 1, "60")], HourRange(EDGE - 30, RUNNING + 1))
    (sample,) = judge(rolling(), desk).values()
    assert sample.is_complete
    assert [c.before for c in sample.top] == [None]


def test_sample_when_money_vanished_then_incomplete_and_as_before() -> None:
    """Gone from the bills is not zero until a second read says so."""
    desk = desk_with(row(EDGE - 1, "60"))
    desk.read([], HourRange(RUNNING - 72, RUNNING + 1), NOW + timedelta(minutes=10))
    (sample,) = judge(rolling(), desk).values()
    assert (str(sample.value), sample.is_complete, sample.may_raise) == ("60", False, True)


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        pytest.param(rolling(), [], id="none"),
        pytest.param(
            rolling(window=timedelta(minutes=90)),
            [("window", "90m is not a whole number of hours; bills come by the hour")],
            id="half hours",
        ),
        pytest.param(
            rolling(None, None),
            [("thresholds", "thresholds is empty; write at least one severity, e.g. thresholds: {warning: …}")],
            id="no threshold",
        ),
        pytest.param(
            rolling("100", "100"),
            [("thresholds", "thresholds: critical must be above warning, or it would never be seen")],
            id="equal thresholds",
        ),
    ],
)
def test_problems_when_the_rule_makes_no_sense_then_named(rule: RollingSpend, problems: list[tuple[str, str]]) -> None:
    """What a single key cannot show, with the remedy."""
    assert list(rule.problems()) == problems


def test_lookback_when_asked_then_two_windows() -> None:
    """The second is what messages compare with."""
    assert rolling().lookback() == timedelta(hours=48)
    assert rolling().metrics == {Metric.AMOUNT}
    assert replace(rolling(), group_by=("team",)).group_keys == ("team",)


@pytest.mark.parametrize(
    ("start", "value"),
    [
        pytest.param(datetime(2028, 2, 1, 0, tzinfo=UTC), "60", id="the first hour of a leap February"),
        pytest.param(datetime(2028, 1, 31, 23, tzinfo=UTC), None, id="the hour before it"),
        pytest.param(datetime(2028, 2, 29, 23, tzinfo=UTC), "60", id="its last hour"),
    ],
)
def test_value_when_the_window_is_a_leap_february_then_29_days_of_hours(start: datetime, value: str | None) -> None:
    """A window of 29 days that ends with the month covers exactly the month."""
    now = datetime(2028, 3, 1, 2, 30, tzinfo=UTC)
    desk = desk_with(row(hour_of(start), "60"), now=now)
    samples = rolling(window=timedelta(days=29)).evaluate(desk.facts(now), ())
    assert [(str(s.value), s.as_of) for s in samples] == ([(value, datetime(2028, 3, 1, tzinfo=UTC))] if value else [])
