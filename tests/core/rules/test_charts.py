"""The charts of rules, by hand-computed values: their points add up to what the alert says, and to nothing else."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from alertd.core.alert import Alert
from alertd.core.alerts.lifecycle import step
from alertd.core.calendar import Period
from alertd.core.chart import Chart, ChartForm, chart_words, labels
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Patterns
from alertd.core.money import Usd
from alertd.core.rules.base import Metric, Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.data_stale import DataStale
from alertd.core.rules.facts import Facts
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.spike import Spike
from alertd.core.spend.lists import View
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.rises import Compare
from tests.core.builders import (
    CRITICAL,
    HOUR,
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
from tests.examples import rest_slow

EDGE = RUNNING - 2
"""Without a row of the last hours data ends here: 2026-01-10 10:00 UTC."""


def alert_of(rule: Rule, facts: Facts, owner: str | None = "gpu-1") -> Alert:
    """The one alert that a rule has now."""
    samples = rule.evaluate(facts, [group(owner)] if owner and rule.group_keys == ("owner",) else [])
    (sample,) = [s for s in samples if owner is None or dict(s.group).get("owner") == owner]
    alert = step(None, replace(sample, reached=sample.reached or WARNING, held=sample.held or WARNING), rule, facts.now)
    assert alert is not None
    return alert


def drawn(rule: Rule, facts: Facts, owner: str | None = "gpu-1") -> Chart:
    chart = rule.chart(facts, alert_of(rule, facts, owner))
    assert chart is not None
    return chart


def points(chart: Chart) -> list[tuple[int, str]]:
    """Hours before the edge, and values."""
    return [(hour_of(point.at) - EDGE, point.value) for point in chart.points]


def limits(chart: Chart) -> list[tuple[str, str]]:
    return [(limit.name, limit.value) for limit in chart.limits]


ROWS = (
    row(EDGE - 1, "20"),
    row(EDGE - 2, "0.0000000001"),
    row(EDGE - 12, "30.25"),
    row(EDGE - 25, "5"),
    row(EDGE - 49, "700"),
    row(EDGE - 1, "900", owner="gpu-2"),
    row(EDGE - 1, "44", category="llm", owner="gpu-1"),
)
GPU = Patterns(("gpu",))


def test_rolling_spend_then_is_the_windows_sum_at_each_hour_of_the_last_window() -> None:
    """The line crosses the threshold where the rule saw it cross."""
    chart = drawn(rolling(category=GPU), desk_with(*ROWS).facts())
    # The $5 were charged in the hour that ends 24 hours before the edge: every window holds them but the last.
    expected = {0: "50.2500000001", -1: "35.2500000001", -2: "35.25", -11: "35.25", -12: "5", -23: "5", -24: "5"}
    found = dict(points(chart))
    assert len(found) == 25
    assert {hour: found[hour] for hour in expected} == expected
    assert (chart.title, chart.form, chart.note) == ("Spend in 24h, rolling", ChartForm.LINE, "")
    assert limits(chart) == [("warning", "50"), ("critical", "100")]


@pytest.mark.parametrize(
    ("window", "count", "step"),
    [
        pytest.param(1, 25, 1, id="an hour's sum through a day"),
        pytest.param(24, 25, 1, id="a day by the hour"),
        pytest.param(47, 48, 1, id="the longest by the hour"),
        pytest.param(48, 25, 2, id="two days, every two hours"),
        pytest.param(168, 43, 4, id="a week, every four"),
        pytest.param(720, 31, 24, id="a month by the day"),
        pytest.param(1100, 46, 24, id="six weeks"),
    ],
)
def test_rolling_spend_when_the_window_is_longer_then_points_are_further_apart(
    window: int, count: int, step: int
) -> None:
    """At most 48 points, evenly spaced, the last at the edge with the alert's own value."""
    rule = rolling(window=timedelta(hours=window))
    facts = desk_with(*ROWS, days=99).facts()
    alert = alert_of(rule, facts)
    chart = rule.chart(facts, alert)
    assert chart is not None
    hours = [hour for hour, _ in points(chart)]
    assert hours == list(range(-(count - 1) * step, 1, step))
    assert Decimal(chart.points[-1].value) == alert.value


@pytest.mark.parametrize("length", [24, 48, 168, 720])
@pytest.mark.parametrize("seed", rest_slow(range(4), fast=2))
def test_limit_when_crossed_between_points_then_said_by_the_hour(length: int, seed: int) -> None:
    """It said "reached Mar 9 00:00" where it was Mar 8 11:00: the words were read from what is drawn."""
    pick = random.Random(seed)
    rows = [row(EDGE - n, f"{pick.choice((0, 0, 1, 9))}.5") for n in range(1, 2 * length + 30) if pick.random() < 0.5]
    rule = rolling(str(length), None, window=timedelta(hours=length))
    chart = drawn(rule, desk_with(*rows, days=99).facts())
    spent = {each.hour: Decimal(each.amount) / 10**10 for each in rows}
    first = hour_of(chart.points[0].at)
    sums = {
        end: sum(spent.get(hour, Decimal(0)) for hour in range(end - length, end)) for end in range(first, EDGE + 1)
    }
    crossed = [end for end in range(first + 1, EDGE + 1) if (sums[end] >= length) != (sums[end - 1] >= length)]
    assert chart.limits[0].changed_at == (start_of(crossed[-1]) if crossed else None)


def test_budget_when_a_share_is_reached_within_a_day_then_said_by_the_hour() -> None:
    """A quarter is drawn every two days, and a month by the day."""
    chart = of_march(BUDGET, row(MARCH, "79"), row(hour_of(datetime(2026, 3, 8, 10, tzinfo=UTC)), "1"))
    assert "warning $80.00 reached Mar 8 11:00" in chart_words(chart)


def test_rolling_spend_when_the_view_reaches_back_less_then_only_whole_windows_are_drawn() -> None:
    """A sum over half a window would look like a rise."""
    desk = desk_with(*ROWS)
    facts = replace(desk.facts(), spend=desk.view(HourRange(EDGE - 30, RUNNING + 48)))
    assert [hour for hour, _ in points(drawn(rolling(), facts))] == list(range(-6, 1))
    too_short = replace(facts, spend=desk.view(HourRange(EDGE - 24, RUNNING + 48)))
    assert rolling().chart(too_short, alert_of(rolling(), facts)) is None


def test_limit_when_far_above_then_is_left_out_but_the_lowest_stays() -> None:
    """A line at a hundred times the spend would press it flat."""
    facts = desk_with(row(EDGE - 1, "60")).facts()
    assert limits(drawn(rolling("50", "120"), facts)) == [("warning", "50"), ("critical", "120")]
    assert limits(drawn(rolling("50", "121"), facts)) == [("warning", "50")]
    assert limits(drawn(rolling("5000", "6000"), facts)) == [("warning", "5000")]


def test_rolling_spend_when_something_is_planned_then_the_lines_lie_as_much_higher() -> None:
    """They are where the rule has them."""
    plan = PlannedSpend(amount=usd("25"), hours=HourRange(EDGE - 10, EDGE))
    facts = replace(desk_with(row(EDGE - 1, "90")).facts(), planned=(plan,))
    alert = alert_of(rolling(), facts)
    chart = rolling().chart(facts, alert)
    assert chart is not None
    assert limits(chart) == [("warning", "75"), ("critical", "125")]
    assert alert.threshold == Decimal(75)


def test_budget_when_something_is_planned_then_the_lines_lie_as_much_higher_and_the_budget_does_not() -> None:
    """What is planned is allowed on top; the budget is the amount that was written."""
    plan = PlannedSpend(amount=usd("25"), hours=HourRange(EDGE - 10, EDGE))
    budget = BudgetRule(
        name="month",
        period=Period.MONTH,
        amount=usd("100"),
        thresholds={WARNING: Share(Fraction(1, 2)), CRITICAL: Share(Fraction(4, 5))},
    )
    facts = replace(desk_with(row(EDGE - 1, "130")).facts(), planned=(plan,))
    alert = alert_of(budget, facts, owner=None)
    chart = budget.chart(facts, alert)
    assert chart is not None
    assert limits(chart) == [("warning", "75"), ("budget", "100"), ("critical", "105")]


def test_data_when_missing_in_what_is_drawn_then_the_chart_says_so() -> None:
    """A rise from hours that were not read may be none; the alert itself looks at the last window only."""
    desk = Desk()
    desk.read([row(EDGE - 1, "60")], HourRange(EDGE - 30, RUNNING + 1), NOW)
    facts = desk.facts()
    assert alert_of(rolling(), facts).is_complete
    assert drawn(rolling(), facts).note == "not complete"


def test_group_when_it_spent_nothing_or_is_unknown_then_there_is_no_chart() -> None:
    """A flat line at nothing shows nothing; after an edit of `group_by` the old groups are no more."""
    facts = desk_with(row(EDGE - 1, "60")).facts()
    alert = alert_of(rolling(), facts)
    assert rolling().chart(facts, replace(alert, group=group("gpu-7"))) is None
    assert rolling(group_by=("team",)).chart(facts, alert) is None
    assert DataStale(name="stale", thresholds={WARNING: timedelta(hours=3)}).chart(facts, alert) is None


def test_metric_then_is_the_rules_own() -> None:
    """The chart is of the same money as the value."""
    paid = Row(series=row(0, "1").series, hour=EDGE - 1, amount=usd("90"), voucher=usd("30"))
    assert points(drawn(rolling(metric=Metric.PAY), desk_with(paid).facts()))[-1] == (0, "60")


def test_rule_on_keys_then_is_drawn_from_spend_by_key() -> None:
    """The usage bills know nothing of keys."""
    keys = desk_with(row(EDGE - 1, "60", owner="key-1", category="llm")).facts()
    facts = replace(desk_with(*ROWS).facts(), keys=(keys.spend, keys.data))
    chart = drawn(rolling(view=View.API_KEY), facts, "key-1")
    assert points(chart)[-2:] == [(-1, "0"), (0, "60")]


def test_chart_when_the_alert_was_judged_earlier_then_ends_there() -> None:
    """A message shows the value it says, not what came in since."""
    facts = desk_with(*ROWS).facts()
    earlier = replace(alert_of(rolling(category=GPU), facts), as_of=start_of(EDGE - 11))
    chart = rolling(category=GPU).chart(facts, earlier)
    assert chart is not None
    assert points(chart)[-1] == (-11, "35.25")


def test_new_owner_then_is_drawn_from_nothing() -> None:
    """Its line begins at zero: that is what makes it new."""
    rule = FirstSpend(name="new", thresholds={WARNING: usd("5"), CRITICAL: usd("100")})
    facts = desk_with(row(EDGE - 3, "6"), row(EDGE - 1, "54")).facts()
    chart = drawn(rule, facts)
    assert points(chart)[-5:] == [(-4, "0"), (-3, "0"), (-2, "6"), (-1, "6"), (0, "60")]
    assert limits(chart) == [("warning", "5"), ("critical", "100")]


# --- spike ------------------------------------------------------------------------------------------------------------

SPIKE = Spike(
    name="spike",
    window=timedelta(hours=24),
    thresholds={WARNING: Fraction(2), CRITICAL: Fraction(5)},
    group_by=("owner",),
    compare=Compare.PREVIOUS,
    baseline=timedelta(days=7),
    min_history=timedelta(),
    above_highest=Fraction(0),
    min_increase=usd("1"),
)
SEVEN = [row(EDGE - 24 * day, "10") for day in range(2, 9)]
"""$10 in each of the seven windows before the last."""


def test_spike_then_is_a_bar_for_each_window_against_the_usual() -> None:
    """Seven of the baseline and the one that rose."""
    chart = drawn(SPIKE, desk_with(*SEVEN, row(EDGE - 1, "31")).facts())
    assert points(chart) == [*((-24 * day, "10") for day in range(8, 1, -1)), (-24, "31")]
    assert limits(chart) == [("usual", "10"), ("warning", "20"), ("critical", "50")]
    assert (chart.title, chart.form) == ("Spend by window of 24h", ChartForm.BARS)


def test_spike_when_a_little_is_usual_then_the_least_increase_draws_the_line() -> None:
    """Twice a cent is not reached before a dollar more is spent."""
    facts = desk_with(row(EDGE - 24 * 2, "0.07"), row(EDGE - 1, "31")).facts()
    assert limits(drawn(SPIKE, facts)) == [("usual", "0.01"), ("warning", "1.01"), ("critical", "1.01")]


def test_spike_when_there_are_hundreds_of_windows_then_the_last_48_are_drawn() -> None:
    """The usual is still that of all."""
    rule = replace(SPIKE, window=timedelta(hours=1))
    facts = desk_with(row(EDGE - 169, "16.8"), row(EDGE - 1, "9")).facts()
    chart = drawn(rule, facts)
    assert points(chart) == [*((-hour, "0") for hour in range(48, 1, -1)), (-1, "9")]
    assert limits(chart)[0] == ("usual", "0.1")


def test_spike_when_nothing_is_usual_then_there_are_no_lines() -> None:
    """Without a mean nothing can be reached."""
    rows = [row(EDGE - 24 * 3, "-7"), row(EDGE - 1, "50")]
    chart = drawn(SPIKE, desk_with(*rows).facts())
    assert limits(chart) == []
    assert points(chart)[5] == (-72, "-7")


# --- budget -----------------------------------------------------------------------------------------------------------

MARCH = hour_of(datetime(2026, 3, 1, tzinfo=UTC))
LATE = datetime(2026, 3, 24, 14, 5, tzinfo=UTC)
BUDGET = BudgetRule(
    name="budget",
    period=Period.MONTH,
    amount=usd("100"),
    thresholds={WARNING: Share(Fraction(8, 10)), CRITICAL: Share(Fraction(1))},
)


def of_march(rule: BudgetRule, *rows: Row, now: datetime = LATE) -> Chart:
    return drawn(rule, desk_with(*rows, now=now, days=99).facts(now), owner=None)


def test_budget_then_is_what_was_spent_since_the_period_began() -> None:
    """By the midnights up to the edge; what was spent before the period counts for nothing."""
    rows = [row(MARCH - 1, "999"), row(MARCH, "10"), row(MARCH + 47, "30"), row(MARCH + 48, "45.5")]
    chart = of_march(BUDGET, *rows)
    values = [point.value for point in chart.points]
    assert values == ["0", "10", "40", *["85.5"] * 22]
    assert labels(chart)[:2] == ["Mar 1 00:00", "Mar 2 00:00"]
    assert labels(chart)[-2:] == ["Mar 24 00:00", "Mar 24 12:00"]
    assert limits(chart) == [("warning", "80"), ("critical", "100")]
    assert (chart.title, chart.note, chart.form) == ("Spend in March 2026", "so far", ChartForm.LINE)


def test_budget_when_no_threshold_is_the_amount_then_the_amount_has_a_line_of_its_own() -> None:
    """What the budget is stands in the picture, whatever is notified before it."""
    chart = of_march(replace(BUDGET, thresholds={WARNING: Share(Fraction(12, 10))}), row(MARCH, "130"))
    assert limits(chart) == [("budget", "100"), ("warning", "120")]


@pytest.mark.parametrize(
    ("period", "zone", "now", "count", "first", "last"),
    [
        pytest.param(Period.DAY, "UTC", "2026-03-24T14:05", 13, "Mar 24 00:00", "Mar 24 12:00", id="a day by the hour"),
        pytest.param(
            Period.WEEK, "Europe/Berlin", "2026-03-27T14:05", 6, "Mar 23 00:00", "Mar 27 13:00", id="a week in Berlin"
        ),
        pytest.param(
            Period.QUARTER, "UTC", "2026-03-31T14:05", 46, "Jan 1 00:00", "Mar 31 12:00", id="a quarter, every two days"
        ),
    ],
)
def test_budget_when_the_period_is_another_then_by_its_own_clock(
    period: Period, zone: str, now: str, count: int, first: str, last: str
) -> None:
    """Never more than 48 points."""
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    rule = replace(BUDGET, period=period, timezone=zone)
    chart = of_march(rule, row(hour_of(at) - 3, "90"), now=at)
    assert (len(chart.points), labels(chart)[0], labels(chart)[-1]) == (count, first, last)
    assert chart.points[0].value == "0"
    assert chart.points[-1].value == "90"


def test_budget_when_the_period_is_over_then_ends_with_it() -> None:
    """What the next month spends is not the old budget's."""
    at = datetime(2026, 3, 31, 14, 5, tzinfo=UTC)
    facts = desk_with(row(MARCH, "90"), row(hour_of(at) + 20, "5"), now=at + 24 * HOUR, days=99).facts(at + 24 * HOUR)
    alert = alert_of(BUDGET, desk_with(row(MARCH, "90"), now=at, days=99).facts(at), None)
    chart = BUDGET.chart(facts, replace(alert, as_of=at + 24 * HOUR))
    assert chart is not None
    assert (labels(chart)[-1], chart.points[-1].value, chart.note) == ("Apr 1 00:00", "90", "")


def test_spike_when_it_is_about_another_metric_then_usual_and_limits_are_of_that() -> None:
    """A voucher pays half: by cash everything is half as high, the usual spend too."""

    def paid(hour: int, amount: str) -> Row:
        return Row(series=a_series(), hour=hour, amount=usd(amount), voucher=Usd(usd(amount) // 2))

    rows = [*(paid(EDGE - 24 * day, "10") for day in range(1, 9)), paid(EDGE - 1, "60")]
    facts = desk_with(*rows, days=20).facts()
    found = {}
    for metric in (Metric.AMOUNT, Metric.PAY):
        rule = Spike(
            name="spike",
            window=timedelta(hours=24),
            baseline=timedelta(days=7),
            compare=Compare.PREVIOUS,
            thresholds={WARNING: Fraction(2)},
            min_increase=usd("1"),
            above_highest=Fraction(0),
            group_by=("owner",),
            metric=metric,
        )
        found[metric] = {name: Decimal(value) for name, value in limits(drawn(rule, facts))}
    assert found[Metric.PAY] == {name: value / 2 for name, value in found[Metric.AMOUNT].items()}
