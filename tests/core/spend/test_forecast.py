"""The forecast: better than drawing the month so far out, never negative, and a range that holds what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from alertd.core.spend.forecast import SpendHistory, carried_to_last_step, expected_rest, known_hours, rest_range
from tests.made_months import BEFORE, MONTH, made_month

Floats = NDArray[np.float64]


def history(days: Floats, hours_left: int, heads: Floats | None = None, hours: Floats | None = None) -> SpendHistory:
    """Days whose spend is even over their hours, unless said otherwise."""
    return SpendHistory(
        days=days,
        heads=days * (hours_left % 24 / 24) if heads is None else heads,
        hours=np.repeat(days[-1:] / 24, 24, axis=0) if hours is None else hours,
        hours_left=hours_left,
    )


def error(forecast: Floats, actual: Floats) -> float:
    """The mean absolute error over the actual sum."""
    return float((np.abs(forecast - actual) / actual).mean())


def errors_of(days: Floats) -> float:
    """Our mean error over that of the month so far drawn out, at six days of the month."""
    ours, plain = [], []
    for elapsed in (3, 6, 10, 15, 20, 25):
        now = BEFORE + elapsed
        actual, spent = days[BEFORE:].sum(axis=0), days[BEFORE:now].sum(axis=0)
        ours.append(error(spent + expected_rest(history(days[:now], (MONTH - elapsed) * 24)), actual))
        plain.append(error(spent / elapsed * MONTH, actual))
    return float(np.mean(ours) / np.mean(plain))


@pytest.mark.parametrize(
    "kind", ["llm rhythm", "growth", "decline", "rare spikes", "gpu left on", "fleet stopped", "doubled"]
)
def test_forecast_when_compared_with_the_month_so_far_drawn_out_then_errs_less(kind: str) -> None:
    """That is what it is for: the plain pace knows no weekends and takes every spike for the rule."""
    assert errors_of(made_month(kind)) < 0.95


@pytest.mark.parametrize("kind", ["noise", "mix", "on and off"])
def test_forecast_when_spend_has_no_pattern_then_little_worse_than_the_month_so_far(kind: str) -> None:
    """Its price: where there is nothing to learn, the mean of all days is the best there is."""
    assert errors_of(made_month(kind)) < 1.1


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        pytest.param("llm rhythm", 0.7, id="weekends"),
        pytest.param("noise", 0.7, id="noise"),
        pytest.param("mix", 0.7, id="a mix"),
        pytest.param("growth", 0.7, id="growth"),
        pytest.param("on and off", 0.7, id="GPUs that are switched on and off"),
        pytest.param("rare spikes", 0.6, id="rare spikes: a history without one foresees none"),
    ],
)
@pytest.mark.parametrize("elapsed", [4, 10, 20, 27])
def test_range_when_months_are_made_then_holds_what_it_says(kind: str, least: float, elapsed: int) -> None:
    """The forecast's own description names these shares; one that holds everything would say nothing."""
    assert least <= held(made_month(kind), elapsed) <= 0.94


@pytest.mark.parametrize("kind", ["gpu left on", "fleet stopped"])
def test_range_when_a_step_was_seen_then_holds_what_it_says(kind: str) -> None:
    """A week after the last of these steps there is none still to come."""
    assert held(made_month(kind), 21) >= 0.7


def held(days: Floats, elapsed: int) -> float:
    """Return the share of groups whose true rest lies within the range."""
    now = BEFORE + elapsed
    low, high = rest_range(history(days[:now], (MONTH - elapsed) * 24))
    rest = days[now:].sum(axis=0)
    return float(((low <= rest) & (rest <= high)).mean())


@pytest.mark.parametrize("ago", [2, 3, 5, 7])
def test_range_when_a_rise_is_some_days_old_then_holds_what_it_says(ago: int) -> None:
    """Whether a rise on a rhythm is an amount a day or a factor shows later than the rise itself."""
    made = made_month("llm rhythm", groups=400)
    made[BEFORE + 10 - ago :] *= 2
    assert 0.7 <= held(made, 10) <= 0.95


@pytest.mark.parametrize("days_since", range(2, 23))
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(30.0, 104.0, id="a second GPU left on"),
        pytest.param(500.0, 150.0, id="70 % of a fleet stopped"),
        pytest.param(500.0, 0.0, id="everything stopped"),
    ],
)
def test_step_when_two_days_old_then_the_forecast_is_of_the_new_level(
    before: float, after: float, days_since: int
) -> None:
    """A budget must not hear of it a week later, and must not forget it two weeks after that."""
    days = column(*[before] * 35, *[after] * days_since)
    assert expected_rest(history(days, 8 * 24)).tolist() == pytest.approx([8 * after])


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_step_when_it_happened_in_the_middle_of_a_day_then_seen_as_well(share: float) -> None:
    """Days end at the data edge: hardly any step falls between two of them."""
    days = column(*[30.0] * 35, 30 + 74 * share, 104, 104)
    assert expected_rest(history(days, 8 * 24)).tolist() == pytest.approx([8 * 104])


def test_step_when_it_is_a_factor_on_a_rhythm_then_the_weekend_stays_cheap() -> None:
    """Twice the users are twice as many on Monday and on Sunday; a flat amount a day would be a GPU's."""
    week = [100.0, 100, 100, 100, 100, 20, 20]
    days = column(*week * 5, *[2 * day for day in week])
    assert expected_rest(history(days, 7 * 24)).tolist() == pytest.approx([2 * sum(week)])


@pytest.mark.parametrize(
    "days",
    [
        pytest.param([*[10.0] * 34, 50.0], id="a single dear day"),
        pytest.param([10.0, 40.0] * 17, id="dear days are usual"),
        pytest.param([*[0.0] * 30, 10.0, 10.0, 30.0, 30.0, 30.0], id="hardly known before"),
        pytest.param([*[10.0] * 33, 12.0, 12.5], id="hardly higher than ever"),
    ],
)
def test_step_when_there_is_none_then_the_days_are_left_as_they_are(days: list[float]) -> None:
    """A forecast that saw steps everywhere would follow every noise."""
    made = column(*days)
    known = (np.arange(len(days))[:, None] > np.argmax(made != 0, axis=0)) | (made[0] != 0)
    assert [each.tolist() for each in carried_to_last_step(made, known)] == [made.tolist()] * 2


@pytest.mark.parametrize("back", range(2, 29))
@pytest.mark.parametrize("factor", [0.75, 1.32])
def test_step_when_it_just_lies_beyond_what_was_before_then_found_however_long_ago(back: int, factor: float) -> None:
    """Groups that cannot have stepped are left out before the search: by no more than rounding."""
    week = [100.0, 130, 90, 110, 100, 20, 25]
    days = np.array((week * 9)[: 36 + back], np.float64)[:, None]
    days[-back:] *= factor
    known = np.ones_like(days, np.bool_)
    assert (carried_to_last_step(days, known)[0][:-back] != days[:-back]).all()


def test_rest_when_amounts_differ_absurdly_then_no_rounding_below_zero() -> None:
    """A sum less its largest part may come out negative in floats."""
    days = np.zeros((21, 1))
    days[[0, 7, 14], 0] = 8.0, 0.3, 1.714682624395026e18
    assert expected_rest(history(days, 24)).tolist()[0] >= 0


def column(*days: float) -> Floats:
    return np.array(days, np.float64)[:, None]


@pytest.mark.parametrize(
    ("days", "hours_left", "rest"),
    [
        pytest.param([10.0] * 35, 72, 30, id="even spend goes on"),
        pytest.param([5, 5, 5, 5, 5, 1, 1] * 5, 7 * 24, 27, id="a whole week of the rhythm"),
        pytest.param([5, 5, 5, 5, 5, 1, 1] * 5, 6 * 24, 26, id="six days of it, the weekend at their end"),
        pytest.param([1, 5, 5, 5, 5, 5, 1] * 5, 24, 1, id="tomorrow is a Sunday"),
        pytest.param([1, 5, 5, 5, 5, 5, 1] * 5, 36, 3.5, id="and half of Monday"),
        pytest.param([10] * 20 + [500] + [10] * 14, 7 * 24, 70, id="a spike two weeks ago counts for nothing"),
        pytest.param([10] * 31 + [500] + [10] * 3, 7 * 24, 80, id="one of the last week as double at most"),
        pytest.param([10] * 28 + [15] * 7, 7 * 24, 105, id="a new level is followed within a week"),
        pytest.param([10] * 28 + [0] * 7, 7 * 24, 0, id="what has stopped for a week is over"),
        pytest.param([0] * 30 + [3, 8, 8, 8, 8], 48, 16, id="zeros before the first spend tell nothing"),
        pytest.param([0] * 35, 48, 0, id="nothing comes of nothing"),
        pytest.param([10.0] * 35, 0, 0, id="at the end nothing is left"),
    ],
)
def test_rest_when_computed_by_hand_then_the_same(days: list[float], hours_left: int, rest: float) -> None:
    """Each rule of the method in a series that can be added up by eye."""
    assert expected_rest(history(column(*days), hours_left)).tolist() == pytest.approx([rest])


def test_rest_when_the_day_has_a_rhythm_then_the_last_part_follows_it() -> None:
    """Nothing is spent in the morning: four hours of it cost nothing."""
    days = column(*[24.0] * 35)
    assert expected_rest(history(days, 28, heads=days * 0)).tolist() == [24]
    assert expected_rest(history(days, 28, heads=days)).tolist() == [48]


def test_rest_when_a_group_began_an_hour_ago_then_its_rate_by_the_hour() -> None:
    """Where no whole day is known, the day's mean would say a 24th of it."""
    young = history(column(*[0.0] * 34, 6), 10, hours=column(*[0.0] * 21, 1, 2, 3))
    assert (expected_rest(young).tolist(), known_hours(young).tolist()) == ([20], [3])


def test_known_hours_when_counted_then_since_the_first_spend() -> None:
    """It tells how far a forecast can be trusted."""
    days = np.hstack([column(*[0.0] * 10, *[1.0] * 25), column(*[1.0] * 35), column(*[0.0] * 35)])
    assert known_hours(history(days, 5)).tolist() == [25 * 24, 35 * 24, 0]


def test_range_when_little_is_known_then_none() -> None:
    """Of fewer than nine errors the extremes hold less than 80 %."""
    days = np.hstack([column(*[0.0] * 15, *[1.0] * 20), column(*[1.0] * 35)])
    low, _ = rest_range(history(days, 7 * 24))
    assert np.isnan(low).tolist() == [True, False]
    assert np.isnan(rest_range(history(column(*[1.0] * 22), 7 * 24))[0]).tolist() == [True]


def test_range_when_spend_is_even_then_has_no_width() -> None:
    """Past forecasts were right to the cent."""
    low, high = rest_range(history(column(*[10.0] * 40), 100))
    assert [*low, *high] == pytest.approx([10 * 100 / 24] * 2)


def test_only_when_taken_then_the_same_as_alone() -> None:
    """Groups do not speak of each other."""
    days = made_month("rare spikes")
    whole = history(days, 100)
    part = whole.only(np.array([5, 3], np.intp))
    assert expected_rest(part).tolist() == pytest.approx(expected_rest(whole)[[5, 3]].tolist())
    assert np.array(rest_range(part)) == pytest.approx(np.array(rest_range(whole))[:, [5, 3]])


@given(
    days=arrays.arrays(
        np.float64,
        st.tuples(st.integers(7, 56), st.integers(1, 3)),
        elements=st.one_of(st.just(0.0), st.integers(0, 10).map(float), st.integers(0, 2**62).map(float)),
    ),
    hours_left=st.integers(0, 2209),
)
def test_forecast_when_spend_is_never_negative_then_neither(days: Floats, hours_left: int) -> None:
    """No rounding, no empty week and no absurd amount leads below zero or to no number."""
    made_up = history(days, hours_left)
    rest, (low, high) = expected_rest(made_up), rest_range(made_up)
    assert np.isfinite(rest).all()
    assert (rest >= 0).all()
    notified = ~np.isnan(low)
    assert ((low[notified] >= 0) & (low[notified] <= rest[notified]) & (rest[notified] <= high[notified])).all()


@given(
    days=arrays.arrays(np.float64, (35, 2), elements=st.integers(-(2**62), 2**62).map(float)),
    hours_left=st.integers(0, 800),
)
def test_forecast_when_there_are_credits_then_still_a_number(days: Floats, hours_left: int) -> None:
    """Credits may make a day negative; the forecast may be wrong then, but not absent."""
    assert np.isfinite(expected_rest(history(days, hours_left))).all()


@pytest.mark.parametrize("turned", [False, True], ids=["spend rose more than foreseen", "spend fell more"])
def test_range_when_every_past_forecast_was_off_to_one_side_then_still_holds_the_expected_sum(turned: bool) -> None:
    """A range beside its own forecast reads like a mistake."""
    days = column(*[1.2**day for day in range(35)][:: -1 if turned else 1])
    for hours_left in (24, 72, 240):
        made = history(days, hours_left)
        (low,), (expected,), (high,) = rest_range(made)[0], expected_rest(made), rest_range(made)[1]
        assert low <= expected <= high
