"""Time that passes as soon as nothing is left to do, for a whole daemon with its real sockets, threads and files."""

import asyncio
import selectors
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import ParamSpec, TypeVar, TypeVarTuple
from unittest.mock import patch

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_SETTLES_S = 0.0002
"""Both ends of every connection are in this process: what was written is there when this is over."""
_THREAD_S = 60.0
"""No work of a thread takes longer."""


class HastyLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes on to the next timer when no socket has news and no thread is at work."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.at_work = 0
        super().__init__(_Haste(self))

    def time(self) -> float:
        """Return the virtual seconds since the start."""
        return self.now_s

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> "asyncio.Future[T]":
        """Hand work to a thread; until it is done time stands still."""
        self.at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self.note_done)
        return future

    def note_done(self, _future: object) -> None:
        """Know that a thread has done its work."""
        self.at_work -= 1


class _Counted(ThreadPoolExecutor):
    """Threads that the loop knows to be at work, whoever hands them their work."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HastyLoop)
        loop.at_work += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(loop.note_done, done))
        return future


class _Haste(selectors.DefaultSelector):
    def __init__(self, loop: HastyLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what has news; where nothing has, let the time go by that was to be waited for."""
        loop = self._loop
        if loop.at_work or timeout is None:
            return super().select(_THREAD_S) if timeout is None or timeout > 0 else super().select(0)
        events = super().select(0 if timeout <= 0 else _SETTLES_S)
        if not events and timeout > 0:
            loop.now_s += timeout
        return events


class _Kind(type):
    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, datetime)


@contextmanager
def system_of(loop: HastyLoop, start: datetime) -> Iterator[Callable[[], datetime]]:
    """Let alertd and its scheduler see the loop's time while the block runs; yield what says it."""

    def now() -> datetime:
        return start + timedelta(seconds=loop.now_s)

    class Wall(datetime, metaclass=_Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return now().astimezone(tz or UTC)

    ticks = SimpleNamespace(
        CLOCK_BOOTTIME=7, clock_gettime=lambda _clock: 1e6 + loop.now_s, monotonic=lambda: 1e6 + loop.now_s
    )
    with ExitStack() as stack:
        for module in ("alertd.clock", *(f"apscheduler.{part}" for part in _SCHEDULER)):
            stack.enter_context(patch(f"{module}.datetime", Wall))
        stack.enter_context(patch("alertd.clock.time", ticks))
        stack.enter_context(patch("alertd.store.thread.ThreadPoolExecutor", _Counted))
        yield now


_SCHEDULER = ("schedulers.base", "triggers.interval", "executors.base")
