"""A PostgreSQL connection on which no wait is unbounded."""

import contextlib
from collections.abc import Iterator
from typing import TypeVar

import psycopg
from psycopg.abc import PQGen

from alertd.clock import monotonic_s
from alertd.store.database import Value

ANSWER_S = 65.0
"""Seconds to wait for an answer: a live server has ended every statement by then, by each transaction's time limit."""
SHORT_ANSWER_S = 10.0
"""Seconds to wait for a trivial statement; a pooler may make it wait for a session."""
_LOOK_S = 0.1
"""Seconds between checks of the clock meanwhile."""
_ReturnT = TypeVar("_ReturnT")


class PostgresConnection(psycopg.Connection[tuple[Value, ...]]):
    """
    Waits at most `answer_s` for a sign of life, and closes itself without one.

    Neither the server's limits nor TCP's detect a stopped server process or a pooler that hangs.
    """

    answer_s = ANSWER_S

    def wait(self, gen: PQGen[_ReturnT], interval: float = _LOOK_S, timeout: float | None = None) -> _ReturnT:
        """
        Wait for an answer like psycopg.

        Raises:
            OperationalError: There was none; the connection is closed, and the outcome of the statement is unknown.
        """
        try:
            return super().wait(_within(self.answer_s, gen), interval, timeout)
        except TimeoutError:
            self.close()
            raise psycopg.OperationalError(f"the server gave no answer within {self.answer_s:.0f} s") from None

    def ask_all(self, statements: str) -> tuple[Value, ...] | None:
        """Run quick statements in one message; return the first row of the last result, if any."""
        with self.answering_within(SHORT_ANSWER_S):
            cursor = self._run(statements)
        return cursor.fetchone() if cursor.description else None

    def run_all(self, statements: str) -> str:
        """Run statements in one message; return the status of the last."""
        return self._run(statements).statusmessage or ""

    def _run(self, statements: str) -> psycopg.Cursor[tuple[Value, ...]]:
        cursor = self.execute(statements.encode())
        while cursor.nextset():
            pass
        return cursor

    @contextlib.contextmanager
    def answering_within(self, seconds: float) -> Iterator[None]:
        """Limit waits within the block to this."""
        before, self.answer_s = self.answer_s, seconds
        try:
            yield
        finally:
            self.answer_s = before


def _within(seconds: float, gen: PQGen[_ReturnT]) -> PQGen[_ReturnT]:
    """
    Drive psycopg's protocol generator with the socket's readiness.

    Raises:
        TimeoutError: The socket was silent for too long.
    """
    heard_at = monotonic_s()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                heard_at = monotonic_s()
            elif monotonic_s() - heard_at >= seconds:
                raise TimeoutError
            wanted = gen.send(ready)
    except StopIteration as end:
        answer: _ReturnT = end.value
        return answer
