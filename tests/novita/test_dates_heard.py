"""Every answer says what time it is there: whatever was asked, and whatever the answer."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import pytest

from alertd.core.actions import Verb
from alertd.core.hours import HourRange, hour_of
from alertd.core.resources import ResourceKind
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.errors import ApiError
from alertd.novita.client import NovitaClient
from alertd.novita.instances import InstanceClient
from alertd.novita.transport import Transport

NOW = datetime(2026, 3, 12, 12, 5, tzinfo=UTC)
THERE = datetime(2026, 3, 12, 12, 4, 58, tzinfo=UTC)
SPAN = HourRange(hour_of(NOW) - 2, hour_of(NOW))

BILLS: dict[str, Callable[[NovitaClient], Awaitable[object]]] = {
    "the time": lambda client: client.ask_time(),
    "bills": lambda client: client.read_bills("gpu", SPAN),
    "subscriptions": lambda client: client.read_bills(SUBSCRIPTION, SPAN),
    "bills by key": lambda client: client.read_key_bills("llm", SPAN),
    "monthly bills": lambda client: client.read_monthly_bills("2026-01"),
    "balance": lambda client: client.read_balance(NOW),
    "instances": lambda client: client.read_resources(ResourceKind.INSTANCE),
    "endpoints": lambda client: client.read_resources(ResourceKind.ENDPOINT),
    "utilisation": lambda client: client.read_utilization("gpu-1", datetime(2026, 3, 12, 11, tzinfo=UTC), NOW),
}
INSTANCES: dict[str, Callable[[InstanceClient], Awaitable[object]]] = {
    "a stop": lambda client: client.call(Verb.STOP, "gpu-1"),
    "a start": lambda client: client.call(Verb.START, "gpu-1"),
    "a state": lambda client: client.look("gpu-1"),
    "a key": lambda client: client.key_fault(),
}


async def no_sleep(_: float) -> None:
    """Retry at once."""


@pytest.mark.parametrize("what", [*BILLS, *INSTANCES])
async def test_answer_when_it_comes_then_its_date_is_heard_with_when_it_was_asked_for(what: str) -> None:
    """A clock that is wrong is noticed by whatever is asked first; an answer without a date is noticed too."""
    answers: list[tuple[int, dict[str, str]]] = []
    heard: list[tuple[datetime | None, float]] = []

    async def answer(_: httpx.Request) -> httpx.Response:
        status, headers = answers[-1]
        # As from the network: not read yet.
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(b"{}"))

    made = Transport(
        account="prod",
        api_key="sk_0123456789",
        base_url="https://api.example.com/",
        transport=httpx.MockTransport(answer),
        now=lambda: NOW,
        elapsed=lambda: 17.0,
        sleep=no_sleep,
        hear=lambda date, asked_s: heard.append((date, asked_s)),
    )
    for status in (200, 403, 404, 429, 500):
        for headers, date in (({"Date": "Thu, 12 Mar 2026 12:04:58 GMT"}, THERE), ({}, None)):
            answers.append((status, headers))
            heard.clear()
            with suppress(ApiError):
                await (BILLS[what](NovitaClient(made)) if what in BILLS else INSTANCES[what](InstanceClient(made)))
            assert set(heard) == {(date, 17.0)}, (status, headers)
    await made.close()
