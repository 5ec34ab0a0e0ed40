"""Behind PgBouncer with transaction pooling: each transaction may meet another session, and none may matter."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from alertd.store.lease import LeaseLost, StoreHeld
from alertd.store.store import Store
from tests.postgres_server import NOBODY, PostgresServer, name_of
from tests.store.child import save
from tests.store.samples import HOUR, NOW, block_of, change_of, table_of

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
CONFIG = """
[databases]
* = host={server} user=alertd
[pgbouncer]
unix_socket_dir = {folder}
listen_port = 5432
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs PgBouncer")


@pytest.fixture
def pooled(postgres: PostgresServer) -> Iterator[tuple[str, str]]:
    """The URL of an empty database through the pooler, and past it."""
    folder = Path(tempfile.mkdtemp(prefix="alertd-pooler-"))
    config = folder / "pgbouncer.ini"
    config.write_text(CONFIG.format(server=postgres.folder, folder=folder))
    owner = NOBODY if os.getuid() == 0 else None
    if owner is not None:
        os.chown(folder, owner, owner)
        config.chmod(0o644)
    with postgres.database() as direct, (folder / "log").open("wb") as log:
        through = direct.replace(str(postgres.folder), str(folder))
        pooler = subprocess.Popen([str(PROGRAM), config], stdout=log, stderr=log, user=owner, group=owner)
        try:
            _await_answer(through, folder)
            yield through, direct
        finally:
            pooler.terminate()
            pooler.wait(10)
            shutil.rmtree(folder)


def _await_answer(url: str, folder: Path) -> None:
    for _ in range(250):
        with suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return
        time.sleep(0.02)
    raise AssertionError((folder / "log").read_text())


@dataclass(slots=True)
class Busy:
    """Another program that keeps sessions of the pool for itself in turn, so that ours moves from one to the next."""

    url: str
    held: psycopg.Connection[tuple[object, ...]] | None = None

    def move(self) -> None:
        fresh = psycopg.connect(self.url)
        fresh.execute("SELECT 1")
        self.let_go()
        self.held = fresh

    def let_go(self) -> None:
        if self.held is not None:
            self.held.close()


def test_store_when_each_transaction_meets_another_session_then_all_is_as_without(
    pooled: tuple[str, str], postgres: PostgresServer
) -> None:
    """Advisory locks, settings and prepared statements of a session would be somebody else's by now."""
    url, direct = pooled
    busy, seen = Busy(url), set[int]()
    with closing(Store.open(url, now=NOW)) as store:
        for number in range(8):
            busy.move()
            save(store, number)
            with store.transaction():
                seen |= {pid for (pid,) in store._database.rows(tuple[int], "SELECT pg_backend_pid()")}
                assert store._database.rows(
                    tuple[str, str], "SELECT current_setting('synchronous_commit'), current_setting('lock_timeout')"
                ) == [("on", "10s")]
            with pytest.raises(StoreHeld):
                Store.open(url, now=NOW)
        store.save_facts(table_of(500), books=[change_of({HOUR: block_of(*range(500))})])
        busy.let_go()
        with closing(Store.open_read_only(url)) as reader, closing(Store.open_memory_copy(url, now=NOW)) as copy:
            assert reader.check() == copy.check() == []
            assert reader.bills.load_books() == copy.bills.load_books()
        assert len(seen) > 1, "it met more than one session"
        postgres.run("UPDATE alertd_lease SET epoch = epoch + 1", database=name_of(direct))
        with pytest.raises(LeaseLost):
            save(store, 9)
    assert postgres.run("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
