"""How a store is opened: by which URL, with which modes, and what is refused with which words."""

import errno
import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alertd.errors import SettingsError, StoreError
from alertd.store.migrate import Migration, migrate, require_current, shipped_migrations
from alertd.store.sqlite import SqliteDatabase
from alertd.store.store import Store
from alertd.store.url import parse_database_url
from tests.postgres_server import NOBODY
from tests.store.samples import HOUR, NOW, alert_of, block_of, change_of, table_of

# A new store is part of what is tested here.
pytestmark = pytest.mark.usefixtures("every_step")


@pytest.fixture
def url(path: Path) -> str:
    """A file: what is tested here is its own."""
    return f"sqlite:///{path}"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        pytest.param("sqlite:///alertd.db", "alertd.db", id="relative"),
        pytest.param("sqlite:///./alertd.db", "alertd.db", id="relative with a dot"),
        pytest.param("sqlite:////var/lib/alertd/alertd.db", "/var/lib/alertd/alertd.db", id="absolute"),
        pytest.param("SQLite:////srv/a b%20c.db", "/srv/a b%20c.db", id="taken as written"),
        pytest.param("sqlite://", None, id="in memory"),
        pytest.param("sqlite:///:memory:", None, id="in memory, SQLAlchemy's way"),
    ],
)
def test_url_when_it_names_a_database_then_its_path(url: str, path: str | None) -> None:
    """Three slashes are relative, four absolute, as everywhere else."""
    assert parse_database_url(url) == (None if path is None else Path(path))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("postgres+psycopg://me:hunter2@db/x", "names a driver; write postgresql://", id="with a driver"),
        pytest.param("postgresql://me:hunter2@db", "names no database", id="no database"),
        pytest.param("postgresql://me:hunter2@db:99999/x", "a port is a number from 1 to 65535", id="no port"),
        pytest.param("postgresql://me:hunter2@db:0/x", "a port is a number from 1 to 65535", id="port 0"),
        pytest.param("postgresql://me:hunter2@db:65536/x", "a port is a number from 1 to 65535", id="port 65536"),
        pytest.param("postgresql://me:hunter2@db/", "names no database", id="an empty name"),
        pytest.param("postgresql://me:hun@ter2@db/x", "as %40", id="an @ in the password"),
        pytest.param("postgresql://me:hun/ter2@db/x", "as %40", id="a slash in the password"),
        pytest.param("postgresql://me:12/hunter2@db/x", "as %40", id="a slash after digits"),
        pytest.param("postgresql://me:12?hunter2@db/x", "as %40", id="a question mark in the password"),
        pytest.param("postgresql://me:12#hunter2@db/x", "as %40", id="a hash in the password"),
        pytest.param("postgresql://me:hunter2@[::1/x", "as %40", id="half an address"),
        pytest.param("mysql://me:hunter2@db/x", "unknown scheme mysql://", id="never"),
        pytest.param("me:hunter2@db/x", "is not a URL", id="no scheme"),
        pytest.param("", "is not a URL", id="empty"),
        pytest.param("sqlite://alertd.db", "needs a third slash", id="two slashes"),
        pytest.param("sqlite:///", "names no file", id="no path"),
        pytest.param("sqlite:////var/lib/", "names no file", id="a folder"),
        pytest.param("sqlite:///alertd.db?mode=ro", "options are not supported", id="options"),
    ],
)
def test_url_when_it_names_none_then_refused_without_showing_it(url: str, message: str) -> None:
    """The rest of a URL may hold a password."""
    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        parse_database_url(url)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).startswith("ALERTD_DATABASE_URL")


@pytest.mark.parametrize("umask", [0, 0o077])
def test_files_when_created_then_only_their_owner_reads_them(tmp_path: Path, url: str, umask: int) -> None:
    """Bills and messages are nobody else's business, whatever the umask."""
    before = os.umask(umask)
    try:
        with closing(Store.open(url, now=NOW)) as store:
            store.save_facts(table_of())
            store.backup(tmp_path / "copy.db")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    names = ["alertd.db", "alertd.db-wal", "alertd.db-shm", "alertd.db.lock", "copy.db"]
    assert modes == dict.fromkeys(names, 0o600)


def text_file(path: Path) -> None:
    path.write_text("This is no database, but it is long enough to look at.\n" * 100)


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")


def other_program_with_meta(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE meta (name TEXT, content TEXT)")


SHIPPED = len(shipped_migrations())


def newer(path: Path) -> None:
    Store.open(f"sqlite:///{path}", now=NOW).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE meta SET content = '99' WHERE name = 'schema_version'")
        connection.commit()


def filled(path: Path) -> None:
    with closing(Store.open(f"sqlite:///{path}", now=NOW)) as store:
        store.save_facts(table_of(500), books=[change_of({HOUR + n: block_of(*range(500)) for n in range(50)})])


def flipped_page(path: Path) -> None:
    filled(path)
    with path.open("r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xa5" * 4096)


def cut_short(path: Path) -> None:
    filled(path)
    os.truncate(path, 4096 * 20)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(text_file, "not an SQLite database; set ALERTD_DATABASE_URL", id="a text file"),
        pytest.param(Path.mkdir, "is not a file", id="a folder"),
        pytest.param(os.mkfifo, "is not a file", id="a pipe, which would block for ever"),
        pytest.param(other_program, "belongs to another program", id="another program's database"),
        pytest.param(other_program_with_meta, "belongs to another program", id="another program's with a like table"),
        pytest.param(
            newer,
            f"has schema version 99, this alertd knows up to {len(shipped_migrations())}; run the newer alertd",
            id="newer",
        ),
        pytest.param(flipped_page, "damaged", id="a garbled page"),
        pytest.param(cut_short, "damaged", id="cut short"),
    ],
)
def test_file_when_it_cannot_be_used_then_refused_with_the_remedy(
    path: Path, url: str, prepare: Callable[[Path], None], message: str
) -> None:
    """Nothing may be written into a file that is not ours, and the lock is free again."""
    prepare(path)
    content = path.read_bytes() if path.is_file() else b""
    for _ in range(2):
        with pytest.raises(StoreError, match=re.escape(message)) as caught:
            Store.open(url, now=NOW)
        assert str(path) in str(caught.value)
    # The first 100 bytes hold SQLite's own counters and its journal mode.
    assert not path.is_file() or path.read_bytes()[100:] == content[100:]


def test_folder_when_missing_then_refused_with_the_remedy(tmp_path: Path) -> None:
    """A folder that is made by guess hides a typing error."""
    with pytest.raises(StoreError, match=f"No such file or directory; make the folder {tmp_path}/missing, or set"):
        Store.open(f"sqlite:///{tmp_path}/missing/alertd.db", now=NOW)


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A store of a user without special rights; the superuser, who may run the tests, can open everything."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data" / "alertd.db"
        path.parent.mkdir()
        Store.open(f"sqlite:///{path}", now=NOW).close()
        if os.geteuid() == 0:
            for owned in (path.parent.parent, path.parent, *path.parent.iterdir()):
                os.chown(owned, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield path
        finally:
            os.seteuid(os.getuid())
            path.parent.chmod(0o700)


@pytest.mark.parametrize(
    ("place", "mode", "message"),
    [
        pytest.param("alertd.db", 0o400, "cannot be opened and locked: Permission denied", id="a file to read only"),
        pytest.param("alertd.db", 0, "cannot be opened and locked: Permission denied", id="a file of others"),
        pytest.param("alertd.db.lock", 0o400, "cannot be locked: Permission denied", id="a lock to read only"),
        pytest.param("", 0o500, "it cannot be written", id="a folder to read only"),
        pytest.param("", 0o600, "cannot be opened: Permission denied", id="a folder that nobody may enter"),
    ],
)
def test_store_when_its_user_lacks_a_right_then_refused_with_the_remedy(
    foreign: Path, place: str, mode: int, message: str
) -> None:
    """A file to read only opened without a word, and the first cycle failed; a closed folder was a traceback."""
    (foreign.parent / place).chmod(mode)
    with pytest.raises(StoreError, match=re.escape(message)) as caught:
        Store.open(f"sqlite:///{foreign}", now=NOW)
    assert str(caught.value).startswith(str(foreign))
    assert re.search("; let this user (read and )?write the file and its folder$", str(caught.value))


def test_file_when_another_program_keeps_it_locked_then_refused_with_the_remedy(
    path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools for SQLite hold a lock for as long as an edit is not committed."""
    Store.open(url, now=NOW).close()
    monkeypatch.setattr("alertd.store.sqlite.BUSY_TIMEOUT_MS", 0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="database is locked: another process keeps it locked; close whatever"):
            Store.open(url, now=NOW)


def test_disk_when_full_at_the_start_then_refused_with_the_remedy(
    path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables need room before there is a single bill."""
    connect = sqlite3.connect

    def on_a_small_disk(*given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*given, **named)
        connection.execute("PRAGMA max_page_count = 3")
        return connection

    monkeypatch.setattr(sqlite3, "connect", on_a_small_disk)
    with pytest.raises(StoreError, match=re.escape(f"{path}: database or disk is full: the disk is full; make room")):
        Store.open(url, now=NOW)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        pytest.param(errno.ENOSPC, "make room on the disk", id="full"),
        pytest.param(errno.EROFS, "mount the file system writable, or set ALERTD_DATABASE_URL", id="read-only"),
        pytest.param(errno.ENOLCK, "this file system cannot lock files; use a local disk", id="no locks"),
        pytest.param(errno.ENAMETOOLONG, "look at the disk, or set ALERTD_DATABASE_URL to another file", id="another"),
    ],
)
def test_lock_when_the_system_refuses_it_then_said_why_and_what_helps(
    path: Path, url: str, number: int, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence for every reason named five, four of which were wrong."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StoreError) as caught:
        Store.open(url, now=NOW)
    assert str(caught.value).startswith(f"{path}.lock: cannot be locked: {os.strerror(number)}; {remedy}")


def test_empty_file_when_opened_then_used(path: Path, url: str) -> None:
    """`touch` before the first start, as container recipes do."""
    path.touch()
    with closing(Store.open(url, now=NOW)) as store:
        assert store.check() == []


def test_settings_when_open_then_a_power_cut_loses_nothing(store: Store) -> None:
    """FULL is 2, and the log is written ahead; foreign keys hold."""
    names = ("journal_mode", "synchronous", "foreign_keys")
    found = [store._database.rows(tuple[str | int], f"PRAGMA {name}")[0][0] for name in names]
    assert found == ["wal", 2, 1]


def test_reader_when_there_is_no_database_then_notified_to_start_one(path: Path, url: str) -> None:
    """`alertd spend` before the first run must not leave an empty file behind."""
    with pytest.raises(StoreError, match=f"no database at {path}; start `alertd run` first or set ALERTD_DATABASE_URL"):
        Store.open_read_only(url)
    assert not path.exists()


def test_reader_when_the_file_is_empty_then_notified_to_start_one(path: Path, url: str) -> None:
    """A file without tables is no answer of zero."""
    path.touch()
    with pytest.raises(StoreError, match="has no tables yet; start `alertd run` first"):
        Store.open_read_only(url)


def test_reader_when_the_database_is_in_memory_then_refused() -> None:
    """There is nothing to read in a memory that is new."""
    with pytest.raises(SettingsError, match="in-memory database"):
        Store.open_read_only("sqlite://")


@pytest.mark.parametrize("prepare", [newer, other_program, text_file])
def test_reader_when_the_file_is_not_its_own_then_refused(
    path: Path, url: str, prepare: Callable[[Path], None]
) -> None:
    """Columns of another version would be read wrongly."""
    prepare(path)
    with pytest.raises(StoreError, match=r"newer alertd|another program|not an SQLite"):
        Store.open_read_only(url)


def test_reader_when_it_writes_then_refused(store: Store, url: str) -> None:
    """Only the process with the lock may write."""
    with closing(Store.open_read_only(url)) as reader, pytest.raises(StoreError, match="cannot be written"):
        reader.meta.put("x", "y")


def test_reader_when_a_daemon_commits_meanwhile_then_a_snapshot_stays_as_it_was(store: Store, url: str) -> None:
    """Series and blocks read one after the other must belong together."""
    with closing(Store.open_read_only(url)) as reader:
        with reader.snapshot():
            assert len(reader.bills.load_series()) == 0
            store.save_facts(table_of(), books=[change_of({HOUR: block_of(1)})])
            assert list(reader.bills.iter_blocks(0)) == []
        assert len(list(reader.bills.iter_blocks(0))) == 1


def test_memory_copy_when_written_then_the_file_stays(store: Store, url: str) -> None:
    """A dry run sees everything and changes nothing, while the daemon runs."""
    store.save_facts(table_of(), books=[change_of({HOUR: block_of(1)})])
    with closing(Store.open_memory_copy(url, now=NOW)) as copy:
        assert copy.meta.install_id == store.meta.install_id
        copy.alerts.save([alert_of()])
        copy.save_facts(table_of(9), books=[change_of({HOUR: block_of(2)})])
        assert copy.bills.load_books()["a", "gpu"].hours[HOUR].total == 2
        assert copy.check() == []
    assert store.alerts.all_alerts() == ()
    assert store.bills.load_books()["a", "gpu"].hours[HOUR].total == 1


def test_memory_copy_when_there_is_no_file_then_empty_and_none_is_made(tmp_path: Path, url: str) -> None:
    """The first dry run of all leaves nothing behind."""
    with closing(Store.open_memory_copy(url, now=NOW)) as copy:
        copy.alerts.save([alert_of()])
        assert copy.alerts.all_alerts() == (alert_of(),)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prepare", [newer, other_program, text_file, flipped_page])
def test_memory_copy_when_the_file_cannot_be_used_then_refused(
    path: Path, url: str, prepare: Callable[[Path], None]
) -> None:
    """A dry run on a damaged file would show false calm."""
    prepare(path)
    with pytest.raises(StoreError):
        Store.open_memory_copy(url, now=NOW)


def test_backup_when_taken_while_in_use_then_it_opens_with_all_that_was_committed(
    store: Store, url: str, tmp_path: Path
) -> None:
    """A backup is worth what its restore is; it takes no lock, so a second process can take it."""
    store.save_facts(table_of(), books=[change_of({HOUR: block_of(1)})])
    with closing(Store.open_read_only(url)) as reader:
        reader.backup(tmp_path / "copy.db")
    store.save_facts(table_of(), books=[change_of({HOUR + 1: block_of(1)})])
    with closing(Store.open(f"sqlite:///{tmp_path}/copy.db", now=NOW)) as copy:
        assert list(copy.bills.load_books()["a", "gpu"].hours) == [HOUR]
        assert copy.meta.install_id == store.meta.install_id
        assert copy.check() == []
    assert {file.name for file in tmp_path.iterdir() if "copy" in file.name} == {"copy.db", "copy.db.lock"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("taken.db", "exists already; name a new file", id="never over another file"),
        pytest.param("alertd.db", "exists already; name a new file", id="least of all over itself"),
        pytest.param("missing/copy.db", "cannot be created", id="into a folder that is not there"),
    ],
)
def test_backup_when_it_cannot_be_written_then_refused(store: Store, tmp_path: Path, name: str, message: str) -> None:
    """A slip of the pen must not cost a file."""
    (tmp_path / "taken.db").write_text("precious")
    with pytest.raises(StoreError, match=message):
        store.backup(tmp_path / name)
    assert (tmp_path / "taken.db").read_text() == "precious"
    assert store.check() == []


STEPS = (
    *shipped_migrations(),
    Migration(number=SHIPPED + 1, name="later", sql="CREATE TABLE later (data $blob);\n"),
)


def test_migrations_when_the_database_is_older_then_only_the_new_steps_run(path: Path, url: str) -> None:
    """What is stored goes through an update untouched."""
    with closing(Store.open(url, now=NOW)) as store:
        store.alerts.save([alert_of()])
    with closing(SqliteDatabase.open(path)) as database:
        migrate(database, STEPS)
        migrate(database, STEPS)
        require_current(database, STEPS)
        assert "later" in database.tables()
        assert Store(database).alerts.all_alerts() == (alert_of(),)
    with pytest.raises(StoreError, match=f"has schema version {SHIPPED + 1}, this alertd knows up to {SHIPPED}"):
        Store.open(url, now=NOW)


def test_migrations_when_the_file_is_older_then_a_reader_asks_for_the_daemon(path: Path, url: str) -> None:
    """A reader may not change the schema below a running daemon."""
    Store.open(url, now=NOW).close()
    with (
        closing(SqliteDatabase.open_read_only(path)) as database,
        pytest.raises(StoreError, match="restart `alertd run`"),
    ):
        require_current(database, STEPS)


def test_migrations_when_a_step_fails_in_the_middle_then_the_steps_before_it_stay(path: Path) -> None:
    """Each step is whole; the next start tries the failed one again."""
    broken = Migration(number=SHIPPED + 2, name="broken", sql="CREATE TABLE half (a TEXT);\nDROP TABLE nonsense;\n")
    with closing(SqliteDatabase.open(path)) as database:
        with pytest.raises(StoreError, match="no such table: nonsense"):
            migrate(database, [*STEPS, broken])
        assert "later" in database.tables()
        assert "half" not in database.tables()
        require_current(database, STEPS)


def test_migrations_when_shipped_then_numbered_without_a_gap() -> None:
    """The version is the count of steps."""
    assert [step.number for step in shipped_migrations()] == list(range(1, len(shipped_migrations()) + 1))


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "folder"])
def test_lock_when_it_is_no_file_of_ours_then_refused_and_nothing_written(kind: str, path: Path, url: str) -> None:
    """A link beside the database would let its maker have any file of this user emptied."""
    lock, victim = Path(f"{path}.lock"), path.parent / "victim"
    if kind == "fifo":
        os.mkfifo(lock)
    elif kind == "folder":
        lock.mkdir()
    else:
        lock.symlink_to(victim)
        if kind == "link":
            victim.write_text("precious", encoding="utf-8")
    with pytest.raises(StoreError, match=re.escape(str(lock))):
        Store.open(url, now=NOW)
    assert victim.exists() is (kind == "link")
    assert kind != "link" or victim.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_database_when_it_is_no_ordinary_file_then_refused(kind: str, path: Path, url: str) -> None:
    """SQLite would wait, or write into the device."""
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="is not a file; set ALERTD_DATABASE_URL to another"):
        Store.open(url, now=NOW)
