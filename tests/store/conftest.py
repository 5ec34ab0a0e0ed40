"""A fresh store in a file of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alertd.store.store import Store
from tests.store.samples import NOW


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alertd.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url, now=NOW)
    yield opened
    opened.close()
