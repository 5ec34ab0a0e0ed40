"""Which driver opens a database, and what keeps a second writer out of it."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.errors import SettingsError
from alertd.store.database import Database
from alertd.store.file_faults import is_file_there
from alertd.store.lease import Lease, holder_of
from alertd.store.lock import FileLock
from alertd.store.migrate import has_tables, migrate, require_current, require_ours, shipped_migrations
from alertd.store.requests import Requests
from alertd.store.sqlite import SqliteDatabase, create_file
from alertd.store.url import PostgresUrl, parse_database_url

if TYPE_CHECKING:
    from alertd.store.postgres import PostgresDatabase


Lock = FileLock | Lease
"""Exclusive write access to a database, held by one process at a time."""


def open_to_write(url: str, *, on_lost: Callable[[], None]) -> tuple[Database, Lock | None]:
    """
    Open a database for writing; return it with the lock or lease that makes this process its only writer.

    Args:
        url: `ALERTD_DATABASE_URL`.
        on_lost: Called, in another thread, when another process took it over nevertheless.

    Raises:
        SettingsError: The URL names no database that can be used.
        StoreLocked: Another process writes to it.
        StoreError: It cannot be opened.
    """
    address = parse_database_url(url)
    if address is None:
        return SqliteDatabase.open_memory(), None
    if isinstance(address, PostgresUrl):
        return _open_postgres(address, on_lost)
    # Two names of the same file must not give two locks.
    # realpath accepts circular links; opening them reports the error.
    path = Path(os.path.realpath(address))
    is_file_there(path)
    lock = FileLock.take(path)
    try:
        create_file(path)
        lock.hold(path)
        return SqliteDatabase.open(path), lock
    except BaseException:
        lock.release()
        raise


def _open_postgres(address: PostgresUrl, on_lost: Callable[[], None]) -> tuple[Database, Lease]:
    # The lease needs a table: first check that the database is ours.
    with closing(_postgres(address, is_read_only=True)) as database:
        database.require_sound()
        require_ours(database, shipped_migrations())
    lease = Lease.take(_postgres(address), on_lost=on_lost)
    try:
        with closing(_postgres(address, epoch=lease.epoch)) as database:
            Requests(database).prepare()
        return _postgres(address, epoch=lease.epoch), lease
    except BaseException:
        lease.release()
        raise


def open_to_read(url: str) -> Database:
    """
    Open a database for reading, whether or not another process writes to it.

    Raises:
        SettingsError: The URL names no database that can be read.
        StoreError: There is none, or it cannot be opened.
    """
    address = parse_database_url(url)
    if address is None:
        raise SettingsError("ALERTD_DATABASE_URL: sqlite:// is an in-memory database, which no other process can read")
    if isinstance(address, PostgresUrl):
        return _postgres(address, is_read_only=True)
    return SqliteDatabase.open_read_only(address)


def copy_into_memory(url: str) -> SqliteDatabase:
    """
    Return an in-memory copy with the same schema; an empty database if there is nothing to copy.

    Raises:
        SettingsError: The URL names no database that can be used.
        StoreError: It cannot be read.
    """
    address = parse_database_url(url)
    memory = SqliteDatabase.open_memory(stands_for=address if isinstance(address, Path) else None)
    try:
        if isinstance(address, PostgresUrl):
            with closing(_postgres(address, is_read_only=True)) as shared:
                shared.require_sound()
                require_ours(shared, shipped_migrations())
                migrate(memory, shipped_migrations())
                if has_tables(shared):
                    require_current(shared, shipped_migrations())
                    shared.copy_into(memory)
        elif address is not None and is_file_there(address):
            with closing(SqliteDatabase.open_read_only(address)) as file:
                file.copy_into(memory)
    except BaseException:
        memory.close()
        raise
    return memory


def is_there(url: str) -> bool:
    """
    Return whether something is stored at a URL.

    Raises:
        SettingsError: The URL names no database that can be used.
        StoreError: It cannot be opened.
    """
    address = parse_database_url(url)
    if isinstance(address, PostgresUrl):
        with closing(_postgres(address, is_read_only=True)) as database:
            return has_tables(database)
    return address is not None and is_file_there(address)


class LeaseWatch:
    """Queries who holds the lease, for one thread at a time, until `close`."""

    def __init__(self, address: PostgresUrl) -> None:
        self._database = _postgres(address, is_read_only=True)

    def holder(self) -> str | None:
        """
        Return the host and pid of the lease's holder; None if nobody holds it.

        Raises:
            StoreError: The database cannot be queried.
        """
        return holder_of(self._database)

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


@contextmanager
def open_to_ask(address: PostgresUrl) -> Iterator[Requests]:
    """
    Open the table of requests, which everybody with write access to the database may use.

    Raises:
        StoreError: It cannot be opened.
    """
    with closing(_postgres(address)) as database:
        yield Requests(database)


def _postgres(address: PostgresUrl, *, is_read_only: bool = False, epoch: int | None = None) -> "PostgresDatabase":
    try:
        # An optional dependency: most installations have their store in a file.
        from alertd.store.postgres import PostgresDatabase  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            "ALERTD_DATABASE_URL: postgresql:// needs psycopg, which is not installed: pip install 'alertd[postgres]'"
        ) from None
    return PostgresDatabase(address, is_read_only=is_read_only, epoch=epoch)
