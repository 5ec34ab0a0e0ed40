"""When the daemon polls at once because of its clocks, and when it must not."""

from datetime import timedelta

import pytest

from alertd.daemon.timekeeper import ClockWatch
from tests.virtual_clock import VirtualClock

LOOK = timedelta(seconds=10)
MINUTE, HOUR, DAY, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=365)
OFFSETS = (-2 * YEAR, -DAY, -HOUR, -2 * MINUTE, 2 * MINUTE, HOUR, DAY, 2 * YEAR)


@pytest.mark.parametrize("off", OFFSETS)
def test_watch_when_the_clock_is_set_then_one_step_and_one_back(off: timedelta) -> None:
    """Each is noticed once, at the next look."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    found = []
    for wall_off in (timedelta(), off, off, timedelta(), timedelta()):
        clock.pass_time(LOOK)
        clock.wall_off = wall_off
        step = watch.look()
        found.append(round(step.moved_s) if step is not None else 0)
    assert found == [0, off.total_seconds(), 0, -off.total_seconds(), 0]


@pytest.mark.parametrize("speed", [0.0, 0.5, 2.0])
def test_watch_when_the_clock_stands_still_or_runs_wrongly_then_no_step(speed: float) -> None:
    """It once asked for a poll every minute for as long as the clock stood still."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    for _ in range(1000):
        clock.pass_time(LOOK)
        clock.wall_off += LOOK * (speed - 1)
        assert watch.look() is None


@pytest.mark.parametrize("sleep", ["suspend", "resume_saved"])
def test_watch_when_the_system_slept_then_a_step(sleep: str) -> None:
    """What became due in sleep is read and sent at once."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    getattr(clock, sleep)(HOUR)
    step = watch.look()
    assert step is not None
    assert step.suspended_s == (3600 if sleep == "suspend" else 0)
    assert round(step.moved_s) == 3600
    assert watch.look() is None


def test_watch_when_the_process_was_frozen_then_no_step() -> None:
    """All clocks went on: the supervisor sees that a turn is overdue."""
    clock = VirtualClock()
    watch = ClockWatch(clock)
    clock.pass_time(DAY)
    assert watch.look() is None
