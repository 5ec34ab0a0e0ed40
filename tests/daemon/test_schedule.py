"""Triggers of the daemon's jobs: they come in time, and a wall clock that was set neither floods nor stops them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from alertd.clock import utc_now
from alertd.daemon.schedule import Interval, Schedule

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def test_trigger_when_its_interval_is_over_then_the_event_is_set() -> None:
    """The task that waits for it does the work."""
    due = asyncio.Event()
    with Schedule() as schedule:
        schedule.every("poll", timedelta(seconds=1), due)
        assert not due.is_set()
        async with asyncio.timeout(30):
            await due.wait()
            due.clear()
            schedule.rearm()
            await due.wait()


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        pytest.param(timedelta(), NOW + MINUTE, id="in time"),
        pytest.param(MINUTE / 2, NOW + MINUTE / 2, id="a little late: the rhythm stays"),
        pytest.param(timedelta(days=1500), NOW + MINUTE, id="the clock was years behind: one step, not two million"),
    ],
)
def test_next_turn_when_some_were_missed_then_none_is_made_up_for(behind: timedelta, expected: datetime) -> None:
    """APScheduler 3 steps through each missed turn, two minutes long after some years."""
    trigger = Interval(minutes=1, start_date=NOW - behind, timezone=UTC)
    assert trigger.get_next_fire_time(NOW - behind, NOW) == expected


@pytest.mark.parametrize(
    ("moved", "wait"),
    [
        pytest.param(timedelta(), MINUTE, id="just asked for"),
        pytest.param(MINUTE / 4, MINUTE * 3 / 4, id="a quarter of it has passed"),
        pytest.param(timedelta(hours=3), timedelta(), id="the clock was set forward"),
        pytest.param(-timedelta(hours=3), MINUTE, id="the clock was set back"),
    ],
)
async def test_next_poll_when_asked_for_then_within_one_interval_whatever_the_clock_does(
    moved: timedelta, wait: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page announces the next poll: three hours from now, or three hours ago, reads as a daemon that is stuck."""
    clock = [utc_now()]
    monkeypatch.setattr("alertd.daemon.schedule.utc_now", lambda: clock[0])
    with Schedule() as schedule:
        schedule.every("poll", MINUTE, asyncio.Event())
        schedule.rearm()
        clock[0] += moved
        assert schedule.wait_for("poll") == wait
