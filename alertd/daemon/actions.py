"""
Carries out action requests: one call for each, each step stored before the next, the outcome read back.

Runs beside the delivery. A request found as `calling` was begun by a process that ended, so it is not called
again; accepted or unclear requests are read until the API confirms them or time runs out. Source of the rules: D8.
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
"""Seconds between reads of an instance's state after a call."""
LOOK_LATER_S = 15.0
_SOON = timedelta(minutes=1)
IDLE_S = 60.0
"""Seconds between unprompted checks for open requests, which another process may have left."""
STALE_S = 60.0
"""A call that was stored longer ago than this is not made: the process or its host had stopped meanwhile."""


class InstanceApi(Protocol):
    """The instances of one account, with the key of one action."""

    async def call(self, verb: Verb, instance_id: str) -> CallAnswer:
        """Have an instance stopped or started by exactly one request; API errors are not raised."""

    async def look(self, instance_id: str) -> Sight:
        """Return the state of an instance, or why it is unknown."""


class ActionLog(Protocol):
    """The store of requests; each call is one transaction."""

    async def open_actions(self) -> Sequence[ActionRequest]:
        """
        Return the unfinished requests, oldest first.

        Raises:
            StoreError: They cannot be read.
        """

    async def move_action(self, before: ActionRequest, after: ActionRequest, now: datetime) -> bool:
        """
        Store a request's next step; return False if it was changed meanwhile.

        Raises:
            StoreError: Nothing was stored, or the outcome is unknown.
        """


class ActionWorker:
    """
    Carries out the requests of one log.

    Args:
        instances: By action and account.
        now: The wall clock.
        elapsed: Seconds on a clock that never steps and keeps counting while the host is suspended.
        on_step: Called with each request that has changed.
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
        """Use other rules from the next turn on."""
        self._instances = instances
        self.wake()

    def wake(self) -> None:
        """Check for requests now."""
        self._asked.set()

    async def settled(self) -> None:
        """Wait until all calls that have begun are finished."""
        async with self._turn:
            return

    async def run(self) -> None:
        """Run until cancelled."""
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
        Advance every open request by one step, concurrently; return those that are still open.

        Raises:
            StoreError: Open requests cannot be read, or a step could not be stored.
        """
        async with self._turn:
            found = await self._requests.open_actions()
            # A failure to store one does not block the others; each has its own instance.
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
        # Read the clock again: the read may have taken long, and 15 minutes are 15 minutes.
        return await self._move(request, seen(request, sight, self._now()))

    async def _call(self, request: ActionRequest) -> ActionRequest:
        api = self._instances.get((request.action, request.account))
        if api is None:
            return await self._move(request, fail(request, f"not called: {_gone(request)}", self._now()))
        began_s = self._elapsed()
        calling = begin_call(request, self._now())
        # Stored before the first byte is sent, so that nobody calls again.
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
        except Exception:  # noqa: BLE001 -- an internal failure, after which it is unknown whether bytes were sent
            self._log.exception("action call failed", request=request.id)
            return CallAnswer(result=CallResult.UNCLEAR, text="the call failed; whether it was taken is not known")

    async def _look(self, api: InstanceApi, request: ActionRequest) -> Sight:
        try:
            return await api.look(request.owner)
        except Exception:  # noqa: BLE001 -- as above: a failed read is repeated
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
