"""Hours, ranges and sets of them, against plain Python sets."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.hours import HourRange, HourSet, hour_of, midnight_before, start_of, whole_hours

RANGES = st.tuples(st.integers(-60, 60), st.integers(0, 30)).map(lambda pair: HourRange(pair[0], pair[0] + pair[1]))


def hours_of(ranges: HourSet) -> set[int]:
    return {hour for span in ranges for hour in range(span.start, span.end)}


def test_hour_of_when_any_zone_then_utc_hour() -> None:
    """A bill's hour does not depend on where it is read."""
    east = timezone(timedelta(hours=5, minutes=30))
    assert hour_of(datetime(1970, 1, 1, 5, 30, tzinfo=east)) == 0
    assert hour_of(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == -1
    assert start_of(hour_of(datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC))) == datetime(2028, 2, 29, 23, tzinfo=UTC)
    with pytest.raises(TypeError):
        hour_of(datetime(2026, 1, 1))  # noqa: DTZ001 -- a naive instant is what must be refused


@given(st.integers(-(10**6), 10**6))
def test_midnight_before_when_any_hour_then_the_first_of_its_day(hour: int) -> None:
    """Ranges that begin elsewhere would cut daily rows."""
    midnight = midnight_before(hour)
    assert start_of(midnight).hour == 0
    assert start_of(midnight).date() == start_of(hour).date()


def test_whole_hours_when_not_whole_then_refuses() -> None:
    """A window of 90 minutes has no meaning in hourly bills."""
    assert whole_hours(timedelta(days=2)) == 48
    with pytest.raises(ValueError, match="1:30:00"):
        whole_hours(timedelta(minutes=90))


def test_range_when_it_ends_before_it_starts_then_refuses() -> None:
    """A negative window is a bug of the caller."""
    assert len(HourRange(3, 3)) == 0
    assert 3 not in HourRange(3, 3)
    with pytest.raises(ValueError, match="before it starts"):
        HourRange(3, 2)


@given(st.lists(RANGES, max_size=8), RANGES)
def test_hour_set_when_changed_then_as_a_plain_set(ranges: list[HourRange], span: HourRange) -> None:
    """Completeness rests on these five operations."""
    made = HourSet.of(ranges)
    plain = {hour for r in ranges for hour in range(r.start, r.end)}
    given_hours = set(range(span.start, span.end))
    assert hours_of(made) == plain
    assert bool(made) == bool(plain)
    assert hours_of(made.add(span)) == plain | given_hours
    assert hours_of(made.remove(span)) == plain - given_hours
    assert hours_of(made.within(span)) == plain & given_hours
    assert hours_of(made.missing_from(span)) == given_hours - plain


@given(st.lists(RANGES, max_size=8))
def test_hour_set_when_equal_then_stored_alike(ranges: list[HourRange]) -> None:
    """Sorted, disjoint and never adjacent: equal sets compare equal and stay small."""
    made = HourSet.of(ranges)
    assert made == HourSet.of(reversed(ranges))
    assert all(a.end < b.start for a, b in zip(made.ranges, made.ranges[1:], strict=False))
    assert all(len(r) for r in made.ranges)
