"""Requests that are broken, over real sockets: each gets a 4xx and one line in the log, and no trace anywhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.web.house import TOKEN, House, house

FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as found:
        yield found


def request(*lines: str, body: bytes = b"", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = [*lines, "Host: localhost", "Connection: close", f"Content-Length: {size}"]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


async def exchange(home: House, data: bytes) -> bytes:
    """Send bytes and return everything that comes back until the connection ends."""
    async with asyncio.timeout(8):
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        try:
            writer.write(data)
            return await reader.read()
        finally:
            writer.close()


BEARER = f"Authorization: Bearer {TOKEN}"
LOGIN = "POST /login HTTP/1.1"
ALERTS = "POST /alerts/1234/acknowledge HTTP/1.1"


MALFORMED = [
    (request(LOGIN, FORM, "Origin: http://[bad"), "an origin that is none"),
    (request(LOGIN, FORM, "Origin: http://a]:x"), "another one"),
    (request(LOGIN, f"{FORM}; charset=klingon", body=b"token=x"), "an unknown charset"),
    (request(LOGIN, f"{FORM}; charset=rot13", body=b"token=x"), "a charset of bytes"),
    (request(LOGIN, f"{FORM}; charset=utf-7", body=b"token=+2AA-"), "a charset of half characters"),
    (request(ALERTS, BEARER, f"{FORM}; charset=klingon", body=b"by=x"), "the same behind the token"),
    (request(LOGIN, FORM, body=b"token=\xff\xfe"), "bytes that are no UTF-8"),
    (request(LOGIN, MULTIPART, body=b"x"), "multipart without a boundary"),
    (request(LOGIN, f"{MULTIPART}; boundary=b", body=b"nothing of the kind"), "no parts"),
    (request(LOGIN, f"{MULTIPART}; boundary=b", body=b"--b\r\n\r\nx\r\n--b--\r\n"), "no name"),
    (
        request(
            ALERTS,
            BEARER,
            f"{MULTIPART}; boundary=b",
            body=b"--b\r\nContent-Disposition: form-data; name=by\r\nContent-Transfer-Encoding: odd\r\n\r\nx\r\n--b--",
        ),
        "a part in an unknown encoding",
    ),
    (
        request(
            LOGIN,
            f"{MULTIPART}; boundary=b",
            body=b"--b\r\nContent-Disposition: form-data; name=token\r\n"
            b"Content-Type: text/plain; charset=klingon\r\n\r\nx\r\n--b--\r\n",
        ),
        "a part in an unknown charset",
    ),
    (request(LOGIN, FORM, "Content-Encoding: gzip", body=b"no gzip"), "compressed, it says"),
    (request(LOGIN, FORM, body=b"token=x&" * 20_000), "a form of 160 kB"),
    (b"\x16\x03\x01\x02\x00\x01\x00", "TLS"),
    (b"nonsense\r\n\r\n", "no HTTP"),
    (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", "an HTTP that is not there yet"),
    (b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", "a header without a colon"),
    (b"GET / HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n", "a host that is none"),
    (b"GET http://[bad/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "an address that is none"),
    (
        b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "an address of another host",
    ),
    (
        b"GET http://localhost@evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "one behind a login",
    ),
    (
        b"GET http://evil.example?@localhost/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "one before a query",
    ),
    (
        b"GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "one of an open path",
    ),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "two hosts"),
    (b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", "a path of other bytes"),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "a long header"),
    (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 500 + b"\r\n", "many headers"),
    (b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", "a length below 0"),
    (
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        + FORM.encode()
        + b"\r\n\r\nzz\r\n",
        "chunks that are none",
    ),
    (request("GET /%00%ff HTTP/1.1", "Expect: the-unexpected"), "an expectation that is not met"),
    (request("POST /alerts/%00%ff/silence HTTP/1.1", BEARER, FORM, body=b"length=1h"), "no alert"),
    (request("POST /silences/%0a/expire HTTP/1.1", BEARER, FORM), "no silence"),
    (request("BREW / HTTP/1.1"), "a method of its own"),
]


async def test_requests_when_malformed_then_each_refused_in_a_line(
    home: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can connect must not be able to fill the log with traces, nor look like a fault of alertd."""
    wrong: dict[str, object] = {}
    with capture_logs() as log:
        for data, name in MALFORMED:
            try:
                answer = await exchange(home, data)
            except TimeoutError:
                answer = b"none"
            body = answer.partition(b"\r\n\r\n")[2]
            is_in_a_line = body.count(b"\n") <= 1 or b"</form>" in body
            if not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or not is_in_a_line or b"aiohttp" in answer:
                wrong[name] = answer
    assert wrong == {}
    assert {(line["event"], line["log_level"]) for line in log} <= {
        ("malformed request", "warning"),
        ("wrong token", "warning"),
    }
    assert len(log) <= 2
    assert caplog.records == []


async def test_requests_when_very_many_are_malformed_then_logged_once_with_their_number(home: House) -> None:
    """An attack for hours must leave room on the disk for what matters."""
    with capture_logs() as log:
        for _ in range(50):
            await exchange(home, b"nonsense\r\n\r\n")
    assert [(line["event"], line["source"]) for line in log] == [("malformed request", "127.0.0.1")]


async def test_pages_when_odd_parameters_are_asked_for_then_answered_all_the_same(home: House) -> None:
    """Odd queries, cookies and headers of a well-formed request are no reason to fail."""
    odd = "%00%ff%ed%a0%80"
    for path in (f"/?window={odd}&by={odd}", f"/spend?{odd}", f"/login?next={odd}", f"/api/v1/alerts?all={odd}"):
        data = request(f"GET {path} HTTP/1.1", "Cookie: alertd_session=\xff.\xfe; =;", "Accept: text/html")
        assert (await exchange(home, data)).startswith(b"HTTP/1.1 200"), path
