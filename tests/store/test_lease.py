"""The lease: one holder at a time on the database's clock, and one that lost it writes nothing any more."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from alertd.clock import utc_now
from alertd.errors import StoreError
from alertd.store import lease as lease_module
from alertd.store.database import Database
from alertd.store.lease import LeaseLost, StoreHeld, make_table, this_process
from alertd.store.lock import StoreLocked
from alertd.store.opening import LeaseWatch
from alertd.store.store import Store
from alertd.store.url import PostgresUrl, parse_database_url
from tests.postgres_server import PostgresServer, name_of
from tests.store.child import save
from tests.store.samples import HOUR, NOW

PATIENCE_S = 20


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A database that is nobody's yet."""
    with postgres.database() as fresh:
        yield fresh


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renew often, so that tests need not wait."""
    monkeypatch.setattr(lease_module, "RENEW_S", 0.05)


def expire(server: PostgresServer, url: str) -> None:
    server.run("UPDATE alertd_lease SET expires_at = '-infinity'", database=name_of(url))


def seize(server: PostgresServer, url: str) -> None:
    """Take the lease as another host does: a renewal cannot come in between."""
    server.run(
        "UPDATE alertd_lease SET holder = 'elsewhere (pid 7)', epoch = epoch + 1, "
        "expires_at = clock_timestamp() + interval '1 hour'",
        database=name_of(url),
    )


def holder(url: str) -> str | None:
    address = parse_database_url(url)
    assert isinstance(address, PostgresUrl)
    with closing(LeaseWatch(address)) as watch:
        return watch.holder()


def test_second_writer_when_one_holds_the_lease_then_refused_with_its_place(url: str) -> None:
    """Two daemons would send everything twice; who holds the lease is what the operator needs to know."""
    assert holder(url) is None
    with closing(Store.open(url, now=NOW)):
        assert holder(url) == this_process()
        with pytest.raises(StoreHeld, match="holds the lease; stop it first") as caught:
            Store.open(url, now=NOW)
        assert caught.value.holder == this_process()
        assert isinstance(caught.value, StoreLocked), "as with a file"
        Store.open_read_only(url).close()


def test_lease_when_closed_then_the_next_one_has_it_at_once(url: str) -> None:
    """A deploy must not wait 15 seconds."""
    for _ in range(3):
        store = Store.open(url, now=NOW)
        store.close()
        store.close()
        assert holder(url) is None


@pytest.mark.slow
@pytest.mark.parametrize("ahead", ["1 hour 12 seconds", "1 day", "10 years"])
def test_lease_when_the_clock_of_the_database_is_put_back_after_its_holder_died_then_is_free(
    postgres: PostgresServer, url: str, ahead: str
) -> None:
    """A lease of ten years would keep every other host from taking over; whoever lives renews it within seconds."""
    Store.open(url, now=NOW).close()
    postgres.run(
        f"UPDATE alertd_lease SET holder = 'elsewhere (pid 7)', expires_at = clock_timestamp() + interval '{ahead}'",
        database=name_of(url),
    )
    assert holder(url) is None
    Store.open(url, now=NOW).close()


def test_lease_when_held_then_renewed_beyond_its_time(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that works for longer than one lease keeps it, also while a transaction of its own is open."""
    sql = "SELECT expires_at FROM alertd_lease"

    def renewed(before: object) -> bool:
        waiter = threading.Event()
        for _ in range(PATIENCE_S * 50):
            if postgres.run(sql, database=name_of(url)) != before:
                return True
            waiter.wait(0.02)
        return False

    with closing(Store.open(url, now=NOW)) as store:
        assert renewed(postgres.run(sql, database=name_of(url)))
        with store.transaction():
            store.meta.put("x", "y")
            assert renewed(postgres.run(sql, database=name_of(url)))


def test_holder_when_another_took_the_lease_then_it_writes_nothing_and_is_notified(
    postgres: PostgresServer, url: str
) -> None:
    """A host that slept comes back in the middle of its work: no claim, no decision, no fact of it may count."""
    notified = threading.Event()
    with closing(Store.open(url, now=NOW, on_lost=notified.set)) as store:
        save(store, 0)
        seize(postgres, url)
        assert notified.wait(PATIENCE_S)
        for write in (
            partial(save, store, 1),
            partial(store.meta.put, "x", "y"),
            partial(store.requests.answer, "", ""),
        ):
            with pytest.raises(LeaseLost, match="another alertd has taken over the lease"):
                write()
        assert len(store.outbox.open_entries()) == 1, "it may still read"
    assert holder(url) == "elsewhere (pid 7)", "its end takes the lease from nobody"


def test_lease_when_expired_but_nobody_took_it_then_its_holder_goes_on(postgres: PostgresServer, url: str) -> None:
    """A pause that did no harm is no reason to stop."""
    with closing(Store.open(url, now=NOW)) as store:
        expire(postgres, url)
        save(store, 0)
        assert len(store.outbox.open_entries()) == 1


def test_lease_when_its_holder_is_in_the_middle_of_a_transaction_then_whoever_takes_it_waits(
    postgres: PostgresServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked at the beginning of a transaction must still hold at its commit."""
    monkeypatch.setattr(lease_module, "RENEW_S", 3600)
    with closing(Store.open(url, now=NOW)) as store, ThreadPoolExecutor(1) as other:
        with store.transaction():
            save(store, 0)
            expire(postgres, url)
            taking = other.submit(Store.open, url, now=NOW)
            waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '{}'"
            while postgres.run(waiting.format(name_of(url))) == [(0,)]:
                assert not taking.done()
        with closing(taking.result(PATIENCE_S)) as taken:
            assert len(taken.outbox.open_entries()) == 1, "what was committed before the takeover stands"
            with pytest.raises(LeaseLost):
                save(store, 1)


@pytest.mark.slow
def test_lease_when_many_start_at_once_on_an_empty_database_then_one_has_it(url: str) -> None:
    """Replicas are deployed together."""

    def start(_: int) -> Store | StoreHeld:
        try:
            return Store.open(url, now=NOW)
        except StoreHeld as held:
            return held

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(start, range(6)))
    stores = [one for one in found if isinstance(one, Store)]
    for one in stores:
        one.close()
    assert len(stores) == 1


@pytest.mark.slow
def test_kill_when_committing_then_what_was_said_to_be_stored_is(postgres: PostgresServer, url: str) -> None:
    """SIGKILL in the middle of work: each transaction is whole or not there, and the lease ends by itself."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.child", "run", url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    for _ in range(20):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    said = 20 + len(child.stdout.read().split())
    child.wait()
    child.stdout.close()
    with pytest.raises(StoreHeld, match=rf"\(pid {child.pid}\) holds the lease.*its lease ends within 15 seconds"):
        Store.open(url, now=NOW)
    expire(postgres, url)
    with closing(Store.open(url, now=NOW)) as store:
        assert said <= len(store.bills.load_books()["a", "gpu"].hours) <= said + 1
        assert said <= len(store.outbox.open_entries()) <= said + 1
        assert HOUR in store.bills.load_books()["a", "gpu"].hours
        assert store.check() == []


@pytest.mark.slow
def test_watch_when_the_database_is_cut_off_then_says_so_and_sees_again(postgres: PostgresServer, url: str) -> None:
    """A replica must not take a database that it cannot ask for one that nobody holds."""
    address = parse_database_url(url)
    assert isinstance(address, PostgresUrl)
    with closing(Store.open(url, now=NOW)), closing(LeaseWatch(address)) as watch:
        assert watch.holder() == this_process()
        postgres.run(f"ALTER DATABASE {name_of(url)} ALLOW_CONNECTIONS false")
        try:
            postgres.cut(url)
            with pytest.raises(StoreError, match="not currently accepting connections"):
                watch.holder()
        finally:
            postgres.run(f"ALTER DATABASE {name_of(url)} ALLOW_CONNECTIONS true")
        assert watch.holder() == this_process()


@pytest.mark.parametrize("is_made_meanwhile", [True, False], ids=["by another process", "by nobody"])
def test_table_when_it_cannot_be_made_then_that_is_a_failure_unless_another_process_made_it(
    is_made_meanwhile: bool,
) -> None:
    """Two replicas that start on a new database at once make the same table, and PostgreSQL refuses one of them."""

    class Racing:
        def __init__(self) -> None:
            self.made: frozenset[str] = frozenset()

        def tables(self) -> frozenset[str]:
            return self.made

        def execute(self, _statement: str) -> int:
            self.made = frozenset({"alertd_lease"} if is_made_meanwhile else ())
            raise StoreError("duplicate key value violates unique constraint")

    database = cast("Database", Racing())
    if is_made_meanwhile:
        make_table(database, "alertd_lease", "(id INTEGER)")
    else:
        with pytest.raises(StoreError, match="duplicate key"):
            make_table(database, "alertd_lease", "(id INTEGER)")


def test_holder_when_another_took_the_lease_then_it_is_notified_once(postgres: PostgresServer, url: str) -> None:
    """The daemon stops at the first notice, and by a second one the event loop that hears it may be gone."""
    notices, lost = list[int](), threading.Event()

    def note() -> None:
        notices.append(1)
        lost.set()

    with closing(Store.open(url, now=NOW, on_lost=note)):
        seize(postgres, url)
        assert lost.wait(PATIENCE_S)
        # The thread has nothing more to do, so it ends while the store is still open.
        for keeper in [thread for thread in threading.enumerate() if thread.name == "lease"]:
            keeper.join(2)
            assert not keeper.is_alive()
    assert notices == [1]


def test_time_when_the_database_has_a_clock_then_it_is_asked(url: str) -> None:
    """Two hosts that disagree on the time take the database's, in UTC and in the present."""
    with closing(Store.open(url, now=NOW)) as store:
        before = utc_now()
        found = store.database_now()
        after = utc_now()
        assert found is not None
        assert before <= found <= after
