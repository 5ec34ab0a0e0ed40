"""Requests carried out: one call each at most, whatever ends the process at any step, and done by the API alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alertd.core.actions import (
    CONFIRMED_WITHIN,
    ActionRequest,
    ActionState,
    CallAnswer,
    CallResult,
    Sight,
    Verb,
)
from alertd.daemon.actions import IDLE_S, LOOK_EVERY_S, LOOK_LATER_S, STALE_S, ActionWorker
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import StoreError
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import NOW
from tests.core.test_actions import request
from tests.simulation.loop import SimulatedLoop

MINUTE = timedelta(minutes=1)
TAKEN, REFUSED, UNCLEAR = (CallAnswer(result=result, text="why") for result in CallResult)


class Killed(BaseException):
    """The process ends here."""


@dataclass(slots=True, kw_only=True)
class Vendor:
    """An instance behind the API, and how the API takes calls for it."""

    answer: CallAnswer = TAKEN
    is_taken: bool = True
    """Whether a call that is not refused has its effect."""
    looks_until_done: int = 2
    status: str = "running"
    is_readable: bool = True
    calls: list[Verb] = field(default_factory=list)
    at_call: Callable[[], None] = lambda: None
    """Runs once a call was taken and before its answer is heard."""

    async def call(self, verb: Verb, instance_id: str) -> CallAnswer:
        assert instance_id == "gpu-1"
        self.calls.append(verb)
        if self.answer.result is not CallResult.REFUSED and self.is_taken:
            self.status = {Verb.STOP: "stopping", Verb.START: "starting"}[verb]
        self.at_call()
        return self.answer

    async def look(self, instance_id: str) -> Sight:
        assert instance_id == "gpu-1"
        if not self.is_readable:
            return Sight(text="its state could not be read")
        if self.status in {"stopping", "starting"}:
            self.looks_until_done -= 1
            if self.looks_until_done <= 0:
                self.status = {"stopping": "exited", "starting": "running"}[self.status]
        return Sight(status=self.status)


@dataclass(slots=True)
class Log:
    """The store, which a test may have fail, or the process end, before or after a write."""

    gateway: StoreGateway
    dies_at: int = -1
    """Counts each moment before and after a write, from 0."""
    error: BaseException = field(default_factory=Killed)
    moments: int = 0

    async def open_actions(self) -> Sequence[ActionRequest]:
        return await self.gateway.open_actions()

    async def move_action(self, before: ActionRequest, after: ActionRequest, now: datetime) -> bool:
        self._moment()
        moved = await self.gateway.move_action(before, after, None, (), now)
        self._moment()
        return moved

    def _moment(self) -> None:
        self.moments += 1
        if self.moments - 1 == self.dies_at:
            raise self.error


@dataclass(slots=True)
class Desk:
    """One process over the store of a folder; it may end and another begin."""

    folder: Path
    vendor: Vendor
    now: datetime = NOW
    slept_s: float = 0.0
    keys: bool = True
    states: list[ActionState] = field(default_factory=list)

    @asynccontextmanager
    async def process(
        self, dies_at: int = -1, error: BaseException | None = None
    ) -> AsyncIterator[tuple[ActionWorker, StoreGateway]]:
        thread = await StoreThread.start(lambda: Store.open(f"sqlite:///{self.folder / 'a.db'}", now=NOW))
        try:
            gateway = StoreGateway(thread)
            worker = ActionWorker(
                log=Log(gateway, dies_at, error or Killed()),
                instances={("stop", "default"): self.vendor} if self.keys else {},
                now=lambda: self.now,
                elapsed=lambda: self.slept_s,
                on_step=lambda step: self.states.append(step.state),
            )
            yield worker, gateway
        finally:
            await thread.close()

    async def ask(self, row: ActionRequest) -> None:
        async with self.process() as (_, gateway):
            await gateway.call(lambda store: store.save_decisions(actions=[row]))

    async def live(self, *, until: timedelta = CONFIRMED_WITHIN + 2 * MINUTE) -> ActionRequest:
        """Let a process work, a turn a minute, until the request is over."""
        end = self.now + until
        async with self.process() as (worker, gateway):
            while await worker.turn() and self.now < end:
                self.now += MINUTE
            (row,) = await gateway.call(lambda store: store.actions.all_requests())
        return row


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, Vendor())


@pytest.mark.parametrize(
    ("vendor", "state", "calls"),
    [
        pytest.param(Vendor(), ActionState.DONE, 1, id="taken and done"),
        pytest.param(Vendor(looks_until_done=9), ActionState.DONE, 1, id="slowly"),
        pytest.param(Vendor(looks_until_done=99), ActionState.UNKNOWN, 1, id="too slowly"),
        pytest.param(Vendor(answer=UNCLEAR), ActionState.DONE, 1, id="the answer is lost after it was taken"),
        pytest.param(Vendor(answer=UNCLEAR, is_taken=False), ActionState.UNKNOWN, 1, id="the call itself is lost"),
        pytest.param(Vendor(is_taken=False), ActionState.UNKNOWN, 1, id="taken by word and not done"),
        pytest.param(Vendor(answer=REFUSED), ActionState.FAILED, 1, id="refused"),
        pytest.param(Vendor(is_readable=False), ActionState.UNKNOWN, 1, id="a state that cannot be read"),
    ],
)
@pytest.mark.parametrize("verb", Verb)
async def test_request_when_carried_out_then_called_once_and_done_by_the_api_alone(
    desk: Desk, vendor: Vendor, state: ActionState, calls: int, verb: Verb
) -> None:
    """Never twice, and never done on the call's own word."""
    began = {Verb.STOP: "running", Verb.START: "exited"}[verb]
    desk.vendor = replace(vendor, calls=[], status=began)
    await desk.ask(request(verb=verb))
    row = await desk.live()
    assert (row.state, desk.vendor.calls) == (state, [verb] * calls)
    assert row.finished_at is not None
    confirmed = {Verb.STOP: "exited", Verb.START: "running"}[verb]
    assert state is not ActionState.DONE or desk.vendor.status == confirmed
    assert desk.states[0] is ActionState.CALLING
    assert desk.states[-1] is state


@pytest.mark.parametrize("lost", [TAKEN, UNCLEAR, REFUSED], ids=["taken", "unclear", "refused"])
@pytest.mark.parametrize("moment", range(8))
async def test_process_when_it_ends_at_any_step_then_never_called_twice(
    desk: Desk, moment: int, lost: CallAnswer
) -> None:
    """Before and after each write: the next one goes on from what is stored, and only reads where it is not sure."""
    desk.vendor.answer = lost
    await desk.ask(request())
    died = False
    async with desk.process(dies_at=moment) as (worker, gateway):
        try:
            for _ in range(6):
                await worker.turn()
        except Killed:
            died = True
        left = (await gateway.call(lambda store: store.actions.all_requests()))[0]
    assert left.state is not ActionState.REQUESTED or not desk.vendor.calls, "called without a row that says so"
    row = await desk.live()
    assert len(desk.vendor.calls) <= 1
    assert row.state.is_final
    assert row.state is not ActionState.DONE or desk.vendor.status == "exited"
    if not died:
        assert moment >= 4, "so many moments a request has at least"


async def test_process_when_it_ends_within_the_call_then_the_state_says_what_came_of_it(desk: Desk) -> None:
    """The call was taken, and nobody heard of it."""

    def die() -> None:
        raise Killed

    desk.vendor.at_call = die
    await desk.ask(request())
    async with desk.process() as (worker, gateway):
        with pytest.raises(Killed):
            await worker.turn()
        assert (await gateway.open_actions())[0].state is ActionState.CALLING
    row = await desk.live()
    assert (row.state, desk.vendor.calls) == (ActionState.DONE, [Verb.STOP])


@pytest.mark.parametrize("moment", range(6))
async def test_store_when_it_fails_at_any_step_then_the_same_process_goes_on_without_a_second_call(
    desk: Desk, moment: int
) -> None:
    """A full disk for a moment, and a commit whose answer was lost."""
    await desk.ask(request())
    async with desk.process(dies_at=moment, error=StoreError("disk full")) as (worker, _):
        for _ in range(6):
            try:
                await worker.turn()
            except StoreError:
                continue
    row = await desk.live()
    assert len(desk.vendor.calls) <= 1
    assert row.state is not ActionState.DONE or desk.vendor.status == "exited"


async def test_request_when_two_processes_find_it_then_one_of_them_calls(desk: Desk) -> None:
    """A command and the daemon may both carry out what is stored; whoever could not claim it keeps its hands off."""
    await desk.ask(request())
    async with desk.process() as (worker, gateway):
        claimed = gateway.move_action

        async def too_late(before: ActionRequest, after: ActionRequest, *rest: object) -> bool:
            other = replace(after, detail="by another process")
            assert await claimed(before, other, *rest)  # type: ignore[arg-type]
            return await claimed(before, after, *rest)  # type: ignore[arg-type]

        gateway.move_action = too_late  # type: ignore[method-assign, assignment]
        assert [one.state for one in await worker.turn()] == [ActionState.REQUESTED]
    assert (desk.vendor.calls, desk.states) == ([], [])


async def test_steps_when_the_state_is_read_often_then_each_is_noted_once(desk: Desk) -> None:
    """Counters and logs count steps, not looks."""
    desk.vendor.looks_until_done = 5
    await desk.ask(request())
    await desk.live()
    assert desk.states == [ActionState.CALLING, ActionState.STOPPING, ActionState.DONE]


async def test_keys_when_they_change_then_what_is_open_is_carried_out_at_once(desk: Desk) -> None:
    """An edit of the rules that puts the action back must not wait for the next look of a minute."""
    called = asyncio.Event()
    desk.vendor.at_call = called.set
    async with desk.process() as (worker, gateway):
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0)
        await worker.settled()
        await gateway.call(lambda store: store.save_decisions(actions=[request()]))
        worker.use({("stop", "default"): desk.vendor})
        async with asyncio.timeout(30):
            await called.wait()
        running.cancel()
    assert desk.vendor.calls == [Verb.STOP]


@pytest.mark.parametrize(
    ("called", "wait_s"),
    [
        pytest.param((), IDLE_S, id="nothing is open"),
        pytest.param((0,), LOOK_EVERY_S, id="just called"),
        pytest.param((59,), LOOK_EVERY_S, id="within a minute"),
        pytest.param((60,), LOOK_LATER_S, id="a minute ago"),
        pytest.param((900, 5), LOOK_EVERY_S, id="one of several just now"),
    ],
)
async def test_pause_when_something_waits_then_short_while_it_is_fresh(
    desk: Desk, called: tuple[int, ...], wait_s: float
) -> None:
    """Whoever pressed looks at the screen; a quarter of an hour later nobody does."""
    waiting = [request(id=str(ago), called_at=NOW - timedelta(seconds=ago), requested_at=NOW) for ago in called]
    async with desk.process() as (worker, _):
        assert worker._pause_s(waiting) == wait_s


async def test_request_when_it_waited_too_long_then_not_called(desk: Desk) -> None:
    """The daemon was down: an instance that stops tomorrow surprises its next user."""
    await desk.ask(request())
    desk.now += CONFIRMED_WITHIN + MINUTE
    row = await desk.live()
    assert (row.state, desk.vendor.calls) == (ActionState.FAILED, [])
    assert "ask again" in row.detail


async def test_process_when_it_sleeps_before_the_call_then_not_called(desk: Desk) -> None:
    """A laptop that was closed between the row and the call wakes an hour later."""
    await desk.ask(request())
    async with desk.process() as (worker, gateway):
        awake = gateway.move_action

        async def asleep(*arguments: object) -> bool:
            moved: bool = await awake(*arguments)  # type: ignore[arg-type]
            desk.slept_s += STALE_S + 1
            return moved

        gateway.move_action = asleep  # type: ignore[method-assign, assignment]
        await worker.turn()
    row = await desk.live()
    assert (row.state, desk.vendor.calls) == (ActionState.FAILED, [])
    assert "held up" in row.detail


async def test_action_when_gone_from_the_rules_then_not_called_and_not_called_done(desk: Desk) -> None:
    """Without a key there is neither a call nor a state."""
    desk.keys = False
    await desk.ask(request())
    row = await desk.live()
    assert (row.state, desk.vendor.calls) == (ActionState.FAILED, [])
    await desk.ask(request(id="second", state=ActionState.STOPPING, called_at=desk.now, requested_at=desk.now))
    async with desk.process() as (worker, gateway):
        desk.now += CONFIRMED_WITHIN
        assert await worker.turn() == ()
        rows = {one.id: one for one in await gateway.call(lambda store: store.actions.all_requests())}
    assert rows["second"].state is ActionState.UNKNOWN
    assert "has no key" in rows["second"].detail


async def test_client_when_it_raises_then_nobody_knows_and_the_state_is_read(desk: Desk) -> None:
    """A fault of ours in the call says nothing of whether it was made."""

    def fail() -> None:
        raise RuntimeError

    desk.vendor.at_call = fail
    await desk.ask(request())
    row = await desk.live()
    assert (row.state, desk.vendor.calls) == (ActionState.DONE, [Verb.STOP])


async def test_two_instances_when_one_cannot_be_stored_then_the_other_goes_on(desk: Desk) -> None:
    """Each has a row of its own."""
    await desk.ask(request())
    await desk.ask(request(id="other", owner="gpu-2", action="gone"))
    async with desk.process() as (worker, gateway):
        await worker.turn()
        states = {one.id: one.state for one in await gateway.call(lambda store: store.actions.all_requests())}
    assert states == {"a1b2c3d4": ActionState.STOPPING, "other": ActionState.FAILED}


def test_requests_when_they_cannot_be_read_then_looked_for_soon_and_else_once_a_minute() -> None:
    """A store that is locked for a moment must not leave a pressed button waiting for minutes."""
    loop, looks = SimulatedLoop(0.0), list[float]()

    class Locked(Log):
        async def open_actions(self) -> Sequence[ActionRequest]:
            looks.append(loop.time())
            if len(looks) <= 2:
                raise StoreError("database is locked")
            return ()

    worker = ActionWorker(
        log=Locked(gateway=None),  # type: ignore[arg-type] # nothing is asked of it
        instances={},
        now=lambda: NOW,
        elapsed=loop.time,
    )
    serving = loop.create_task(worker.run())
    loop.run_until(200)
    serving.cancel()
    loop.run_until(201)
    loop.close()
    first, second, idle = 0, LOOK_LATER_S, 2 * LOOK_LATER_S
    assert looks == [first, second, idle, idle + IDLE_S, idle + 2 * IDLE_S]
