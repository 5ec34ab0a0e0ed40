"""
The interface of a database: what the tables' modules ask of a driver, so that each of them is written once.

SQL here is what SQLite and PostgreSQL share: `?` marks values in order and appears nowhere else, columns are named,
upserts are ON CONFLICT. A driver turns every failure that a user can fix into StoreError.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from alertd.core.dataclass import dataclass

Value = int | str | bytes | None
"""What a column may hold: 64-bit integers, text, bytes."""

ShapeT = TypeVar("ShapeT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The words in which migrations differ from one database to another."""

    blob: str
    """The type of a column of bytes."""
    text: str
    """The type of a column of text, compared and ordered by its UTF-8 bytes."""
    identity: str
    """The type of a primary key that counts up by itself and never gives a number twice."""
    find: str
    """The function that returns at which character, from 1, a text holds another one; 0 where it does not."""
    server_only: str
    """What stands before a statement of a server's own: nothing there, the beginning of a comment elsewhere."""
    now: str = ""
    """The microseconds since 1970 by a clock of the database's own; empty where it has none."""


class Database(Protocol):
    """One connection, used by one thread, until `close`."""

    @property
    def place(self) -> str:
        """Which database this is, for errors; never with a password."""

    @property
    def dialect(self) -> Dialect:
        """The words of this database's migrations."""

    def rows(self, shape: type[ShapeT], sql: str, values: Sequence[Value] = ()) -> list[ShapeT]:
        """
        Return every row of a query as *shape*, a NamedTuple or tuple type with one item a column.

        Raises:
            StoreError: The database failed, or a row does not have that shape.
        """

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """
        Run one statement and return how many rows it wrote; safe to repeat only if the statement is.

        Raises:
            StoreError: The database failed; the transaction around it is rolled back by leaving it.
        """

    def write(self, sql: str, values: Sequence[Value] = ()) -> None:
        """
        Run one statement that writes exactly one row or fails; for a server far away this is the quickest way to.

        Raises:
            StoreError: As `execute`.
        """

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """
        Run one statement for each row of values.

        Raises:
            StoreError: As `execute`.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """
        Commit what is written inside durably and completely, or roll all of it back when anything is raised.

        Inside another transaction it is part of that one.

        Raises:
            StoreError: It could not begin or commit; nothing of it is kept.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """Show all reads inside one state of the database, whatever other processes commit meanwhile."""

    def tables(self) -> frozenset[str]:
        """Return the names of all tables."""

    def require_sound(self) -> None:
        """
        Check, fast enough for each start, that the database can be used; change nothing.

        Raises:
            StoreError: It is damaged, or set up so that it cannot hold what is stored.
        """

    def make_durable(self) -> None:
        """
        Let commits outlive a power cut, and others read meanwhile; only for a database that is known to be ours.

        Raises:
            StoreError: It cannot be done here.
        """

    def check(self) -> list[str]:
        """Check what lies below the rows thoroughly; return what is wrong, a line each."""

    def backup(self, path: Path) -> None:
        """
        Write a copy as of one instant into a new file, while others go on reading and writing.

        Raises:
            StoreError: It cannot be written, or this database is copied by another tool, which the text names.
        """

    def close(self) -> None:
        """Close the connection; may be called more than once."""
