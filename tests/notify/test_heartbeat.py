"""The dead man's switch against real servers: what counts as heard, and that the log never shows the URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from alertd.notify import heartbeat as heartbeat_module
from alertd.notify.heartbeat import ping, send_heartbeat
from alertd.settings.outgoing.connections import Outgoing
from tests.ports import free_port

SECRET = "canary-uuid"


@asynccontextmanager
async def switch(answer: web.Response) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers so, with what it was asked for."""
    asked: list[str] = []

    async def take(request: web.Request) -> web.Response:
        asked.append(request.path)
        return answer if len(asked) == 1 else web.Response(text="OK")

    application = web.Application()
    application.router.add_get("/{path:.*}", take)
    server = TestServer(application)
    await server.start_server()
    try:
        yield str(server.make_url(f"/{SECRET}")), asked
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        pytest.param(200, "OK", "", id="heard"),
        pytest.param(200, "", "", id="heard, without a word"),
        pytest.param(202, "", "", id="taken for later"),
        pytest.param(204, "", "", id="no content"),
        pytest.param(301, "", "redirects are not followed", id="redirected"),
        pytest.param(302, f"see /{SECRET}", "redirects are not followed", id="redirected to a sign-in page"),
        pytest.param(304, "", "redirects are not followed", id="not modified: a cache answered"),
        pytest.param(206, "part", "206", id="a part"),
        pytest.param(203, "OK", "203", id="from a proxy"),
        pytest.param(200, "<html>Sign in</html>", "a web page", id="a sign-in page"),
        pytest.param(200, '{"ok": false}', "failed", id="a service that refuses in JSON"),
        pytest.param(200, "OK (not found)", "does not count", id="Healthchecks knows no such check"),
        pytest.param(200, "OK (rate limited)", "does not count", id="Healthchecks has had too many"),
        pytest.param(404, f"no {SECRET}", "404", id="refused"),
        pytest.param(500, "", "500", id="broken"),
    ],
)
async def test_ping_then_says_whether_it_was_heard(status: int, body: str, word: str) -> None:
    """A ping that arrived elsewhere would keep the alarm silent for a daemon that is gone."""
    headers = {"Location": "/elsewhere"} if status in {301, 302} else {}
    async with switch(web.Response(status=status, text=body, headers=headers)) as (url, asked):
        error = await ping(url, Outgoing())
    assert (bool(error), word in error) == (bool(word), True)
    assert asked == [f"/{SECRET}"], "it is asked once, and nowhere else"
    assert SECRET not in error


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/canary-uuid", "nonsense", "http://[canary-uuid", "ftp://x/"])
async def test_ping_when_nobody_can_be_asked_then_says_why(url: str) -> None:
    """A mistyped URL is a warning in the log, not the end of the service."""
    error = await ping(url.format(port=free_port()), Outgoing())
    assert error
    assert SECRET not in error


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        pytest.param("", [], id="heard"),
        pytest.param("answered 404", ["answered 404"], id="refused"),
        pytest.param(
            ValueError(f"bad URL https://hc.example/{SECRET}"), ["ValueError"], id="a fault that quotes the URL"
        ),
    ],
)
async def test_heartbeat_when_it_fails_in_any_way_then_one_line_without_the_url(
    answer: str | Exception, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The poll was a good one, and its end must not fail; whoever has the URL can keep the alarm silent."""

    async def pinged(_url: str, _outgoing: Outgoing) -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(heartbeat_module, "ping", pinged)
    with capture_logs() as log:
        await send_heartbeat(f"https://hc.example/{SECRET}", Outgoing())
    assert [line["error"] for line in log] == lines
