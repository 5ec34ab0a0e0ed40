"""A fresh store in a file of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alertd.store.store import Store
from tests.core.builders import (
    DAY,
    NOW,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/alertd.db", now=NOW - DAY)
    yield opened
    opened.close()
