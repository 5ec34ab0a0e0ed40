"""The page behind a real nginx: as it is installed, and as the help says to set it up."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path

import aiohttp
import pytest

from tests.ports import free_port
from tests.web.house import TOKEN, house

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
CONFIG = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; {location} }}
}}
"""


def documented() -> str:
    """The lines for nginx on the help page."""
    block = (
        files("alertd")
        .joinpath("help", "http.md")
        .read_text(encoding="utf-8")
        .partition("```nginx\n")[2]
        .partition("```")[0]
    )
    assert len(block.strip().splitlines()) == 4
    return block


@asynccontextmanager
async def nginx(folder: Path, location: str) -> AsyncIterator[int]:
    """Run nginx with one location; yield its port."""
    if NGINX is None:
        pytest.skip("needs nginx")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, location=location))
    process = subprocess.Popen([NGINX, "-p", folder, "-c", config, "-e", folder / "error.log"])  # noqa: ASYNC220 -- it is ended below
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.poll() is None, (folder / "error.log").read_text()
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield port
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)


@pytest.mark.parametrize("token", [TOKEN, ""], ids=["with a token", "without one"])
async def test_nginx_as_installed_then_what_it_passes_on_is_not_open(tmp_path: Path, token: str) -> None:
    """Its one line `proxy_pass` adds no header, and looks like a request of this host's own."""
    async with (
        house(tmp_path, token=token, public_read=False, polls=0) as home,
        nginx(tmp_path, f"location / {{ proxy_pass http://127.0.0.1:{home.port}; }}") as port,
    ):
        for path in ("/", "/metrics", "/api/v1/alerts"):
            async with home.session.get(f"http://127.0.0.1:{port}{path}") as answer:
                assert answer.status == (401 if token else 403)
        async with home.session.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200


async def test_nginx_as_documented_then_one_signs_in_and_guesses_are_counted_for_each_visitor(tmp_path: Path) -> None:
    """Four lines are all that it needs."""
    async with (
        house(tmp_path, public_read=False, external_url="http://alertd.test") as home,
        nginx(tmp_path, documented().replace("127.0.0.1:9464", f"127.0.0.1:{home.port}")) as port,
    ):
        url, own = f"http://127.0.0.1:{port}", {"Host": "alertd.test"}
        for _ in range(10):
            async with home.session.post(f"{url}/login", data={"token": "guess"}, headers=own) as answer:
                assert answer.status == 401
        async with home.session.post(f"{url}/login", data={"token": TOKEN}, headers=own) as answer:
            assert answer.status == 429
        # From elsewhere than through it, nobody waits.
        async with home.session.post(
            f"{home.url}/login", data={"token": TOKEN}, headers={"X-Forwarded-For": "192.0.2.7"}
        ) as answer:
            assert answer.status == 200
        async with aiohttp.ClientSession() as script:
            bearer = {**own, "Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "192.0.2.8"}
            async with script.get(f"{url}/metrics", headers=bearer) as answer:
                assert answer.status == 429
