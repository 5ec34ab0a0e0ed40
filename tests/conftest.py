"""What every test is kept from, the logging that another one set up; and the one database server that they share."""

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

# Each worker and each command that a test starts would compile some thousand modules again: a minute of every run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if sys.version_info < (3, 13):
    # As Python does from 3.13 on. Before, the end of each loop asked whether the handler of Ctrl-C is a number, by an
    # exception that words the handler, its task and all that the task returned, twice: of a fixture that returns a
    # daemon, for half a second.
    number_named = vars(signal)["_int_to_enum"]
    vars(signal)["_int_to_enum"] = lambda value, kind: number_named(value, kind) if isinstance(value, int) else value

# Nothing of what is collected is garbage, and the collector would look through all of it again and again.
gc.disable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Collect garbage from here on, of what tests make alone."""
    gc.freeze()
    gc.enable()


# A loaded machine is no fault of what is tested.
settings.register_profile("alertd", examples(12, thorough=100))
settings.load_profile("alertd")

# A fixture that stops the clock must not stop pytest's own, by which it measures durations and finds what hangs.
freezegun.configure(extend_ignore_list=["_pytest.timing", "pytest_timeout"])


# Each durable commit waits for the disk, and so do the other workers: a third of the run. Power cuts are not tested.
MEMORY = "/dev/shm"
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)


CERTIFI_WHERE = certifi.where
OUTGOING = {"SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}


@pytest.fixture(autouse=True, scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """
    Run without the settings, proxies, certificates and the width of the terminal of whoever runs the tests.

    ALERTD_TEST_… was read when the modules were collected. One authority is trusted in place of some hundred and forty,
    which take 30 ms to read in each test that builds a client; tests of TLS name their own.
    """
    for name in list(os.environ):
        if name.upper().startswith("ALERTD_") or name in {"COLUMNS", *OUTGOING} or name.lower().endswith("_proxy"):
            del os.environ[name]
    authority = tmp_path_factory.mktemp("trust") / "authority.pem"
    authority.write_text(certifi.contents().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    os.environ["SSL_CERT_FILE"] = str(authority)
    with pytest.MonkeyPatch.context() as patch:
        # Also for those who hand over an environment of their own.
        patch.setattr("certifi.where", lambda: str(authority))
        yield


@pytest.fixture
def every_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust Mozilla's authorities, as outside of tests."""
    monkeypatch.setattr("certifi.where", CERTIFI_WHERE)


@functools.cache
def migrated() -> SqliteDatabase:
    """Today's schema without rows, made once by the steps themselves."""
    database = SqliteDatabase(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), None)
    migrate(database, shipped_migrations())
    return database


@pytest.fixture(autouse=True, scope="session")
def migrated_once() -> Iterator[None]:
    """
    Let stores in new files begin with a copy of today's schema: its steps take ten times as long, in each of thousands.

    `migrate` itself is what it is, and whoever tests the first start asks for `every_step`.
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
    """Let a new store take each step from the first on, as outside of tests."""
    monkeypatch.setattr("alertd.store.store.migrate", migrate)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Put logging back as it was: a stream that a test captured is closed after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    AWAITED.clear()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def unused_tcp_port() -> int:
    """In place of pytest-asyncio's, whose port may be taken before it is used."""
    return free_port()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, started when the first test asks for it."""
    with running_server() as server:
        yield server
