"""Calendar periods by hand: month ends, leap years, clock changes, and zones that are off by half an hour."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.calendar import (
    KEY_FORMS,
    LONGEST,
    Period,
    PeriodStart,
    YearDay,
    is_key,
    period_before,
    period_of,
)
from alertd.core.hours import hour_of, start_of

DAY, WEEK, MONTH, QUARTER, YEAR = Period
BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"


def span(at: str, kind: Period, timezone: str = "UTC") -> tuple[str, str, int]:
    """The first hour, the first hour after, and how many hours, of the period that holds a UTC hour."""
    found = period_of(hour_of(datetime.fromisoformat(at).replace(tzinfo=UTC)), kind, timezone).hours
    first, after = (f"{start_of(hour):%Y-%m-%dT%H}" for hour in (found.start, found.end))
    return first, after, len(found)


@pytest.mark.parametrize(
    ("at", "kind", "timezone", "expected"),
    [
        pytest.param("2026-03-01T00", MONTH, "UTC", ("2026-03-01T00", "2026-04-01T00", 744), id="a month's first hour"),
        pytest.param("2026-03-31T23", MONTH, "UTC", ("2026-03-01T00", "2026-04-01T00", 744), id="its last hour"),
        pytest.param("2026-04-01T00", MONTH, "UTC", ("2026-04-01T00", "2026-05-01T00", 720), id="the hour after"),
        pytest.param("2028-02-29T12", MONTH, "UTC", ("2028-02-01T00", "2028-03-01T00", 696), id="a leap February"),
        pytest.param("2026-02-28T23", MONTH, "UTC", ("2026-02-01T00", "2026-03-01T00", 672), id="a common February"),
        pytest.param("2026-12-31T23", MONTH, "UTC", ("2026-12-01T00", "2027-01-01T00", 744), id="over the year's end"),
        pytest.param("2026-03-31T23", QUARTER, "UTC", ("2026-01-01T00", "2026-04-01T00", 2160), id="the first quarter"),
        pytest.param("2026-04-01T00", QUARTER, "UTC", ("2026-04-01T00", "2026-07-01T00", 2184), id="the second"),
        pytest.param("2026-08-15T00", QUARTER, "UTC", ("2026-07-01T00", "2026-10-01T00", 2208), id="the third"),
        pytest.param("2026-12-31T23", QUARTER, "UTC", ("2026-10-01T00", "2027-01-01T00", 2208), id="the fourth"),
        pytest.param("2026-03-15T23", WEEK, "UTC", ("2026-03-09T00", "2026-03-16T00", 168), id="Sunday ends a week"),
        pytest.param("2026-03-16T00", WEEK, "UTC", ("2026-03-16T00", "2026-03-23T00", 168), id="Monday begins one"),
        pytest.param("2026-01-01T05", WEEK, "UTC", ("2025-12-29T00", "2026-01-05T00", 168), id="a week of two years"),
        pytest.param("2026-03-29T12", DAY, BERLIN, ("2026-03-28T23", "2026-03-29T22", 23), id="Berlin, clocks forward"),
        pytest.param("2026-10-25T12", DAY, BERLIN, ("2026-10-24T22", "2026-10-25T23", 25), id="Berlin, clocks back"),
        pytest.param("2026-03-28T22", DAY, BERLIN, ("2026-03-27T23", "2026-03-28T23", 24), id="Berlin, the day before"),
        pytest.param("2026-03-08T12", DAY, NEW_YORK, ("2026-03-08T05", "2026-03-09T04", 23), id="New York, forward"),
        pytest.param("2026-11-01T12", DAY, NEW_YORK, ("2026-11-01T04", "2026-11-02T05", 25), id="New York, back"),
        pytest.param(
            "2026-03-15T00", MONTH, BERLIN, ("2026-02-28T23", "2026-03-31T22", 743), id="a month of 743 hours"
        ),
        pytest.param("2026-03-15T00", MONTH, NEW_YORK, ("2026-03-01T05", "2026-04-01T04", 743), id="and over there"),
        pytest.param("2026-10-31T22", QUARTER, BERLIN, ("2026-09-30T22", "2026-12-31T23", 2209), id="a long quarter"),
        pytest.param("2026-03-31T22", MONTH, BERLIN, ("2026-03-31T22", "2026-04-30T22", 720), id="April there already"),
        pytest.param(
            "2026-03-09T18", DAY, KOLKATA, ("2026-03-08T19", "2026-03-09T19", 24), id="18:00 to 19:00: before"
        ),
        pytest.param("2026-03-09T19", DAY, KOLKATA, ("2026-03-09T19", "2026-03-10T19", 24), id="midnight was at 18:30"),
        pytest.param("2026-04-24T12", DAY, "Africa/Cairo", ("2026-04-23T22", "2026-04-24T21", 23), id="no midnight"),
        pytest.param(
            "2026-11-01T12", DAY, "America/Havana", ("2026-11-01T04", "2026-11-02T05", 25), id="two midnights"
        ),
    ],
)
def test_period_when_asked_then_its_hours(at: str, kind: Period, timezone: str, expected: tuple[str, str, int]) -> None:
    """From the first hour that begins in it to the first that does not."""
    assert span(at, kind, timezone) == expected


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (DAY, "2026-03-24"),
        (WEEK, "the week from 2026-03-23"),
        (MONTH, "March 2026"),
        (QUARTER, "Q1 2026"),
        (YEAR, "2026"),
    ],
)
def test_title_when_read_then_names_the_period(kind: Period, title: str) -> None:
    """It is what people say."""
    assert period_of(hour_of(datetime(2026, 3, 24, 12, tzinfo=UTC)), kind, "UTC").title == title


@given(
    hour=st.integers(hour_of(datetime(2015, 1, 1, tzinfo=UTC)), hour_of(datetime(2040, 1, 1, tzinfo=UTC))),
    kind=st.sampled_from(Period),
    timezone=st.sampled_from(
        ["UTC", BERLIN, NEW_YORK, KOLKATA, "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham"]
    ),
)
def test_periods_when_in_a_row_then_every_hour_has_one(hour: int, kind: Period, timezone: str) -> None:
    """No hour is counted twice or in none, whatever the clocks do."""
    found = period_of(hour, kind, timezone)
    assert hour in found.hours
    assert period_of(found.hours.start, kind, timezone) == found
    assert period_of(found.hours.end - 1, kind, timezone) == found
    assert period_of(found.hours.end, kind, timezone).hours.start == found.hours.end
    assert len(found.hours) * timedelta(hours=1) <= LONGEST[kind]


@pytest.mark.parametrize(
    ("at", "zone", "start", "hours"),
    [
        ("2026-07-01T00", "UTC", "2026-01-01T00", 8760),
        ("2028-12-31T23", "UTC", "2028-01-01T00", 8784),
        ("2025-12-31T23", "Europe/Berlin", "2025-12-31T23", 8760),
    ],
)
def test_year_when_it_leaps_or_begins_elsewhere_then_its_own_hours(at: str, zone: str, start: str, hours: int) -> None:
    """It ends where the next one begins."""
    found = period_of(hour_of(datetime.fromisoformat(f"{at}:00+00:00")), YEAR, zone).hours
    assert (found.start, len(found)) == (hour_of(datetime.fromisoformat(f"{start}:00+00:00")), hours)


def slow_start(day: date, kind: Period, starts_on: PeriodStart | None) -> date:
    """The last day up to this one on which a period begins, day by day."""
    while True:
        is_start = {
            DAY: True,
            WEEK: day.weekday() == 0,
            MONTH: day.day == (starts_on or 1),
            QUARTER: day.day == 1 and day.month in {1, 4, 7, 10},
            YEAR: (day.month, day.day) == (starts_on or (1, 1)),
        }[kind]
        if is_start:
            return day
        day -= timedelta(days=1)


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 # taken as UTC
    kind_start=st.one_of(
        st.tuples(st.sampled_from(Period), st.none()),
        st.tuples(st.just(MONTH), st.integers(1, 28)),
        st.tuples(st.just(YEAR), st.dates(date(2021, 1, 1), date(2021, 12, 31)).map(lambda d: YearDay(d.month, d.day))),
    ),
    timezone=st.sampled_from(["UTC", BERLIN, NEW_YORK, KOLKATA, "Africa/Cairo", "Pacific/Chatham"]),
)
def test_period_when_it_starts_on_any_day_then_as_the_days_say(
    at: datetime, kind_start: tuple[Period, PeriodStart | None], timezone: str
) -> None:
    """Where it begins, what it is called, and that the one before ends there."""
    kind, starts_on = kind_start
    hour = hour_of(at.replace(tzinfo=UTC))
    found = period_of(hour, kind, timezone, starts_on)
    first = slow_start(start_of(hour).astimezone(ZoneInfo(timezone)).date(), kind, starts_on)
    assert found.first_day == first
    assert is_key(found.key, kind)
    assert hour in found.hours
    before = period_before(found, timezone, starts_on)
    assert before.hours.end == found.hours.start
    assert before.first_day == slow_start(first - timedelta(days=1), kind, starts_on)
    assert period_of(found.hours.end, kind, timezone, starts_on).hours.start == found.hours.end
    assert len(found.hours) * timedelta(hours=1) <= LONGEST[kind]
    year, week, _ = first.isocalendar()
    keys = {
        DAY: f"{first}",
        WEEK: f"{year}-W{week:02}",
        MONTH: f"{first:%Y-%m}",
        QUARTER: f"{first.year}-Q{(first.month - 1) // 3 + 1}",
        YEAR: f"{first.year}",
    }
    assert found.key == keys[kind]


@pytest.mark.parametrize(
    ("kind", "starts_on", "title"),
    [
        (MONTH, 15, "the month from 2026-03-15"),
        (MONTH, 28, "the month from 2026-02-28"),
        (MONTH, 1, "March 2026"),
        (YEAR, YearDay(4, 6), "the year from 2025-04-06"),
        (YEAR, YearDay(2, 1), "the year from 2026-02-01"),
        (YEAR, YearDay(1, 1), "2026"),
    ],
)
def test_title_when_a_period_starts_elsewhere_then_names_the_day(
    kind: Period, starts_on: PeriodStart, title: str
) -> None:
    """A month's name would be wrong for half of it."""
    assert period_of(hour_of(datetime(2026, 3, 24, 12, tzinfo=UTC)), kind, "UTC", starts_on).title == title


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (DAY, ["2026-02-30", "2026-2-3", "20260203", "2026-W10", "2026-12"]),
        (WEEK, ["2026-W54", "2027-W53", "2026-W1", "2026-W00", "2026-10", "2026W10"]),
        (MONTH, ["2026-13", "2026-1", "2026", "2026-00", "2026-12-05"]),
        (QUARTER, ["2026-Q5", "2026-Q0", "2026-q1", "2026Q1", "2026-3"]),
        (YEAR, ["26", "0", "2026-01", "99999999999999999999", "\uff12\uff10\uff12\uff16"]),
    ],
)
def test_key_when_it_names_no_period_of_the_kind_then_refused(kind: Period, wrong: list[str]) -> None:
    """Only one spelling names a period, and only one that the calendar has."""
    assert is_key(KEY_FORMS[kind], kind)
    assert [text for text in wrong if is_key(text, kind)] == []
