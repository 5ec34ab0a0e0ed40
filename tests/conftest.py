"""Fixtures that isolate tests from the environment and from each other, and their shared database server."""

import functools
import gc
import logging
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator, Sequence

import certifi
import freezegun
import pytest
import structlog
from hypothesis import settings

from alertd.log import AWAITED
from alertd.store.migrate import Migration, has_tables, migrate, shipped_migrations
from alertd.store.sqlite import SqliteDatabase
from tests.examples import examples
from tests.ports import free_port
from tests.postgres_server import PostgresServer, running_server

pytest_plugins = ["tests.workers"]

# Without bytecode every worker and every started command would compile a thousand modules: a minute per run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if sys.version_info < (3, 13):
    # As in Python 3.13. Earlier versions test at the end of each loop whether the handler of Ctrl-C is a number, by
    # raising an exception that formats the handler, its task and the task's result, twice: half a second for a
    # fixture that returns a daemon.
    number_named = vars(signal)["_int_to_enum"]
    vars(signal)["_int_to_enum"] = lambda value, kind: number_named(value, kind) if isinstance(value, int) else value

# Collected test modules are not garbage, and the garbage collector would scan them all repeatedly.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Enable garbage collection, only for objects created from here on."""
    gc.freeze()
    gc.enable()


# No deadlines, because a busy machine must not fail a test.
settings.register_profile("alertd", examples(12, thorough=100))
settings.load_profile("alertd")

# A fixture that stops the clock must not stop pytest's clock, which measures durations and detects hanging tests.
freezegun.configure(extend_ignore_list=["_pytest.timing", "pytest_timeout"])


# In memory: waiting for the disk at each durable commit takes a third of the run. Power cuts are not tested.
MEMORY = "/dev/shm"
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


CERTIFI_WHERE = certifi.where
OUTGOING = {"SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}


@pytest.fixture(autouse=True, scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """
    Run without the settings, proxies, certificates and terminal width of the person who runs the tests.

    ALERTD_TEST_… was read when the modules were collected. One authority is trusted instead of about 140, which take
    30 ms to read in each test that builds a client; tests of TLS name their own.
    """
    for name in list(os.environ):
        if name.upper().startswith("ALERTD_") or name in {"COLUMNS", *OUTGOING} or name.lower().endswith("_proxy"):
            del os.environ[name]
    authority = tmp_path_factory.mktemp("trust") / "authority.pem"
    authority.write_text(certifi.contents().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    os.environ["SSL_CERT_FILE"] = str(authority)
    with pytest.MonkeyPatch.context() as patch:
        # Also for tests that pass their own environment.
        patch.setattr("certifi.where", lambda: str(authority))
        yield


@pytest.fixture
def every_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust Mozilla's authorities, as in production."""
    monkeypatch.setattr("certifi.where", CERTIFI_WHERE)


@functools.cache
def migrated() -> SqliteDatabase:
    """Return a database with the current schema and no rows, made once by the migrations."""
    database = SqliteDatabase(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), None)
    migrate(database, shipped_migrations())
    return database


@pytest.fixture(autouse=True, scope="session")
def migrated_once() -> Iterator[None]:
    """
    Create new SQLite stores from a copy of the current schema: running the migrations takes ten times as long.

    `migrate` itself is unchanged; tests of the first start use `every_step`.
    """

    def begin(database: object, migrations: Sequence[Migration]) -> None:
        if isinstance(database, SqliteDatabase) and not has_tables(database):
            migrated().copy_into(database)
        migrate(database, migrations)  # type: ignore[arg-type] # either driver

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alertd.store.store.migrate", begin)
        yield


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a new store run every migration, as in production."""
    monkeypatch.setattr("alertd.store.store.migrate", migrate)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Restore logging after each test, because streams that a test captured are closed after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    AWAITED.clear()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def unused_tcp_port() -> int:
    """Replace pytest-asyncio's fixture, whose port may be taken before it is used."""
    return free_port()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, started for the first test that needs it."""
    with running_server() as server:
        yield server
