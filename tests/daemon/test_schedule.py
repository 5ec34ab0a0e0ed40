"""Triggers of the daemon's jobs: they come in time, and a wall clock that was set neither floods nor stops them."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

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
