"""One SQLite file by two names is one database."""

from contextlib import closing
from pathlib import Path

import pytest

from alertd.errors import StoreError
from alertd.store.store import Store
from tests.core.builders import NOW


def test_file_when_another_daemon_has_it_by_a_hard_link_then_refused(tmp_path: Path) -> None:
    """Its other name has a lock file and a write-ahead log of its own: two daemons would ruin it."""
    first, second = tmp_path / "one" / "alertd.db", tmp_path / "two" / "alertd.db"
    for path in (first, second):
        path.parent.mkdir()
    with closing(Store.open(f"sqlite:///{first}", now=NOW)) as store:
        second.hardlink_to(first)
        with pytest.raises(StoreError, match="another alertd is using this database"):
            Store.open(f"sqlite:///{second}", now=NOW)
        assert store.check() == []
    with closing(Store.open(f"sqlite:///{second}", now=NOW)) as again:
        assert again.check() == []
