"""
Runs the daemon's concurrent tasks by name, in one group that none of them can leave unnoticed.

A task that fails is logged with its traceback, counted and restarted after a pause that doubles; one that fails
repeatedly is named by `failing`, which `/healthz` and the service manager's watchdog show. It knows no task's purpose.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Self

from alertd.core.dataclass import dataclass
from alertd.core.retry_after import doubled_s
from alertd.log import get_logger

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
SOUND_AFTER_S = 300.0
"""Seconds after which a running task has recovered, so that its earlier failures no longer count."""
MOST_FAILURES = 5
"""Consecutive failures, half a minute of them, that are no longer a hiccup."""
_CLOSING_S = 0.5
"""Seconds that a task may take to clean up before it is cancelled again; a stop takes ten seconds in all."""

Job = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Record:
    """The outcomes of one task's runs."""

    runs_for_long: bool
    """Whether it recovers by running for long; a task of turns recovers by a successful turn."""
    began_at_s: float = 0.0
    failures: int = 0
    """Consecutive failures."""
    is_running: bool = False


class Supervisor:
    """
    Starts tasks while its block runs, and has ended all of them when the block is left.

    Args:
        on_failure: Called with a task's name each time that it fails.
    """

    def __init__(self, *, on_failure: Callable[[str], None]) -> None:
        self._on_failure = on_failure
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: dict[str, _Record] = {}
        self._log = get_logger()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.cancel()
        # Without the block's own error, which would be wrapped: tasks here raise nothing.
        await self._group.__aexit__(None, None, None)

    def cancel(self, *, sparing: asyncio.Task[None] | None = None) -> None:
        """Cancel every task except one; tasks that were cancelled before are cleaning up, and are not interrupted."""
        for task in self._tasks - {sparing}:
            if not task.cancelling():
                task.cancel()

    async def stop(self) -> None:
        """Cancel all running tasks and wait for their end; those that do not end soon are cancelled again."""
        self.cancel()
        if not self._tasks:
            return
        _, stubborn = await asyncio.wait(set(self._tasks), timeout=_CLOSING_S)
        for task in stubborn:
            task.cancel()
        if stubborn:
            await asyncio.wait(stubborn)

    def failing(self) -> tuple[str, ...]:
        """Return which tasks fail repeatedly, in words."""
        now_s = _time_s()
        return tuple(
            f"{name}: it fails again and again"
            for name, record in sorted(self._records.items())
            if record.failures >= MOST_FAILURES and not self._is_sound(record, now_s)
        )

    def keep(self, name: str, run: Job) -> asyncio.Task[None]:
        """Start a long-running task, and restart it whenever it fails; it ends when it returns."""
        return self._start(name, self._keep(name, run))

    def repeat(
        self, name: str, job: Job, *, every: timedelta, asked: asyncio.Event | None = None, at_once: bool = True
    ) -> None:
        """
        Do a job repeatedly, one turn after another; missed turns are not made up for.

        A failed turn is retried after the pause of a failure, or at the next turn if that is sooner.

        Args:
            asked: Requests the next turn immediately.
            at_once: Whether the first turn is now rather than after the first interval.
        """
        asked = asked or asyncio.Event()
        self._start(name, self._repeat(name, job, every.total_seconds(), asked, at_once=at_once))

    def once(self, name: str, job: Job) -> None:
        """Start a task that runs once and is not retried."""
        self._start(name, self._once(name, job))

    def _start(self, name: str, run: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._group.create_task(run, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep(self, name: str, run: Job) -> None:
        while True:
            if await self._succeeds(name, run, runs_for_long=True):
                return
            await asyncio.sleep(self._pause_s(name))

    async def _repeat(self, name: str, job: Job, every_s: float, asked: asyncio.Event, *, at_once: bool) -> None:
        due_at_s = _time_s() + (0.0 if at_once else every_s)
        while True:
            await _wait(asked, until_s=due_at_s)
            asked.clear()
            # An early request restarts the rhythm; missed turns are not made up for.
            due_at_s = max(min(due_at_s, _time_s()), _time_s() - every_s) + every_s
            if not await self._succeeds(name, job):
                now_s = _time_s()
                due_at_s = min(max(due_at_s, now_s + FIRST_PAUSE_S), now_s + self._pause_s(name))

    async def _once(self, name: str, job: Job) -> None:
        await self._succeeds(name, job)
        # Nothing is left that could recover: log and metric have it, and it is no state of the daemon.
        self._records.pop(name, None)

    async def _succeeds(self, name: str, run: Job, *, runs_for_long: bool = False) -> bool:
        """Run once and return whether it succeeded; exceptions are logged and counted, never raised."""
        record = self._records.setdefault(name, _Record(runs_for_long))
        record.began_at_s, record.is_running = _time_s(), True
        try:
            await run()
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            task = asyncio.current_task()
            # Cancelled from inside, by a library's mistake, it would end silently.
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            record.failures = 1 if self._is_sound(record, _time_s()) else record.failures + 1
            self._log.exception("task failed", task=name, failures_in_a_row=record.failures)
            self._on_failure(name)
            return False
        else:
            record.failures = 0
            return True
        finally:
            record.is_running = False

    def _is_sound(self, record: _Record, now_s: float) -> bool:
        return record.runs_for_long and record.is_running and now_s - record.began_at_s >= SOUND_AFTER_S

    def _pause_s(self, name: str) -> float:
        return doubled_s(self._records[name].failures, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)


async def _wait(asked: asyncio.Event, *, until_s: float) -> None:
    """Wait for the event, at most until a time on the loop's clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until_s):
            await asked.wait()


def _time_s() -> float:
    return asyncio.get_running_loop().time()
