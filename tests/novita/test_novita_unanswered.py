"""An account whose API does not answer: a poll waits for one time-out of it, and asks again in the next one."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from alertd.core.hours import HourRange
from alertd.errors import ApiThrottled, ApiUnavailable
from alertd.novita.client import NovitaClient
from alertd.novita.transport import CONCURRENT_REQUESTS
from alertd.novita.unanswered import LASTS_S
from alertd.outgoing.connections import Outgoing
from alertd.outgoing.turns import AT_ONCE

SPAN = HourRange(490_000, 490_024)
CATEGORIES = [f"category-{n}" for n in range(12)]


class Account:
    """A client over answers that are made here, and how often it asked."""

    def __init__(self, answer: Callable[[str], httpx.Response]) -> None:
        self.asked = 0
        self.waited_s = 0.0
        self.now_s = 0.0
        self.answer = answer

    def client(self) -> NovitaClient:
        return NovitaClient(
            account="prod",
            api_key="sk-key",
            base_url="http://api.example",
            transport=httpx.MockTransport(self._respond),
            sleep=self._sleep,
            elapsed=lambda: self.now_s,
        )

    async def _sleep(self, seconds: float) -> None:
        self.waited_s += seconds
        for _ in range(20):
            await asyncio.sleep(0)

    async def _respond(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await asyncio.sleep(0)
        return self.answer(request.url.params["productCategory"])

    async def read_all(self, client: NovitaClient) -> list[object]:
        """Read every category at once, as a poll does."""
        return list(
            await asyncio.gather(*(client.read_bills(name, SPAN) for name in CATEGORIES), return_exceptions=True)
        )


def _nothing(_: str) -> httpx.Response:
    raise httpx.ReadTimeout("nothing came")


def _bills(_: str) -> httpx.Response:
    return httpx.Response(200, stream=httpx.ByteStream(b'{"bills": []}'))


async def test_account_when_silent_then_not_asked_for_each_category_and_asked_again_later() -> None:
    """Twelve categories by three attempts of half a minute kept the alerts of all other accounts for ten minutes."""
    account = Account(_nothing)
    async with account.client() as client:
        found = await account.read_all(client)
        assert all(isinstance(error, ApiUnavailable) for error in found)
        assert account.asked <= 2 * CONCURRENT_REQUESTS
        account.now_s += LASTS_S
        account.answer = _bills
        assert not any(isinstance(each, BaseException) for each in await account.read_all(client))


async def test_account_when_one_category_hangs_then_the_others_are_read_and_it_is_tried_again() -> None:
    """Silence is of an account, not of one question that its API cannot answer."""
    account = Account(lambda category: _nothing(category) if category == CATEGORIES[0] else _bills(category))
    async with account.client() as client:
        found = await account.read_all(client)
    assert [isinstance(each, ApiUnavailable) for each in found] == [True] + [False] * 11
    assert account.asked == 11 + 3


@pytest.mark.parametrize(("asked_s", "waited_s"), [(10, 40), (25, 50), (60, 60), (61, 0)])
async def test_account_when_asked_to_wait_then_never_longer_than_a_minute_altogether(
    asked_s: int, waited_s: int
) -> None:
    """Four waits of a minute each held up every other account's alerts."""
    account = Account(
        lambda _: httpx.Response(429, headers={"Retry-After": f"{asked_s}"}, stream=httpx.ByteStream(b"{}"))
    )
    async with account.client() as client:
        with pytest.raises(ApiThrottled):
            await client.read_bills("gpu", SPAN)
    assert account.waited_s == waited_s


async def test_accounts_when_many_are_read_then_so_many_answers_at_once_and_no_more() -> None:
    """Three hundred accounts of four requests each were late for each of them, and held a gigabyte of answers."""
    outgoing, running, most = Outgoing(), 0, 0

    async def respond(_: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return _bills("")

    clients = [
        NovitaClient(
            account=f"account-{n}",
            api_key="sk-key",
            base_url="http://api.example",
            transport=httpx.MockTransport(respond),
            outgoing=outgoing,
        )
        for n in range(AT_ONCE)
    ]
    await asyncio.gather(*(client.read_bills(name, SPAN) for client in clients for name in CATEGORIES[:3]))
    assert most == AT_ONCE
    for client in clients:
        await client.close()
