"""
The SQLite driver: one connection to one file, opened so that commits survive a power cut.

It knows pragmas, file modes and error codes, but not what the tables mean.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from alertd.errors import StoreError
from alertd.store.database import Dialect, ShapeT, Value
from alertd.store.file_faults import is_file_there, refused

BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits for another process that has locked the file."""

_OWNER_ONLY = 0o600
# Backfills write a WAL of tens of megabytes; after a checkpoint it shrinks to this size.
_WAL_LIMIT_BYTES = 64 * 1024 * 1024
_CACHE_KIB = 2 * 1024
"""Page cache for repeated queries; blocks are read once, in sequence, and the system caches the file."""
_DIALECT = Dialect(
    blob="BLOB", text="TEXT", identity="INTEGER PRIMARY KEY AUTOINCREMENT", find="instr", server_only="--"
)

_RESTORE = (
    "stop alertd, keep a copy of the file and put a backup (`alertd db backup`) in its place; "
    "bills still in the API are read again"
)
_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full; make room, a running alertd carries on by itself",
    sqlite3.SQLITE_IOERR: "reading or writing failed; check the disk, quotas and file size limits",
    sqlite3.SQLITE_READONLY: "it cannot be written; let this user write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; the folder must exist and this user must be allowed to use it",
    sqlite3.SQLITE_PERM: "it cannot be opened; let this user read and write the file and its folder",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; close whatever else has it open",
    sqlite3.SQLITE_CORRUPT: f"it is damaged; {_RESTORE}",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database; set ALERTD_DATABASE_URL to another file",
}


class SqliteDatabase:
    """A connection for the thread that opened it, until `close`."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self._path = path
        self._stands_for = path
        self._identity = None if path is None else _identity(path)
        self._failures = 0

    @classmethod
    def open(cls, path: Path) -> "SqliteDatabase":
        """
        Open a file for writing; create it with mode 0600 if needed.

        Raises:
            StoreError: It cannot be opened or written, or is not an SQLite database.
        """
        create_file(path)
        return cls._connect(path, mode="rw")

    @classmethod
    def open_read_only(cls, path: Path) -> "SqliteDatabase":
        """
        Open a file for reading, whether or not another process writes to it.

        Raises:
            StoreError: There is none, or it cannot be read.
        """
        if not is_file_there(path):
            raise StoreError(f"no database at {path}; start `alertd run` first or set ALERTD_DATABASE_URL")
        return cls._connect(path, mode="ro")

    @classmethod
    def open_memory(cls, *, stands_for: Path | None = None) -> "SqliteDatabase":
        """
        Open an empty in-memory database.

        Args:
            stands_for: The file of which it will be a copy, for errors.
        """
        database = cls(sqlite3.connect(":memory:", isolation_level=None), None)
        database._stands_for = stands_for
        database._configure()
        return database

    @classmethod
    def _connect(cls, path: Path, *, mode: str) -> "SqliteDatabase":
        with _explained(str(path)):
            # Autocommit: this module begins and ends transactions itself.
            connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
        try:
            database = cls(connection, path)
            database._configure()
        except BaseException:
            connection.close()
            raise
        return database

    def _configure(self) -> None:
        self.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        self.execute("PRAGMA foreign_keys = ON")
        self.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    def make_durable(self) -> None:
        """
        See `Database.make_durable`; it changes the file.

        Raises:
            StoreError: The file system cannot hold a write-ahead log.
        """
        if self._path is None:
            return
        if self.rows(tuple[str], "PRAGMA journal_mode = WAL") != [("wal",)]:
            raise StoreError(f"{self.place}: this file system cannot hold a write-ahead log; use a local disk")
        # NORMAL would lose acknowledged commits in a power cut. https://sqlite.org/pragma.html#pragma_synchronous
        self.execute("PRAGMA synchronous = FULL")
        self.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")

    @property
    def place(self) -> str:
        """The file's path, even for an in-memory copy."""
        return "the database in memory" if self._stands_for is None else str(self._stands_for)

    @property
    def dialect(self) -> Dialect:
        """SQLite's dialect."""
        return _DIALECT

    @property
    def failures(self) -> int:
        """See `Database.failures`."""
        return self._failures

    def rows(self, shape: type[ShapeT], sql: str, values: Sequence[Value] = ()) -> list[ShapeT]:
        """See `Database.rows`."""
        with _explained(self.place):
            found = self._connection.execute(sql, values).fetchall()
        try:
            return msgspec.convert(found, list[shape])  # type: ignore[valid-type] # a type known only at run time
        except msgspec.ValidationError as error:
            raise StoreError(f"{self.place}: a row is not as it was written: {error}; {_RESTORE}") from error

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """See `Database.execute`."""
        with _explained(self.place):
            return self._connection.execute(sql, values).rowcount

    def write(self, sql: str, values: Sequence[Value] = ()) -> None:
        """See `Database.write`."""
        self.execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """See `Database.executemany`."""
        with _explained(self.place):
            self._connection.executemany(sql, rows)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Database.transaction`."""
        if self._connection.in_transaction:
            yield
            return
        self._require_in_place()
        with self._bracket("BEGIN IMMEDIATE"):
            yield

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See `Database.snapshot`."""
        if self._connection.in_transaction:
            yield
            return
        with self._bracket("BEGIN"):
            yield

    @contextlib.contextmanager
    def _bracket(self, begin: str) -> Iterator[None]:
        self.execute(begin)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._failures += 1
            # A full disk or a failed write has already caused a rollback. https://sqlite.org/lang_transaction.html
            if self._connection.in_transaction:
                self.execute("ROLLBACK")
            raise

    def tables(self) -> frozenset[str]:
        """See `Database.tables`."""
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        return frozenset(name for (name,) in self.rows(tuple[str], sql))

    def require_sound(self) -> None:
        """
        Check the file's pages, quickly enough for every start.

        Raises:
            StoreError: It is damaged.
        """
        faults = self._faults("PRAGMA quick_check(1)")
        if faults:
            raise StoreError(f"{self.place}: it is damaged ({' '.join(faults[0].split())}); {_RESTORE}")

    def check(self) -> list[str]:
        """Check pages, indexes and references thoroughly; return the faults, one line each."""
        try:
            faults = self._faults("PRAGMA integrity_check(100)")
            sql = 'SELECT "table", rowid, parent FROM pragma_foreign_key_check'
            # References of damaged pages mean nothing.
            orphans = [] if faults else self.rows(tuple[str, int | None, str], sql)
        except StoreError as error:
            # Some damage prevents SQLite from checking any further.
            return [str(error)]
        return faults + [
            f"table {table}: row {row} refers to a row of {parent} that is not there" for table, row, parent in orphans
        ]

    def _faults(self, sql: str) -> list[str]:
        return [text for (text,) in self.rows(tuple[str], sql) if text != "ok"]

    def copy_into(self, target: "SqliteDatabase") -> None:
        """
        Replace the content of *target* by a consistent copy.

        Raises:
            StoreError: Reading here or writing there failed.
        """
        with _explained(f"{self.place} or {target.place}"):
            self._connection.backup(target._connection)  # noqa: SLF001 -- another of this class

    def backup(self, path: Path) -> None:
        """
        Write a consistent copy into a new file of mode 0600 while others continue to read and write.

        Raises:
            StoreError: The file already exists or cannot be written.
        """
        if path.exists():
            raise StoreError(f"{path}: exists already; name a new file for the backup")
        draft = path.with_name(f"{path.name}.part")
        draft.unlink(missing_ok=True)
        try:
            target = SqliteDatabase.open(draft)
            try:
                self.copy_into(target)
                target.require_sound()
            finally:
                target.close()
            draft.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise refused(path, "the backup cannot be written", error) from error
        finally:
            draft.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the connection, moving the write-ahead log into the file; may be called repeatedly."""
        self._connection.close()

    def _require_in_place(self) -> None:
        """Refuse to write to a file that was moved or deleted, which SQLite does not notice."""
        if self._path is not None and _identity(self._path) != self._identity:
            raise StoreError(f"{self.place}: was moved, deleted or replaced while in use; put it back, restart alertd")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def create_file(path: Path) -> None:
    """
    Create an empty file that only its owner can read, unless it exists; the log files beside it inherit its mode.

    Raises:
        StoreError: It cannot be created, or is not a file.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        is_file_there(path)
    except OSError as error:
        raise refused(path, "cannot be created", error) from error
    else:
        os.close(descriptor)
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn errors that the user can fix into StoreError; violated constraints and misuse pass unchanged."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except sqlite3.Error as error:
        # The low byte is the kind of failure. Without a code, the text was not valid UTF-8.
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        remedy = _REMEDIES.get(kind, f"run `alertd db check`; if it finds damage, {_RESTORE}")
        raise StoreError(f"{place}: {error}: {remedy}") from error
