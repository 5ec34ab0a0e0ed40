"""Which reports are due: once for each scheduled time, whatever clocks, stops and edits do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from alertd.core.reports.due import Mark, Timetable, take_turn
from alertd.daemon.reports import cron_trigger

DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def timetable(schedule: str = "0 9 * * mon", timezone: str = "UTC") -> Timetable:
    return Timetable(schedule=schedule, timezone=timezone, trigger=cron_trigger(schedule))


def mark(text: str, table: Timetable | None = None) -> Mark:
    return Mark(at=at(text), timetable=(table or timetable()).text)


@pytest.mark.parametrize(
    ("schedule", "timezone", "start", "expected"),
    [
        pytest.param("0 9 * * mon", "UTC", "2026-03-01T00:00", ["03-02T09:00", "03-09T09:00"], id="weekly"),
        pytest.param("0 9 * * mon", "UTC", "2026-03-02T09:00", ["03-09T09:00"], id="never the same instant again"),
        pytest.param("0 9 5 * mon", "UTC", "2026-03-01T00:00", ["03-02T09:00", "03-05T09:00"], id="either day"),
        pytest.param("0 9 * * 1", "UTC", "2026-03-01T00:00", ["03-02T09:00", "03-09T09:00"], id="1 is Monday"),
        pytest.param("0 9 * * Monday", "UTC", "2026-03-01T00:00", ["03-02T09:00", "03-09T09:00"], id="a word in full"),
        pytest.param("0 9 * * sat-mon", "UTC", "2026-02-28T12:00", ["03-01T09:00", "03-02T09:00"], id="a weekend"),
        pytest.param("0 9 1 february *", "UTC", "2026-03-01T00:00", ["02-01T09:00"], id="a month in full"),
        pytest.param(
            "0 9 * * *", "Europe/Berlin", "2026-03-27T12:00", ["03-28T08:00", "03-29T07:00"], id="Berlin, to summer"
        ),
        pytest.param(
            "0 9 * * *", "Europe/Berlin", "2026-10-23T12:00", ["10-24T07:00", "10-25T08:00"], id="Berlin, to winter"
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-03-27T12:00", ["03-28T01:30", "03-29T01:30", "03-30T00:30"],
            id="2:30 does not exist on the 29th: an hour later by the new clock, once",
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-03-29T01:10", ["03-29T01:30", "03-30T00:30"],
            id="it is still to come when the clock shows 3:10",
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["10-25T00:30", "10-26T01:30"],
            id="2:30 comes twice on the 25th: the first counts",
        ),
        pytest.param(
            "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", ["10-26T01:30"], id="not again within the second hour"
        ),
        pytest.param(
            "0 * * * *", "America/New_York", "2026-03-08T05:30", ["03-08T06:00", "03-08T07:00", "03-08T08:00"],
            id="hourly over the missing hour",
        ),
        pytest.param(
            "0 9 * * *", "Asia/Kolkata", "2026-03-01T00:00", ["03-01T03:30", "03-02T03:30"], id="half an hour off"
        ),
        pytest.param("0 0 29 feb *", "UTC", "2026-03-01T00:00", ["02-29T00:00"], id="a leap day, two years on"),
        pytest.param("0 0 30 feb *", "UTC", "2026-03-01T00:00", [], id="a day that never comes"),
    ],
)  # fmt: skip
def test_timetable_when_followed_then_each_local_time_once(
    schedule: str, timezone: str, start: str, expected: list[str]
) -> None:
    """Each local time that is scheduled is one instant, also when clocks are changed."""
    found: list[str] = []
    table, now = timetable(schedule, timezone), at(start)
    while len(found) < max(1, len(expected)) and (following := table.following(now)) is not None:
        found.append(f"{following:%m-%dT%H:%M}")
        now = following
    assert found == expected


NEW = None
WEEKLY = timetable()


@pytest.mark.parametrize(
    ("before", "now", "scheduled", "marked", "skipped"),
    [
        pytest.param(NEW, "2026-03-02T09:00", None, "2026-03-02T09:00", None, id="a new report waits"),
        pytest.param(mark("2026-03-02T09:00"), "2026-03-09T08:59", None, "2026-03-02T09:00", None, id="not due yet"),
        pytest.param(
            mark("2026-03-02T09:00"), "2026-03-09T09:00", "2026-03-09T09:00", "2026-03-09T09:00", None, id="on time"
        ),
        pytest.param(mark("2026-03-09T09:00"), "2026-03-09T09:01", None, "2026-03-09T09:00", None, id="sent already"),
        pytest.param(
            mark("2026-03-02T09:00"), "2026-03-10T08:59", "2026-03-09T09:00", "2026-03-09T09:00", None,
            id="missed by less than a day",
        ),
        pytest.param(
            mark("2026-03-02T09:00"), "2026-03-10T09:00", None, "2026-03-10T09:00", "2026-03-09T09:00",
            id="missed by a day",
        ),
        pytest.param(
            mark("2026-01-05T09:00"), "2026-03-09T10:00", "2026-03-09T09:00", "2026-03-09T09:00", None,
            id="stopped for months: the newest alone",
        ),
        pytest.param(
            mark("2026-01-05T09:00"), "2026-03-11T10:00", None, "2026-03-11T10:00", "2026-01-12T09:00",
            id="stopped for months: too late for all",
        ),
        pytest.param(mark("2026-03-09T09:00"), "2026-03-09T08:30", None, "2026-03-09T09:00", None, id="clock set back"),
        pytest.param(
            mark("2027-03-08T09:00"), "2026-03-09T08:00", None, "2026-03-09T08:00", None,
            id="a clock a year ahead made the mark: the report is as new",
        ),
        pytest.param(
            mark("2026-03-02T09:00", timetable("0 9 * * tue")), "2026-03-09T10:00", None, "2026-03-09T10:00", None,
            id="another schedule: as new",
        ),
        pytest.param(
            mark("2026-03-02T09:00", timetable(timezone="Asia/Tokyo")), "2026-03-09T10:00", None, "2026-03-09T10:00",
            None, id="another zone: as new",
        ),
    ],
)  # fmt: skip
def test_turn_when_taken_then_sends_each_time_once_and_none_too_late(
    before: Mark | None, now: str, scheduled: str | None, marked: str, skipped: str | None
) -> None:
    """Nothing twice, nothing that is stale, and no burst after a stop."""
    turn = take_turn(WEEKLY, before, at(now))
    assert turn.scheduled == (at(scheduled) if scheduled else None)
    assert turn.mark == mark(marked)
    assert turn.skipped == (at(skipped) if skipped else None)


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Berlin", "2026-03-29"),
        ("Europe/Berlin", "2026-10-25"),
        ("America/New_York", "2026-03-08"),
        ("America/New_York", "2026-11-01"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("UTC", "2026-03-29"),
    ],
)
def test_turns_when_taken_every_few_minutes_over_a_clock_change_then_one_report_a_day(zone: str, change: str) -> None:
    """However often the daemon asks, no local day may bring none or two."""
    table = timetable("30 2 * * *", zone)
    now = at(f"{change}T00:00") - DAY
    kept, sent = Mark(at=now, timetable=table.text), []
    for _ in range(3 * 24 * 60 // 7):
        turn = take_turn(table, kept, now)
        kept = turn.mark
        sent += [turn.scheduled] if turn.scheduled else []
        now += timedelta(minutes=7)
    assert len(sent) == 3
    assert all(timedelta(hours=22) < later - sooner < timedelta(hours=26) for sooner, later in pairwise(sent))


def test_mark_when_stored_then_is_read_back() -> None:
    """The schedule has blanks of its own."""
    assert Mark.of(mark("2026-03-02T09:00").text) == mark("2026-03-02T09:00")
