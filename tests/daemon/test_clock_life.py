"""Whole lives of a daemon whose wall clock is moved: nothing it says is false, and nothing comes late."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alertd.core.hours import hour_of
from alertd.core.messages.outbox import EntryState
from alertd.notify.base import Delivered, NotSent
from tests.daemon.clock_life import POLL, Billing, Life, Pager, hourly, living
from tests.examples import how_many, in_turn, rest_slow
from tests.virtual_clock import START, VirtualClock, run_stepped

HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
OFFSETS = (-2 * YEAR, -40 * DAY, -HOUR - POLL, -HOUR, HOUR, HOUR + POLL, 40 * DAY, 500 * DAY)
NOON = hour_of(START)


def named(off: timedelta) -> str:
    """An offset in the name of a test."""
    return f"{off.total_seconds() / 3600:+.1f} h"


def billing(clock: VirtualClock) -> Billing:
    """A GPU that runs on, one that stopped 20 hours ago, and one that begins two hours from the start on."""
    return Billing(
        clock=clock,
        rows=[
            *hourly("runs", "4", NOON - 100, NOON + 100),
            *hourly("stopped", "30", NOON - 23, NOON - 20),
            *hourly("begins", "500", NOON + 2, NOON + 100),
        ],
    )


@pytest.mark.parametrize("off", in_turn(OFFSETS, 0), ids=named)
async def test_life_when_the_clock_is_wrong_for_two_polls_then_nothing_is_false_and_nothing_lost(
    tmp_path: Path, off: timedelta
) -> None:
    """It once resolved what went on, and never notified a new owner until a restart."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await life.poll()
        clock.wall_off = off
        await life.poll(2)
        assert life.firing() - {"alertd-clock"} == {"gpuruns", "gpustopped"}
        clock.wall_off = timedelta()
        await life.poll(2)
        assert sorted(life.sent) == [("firing", "gpuruns"), ("firing", "gpustopped")]
        assert life.about_clock in ([], ["firing", "resolved"])
        assert bool(life.about_clock) is (abs(off) > HOUR)
        await life.poll(10, every=HOUR / 2)
        assert ("firing", "gpubegins") in life.sent
        assert ("resolved", "gpustopped") in life.sent
        assert life.firing() == {"gpuruns", "gpubegins"}


@pytest.mark.parametrize("off", in_turn(OFFSETS, 1), ids=named)
async def test_life_when_the_clock_is_wrong_at_the_start_then_decides_at_the_first_poll_after_it_is_right(
    tmp_path: Path, off: timedelta
) -> None:
    """A board without a battery boots in 1970; what was decided then would stay for years."""
    clock = VirtualClock(wall_off=off)
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await life.poll(3)
        assert life.sent == [] or abs(off) <= HOUR
        clock.wall_off = timedelta()
        await life.poll()
        # With the end of the clock's own alert that is a storm in the first cycle.
        assert sorted(what for _, what in life.sent) == ["gpuruns", "gpustopped"]
    async with living(tmp_path, clock, billing=life.billing, pager=life.pager) as life:
        await life.poll(2)
        assert len(life.sent) == 2


@pytest.mark.parametrize("off", in_turn(OFFSETS, 2), ids=named)
async def test_life_when_a_read_fails_after_the_clock_was_wrong_then_the_alert_goes_on(
    tmp_path: Path, off: timedelta
) -> None:
    """It once ended as complete: the wrong clock had noted hours to come as read, and late rows stayed unread."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await life.poll()
        clock.wall_off = off
        await life.poll(2)
        clock.wall_off = timedelta()
        life.billing.is_down = True
        clock.pass_time(5 * HOUR)
        await life.poll()
        assert {"gpuruns", "gpustopped"} <= life.firing()
        life.billing.is_down = False
        await life.poll()
        assert {"gpuruns", "gpubegins"} == life.firing() - {"alertd-clock"}


async def history(folder: Path, clock: VirtualClock) -> tuple[Life, int]:
    """
    Live through five polls and three hours; what was done to the clock in the first three polls is undone then.

    Returns:
        The life, and how many moments a start and those three polls had.
    """
    await asyncio.to_thread(folder.mkdir)

    async def live() -> tuple[Life, int]:
        async with living(folder, clock, billing=billing(clock)) as life:
            await life.poll(3)
            count = clock.moments
            clock.moves, clock.wall_off = {}, timedelta()
            await life.poll(2)
            clock.pass_time(3 * HOUR)
            await life.poll(2)
        return life, count

    return await run_stepped(clock, live())


STILL: list[tuple[Life, int]] = []


async def undisturbed(folder: Path) -> tuple[Life, int]:
    """Return the same life with a clock that is never wrong, which is lived once."""
    if not STILL:
        STILL.append(await history(folder / "still", VirtualClock()))
    return STILL[0]


async def all_ends_as_if_nothing_had_moved(folder: Path, off: timedelta, *, parts: int, part: int) -> None:
    """Move the clock at one moment after another, each in a life of its own, and put it right at a later one."""
    still, count = await undisturbed(folder)
    assert part < count
    for at in range(part, count, parts):
        back = at + 1 + (at * 7) % 23
        life, _ = await history(folder / f"at {at}", VirtualClock(moves={at: off, back: timedelta()}))
        assert sorted(life.sent) == sorted(still.sent), f"moved at moment {at}, back at {back}"
        assert life.firing() == still.firing()
        times = {what: at for at, _, what in still.pager.got}
        late = [what for at, _, what in life.pager.got if what in times and at - times[what] > 2 * POLL]
        assert late == [], f"moved at moment {at}, back at {back}"


@pytest.mark.parametrize(("part", "off"), in_turn([*enumerate(OFFSETS)], 1))
async def test_life_when_the_clock_moves_at_an_await_then_all_ends_as_if_it_had_not(
    tmp_path: Path, part: int, off: timedelta
) -> None:
    """A few of the awaits of a start, of cycles and of sends; the slow test takes all of them."""
    await all_ends_as_if_nothing_had_moved(tmp_path, off, parts=200, part=10 + part * 24)


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(2))
@pytest.mark.parametrize(("part", "off"), [*enumerate(OFFSETS)])
async def test_life_when_the_clock_moves_at_any_await_then_all_ends_as_if_it_had_not(
    tmp_path: Path, part: int, off: timedelta, turn: int
) -> None:
    """Every await of a start, of cycles and of sends, and every look at the clock between two, ahead and behind."""
    await all_ends_as_if_nothing_had_moved(tmp_path, off, parts=8, part=(part + 4 * turn) % 8)


async def nothing_is_lost_by_a_freeze(folder: Path, *, parts: int, part: int) -> None:
    """Freeze the process for longer than every deadline at one moment after another, each in a life of its own."""
    _, count = await undisturbed(folder)
    assert part < count
    for at in range(part, count, parts):
        life, _ = await history(folder / f"at {at}", VirtualClock(freezes={at: 73 * HOUR}))
        assert life.firing() == {"gpuruns", "gpubegins"}, f"frozen at moment {at}"
        known = {("firing", "gpuruns"), ("firing", "gpubegins")}
        ended = {("firing", "gpustopped"), ("resolved", "gpustopped")}
        repeated = {("still firing", "gpuruns")}
        assert known <= set(life.sent) <= known | ended | repeated, f"frozen at moment {at}"
        assert len(set(life.sent) & ended) != 1, f"frozen at moment {at}"
        assert life.about_clock == []


@pytest.mark.parametrize("part", rest_slow([15, 60, 110]))
async def test_life_when_the_process_is_frozen_at_an_await_then_nothing_is_lost(tmp_path: Path, part: int) -> None:
    """SIGSTOP, or a host that is out of memory: all deadlines are over at once when it goes on."""
    await nothing_is_lost_by_a_freeze(tmp_path, parts=400, part=part)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
async def test_life_when_the_process_is_frozen_at_any_await_then_nothing_is_lost(tmp_path: Path, part: int) -> None:
    """The same at every await."""
    await nothing_is_lost_by_a_freeze(tmp_path, parts=8, part=part)


@pytest.mark.parametrize("off", [timedelta(), 40 * DAY, -40 * DAY])
async def test_life_when_no_answer_is_dated_then_judges_by_a_clock_that_the_bills_bear_out(
    tmp_path: Path, off: timedelta
) -> None:
    """A proxy that removes the header made alertd blind for ever; a clock that bills contradict decides nothing."""
    clock = VirtualClock(wall_off=off)
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        life.billing.is_undated = True
        await life.poll(4)
        assert sorted(life.sent) == ([] if off else [("firing", "gpuruns"), ("firing", "gpustopped")])
        assert life.about_clock == (["firing"] if off else [])
        await life.poll(int(2 * HOUR / POLL))
        assert life.about_clock == ["firing"]
        assert "ALERTD_CLOCK=system" in (await life.app.gateway.call(lambda store: store.meta.clock)).note
        clock.wall_off, life.billing.is_undated = timedelta(), False
        await life.poll(3)
        assert life.firing() == {"gpuruns", "gpubegins", "gpustopped"}


@pytest.mark.parametrize("off", in_turn(OFFSETS, 3), ids=named)
async def test_life_when_the_api_is_down_and_the_clock_steps_then_blindness_comes_in_its_time(
    tmp_path: Path, off: timedelta
) -> None:
    """Neither at once, because the clock says that hours went by, nor never, because it says that none did."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await life.poll()
        life.billing.is_down = True
        clock.wall_off = off
        await life.poll(int(2 * HOUR / POLL))
        assert "alertd-blind" not in life.firing()
        await life.poll(4)
        assert "alertd-blind" in life.firing()
        assert {"gpuruns", "gpustopped"} <= life.firing()


async def test_life_when_the_clock_stays_wrong_then_the_default_receivers_hear_of_it_and_only_once(
    tmp_path: Path,
) -> None:
    """Frozen decisions are blindness: nobody knew for eight hours."""
    clock = VirtualClock(wall_off=40 * DAY)
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await life.poll(int(8 * HOUR / POLL))
        assert life.about_clock == ["firing"]
        assert life.sent == []
        assert abs(life.pager.got[0][0] - START) <= 2 * POLL


@pytest.mark.parametrize("off", [40 * DAY, 500 * DAY, -40 * DAY])
async def test_send_when_the_receiver_asks_to_wait_while_the_clock_is_wrong_then_waits_no_longer(
    tmp_path: Path, off: timedelta
) -> None:
    """With 50 hours ahead nothing left for 50 hours."""
    clock = VirtualClock()
    pager = Pager(clock, answer=NotSent("429", timedelta(seconds=30)))
    async with living(tmp_path, clock, billing=billing(clock), pager=pager) as life:
        clock.wall_off = off
        await life.poll()
        pager.answer = Delivered()
        clock.wall_off = timedelta()
        await life.poll(2)
        assert {what for _, _, what in pager.got} >= {"gpuruns", "gpustopped"}


@pytest.mark.parametrize("sleep", ["suspended", "frozen", "saved"])
async def test_send_when_the_system_sleeps_for_73_hours_then_is_not_given_up(tmp_path: Path, sleep: str) -> None:
    """72 hours of attempts are attempts: sleep is none."""
    clock = VirtualClock()
    pager = Pager(clock, answer=NotSent("busy"))
    async with living(tmp_path, clock, billing=billing(clock), pager=pager) as life:
        await life.poll(2)
        {"suspended": clock.suspend, "frozen": clock.pass_time, "saved": clock.resume_saved}[sleep](73 * HOUR)
        await life.poll(2)
        states = {entry.state for entry in await life.app.gateway.open_entries() if "gpuruns" in _about(entry)}
        assert states <= {EntryState.PENDING}
        pager.answer = Delivered()
        await life.poll(2)
        firsts = [reason for _, reason, what in pager.got if what == "gpuruns"]
        assert firsts[0] == "firing"


def _about(entry: object) -> str:
    alerts = entry.message.alerts  # type: ignore[attr-defined]
    return " ".join(f"{one.rule}{dict(one.labels).get('owner', '')}" for one in alerts)


QUIET = """
version: 1
receivers:
  - name: pager
    type: webhook
    url: "http://127.0.0.1:9/"
    quiet_hours: [{hours: "22:00-07:00", timezone: Europe/Berlin}]
defaults: {notify: [pager]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 50}}
"""


NIGHTS = {
    "spring": (datetime(2026, 3, 28, 21, 30, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),
    "autumn": (datetime(2026, 10, 24, 20, 30, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
}
STEPS = [(night, hours * HOUR) for hours in (1, -1, 0, -2, 2) for night in NIGHTS]


@pytest.mark.parametrize(("night", "off"), STEPS[: how_many(2, thorough=10)])
async def test_quiet_hours_when_the_clock_steps_with_daylight_saving_then_end_in_the_right_minute(
    tmp_path: Path, night: str, off: timedelta
) -> None:
    """A system that keeps local time steps by an hour in that night; what waits for the morning must not."""
    evening, morning = NIGHTS[night]
    clock = VirtualClock(true=evening)
    hour = hour_of(evening)
    rows = hourly("runs", "4", hour - 100, hour + 100)
    async with living(tmp_path, clock, billing=Billing(clock=clock, rows=rows), rules=QUIET) as life:
        await life.poll(4, every=HOUR)
        clock.wall_off = off
        while clock.true < morning - POLL:
            await life.poll(every=POLL if clock.true >= morning - 3 * HOUR else HOUR)
        assert life.sent == []
        clock.wall_off = timedelta()
        await life.poll(3)
        assert life.sent == [("firing", "gpuruns")]
        at = next(at for at, _, what in life.pager.got if what == "gpuruns")
        assert morning <= at <= morning + 2 * POLL


@pytest.mark.parametrize("off", rest_slow([0, 40, 500]), ids="{} days ahead".format)
async def test_money_that_vanished_when_read_again_within_seconds_then_is_not_believed(
    tmp_path: Path, off: int
) -> None:
    """An edit of the rules or SIGHUP asks for a poll at once; both reads are of the same outage."""
    clock = VirtualClock()
    async with living(tmp_path, clock, billing=billing(clock)) as life:
        await life.poll()
        rows, life.billing.rows = life.billing.rows, []
        await life.poll(4, every=timedelta(seconds=5))
        clock.wall_off = off * DAY
        await life.poll(2, every=timedelta(seconds=5))
        clock.wall_off = timedelta()
        await life.poll(2, every=timedelta(seconds=5))
        assert {"gpuruns", "gpustopped"} <= life.firing()
        life.billing.rows = rows
        await life.poll(3)
        assert ("resolved", "gpuruns") not in life.sent
        life.billing.rows = []
        # Yesterday's hours are read once an hour.
        await life.poll(15)
        assert ("resolved", "gpuruns") in life.sent
