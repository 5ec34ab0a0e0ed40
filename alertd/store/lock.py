"""The lock file beside an SQLite database that keeps a second writer out. The kernel releases it with its holder."""

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

from alertd.errors import StoreError
from alertd.store.file_faults import refused

_OWNER_ONLY = 0o600
_PID_DIGITS = 20


class StoreLocked(StoreError):
    """Another process writes to this database; `pid` is None if unknown."""

    def __init__(self, path: Path, pid: int | None) -> None:
        self.pid = pid
        who = f"another alertd (pid {pid})" if pid is not None else "another alertd"
        super().__init__(
            f"{path}: {who} is using this database; stop it first, or set ALERTD_DATABASE_URL to another file"
        )


class FileLock:
    """Held from `take` to `release`; the file stays, because removing it would let two processes hold the lock."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._database: int | None = None

    @classmethod
    def take(cls, database: Path) -> "FileLock":
        """
        Lock `<database>.lock` and write this process's id into it.

        Raises:
            StoreLocked: Another process holds it.
            StoreError: The lock file cannot be opened or written.
        """
        path = Path(f"{database}.lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, _OWNER_ONLY)
        except OSError as error:
            if error.errno == errno.ELOOP:
                # The pid must not be written into a file of somebody else's choice.
                raise StoreError(f"{path}: is a link, which alertd's lock never is; remove it") from error
            raise refused(path, "cannot be locked", error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise StoreError(f"{path}: is not a regular file, as alertd's lock is; remove it")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            pid = _read_pid(descriptor)
            os.close(descriptor)
            raise StoreLocked(database, pid) from None
        except OSError as error:
            os.close(descriptor)
            raise refused(path, "cannot be locked", error) from error
        return cls(descriptor)

    def hold(self, database: Path) -> None:
        """
        Lock the database file itself too: under a hard link it has another name, and another lock file.

        It must be there, and SQLite must not have opened it yet. Until `release`, which comes after SQLite has closed
        it: closing any descriptor of a file drops the locks that SQLite holds on it.

        Raises:
            StoreLocked: Another process holds it.
            StoreError: It cannot be opened or locked.
        """
        try:
            # For reading alone SQLite would open it, too, and fail at the first write.
            self._database = os.open(database, os.O_RDWR)
            fcntl.flock(self._database, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreLocked(database, None) from None
        except OSError as error:
            raise refused(database, "cannot be opened and locked", error) from error

    def release(self) -> None:
        """Release the lock; may be called repeatedly."""
        if self._database is not None:
            os.close(self._database)
            self._database = None
        if self._descriptor is not None:
            # A full disk must not prevent the release: the pid is only informative.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _read_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, _PID_DIGITS, 0).strip()
    return int(text) if text.isdigit() else None
