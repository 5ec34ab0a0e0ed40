"""A connection to PostgreSQL on which no answer is awaited without end."""

import contextlib
from collections.abc import Iterator
from typing import TypeVar

import psycopg
from psycopg.abc import PQGen

from alertd.clock import monotonic_s
from alertd.store.database import Value

ANSWER_S = 65.0
"""A server that lives has ended every statement by then, by the time limit that is set in each transaction."""
SHORT_ANSWER_S = 10.0
"""For what needs no work, only a server that answers; a pooler may let it wait for a session."""
_LOOK_S = 0.1
"""How often the clock is looked at meanwhile."""
_ReturnT = TypeVar("_ReturnT")


class PostgresConnection(psycopg.Connection[tuple[Value, ...]]):
    """
    Waits for a sign of life for `answer_s` at most, and closes itself where there is none.

    Neither the server's own limits nor TCP's notice a server process that is stopped, or a pooler that hangs.
    """

    answer_s = ANSWER_S

    def wait(self, gen: PQGen[_ReturnT], interval: float = _LOOK_S, timeout: float | None = None) -> _ReturnT:
        """
        Wait for an answer as psycopg does.

        Raises:
            OperationalError: There was none; the connection is closed, and what became of the statement is not known.
        """
        try:
            return super().wait(_within(self.answer_s, gen), interval, timeout)
        except TimeoutError:
            self.close()
            raise psycopg.OperationalError(f"the server gave no answer within {self.answer_s:.0f} s") from None

    def ask_all(self, statements: str) -> tuple[Value, ...] | None:
        """Run some statements in one message, answered soon; return the first row of the last answer, if it has one."""
        with self.answering_within(SHORT_ANSWER_S):
            cursor = self.execute(statements.encode())
            while cursor.nextset():
                pass
        return cursor.fetchone() if cursor.description else None

    @contextlib.contextmanager
    def answering_within(self, seconds: float) -> Iterator[None]:
        """Wait no longer than this while the block runs."""
        before, self.answer_s = self.answer_s, seconds
        try:
            yield
        finally:
            self.answer_s = before


def _within(seconds: float, gen: PQGen[_ReturnT]) -> PQGen[_ReturnT]:
    """
    Pass on what psycopg and the socket say to each other.

    Raises:
        TimeoutError: The socket has been silent for so long.
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
