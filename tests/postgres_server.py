"""
A PostgreSQL server for tests, in a temporary folder, reached by a Unix socket and removed afterwards.

It does not survive a crash of the machine (fsync is off by default): the daemon's guarantees are tested against
crashes of processes and connections. Its collation is that of a language, as in most installations, not of bytes.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest

_HOMES = (Path("/usr/lib/postgresql"), Path("/usr/local/bin"), Path("/usr/bin"))
NOBODY = 65534
_PR_SET_PDEATHSIG = 1
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}
"""Server settings. The driver itself must turn synchronous_commit on, whatever is set here."""
_WHO_IS_ASKED = """
local all with_password scram-sha-256
local all barred reject
local all peer peer
"""
"""Roles that are not simply let in, for tests that create them."""
PASSWORD = "canary-database-password"
USER = "alertd"


def find_programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`, of the newest version; None if there is none."""
    folders = [*sorted(_HOMES[0].glob("*/bin"), reverse=True), *_HOMES[1:]]
    found = shutil.which("initdb")
    folders += [Path(found).parent] if found else []
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


class PostgresServer:
    """A running server; each test gets a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)

    def url(self, database: str, *, user: str = USER) -> str:
        """Return an ALERTD_DATABASE_URL; its password is not checked, and must never be displayed."""
        return f"postgresql://{user}:{PASSWORD}@/{database}?host={self.folder}"

    @contextmanager
    def database(self, options: str = "") -> Iterator[str]:
        """Create an empty database for the block; yield its URL."""
        name = self.create(options)
        yield self.url(name)
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def create(self, options: str = "") -> str:
        """Create an empty database that exists as long as the server; return its name."""
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        return name

    def run(self, sql: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the superuser; return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def cut(self, url: str, *, but: str = "") -> int:
        """End every session in a database, as a failover does; return the number of sessions."""
        sql = (
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            f"WHERE datname = '{name_of(url)}' AND pid <> pg_backend_pid() {but}"
        )
        return len(self.run(sql))


def name_of(url: str) -> str:
    """Return the name of the database in a URL."""
    return url.partition("?")[0].rpartition("/")[2]


@contextmanager
def running_server(*, is_durable: bool = False) -> Iterator[PostgresServer]:
    """Run a server for the block; skip the test if PostgreSQL is not installed."""
    programs = find_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="alertd-pg-"))
    # The server refuses to run as root.
    is_root = os.getuid() == 0
    owner, groups = (NOBODY, list[int]()) if is_root else (None, None)
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
    try:
        subprocess.run(
            [
                *(programs / "initdb", "-D", folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"),
                *("--locale=C", "--locale-provider=icu", "--icu-locale=en-US", "--no-instructions"),
            ],
            check=True,
            capture_output=True,
            user=owner,
            group=owner,
            extra_groups=groups,
        )
        rules = folder / "data" / "pg_hba.conf"
        rules.write_text(_WHO_IS_ASKED + rules.read_text(encoding="utf-8"), encoding="utf-8")
        chosen = _SETTINGS | ({"fsync": "on", "full_page_writes": "on"} if is_durable else {})
        settings = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", "-k", folder, *settings],
                stdout=log,
                stderr=log,
                user=owner,
                group=owner,
                extra_groups=groups,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 -- a call to the kernel and nothing else
            )
        try:
            yield _answering(server, folder)
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_with_parent() -> None:
    """Have the kernel end the server when the test process ends, even if it is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _answering(server: "subprocess.Popen[bytes]", folder: Path) -> PostgresServer:
    found = PostgresServer(folder)
    # It takes a second; what takes this long hangs, also where much else runs.
    for _ in range(5_000):
        with suppress(psycopg.OperationalError):
            found.run("SELECT 1")
            return found
        assert server.poll() is None, (folder / "log").read_text()
        time.sleep(0.02)
    raise AssertionError("the server does not answer: " + (folder / "log").read_text())
