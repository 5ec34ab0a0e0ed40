"""The checked time: when the wall clock counts, when the API's `Date` does, and when nothing may be decided."""

from datetime import UTC, datetime, timedelta

import pytest

from alertd.clock import boot_id
from alertd.core.rules.records import ClockRecord
from alertd.daemon.checked_time import CheckedTime
from alertd.daemon.timekeeper import SystemTime, Verdict
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
    time.resume(ClockRecord(checked_at=START - HOUR))
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


def undated(time: CheckedTime, clock: VirtualClock, date: datetime | None = None) -> None:
    """Let the API answer without a `Date` that says anything."""
    asked_s = clock.elapsed_s()
    clock.pass_time(SECOND)
    time.hear("default", date, asked_s)


@pytest.mark.parametrize("year", [1, 1970, 9999])
def test_time_when_the_date_is_of_no_year_then_it_is_none(year: int) -> None:
    """A server whose clock was never set knows nothing, and the end of all dates has no later one."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    answered(time, clock)
    time.begin()
    time.take()
    undated(time, clock, datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC))
    clock.pass_time(HOUR)
    assert time.verdict() is Verdict.CHECKED
    assert time.now() == clock.true


def test_time_when_no_answer_is_dated_and_nothing_bears_the_clock_out_then_nothing_is_judged_and_it_is_said() -> None:
    """A proxy that removes the header, and an account without bills: nobody knows how late it is."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    time.begin()
    time.take()
    undated(time, clock)
    assert time.verdict() is Verdict.UNCHECKED
    assert time.fault is not None
    assert "ALERTD_CLOCK=system" in time.fault.text
    assert time.record().checked_at is None
    assert time.record().note == time.fault.text


@pytest.mark.parametrize(
    ("off", "is_judged"),
    [
        pytest.param(timedelta(), True, id="a bill of the running hour"),
        pytest.param(47 * HOUR, True, id="as late as a bill may be"),
        pytest.param(49 * HOUR, False, id="two days ahead of the newest bill"),
        pytest.param(40 * DAY, False, id="forty days ahead"),
        pytest.param(-2 * HOUR, False, id="before the newest bill"),
        pytest.param(-2 * YEAR, False, id="years before it"),
    ],
)
def test_time_when_no_answer_is_dated_then_bills_bear_the_clock_out(off: timedelta, is_judged: bool) -> None:
    """For ever blind would be worse than a day off, and a clock that the bills contradict is wrong."""
    clock = VirtualClock(wall_off=off)
    time = CheckedTime(clock)
    time.begin()
    time.take()
    undated(time, clock)
    time.bear_out(START)
    assert time.verdict() is (Verdict.CHECKED if is_judged else Verdict.UNCHECKED)
    assert time.is_checked is is_judged


def test_time_when_no_answer_is_dated_for_an_hour_then_it_is_said_and_ends_with_the_first_date() -> None:
    """Who goes by an unchecked clock must know."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    for minutes in (0, 59, 1):
        clock.pass_time(timedelta(minutes=minutes))
        time.begin()
        time.take()
        undated(time, clock)
        time.bear_out(START)
        assert time.verdict() is Verdict.CHECKED
        assert (time.fault is not None) is (minutes == 1)
    assert time.fault is not None
    assert time.fault.is_decided
    time.begin()
    answered(time, clock)
    assert time.verdict() is Verdict.CHECKED
    assert time.fault is None


@pytest.mark.parametrize("off", [-8 * HOUR, 8 * HOUR])
def test_time_when_the_clock_is_set_and_no_answer_is_dated_then_it_counts_after_an_hour(off: timedelta) -> None:
    """A clock in local time that NTP put right after the start, and one that jumps and is back within the hour."""
    clock = VirtualClock(wall_off=-off)
    time = CheckedTime(clock)

    def cycle() -> Verdict:
        time.begin()
        time.take()
        undated(time, clock)
        time.bear_out(clock.true - 9 * HOUR)
        return time.verdict()

    assert cycle() is Verdict.CHECKED
    clock.wall_off = timedelta()
    for _ in range(5):
        assert cycle() is Verdict.CHECKED
        assert abs(time.now() - clock.true) == HOUR * 8
        clock.pass_time(timedelta(minutes=10))
    clock.pass_time(timedelta(minutes=10))
    assert cycle() is Verdict.MOVED
    assert time.take_jump()
    assert cycle() is Verdict.CHECKED
    assert abs(time.now() - clock.true) <= SECOND


@pytest.mark.parametrize("off", OFFSETS)
def test_time_when_it_was_dated_once_then_no_step_of_the_clock_counts_without_a_date(off: timedelta) -> None:
    """A proxy that begins to remove the header makes a wrong clock no better."""
    clock = VirtualClock()
    time = CheckedTime(clock)
    answered(time, clock)
    clock.wall_off = off
    for _ in range(30):
        clock.pass_time(HOUR)
        time.begin()
        time.take()
        undated(time, clock)
        time.bear_out(clock.true)
        assert time.verdict() is Verdict.CHECKED
        assert time.now() == clock.true
    assert time.fault is not None


@pytest.mark.parametrize("off", [timedelta(minutes=59, seconds=59.5), HOUR, HOUR + SECOND, timedelta(minutes=62)])
@pytest.mark.parametrize("sign", [1, -1])
def test_time_when_the_date_is_an_hour_wrong_then_it_is_on_one_side_at_every_answer(off: timedelta, sign: int) -> None:
    """With the limit at the hour itself whole seconds decided whether anything was judged."""
    clock = VirtualClock(wall_off=sign * off)
    time = CheckedTime(clock)
    for part in range(0, 1000, 130):
        clock.pass_time(timedelta(milliseconds=part))
        time.begin()
        time.take()
        asked_s = clock.elapsed_s()
        time.hear("default", clock.true.replace(microsecond=0), asked_s)
        assert time.verdict() is not Verdict.WRONG
    assert "ALERTD_CLOCK=system" in time.record().note


@pytest.mark.parametrize("off", OFFSETS)
def test_restart_when_the_clock_agrees_with_the_last_check_then_it_is_checked_and_else_not(off: timedelta) -> None:
    """The clock that counts since the system started outlives a process, and so what it knows."""
    clock = VirtualClock()
    before = CheckedTime(clock)
    answered(before, clock)
    record = before.record()
    clock.pass_time(HOUR)
    for wall_off in (timedelta(), off):
        clock.wall_off = wall_off
        time = CheckedTime(clock)
        time.resume(record)
        assert time.is_checked is (not wall_off)
        assert time.now() == max(clock.true, clock.wall())


def test_record_when_the_system_started_anew_then_says_no_more_than_when_it_was_checked() -> None:
    """Seconds since another start are of another clock."""
    record = ClockRecord(checked_at=START, elapsed_s=100, boot=boot_id() or "a")
    assert record.later(160, record.boot) == START + timedelta(minutes=1)
    assert record.later(160, "another") is None
    assert record.later(99, record.boot) is None
    assert ClockRecord(checked_at=START, elapsed_s=100).later(160, "") is None


@pytest.mark.parametrize("off", OFFSETS)
def test_system_time_when_the_clock_steps_then_it_is_followed_and_what_was_read_is_read_again(off: timedelta) -> None:
    """ALERTD_CLOCK=system: the clock is right, whatever the API says."""
    clock = VirtualClock()
    time = SystemTime(clock)
    time.take()
    assert (time.verdict(), time.take_jump()) == (Verdict.CHECKED, True)
    time.hear("default", START - YEAR, clock.elapsed_s())
    assert time.verdict() is Verdict.CHECKED
    assert time.fault is None
    clock.wall_off = off
    assert (time.take_jump(), time.take_jump(), time.verdict()) == (True, False, Verdict.MOVED)
    assert time.take() == clock.wall()
    assert time.verdict() is Verdict.CHECKED


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (30, "min ahead of the billing API's"),
        (-30, "min behind the billing API's"),
        (1, ""),
    ],
    ids=["ahead", "behind", "close enough"],
)
def test_time_when_the_wall_clock_is_off_by_little_then_said_on_which_side(minutes: int, words: str) -> None:
    """Whoever sets the clock by it must not set it the wrong way."""
    clock = VirtualClock(wall_off=timedelta(minutes=minutes))
    time = CheckedTime(clock)
    time.begin()
    answered(time, clock)
    note = time.record().note
    assert words in note
    assert bool(note) is bool(words)
