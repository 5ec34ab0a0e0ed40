"""What every test is kept from, the logging that another one set up; and the one database server that they share."""

import logging
import os
from collections.abc import Iterator

import freezegun
import pytest
import structlog
from hypothesis import settings

from tests.ports import free_port
from tests.postgres_server import PostgresServer, running_server

# A loaded machine is no fault of what is tested.
settings.register_profile("alertd", deadline=None)
settings.load_profile("alertd")

# A fixture that stops the clock must not stop pytest's own, by which it measures durations and finds what hangs.
freezegun.configure(extend_ignore_list=["_pytest.timing", "pytest_timeout"])


@pytest.fixture(autouse=True, scope="session")
def own_environment() -> None:
    """Run without the settings of whoever runs the tests; ALERTD_TEST_… was read when the modules were collected."""
    for name in [name for name in os.environ if name.upper().startswith("ALERTD_")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Put logging back as it was: a stream that a test captured is closed after it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
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
