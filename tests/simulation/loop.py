"""
An event loop whose clock, threads and sockets belong to the simulation, and which can end between any two callbacks.

None of the libraries that exist carries the whole. async-solipsism has the clock and sockets in memory, but no Unix
sockets and no signals, runs executors in real threads, and has no place at which a process can die; looptime moves the
clock alone and leaves executors and sockets real; seedloop permutes what asyncio promises to keep in order, and is a
pre-release without executors; simloom has nearly all of it and wants Python 3.12, while alertd supports 3.11. What was
missing is most of what is needed, and asyncio's own base class leaves one method to replace.

Everything runs in one thread. A callback is a step: between two of them, and at each commit, the process may be killed,
and then nothing of it runs any more.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context, copy_context
from typing import Any, cast

_CANCELLED_KEPT = 200
"""More cancelled timers than this are taken out of the heap."""


class Killed(BaseException):
    """The process is gone; nothing may catch this but the simulation."""


class Stalled(Exception):
    """Nothing will ever happen any more."""


class _Callback(asyncio.Handle):
    """A handle that does not ask whether its loop is being debugged: hundreds are made at each poll."""

    __slots__ = ()

    def __init__(
        self, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: Context | None = None
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None


class _Timer(asyncio.TimerHandle):
    """Likewise for a time."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: Context | None = None
    ) -> None:
        _Callback.__init__(self, callback, args, loop, context)  # type: ignore[arg-type]
        self._when, self._scheduled = when, False


class SimulatedLoop(asyncio.BaseEventLoop):
    """
    The loop of one process.

    Args:
        now_s: Where its clock begins; it goes on from one process to the next, as that of a system does.
        connect: Makes connections to hosts: the wires of the simulated network.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[tuple[float, int, Any]]
    """(when, number, timer): of one instant in the order in which they were asked for."""
    _timer_cancelled_count: int

    def __init__(self, now_s: float, *, connect: Callable[..., Any] | None = None) -> None:
        super().__init__()
        self._now_s = now_s
        self._connect = connect
        self._timers = 0
        self.steps = 0
        self.kill_at: int | None = None
        """Ends before the step of this number."""
        self.is_dead = False
        self.servers: dict[str, Callable[[], asyncio.BaseProtocol]] = {}
        """What listens, by path of its Unix socket."""
        self.troubles: list[str] = []
        """What no task and no callback took care of."""
        self.set_exception_handler(self._note_trouble)

    def time(self) -> float:
        """Return the loop's clock, which passes only while nothing is to be done."""
        return self._now_s

    def freeze(self, seconds: float) -> None:
        """Let time go by in which the process does not run."""
        self._now_s += seconds

    def run_until(self, at_s: float) -> None:
        """
        Run whatever happens up to a time.

        Raises:
            Killed: The process ended before.
        """
        if at_s <= self._now_s and not self._ready:
            return
        self.call_at(at_s, self.stop)
        self.run_forever()

    def _run_once(self) -> None:
        self._drop_cancelled()
        if not self._ready:
            if not self._scheduled:
                raise Stalled
            self._now_s = max(self._now_s, self._scheduled[0][0])
        while self._scheduled and self._scheduled[0][0] <= self._now_s:
            _, _, timer = heapq.heappop(self._scheduled)
            timer._scheduled = False
            self._ready.append(timer)
        popleft = self._ready.popleft
        for _ in range(len(self._ready)):
            handle: Any = popleft()
            if handle._cancelled:
                continue
            self.steps += 1
            if self.steps == self.kill_at:
                self.is_dead = True
            if self.is_dead:
                raise Killed
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 -- as asyncio's handles do
                self._note_trouble(self, {"message": f"exception in {handle._callback!r}", "exception": error})
            if self.is_dead:
                raise Killed

    def _drop_cancelled(self) -> None:
        if self._timer_cancelled_count > _CANCELLED_KEPT:
            kept = [each for each in self._scheduled if not each[2]._cancelled]
            for _, _, timer in self._scheduled:
                timer._scheduled = not timer._cancelled
            heapq.heapify(kept)
            self._scheduled, self._timer_cancelled_count = kept, 0
        while self._scheduled and self._scheduled[0][2]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(self._scheduled)[2]._scheduled = False

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call soon, unless the process is gone: coroutines that are collected then still ask for it."""
        handle = _Callback(callback, args, self, context)
        if not self.is_dead:
            self._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at a time of the loop's clock."""
        timer: Any = _Timer(when, callback, args, self, context)
        self._timers += 1
        heapq.heappush(self._scheduled, (when, self._timers, timer))
        timer._scheduled = True
        return cast("asyncio.TimerHandle", timer)

    def get_debug(self) -> bool:
        """Return False: it is asked for at each future."""
        return False

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call soon: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        """Do a thread's work in a step of its own, in the order in which it was handed over."""
        future = self.create_future()
        self.call_soon(self._work, future, func, args)
        return future

    def _work(self, future: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        # As in a real pool, what waits in line can be taken back.
        if future.cancelled():
            return
        try:
            result = func(*args)
        except BaseException as error:  # noqa: BLE001 -- whoever awaits it gets it, as from a thread
            if self.is_dead or isinstance(error, Killed):
                return
            future.set_exception(error)
        else:
            future.set_result(result)

    async def create_unix_server(self, factory: Any, path: Any = None, **_kwargs: Any) -> Any:  # type: ignore[override]
        """Listen at a path; who is inside the simulation connects through `servers`."""
        self.servers[str(path)] = factory
        return _Server(self, str(path))

    async def create_unix_connection(  # type: ignore[override]
        self, factory: Any, path: Any = None, **_kwargs: Any
    ) -> Any:
        """Connect to what stands at a path: by name of its host where it is a part of the simulated network."""
        return await self.create_connection(factory, path)

    async def create_connection(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, **_kwargs: Any
    ) -> Any:
        """Connect to a host of the simulated network."""
        if self._connect is None:
            raise ConnectionRefusedError(111, f"nobody listens at {host}:{port}")
        return await self._connect(factory, host)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 -- asyncio's
        """Have no threads."""

    def close(self) -> None:
        """Let go of everything that would have happened."""
        self.is_dead = True
        self._ready.clear()
        self._scheduled.clear()
        super().close()

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def _note_trouble(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.is_dead:
            self.troubles.append(f"{context.get('message')}: {context.get('exception')!r}")


class _Server:
    """What listens at a path, until it is closed."""

    def __init__(self, loop: SimulatedLoop, path: str) -> None:
        self._loop, self._path = loop, path

    def close(self) -> None:
        self._loop.servers.pop(self._path, None)
