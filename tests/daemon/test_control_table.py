"""The door by a table: both ends over a real database, and everything that may go wrong between them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from typing import cast

import pytest
from structlog.testing import capture_logs

from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Acknowledge, Request, RequestError
from alertd.daemon import control_table as requests_module
from alertd.daemon.control_socket import answer, encode
from alertd.daemon.control_table import ask_daemon, serve_requests
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.supervisor import Supervisor
from alertd.errors import StoreError, UserError
from alertd.store.opening import open_to_ask
from alertd.store.requests import Requests
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from alertd.store.url import PostgresUrl, parse_database_url
from tests.postgres_server import PostgresServer, name_of

NOW = datetime(2026, 1, 10, 12, 5, tzinfo=UTC)
DONE = RequestOutcome(text="done", change=None)
ACK = Acknowledge(fingerprint="1c00", by="dänä \0")


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    """A database that an alertd has used."""
    with postgres.database() as fresh:
        Store.open(fresh, now=NOW).close()
        yield fresh


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often and lose patience soon, so that tests need not wait."""
    monkeypatch.setattr(requests_module, "_LOOK_S", 0.02)
    monkeypatch.setattr(requests_module, "_LOOK_FOR_ANSWER_S", 0.02)
    monkeypatch.setattr(requests_module, "COUNTS_FOR_S", 0.5)
    monkeypatch.setattr(requests_module, "_ANSWERED_WITHIN_S", 3.0)


async def ask(url: str) -> str:
    """Ask as a command does."""
    address = parse_database_url(url)
    assert isinstance(address, PostgresUrl)

    def run() -> str:
        with open_to_ask(address) as requests:
            return ask_daemon(requests, ACK, holder="web-1 (pid 7)")

    return await asyncio.to_thread(run)


@asynccontextmanager
async def daemon(url: str, answer: Callable[[], RequestOutcome]) -> AsyncIterator[list[Request]]:
    """Serve requests, each with the same answer; yield what was asked."""
    asked: list[Request] = []

    async def handle(request: Request) -> RequestOutcome:
        asked.append(request)
        return answer()

    thread = await StoreThread.start(lambda: Store.open(url, now=NOW))
    try:
        async with Supervisor(on_failure=lambda _task: None) as tasks:
            tasks.keep("requests", lambda: serve_requests(StoreGateway(thread), handle))
            yield asked
    finally:
        await thread.close()


def fail(error: Exception) -> RequestOutcome:
    raise error


async def test_request_when_the_daemon_does_it_then_its_words_come_back_once(url: str) -> None:
    """What was asked arrives whole, and is done once however often the daemon looks."""
    async with daemon(url, lambda: RequestOutcome(text="done: ü \0", change=None)) as asked:
        assert [*await asyncio.gather(ask(url), ask(url))] == ["done: ü \0"] * 2
        await asyncio.sleep(0.1)
    assert asked == [ACK, ACK]


async def test_request_when_it_cannot_be_done_then_the_asker_hears_why(url: str) -> None:
    """The user's mistake is the user's to see."""
    async with daemon(url, lambda: fail(RequestError("there is no such alert"))):
        with pytest.raises(UserError, match="there is no such alert"):
            await ask(url)


async def test_request_when_the_daemon_fails_at_it_then_the_next_is_served(url: str) -> None:
    """A mistake of alertd's own must not end the serving, nor leave the asker without an answer."""
    answers: Iterator[Callable[[], RequestOutcome]] = iter([lambda: fail(KeyError("bug")), lambda: DONE])

    def answer() -> RequestOutcome:
        return next(answers)()

    with capture_logs() as log:
        async with daemon(url, answer):
            with pytest.raises(UserError, match="alertd failed at it; its log says why"):
                await ask(url)
            assert await ask(url) == "done"
    assert [line["event"] for line in log] == ["request failed"]


async def test_request_when_nobody_takes_it_then_taken_back_and_never_done(url: str) -> None:
    """A backfill holds the lease and answers nobody: what was given up must not happen an hour later."""
    with pytest.raises(StoreError, match=r"took no request within .* nothing was done"):
        await ask(url)
    async with daemon(url, lambda: DONE) as asked:
        await asyncio.sleep(0.1)
    assert asked == []


async def test_request_when_its_time_is_over_then_never_done(url: str, postgres: PostgresServer) -> None:
    """The asker was killed before it could take it back."""
    with closing(Store.open(url, now=NOW)) as store:
        store.requests.ask("late", "{}")
        postgres.run("UPDATE alertd_request SET asked_at = asked_at - interval '1 minute'", database=name_of(url))
        assert store.requests.take() == ()
        store.requests.ask("new", "{}")
        assert store.requests.take() == (("new", "{}"),)
        assert store.requests.take() == ()
        assert not store.requests.withdraw("new"), "it may be done"


async def test_requests_when_a_day_old_then_dropped_at_the_next_start(url: str, postgres: PostgresServer) -> None:
    """The table must not grow for years."""
    with closing(Store.open(url, now=NOW)) as store:
        store.requests.ask("old", "{}")
    postgres.run("UPDATE alertd_request SET asked_at = asked_at - interval '2 days'", database=name_of(url))
    Store.open(url, now=NOW).close()
    assert postgres.run("SELECT COUNT(*) FROM alertd_request", database=name_of(url)) == [(0,)]


@pytest.mark.parametrize(
    ("taken_at", "answered_at", "outcome"),
    [
        pytest.param(1, 2, "done", id="answered at once"),
        pytest.param(1, 60, "done", id="taken, and answered after long"),
        pytest.param(1, 1000, "gave no answer; see `alertd alerts` whether it was done", id="taken, never answered"),
        pytest.param(1000, 1000, "nothing was done. Try again", id="never taken"),
    ],
)
async def test_request_when_it_takes_long_then_only_what_nobody_took_is_said_to_be_not_done(
    taken_at: int, answered_at: int, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hears that nothing was done does it again."""
    looks = [0]

    async def carry_out(_request: Request) -> RequestOutcome:
        return DONE

    done = (await answer(encode(ACK), carry_out)).decode()

    class Table:
        """A table that the daemon looks at after some time, as counted by looks of 20 ms."""

        place = "postgresql://db/alertd"

        def ask(self, _name: str, _request: str) -> None:
            pass

        def answer_to(self, _name: str) -> str | None:
            looks[0] += 1
            return done if looks[0] >= answered_at else None

        def withdraw(self, _name: str) -> bool:
            return looks[0] < taken_at

    monkeypatch.setattr(requests_module, "monotonic_s", lambda: looks[0] * 0.02)
    monkeypatch.setattr("alertd.daemon.control_table.time.sleep", lambda _s: None)
    table = cast("Requests", Table())
    if outcome == "done":
        assert ask_daemon(table, ACK, holder="web-1 (pid 7)") == "done"
    else:
        with pytest.raises(StoreError, match=outcome.split(".", maxsplit=1)[0]):
            ask_daemon(table, ACK, holder="web-1 (pid 7)")
