"""The watchdog with a real store thread, and a clock that the test moves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alertd.daemon import watchdog as watchdog_module
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.watchdog import SENDING_PATIENCE, STORE_PATIENCE, Watchdog
from alertd.errors import StoreError
from alertd.store.store import Store
from alertd.store.thread import StoreThread

POLL = timedelta(minutes=10)
NOW = datetime(2026, 1, 10, tzinfo=UTC)
MUTE, UNTRIED = "store: it does not answer", "sending: what is due is not tried"


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self, time: timedelta) -> None:
        self.now_s += time.total_seconds() + 1


class Heads:
    """What is due, as the test wants it; counts how often it was asked."""

    def __init__(self) -> None:
        self.due: Collection[tuple[int, int]] = ()
        self.fault: Exception | None = None
        self.asked = 0

    async def __call__(self) -> Collection[tuple[int, int]]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return self.due

    async def again(self) -> None:
        """Wait until what is due now has been seen."""
        goal = self.asked + 2
        await until(lambda: self.asked >= goal)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110 -- what is waited for sets no event
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask without pauses."""
    monkeypatch.setattr(watchdog_module, "ASK_EVERY_S", 0.001)


@asynccontextmanager
async def asking(watchdog: Watchdog) -> AsyncIterator[None]:
    task = asyncio.create_task(watchdog.ask())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_stuck_when_the_stores_thread_hangs_then_notified_until_it_goes_on(tmp_path: Path) -> None:
    """A disk that does not answer blocks the thread, and no error ever comes of it."""
    clock, gate = Clock(), threading.Event()
    thread = await StoreThread.start(lambda: Store.open(f"sqlite:///{tmp_path / 'alertd.db'}", now=NOW))
    gateway, asked = StoreGateway(thread), 0

    async def heads() -> Collection[tuple[int, int]]:
        nonlocal asked
        found = await gateway.open_entries()
        asked += 1
        return [(entry.id, entry.attempts) for entry in found]

    watchdog = Watchdog(heads=heads, failing=tuple, poll_interval=POLL * 10, timer=clock)
    try:
        async with asking(watchdog):
            await until(lambda: asked > 1)
            hanging = asyncio.create_task(thread.call(lambda _store: gate.wait(20)))
            before = -1
            while before != asked:
                before = asked
                await asyncio.sleep(0.05)
            assert watchdog.stuck() == ()
            clock.pass_by(STORE_PATIENCE)
            assert watchdog.stuck() == (MUTE,)
            gate.set()
            await until(lambda: watchdog.stuck() == ())
            await hanging
    finally:
        gate.set()
        await thread.close()


async def test_stuck_when_the_store_refuses_then_it_answers_all_the_same() -> None:
    """A full disk is reported elsewhere; a restart would not empty it."""
    clock, heads = Clock(), Heads()
    heads.fault = StoreError("the disk is full")
    watchdog = Watchdog(heads=heads, failing=tuple, poll_interval=POLL * 10, timer=clock)
    async with asking(watchdog):
        for _ in range(3):
            await heads.again()
            clock.pass_by(STORE_PATIENCE / 2)
            assert watchdog.stuck() == ()


async def test_stuck_when_the_same_entry_stays_due_then_notified_and_not_while_its_lane_moves() -> None:
    """Many messages take their time in a lane; one that is never tried is another thing."""
    clock, heads = Clock(), Heads()
    watchdog = Watchdog(heads=heads, failing=tuple, poll_interval=POLL * 10, timer=clock)
    async with asking(watchdog):
        for number in range(4):
            heads.due = [(number, 0)]
            await heads.again()
            clock.pass_by(SENDING_PATIENCE / 2)
            assert watchdog.stuck() == ()
        # Seen again, it is as old as when it was seen first.
        await heads.again()
        clock.pass_by(SENDING_PATIENCE / 2)
        assert watchdog.stuck() == (UNTRIED,)
        heads.due = [(3, 0), (4, 0)]
        await heads.again()
        assert watchdog.stuck() == (UNTRIED,), "another lane that is due just now hides nothing"
        heads.due = [(3, 1)]
        await heads.again()
        assert watchdog.stuck() == ()


async def test_stuck_when_cycles_come_and_go_then_only_an_endless_or_a_missing_one() -> None:
    """A cycle that begins starts the time anew; one that ended no longer counts as running."""
    clock = Clock()
    watchdog = Watchdog(heads=Heads(), failing=tuple, poll_interval=POLL, timer=clock)
    watchdog.cycle_began()
    clock.pass_by(POLL * 3)
    assert watchdog.stuck() == ()
    clock.pass_by(POLL)
    assert watchdog.stuck() == ("polling: a cycle does not end",)
    watchdog.cycle_ended()
    assert watchdog.stuck() == ("polling: no cycle begins",)
    watchdog.cycle_began()
    assert watchdog.stuck() == ()


async def test_watch_when_something_is_stuck_then_logged_when_it_changes_and_notified_each_time() -> None:
    """The log says why a restart comes, once; whoever decides about it hears every judgement."""
    clock, judged = Clock(), list[tuple[str, ...]]()
    watchdog = Watchdog(heads=Heads(), failing=tuple, poll_interval=POLL, timer=clock)
    with capture_logs() as logs:
        watching = asyncio.create_task(watchdog.watch(judged.append, every_s=0.001))
        await until(lambda: len(judged) > 1)
        clock.pass_by(POLL * 3)
        await until(lambda: len(judged) > 1 and all(judged[-2:]))
        watchdog.cycle_began()
        await until(lambda: not any(judged[-3:]))
        clock.pass_by(POLL * 4)
        await until(lambda: all(judged[-3:]))
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    assert [line["event"] for line in logs] == ["daemon stuck", "daemon recovered", "daemon stuck"]
    assert logs[0]["parts"] == "polling: no cycle begins"
    assert judged[0] == ()


async def test_stuck_when_asking_failed_in_an_unknown_way_then_the_store_does_not_count_as_silent() -> None:
    """The supervisor logs it and asks again; that nobody asks meanwhile is not the store's fault."""
    clock, heads = Clock(), Heads()
    watchdog = Watchdog(heads=heads, failing=tuple, poll_interval=POLL * 10, timer=clock)
    heads.fault = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        await watchdog.ask()
    clock.pass_by(STORE_PATIENCE)
    assert watchdog.stuck() == ()


async def test_stuck_when_a_task_fails_again_and_again_then_named_beside_what_does_not_move() -> None:
    """Both end in the same: somebody restarts the daemon."""
    clock, failing = Clock(), "slack: it fails again and again"
    watchdog = Watchdog(heads=Heads(), failing=lambda: (failing,), poll_interval=POLL, timer=clock)
    assert watchdog.stuck() == (failing,)
    clock.pass_by(POLL * 4)
    assert watchdog.stuck() == ("polling: no cycle begins", failing)
