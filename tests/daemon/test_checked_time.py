"""The checked time: when the wall clock counts, when the API's `Date` does, and when nothing may be decided."""

from datetime import timedelta

import pytest

from alertd.daemon.checked_time import CheckedTime, Verdict
from tests.virtual_clock import START, VirtualClock

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
SECOND = timedelta(seconds=1)
OFFSETS = (-2 * YEAR, -40 * DAY, -2 * HOUR, 2 * HOUR, 40 * DAY, 2 * YEAR)


def answered(time: CheckedTime, clock: VirtualClock, *, after: timedelta = SECOND) -> None:
    """Let the API answer with the true time."""
    asked_s = clock.elapsed_s()
    clock.pass_time(after)
    time.hear("default", clock.true, asked_s)


def test_time_when_nothing_answered_then_unchecked_and_only_likely() -> None:
    """Nothing may be filed by a clock of which nobody has said anything."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    time.begin()
    assert time.take() == START
    assert (time.verdict(), time.is_checked) == (Verdict.UNCHECKED, False)


def test_time_when_the_last_check_was_later_than_the_wall_clock_then_goes_on_from_there() -> None:
    """Time has not gone back while alertd was stopped."""
    clock = VirtualClock(wall_off=-YEAR)
    time = CheckedTime(clock)
    time.resume(START - HOUR)
    clock.pass_time(HOUR)
    assert time.now() == START


@pytest.mark.parametrize("off", [-HOUR, -timedelta(minutes=5), timedelta(minutes=5), HOUR])
def test_time_when_the_wall_clock_is_off_by_little_then_the_date_counts(off: timedelta) -> None:
    """An hour is nothing to stop for, and enough to end an alert whose rows come within two."""
    clock = VirtualClock(wall_off=off)
    time = CheckedTime(clock)
    time.begin()
    time.take()
    answered(time, clock)
    assert time.verdict() is Verdict.MOVED
    assert abs(time.take() - clock.true) <= SECOND
    assert time.verdict() is Verdict.CHECKED


@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_the_wall_clock_is_wrong_then_nothing_may_be_decided_until_both_agree(off: timedelta) -> None:
    """Both times are named, and a clock that was put right counts at its first answer."""
    clock = VirtualClock(wall_off=off)
    time = CheckedTime(clock)
    time.begin()
    time.take()
    answered(time, clock)
    assert (time.verdict(), time.is_checked) == (Verdict.WRONG, False)
    assert time.fault is not None
    assert (time.fault.system, time.fault.api) == (clock.wall(), clock.true)
    assert time.now() == clock.true
    clock.wall_off = timedelta()
    time.begin()
    time.take()
    answered(time, clock)
    assert time.verdict() is Verdict.CHECKED
    assert time.is_checked
    assert time.take_jump()
    assert not time.take_jump()


@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_the_wall_clock_steps_and_nothing_answers_then_goes_on_from_the_last_check(off: timedelta) -> None:
    """An outage of the API is judged by true time: suspended hours count, steps of the wall clock do not."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    answered(time, clock)
    clock.wall_off = off
    clock.pass_time(HOUR)
    clock.suspend(HOUR)
    time.begin()
    assert time.wants_check
    assert time.take() == clock.true
    assert (time.verdict(), time.is_checked) == (Verdict.CHECKED, True)


@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_the_clock_is_put_right_while_an_answer_is_waited_for_then_it_is_read_again(off: timedelta) -> None:
    """What was asked for by the wrong time is of the wrong hours, though both clocks agree when the answer comes."""
    clock = VirtualClock(wall_off=off)
    time = CheckedTime(clock)
    time.begin()
    time.take()
    asked_s = clock.elapsed_s()
    clock.wall_off = timedelta()
    time.hear("default", clock.true, asked_s)
    assert time.verdict() is Verdict.MOVED
    assert time.take() == clock.true
    assert time.verdict() is Verdict.CHECKED


def test_time_when_the_process_was_frozen_before_it_saw_an_answer_then_the_clock_is_not_wrong() -> None:
    """The `Date` of 73 hours ago is right about 73 hours ago."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    answered(time, clock)
    asked_s, date = clock.elapsed_s(), clock.true
    clock.pass_time(73 * HOUR)
    time.begin()
    time.hear("default", date, asked_s)
    assert (time.fault, time.now()) == (None, clock.true)


def test_time_when_an_answer_took_a_minute_then_its_date_may_be_of_any_moment_of_it() -> None:
    """A slow server dates its answer when it begins."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    asked_s, date = clock.elapsed_s(), clock.true
    clock.pass_time(timedelta(minutes=1))
    time.hear("default", date, asked_s)
    assert time.now() == clock.true


def test_time_when_a_saved_machine_resumes_then_the_wall_clock_counts_at_its_next_answer() -> None:
    """Neither of the clocks that never step saw the hours that it was saved for."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    answered(time, clock)
    clock.resume_saved(10 * HOUR)
    time.begin()
    assert time.wants_check
    answered(time, clock)
    assert (time.take(), time.verdict()) == (clock.true, Verdict.CHECKED)


def test_time_when_one_of_two_accounts_is_dated_wrongly_then_the_other_one_is_believed() -> None:
    """Two clocks that agree are right, and the third is not."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    time.begin()
    time.take()
    time.hear("test", clock.true - DAY, clock.elapsed_s())
    answered(time, clock)
    time.hear("test", clock.true - DAY, clock.elapsed_s())
    assert time.verdict() is Verdict.CHECKED
    assert time.is_checked


@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_the_wrong_clock_is_put_right_during_an_outage_then_it_is_right(off: timedelta) -> None:
    """Where it was checked before, the clock that never steps says so."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    answered(time, clock)
    clock.wall_off = off
    time.begin()
    answered(time, clock)
    assert time.fault is not None
    clock.wall_off = timedelta()
    time.begin()
    time.take()
    assert time.verdict() is Verdict.CHECKED
    assert time.is_checked
