"""
The clocks of a system that stands under a test's control: the wall clock and the one that never steps, apart.

It is handed to what takes an `alertd.clock.Clock`, so nothing is patched. True time goes by with `pass_time`; the wall
clock shows it with an error that `wall_off` sets at any moment. A suspended system loses monotonic time, and a virtual
machine that was saved and resumed loses the time of both clocks that never step.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, TypeVar

START = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class VirtualClock:
    """One system's clocks, and the true time that the rest of the world has."""

    true: datetime = START
    """What the billing API, receivers and a database elsewhere go by."""
    wall_off: timedelta = timedelta()
    """How far the system's wall clock is ahead of it."""
    lost_elapsed: timedelta = timedelta()
    """Time that the clock did not see which counts suspended time."""
    suspended: timedelta = timedelta()
    moves: Mapping[int, timedelta] = field(default_factory=dict)
    """Number of a moment, from 0, to how far the wall clock is off from then on."""
    freezes: Mapping[int, timedelta] = field(default_factory=dict)
    """Number of a moment to how long the process is frozen before it."""
    moments: int = 0
    """How often any of the clocks was looked at or, under `run_stepped`, a task went on behind an await."""
    frozen: timedelta = timedelta()
    began: datetime = field(default=START, init=False)

    def __post_init__(self) -> None:
        self.began = self.true

    def wall(self) -> datetime:
        """Return the wall clock."""
        self.pass_moment()
        return self.true + self.wall_off

    def elapsed_s(self) -> float:
        """Return the seconds since the start, suspended ones included."""
        self.pass_moment()
        return 1e6 + (self.true - self.began - self.lost_elapsed).total_seconds()

    def monotonic_s(self) -> float:
        """Return the seconds since the start, suspended ones left out."""
        return self.elapsed_s() - self.suspended.total_seconds()

    def pass_moment(self) -> None:
        """Count a moment at which the clocks may be seen, and do to them what is to be done at it."""
        self.wall_off = self.moves.get(self.moments, self.wall_off)
        if by := self.freezes.get(self.moments):
            self.true += by
            self.frozen += by
        self.moments += 1

    def pass_time(self, by: timedelta) -> None:
        """Let time go by while everything runs, or while the process is frozen: the clocks cannot tell."""
        self.true += by

    def suspend(self, by: timedelta) -> None:
        """Let time go by while the system sleeps."""
        self.true += by
        self.suspended += by

    def resume_saved(self, by: timedelta) -> None:
        """Let time go by for everybody but this system, whose wall clock is put right when it comes back."""
        self.true += by
        self.lost_elapsed += by


class _Stepped(Coroutine[Any, Any, T]):
    """A coroutine that says when it begins and each time it goes on behind an await."""

    def __init__(self, inner: Coroutine[Any, Any, T], on_step: Callable[[], None]) -> None:
        self._inner, self._on_step = inner, on_step

    def send(self, value: Any, /) -> Any:
        self._on_step()
        return self._inner.send(value)

    def throw(self, kind: Any, value: Any = None, trace: TracebackType | None = None, /) -> Any:
        self._on_step()
        return self._inner.throw(kind if value is None else value)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, T]:
        raise TypeError("only a task drives it")


async def run_stepped(clock: VirtualClock, main: Coroutine[Any, Any, T]) -> T:
    """
    Run a coroutine so that each await of it, and of every task that it starts, is a moment of a clock.

    Where the clock freezes the process the loop's own time, by which every deadline counts, jumps with it.
    """
    loop = asyncio.get_running_loop()

    def started(loop: asyncio.AbstractEventLoop, inner: Any, **named: Any) -> asyncio.Task[Any]:
        return asyncio.Task(_Stepped(inner, clock.pass_moment), loop=loop, **named)

    own_time = loop.time
    loop.set_task_factory(started)
    loop.time = lambda: own_time() + clock.frozen.total_seconds()  # type: ignore[method-assign]
    try:
        return await loop.create_task(main)
    finally:
        loop.set_task_factory(None)
        loop.time = own_time  # type: ignore[method-assign]
