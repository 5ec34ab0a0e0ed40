"""
The clocks of a system under a test's control: the wall clock and, separately, the clocks that never step.

It is passed to code that takes an `alertd.clock.Clock`, so nothing is patched. `pass_time` advances the true time; the
wall clock deviates from it by `wall_off`. In a suspended system the monotonic clock stops; in a virtual machine that is
saved and resumed both clocks that never step do.
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
    """One system's clocks, and the true time of the rest of the world."""

    true: datetime = START
    """The time of the billing API, of receivers and of a database on another machine."""
    wall_off: timedelta = timedelta()
    """How far the system's wall clock is ahead of the true time."""
    lost_elapsed: timedelta = timedelta()
    """Time that even the clock that counts suspended time did not see."""
    suspended: timedelta = timedelta()
    moves: Mapping[int, timedelta] = field(default_factory=dict)
    """Number of a moment, from 0, to the value of `wall_off` from then on."""
    freezes: Mapping[int, timedelta] = field(default_factory=dict)
    """Number of a moment to how long the process is frozen before that moment."""
    moments: int = 0
    """How often a clock was read or, under `run_stepped`, a task was started or resumed."""
    frozen: timedelta = timedelta()
    began: datetime = field(default=START, init=False)

    def __post_init__(self) -> None:
        self.began = self.true

    def wall(self) -> datetime:
        """Return the time of the wall clock."""
        self.pass_moment()
        return self.true + self.wall_off

    def elapsed_s(self) -> float:
        """Return the seconds of the clock that counts suspended time; it begins at a million."""
        self.pass_moment()
        return 1e6 + (self.true - self.began - self.lost_elapsed).total_seconds()

    def monotonic_s(self) -> float:
        """Return the seconds of the clock that does not count suspended time."""
        return self.elapsed_s() - self.suspended.total_seconds()

    def pass_moment(self) -> None:
        """Count a moment at which the clocks may be read, and apply the move and freeze that are planned for it."""
        self.wall_off = self.moves.get(self.moments, self.wall_off)
        if by := self.freezes.get(self.moments):
            self.true += by
            self.frozen += by
        self.moments += 1

    def pass_time(self, by: timedelta) -> None:
        """Advance the time while everything runs or the process is frozen, which the clocks do not distinguish."""
        self.true += by

    def suspend(self, by: timedelta) -> None:
        """Advance the time while the system is suspended."""
        self.true += by
        self.suspended += by

    def resume_saved(self, by: timedelta) -> None:
        """Advance the time while this system is saved; its wall clock is corrected when it resumes."""
        self.true += by
        self.lost_elapsed += by


class _Stepped(Coroutine[Any, Any, T]):
    """A coroutine that calls *on_step* when it starts and each time it is resumed after an await."""

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
    Run a coroutine so that each of its steps, and of every task that it starts, is a moment of the clock.

    When the clock freezes the process, the loop's own time, on which all deadlines are based, jumps too.
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
