"""The daemon's tasks when they fail: logged, counted, started again, and named once it is no hiccup any more."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from alertd.daemon.supervisor import LONGEST_PAUSE_S, MOST_FAILURES, SOUND_AFTER_S, Supervisor
from tests.outbox_double import elapsed_s, run_jumping

MINUTE = timedelta(minutes=1)
FAILING = ("delivery: it fails again and again",)


class Scripted:
    """A task that fails as often as its script says, then runs for long; notes when it was started."""

    def __init__(self, *faults: BaseException | float) -> None:
        self._script = list(faults)
        self.started_s: list[int] = []

    async def __call__(self) -> None:
        self.started_s.append(elapsed_s())
        step = self._script.pop(0) if self._script else 10.0**9
        if isinstance(step, float):
            await asyncio.sleep(step)
            step = OSError("after a while")
        raise step


class Turns:
    """A job that ends at each turn, except where the script says otherwise."""

    def __init__(self, faults: dict[int, Exception], *, takes_s: float = 0.0) -> None:
        self._faults = faults
        self._takes_s = takes_s
        self.at_s: list[int] = []

    async def __call__(self) -> None:
        self.at_s.append(elapsed_s())
        await asyncio.sleep(self._takes_s)
        fault = self._faults.get(len(self.at_s))
        if fault is not None:
            raise fault


def supervise(scene: Callable[[Supervisor], Awaitable[None]]) -> tuple[Counter[str], list[EventDict]]:
    """Play a scene on a loop without waits; return what was counted and logged."""
    counted = Counter[str]()

    async def play() -> None:
        async with Supervisor(on_failure=lambda name: counted.update([name])) as tasks:
            await scene(tasks)

    with capture_logs() as log:
        run_jumping(play())
    return counted, log


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(ValueError("a bug"), id="a bug"),
        pytest.param(ExceptionGroup("two", [OSError(), KeyError()]), id="a group"),
        pytest.param(asyncio.CancelledError(), id="cancelled from inside, by a library's mistake"),
        pytest.param(TimeoutError(), id="a limit that nobody caught"),
    ],
)
def test_task_when_it_fails_then_logged_with_its_trace_counted_and_started_again(fault: BaseException) -> None:
    """A task that ends without a word is the worst that a watcher can do."""
    run = Scripted(fault)

    async def scene(tasks: Supervisor) -> None:
        tasks.keep("delivery", run)
        await asyncio.sleep(2)
        assert tasks.failing() == ()

    counted, log = supervise(scene)
    assert run.started_s == [0, 1]
    assert counted == {"delivery": 1}
    assert [(line["event"], line["task"], line["exc_info"]) for line in log] == [("task failed", "delivery", True)]


def test_task_when_it_fails_again_and_again_then_pauses_double_and_it_is_named_until_it_runs() -> None:
    """A restart may cure what a new start of the task alone does not; half a minute tells which."""
    run = Scripted(*[OSError("gone")] * 12)

    async def scene(tasks: Supervisor) -> None:
        tasks.keep("delivery", run)
        await asyncio.sleep(14)
        assert tasks.failing() == ()
        await asyncio.sleep(2)
        assert len(run.started_s) == MOST_FAILURES
        assert tasks.failing() == FAILING
        await asyncio.sleep(1200)
        assert tasks.failing() == FAILING
        await asyncio.sleep(2 * SOUND_AFTER_S)
        assert tasks.failing() == ()

    supervise(scene)
    assert run.started_s == [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111, 1411]
    assert max(b - a for a, b in zip(run.started_s, run.started_s[1:], strict=False)) == LONGEST_PAUSE_S


def test_task_when_its_failures_are_far_apart_then_each_is_the_first() -> None:
    """A connection that breaks once a day is no reason to restart the daemon on the fifth day."""
    run = Scripted(*[SOUND_AFTER_S] * 10)

    async def scene(tasks: Supervisor) -> None:
        tasks.keep("slack", run)
        await asyncio.sleep(8 * (SOUND_AFTER_S + 1))
        assert tasks.failing() == ()

    counted, _ = supervise(scene)
    assert counted["slack"] >= 7
    assert run.started_s[:3] == [0, 301, 602]


@pytest.mark.parametrize("error", [ImportError("slack_sdk"), MemoryError(), SystemExit(3)], ids=repr)
def test_others_when_a_task_fails_then_run_on(error: BaseException) -> None:
    """One group, and no task that takes the others with it: neither without memory nor by leaving the program."""
    turns = Turns({})

    async def scene(tasks: Supervisor) -> None:
        tasks.keep("slack", Scripted(*[error] * 99))
        tasks.repeat("poll", turns, every=MINUTE)
        await asyncio.sleep(150)

    supervise(scene)
    assert turns.at_s == [0, 60, 120]


@pytest.mark.parametrize(
    ("turns", "at_once", "at_s"),
    [
        pytest.param(Turns({}), True, [0, 60, 120, 180], id="at its interval"),
        pytest.param(Turns({}), False, [60, 120, 180], id="not at once"),
        pytest.param(Turns({2: ValueError()}), True, [0, 60, 61, 121, 181], id="a failure is tried again soon"),
        pytest.param(Turns({}, takes_s=150), True, [0, 150], id="one after another, and none is made up for"),
        pytest.param(Turns({}, takes_s=20), True, [0, 60, 120, 180], id="what it takes is no part of the pause"),
    ],
)
def test_job_when_it_is_repeated_then_its_turns_come(turns: Turns, at_once: bool, at_s: list[int]) -> None:
    """Polls, reports and maintenance keep their rhythm whatever one turn does."""

    async def scene(tasks: Supervisor) -> None:
        tasks.repeat("poll", turns, every=MINUTE, at_once=at_once)
        await asyncio.sleep(200)

    supervise(scene)
    assert turns.at_s == at_s


def test_job_when_every_turn_fails_then_named_and_a_good_one_clears_it() -> None:
    """What ends at each turn recovers by one that succeeds, however short it was."""
    turns = Turns({number: ValueError() for number in range(1, 8)})

    async def scene(tasks: Supervisor) -> None:
        tasks.repeat("poll", turns, every=MINUTE)
        await asyncio.sleep(20)
        assert tasks.failing() == ("poll: it fails again and again",)
        await asyncio.sleep(110)
        assert tasks.failing() == ()

    supervise(scene)
    assert turns.at_s == [0, 1, 3, 7, 15, 31, 63, 123]


def test_job_when_asked_for_then_done_at_once_and_its_rhythm_begins_anew() -> None:
    """Whoever edited the rules waits for what comes of it."""
    turns = Turns({})

    async def scene(tasks: Supervisor) -> None:
        asked = asyncio.Event()
        tasks.repeat("poll", turns, every=MINUTE, asked=asked)
        await asyncio.sleep(10)
        asked.set()
        await asyncio.sleep(65)

    supervise(scene)
    assert turns.at_s == [0, 10, 70]


def test_block_when_left_by_an_error_then_tasks_have_ended_and_the_error_comes_out_as_it_was() -> None:
    """The command line words errors of the store and of settings; wrapped in a group it would not know them."""
    run, ended = Scripted(), list[str]()

    async def long() -> None:
        try:
            await run()
        finally:
            ended.append("long")

    async def scene(tasks: Supervisor) -> None:
        tasks.keep("delivery", long)
        tasks.once("closing", Scripted(RuntimeError("half closed")))
        await asyncio.sleep(1)
        assert tasks.failing() == ()
        raise LookupError("of the block")

    with pytest.raises(LookupError, match="of the block"):
        supervise(scene)
    assert ended == ["long"]


def test_task_when_it_closes_something_while_all_are_stopped_then_it_is_not_cut_in_that() -> None:
    """A connection that is half closed stays open: the stop of the service asks twice, first sparing the delivery."""
    ended = list[str]()

    async def listening() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.1)
            ended.append("closed")

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("asked again")

    async def scene(tasks: Supervisor) -> None:
        tasks.keep("slack", listening)
        tasks.keep("plugin", stubborn)
        await asyncio.sleep(1)
        tasks.cancel()
        await asyncio.sleep(0)
        asked_s = elapsed_s()
        await tasks.stop()
        assert elapsed_s() - asked_s < 1, "a stop takes ten seconds in all"

    supervise(scene)
    assert ended == ["closed", "asked again"]
