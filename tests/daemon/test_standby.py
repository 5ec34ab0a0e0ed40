"""Whose turn it is: a daemon waits as long as another one holds the lease, and answers probes meanwhile."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from alertd.daemon import standby
from alertd.daemon.signals import Signals
from alertd.daemon.standby import wait_for_turn
from alertd.daemon.systemd import ServiceManager
from alertd.errors import StoreError
from alertd.settings.model import Settings
from alertd.store.lease import this_process
from alertd.store.opening import LeaseWatch
from alertd.store.store import Store
from tests.postgres_server import PostgresServer, name_of

NOW = datetime(2026, 1, 10, 12, 5, tzinfo=UTC)


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """An empty database."""
    with postgres.database() as fresh:
        yield fresh


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, so that tests need not wait."""
    monkeypatch.setattr(standby, "_LOOK_S", 0.02)


def settings_of(url: str, listen: str = "off") -> Settings:
    return Settings.model_validate({"database_url": url, "http_listen": listen})


async def _turn(settings: Settings, manager: ServiceManager | None = None) -> bool:
    with Signals() as signals:
        return await wait_for_turn(settings, manager or ServiceManager(), signals)


async def logged(event: str, log: list[EventDict], task: "asyncio.Task[bool]") -> None:
    """Wait for a line of the log of a task that goes on."""
    while not any(line["event"] == event for line in log):
        assert not task.done(), task.result()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def waiting(settings: Settings, log: list[EventDict]) -> AsyncIterator["asyncio.Task[bool]"]:
    """Wait for the turn in a task, once it stands by."""
    task = asyncio.create_task(_turn(settings))
    async with asyncio.timeout(20):
        await logged("standby waiting", log, task)
        yield task


@pytest.mark.parametrize("kind", ["sqlite://", "sqlite:///alertd.db"])
async def test_turn_when_the_store_is_a_file_then_at_once(kind: str) -> None:
    """A file has a lock of its own, which refuses."""
    assert await _turn(settings_of(kind))


async def test_turn_when_nobody_holds_the_lease_then_at_once(url: str) -> None:
    """The first start of all, on a database without a table."""
    assert await _turn(settings_of(url))


async def test_turn_when_the_holder_ends_then_it_comes_and_both_are_logged(url: str) -> None:
    """Who waits for whom is what the operator looks for first."""
    with capture_logs() as log, closing(Store.open(url, now=NOW)) as holder:
        async with waiting(settings_of(url), log) as task:
            assert not task.done()
            holder.close()
            assert await task
    events = [(line["event"], line.get("lease_held_by", line.get("lease_held_by_before"))) for line in log]
    assert events == [("standby waiting", this_process()), ("standby taking over", this_process())]


async def test_service_manager_when_standing_by_then_notified_that_it_started_and_is_well(
    url: str, tmp_path: Path
) -> None:
    """systemd starts again what never becomes ready, and what its watchdog does not hear of."""
    path, notified = tmp_path / "notify", list[str]()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening, closing(Store.open(url, now=NOW)) as holder:
        listening.bind(str(path))
        listening.settimeout(20)
        manager = ServiceManager(str(path), watchdog_s=60)
        task = asyncio.create_task(_turn(settings_of(url), manager))
        for _ in range(4):
            notified.append((await asyncio.to_thread(listening.recv, 1000)).decode())
        holder.close()
        assert await task
    assert notified == ["READY=1", f"STATUS=standing by: {this_process()} holds the lease", "WATCHDOG=1", "WATCHDOG=1"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stop_when_standing_by_then_it_ends_and_a_reload_does_not_end_it(
    url: str, number: signal.Signals
) -> None:
    """The rules are read when it takes over: a reload of all hosts must not stop those that wait."""
    with capture_logs() as log, closing(Store.open(url, now=NOW)):
        async with waiting(settings_of(url), log) as task:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.1)
            assert not task.done()
            os.kill(os.getpid(), number)
            assert not await task
    assert log[-1]["event"] == "alertd stopped"


async def test_database_when_away_while_standing_by_then_waited_out_and_notified_once(
    url: str, postgres: PostgresServer
) -> None:
    """Not to see the lease is no reason to act, nor to end."""
    with capture_logs() as log, closing(Store.open(url, now=NOW)) as holder:
        async with waiting(settings_of(url), log) as task:
            name = name_of(url)
            await asyncio.to_thread(postgres.run, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await asyncio.to_thread(postgres.cut, url)
            await logged("lease not read", log, task)
            await asyncio.sleep(0.1)
            assert not task.done()
            await asyncio.to_thread(postgres.run, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            holder.close()
            assert await task
    assert [line["event"] for line in log] == ["standby waiting", "lease not read", "standby taking over"]


async def test_log_when_outages_and_holders_follow_each_other_then_each_is_named_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three hosts one may take over from another, more than once, and a database may be away twice."""
    away = StoreError("away")
    answers = iter(["a", away, away, "a", away, "b", "b", "b", None])

    def answered(_watch: LeaseWatch) -> str | None:
        answer = next(answers)
        if isinstance(answer, StoreError):
            raise answer
        return answer

    monkeypatch.setattr(LeaseWatch, "holder", answered)
    with capture_logs() as log:
        assert await _turn(settings_of(url))
    assert [(line["event"], line.get("lease_held_by", line.get("lease_held_by_before"))) for line in log] == [
        ("standby waiting", "a"),
        ("lease not read", None),
        ("lease not read", None),
        ("standby waiting", "b"),
        ("standby taking over", "b"),
    ]


async def test_probes_when_standing_by_then_alive_and_not_ready(url: str, unused_tcp_port: int) -> None:
    """An orchestrator must neither restart it nor send anybody to it."""
    with capture_logs() as log, closing(Store.open(url, now=NOW)) as holder:
        async with waiting(settings_of(url, f"127.0.0.1:{unused_tcp_port}"), log) as task:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}") as client:
                found = {path: await client.get(path) for path in ("/healthz", "/readyz", "/metrics", "/api/v1/status")}
            holder.close()
            assert await task
    codes = {path: answer.status_code for path, answer in found.items()}
    assert codes == {"/healthz": 200, "/readyz": 503, "/metrics": 200, "/api/v1/status": 503}
    assert "\nalertd_standing_by 1\n" in found["/metrics"].text
    assert found["/readyz"].text == "standing by: another alertd holds the lease\n"
