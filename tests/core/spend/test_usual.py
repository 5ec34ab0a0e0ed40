"""What is usual for a window: medians of the same hours, against a plain oracle."""

from fractions import Fraction
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.spend.rises import Compare, Lengths, double_usual, highest_windows

DAY, WEEK = 24, 168


def oracle(hourly: list[int], start: int, length: int, baseline: int) -> Fraction | None:
    """Twice the median by the rule's words: weeks once the baseline knows two, else days; None if there is nothing."""
    first = next((hour for hour, spent in enumerate(hourly) if spent), len(hourly))
    step = WEEK if min(start - first, baseline) >= 2 * WEEK else DAY
    sums = []
    for shift in range(step, baseline + step, step):
        at = start - shift
        if at >= start - baseline and at + length <= start and at >= first:
            sums.append(sum(hourly[at : at + length]))
    return 2 * median(map(Fraction, sums)) if sums else None


@given(
    beginning=st.integers(0, 40 * DAY),
    values=st.lists(st.integers(-5, 2**40), min_size=1, max_size=60),
    length=st.sampled_from([1, 5, 24, 36, 7 * DAY, 9 * DAY]),
    baseline=st.sampled_from([DAY, 3 * DAY, 14 * DAY, 28 * DAY]),
)
def test_usual_when_anything_was_spent_then_as_by_hand(
    beginning: int, values: list[int], length: int, baseline: int
) -> None:
    """Running totals and masks must say what plain sums say."""
    start = 41 * DAY
    hourly = [0] * beginning + [values[hour % len(values)] for hour in range(start + length - beginning)]
    totals = np.concatenate([[0], np.cumsum(np.array(hourly, np.int64))])
    first = np.array([next((hour for hour, spent in enumerate(hourly) if spent), len(hourly))])

    ends = np.array([start + length - 3, start + length])
    doubled, is_known = double_usual(
        totals[:, None], 0, ends, Lengths(window=length, baseline=baseline, compare=Compare.SAME_HOURS), first
    )

    for number, begin in enumerate((start - 3, start)):
        expected = oracle(hourly, begin, length, baseline)
        assert (int(doubled[number, 0]) if is_known[number, 0] else None) == expected


@pytest.mark.parametrize(
    ("weeks", "doubled"),
    [
        pytest.param([10, 10, 10, 10], 20, id="the same each week"),
        pytest.param([0, 0, 500, 0], 0, id="one dear week moves nothing"),
        pytest.param([10, 0, 10, 10], 20, id="neither does an idle one"),
        pytest.param([10, 20, 30, 40], 50, id="of four the middle of the second and third"),
    ],
)
def test_usual_when_weeks_differ_then_their_median(weeks: list[int], doubled: int) -> None:
    """A mean of the baseline would follow each of these."""
    start = 5 * WEEK
    hourly = np.zeros(start + DAY, np.int64)
    hourly[0] = 1
    for number, spent in enumerate(weeks, 1):
        hourly[start - number * WEEK] = spent
    totals = np.concatenate([[0], np.cumsum(hourly)])
    baseline = Lengths(window=DAY, baseline=4 * WEEK, compare=Compare.SAME_HOURS)
    found, is_known = double_usual(totals[:, None], 0, np.array([start + DAY]), baseline, np.array([0]))
    assert (found.tolist(), is_known.tolist()) == ([[doubled]], [[True]])


def test_highest_window_when_hours_differ_then_the_dearest_run_of_that_length() -> None:
    """It may begin at any hour, not only at those of the windows compared."""
    hourly = np.array([[1, 0], [5, 0], [4, 0], [0, 7], [2, 0]])
    totals = np.concatenate([np.zeros((1, 2), np.int64), np.cumsum(hourly, axis=0)])
    assert highest_windows(totals, 2).tolist() == [9, 7]
    assert highest_windows(totals, 6).tolist() == [0, 0]
