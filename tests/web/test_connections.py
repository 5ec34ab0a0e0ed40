"""What others can do with connections alone: how many they hold, how long, and that a stop waits for none of them."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from alertd.log import Repeats
from alertd.settings.listen import Listen
from alertd.web import connections, guard, server
from alertd.web.connection_limit import ConnectionLimit, connections_allowed
from alertd.web.guard import Guard
from alertd.web.server import serve
from alertd.web.session import Sessions

HALF_A_FORM = (
    b"POST /form HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 9\r\n\r\nhalf"
)
PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Pages:
    """One page that answers at once, one that waits, one that is too long to be sent to nobody, one for forms."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/ping", self._ping),
            web.get("/wait", self._wait),
            web.get("/long", self._long),
            web.post("/form", self._form),
        ]

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="pong\n")

    async def _wait(self, _: web.Request) -> web.Response:
        self.waiting.release()
        await self.may_answer.wait()
        return web.Response(text="at last\n")

    async def _long(self, _: web.Request) -> web.Response:
        return web.Response(body=b"x" * (1 << 25))

    async def _form(self, request: web.Request) -> web.Response:
        self.waiting.release()
        await request.post()
        return web.Response()


class Trouble(Repeats):
    """What would be logged."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []
        self.came = asyncio.Event()

    def warning(self, event: str, *, source: str = "", **facts: object) -> None:
        self.events.append(event)
        self.came.set()


@asynccontextmanager
async def serving(pages: Pages) -> AsyncIterator[int]:
    listen = Listen(host="127.0.0.1", port=0)
    own = Guard(listen, sessions=Sessions("", timer=lambda: 0.0))
    async with serve(listen, own, pages.routes()) as port:
        yield port


async def ask(port: int, data: bytes = PING) -> bytes:
    """Send a request on a fresh connection; return the answer's first line."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            return await reader.readline()
        finally:
            writer.close()


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the other side has ended the connection."""
    async with asyncio.timeout(20):
        with suppress(ConnectionResetError):
            await reader.read()


@pytest.mark.parametrize(
    ("limit", "most"), [(1024, 256), (100_000, 256), (256, 64), (20, 8), (resource.RLIM_INFINITY, 256)]
)
def test_limit_then_leaves_descriptors_to_the_main_job(monkeypatch: pytest.MonkeyPatch, limit: int, most: int) -> None:
    """Polling, storing and sending open files and connections too."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert connections_allowed() == most


def test_place_when_all_are_taken_then_the_longest_idle_one_makes_room_and_busy_ones_stay() -> None:
    """Whoever only waits must not keep out who asks, nor cut off who is being answered."""
    limit, closed = ConnectionLimit(3), list[str]()
    first = limit.admit(lambda: closed.append("1"))
    second = limit.admit(lambda: closed.append("2"))
    third = limit.admit(lambda: closed.append("3"))
    assert first is not None
    assert second is not None
    assert third is not None
    limit.answer(first)
    assert limit.admit(lambda: closed.append("4")) is not None
    assert closed == ["2"]
    limit.rest(first)
    assert limit.admit(lambda: closed.append("5")) is not None
    assert closed == ["2", "3"]
    limit.leave(second)
    limit.answer(first)
    for place in [limit.admit(lambda: None) for _ in range(2)]:
        assert place is not None
        limit.answer(place)
    assert limit.admit(lambda: None) is None
    limit.leave(first)
    assert limit.admit(lambda: None) is not None


async def test_connections_when_more_than_descriptors_are_held_open_then_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Idle connections by the hundred end neither probes nor the opening of files, and leave few lines in the log."""
    monkeypatch.setattr(server, "connections_allowed", lambda: 20)
    with capture_logs() as log, ExitStack() as held:
        async with serving(Pages()) as port:
            for number in range(300):
                idle = held.enter_context(socket.create_connection(("127.0.0.1", port)))
                if number % 2:
                    idle.send(b"GET /ping HT")
                if number % 25 == 0:
                    assert await ask(port) == b"HTTP/1.1 200 OK\r\n"
            assert await ask(port) == b"HTTP/1.1 200 OK\r\n"
    assert [line["event"] for line in log] == ["connections cut, too many are open"]


async def test_connections_when_all_are_being_answered_then_one_more_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It must not wait for descriptors that others need."""
    monkeypatch.setattr(server, "connections_allowed", lambda: 2)
    pages = Pages()
    with capture_logs() as log:
        async with serving(pages) as port:
            waiting = [asyncio.create_task(ask(port, PING.replace(b"ping", b"wait"))) for _ in range(2)]
            for _ in waiting:
                await pages.waiting.acquire()
            assert await ask(port) == b"HTTP/1.1 503 Service Unavailable\r\n"
            pages.may_answer.set()
            assert await asyncio.gather(*waiting) == [b"HTTP/1.1 200 OK\r\n"] * 2
            assert await ask(port) == b"HTTP/1.1 200 OK\r\n"
    assert [line["event"] for line in log] == ["too many connections"]


@pytest.mark.parametrize(
    ("sent", "deadline", "said"),
    [
        pytest.param(b"", "HEADERS_S", "request headers took too long", id="nothing at all"),
        pytest.param(
            b"GET /ping HTTP/1.1\r\nHost: loc", "HEADERS_S", "request headers took too long", id="half headers"
        ),
        pytest.param(PING, "IDLE_S", None, id="nothing after an answer"),
        pytest.param(PING.replace(b"ping", b"long"), "REQUEST_S", "request took too long", id="reading no answer"),
        pytest.param(
            HALF_A_FORM,
            "REQUEST_S",
            "request took too long",
            id="half a body",
        ),
    ],
)
async def test_connection_when_it_stays_in_a_phase_for_too_long_then_cut(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, deadline: str, said: str | None
) -> None:
    """Whoever sends or reads a byte now and then must not hold a descriptor for ever."""
    trouble = Trouble()
    monkeypatch.setattr(connections, deadline, 0.2)
    monkeypatch.setattr(server, "Repeats", lambda: trouble)
    async with serving(Pages()) as port:
        # It reads no more than a kilobyte ahead.
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 10)
        writer.write(sent)
        if said is not None:
            async with asyncio.timeout(20):
                await trouble.came.wait()
        await ended(reader)
        writer.close()
    assert trouble.events == ([said] if said else [])


async def test_connection_when_its_second_request_stays_half_then_cut_as_in_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One good request is no licence to hold a descriptor."""
    async with serving(Pages()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(PING)
        assert await reader.readuntil(b"pong\n")
        monkeypatch.setattr(connections, "HEADERS_S", 0.1)
        writer.write(b"GET /ping HT")
        await ended(reader)
        writer.close()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(PING.replace(b"ping", b"wait"), b"503 Service Unavailable", id="work that does not end"),
        pytest.param(
            HALF_A_FORM,
            b"408 Request Timeout",
            id="a body that does not come",
        ),
    ],
)
async def test_page_when_it_takes_too_long_then_said(
    monkeypatch: pytest.MonkeyPatch, data: bytes, status: bytes
) -> None:
    """A store that hangs must not gather connections that wait for it."""
    monkeypatch.setattr(guard, "_ANSWER_S", 0.1)
    async with serving(Pages()) as port:
        assert await ask(port, data) == b"HTTP/1.1 %s\r\n" % status


async def test_stop_when_somebody_is_slow_then_waits_for_them_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that sends half a form must not keep the daemon from ending."""
    monkeypatch.setattr(server, "_LAST_ANSWERS_S", 0.1)
    pages = Pages()
    async with asyncio.timeout(20):
        async with serving(pages) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HALF_A_FORM)
            await pages.waiting.acquire()
        writer.close()
