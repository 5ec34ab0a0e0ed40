"""Instances and endpoints over real sockets: which pages are asked for, what is kept of odd answers, and no secret."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from alertd.clock import elapsed_s
from alertd.core.resources import Listed, Listing, ResourceKind
from alertd.errors import ApiError, ApiKeyRefused, ApiRequestRefused, ApiUnavailable
from alertd.novita.client import NovitaClient
from alertd.novita.resources import MAX_PAGES, decode_endpoints, decode_instances
from alertd.novita.shape import UnexpectedShape
from alertd.novita.transport import Bounds, Transport
from tests.e2e.world import API_KEY, BillingWorld, Fault

NOW = datetime(2026, 3, 12, 12, 5, tzinfo=UTC)
SECRET = "canary-7f31"
LEAKY = {
    "envs": [{"key": "TOKEN", "value": SECRET}],
    "sshPassword": SECRET,
    "command": SECRET,
    "imageAuthId": SECRET,
    "statusError": {"state": SECRET, "message": SECRET},
    SECRET: SECRET,
}


@pytest.fixture
def world() -> Iterator[BillingWorld]:
    with BillingWorld(clock=NOW.timestamp) as billing:
        yield billing


def connect(world: BillingWorld, bounds: Bounds | None = None) -> NovitaClient:
    return NovitaClient(
        Transport(
            account="prod",
            api_key=API_KEY,
            base_url=world.url,
            now=lambda: NOW,
            bounds=bounds or Bounds(beside_s=5),
            elapsed=elapsed_s,
        )
    )


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"i-{number}", "name": f"trainer-{number}", "status": "running", **LEAKY, **more}


def pages_from(first: int, count: int, *, below: str) -> Callable[[dict[str, str]], Any]:
    """A list of which the first page has a number; a page before it is answered by *below*."""

    def answer(query: dict[str, str]) -> Any:
        size, page = int(query["pageSize"]), int(query["pageNum"])
        if page < first:
            page = {"the first": first, "empty": 10**6}[below]
        start = (page - first) * size
        return {"instances": [entry(n) for n in range(start, min(count, start + size))], "total": count}

    return answer


async def ids(client: NovitaClient) -> list[str]:
    return [one.id for one in (await client.read_resources(ResourceKind.INSTANCE)).entries]


@pytest.mark.parametrize("count", [0, 1, 100, 101, 200, 250])
@pytest.mark.parametrize(
    ("first", "below"), [(0, "the first"), (1, "the first"), (1, "empty")], ids=["from 0", "from 1", "from 1, 0 empty"]
)
async def test_pages_when_it_is_open_where_they_begin_then_every_instance_once(
    world: BillingWorld, first: int, below: str, count: int
) -> None:
    """Nobody says whether pages count from 0; a service may answer 0 with its first page."""
    world.beside["instances"] = pages_from(first, count, below=below)
    async with connect(world) as client:
        assert sorted(await ids(client)) == sorted(f"i-{n}" for n in range(count))


async def test_pages_when_page_0_is_refused_then_read_from_1(world: BillingWorld) -> None:
    """A service that counts from 1 may call 0 a mistake."""
    usual, refused = pages_from(1, 3, below="empty"), Fault(status=400, body=b'{"code": 400, "message": "pageNum"}')
    world.beside["instances"] = lambda query: refused if query["pageNum"] == "0" else usual(query)
    async with connect(world) as client:
        assert await ids(client) == ["i-0", "i-1", "i-2"]


async def test_pages_when_the_service_repeats_its_last_one_then_the_end(world: BillingWorld) -> None:
    """It would be asked for ever otherwise."""
    world.beside["instances"] = lambda _: {"instances": [entry(1), entry(2)]}
    async with connect(world) as client:
        assert await ids(client) == ["i-1", "i-2"]
    assert [query["pageNum"] for _, query in world.asked_beside] == ["0", "1", "2"]


async def test_pages_when_each_brings_new_ones_then_given_up(world: BillingWorld) -> None:
    """A list without end is not believed, and nothing of it counts."""
    world.beside["instances"] = lambda query: {"instances": [entry(int(query["pageNum"]))]}
    async with connect(world) as client:
        with pytest.raises(ApiUnavailable, match="not seen before"):
            await ids(client)
    assert len(world.asked_beside) == MAX_PAGES + 1


ODD = [
    pytest.param({}, Listed(id="i-1", name="trainer-1", status="running"), id="usual"),
    pytest.param({"name": None}, Listed(id="i-1", name="", status="running"), id="no name"),
    pytest.param({"name": {"x": 1}}, Listed(id="i-1", name="", status="running"), id="a name that is an object"),
    pytest.param({"name": "a\n\u202eb"}, Listed(id="i-1", name="a b", status="running"), id="a name that turns around"),
    pytest.param({"status": ["running"]}, Listed(id="i-1", name="trainer-1", status=""), id="a list of states"),
    pytest.param({"status": "hatching"}, Listed(id="i-1", name="trainer-1", status="hatching"), id="an unknown state"),
    pytest.param({"id": 42}, Listed(id="42", name="trainer-1", status="running"), id="a number as id"),
    pytest.param(
        {"gpuNum": "8", "productName": "H100"},
        Listed(id="i-1", name="trainer-1", status="running", product="H100", gpus=8),
        id="numbers as text",
    ),
    pytest.param(
        {"gpuNum": 2, "lastStartedAt": "1773300000", "lastStoppedAt": "0"},
        Listed(
            id="i-1", name="trainer-1", status="running", gpus=2, started_at=datetime.fromtimestamp(1773300000, UTC)
        ),
        id="numbers and times",
    ),
    pytest.param({"gpuNum": -1}, Listed(id="i-1", name="trainer-1", status="running"), id="a negative number"),
    pytest.param({"gpuNum": 1.5}, Listed(id="i-1", name="trainer-1", status="running"), id="half a GPU"),
    pytest.param({"gpuNum": 10**30}, Listed(id="i-1", name="trainer-1", status="running"), id="a number of no sense"),
    pytest.param({"lastStartedAt": "soon"}, Listed(id="i-1", name="trainer-1", status="running"), id="a word as time"),
]


@pytest.mark.parametrize(("fields", "expected"), ODD)
def test_instance_when_a_field_is_odd_then_the_others_count(fields: dict[str, Any], expected: Listed) -> None:
    """A name serves people, and no oddity beside it takes it away."""
    body = json.dumps({"instances": [entry(1) | fields]}).encode()
    assert decode_instances(body) == Listing(entries=(expected,))


@pytest.mark.parametrize("broken", [None, "x", 1, [], {"id": None}, {"id": ""}, {"id": " "}, {"id": {}}, {"id": True}])
def test_instance_when_it_has_no_id_then_left_out_and_the_list_is_not_whole(broken: object) -> None:
    """What is not listed in such a list is not gone for sure."""
    found = decode_instances(json.dumps({"instances": [broken, entry(1)]}).encode())
    assert [one.id for one in found.entries] == ["i-1"]
    assert not found.is_whole


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"42",
        b"<html>" + SECRET.encode(),
        b'{"instances": "' + SECRET.encode() + b'"}',
        b'{"instances": {"a": "' + SECRET.encode() + b'"}}',
        b'{"instances": [{"id": "' + SECRET.encode(),
        b'{"data": [{"id": "' + SECRET.encode() + b'"}]}',
        b'{"code": 500, "message": "' + SECRET.encode() + b'"}',
        b'{"code": 401, "reason": "' + SECRET.encode() + b'", "instances": []}',
        b"[" * 100_000,
    ],
)
def test_list_when_it_is_none_then_refused_without_a_word_of_it(body: bytes) -> None:
    """An error would carry secrets into the log and the status."""
    with pytest.raises(UnexpectedShape) as refused:
        decode_instances(body)
    assert str(refused.value) == "not a list of instances"
    assert refused.value.__context__ is None
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("body", "is_listed"),
    [(b'{"instances": []}', True), (b'{"instances": null}', True), (b'{"total": 0}', True), (b"{}", False)],
)
def test_list_when_empty_in_any_spelling_then_empty(body: bytes, *, is_listed: bool) -> None:
    """An account without instances is no failure; what says nothing at all says of none that it is gone."""
    assert decode_instances(body) == Listing(entries=(), is_listed=is_listed)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "ranker", "state": {"state": "serving", "message": SECRET}}, ("ranker", "serving")),
        ({"appName": "app", "state": "serving"}, ("app", "serving")),
        ({"name": "", "appName": "app", "state": None}, ("app", "")),
        ({"name": [], "state": []}, ("", "")),
    ],
)
def test_endpoint_when_decoded_then_name_and_state(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    """The name of the application stands in where the endpoint has none."""
    (found,) = decode_endpoints(json.dumps({"endpoints": [{"id": "e-1", **LEAKY, **fields}]}).encode()).entries
    assert (found.name, found.status) == expected


REFUSED = [
    pytest.param(Fault(status=401, body=b'{"message": "%s"}' % SECRET.encode()), ApiKeyRefused, "HTTP 401", id="401"),
    pytest.param(Fault(status=403, body=SECRET.encode()), ApiKeyRefused, "HTTP 403", id="403"),
    pytest.param(Fault(status=404, body=SECRET.encode()), ApiRequestRefused, "HTTP 404", id="404"),
    pytest.param(Fault(status=429, body=SECRET.encode()), ApiUnavailable, "HTTP 429", id="429"),
    pytest.param(Fault(status=500, body=SECRET.encode()), ApiUnavailable, "HTTP 500", id="500"),
    pytest.param(Fault(status=204, body=b""), ApiUnavailable, "HTTP 204", id="204"),
    pytest.param(Fault(body=b"<html>%s</html>" % SECRET.encode()), ApiUnavailable, "not a list", id="HTML"),
    pytest.param(
        Fault(status=302, body=b"", headers=(("Location", f"https://x.invalid/{SECRET}"),)),
        ApiRequestRefused,
        "redirected",
        id="a redirect",
    ),
    pytest.param(Fault(body=SECRET.encode() * 1000), ApiUnavailable, "larger than", id="huge"),
    pytest.param(Fault(body=b"{" + SECRET.encode(), cut_at=5), ApiUnavailable, "no answer", id="cut"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), REFUSED)
async def test_list_when_refused_then_one_request_and_no_word_of_the_answer(
    world: BillingWorld, fault: Fault, kind: type[ApiError], words: str
) -> None:
    """The next poll asks again; whatever the answer says stays where it is."""
    world.broken["endpoints"] = fault
    async with connect(world, Bounds(beside_s=5, beside_bytes=1000)) as client:
        with pytest.raises(ApiError) as raised:
            await client.read_resources(ResourceKind.ENDPOINT)
    assert type(raised.value) is kind
    assert words in raised.value.brief
    assert SECRET not in repr(raised.value)
    assert SECRET not in str(raised.value)
    assert len(world.asked_beside) == 1


async def test_list_when_never_answered_then_given_up(world: BillingWorld) -> None:
    """Nothing waits for a name."""
    world.broken["endpoints"] = Fault(body=b"{}", hold=threading.Event())
    begun = time.monotonic()
    async with connect(world, Bounds(beside_s=0.05)) as client:
        with pytest.raises(ApiUnavailable, match="in time"):
            await client.read_resources(ResourceKind.ENDPOINT)
    assert time.monotonic() - begun < 20
