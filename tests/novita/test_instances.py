"""Calls to stop and start, and reading the state back: one request each, and nothing of an answer but a state."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import msgspec
import pytest

from alertd.clock import elapsed_s, utc_now
from alertd.core.actions import CallAnswer, CallResult, Sight, Verb
from alertd.novita.instances import InstanceClient
from alertd.novita.transport import Bounds, Transport

SECRET = "planted-secret-8c1f"
KEY = "sk_stop_0123456789"
Answer = Callable[[httpx.Request], httpx.Response]


class Double:
    """The vendor's API for one instance; what it was asked is kept."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[httpx.Request] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answer(request)
        # As from the network: not read yet.
        return httpx.Response(answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content))


async def ask(double: Double, do: Callable[[InstanceClient], Awaitable[CallAnswer | Sight]]) -> CallAnswer | Sight:
    client = InstanceClient(
        Transport(
            account="prod",
            api_key=KEY,
            key_source="NOVITA_STOP_KEY",
            base_url="https://api.example.com/",
            transport=httpx.MockTransport(double),
            bounds=Bounds(call_s=0.2),
            now=utc_now,
            elapsed=elapsed_s,
        )
    )
    try:
        return await do(client)
    finally:
        await client.close()


def raising(error: Exception) -> Answer:
    def answer(_: httpx.Request) -> httpx.Response:
        raise error

    return answer


def with_status(status: int, **parts: object) -> Answer:
    return lambda _: httpx.Response(status, **{"json": {"reason": SECRET, "message": SECRET}, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", Verb)
async def test_call_when_made_then_one_post_with_its_own_key(verb: Verb) -> None:
    """The first generation's paths, and the instance alone in the body."""
    double = Double(with_status(200))
    assert await ask(double, lambda c: c.call(verb, "gpu-1")) == CallAnswer(result=CallResult.TAKEN)
    (sent,) = double.asked
    assert (sent.method, str(sent.url)) == (
        "POST",
        f"https://api.example.com/gpu-instance/openapi/v1/gpu/instance/{verb.value}",
    )
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert msgspec.json.decode(sent.content) == {"instanceId": "gpu-1"}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        pytest.param(with_status(200, content=b"", json=None), CallResult.TAKEN, id="empty"),
        pytest.param(with_status(204, json=None), CallResult.TAKEN, id="no content"),
        pytest.param(with_status(202), CallResult.TAKEN, id="accepted"),
        pytest.param(with_status(400), CallResult.REFUSED, id="400"),
        pytest.param(with_status(401), CallResult.REFUSED, id="a wrong key"),
        pytest.param(with_status(403), CallResult.REFUSED, id="a key without rights"),
        pytest.param(with_status(404), CallResult.REFUSED, id="an instance that is gone"),
        pytest.param(with_status(409), CallResult.REFUSED, id="a conflict"),
        pytest.param(with_status(429), CallResult.REFUSED, id="too many requests"),
        pytest.param(with_status(408), CallResult.UNCLEAR, id="a time-out of the server's"),
        pytest.param(with_status(500), CallResult.UNCLEAR, id="500"),
        pytest.param(with_status(502), CallResult.UNCLEAR, id="a gateway without an answer"),
        pytest.param(with_status(504), CallResult.UNCLEAR, id="a gateway that waited"),
        pytest.param(with_status(303, headers={"Location": "/done"}), CallResult.UNCLEAR, id="a redirect"),
        pytest.param(raising(httpx.ReadTimeout(SECRET)), CallResult.UNCLEAR, id="no answer in time"),
        pytest.param(raising(httpx.WriteError(SECRET)), CallResult.UNCLEAR, id="cut while it was sent"),
        pytest.param(raising(httpx.RemoteProtocolError(SECRET)), CallResult.UNCLEAR, id="an answer cut short"),
        pytest.param(raising(httpx.ConnectError(SECRET)), CallResult.REFUSED, id="no connection"),
        pytest.param(raising(httpx.ConnectTimeout(SECRET)), CallResult.REFUSED, id="no connection in time"),
    ],
)
@pytest.mark.parametrize("verb", Verb)
async def test_call_when_answered_then_asked_once_and_nothing_is_quoted(
    verb: Verb, answer: Answer, result: CallResult
) -> None:
    """What the answer leaves open is never cured by asking again."""
    double = Double(answer)
    found = await ask(double, lambda c: c.call(verb, "gpu-1"))
    assert isinstance(found, CallAnswer)
    assert found.result is result
    assert len(double.asked) == 1
    assert SECRET not in found.text
    assert KEY not in found.text
    assert (found.text == "") is (result is CallResult.TAKEN)


async def test_call_when_the_server_hangs_then_unclear_after_its_own_deadline() -> None:
    """A server that drips never runs into a time-out between its bytes."""

    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    client = InstanceClient(
        Transport(
            account="prod",
            api_key=KEY,
            key_source="K",
            base_url="https://api.example.com",
            transport=httpx.MockTransport(hang),
            bounds=Bounds(call_s=0.01),
            now=utc_now,
            elapsed=elapsed_s,
        )
    )
    found = await client.call(Verb.STOP, "gpu-1")
    sight = await client.look("gpu-1")
    await client.close()
    assert (found.result, sight.status) == (CallResult.UNCLEAR, "")


INSTANCE = {"id": "gpu-1", "status": "exited", "sshPassword": SECRET, "envs": [{"key": "A", "value": SECRET}]}


@pytest.mark.parametrize(
    ("answer", "sight"),
    [
        pytest.param(lambda _: httpx.Response(200, json=INSTANCE), Sight(status="exited"), id="its state"),
        pytest.param(
            lambda _: httpx.Response(200, json={**INSTANCE, "status": "hovering"}),
            Sight(status="hovering"),
            id="one nobody knows",
        ),
        pytest.param(
            lambda _: httpx.Response(200, json={**INSTANCE, "id": "gpu-2"}),
            Sight(text="the API's answer is about another instance"),
            id="another instance",
        ),
        pytest.param(
            lambda _: httpx.Response(200, json={"status": "exited"}),
            Sight(text="the API's answer is about another instance"),
            id="a gateway's own state",
        ),
        pytest.param(
            lambda _: httpx.Response(200, json={**INSTANCE, "status": {"state": SECRET}}),
            Sight(text="the answer about its state cannot be read"),
            id="a state that is none",
        ),
        pytest.param(
            lambda _: httpx.Response(200, json={**INSTANCE, "status": SECRET}),
            Sight(text="the API says no state of it"),
            id="a secret in its place",
        ),
        pytest.param(
            lambda _: httpx.Response(200, json={}), Sight(text="the API says nothing of such an instance"), id="nothing"
        ),
        pytest.param(
            lambda _: httpx.Response(200, content=b""),
            Sight(text="the answer about its state cannot be read"),
            id="an empty body",
        ),
        pytest.param(
            lambda _: httpx.Response(200, content=b'{"id": "gpu-1", "sta'),
            Sight(text="the answer about its state cannot be read"),
            id="half an answer",
        ),
        pytest.param(
            with_status(404), Sight(text="the API knows no such instance (HTTP 404)"), id="an instance that is gone"
        ),
        pytest.param(
            with_status(403),
            Sight(text="its state could not be read: key refused (HTTP 403), set NOVITA_STOP_KEY"),
            id="a key without rights",
        ),
        pytest.param(with_status(500), Sight(text="its state could not be read (HTTP 500)"), id="500"),
        pytest.param(
            raising(httpx.ReadTimeout(SECRET)), Sight(text="its state could not be read (ReadTimeout)"), id="no answer"
        ),
    ],
)
async def test_state_when_read_then_a_status_or_why_there_is_none(answer: Answer, sight: Sight) -> None:
    """Only a state that the API says of this instance counts; nothing else of an answer is kept."""
    double = Double(answer)
    assert await ask(double, lambda c: c.look("gpu-1")) == sight
    (sent,) = double.asked
    assert (sent.method, sent.url.path, dict(sent.url.params)) == (
        "GET",
        "/gpu-instance/openapi/v1/gpu/instance",
        {"instanceId": "gpu-1"},
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(with_status(404), "", id="no such instance: the key is good"),
        pytest.param(with_status(400), "", id="another way to say so"),
        pytest.param(with_status(200), "", id="an answer"),
        pytest.param(with_status(200, json=None, text="<html>"), "not a JSON object", id="a sign-in page"),
        pytest.param(with_status(206), "HTTP 206", id="a part"),
        pytest.param(with_status(302), "HTTP 302", id="sent on to a sign-in page"),
        pytest.param(with_status(429), "HTTP 429", id="asked to wait"),
        pytest.param(with_status(401), "key refused (HTTP 401), set NOVITA_STOP_KEY", id="refused"),
        pytest.param(with_status(403), "key refused (HTTP 403), set NOVITA_STOP_KEY", id="without rights"),
        pytest.param(with_status(503), "HTTP 503", id="down"),
        pytest.param(raising(httpx.ConnectError("no")), "did not answer", id="unreachable"),
    ],
)
async def test_key_when_checked_then_by_one_get_and_nothing_is_stopped(answer: Answer, words: str) -> None:
    """`alertd check --online` asks before the night in which it counts."""
    double = Double(answer)
    client = InstanceClient(
        Transport(
            account="prod",
            api_key=KEY,
            key_source="NOVITA_STOP_KEY",
            base_url="https://api.example.com/",
            transport=httpx.MockTransport(double),
            now=utc_now,
            elapsed=elapsed_s,
        )
    )
    try:
        fault = await client.key_fault()
    finally:
        await client.close()
    assert words in fault
    assert bool(words) is bool(fault)
    assert SECRET not in fault
    assert {request.method for request in double.asked} == {"GET"}
