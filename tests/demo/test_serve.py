"""`alertd demo --serve`: the page that people see first has everything to look at, and ends cleanly."""

import asyncio
import re
import socket
from datetime import timedelta

import aiohttp
import pytest

from alertd.cli.root import run
from alertd.demo import serve as demo_page
from alertd.demo.demo import START


@pytest.mark.slow
async def test_page_of_the_demo_then_is_up_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days in place of thirteen; signing in with the token that is printed works."""
    monkeypatch.setattr(demo_page, "WORST_HOUR", START + timedelta(days=2, hours=16))
    said: list[str] = []
    is_up, stop = asyncio.Event(), asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        if "http://127.0.0.1:" in text:
            is_up.set()

    serving = asyncio.create_task(demo_page.serve_demo(say, seed=7, port=0, stop=stop))
    waiting = asyncio.create_task(is_up.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert is_up.is_set(), serving.result()
    (url,) = re.findall(r"http://127\.0\.0\.1:\d+/", said[-1])
    (token,) = re.findall(r"token (\S+)", said[-1])
    async with aiohttp.ClientSession(headers={"Accept": "text/html"}) as session:
        async with session.get(url) as answer:
            text = await answer.text()
        async with session.post(f"{url}login", data={"token": token}, allow_redirects=False) as answer:
            assert answer.status == 303
    assert answer.headers["Location"] == "/"
    for notified in ("monthly-budget", "team-budgets", "Balance of default", "Nothing is wrong.", " in force since"):
        assert notified in text, notified
    stop.set()
    await serving


def test_port_when_taken_then_says_so_before_the_month_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody waits ten seconds for an error."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code = run(["demo", "--serve", "--port", str(port)])
    words = "Address already in use; choose another one, or none for a free one"
    shown = capsys.readouterr()
    assert (code, shown.out, shown.err) == (1, "", f"alertd: --port: cannot listen on 127.0.0.1:{port}: {words}\n")
