"""A fresh store in a database of its own: in a file, and in PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from alertd.store.store import Store
from tests.store.places import Place, PostgresDatabases, SqliteFiles
from tests.store.samples import NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of tests is that look at one."""
    return tmp_path / "alertd.db"


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """The kind of database: whoever asks for it runs against each."""
    return SqliteFiles() if request.param == "sqlite" else PostgresDatabases(request.getfixturevalue("postgres"))


@pytest.fixture
def url(place: Place) -> Iterator[str]:
    """An empty database."""
    with place.fresh() as fresh:
        yield fresh


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store.open(url, now=NOW)) as opened:
        yield opened
