"""
Days on which clocks change, in zones that do it differently: by an hour, by half of one, at midnight, by a whole day.

What is right is said by looking at the zone's clock at every ten minutes, in place of any arithmetic.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertd.core.alerts.quiet_hours import QuietHours, quiet_until
from alertd.core.alerts.requests import SilenceText, parse_silence
from alertd.core.calendar import Period, end_of, local_time, period_of
from alertd.core.hours import HourRange, hour_of
from alertd.core.reports.due import Mark, Timetable, take_turn
from alertd.core.sparkline import bounds
from alertd.rules_file.schedule import next_time
from tests.examples import in_turn

DAY, STEP = timedelta(days=1), timedelta(minutes=10)
CHANGES = [
    pytest.param("Europe/Berlin", "2026-03-29", id="Berlin in spring"),
    pytest.param("Europe/Berlin", "2026-10-25", id="Berlin in autumn"),
    pytest.param("America/New_York", "2026-03-08", id="New York in spring"),
    pytest.param("America/New_York", "2026-11-01", id="New York in autumn"),
    pytest.param("Australia/Lord_Howe", "2026-04-05", id="Lord Howe in autumn, by half an hour"),
    pytest.param("Australia/Lord_Howe", "2026-10-04", id="Lord Howe in spring, by half an hour"),
    pytest.param("Africa/Cairo", "2026-04-24", id="Cairo skips midnight"),
    pytest.param("America/Havana", "2026-11-01", id="Havana has midnight twice"),
    pytest.param("Pacific/Apia", "2011-12-30", id="Samoa skipped a day"),
    pytest.param("Asia/Kathmandu", "2026-03-29", id="Kathmandu is off by three quarters of an hour and never changes"),
]


def instants(zone: str, change: str) -> Iterator[datetime]:
    """Every ten minutes of the days around a change."""
    at = datetime.combine(date.fromisoformat(change), time(), ZoneInfo(zone)).astimezone(UTC) - 3 * DAY
    for number in range(6 * 24 * 6):
        yield at + number * STEP


def face(at: datetime, zone: str) -> datetime:
    """What a clock on the wall of that zone shows."""
    return at.astimezone(ZoneInfo(zone))


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize(
    ("start", "end", "weekdays"),
    [
        pytest.param(time(22), time(7), range(7), id="at night"),
        pytest.param(time(22), time(7), (3, 4, 5), id="in the nights of some days"),
        pytest.param(time(9, 30), time(17), range(5), id="in the day"),
        pytest.param(time(), time(), (4, 5, 6), id="whole days"),
    ],
)
def test_quiet_hours_when_clocks_change_then_hold_by_the_clock_on_the_wall(
    zone: str, change: str, start: time, end: time, weekdays: range
) -> None:
    """They are meant by what a person sees, and end in the minute that they name."""
    quiet = QuietHours(days=frozenset(weekdays), start=start, end=end, timezone=zone)
    days = {face(at, zone).date() for at in instants(zone, change)}
    for at in instants(zone, change):
        shown, today = face(at, zone).time(), face(at, zone).date()
        # The day before is the one that came before, and not the one that the calendar would have had.
        before = max((day for day in days if day < today), default=today - DAY)
        if end > start:
            is_quiet = today.weekday() in weekdays and start <= shown < end
        else:
            is_quiet = (today.weekday() in weekdays and shown >= start) or (
                before.weekday() in weekdays and shown < end
            )
        until = quiet_until([quiet], at)
        assert (until is not None) is is_quiet, face(at, zone)
        if until is not None and until - at < 2 * DAY:
            assert face(until, zone).time() == end


@pytest.mark.parametrize(("zone", "change"), in_turn(CHANGES, 1, every=2))
@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        pytest.param("0 9 * * *", time(9), id="each morning"),
        pytest.param("30 23 * * *", time(23, 30), id="each night"),
        pytest.param("0 12 * * mon-fri", time(12), id="at noon of working days"),
    ],
)
def test_reports_when_clocks_change_then_come_once_on_each_day_at_the_time_shown(
    zone: str, change: str, schedule: str, wanted: time
) -> None:
    """The daemon looks again and again; no local day may bring none or two."""
    table = Timetable(schedule=schedule, timezone=zone, trigger=lambda after: next_time(schedule, after))
    looks = list(instants(zone, change))
    mark, sent = Mark(at=looks[0] - STEP, timetable=table.text), []
    for at in looks:
        turn = take_turn(table, mark, at)
        mark = turn.mark
        sent += [turn.scheduled] if turn.scheduled is not None else []
    shown = [at for at in looks if face(at, zone).time() == wanted]
    if "fri" in schedule and zone != "Pacific/Apia":
        shown = [at for at in shown if face(at, zone).weekday() < 5]
    if zone == "Pacific/Apia" and "fri" in schedule:
        # The report of the Friday that was skipped is sent in its place a day later, as one of a skipped hour is.
        shown = [at for at in shown if face(at, zone).weekday() < 6]
    assert sent == shown


@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_days_when_clocks_change_then_each_hour_is_of_the_day_that_the_clock_shows(zone: str, change: str) -> None:
    """Budgets, charts and `alertd spend` part days alike, without a gap and without an hour in two."""
    looks = list(instants(zone, change))
    window = HourRange(hour_of(looks[0]), hour_of(looks[-1]))
    edges = bounds(window, zone)
    assert edges == sorted(set(edges))
    for hour in range(window.start, window.end):
        day = period_of(hour, Period.DAY, zone)
        assert hour in day.hours
        assert day.first_day == local_time(hour, zone).date()
        assert (hour in edges) is (hour in {window.start, day.hours.start})
        for kind in (Period.WEEK, Period.MONTH, Period.QUARTER, Period.YEAR):
            assert hour in period_of(hour, kind, zone).hours


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize("until", ["day-end", "week-end", "month-end"])
def test_silence_when_until_the_end_of_a_period_then_ends_when_its_last_day_does(
    zone: str, change: str, until: str
) -> None:
    """
    Half an hour after midnight in Lord Howe, `day-end` was at one: days of bills begin with a whole UTC hour.

    It ends in the first moment that the clock shows another period.
    """
    kind = {"day-end": Period.DAY, "week-end": Period.WEEK, "month-end": Period.MONTH}[until]

    def period(at: datetime) -> object:
        day = face(at, zone).date()
        return {Period.DAY: day, Period.WEEK: day.isocalendar()[:2], Period.MONTH: (day.year, day.month)}[kind]

    for at in list(instants(zone, change))[::7]:
        text = SilenceText(matchers=["owner=a"], by="dana", until=until, timezone=zone)
        end = parse_silence(text, id="0a0a", now=at).ends_at
        assert end is not None
        assert end == end_of(at, kind, zone)
        assert period(end - timedelta(seconds=1)) == period(at)
        assert period(end) != period(at)
