"""The daemon's door for requests: a real Unix socket, both ends, and everything that may stand in the way."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Acknowledge, AddSilence, ExpireSilence, Request, RequestError
from alertd.core.labels import Patterns
from alertd.core.money import Usd
from alertd.daemon import control_socket
from alertd.daemon.control_socket import NobodyListens, ask, listen, socket_path
from alertd.errors import AlertdError, StoreError, UserError

ACK = Acknowledge(fingerprint="1c00c82c6fe2430d", by="dana")
SILENCE = AddSilence(
    id="51133ce0",
    matchers=(("owner", Patterns(("gpu-*", "!gpu-7"))), ("rule", Patterns(("gpu-24h",)))),
    by="dänä",
    comment='run "12"\nand more',
    ends_at=datetime(2026, 1, 11, 12, 5, 0, 123_456, tzinfo=UTC),
    until_resolved=True,
    until_spend=Usd(2_000_000_000_000),
)
EXPIRE = ExpireSilence(id="5113", by="kim")


class Daemon:
    """Does nothing but remember what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answer: str | Exception = "done"
        self.is_asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, request: Request) -> RequestOutcome:
        self.asked.append(request)
        self.is_asked.set()
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return RequestOutcome(text=self.answer, change=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return socket_path(tmp_path / "alertd.db")


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
async def served(path: Path, daemon: Daemon) -> AsyncIterator[Path]:
    async with listen(path, daemon.handle):
        yield path


def mode_of(path: Path) -> tuple[bool, int] | None:
    """Return whether a socket is at a path, with its permissions; None where nothing is."""
    if not path.is_symlink() and not path.exists():
        return None
    mode = path.lstat().st_mode
    return stat.S_ISSOCK(mode), stat.S_IMODE(mode)


async def say(path: Path, line: bytes) -> bytes:
    """Say something to the door as any program may, and return what it answers."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(line)
        writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("request_", [ACK, SILENCE, EXPIRE], ids=lambda request: type(request).__name__)
async def test_request_when_asked_then_arrives_whole_and_is_answered(
    served: Path, daemon: Daemon, request_: Request
) -> None:
    """Every field as it was: instants to the microsecond, patterns, line ends and umlauts."""
    daemon.answer = "zwei\nZeilen: ä"
    assert await ask(served, request_) == "zwei\nZeilen: ä"
    assert daemon.asked == [request_]


async def test_requests_when_many_come_at_once_then_each_has_its_own_answer(served: Path, daemon: Daemon) -> None:
    """A script may acknowledge fifty alerts."""
    requests = [ExpireSilence(id=f"{number:08x}", by="kim") for number in range(50)]
    assert await asyncio.gather(*(ask(served, request) for request in requests)) == ["done"] * 50
    assert sorted(map(str, daemon.asked)) == sorted(map(str, requests))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(RequestError('there is no alert "1c00"'), id="it cannot be done as asked"),
        pytest.param(StoreError("the disk is full"), id="the store failed"),
    ],
)
async def test_request_when_it_cannot_be_done_then_the_reason_is_shown(
    served: Path, daemon: Daemon, error: Exception
) -> None:
    """The person who asked reads it, not the log."""
    daemon.answer = error
    with pytest.raises(UserError, match=str(error)):
        await ask(served, ACK)
    daemon.answer = "done"
    assert await ask(served, ACK) == "done"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"\n", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="a browser"),
        pytest.param(b"\x00\xff\xfe\n", id="bytes"),
        pytest.param(b"[]\n", id="no mapping"),
        pytest.param(b"{}\n", id="an empty mapping"),
        pytest.param(b'{"kind": "reboot", "request": {}}\n', id="an unknown kind"),
        pytest.param(b'{"kind": 5, "request": {}}\n', id="a kind that is no text"),
        pytest.param(b'{"kind": "acknowledge"}\n', id="no request"),
        pytest.param(b'{"kind": "acknowledge", "request": {"by": "dana"}}\n', id="a field is missing"),
        pytest.param(b'{"kind": "acknowledge", "request": {"fingerprint": 5, "by": "dana"}}\n', id="a wrong type"),
        pytest.param(b'{"kind": "acknowledge", "request": {"finger', id="cut off"),
        pytest.param(b"[" * 60_000 + b"\n", id="nested deep"),
        pytest.param(b'{"kind": "acknowledge", "request": ' + b'{"a":' * 10_000 + b"\n", id="a deep request"),
        pytest.param(b'{"kind": ' + b"[" * 30_000 + b"]" * 30_000 + b', "request": {}}\n', id="a deep kind"),
        pytest.param(b'{"kind": "acknowledge", "request": {"fingerprint": "\xed\xa0\x80"}}\n', id="half a character"),
    ],
)
async def test_line_when_it_is_junk_then_refused_and_the_socket_stays_open(
    served: Path, daemon: Daemon, line: bytes
) -> None:
    """Whatever talks to it by mistake, the daemon goes on."""
    answer = json.loads(await say(served, line))
    assert answer == {"error": "this daemon does not know that request; restart it with the same version of alertd"}
    assert daemon.asked == []
    assert await ask(served, ACK) == "done"


async def test_line_when_it_is_too_long_then_said_so(served: Path, daemon: Daemon) -> None:
    """Deep JSON too: an asker that hears nothing asks again."""
    answer = json.loads(await say(served, b"[" * 100_000 + b"\n"))
    assert answer == {"error": "a request to alertd has at most 65,536 bytes; nothing was done"}
    assert daemon.asked == []
    assert await ask(served, ACK) == "done"


async def test_line_when_it_is_oversized_then_dropped_and_the_socket_stays_open(served: Path, daemon: Daemon) -> None:
    """Nobody's mistake may fill the memory."""
    with capture_logs() as logs:
        await say(served, b"x" * 300_000 + b"\n")
    assert [log["event"] for log in logs] == ["control request dropped"]
    # Whether the answer is read depends on how much of the request the kernel has taken by then.
    with pytest.raises(AlertdError, match=r"the daemon gave no answer|nothing was done"):
        await ask(served, Acknowledge(fingerprint="1c00", by="x" * 300_000))
    assert daemon.asked == []
    assert await ask(served, ACK) == "done"


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def opened(path: Path, count: int) -> list[asyncio.StreamWriter]:
    """Open connections that ask nothing, each known to the daemon before the next one."""
    return [(await asyncio.open_unix_connection(path))[1] for _ in range(count)]


async def test_connections_when_thousands_ask_nothing_then_requests_are_served_and_the_log_stays_small(
    path: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that leaks them must not take the descriptors that polling and sending need."""
    monkeypatch.setattr(control_socket, "connections_allowed", lambda: 16)
    with capture_logs() as logs:
        async with listen(path, daemon.handle):
            before = descriptors()
            idle = [writer for _ in range(10) for writer in await opened(path, 20)]
            assert await ask(path, ACK) == "done"
            # Of those here and there; the daemon keeps four.
            assert descriptors() - before <= len(idle) + 10
            for writer in idle:
                writer.close()
    assert len(logs) <= 1


async def test_request_when_all_places_are_being_answered_then_refused_in_words(
    path: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked knows that nothing was done; those before it are answered."""
    monkeypatch.setattr(control_socket, "connections_allowed", lambda: 4)
    async with listen(path, daemon.handle):
        daemon.gate.clear()
        first = asyncio.create_task(ask(path, ACK))
        await daemon.is_asked.wait()
        with pytest.raises(UserError, match="too many requests at once; nothing was done, try again"):
            await ask(path, EXPIRE)
        daemon.gate.set()
        assert await first == "done"
    assert daemon.asked == [ACK]


async def test_requests_when_more_have_been_answered_than_there_are_places_then_still_answered(
    path: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place is given back with each answer; also where the line was junk, or nothing was said."""
    monkeypatch.setattr(control_socket, "connections_allowed", lambda: 4)
    async with listen(path, daemon.handle):
        for line in (b"junk\n", b"", b"x" * 100_000):
            await say(path, line)
        for _ in range(3):
            assert await ask(path, ACK) == "done"


async def test_asker_when_it_goes_away_then_what_it_asked_is_done_and_the_socket_stays_open(
    served: Path, daemon: Daemon
) -> None:
    """Ctrl-C after Enter: the request was made."""
    daemon.gate.clear()
    waiting = asyncio.create_task(ask(served, ACK))
    await daemon.is_asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    _, silent = await asyncio.open_unix_connection(served)
    silent.close()
    daemon.gate.set()
    daemon.answer = "done"
    assert await ask(served, EXPIRE) == "done"
    assert daemon.asked == [ACK, EXPIRE]


async def test_daemon_when_it_dies_before_it_answers_then_says_that_it_may_be_done(path: Path) -> None:
    """Nobody can know; where to look is said."""

    async def die(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_unix_server(die, path):
        with pytest.raises(StoreError, match="the daemon gave no answer; see its log and `alertd alerts`"):
            await ask(path, ACK)


@pytest.mark.parametrize("answer", [b"hello\n", b"[]\n", b'{"text": 5}\n', b"x" * 200_000 + b"\n"])
async def test_answer_when_it_is_none_of_ours_then_is_no_answer(path: Path, answer: bytes) -> None:
    """Something else may listen there."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(talk, path):
        with pytest.raises(StoreError, match="the daemon gave no answer"):
            await ask(path, ACK)


async def test_socket_when_open_then_only_its_user_may_use_it_and_closed_it_is_gone(path: Path, daemon: Daemon) -> None:
    """Everybody who can reach it can silence everything."""
    before = os.umask(0)
    try:
        async with listen(path, daemon.handle):
            assert mode_of(path) == (True, 0o600)
            assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert mode_of(path) is None


def stale(path: Path) -> None:
    """What a killed daemon leaves."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


async def test_socket_when_a_killed_daemon_left_one_then_nobody_listens_and_the_next_one_takes_it(
    path: Path, daemon: Daemon
) -> None:
    """A power cut must not need a hand."""
    stale(path)
    with pytest.raises(NobodyListens):
        await ask(path, ACK)
    async with listen(path, daemon.handle):
        assert await ask(path, ACK) == "done"


@pytest.mark.parametrize(
    ("put", "word"),
    [
        pytest.param(lambda path: path.write_text("precious"), "in use", id="a file"),
        pytest.param(lambda path: path.mkdir(), "in use", id="a folder"),
    ],
)
async def test_socket_when_something_else_is_in_the_way_then_it_is_left_and_the_daemon_goes_on(
    path: Path, daemon: Daemon, put: Callable[[Path], object], word: str
) -> None:
    """What alertd did not make it does not delete; watching matters more than the door."""
    put(path)
    with capture_logs() as logs:
        async with listen(path, daemon.handle):
            with pytest.raises(NobodyListens):
                await ask(path, ACK)
    (log,) = logs
    assert (log["event"], log["path"]) == ("control socket not opened", str(path))
    assert word in log["error"]
    assert mode_of(path) is not None


async def test_socket_when_its_path_is_too_long_then_said_with_the_remedy(tmp_path: Path, daemon: Daemon) -> None:
    """The kernel knows 107 bytes, not characters."""
    folder = tmp_path / ("ä" * 60)
    folder.mkdir()
    path = socket_path(folder / "alertd.db")
    with capture_logs() as logs:
        async with listen(path, daemon.handle):
            with pytest.raises(NobodyListens):
                await ask(path, ACK)
    (log,) = logs
    assert log["error"] == "the path is longer than 107 bytes; put the database into a folder with a shorter name"


async def test_socket_when_its_folder_is_missing_then_nobody_listens(tmp_path: Path, daemon: Daemon) -> None:
    """What the store says of it is clearer."""
    with pytest.raises(NobodyListens):
        await ask(tmp_path / "gone" / "alertd.db.sock", ACK)


async def test_socket_when_it_is_somebody_elses_then_says_who_may(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is another user, not another try. Tests may run as root, whom no permission stops."""

    async def refuse(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio, "open_unix_connection", refuse)
    with pytest.raises(UserError, match="only the daemon's own user and root may ask it"):
        await ask(path, ACK)


async def test_socket_when_a_second_daemon_is_closed_then_its_own_alone_is_gone(tmp_path: Path, daemon: Daemon) -> None:
    """Two databases, two doors."""
    paths = [socket_path(tmp_path / name) for name in ("one.db", "two.db")]
    other = Daemon()
    other.answer = "other"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(listen(paths[0], daemon.handle))
        async with listen(paths[1], other.handle):
            assert [await ask(path, ACK) for path in paths] == ["done", "other"]
        assert await ask(paths[0], ACK) == "done"
        with pytest.raises(NobodyListens):
            await ask(paths[1], ACK)


def test_socket_path_when_the_database_is_a_link_then_the_same_for_all_its_names(tmp_path: Path) -> None:
    """Daemon and command may name one file differently."""
    real = tmp_path / "real.db"
    real.touch()
    (tmp_path / "link.db").symlink_to(real)
    assert socket_path(tmp_path / "link.db") == socket_path(real) == tmp_path / "real.db.sock"
