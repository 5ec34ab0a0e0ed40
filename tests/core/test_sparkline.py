"""Sparklines: nothing and little look different, the largest reaches the top, days end at local midnights."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange, hour_of
from alertd.core.sparkline import ASCII, BLOCKS, bar_length, bounds, sparkline
from tests.examples import examples


@pytest.mark.parametrize(
    ("amounts", "width", "drawn"),
    [
        pytest.param([], 10, "", id="no bars"),
        pytest.param([0, 0], 10, "▁▁", id="nothing at all"),
        pytest.param([0, 1, 1000], 10, "▁▂█", id="little is more than nothing"),
        pytest.param([7, 6, 5, 4, 3, 2, 1, 0], 10, "█▇▆▅▄▃▂▁", id="every level"),
        pytest.param([-50, 10], 10, "▁█", id="a credit counts as nothing"),
        pytest.param([10**18, 10**18 - 1], 10, "██", id="large amounts are exact"),
        pytest.param([2, 0, 4, 4, 8], 3, "▂▅█", id="means of two neighbours, the last of one"),
        pytest.param([1, 0, 0, 1000, 1000, 1000], 2, "▂█", id="a mean below one is not nothing"),
    ],
)
def test_sparkline_when_drawn_then_like_this(amounts: list[int], width: int, drawn: str) -> None:
    """Heights are read against nothing, so a steady spend is a full line and not an empty one."""
    assert sparkline(amounts, width=width) == drawn


@examples(12, thorough=100)
@given(st.lists(st.integers(-(10**18), 10**18), max_size=100), st.integers(1, 60), st.sampled_from([BLOCKS, ASCII]))
def test_sparkline_when_any_then_fits_and_shows_the_largest(amounts: list[int], width: int, levels: str) -> None:
    """A column of a table has its width; what was spent most is the top."""
    drawn = sparkline(amounts, width=width, levels=levels)
    assert len(drawn) <= width
    assert set(drawn) <= set(levels)
    assert (levels[-1] in drawn) == any(
        sum(amounts[start : start + -(-len(amounts) // width)]) > 0
        for start in range(0, len(amounts), max(1, -(-len(amounts) // width)))
    )


def at(text: str) -> int:
    return hour_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("start", "end", "timezone", "expected"),
    [
        pytest.param("2026-03-01T00", "2026-03-01T03", "UTC", ["01T00", "01T01", "01T02", "01T03"], id="by the hour"),
        pytest.param(
            "2026-03-01T05", "2026-03-04T02", "UTC", ["01T05", "02T00", "03T00", "04T00", "04T02"], id="by the day"
        ),
        pytest.param(
            "2026-03-28T12", "2026-03-31T00", "Europe/Berlin", ["28T12", "28T23", "29T22", "30T22", "31T00"],
            id="a day of 23 hours",
        ),
        pytest.param(
            "2026-10-24T12", "2026-10-26T23", "Europe/Berlin", ["24T12", "24T22", "25T23", "26T23"],
            id="a day of 25 hours, the last one whole",
        ),
    ],
)  # fmt: skip
def test_bounds_when_asked_then_midnights_of_the_zone(start: str, end: str, timezone: str, expected: list[str]) -> None:
    """People mean their own days."""
    found = bounds(HourRange(at(start), at(end)), timezone)
    assert found == [at(f"{start[:8]}{each}") for each in expected]


@pytest.mark.parametrize(
    ("hours", "text"), [(48, "hour"), (49, "day"), (7 * 24, "day"), (62 * 24, "day"), (63 * 24, "2 days")]
)
def test_bar_length_when_asked_then_says_what_one_bar_is(hours: int, text: str) -> None:
    """A bar of nine days must not be taken for one day."""
    start = at("2026-03-01T00")
    assert bar_length(HourRange(start, start + hours), "UTC", width=62) == text
