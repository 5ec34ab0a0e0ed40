"""`spike` by hand-computed ratios: windows, baseline, least increase, completeness."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from alertd.core.alert import AlertState, Sample
from alertd.core.alerts.lifecycle import step
from alertd.core.hours import HourRange, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.rules.base import NOT_MATCHED, Metric
from alertd.core.rules.spike import Spike
from alertd.core.severity import Severity
from alertd.core.spend.rises import Compare
from tests.core.builders import CRITICAL, NOW, RUNNING, WARNING, Desk, Row, a_series, desk_with, group, row, usd

EDGE = RUNNING - 2
"""Without a row of the last hours the window ends here: the read less two hours."""
START = EDGE - 24
OLDEST = START - 7 * 24
RULE = Spike(
    name="spike",
    window=timedelta(hours=24),
    compare=Compare.PREVIOUS,
    baseline=timedelta(days=7),
    min_history=timedelta(),
    min_increase=usd("1"),
    above_highest=Fraction(0),
    thresholds={WARNING: Fraction(2), CRITICAL: Fraction(5)},
    group_by=("owner",),
)
"""Windows just before and no other limit than the ratio and a dollar more."""
SEVEN = [row(OLDEST + day * 24, "10") for day in range(7)]
"""$10 in each of the seven windows before: usual is $10."""


def judge(desk: Desk, *watched: Labels, rule: Spike = RULE) -> dict[str, Sample]:
    """The samples by their group's values."""
    return {"|".join(value for _, value in s.group): s for s in rule.evaluate(desk.facts(), watched)}


@pytest.mark.parametrize(
    ("rows", "value", "reached", "held"),
    [
        pytest.param([*SEVEN, row(START, "20")], "2", WARNING, WARNING, id="twice the usual: met exactly"),
        pytest.param([*SEVEN, row(START, "19.9999999999")], "1.999999", None, WARNING, id="a hair less is only held"),
        pytest.param([*SEVEN, row(START, "18")], "1.8", None, WARNING, id="held at 90 % exactly"),
        pytest.param([*SEVEN, row(START, "17.9999999999")], None, None, None, id="a hair less is left"),
        pytest.param([*SEVEN, row(EDGE - 1, "50")], "5", CRITICAL, CRITICAL, id="the last hour of the window is in"),
        pytest.param([*SEVEN, row(START - 1, "50")], None, None, None, id="the hour before the window is usual"),
        pytest.param([row(OLDEST, "70"), row(START, "20")], "2", WARNING, WARNING, id="first hour of the baseline"),
        pytest.param([row(OLDEST - 1, "70"), row(START, "20")], None, None, None, id="the hour before it is out"),
        pytest.param([row(OLDEST, "7"), row(START, "2")], "2", WARNING, WARNING, id="min_increase met exactly"),
        pytest.param([row(OLDEST, "7"), row(START, "1.95")], "1.95", None, WARNING, id="held down to 90 % of it"),
        pytest.param([row(OLDEST, "1"), row(START, "1.03")], None, None, None, id="seven times, but 89 cents more"),
        pytest.param([*SEVEN, row(START, "30"), row(START + 3, "-10")], "2", WARNING, WARNING, id="a credit counts"),
        pytest.param([*SEVEN, row(OLDEST, "-35"), row(START, "10")], "2", WARNING, WARNING, id="and in the baseline"),
        pytest.param([row(OLDEST, "-7"), row(START, "50")], None, None, None, id="nothing but a credit before"),
        pytest.param([row(START, "50")], None, None, None, id="nothing before: no ratio"),
        pytest.param([row(OLDEST, "0.0000000001"), row(START, "50")], "1000", CRITICAL, CRITICAL, id="next to nothing"),
        pytest.param(SEVEN, None, None, None, id="nothing now"),
        pytest.param([], None, None, None, id="an empty ledger"),
    ],
)  # fmt: skip
def test_ratio_when_rows_lie_around_window_and_baseline_then_by_hand(
    rows: list[Row], value: str | None, reached: Severity | None, held: Severity | None
) -> None:
    """The window's spend over the mean of the seven windows before; both ratio and increase must be met."""
    samples = judge(desk_with(*rows), group())
    judged = {k: s for k, s in samples.items() if s.reached or (s.held and s.value < 1000)}
    assert {k: (str(s.value), s.reached, s.held) for k, s in judged.items()} == (
        {"gpu-1": (value, reached, held)} if value else {}
    )


@pytest.mark.parametrize(
    ("window", "baseline", "value"),
    [
        pytest.param(24, 24, "3", id="one window before: $20"),
        pytest.param(24, 7 * 24, "6", id="seven windows: a mean of $10"),
        pytest.param(24, 7 * 24 + 23, "6", id="what is no whole window does not count"),
        pytest.param(24, 8 * 24, "1.6", id="eight windows: a mean of $37.50"),
        pytest.param(36, 72, "2", id="two windows of 36 h: the $20 lie in the window, before it nothing but $80"),
    ],
)
def test_ratio_when_the_baseline_differs_then_means_of_whole_windows(window: int, baseline: int, value: str) -> None:
    """As many windows as fit, end to end before the window."""
    extra = [row(EDGE - 37, "50"), row(EDGE - 36 - 72, "30")] if window == 36 else []
    rows = [row(EDGE - 1, "60"), row(EDGE - 25, "20"), row(OLDEST, "50"), row(OLDEST - 1, "230"), *extra]
    rule = replace(
        RULE,
        window=timedelta(hours=window),
        baseline=timedelta(hours=baseline),
        thresholds={WARNING: Fraction(3, 2)},
    )
    assert [str(s.value) for s in judge(desk_with(*rows), rule=rule).values()] == [value]


DIRECTORY = OwnerDirectory((Owner(match=Patterns(("gpu-1",)), name="trainer-a", team="research"),))


@pytest.mark.parametrize(
    ("parts", "rows", "headline"),
    [
        pytest.param(
            {}, [row(START, "30")], "trainer-a (gpu-1) spent $30.00 in 24h, 300 % of the usual $10.00", id="an owner"
        ),
        pytest.param(
            {"group_by": (), "category": Patterns(("gpu",))},
            [row(START, "30")],
            "Spend on gpu in 24h is $30.00, 300 % of the usual $10.00",
            id="the whole of a category",
        ),
        pytest.param(
            {},
            [row(START, "100")],
            "trainer-a (gpu-1) spent $100.00 in 24h, 1,000 % of the usual $10.00",
            id="ten times",
        ),
        pytest.param(
            {},
            [row(START, "4125.70")],
            "trainer-a (gpu-1) spent $4,125.70 in 24h, 41,257 % of the usual $10.00",
            id="far more",
        ),
        pytest.param({}, [], "trainer-a (gpu-1) spent $0.00 in 24h, 0 % of the usual $10.00", id="ended"),
        pytest.param(
            {},
            [row(START, "50000")],
            "trainer-a (gpu-1) spent $50,000.00 in 24h, over 100,000 % of the usual $10.00",
            id="beyond the largest ratio",
        ),
    ],
)
def test_headline_when_groups_differ_then_what_rose_against_what(
    parts: dict[str, object], rows: list[Row], headline: str
) -> None:
    """It is the line on the phone."""
    rule = replace(RULE, **parts)  # type: ignore[arg-type]
    watched = () if rule.group_by == () else group()
    (sample,) = rule.evaluate(desk_with(*SEVEN, *rows).facts(owners=DIRECTORY), (watched,))
    assert sample.headline == headline


def test_sample_when_it_rises_then_says_what_rose_most_by_how_much() -> None:
    """The largest part is not the one that rose."""
    rows = [Row(series=a_series(product="A100"), hour=OLDEST + 24 * day, amount=usd("40")) for day in range(7)]
    rows += [Row(series=a_series(product="A100"), hour=START, amount=usd("40"))]
    rows += [Row(series=a_series(product="disk"), hour=START, amount=usd("3"))]
    (sample,) = judge(desk_with(*SEVEN, *rows, row(START, "70"))).values()
    assert (str(sample.value), sample.expected) == ("2.26", None), "all of it is billed"
    assert [(c.product, c.amount, c.before) for c in sample.top] == [
        ("H100", usd("70"), usd("10")),
        ("disk", usd("3"), 0),
    ]
    assert sample.facts == (("Usual", "$50.00, the mean 24h of the 7d before"), ("Increase", "$63.00"))
    assert sample.table_note == "what rose most: 24h to 2026-01-10 10:00 UTC, against the mean 24h of the 7d before"
    assert (sample.as_of, sample.account) == (start_of(EDGE), "default")
    assert [(s.label, str(v)) for s, v in sample.thresholds] == [("warning", "2"), ("critical", "5")]


def test_groups_when_filtered_and_summed_by_another_metric_then_their_ratios() -> None:
    """Filters, groups and metric are those of every spend rule."""
    rows = [
        Row(series=a_series("gpu-2"), hour=OLDEST, amount=usd("100"), voucher=usd("30")),
        Row(series=a_series("gpu-2"), hour=START, amount=usd("31"), voucher=usd("1")),
    ]
    desk = desk_with(*SEVEN, row(START, "20"), *rows)
    assert {k: str(s.value) for k, s in judge(desk).items()} == {"gpu-1": "2", "gpu-2": "2.17"}
    assert {k: str(s.value) for k, s in judge(desk, rule=replace(RULE, metric=Metric.PAY)).items()} == {
        "gpu-1": "2",
        "gpu-2": "3",
    }
    assert set(judge(desk, rule=replace(RULE, owner=Patterns(("gpu-2",))))) == {"gpu-2"}


# --- completeness and lives -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "decides"),
    [
        pytest.param(HourRange(OLDEST, OLDEST + 1), False, id="the first hour of the baseline"),
        pytest.param(HourRange(EDGE - 1, EDGE), False, id="the last hour of the window"),
        pytest.param(HourRange(OLDEST - 1, OLDEST), True, id="an hour before the baseline"),
    ],
)
def test_spike_when_an_hour_failed_then_it_decides_only_outside_window_and_baseline(
    span: HourRange, decides: bool
) -> None:
    """A baseline that lacks spend makes ordinary days look like spikes."""
    desk = desk_with(*SEVEN, row(START, "60"))
    desk.fail(span)
    assert bool(judge(desk)) is decides
    (sample,) = judge(desk, group()).values()
    assert (sample.is_complete, sample.may_raise) == (decides, decides)
    assert bool(sample.caveats) is not decides
    begun = step(None, sample, RULE, NOW)
    assert (begun is not None) is decides


def test_open_alert_when_data_is_missing_then_it_neither_ends_nor_rises() -> None:
    """What is missing could be either."""
    (seen,) = judge(desk_with(*SEVEN, row(START, "20"))).values()
    alert = step(None, seen, RULE, NOW)
    assert alert is not None
    for amount in ("1", "90"):
        desk = desk_with(*SEVEN, row(START, amount))
        desk.fail(HourRange(EDGE - 1, EDGE))
        (sample,) = judge(desk, group()).values()
        after = step(alert, sample, RULE, NOW)
        assert after is not None
        assert (after.state, after.severity) == (AlertState.FIRING, WARNING)


@pytest.mark.parametrize(
    ("amount", "state"), [("50", AlertState.FIRING), ("0.9", AlertState.FIRING), ("0.89", AlertState.RESOLVED)]
)
def test_open_alert_when_the_baseline_runs_dry_then_stays_until_the_rise_is_gone(
    amount: str, state: AlertState
) -> None:
    """Its owner still spends what it did not before: an end now would be followed by another beginning."""
    (seen,) = judge(desk_with(*SEVEN, row(START, "20"))).values()
    alert = step(None, seen, RULE, NOW)
    (sample,) = judge(desk_with(row(START, amount)), group()).values()
    assert (sample.reached, sample.is_complete) == (None, True)
    assert sample.headline.endswith("where nothing is usual")
    after = step(alert, sample, RULE, NOW)
    assert after is not None
    assert (after.state, after.severity) == (state, WARNING)


def test_watched_group_when_an_edit_of_filters_leaves_it_out_then_its_alert_ends() -> None:
    """It has no value by the new text: nothing is not what it spent."""
    facts = desk_with(*SEVEN, row(START, "60")).facts()
    assert not RULE.left_out(facts, group())
    for parts in ({"owner": Patterns(("gpu-2",))}, {"category": Patterns(("llm",))}):
        assert replace(RULE, **parts).left_out(facts, group()) == NOT_MATCHED  # type: ignore[arg-type]


def test_evaluate_when_nothing_was_ever_read_then_no_sample() -> None:
    """Nothing known is not zero."""
    desk = Desk()
    desk.books["default", "gpu"] = desk.book()
    assert judge(desk, group()) == {}


def test_lookback_when_asked_then_window_and_baseline() -> None:
    """The daemon reads and holds so much."""
    assert RULE.lookback() == timedelta(days=8)


@pytest.mark.parametrize(
    ("parts", "keys"),
    [
        pytest.param({}, [], id="none"),
        pytest.param({"window": timedelta(minutes=90)}, ["window"], id="half hours"),
        pytest.param({"baseline": timedelta(minutes=4321)}, ["baseline"], id="a baseline of no whole hours"),
        pytest.param({"min_history": timedelta(minutes=90)}, ["min_history"], id="a history of half hours"),
        pytest.param({"baseline": timedelta(hours=23)}, ["baseline"], id="shorter than the window"),
        pytest.param(
            {"compare": Compare.SAME_HOURS, "window": timedelta(hours=30), "baseline": timedelta(hours=40)},
            ["baseline"],
            id="no same hours before",
        ),
        pytest.param({"thresholds": {WARNING: Fraction(1)}}, ["thresholds"], id="steady spend"),
        pytest.param({"thresholds": {}}, ["thresholds"], id="no threshold"),
    ],
)
def test_problems_when_the_rule_makes_no_sense_then_named(parts: dict[str, object], keys: list[str]) -> None:
    """What a single key cannot show."""
    assert [key for key, _ in replace(RULE, **parts).problems()] == keys  # type: ignore[arg-type]


# --- the same hours of the week -------------------------------------------------------------------------------------

DAY, WEEK = 24, 7 * 24
DEFAULT = Spike(
    name="spike",
    window=timedelta(hours=24),
    thresholds={WARNING: Fraction(2), CRITICAL: Fraction(5)},
    group_by=("owner",),
)
HOURLY = replace(DEFAULT, window=timedelta(hours=1))


def every_hour(start: int, amount: str, *, owner: str = "gpu-1") -> list[Row]:
    """The same each hour from an hour on, up to the running one."""
    return [row(hour, amount, owner=owner) for hour in range(start, RUNNING)]


def office_hours(weeks: int, amount: str) -> list[Row]:
    """An amount in each of ten hours of five days a week, so many weeks back from the edge's hour of the week."""
    begins = EDGE - weeks * WEEK
    hours = (begins + w * WEEK + d * DAY + h for w in range(weeks + 1) for d in range(5) for h in range(-8, 2))
    return [row(hour, amount) for hour in hours if begins - 8 <= hour < RUNNING]


@pytest.mark.parametrize("age", [1, 2, 20, 24, 25, 26, 30, 48, 100, 6 * 24, WEEK + 20])
def test_new_instance_when_its_price_is_constant_then_never_a_spike(age: int) -> None:
    """Whoever begins to spend is the matter of another rule; at hour 25 each was 84 times its usual."""
    assert judge(desk_with(*every_hour(RUNNING - age, "3")), rule=DEFAULT) == {}


def test_new_instance_when_it_leaks_after_its_first_week_then_seen() -> None:
    """It has been known for long enough: the days before say what is usual."""
    rows = [*every_hour(EDGE - 9 * DAY, "3"), *every_hour(EDGE - 20, "5")]
    (sample,) = judge(desk_with(*rows), rule=DEFAULT).values()
    assert (str(sample.value), sample.reached) == ("2.527777", WARNING)
    assert sample.facts[0] == ("Usual", "$72.00, the median of the same hours in the 28d before")


@pytest.mark.parametrize("weeks", [1, 2, 3, 4])
@pytest.mark.parametrize("rule", [DEFAULT, HOURLY, replace(DEFAULT, window=timedelta(hours=6))])
def test_office_hours_when_each_week_is_like_the_last_then_no_spike_on_monday(weeks: int, rule: Spike) -> None:
    """The third Monday was 420 % of the usual, as the mean of the days before holds a weekend."""
    assert judge(desk_with(*office_hours(weeks, "20")), rule=rule) == {}


def test_spike_when_one_of_the_weeks_before_was_dear_then_it_is_neither_usual_nor_passed() -> None:
    """Usual is the median; what was dearer before is no alarm now."""
    weeks = [row(EDGE - n * WEEK - 1, amount) for n, amount in enumerate(("100", "20", "20", "150", "20"))]
    assert judge(desk_with(*weeks), rule=DEFAULT) == {}
    (sample,) = judge(desk_with(*weeks[:3], weeks[4], row(EDGE - 3 * WEEK - 1, "83")), rule=DEFAULT).values()
    assert (str(sample.value), sample.reached) == ("5", CRITICAL)


@pytest.mark.parametrize(
    ("parts", "reached"),
    [
        pytest.param({}, WARNING, id="by default"),
        pytest.param({"min_increase": usd("30")}, WARNING, id="the least rise is met exactly"),
        pytest.param({"min_increase": usd("30.01")}, None, id="less than the least rise"),
        pytest.param({"above_highest": Fraction(3, 2)}, WARNING, id="half as much again as the highest before"),
        pytest.param({"above_highest": Fraction(151, 100)}, None, id="not so far above the highest"),
        pytest.param({"min_history": timedelta(days=28)}, WARNING, id="known for exactly so long"),
        pytest.param({"min_history": timedelta(days=28), "baseline": timedelta(days=29)}, None, id="an hour less"),
    ],
)
def test_spike_when_limits_are_met_or_not_then_by_hand(parts: dict[str, object], reached: Severity | None) -> None:
    """$60 against a usual $30, the highest window before $40."""
    first = EDGE - 24 - 28 * DAY + (1 if "baseline" in parts else 0)
    weeks = [row(EDGE - n * WEEK - 1, amount) for n, amount in enumerate(("60", "30", "40", "30", "29.9999999999"))]
    samples = judge(desk_with(row(first, "0.0000000001"), *weeks), rule=replace(DEFAULT, **parts))  # type: ignore[arg-type]
    assert [sample.reached for sample in samples.values() if sample.reached] == ([reached] if reached else [])


def test_spike_when_a_stream_lags_then_its_window_is_compared_with_its_own_hours() -> None:
    """The last billed hour is an office hour, the present one is not: no window is compared with another's usual."""
    busy = [row(EDGE - n * WEEK - 3, "20", category="llm") for n in range(5)]
    calm = [row(EDGE - n * WEEK - 1, "1", category="gpu") for n in range(5)]
    assert judge(desk_with(*busy, *calm), rule=replace(HOURLY, window=timedelta(hours=2))) == {}
