"""
Carries out what people asked for: one call a request, each step stored before the next, the outcome read back.

Lives beside the delivery. What is `calling` when it comes to it was begun by a process that ended, so it is not called
again; what was taken, or is not clear, is read until the API says so, or time is over. Source of the rules: D8.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from alertd.core.actions import (
    ActionRequest,
    ActionState,
    CallAnswer,
    CallResult,
    Sight,
    Verb,
    answered,
    begin_call,
    fail,
    interrupted,
    seen,
)
from alertd.errors import StoreError
from alertd.log import get_logger

LOOK_EVERY_S = 3.0
"""How often the state of an instance is read that was just called."""
LOOK_LATER_S = 15.0
_SOON = timedelta(minutes=1)
IDLE_S = 60.0
"""How often open requests are looked for unasked: another process may have left one."""
STALE_S = 60.0
"""A call that was stored so long ago and not made yet is not made: the process, or its host, had stopped."""


class InstanceApi(Protocol):
    """The instances of one account, by the key of one action."""

    async def call(self, verb: Verb, instance_id: str) -> CallAnswer:
        """Have an instance stopped or started, by exactly one request; it raises nothing of the API's."""

    async def look(self, instance_id: str) -> Sight:
        """Return the state of an instance, or why it was not learnt."""


class ActionLog(Protocol):
    """Where requests are kept; each call is one transaction."""

    async def open_actions(self) -> Sequence[ActionRequest]:
        """
        Return the requests that are not finished, the oldest first.

        Raises:
            StoreError: They cannot be read.
        """

    async def move_action(self, before: ActionRequest, after: ActionRequest, now: datetime) -> bool:
        """
        Store a request's next step; return False where it has moved meanwhile.

        Raises:
            StoreError: Nothing was kept, or nobody knows.
        """


class ActionWorker:
    """
    Carries out the requests of one log.

    Args:
        instances: By action and account.
        now: The wall clock.
        elapsed: Seconds on a clock that never steps and counts on while the host sleeps.
        on_step: Called with each request that has taken a step.
    """

    def __init__(
        self,
        *,
        log: ActionLog,
        instances: Mapping[tuple[str, str], InstanceApi],
        now: Callable[[], datetime],
        elapsed: Callable[[], float],
        on_step: Callable[[ActionRequest], None] = lambda _request: None,
    ) -> None:
        self._requests = log
        self._instances = instances
        self._now = now
        self._elapsed = elapsed
        self._on_step = on_step
        self._asked = asyncio.Event()
        self._turn = asyncio.Lock()
        self._log = get_logger()

    def use(self, instances: Mapping[tuple[str, str], InstanceApi]) -> None:
        """Carry out by other rules from the next turn on."""
        self._instances = instances
        self.wake()

    def wake(self) -> None:
        """Look for requests now."""
        self._asked.set()

    async def settled(self) -> None:
        """Wait until no call is under way that began before."""
        async with self._turn:
            return

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            self._asked.clear()
            wait_s = IDLE_S
            try:
                wait_s = self._pause_s(await self.turn())
            except StoreError as error:
                self._log.error("actions not read", error=str(error))
                wait_s = LOOK_LATER_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()

    def _pause_s(self, waiting: Sequence[ActionRequest]) -> float:
        if not waiting:
            return IDLE_S
        now = self._now()
        is_fresh = any(now - (one.called_at or one.requested_at) < _SOON for one in waiting)
        return LOOK_EVERY_S if is_fresh else LOOK_LATER_S

    async def turn(self) -> tuple[ActionRequest, ...]:
        """
        Bring every open request one step on, at once; return those that are open still.

        Raises:
            StoreError: What is open cannot be read; or a step could not be stored.
        """
        async with self._turn:
            found = await self._requests.open_actions()
            # One that cannot be stored holds up no other; each has an instance of its own.
            after = await asyncio.gather(*map(self._step, found), return_exceptions=True)
        for one in after:
            if isinstance(one, BaseException):
                raise one
        return tuple(one for one in after if isinstance(one, ActionRequest) and not one.state.is_final)

    async def _step(self, request: ActionRequest) -> ActionRequest:
        if request.state is ActionState.REQUESTED:
            return await self._call(request)
        now = self._now()
        if request.state is ActionState.CALLING:
            return await self._move(request, interrupted(request, now))
        api = self._instances.get((request.action, request.account))
        sight = await self._look(api, request) if api is not None else Sight(text=_gone(request))
        # Asked anew: the read may have taken long, and 15 minutes are 15 minutes.
        return await self._move(request, seen(request, sight, self._now()))

    async def _call(self, request: ActionRequest) -> ActionRequest:
        api = self._instances.get((request.action, request.account))
        if api is None:
            return await self._move(request, fail(request, f"not called: {_gone(request)}", self._now()))
        began_s = self._elapsed()
        calling = begin_call(request, self._now())
        # Stored before the first byte leaves: whoever finds it so does not call again.
        if not await self._requests.move_action(request, calling, self._now()):
            return request
        self._note(calling)
        if calling.state.is_final:
            return calling
        if self._elapsed() - began_s > STALE_S:
            text = "not called: alertd was held up before it could; ask again"
            return await self._move(calling, fail(calling, text, self._now()))
        answer = await self._answer(api, calling)
        return await self._move(calling, answered(calling, answer, self._now()))

    async def _answer(self, api: InstanceApi, request: ActionRequest) -> CallAnswer:
        try:
            return await api.call(request.verb, request.owner)
        except Exception:  # noqa: BLE001 -- a fault of ours after which nobody knows whether bytes left
            self._log.exception("action call failed", request=request.id)
            return CallAnswer(result=CallResult.UNCLEAR, text="the call failed; whether it was taken is not known")

    async def _look(self, api: InstanceApi, request: ActionRequest) -> Sight:
        try:
            return await api.look(request.owner)
        except Exception:  # noqa: BLE001 -- as above: what cannot be read is read again
            self._log.exception("action state not read", request=request.id)
            return Sight(text="its state could not be read")

    async def _move(self, before: ActionRequest, after: ActionRequest) -> ActionRequest:
        if after == before:
            return before
        if not await self._requests.move_action(before, after, self._now()):
            return before
        if after.state is not before.state:
            self._note(after)
        return after

    def _note(self, request: ActionRequest) -> None:
        self._log.info(
            "action changed",
            request=request.id,
            verb=request.verb.value,
            instance=request.owner,
            state=request.state.value,
            detail=request.detail,
        )
        self._on_step(request)


def _gone(request: ActionRequest) -> str:
    return f"action {request.action} has no key for account {request.account} in the rules file any more"
