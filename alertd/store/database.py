"""
The interface of a database driver for the modules of the tables, so that each of them is written once.

SQL here is what SQLite and PostgreSQL share: `?` marks values in order and appears nowhere else, columns are named,
upserts are ON CONFLICT. A driver turns every failure that a user can fix into StoreError.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from alertd.core.dataclass import dataclass

Value = int | str | bytes | None
"""Values of a column: 64-bit integers, text, bytes."""

ShapeT = TypeVar("ShapeT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The SQL fragments in which migrations differ between databases."""

    blob: str
    """Type of a column of bytes."""
    text: str
    """Type of a column of text, compared and ordered by UTF-8 bytes."""
    identity: str
    """Type of a primary key that is generated in ascending order and never reused."""
    find: str
    """The function that returns the position, from 1, of a text within another; 0 if absent."""
    server_only: str
    """Prefix of statements for a server only: empty there, the start of a comment elsewhere."""
    now: str = ""
    """Expression for the database's own time in microseconds since 1970; empty if it has no clock."""


class Database(Protocol):
    """One connection, used by one thread, until `close`."""

    @property
    def place(self) -> str:
        """The database's name for errors, without a password."""

    @property
    def dialect(self) -> Dialect:
        """The SQL fragments for this database's migrations."""

    @property
    def failures(self) -> int:
        """How many transactions were not committed: what a caller remembers of their writes is not stored."""

    def rows(self, shape: type[ShapeT], sql: str, values: Sequence[Value] = ()) -> list[ShapeT]:
        """
        Return every row of a query as *shape*, a NamedTuple or tuple type with one item for each column.

        Raises:
            StoreError: The database failed, or a row does not have that shape.
        """

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """
        Run a statement and return how many rows it wrote; safe to repeat only if the statement is.

        Raises:
            StoreError: The database failed; leaving the surrounding transaction rolls it back.
        """

    def write(self, sql: str, values: Sequence[Value] = ()) -> None:
        """
        Run a statement whose count of rows is not needed; for a server far away this is the quickest way.

        Raises:
            StoreError: As `execute`, at the latest when the surrounding transaction ends.
        """

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """
        Run one statement for each row of values.

        Raises:
            StoreError: As `write`.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """
        Commit all writes inside durably and completely, or roll all of them back if anything is raised.

        A nested transaction is part of the outer one.

        Raises:
            StoreError: It could not begin or commit; nothing of it is stored.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """Make all reads inside see the same state of the database, whatever other processes commit meanwhile."""

    def tables(self) -> frozenset[str]:
        """Return the names of all tables."""

    def require_sound(self) -> None:
        """
        Check that the database can be used, quickly enough for every start, without changing it.

        Raises:
            StoreError: It is damaged or has unsuitable settings.
        """

    def make_durable(self) -> None:
        """
        Make commits survive a power cut and allow concurrent readers; only for a database known to be ours.

        Raises:
            StoreError: It is not possible here.
        """

    def check(self) -> list[str]:
        """Check everything below the rows thoroughly; return the faults, one line each."""

    def backup(self, path: Path) -> None:
        """
        Write a consistent copy into a new file while others continue to read and write.

        Raises:
            StoreError: It cannot be written, or another tool copies this database, as the text says.
        """

    def close(self) -> None:
        """Close the connection; may be called repeatedly."""
