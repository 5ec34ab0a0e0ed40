"""The store's thread: one at a time, errors as they are, transactions never cut."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from alertd.errors import StoreError
from alertd.store.migrate import shipped_migrations
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.store.samples import NOW, alert_of


async def opened(url: str) -> StoreThread:
    return await StoreThread.start(lambda: Store.open(url, now=NOW))


async def test_calls_when_many_at_once_then_one_after_another_in_one_thread(url: str) -> None:
    """SQLite's connection belongs to one thread, and order is what the cycle relies on."""
    thread = await opened(url)
    order: list[tuple[int, int]] = []

    def note(store: Store, number: int) -> str | None:
        order.append((number, threading.get_ident()))
        return store.meta.get("schema_version")

    assert (
        await asyncio.gather(*(thread.call(note, number) for number in range(20)))
        == [str(len(shipped_migrations()))] * 20
    )
    assert [number for number, _ in order] == list(range(20))
    assert {ident for _, ident in order} == {order[0][1]} != {threading.get_ident()}
    await thread.close()


async def test_call_when_it_raises_then_the_caller_gets_it_and_the_next_call_works(url: str) -> None:
    """One failed call must not stop the daemon's store."""
    thread = await opened(url)
    with pytest.raises(StoreError, match="nowhere"):
        await thread.call(lambda store: store._database.execute("DELETE FROM nowhere"))
    await thread.call(lambda store: store.alerts.save([alert_of()]))
    assert await thread.call(lambda store: store.alerts.all_alerts()) == (alert_of(),)
    await thread.close()


async def test_call_when_cancelled_then_what_began_ends_and_what_waited_never_runs(url: str) -> None:
    """A stop in the middle of a commit must not leave the daemon in doubt about a later one."""
    thread = await opened(url)
    began, go = threading.Event(), threading.Event()

    def first(store: Store) -> None:
        with store.transaction():
            store.alerts.save([alert_of("begun")])
            began.set()
            assert go.wait(10)

    running = asyncio.create_task(thread.call(first))
    await asyncio.to_thread(began.wait, 10)
    waiting = asyncio.create_task(thread.call(lambda store: store.alerts.save([alert_of("waiting")])))
    await asyncio.sleep(0)
    running.cancel()
    waiting.cancel()
    results = await asyncio.gather(running, waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    go.set()
    saved = await thread.call(lambda store: store.alerts.all_alerts())
    assert [alert.fingerprint for alert in saved] == ["begun"]
    await thread.close()


async def test_close_when_done_then_the_lock_is_free(url: str) -> None:
    """A restart within one process, as `alertd demo` does."""
    for _ in range(2):
        thread = await opened(url)
        await thread.close()
    with pytest.raises(RuntimeError):
        await thread.call(lambda store: store.meta.install_id)


async def test_start_when_the_store_cannot_be_opened_then_its_error_and_no_thread(tmp_path: Path) -> None:
    """The daemon says why and ends; a thread left over would hold it."""
    with pytest.raises(StoreError, match="is not a file"):
        await opened(f"sqlite:///{tmp_path}")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("store") and thread.is_alive()]


async def test_start_when_cancelled_while_opening_then_the_lock_is_free_again(url: str) -> None:
    """A stop during a slow opening must not keep the next start out."""
    began, go = threading.Event(), threading.Event()

    def slow() -> Store:
        began.set()
        assert go.wait(10)
        return Store.open(url, now=NOW)

    starting = asyncio.create_task(StoreThread.start(slow))
    await asyncio.to_thread(began.wait, 10)
    worker = next(thread for thread in threading.enumerate() if thread.name.startswith("store"))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    go.set()
    await asyncio.to_thread(worker.join, 10)
    Store.open(url, now=NOW).close()


async def test_connection_when_used_from_another_thread_then_refused(path: Path) -> None:
    """A call past the thread is a mistake that must show at once; PostgreSQL's connections do not mind."""
    url = f"sqlite:///{path}"
    thread = await opened(url)
    with pytest.raises(sqlite3.ProgrammingError, match="thread"):
        thread._store.alerts.all_alerts()
    await thread.close()
