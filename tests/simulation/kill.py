"""A process that ends in the middle: at a commit, or between two steps; and its database, which another one opens."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from alertd.store.store import Store
from tests.simulation.loop import Killed, SimulatedLoop


class Process:
    """What dies together: a loop, and the connections to its database."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.loop = loop
        self.stores: list[Store] = []
        self.connections: list[Connection] = []
        self.commits = 0
        self.kill_at_commit: int | None = None
        self.is_before = False

    def commit(self, connection: "Connection") -> None:
        """Commit, and die before or after where that was planned."""
        self.commits += 1
        is_now = self.commits == self.kill_at_commit
        if is_now and self.is_before:
            connection.plain("ROLLBACK")
            self.die()
        connection.plain("COMMIT")
        if is_now:
            self.die()

    def die(self) -> None:
        """
        End here.

        Raises:
            Killed: Always.
        """
        self.loop.is_dead = True
        raise Killed

    def bury(self) -> None:
        """Let the system close what the process had open; nothing of the process runs any more."""
        self.loop.is_dead = True
        for store in self.stores:
            # As the kernel does: what was not committed is gone, and its locks are free.
            connection: Any = store._database._connection  # type: ignore[attr-defined]
            connection.close()
            if store._lock is not None:
                store._lock.release()
        for connection in self.connections:
            connection.close()
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine: Any = task.get_coro()
            # What it still wants to do finds neither database nor network.
            with suppress(BaseException):
                coroutine.close()
        self.loop.close()


class Connection(sqlite3.Connection):
    """A connection of a process, which commits nothing once that is dead."""

    process: Process | None = None

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:  # type: ignore[override]
        """Execute a statement while the process lives."""
        process = self.process
        if process is not None:
            if process.loop.is_dead:
                raise Killed
            if sql == "COMMIT":
                process.commit(self)
                return self.cursor()
        return super().execute(sql, parameters)

    def plain(self, sql: str) -> None:
        """Execute a statement, come what may."""
        super().execute(sql)
