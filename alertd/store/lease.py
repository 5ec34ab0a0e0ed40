"""
The lease: which daemon may write a database that several hosts reach, and since when that is another one.

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
"""How long a lease lasts that is not renewed: a new holder comes so long after the last sign of the one before."""
RENEW_S = 5.0
"""Two renewals may fail before the lease runs out."""
_TABLE = "alertd_lease"
"""Not among the migrations: it must be there before the first of them, and an SQLite file needs none."""
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
    # Nobody can hold it for longer: the database's clock was put back, and a holder that lives renews it soon.
    "AND expires_at <= clock_timestamp() + ? * interval '1 second'"
)
_LONGEST_S = 3600
"""A lease that seems to last longer was taken before the database's clock was put back by an hour or more."""
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
Returns the transaction's id, and nothing where another holds the lease.

KEY SHARE lets the holder renew meanwhile, which changes no key, and makes whoever takes the lease wait.
"""


class StoreHeld(StoreLocked):
    """Another process holds the lease of this database; `holder` says which, by host and pid."""

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
    Held from `take` to `release`, renewed meanwhile by a thread of its own.

    Args:
        database: A connection of its own: renewals wait for nothing that the store does. Closed by `release`.
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
                # Asked again: it may have been taken while this one waited for the lock.
                _require_free(database)
                database.execute(_TAKE, (this_process(), LEASE_S))
        except BaseException:
            database.close()
            raise
        return cls(database, epoch + 1, on_lost)

    def _keep(self) -> None:
        while not self._ending.wait(RENEW_S):
            # What fails here is tried again: as long as nobody takes the lease, nothing is lost.
            try:
                is_ours = self._database.execute(_RENEW, (LEASE_S, self.epoch))
            except StoreError:
                # The store itself logs what is wrong with the database.
                continue
            except Exception:  # noqa: BLE001 -- the boundary of the thread: it must not end without a word
                get_logger().exception("lease not renewed")
                continue
            if not is_ours:
                self._on_lost()
                return

    def release(self) -> None:
        """Let the next one take the lease at once; may be called more than once."""
        if self._ending.is_set():
            return
        self._ending.set()
        self._thread.join()
        # Where the database cannot be reached the lease ends by itself.
        with suppress(StoreError):
            self._database.execute(_RELEASE, (self.epoch,))
        self._database.close()


def make_table(database: Database, name: str, columns: str) -> None:
    """
    Make a table that is none of the migrations', unless it is there.

    Raises:
        StoreError: The database failed.
    """
    if name in database.tables():
        return
    try:
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} {columns}")
    except StoreError:
        # Two that start at once on a new database make the same table, and one of them fails.
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
    """Return this host's name and the process's id, as the other replicas show it."""
    return f"{os.uname().nodename} (pid {os.getpid()})"


def _require_free(database: Database) -> None:
    holder = holder_of(database)
    if holder is not None:
        raise StoreHeld(database.place, holder)
