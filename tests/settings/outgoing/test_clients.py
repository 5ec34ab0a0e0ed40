"""Every client connects through the proxy that the environment names, and past it where it says so."""

from collections.abc import Awaitable, Callable
from typing import ClassVar

import httpcore
import httpx
import pytest

from alertd.clock import elapsed_s, utc_now
from alertd.errors import ApiError
from alertd.notify.base import Delivered, NotSent
from alertd.notify.heartbeat import ping
from alertd.notify.slack.api import SlackApi
from alertd.notify.webhook_post import WebhookPost
from alertd.novita.client import NovitaClient
from alertd.novita.transport import Transport
from alertd.settings.outgoing.connections import Outgoing
from tests.builders import NOON
from tests.settings.outgoing.proxy_double import http_proxy, socks_proxy

Use = Callable[[Outgoing], Awaitable[object]]
HOST = "http://far.invalid"


async def use_webhook(outgoing: Outgoing) -> object:
    return await WebhookPost(f"{HOST}/hook", token=None, outgoing=outgoing).send(b"{}")


async def use_heartbeat(outgoing: Outgoing) -> object:
    return await ping(f"{HOST}/ping", outgoing)


async def use_slack_webhook(outgoing: Outgoing) -> object:
    api = SlackApi(token=None, webhook_url=f"{HOST}/services/1", base_url=f"{HOST}/api/", outgoing=outgoing)
    return await api.post_to_webhook(f"{HOST}/services/1", {"text": "x"})


async def use_slack(outgoing: Outgoing) -> object:
    api = SlackApi(token="xoxb-1", webhook_url=None, base_url=f"{HOST}/api/", outgoing=outgoing)
    return await api.call("chat.postMessage", {"channel": "#a", "text": "x"}, recipient="#a")


async def use_novita(outgoing: Outgoing) -> object:
    async def no_wait(_: float) -> None:
        return None

    async with NovitaClient(
        Transport(
            account="a", api_key="sk_1", base_url=HOST, outgoing=outgoing, sleep=no_wait, now=utc_now, elapsed=elapsed_s
        )
    ) as client:
        try:
            return await client.read_balance(NOON)
        except ApiError as error:
            return error


CLIENTS = (use_webhook, use_heartbeat, use_slack_webhook, use_slack, use_novita)


class Recording(httpcore.AsyncMockStream):
    """Says its bytes, and remembers how many it was asked for at a time."""

    asked: ClassVar[set[int]] = set()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 -- httpcore's own
        self.asked.add(max_bytes)
        return await super().read(max_bytes, timeout)


class Recorded(httpcore.AsyncMockBackend):
    """A network on which every connection is a `Recording`."""

    async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        return Recording([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"{}"])


async def test_connection_when_read_then_as_much_at_a_time_as_asyncio_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """httpcore has no option for it: a release that names the constant otherwise would read 64 KiB again, silently."""
    monkeypatch.setattr(httpcore.AsyncHTTP11Connection, "READ_NUM_BYTES", 1)
    monkeypatch.setattr(Recording, "asked", set())
    async with Outgoing().http_client(HOST, timeout=httpx.Timeout(5)):
        pass
    async with httpcore.AsyncConnectionPool(network_backend=Recorded([])) as pool:
        assert (await pool.request("GET", HOST)).content == b"{}"
    assert Recording.asked == {256 * 1024}


@pytest.mark.parametrize("use", CLIENTS)
async def test_client_when_a_proxy_is_set_then_asks_it(use: Use) -> None:
    """A host without a way out of its own has no other."""
    async with http_proxy() as (place, asked):
        await use(Outgoing.from_environment({"HTTP_PROXY": f"http://{place}"}))
    assert asked
    assert all(f"{HOST}/" in line for line in asked)


@pytest.mark.parametrize("use", CLIENTS)
async def test_client_when_the_host_is_let_past_then_the_proxy_is_not_asked(use: Use) -> None:
    """slack-sdk by itself knows no NO_PROXY at all."""
    async with http_proxy() as (place, asked):
        await use(Outgoing.from_environment({"HTTP_PROXY": place, "NO_PROXY": "10.0.0.0/8 .invalid"}))
    assert asked == []


@pytest.mark.parametrize("use", CLIENTS)
async def test_client_when_libraries_find_a_proxy_in_the_environment_then_they_do_not_use_it(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked is what is used, and nothing else."""
    async with http_proxy() as (place, asked):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://{place}")
        await use(Outgoing())
    assert asked == []


@pytest.mark.parametrize("use", CLIENTS)
async def test_client_when_the_proxy_speaks_socks_then_it_looks_the_name_up(use: Use) -> None:
    """Behind such a proxy names of the outside often mean nothing."""
    async with socks_proxy() as (place, asked):
        await use(Outgoing.from_environment({"ALL_PROXY": f"socks5h://{place}"}))
    assert asked
    assert set(asked) == {"far.invalid:80"}


async def test_webhook_when_the_proxy_answers_then_delivered_and_when_it_is_gone_then_not_sent() -> None:
    """A proxy that nobody listens on is no lost answer."""
    async with http_proxy() as (place, _):
        outgoing = Outgoing.from_environment({"HTTP_PROXY": place})
        assert isinstance(await use_webhook(outgoing), Delivered)
    assert isinstance(await use_webhook(outgoing), NotSent)
