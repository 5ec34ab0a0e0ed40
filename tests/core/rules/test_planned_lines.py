"""What planned spend does to the lines of each rule type, by hand-computed values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest

from alertd.core.alert import AlertState, Sample
from alertd.core.alerts.lifecycle import step
from alertd.core.alerts.reason import NotifyReason
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Labels, Patterns
from alertd.core.messages.compose import compose_alert
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.base import Rule, Share
from alertd.core.rules.budget import BudgetRule
from alertd.core.rules.data_stale import DataStale
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.spike import Spike
from alertd.core.severity import Severity
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.rises import Compare
from tests.core.builders import CRITICAL, NOW, RUNNING, WARNING, Desk, Row, desk_with, group, rolling, row, usd

EDGE = RUNNING - 2
"""Without newer rows: the read less two hours."""
EXPECTED = "expected until 2026-01-10 15:00 UTC"


def plan(amount: str, first: int = EDGE - 48, last: int = EDGE + 5, **match: str) -> PlannedSpend:
    """So much is expected of what matches, around the edge."""
    labels = tuple((name, Patterns((text,))) for name, text in match.items())
    return PlannedSpend(match=labels, amount=usd(amount), hours=HourRange(first, last))


def judge(
    rule: Rule, desk: Desk, *planned: PlannedSpend, watched: tuple[Labels, ...] = (), now: datetime = NOW
) -> dict[str, Sample]:
    """The samples by their group's values."""
    facts = replace(desk.facts(now), planned=planned)
    return {"|".join(value for _, value in s.group): s for s in rule.evaluate(facts, watched)}


# --- rolling_spend ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reached", "held"),
    [
        # $50 warn and $100 are critical, $200 of the value are planned.
        pytest.param("244.9999999999", None, None, id="a hair below 90 % of the line"),
        pytest.param("245", None, WARNING, id="90 % of the threshold, and what is planned"),
        pytest.param("249.9999999999", None, WARNING, id="a hair below it"),
        pytest.param("250", WARNING, WARNING, id="the raised line exactly"),
        pytest.param("290", WARNING, CRITICAL, id="90 % of the next"),
        pytest.param("300", CRITICAL, CRITICAL, id="the next exactly"),
    ],
)
def test_rolling_spend_when_planned_then_its_lines_lie_higher(
    value: str, reached: Severity | None, held: Severity | None
) -> None:
    """Both the thresholds and what they are left below; the value stays the real one."""
    sample = judge(rolling(), desk_with(row(EDGE - 1, value)), plan("200"), watched=(group(),))["gpu-1"]
    assert (sample.reached, sample.held, sample.value) == (reached, held, Decimal(value))
    assert sample.thresholds == ((WARNING, Decimal(250)), (CRITICAL, Decimal(300)))
    assert sample.facts == (("Planned", f"$200.00 of $200.00 {EXPECTED}; all of it is used up"),)
    assert (judge(rolling(), desk_with(row(EDGE - 1, value)), plan("200")) == {}) == (reached is None)


def test_rolling_spend_when_only_a_part_is_matched_then_the_rest_counts_as_ever() -> None:
    """A plan for one owner lets another through to no line, and a rule of another name too."""
    desk = desk_with(row(EDGE - 1, "60"), row(EDGE - 1, "60", owner="gpu-2"))
    assert list(judge(rolling(), desk, plan("1000", owner="gpu-1"))) == ["gpu-2"]
    assert list(judge(rolling(), desk, plan("1000", rule="other"))) == ["gpu-1", "gpu-2"]
    whole = judge(rolling(group_by=()), desk, plan("1000", owner="gpu-1"))[""]
    assert (str(whole.value), whole.reached) == ("120", WARNING)
    assert whole.thresholds == ((WARNING, Decimal(110)), (CRITICAL, Decimal(160)))


def test_message_when_spend_is_planned_then_shows_real_value_raised_line_and_plan() -> None:
    """Nothing is hidden: what is spent, from where it counts, and why."""
    desk = desk_with(row(EDGE - 1, "260"))
    entry = replace(plan("1000", owner="gpu-1"), comment="training run 12", amount=usd("200"))
    sample = judge(rolling(), desk, entry)["gpu-1"]
    alert = step(None, sample, rolling(), NOW)
    assert alert is not None
    message = compose_alert(
        alert, rolling(), NotifyReason.FIRST, headline=alert.headline, owners=OwnerDirectory(), now=NOW
    )
    assert message.title.startswith("gpu-1 spent $260.00 in 24h (warning from $250.00)")
    fields = {field.name: field.text for field in message.fields}
    assert fields["Planned"] == f"$200.00 of $200.00 {EXPECTED} (training run 12); all of it is used up"


def test_alert_when_a_plan_is_added_then_it_ends_and_when_it_is_used_up_it_begins_again() -> None:
    """The whole life: only what goes beyond the plan alerts."""
    rule = rolling()
    spent = [row(EDGE - 1, "60")]
    alert = step(None, judge(rule, desk_with(*spent))["gpu-1"], rule, NOW)
    assert alert is not None
    alert = step(alert, judge(rule, desk_with(*spent), plan("100"), watched=(group(),))["gpu-1"], rule, NOW)
    assert alert is not None
    assert alert.state is AlertState.RESOLVED
    more = desk_with(*spent, row(EDGE - 2, "90"))
    alert = step(alert, judge(rule, more, plan("100"))["gpu-1"], rule, NOW)
    assert alert is not None
    assert (alert.state, alert.episode, alert.threshold) == (AlertState.FIRING, 2, Decimal(150))


# --- what is not known ------------------------------------------------------------------------------------------------


def read_from(first: int, *rows: Row) -> Desk:
    """A desk whose bills were read from an hour on."""
    desk = Desk()
    desk.read(list(rows), HourRange(first, RUNNING + 1))
    return desk


@pytest.mark.parametrize(
    ("value", "state", "severity"),
    [
        pytest.param("60", AlertState.FIRING, CRITICAL, id="nothing ends"),
        pytest.param("260", AlertState.FIRING, CRITICAL, id="nothing lowers"),
    ],
)
def test_open_alert_when_hours_of_the_span_are_missing_then_it_does_not_end(
    value: str, state: AlertState, severity: Severity
) -> None:
    """Those hours may have used up the amount, so the line may lie too high."""
    rule = rolling()
    alert = step(None, judge(rule, desk_with(row(EDGE - 1, "150")))["gpu-1"], rule, NOW)
    desk = read_from(EDGE - 47, row(EDGE - 1, value))
    sample = judge(rule, desk, plan("200"), watched=(group(),))["gpu-1"]
    assert (sample.is_complete, sample.may_raise) == (False, True)
    assert sample.caveats == ("gpu was not read yet for 1 hours from 2026-01-08 10:00 UTC",)
    after = step(alert, sample, rule, NOW)
    assert after is not None
    assert (after.state, after.severity) == (state, severity)
    complete = judge(rule, read_from(EDGE - 48, row(EDGE - 1, value)), plan("200"), watched=(group(),))["gpu-1"]
    assert complete.is_complete
    known = step(alert, complete, rule, NOW)
    assert known is not None
    assert (known.state, known.severity) != (state, severity)


def test_new_alert_when_hours_of_the_span_are_missing_then_it_fires_on_what_is_known() -> None:
    """Whatever they held, the line can only lie lower; unless it was a credit."""
    rule = rolling()
    desk = read_from(EDGE - 47, row(EDGE - 1, "260"))
    alert = step(None, judge(rule, desk, plan("200"))["gpu-1"], rule, NOW)
    assert alert is not None
    assert (alert.state, alert.severity) == (AlertState.FIRING, WARNING)
    credited = read_from(EDGE - 47, row(EDGE - 1, "270"), row(EDGE - 40, "-5"))
    sample = judge(rule, credited, plan("200"))["gpu-1"]
    assert (sample.reached, sample.is_complete, sample.may_raise) == (WARNING, False, False)
    assert step(None, sample, rule, NOW) is None


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
    min_increase=usd("5"),
)
USUAL = [row(EDGE - 24 * day - 1, "10") for day in range(1, 8)]
"""$10 in each of the seven windows before."""


@pytest.mark.parametrize(
    ("spent", "reached", "held"),
    [
        # $30 are planned: twice the usual is 20 + 30, five times 50 + 30.
        pytest.param("49.9999999999", None, WARNING, id="a hair below factor times mean and plan"),
        pytest.param("50", WARNING, WARNING, id="exactly that"),
        pytest.param("47.9999999999", None, None, id="below 90 % of the factor"),
        pytest.param("80", CRITICAL, CRITICAL, id="the next"),
    ],
)
def test_spike_when_planned_then_the_rise_is_judged_without_it(
    spent: str, reached: Severity | None, held: Severity | None
) -> None:
    """Value >= factor x mean + allowance; what is notified stays the real ratio."""
    desk = desk_with(*USUAL, row(EDGE - 1, spent))
    sample = judge(SPIKE, desk, plan("30", EDGE - 24), watched=(group(),))["gpu-1"]
    assert (sample.reached, sample.held) == (reached, held)
    assert sample.value == (Decimal(spent) / 10).quantize(Decimal("0.000001"), ROUND_FLOOR)
    assert sample.thresholds == ((WARNING, Decimal(5)), (CRITICAL, Decimal(8)))
    assert sample.facts[-1] == ("Planned", f"$30.00 of $30.00 {EXPECTED}; all of it is used up")
    assert (judge(SPIKE, desk, plan("30", EDGE - 24)) == {}) == (reached is None)


def test_spike_when_the_rise_beyond_the_plan_is_small_then_left_alone() -> None:
    """The least increase counts without what is planned as well."""
    rule = replace(SPIKE, min_increase=usd("15"))
    assert judge(rule, desk_with(*USUAL, row(EDGE - 1, "55")), plan("30", EDGE - 24))["gpu-1"].reached is WARNING
    desk = desk_with(*USUAL, row(EDGE - 1, "54.99"))
    sample = judge(rule, desk, plan("30", EDGE - 24), watched=(group(),))["gpu-1"]
    assert (sample.reached, sample.held) == (None, WARNING)


def test_spike_when_the_line_is_beyond_what_is_notified_then_still_judged_exactly() -> None:
    """A ratio above 1000 is shown as 1000; what is planned may lie beyond."""
    little = [replace(r, amount=usd("0.001")) for r in USUAL]
    entry = plan("30", EDGE - 24)
    sample = judge(SPIKE, desk_with(*little, row(EDGE - 1, "30")), entry, watched=(group(),))["gpu-1"]
    assert sample.held is None
    assert sample.value == dict(sample.thresholds)[WARNING] == 1000
    assert judge(SPIKE, desk_with(*little, row(EDGE - 1, "36")), entry)["gpu-1"].reached is CRITICAL


def test_spike_when_hours_of_the_span_are_missing_then_rises_and_does_not_end() -> None:
    """Window and baseline are complete: only how much was used up before them is not known."""
    oldest = EDGE - 24 * 8
    desk = read_from(oldest, *USUAL, row(EDGE - 1, "90"))
    # Of $100 the seven windows used up 70: 30 are left, and perhaps less.
    sample = judge(SPIKE, desk, plan("100", oldest - 5))["gpu-1"]
    assert (sample.reached, sample.is_complete, sample.may_raise) == (CRITICAL, False, True)
    assert sample.caveats == ("gpu was not read yet for 5 hours from 2026-01-02 05:00 UTC",)
    ended = judge(SPIKE, read_from(oldest, *USUAL, row(EDGE - 1, "40")), plan("100", oldest - 5), watched=(group(),))
    assert (ended["gpu-1"].held, ended["gpu-1"].is_complete) == (None, False)


# --- budget -----------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 4, 16, 2, 5, tzinfo=UTC)
"""Half of April is over."""
APRIL = hour_of(datetime(2026, 4, 1, tzinfo=UTC))
MIDDLE = APRIL + 15 * 24


def share(percent: int) -> Share:
    return Share(Fraction(percent, 100))


def budget(amount: str = "100", /, **parts: object) -> BudgetRule:
    """A monthly budget: warning from 80 %, critical from 100 %."""
    limits = {WARNING: share(80), CRITICAL: share(100)}
    rule = BudgetRule(name="monthly", period=Period.MONTH, amount=usd(amount), thresholds=limits)
    return replace(rule, **parts)  # type: ignore[arg-type]


def standing(rule: BudgetRule, *rows: Row, planned: tuple[PlannedSpend, ...] = (), now: datetime = NOON) -> Sample:
    return judge(rule, desk_with(*rows, now=now, days=99), *planned, watched=((),), now=now)[""]


@pytest.mark.parametrize(
    ("spent", "reached", "held"),
    [
        # $30 of a budget of 100 are planned: the lines are 110 and 130.
        pytest.param("101.9999999999", None, None, id="a hair below 90 % of 80, and 30"),
        pytest.param("102", None, WARNING, id="exactly that"),
        pytest.param("109.9999999999", None, WARNING, id="a hair below 80 and 30"),
        pytest.param("110", WARNING, WARNING, id="exactly that"),
        pytest.param("130", CRITICAL, CRITICAL, id="the whole budget and 30"),
    ],
)
def test_budget_when_planned_then_its_shares_lie_higher(
    spent: str, reached: Severity | None, held: Severity | None
) -> None:
    """By the planned share of the amount; what is notified as spent stays the real share."""
    sample = standing(budget(), row(APRIL + 9, spent), planned=(plan("30", APRIL, APRIL + 48),))
    assert (sample.reached, sample.held, sample.value) == (reached, held, Decimal(spent) / 100)
    assert sample.headline.startswith(f"Budget monthly: ${Decimal(spent):.2f} of $100.00")
    # Once nothing is held, all thresholds are notified.
    assert dict(sample.thresholds)[WARNING] == Decimal("1.1")
    assert sample.facts[-1 if reached is None else -2] == (
        "Planned",
        "$30.00 of $30.00 expected until Apr 2; all of it is used up",
    )


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        pytest.param(plan("30", APRIL, APRIL + 10), "110", id="it begins with the month"),
        pytest.param(plan("30", APRIL - 20, APRIL + 10), "105", id="$5 of it were spent in March"),
        pytest.param(plan("30", APRIL - 20, APRIL), "80", id="it ended with March"),
        pytest.param(plan("30", MIDDLE, MIDDLE + 99), "80", id="it is still to come"),
    ],
)
def test_budget_when_the_span_crosses_the_month_then_what_march_left_counts(entry: PlannedSpend, line: str) -> None:
    """What was spent of it before is used up."""
    for spent, reached in ((usd(line), WARNING), (usd(line) - 1, None)):
        rows = (row(APRIL - 7, "5"), replace(row(APRIL + 7, "1"), amount=spent))
        assert standing(budget(), *rows, planned=(entry,)).reached is reached


def test_pace_when_planned_then_compared_without_it() -> None:
    """Half of the month is over: of 95 spent, 30 are planned, and 65 % in 50 % is 1.3."""
    rule = budget(thresholds={}, pace={WARNING: Fraction(13, 10)})
    entry = plan("30", APRIL, APRIL + 48)
    sample = standing(rule, row(APRIL + 9, "95"), planned=(entry,))
    assert sample.reached is WARNING
    assert dict(sample.facts)["Reached by"] == "pace (warning from 1.9 times)"
    assert sample.headline.endswith("; 1.9 times the budgeted pace")
    assert standing(rule, row(APRIL + 9, "94.9999999999"), planned=(entry,)).reached is None


def daily(per_day: str, first: int, last: int, owner: str = "gpu-1") -> list[Row]:
    return [row(h, per_day, owner=owner) for h in range(first, last, 24)]


FORECAST = budget("300", thresholds={}, forecast={WARNING: share(100)})
STEADY = daily("10", APRIL - 40 * 24, MIDDLE)
"""Ten dollars a day end the month at $300."""


def test_forecast_when_planned_spend_is_over_then_it_is_no_habit_and_raises_the_limit() -> None:
    """$40 a day more for five days: 350 spent, 150 of the usual to come; 200 planned."""
    run = daily("40", MIDDLE - 5 * 24, MIDDLE, "gpu-2")
    entry = plan("200", MIDDLE - 5 * 24, MIDDLE, owner="gpu-2")
    sample = standing(FORECAST, *STEADY, *run, planned=(entry,))
    assert sample.reached is WARNING
    assert dict(sample.facts)["Forecast"].startswith("$500.00 (166.7 %)")
    assert dict(sample.facts)["Reached by"] == "forecast (warning from 166.7 %)"
    dearer = replace(FORECAST, amount=usd("300.0000000001"))
    assert standing(dearer, *STEADY, *run, planned=(entry,)).reached is None


def test_forecast_when_planned_spend_goes_on_then_its_rest_is_added_and_allowed() -> None:
    """Two of five days are over: 80 of 200 are spent, the other 120 are notified and reach nothing."""
    run = daily("40", MIDDLE - 2 * 24, MIDDLE, "gpu-2")
    entry = plan("200", MIDDLE - 2 * 24, MIDDLE + 3 * 24, owner="gpu-2")
    sample = standing(FORECAST, *STEADY, *run, planned=(entry,))
    assert dict(sample.facts)["Forecast"].startswith("$500.00 (166.7 %)")
    assert sample.reached is WARNING
    dearer = replace(FORECAST, amount=usd("300.0000000001"))
    assert standing(dearer, *STEADY, *run, planned=(entry,)).reached is None


def test_forecast_when_the_span_goes_beyond_the_month_then_only_its_part_of_the_rest_is_added() -> None:
    """$120 are left for 30 days, of which the month has 15."""
    run = daily("40", MIDDLE - 2 * 24, MIDDLE, "gpu-2")
    entry = plan("200", MIDDLE - 2 * 24, MIDDLE + 30 * 24, owner="gpu-2")
    sample = standing(FORECAST, *STEADY, *run, planned=(entry,))
    assert dict(sample.facts)["Forecast"].startswith("$440.00 (146.7 %)")


def test_forecast_when_planned_spend_is_still_to_come_then_it_hides_nothing() -> None:
    """What reaches the limit without it does so all the same."""
    sample = standing(FORECAST, *STEADY, planned=(plan("200", MIDDLE + 24, MIDDLE + 99),))
    assert sample.reached is WARNING
    assert dict(sample.facts)["Forecast"].startswith("$300.00 (100 %)")


def test_forecast_when_hours_of_the_span_are_missing_then_none_is_made() -> None:
    """With less known to be used up, too much of the history would count as planned."""
    desk = Desk()
    first = APRIL - 35 * 24
    desk.read([r for r in STEADY if r.hour >= first], HourRange(first, hour_of(NOON) + 1), NOON)
    known = judge(FORECAST, desk, plan("50", first, first + 48), watched=((),), now=NOON)[""]
    assert (known.is_complete, known.reached) == (True, WARNING)
    unknown = judge(FORECAST, desk, plan("50", first - 1, first + 48), watched=((),), now=NOON)[""]
    assert (unknown.is_complete, unknown.reached, "Forecast" in dict(unknown.facts)) == (False, None, False)
    of_another = judge(FORECAST, desk, plan("50", first - 48, first), watched=((),), now=NOON)[""]
    assert of_another.is_complete


def test_budget_when_hours_of_the_span_are_missing_then_fires_and_does_not_end() -> None:
    """March's part of the span was not read, so more than was left may seem planned."""
    desk = Desk()
    desk.read([row(APRIL + 9, "115")], HourRange(APRIL, hour_of(NOON) + 1), NOON)
    rule = budget()
    sample = judge(rule, desk, plan("30", APRIL - 5, APRIL + 48), watched=((),), now=NOON)[""]
    assert (sample.reached, sample.is_complete, sample.may_raise) == (WARNING, False, True)
    assert sample.caveats == ("gpu was not read yet for 5 hours from 2026-03-31 19:00 UTC",)
    assert judge(rule, desk, plan("30", APRIL, APRIL + 48), watched=((),), now=NOON)[""].is_complete
    desk.read([row(APRIL + 9, "120"), row(APRIL + 10, "-5")], HourRange(APRIL, hour_of(NOON) + 1), NOON)
    credited = judge(rule, desk, plan("30", APRIL - 5, APRIL + 48), watched=((),), now=NOON)[""]
    assert (credited.reached, credited.may_raise) == (WARNING, False)


# --- all others -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(FirstSpend(name="new", thresholds={WARNING: usd("5")}), id="first_spend"),
        pytest.param(DataStale(name="stale", thresholds={WARNING: timedelta(hours=1)}), id="data_stale"),
    ],
)
def test_other_rule_when_spend_is_planned_then_unchanged(rule: Rule) -> None:
    """They ask who begins to spend and what is read, not how much is expected."""
    desk = desk_with(row(EDGE - 1, "60"), now=NOW - timedelta(hours=3))
    facts = desk.facts()
    seen = rule.evaluate(facts, ())
    assert seen
    assert rule.evaluate(replace(facts, planned=(plan("1000"),)), ()) == seen
