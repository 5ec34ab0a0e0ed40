"""Kills, full disks and torn files: what was committed stays, what was not leaves no trace."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from alertd.errors import StoreError
from alertd.store import sqlite as sqlite_module
from alertd.store.lock import StoreLocked
from alertd.store.migrate import shipped_migrations
from alertd.store.store import Store
from tests.store.child import save
from tests.store.samples import HOUR, NOW, block_of, change_of, table_of

# A new store is part of what is tested here.
pytestmark = pytest.mark.usefixtures("every_step")


@pytest.fixture
def url(path: Path) -> str:
    """A file: its log and its lock are tested here."""
    return f"sqlite:///{path}"


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(url: str) -> Iterator[Start]:
    """Start a child in a mode; those still running at the end are killed."""
    children: list[subprocess.Popen[str]] = []

    def begin(mode: str, **more: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.store.child", mode, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | more,
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        kill(child)


def kill(child: "subprocess.Popen[str]") -> None:
    child.kill()
    child.communicate()


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def kept(store: Store) -> int:
    """How many saves the store holds; each must be there whole."""
    assert store.check() == []
    series, books = store.bills.load_series(), store.bills.load_books()
    if not books:
        return 0
    count = len(books["a", "gpu"].hours)
    assert sorted(books["a", "gpu"].hours) == [HOUR + n for n in range(count)]
    assert len(series) == 50 + count - 1
    return count


@pytest.mark.slow
def test_kill_when_committed_then_all_is_there(start: Start, url: str) -> None:
    """A reader sees it before anybody repairs, and the next daemon too."""
    child = start("commit")
    assert line(child.stdout) == "committed"
    kill(child)
    with closing(Store.open_read_only(url)) as reader:
        assert kept(reader) == 2
    with closing(Store.open(url, now=NOW)) as store:
        assert kept(store) == 2
        assert [entry.key for entry in store.outbox.open_entries()] == ["k0", "k1"]
        assert store.alerts.all_alerts()[0].repeat_count == 1


@pytest.mark.slow
def test_kill_when_inside_a_transaction_then_nothing_of_it_is_there(start: Start, url: str) -> None:
    """Facts without decisions, or half an hour's rows, would be believed."""
    child = start("interrupt")
    assert line(child.stdout) == "inside"
    kill(child)
    with closing(Store.open(url, now=NOW)) as store:
        assert kept(store) == 1
        assert [entry.key for entry in store.outbox.open_entries()] == ["k0"]


@pytest.mark.parametrize("commits", [0, 1, 3, 7])
@pytest.mark.slow
def test_kill_when_writing_at_full_speed_then_what_was_said_is_there(start: Start, url: str, commits: int) -> None:
    """The moment of the kill is wherever the child happens to be."""
    child = start("run")
    for number in range(commits + 1):
        assert line(child.stdout) == str(number)
    os.kill(child.pid, signal.SIGKILL)
    # Not communicate(): it would pass over lines that were read ahead.
    assert child.stdout is not None
    said = len(child.stdout.read().split()) + commits + 1
    child.wait()
    with closing(Store.open(url, now=NOW)) as store:
        assert said <= kept(store) <= said + 1
        assert said <= len(store.outbox.open_entries()) <= said + 1


@pytest.mark.slow
def test_kill_when_migrating_then_the_version_before_is_whole(start: Start, url: str) -> None:
    """A half-changed schema could be opened by no version at all."""
    with closing(Store.open(url, now=NOW)) as store:
        save(store, 0)
    child = start("upgrade")
    assert line(child.stdout) == "migrating"
    kill(child)
    with closing(Store.open(url, now=NOW)) as store:
        assert kept(store) == 1
        assert store.meta.get("schema_version") == str(len(shipped_migrations()))
        assert store.cycles.last(1) == ()
        assert "later" not in store._database.tables()


@pytest.mark.slow
def test_log_when_its_tail_is_torn_then_the_commit_before_stands(start: Start, url: str, path: Path) -> None:
    """A power cut may leave the last write unfinished."""
    child = start("commit")
    assert line(child.stdout) == "committed"
    kill(child)
    log = path.with_name("alertd.db-wal")
    os.truncate(log, log.stat().st_size - 100)
    with closing(Store.open(url, now=NOW)) as store:
        assert kept(store) == 2
        assert [entry.key for entry in store.outbox.open_entries()] == ["k0"], "the last transaction is gone whole"


def test_second_writer_when_a_daemon_runs_then_refused_with_its_pid(start: Start, url: str) -> None:
    """Two daemons would send everything twice. A killed one leaves nothing behind that keeps the next out."""
    child = start("hold")
    assert line(child.stdout) == "open"
    with pytest.raises(StoreLocked, match=rf"another alertd \(pid {child.pid}\) is using this database") as caught:
        Store.open(url, now=NOW)
    assert caught.value.pid == child.pid
    Store.open_read_only(url).close()
    kill(child)
    Store.open(url, now=NOW).close()


def test_second_writer_when_it_comes_by_another_name_then_refused(store: Store, tmp_path: Path, path: Path) -> None:
    """A link to the file is the same file."""
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with pytest.raises(StoreLocked):
        Store.open(f"sqlite:///{link}", now=NOW)


def test_lock_when_the_writer_closed_then_free(url: str) -> None:
    """A restart must not wait."""
    store = Store.open(url, now=NOW)
    store.close()
    store.close()
    Store.open(url, now=NOW).close()


def test_disk_when_full_then_nothing_is_kept_and_it_goes_on_after_relief(store: Store) -> None:
    """The same connection must work again without a restart."""
    save(store, 0)
    ((pages,),) = store._database.rows(tuple[int], "PRAGMA page_count")
    store._database.execute(f"PRAGMA max_page_count = {pages + 3}")
    many = {HOUR + n: block_of(*range(20_000)) for n in range(5)}
    with pytest.raises(StoreError, match="the disk is full; make room"):
        store.save_facts(table_of(20_000), books=[change_of(many)])
    assert kept(store) == 1
    store._database.execute("PRAGMA max_page_count = 1000000")
    save(store, 1)
    assert kept(store) == 2


@pytest.mark.slow
def test_file_size_when_limited_then_nothing_is_kept_and_it_goes_on_after_relief(start: Start) -> None:
    """An I/O error rolls back like a full disk."""
    child = start("limit")
    said, _ = child.communicate()
    error, held, checked = said.splitlines()
    assert "reading or writing failed; check the disk, quotas and file size limits" in error
    assert held == "kept 50 series, 1 hours"
    assert checked == "check []"


FAILING_SYNC = """
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int synced(long call, int file) {
    const char *marker = getenv("SYNC_FAILS");
    if (marker && unlink(marker) == 0) { errno = EIO; return -1; }
    return syscall(call, file);
}
int fsync(int file) { return synced(SYS_fsync, file); }
int fdatasync(int file) { return synced(SYS_fdatasync, file); }
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is installed (Debian: gcc)")
def test_sync_when_it_fails_once_then_that_commit_is_none_and_the_next_one_holds(
    start: Start, url: str, tmp_path: Path
) -> None:
    """A disk that says EIO once and is well again has lost what it was given: it must be written and synced anew."""
    shim, marker = tmp_path / "sync.so", tmp_path / "fails"
    shim.with_suffix(".c").write_text(FAILING_SYNC, encoding="utf-8")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, shim.with_suffix(".c")], check=True)
    child = start("sync", LD_PRELOAD=str(shim), SYNC_FAILS=str(marker))
    assert child.stdin is not None
    assert line(child.stdout) == "synced"
    marker.touch()
    child.stdin.write("\n")
    child.stdin.flush()
    assert "reading or writing failed" in line(child.stdout)
    assert not marker.exists()
    assert line(child.stdout) == "kept 1 hours"
    assert line(child.stdout) == "check []"
    kill(child)
    with closing(Store.open(url, now=NOW)) as store:
        assert kept(store) == 2
        assert [entry.key for entry in store.outbox.open_entries()] == ["k0", "k1"]


@pytest.mark.slow
def test_log_when_a_reader_never_ends_then_writing_goes_on_and_afterwards_it_is_small_again(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's sqlite3 shell that stays open keeps the log from being emptied, and nobody waits for it."""
    monkeypatch.setattr(sqlite_module, "_WAL_LIMIT_BYTES", 100_000)
    count, log = "SELECT count(*) FROM bill_hour", path.with_name("alertd.db-wal")
    block = block_of(*range(20_000))
    many = {HOUR + number: block for number in range(36)}
    table = table_of(20_000)
    with closing(Store.open(url, now=NOW)) as store, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute(count).fetchone() == (0,)
        for hour, block in many.items():
            store.save_facts(table, books=[change_of({hour: block})])
        # SQLite moves it into the file from a thousand pages on.
        assert log.stat().st_size > 1_000 * 4_096
        assert reader.execute(count).fetchone() == (0,), "it reads on what it began with"
        reader.execute("COMMIT")
        for hour in (HOUR, HOUR + 1, HOUR):
            store.save_facts(table, books=[change_of({hour: block_of(hour - HOUR + 1)})])
        assert log.stat().st_size < 500_000
        assert store.check() == []


def test_file_when_locked_by_another_program_then_said_so(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's open sqlite3 shell must be named as the cause; afterwards all goes on."""
    monkeypatch.setattr(sqlite_module, "BUSY_TIMEOUT_MS", 20)
    with closing(Store.open(url, now=NOW)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process keeps it locked"):
            save(store, 0)
        other.execute("COMMIT")
        save(store, 0)
        assert kept(store) == 1


@pytest.mark.parametrize("is_replaced", [False, True], ids=["deleted", "replaced"])
def test_file_when_gone_while_in_use_then_writing_is_refused(store: Store, path: Path, is_replaced: bool) -> None:
    """SQLite would go on writing into a file without a name, and all of it would vanish at the next start."""
    save(store, 0)
    path.rename(path.with_name("elsewhere.db"))
    if is_replaced:
        path.touch()
    with pytest.raises(StoreError, match="was moved, deleted or replaced while in use"):
        save(store, 1)
    path.with_name("elsewhere.db").rename(path)
    save(store, 1)
    assert kept(store) == 2
