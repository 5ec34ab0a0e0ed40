"""
Signal handling of the service, from the start of the loop to its end: no signal is lost or kills it half-way.

SIGTERM and SIGINT set `stop`. Code that watches it declares so with `watched`; at any other moment, as while rules are
read, a database is connected to or the store is opened, the task that runs all of it is cancelled.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from alertd.log import get_logger, write_out

LEAVE_AFTER_S = 9.0
"""A stop takes at most ten seconds, unless a call that cannot be cancelled has not returned."""


class Signals:
    """
    Applies signals to the task that enters the block, until it leaves; then the previous handlers are restored.

    Args:
        on_overdue: Called in another thread if the process has not ended `LEAVE_AFTER_S` after a stop was requested.
    """

    def __init__(self, *, on_overdue: Callable[[], None] | None = None) -> None:
        self.stop = asyncio.Event()
        self._on_reload: Callable[[], None] | None = None
        self._on_overdue = on_overdue
        self._task = asyncio.current_task()
        self._is_watched = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        obeyed = {signal.SIGTERM: self._end, signal.SIGINT: self._end, signal.SIGHUP: self._reload}
        for number, obey in obeyed.items():
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, obey)
        return self

    def __exit__(self, *_error: object) -> None:
        loop = asyncio.get_running_loop()
        for number, before in self._before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, before)

    @contextmanager
    def watched(self, *, on_reload: Callable[[], None] | None = None) -> Iterator[None]:
        """Only set `stop`, without cancelling, while the block runs, which then ends on its own."""
        self._is_watched, self._on_reload = True, on_reload
        try:
            yield
        finally:
            self._is_watched, self._on_reload = False, None

    def _reload(self) -> None:
        # During the start and in standby, the rules have not been read yet.
        if self._on_reload is not None:
            self._on_reload()

    def _end(self) -> None:
        if self.stop.is_set():
            # Closing must not be interrupted.
            return
        self.stop.set()
        if self._on_overdue is not None:
            overdue = threading.Timer(LEAVE_AFTER_S, self._on_overdue)
            overdue.daemon = True
            overdue.start()
        if not self._is_watched and self._task is not None:
            self._task.cancel()


def leave_at_once() -> None:
    """
    End the process although one of its threads is blocked, for example by a server that does not answer.

    Nothing is lost: the store is consistent, and the next start settles what was under way.
    """
    get_logger().warning("stopped without waiting", why="a database, a name server or a file system does not answer")
    write_out()
    os._exit(0)
