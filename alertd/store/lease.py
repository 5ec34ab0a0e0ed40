"""
The lease: which daemon may write to a database that several hosts share.

A row on the database's own clock, so that hosts whose clocks differ agree; its epoch rises with each new holder. Every
transaction that writes checks the epoch inside itself and keeps others from taking the lease until it ends: a daemon
that was cut off, or slept, and comes back writes nothing. No session state is used: a transaction pooler may stand
in between.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.store.database import Database
from alertd.store.lock import StoreLocked

LEASE_S = 15
"""Seconds until a lease expires without renewal: a new holder takes over this long after the last sign of life."""
RENEW_S = 5.0
"""Seconds between renewals: two may fail before the lease expires."""
_TABLE = "alertd_lease"
"""Not among the migrations: it must exist before the first of them, and an SQLite file needs none."""
_COLUMNS = """(
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
)"""
_FIRST = (
    "INSERT INTO alertd_lease (name, holder, epoch, expires_at) VALUES ('daemon', '', 0, '-infinity') "
    "ON CONFLICT (name) DO NOTHING"
)
_HELD = (
    "SELECT holder FROM alertd_lease WHERE name = 'daemon' AND expires_at > clock_timestamp() "
    # No lease lasts longer: the database's clock was set back, and a live holder will renew soon.
    "AND expires_at <= clock_timestamp() + ? * interval '1 second'"
)
_LONGEST_S = 3600
"""A lease that seems to last longer was taken before the database's clock was set back by an hour or more."""
_LOCK = "SELECT epoch FROM alertd_lease WHERE name = 'daemon' FOR UPDATE"
_TAKE = (
    "UPDATE alertd_lease SET holder = ?, epoch = epoch + 1, expires_at = clock_timestamp() + ? * interval '1 second' "
    "WHERE name = 'daemon'"
)
_RENEW = (
    "UPDATE alertd_lease SET expires_at = clock_timestamp() + ? * interval '1 second' "
    "WHERE name = 'daemon' AND epoch = ?"
)
_RELEASE = "UPDATE alertd_lease SET expires_at = '-infinity' WHERE name = 'daemon' AND epoch = ?"
CHECK_LEASE = "SELECT pg_current_xact_id()::text FROM alertd_lease WHERE name = 'daemon' AND epoch = ? FOR KEY SHARE"
"""
Returns the transaction's id, and no row if another holds the lease.

KEY SHARE lets the holder renew meanwhile, which changes no key, and makes a process that takes the lease wait.
"""


class StoreHeld(StoreLocked):
    """Another process holds the lease of this database; `holder` is its host and pid."""

    def __init__(self, place: str, holder: str) -> None:
        self.pid = None
        self.holder = holder
        StoreError.__init__(
            self,
            f"{place}: alertd on {holder} holds the lease; stop it first. "
            f"If it has died, its lease ends within {LEASE_S} seconds: try again then",
        )


class LeaseLost(StoreError):
    """This process held the lease, and another one has taken it; nothing was written."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place}: another alertd has taken over the lease, so this one writes nothing more; start it again"
        )


class Lease:
    """
    Held from `take` to `release`, and renewed by its own thread meanwhile.

    Args:
        database: A separate connection, so that renewals never wait for the store. Closed by `release`.
        on_lost: Called in that thread when another process took the lease.
    """

    def __init__(self, database: Database, epoch: int, on_lost: Callable[[], None]) -> None:
        self._database = database
        self.epoch = epoch
        self._on_lost = on_lost
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, database: Database, *, on_lost: Callable[[], None]) -> "Lease":
        """
        Take the lease if nobody holds it.

        Raises:
            StoreHeld: Another process holds it.
            StoreError: The database failed.
        """
        try:
            make_table(database, _TABLE, _COLUMNS)
            _require_free(database)
            with database.transaction():
                database.execute(_FIRST)
                ((epoch,),) = database.rows(tuple[int], _LOCK)
                # Checked again: it may have been taken while this process waited for the lock.
                _require_free(database)
                database.execute(_TAKE, (this_process(), LEASE_S))
        except BaseException:
            database.close()
            raise
        return cls(database, epoch + 1, on_lost)

    def _keep(self) -> None:
        while not self._ending.wait(RENEW_S):
            # Failures are retried: while nobody takes the lease, nothing is lost.
            try:
                is_ours = self._database.execute(_RENEW, (LEASE_S, self.epoch))
            except StoreError:
                # The store itself logs problems of the database.
                continue
            except Exception:  # noqa: BLE001 -- the boundary of the thread: it must not end silently
                get_logger().exception("lease not renewed")
                continue
            if not is_ours:
                self._on_lost()
                return

    def release(self) -> None:
        """Release the lease, so that another process can take it at once; may be called repeatedly."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._thread.join()
        # If the database cannot be reached, the lease expires.
        with suppress(StoreError):
            self._database.execute(_RELEASE, (self.epoch,))
        self._database.close()


def make_table(database: Database, name: str, columns: str) -> None:
    """
    Create a table that is outside the migrations, unless it exists.

    Raises:
        StoreError: The database failed.
    """
    if name in database.tables():
        return
    try:
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} {columns}")
    except StoreError:
        # Two processes that start on a new database at once create the same table, and one of them fails.
        if name not in database.tables():
            raise


def holder_of(database: Database) -> str | None:
    """
    Return the host and pid of who holds the lease; None where nobody does.

    Raises:
        StoreError: The database failed.
    """
    if _TABLE not in database.tables():
        return None
    found = database.rows(tuple[str], _HELD, (_LONGEST_S,))
    return found[0][0] if found else None


def this_process() -> str:
    """Return this host's name and the process id, as other replicas show them."""
    return f"{os.uname().nodename} (pid {os.getpid()})"


def _require_free(database: Database) -> None:
    holder = holder_of(database)
    if holder is not None:
        raise StoreHeld(database.place, holder)
