"""An API that does not answer holds up a poll once, and is asked again as soon as anything was heard of it."""

import asyncio
import random

import httpx
import pytest

from alertd.clock import utc_now
from alertd.errors import ApiError
from alertd.novita.transport import ApiRequest, Bounds, Transport
from alertd.novita.unanswered import LASTS_S, MISSED, Unanswered
from alertd.settings.outgoing.connections import Outgoing

REQUEST = ApiRequest(path="/bills", parameters={}, what="bills")


@pytest.mark.parametrize(
    ("events", "later_s", "lasts"),
    [
        pytest.param("m" * (MISSED - 1), 0.0, False, id="one fewer than it takes"),
        pytest.param("m" * MISSED, 0.0, True, id="as many as it takes"),
        pytest.param("m" * MISSED, LASTS_S - 1, True, id="for a while"),
        pytest.param("m" * MISSED, LASTS_S, False, id="and no longer"),
        pytest.param("m" * (MISSED - 1) + "hm", 0.0, False, id="an answer in between"),
        pytest.param("m" * MISSED + "h", 0.0, False, id="an answer after them"),
        pytest.param("m" * MISSED + "h" + "m" * MISSED, 0.0, True, id="a second time"),
    ],
)
def test_api_when_requests_are_not_answered_then_not_asked_for_a_while(
    events: str, later_s: float, lasts: bool
) -> None:
    """Only misses in a row count."""
    now_s = [100.0]
    known = Unanswered(lambda: now_s[0])
    for event in events:
        (known.miss if event == "m" else known.hear)()
    now_s[0] += later_s
    assert known.lasts is lasts


@pytest.mark.parametrize(
    ("answers_every", "asked"),
    [
        pytest.param(MISSED, 2 * MISSED, id="a refusal now and then shows that the API is there"),
        pytest.param(1_000, MISSED, id="nothing: the polls of other accounts wait for this one"),
    ],
)
async def test_requests_when_not_answered_then_made_for_as_long_as_something_comes(
    answers_every: int, asked: int
) -> None:
    """Four requests, each made twice at most: a slow category must not end the poll of the rest."""
    count = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        if count % answers_every:
            raise httpx.ReadTimeout("slow")
        return httpx.Response(403, stream=httpx.ByteStream(b'{"reason": "FAILED_TO_AUTH"}'))

    async def at_once(_: float) -> None:
        return

    transport = Transport(
        account="prod",
        api_key="canary-key",
        key_source="ALERTD_NOVITA_API_KEY",
        base_url="https://api.example.com",
        transport=httpx.MockTransport(answer),
        outgoing=Outgoing.from_environment({}),
        sleep=at_once,
        rng=random.Random(1),
        now=utc_now,
        hear=lambda *_: None,
        elapsed=lambda: 0.0,
        bounds=Bounds(),
    )
    for _ in range(4):
        with pytest.raises(ApiError):
            await transport.read_whole(REQUEST, bytes)
    await transport.close()
    assert count == asked


async def test_requests_when_answers_are_never_whole_then_not_asked_for_a_while_either() -> None:
    """Each request is given up at the deadline of a whole answer, whatever the connection does meanwhile."""
    count = 0

    async def answer(_: httpx.Request) -> httpx.Response:
        nonlocal count
        count += 1
        await asyncio.Event().wait()
        raise AssertionError

    async def at_once(_: float) -> None:
        return

    transport = Transport(
        account="prod",
        api_key="canary-key",
        base_url="https://api.example.com",
        transport=httpx.MockTransport(answer),
        sleep=at_once,
        rng=random.Random(1),
        now=utc_now,
        elapsed=lambda: 0.0,
        bounds=Bounds(answer_s=0.001),
    )
    for _ in range(4):
        with pytest.raises(ApiError):
            await transport.read_whole(REQUEST, bytes)
    await transport.close()
    assert count == MISSED
