"""The client against real sockets: what is asked, what is retried, what a failure is called, and the key's silence."""

import asyncio
import gzip
import json
import random
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web

from alertd.clock import elapsed_s
from alertd.core.hours import HourRange
from alertd.errors import (
    ApiCategoryUnknown,
    ApiError,
    ApiKeyRefused,
    ApiRequestRefused,
    ApiThrottled,
    ApiUnavailable,
    SettingsError,
)
from alertd.novita.client import NovitaClient
from alertd.novita.stream import WINDOW_BYTES, BillStream
from alertd.novita.transport import Bounds, Transport

CANARY = "sk-canary-4711"
MIDNIGHT = 1764547200 // 3600  # 2025-12-01T00:00Z
DAY = HourRange(MIDNIGHT, MIDNIGHT + 24)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
THROTTLED = {"code": 429, "reason": "LIST_BILL_TOO_FAST", "message": "slow down"}

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def answer(body: object = None, *, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON, or with text as it is."""
    text = body if isinstance(body, str) else json.dumps({"bills": []} if body is None else body)

    async def respond(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=status, text=text, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return respond


def row(start: int, **fields: object) -> dict[str, object]:
    return {"startTime": str(start * 3600), "endTime": str(start * 3600 + 3599), "amountDecimal": "1.5"} | fields


class Api:
    """A loopback server that gives scripted answers in turn, the last of them for ever, and notes what was asked."""

    def __init__(self) -> None:
        self.script: list[Answer] = [answer()]
        self.requests: list[web.BaseRequest] = []
        self.url = ""

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """What was asked for, as half-open hours after MIDNIGHT."""
        asked = [(int(r.query["startTime"]), int(r.query["endTime"])) for r in self.requests]
        return [(start // 3600 - MIDNIGHT, (end + 1) // 3600 - MIDNIGHT) for start, end in asked]

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        respond = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return await respond(request)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    api = Api()
    server = web.Server(api.respond)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield api
    await runner.cleanup()


class Waits(list[float]):
    """Remembers waits in place of waiting."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def connect(api: Api, waits: Waits | None = None, **options: Any) -> NovitaClient:
    settings: dict[str, Any] = {
        "account": "prod",
        "api_key": CANARY,
        "key_source": "NOVITA_PROD_KEY",
        "base_url": api.url,
        "now": lambda: NOW,
        "elapsed": elapsed_s,
        "sleep": Waits() if waits is None else waits,
        "rng": random.Random(1),
    }
    return NovitaClient(Transport(**(settings | options)))


async def test_bills_when_asked_then_the_query_and_headers_are_the_documented_ones(api: Api) -> None:
    """The end is inclusive, and a default library agent has been answered 403."""
    api.script = [answer({"bills": [row(MIDNIGHT, ownerID="gpu-1", category="Compute")]})]
    heard: list[tuple[datetime, float]] = []
    async with connect(api, hear=lambda date, asked_s: heard.append((date, asked_s)), elapsed=lambda: 7.0) as client:
        rows = await client.read_bills("gpu", DAY)
    (request,) = api.requests
    assert request.method == "GET"
    assert request.path == "/openapi/v1/billing/bill/list"
    assert dict(request.query) == {
        "cycleType": "Hour",
        "productCategory": "gpu",
        "startTime": "1764547200",
        "endTime": "1764633599",
    }
    assert request.headers["Authorization"] == f"Bearer {CANARY}"
    assert request.headers["User-Agent"].startswith("alertd/")
    assert (request.headers["Content-Type"], request.headers["Accept"]) == ("application/json", "application/json")
    assert (rows.hour.tolist(), rows.amount.tolist()) == ([MIDNIGHT], [15 * 10**9])
    assert rows.names[0][:4] == ("prod", "gpu", "Compute", "gpu-1")
    assert [asked_s for _, asked_s in heard] == [7.0]


@pytest.mark.parametrize(
    ("date", "heard"),
    [
        pytest.param("Tue, 10 Mar 2026 09:00:00 GMT", datetime(2026, 3, 10, 9, tzinfo=UTC), id="a date"),
        pytest.param("", None, id="an empty one"),
        pytest.param("now", None, id="a word"),
        pytest.param("2026-03-10T09:00:00Z", None, id="another form"),
        pytest.param("Tue, 99 Mar 2026 09:00:00 GMT", None, id="a day that no month has"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -2359", None, id="after all years"),
    ],
)
async def test_date_when_it_cannot_be_read_then_it_is_heard_that_there_is_none(
    api: Api, date: str, heard: datetime | None
) -> None:
    """An API that answers and does not say when is another thing than one that is down."""
    api.script = [answer({"bills": []}, Date=date)]
    found: list[datetime | None] = []
    async with connect(api, hear=lambda at, _: found.append(at)) as client:
        await client.read_bills("gpu", DAY)
    assert found == [heard]


@pytest.mark.parametrize("status", [301, 400, 401, 404, 500])
async def test_date_when_the_answer_is_a_refusal_then_heard_all_the_same(api: Api, status: int) -> None:
    """A key that is refused says what time it is, and a wrong clock must not wait for a right key."""
    api.script = [answer({"reason": "X"}, status=status, Date="Tue, 10 Mar 2026 09:00:00 GMT")]
    found: set[datetime | None] = set()
    async with connect(api, hear=lambda at, _: found.add(at)) as client:
        with pytest.raises(ApiError):
            await client.read_bills("gpu", DAY)
    assert found == {datetime(2026, 3, 10, 9, tzinfo=UTC)}


@pytest.mark.slow
async def test_bills_when_the_answer_is_large_and_gzipped_then_all_rows_are_read(api: Api) -> None:
    """Large answers are decoded in a thread while they arrive."""
    body = json.dumps({"bills": [row(MIDNIGHT + n % 24, ownerID=f"gpu-{n}") for n in range(30_000)]}).encode()

    async def compressed(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})

    api.script = [compressed]
    async with connect(api) as client:
        rows = await client.read_bills("gpu", DAY)
    assert (len(rows), len(rows.names)) == (30_000, 30_000)


async def test_bills_when_they_come_in_small_pieces_then_decoded_a_window_at_a_time(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each decoding waits for its turn among all accounts: one for each piece would pass on a thousand times."""
    body = json.dumps({"bills": [row(MIDNIGHT + n % 24, ownerID=f"gpu-{n}") for n in range(3000)]}).encode()
    decode, decodings = BillStream.decode, 0

    def counted(stream: BillStream) -> None:
        nonlocal decodings
        decodings += 1
        decode(stream)

    async def dribble() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100):
            yield body[start : start + 100]

    monkeypatch.setattr(BillStream, "decode", counted)
    network = httpx.MockTransport(lambda _: httpx.Response(200, content=dribble()))
    async with connect(api, transport=network) as client:
        assert len(await client.read_bills("gpu", DAY)) == 3000
    assert decodings == len(body) // WINDOW_BYTES > 1


async def test_range_when_longer_than_the_limit_then_is_asked_in_pieces_from_midnights(api: Api) -> None:
    """Daily rows are read whole only when pieces begin at a UTC midnight."""
    api.script = [answer({"bills": [row(MIDNIGHT)]}), answer({"bills": [row(MIDNIGHT + 800, ownerID="b")]}), answer()]
    async with connect(api) as client:
        rows = await client.read_bills("gpu", HourRange(MIDNIGHT + 5, MIDNIGHT + 70 * 24 + 3))
    assert api.ranges == [(5, 31 * 24), (31 * 24, 62 * 24), (62 * 24, 70 * 24 + 3)]
    assert rows.hour.tolist() == [MIDNIGHT, MIDNIGHT + 800]
    assert [rows.names[n].owner for n in rows.series] == ["", "b"]


async def test_range_when_empty_then_nothing_is_asked(api: Api) -> None:
    """The API would refuse a range that ends before it starts."""
    async with connect(api) as client:
        assert len(await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT))) == 0
    assert api.requests == []


def limited(days: int, message: str) -> Answer:
    """Refuse ranges longer than *days*."""

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        if int(request.query["endTime"]) - int(request.query["startTime"]) < days * 86400:
            start = int(request.query["startTime"]) // 3600
            return web.json_response({"bills": [row(start)]})
        return web.json_response({"code": 400, "reason": "INVALID_ARGUMENT", "message": message}, status=400)

    return respond


async def test_range_when_refused_then_is_halved_and_the_size_remembered(api: Api) -> None:
    """The limit is not documented for hourly cycles, so it is found out once and not at every poll."""
    api.script = [limited(7, "range too long")]
    async with connect(api) as client:
        rows = await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT + 16 * 24))
        assert api.ranges == [(0, 384), (0, 192), (0, 96), (96, 192), (192, 288), (288, 384)]
        assert rows.hour.tolist() == [MIDNIGHT + n for n in (0, 96, 192, 288)]
        api.requests.clear()
        await client.read_bills("llm", HourRange(MIDNIGHT, MIDNIGHT + 5 * 24))
        assert api.ranges == [(0, 96), (96, 120)]


async def test_range_when_the_refusal_names_its_limit_then_that_is_asked(api: Api) -> None:
    """A named limit saves the guessing."""
    api.script = [limited(7, "31 days asked: the time range must not exceed 7 days for hourly cycles")]
    async with connect(api) as client:
        await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT + 10 * 24))
    assert api.ranges == [(0, 240), (0, 168), (168, 240)]


async def test_range_when_refused_down_to_a_day_then_the_parameters_are_shown(api: Api) -> None:
    """A 400 that no length cures is a fault of the request, and nothing is to be learnt from it."""
    api.script = [answer({"reason": "INVALID_ARGUMENT", "message": "no"}, status=400)]
    async with connect(api) as client:
        with pytest.raises(ApiRequestRefused, match=r"cycleType=Hour productCategory=gpu startTime=1764547200"):
            await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT + 48))
        assert api.ranges == [(0, 48), (0, 24)]
        api.script = [answer()]
        api.requests.clear()
        await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT + 48))
        assert api.ranges == [(0, 48)]


async def test_range_when_a_later_piece_fails_then_nothing_is_returned(api: Api) -> None:
    """A range read in part would replace hours that were never read."""
    api.script = [answer({"bills": [row(MIDNIGHT)]}), answer({}, status=502)]
    async with connect(api) as client:
        with pytest.raises(ApiUnavailable):
            await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT + 40 * 24))


STATUSES = [
    pytest.param(
        401,
        {"reason": "FAILED_TO_AUTH"},
        ApiKeyRefused,
        r"key refused \(401 FAILED_TO_AUTH\); set NOVITA_PROD_KEY to",
        1,
        id="401",
    ),
    pytest.param(
        403, {"reason": "INVALID_API_KEY", "message": "bad"}, ApiKeyRefused, r"403 INVALID_API_KEY", 1, id="403"
    ),
    pytest.param(403, "<html><title>Forbidden</title></html>", ApiKeyRefused, r"403 Forbidden", 1, id="403 of a proxy"),
    pytest.param(
        400,
        {"reason": "INVALID_PRODUCT_CATEGORY"},
        ApiCategoryUnknown,
        "no such product category",
        1,
        id="unknown category",
    ),
    pytest.param(400, {"reason": "INVALID_BILL_CYCLE"}, ApiRequestRefused, "cycleType=Hour", 1, id="cycle"),
    pytest.param(400, "", ApiRequestRefused, "400", 1, id="400 without a body"),
    pytest.param(404, "<h1>nothing here</h1>", ApiRequestRefused, r"nothing here\).*is base_url right", 1, id="404"),
    pytest.param(
        500,
        {"code": 500, "reason": "LIST_BILL_ERROR", "message": "db"},
        ApiUnavailable,
        "LIST_BILL_ERROR: db",
        3,
        id="500",
    ),
    pytest.param(
        502,
        "<html><style>p{}</style><p>Bad <b>gateway</b></p>",
        ApiUnavailable,
        r"502: Bad gateway\)",
        3,
        id="502 HTML",
    ),
    pytest.param(504, "[]", ApiUnavailable, "504", 3, id="504 with another JSON"),
    pytest.param(408, "", ApiUnavailable, "408", 3, id="408"),
    pytest.param(
        200, "<html>welcome to the hotel</html>", ApiUnavailable, "not the expected shape", 3, id="HTML with 200"
    ),
    pytest.param(
        200,
        '{"bills":[{"startTime":"1764547200","amount":"x"}]}',
        ApiUnavailable,
        r'bills\[0\].amount: "x"',
        3,
        id="a row of garbage",
    ),
    pytest.param(204, "", ApiUnavailable, "HTTP 204 in place of 200", 3, id="no content"),
    pytest.param(206, '{"bills":[]}', ApiUnavailable, "HTTP 206 in place of 200", 3, id="a part that looks whole"),
    pytest.param(203, '{"bills":[]}', ApiUnavailable, "HTTP 203 in place of 200", 3, id="what a proxy made of it"),
]


@pytest.mark.parametrize(("status", "body", "kind", "text", "requests"), STATUSES)
async def test_bills_when_refused_then_the_error_reports_what_to_do(
    api: Api, status: int, body: object, kind: type[ApiError], text: str, requests: int
) -> None:
    """Each failure has one owner and one remedy; only those that pass by themselves are tried again."""
    api.script = [answer(body, status=status)]
    async with connect(api) as client:
        with pytest.raises(kind, match=text) as caught:
            await client.read_bills("gpu", DAY)
    assert type(caught.value) is kind
    assert str(caught.value).startswith('account "prod": gpu bills 2025-12-01T00Z to 2025-12-02T00Z: ')
    assert len(api.requests) == requests


async def test_refusal_when_its_text_is_hostile_then_is_shown_short_and_clean(api: Api) -> None:
    """The text goes to terminals, logs and chats."""
    message = "\x1b[31mred\x07 \u202eevil\n" + "long " * 20_000
    api.script = [answer({"reason": "X\x00Y", "message": message}, status=500), answer("<" * 200_000, status=500)]
    async with connect(api) as client:
        for _ in range(2):
            with pytest.raises(ApiUnavailable) as caught:
                await client.read_bills("gpu", DAY)
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 500


async def test_redirect_when_answered_then_is_not_followed(api: Api) -> None:
    """The key would travel to wherever a wrong base URL points."""
    api.script = [answer("", status=301, Location="https://user:pw@elsewhere.example/x?token=1"), answer()]
    async with connect(api) as client:
        with pytest.raises(ApiRequestRefused, match=r"301\) to https://elsewhere.example/x; .* set base_url") as caught:
            await client.read_bills("gpu", DAY)
    assert len(api.requests) == 1
    assert "token" not in str(caught.value)
    assert "pw" not in str(caught.value)


async def test_failure_when_it_passes_then_the_call_succeeds_after_growing_waits(api: Api) -> None:
    """A single bad gateway must not make a category incomplete."""
    api.script = [answer("", status=502), answer("{", status=200), answer({"bills": [row(MIDNIGHT)]})]
    waits = Waits()
    async with connect(api, waits) as client:
        assert len(await client.read_bills("gpu", DAY)) == 1
    assert len(waits) == 2
    assert 0 <= waits[0] <= 0.5
    assert 0 <= waits[1] <= 1.0


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        pytest.param({"Retry_After": "7"}, 7, id="seconds"),
        pytest.param(
            {"Retry_After": "Fri, 02 Jan 2026 00:00:09 GMT", "Date": "Fri, 02 Jan 2026 00:00:00 GMT"},
            9,
            id="date against the server's clock",
        ),
        pytest.param({"Retry_After": "Thu, 01 Jan 2020 00:00:00 GMT"}, 0, id="date gone by"),
    ],
)
async def test_throttled_when_given_a_time_to_wait_then_waits_exactly_that(
    api: Api, headers: dict[str, str], wait: float
) -> None:
    """Coming back earlier only prolongs the wait."""
    api.script = [answer(THROTTLED, status=429, **headers), answer()]
    waits = Waits()
    async with connect(api, waits) as client:
        await client.read_bills("gpu", DAY)
    assert waits == [wait]


async def test_throttled_when_asked_to_wait_long_then_is_left_to_the_next_cycle(api: Api) -> None:
    """An hour's wait inside a cycle would blind all the other categories."""
    api.script = [answer(THROTTLED, status=429, Retry_After="3600")]
    waits = Waits()
    async with connect(api, waits) as client:
        with pytest.raises(ApiThrottled, match=r"LIST_BILL_TOO_FAST: slow down.*wait 3600 s") as caught:
            await client.read_bills("gpu", DAY)
    assert caught.value.retry_after == timedelta(hours=1)
    assert waits == []


@pytest.mark.parametrize("retry_after", [{}, {"Retry_After": "soon"}, {"Retry_After": "-1"}])
async def test_throttled_when_without_a_time_to_wait_then_backs_off_five_times(
    api: Api, retry_after: dict[str, str]
) -> None:
    """Throttling is patience's business, but patience has a bound."""
    api.script = [answer(THROTTLED, status=429, **retry_after)]
    waits = Waits()
    async with connect(api, waits) as client:
        with pytest.raises(ApiThrottled):
            await client.read_bills("gpu", DAY)
    assert len(api.requests) == 5
    assert all(0 <= wait <= bound for wait, bound in zip(waits, [0.5, 1, 2, 4], strict=True))


def cut_off(body: bytes, *, content_length: int | None) -> Answer:
    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(
            headers=None if content_length is None else {"Content-Length": str(content_length)}
        )
        await response.prepare(request)
        await response.write(body)
        assert request.transport is not None
        request.transport.abort() if content_length else request.transport.close()
        return response

    return respond


@pytest.mark.parametrize("content_length", [1000, None], ids=["shorter than told", "chunked without an end"])
async def test_body_when_cut_off_then_is_retried_and_never_summed(api: Api, content_length: int | None) -> None:
    """Half a bill is not a smaller bill."""
    whole = json.dumps({"bills": [row(MIDNIGHT), row(MIDNIGHT + 1)]}).encode()
    api.script = [cut_off(whole[:-20], content_length=content_length), answer(whole.decode())]
    async with connect(api) as client:
        assert len(await client.read_bills("gpu", DAY)) == 2
    assert len(api.requests) == 2


async def test_server_when_it_drips_then_the_deadline_ends_the_answer(api: Api) -> None:
    """A byte now and then keeps every time-out of the socket from firing."""
    released = asyncio.Event()

    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not released.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.01)
        return response

    api.script = [drip]
    async with connect(api, bounds=Bounds(answer_s=0.1)) as client:
        with pytest.raises(ApiUnavailable, match="not complete in time"):
            await client.read_bills("gpu", DAY)
    released.set()
    assert len(api.requests) == 3


async def test_bill_list_when_it_streams_then_has_the_longer_deadline(api: Api) -> None:
    """A million rows take longer than any other answer, and are worth it."""
    body = json.dumps({"bills": [row(MIDNIGHT)] * 10}).encode()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(body[:300])
        await asyncio.sleep(0.3)
        await response.write(body[300:])
        return response

    api.script = [slow]
    async with connect(api, bounds=Bounds(answer_s=0.2, stream_s=20, stream_from_bytes=100)) as client:
        assert len(await client.read_bills("gpu", DAY)) == 10
    async with connect(api, bounds=Bounds(answer_s=0.2, stream_s=20, stream_from_bytes=1000)) as client:
        with pytest.raises(ApiUnavailable, match="not complete in time"):
            await client.read_bills("gpu", DAY)


async def test_answer_when_it_unpacks_to_too_much_then_is_refused(api: Api) -> None:
    """A small body can unpack to any size; a shorter range may be small enough, a page may not."""

    async def bomb(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b'{"bills":[' + b" " * 1_000_000), headers={"Content-Encoding": "gzip"})

    api.script = [bomb]
    async with connect(api, bounds=Bounds(bill_list_bytes=100_000, other_bytes=50_000)) as client:
        with pytest.raises(ApiRequestRefused, match="larger than 100,000 bytes"):
            await client.read_bills("gpu", HourRange(MIDNIGHT, MIDNIGHT + 48))
        assert len(api.requests) == 2
        with pytest.raises(ApiRequestRefused, match="larger than 50,000 bytes"):
            await client.read_monthly_bills("2025-10")


async def test_requests_when_many_at_once_then_four_run(api: Api) -> None:
    """Nine categories asked at once are answered 429."""
    running = peak = 0
    full = asyncio.Event()

    async def count(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        if running == 4:
            full.set()
        await full.wait()
        # A fifth would have every chance to come in.
        await asyncio.sleep(0.05)
        running -= 1
        return web.json_response({"bills": []})

    api.script = [count]
    async with connect(api) as client:
        await asyncio.gather(*(client.read_bills("gpu", DAY) for _ in range(9)))
    assert peak == 4


def monthly(bill_id: str, **fields: object) -> dict[str, object]:
    return {"billId": bill_id, "billingMonth": "2025-12", "totalAmount": "1", "status": "paid"} | fields


async def test_monthly_bills_when_pages_are_short_or_repeat_then_all_are_read_once(api: Api) -> None:
    """A short page is not the last one; what a later page says of a bill was read later."""
    api.script = [
        answer({"data": [monthly("a"), monthly("b")]}),
        answer({"data": [monthly("b", status="overdue"), monthly("c")]}),
        answer({"data": [monthly("c")]}),
    ]
    async with connect(api) as client:
        bills = await client.read_monthly_bills("2025-10")
    assert [(bill.bill_id, bill.status) for bill in bills] == [("a", "paid"), ("b", "overdue"), ("c", "paid")]
    assert [dict(request.query) for request in api.requests] == [
        {"startMonth": "2025-10", "page": str(page), "pageSize": "100"} for page in (1, 2, 3)
    ]


async def test_monthly_bills_when_pages_never_end_then_is_an_error(api: Api) -> None:
    """Without a bound a service that counts wrongly would be read for ever."""

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"data": [monthly(request.query["page"])]})

    api.script = [endless]
    async with connect(api) as client:
        with pytest.raises(ApiUnavailable, match="page 100 still brought bills"):
            await client.read_monthly_bills("2025-10")
    assert len(api.requests) == 100


async def test_monthly_bills_when_refused_then_the_parameters_are_shown(api: Api) -> None:
    """There is no range to shorten."""
    api.script = [answer({"reason": "INVALID_ARGUMENT"}, status=400)]
    async with connect(api) as client:
        with pytest.raises(ApiRequestRefused, match="startMonth=2025-10 page=1"):
            await client.read_monthly_bills("2025-10")
    assert len(api.requests) == 1


def holds_key(error: BaseException) -> bool:
    """Whether the key can be found in an error, what it carries, or what it came from."""
    seen: list[BaseException] = []
    pending: list[BaseException | None] = [error]
    while pending:
        found = pending.pop()
        if found is None or found in seen:
            continue
        seen.append(found)
        pending += [found.__cause__, found.__context__]
        request = getattr(found, "_request", None)
        if request is not None or CANARY in repr(vars(found)) + repr(found.args) + str(found):
            return True
    return CANARY in "".join(traceback.format_exception(error))


async def test_key_when_anything_fails_then_is_in_no_error(api: Api) -> None:
    """Errors go to chats; servers echo keys, and httpx keeps the request in its exceptions."""
    echo = f"no such key {CANARY}"
    scripts = [
        answer({"reason": echo, "message": echo}, status=401),
        answer(f"<p>{echo}", status=502),
        answer({"message": echo}, status=400),
        answer({"bills": [row(MIDNIGHT, amountDecimal=CANARY)]}),
        answer("", status=302, Location=f"https://x/{CANARY}"),
        cut_off(b"{", content_length=99),
    ]
    async with connect(api) as client:
        assert CANARY not in repr(client)
        for script in scripts:
            api.script = [script]
            with pytest.raises(ApiError) as caught:
                await client.read_bills("gpu", DAY)
            assert not holds_key(caught.value)


async def test_connection_when_refused_then_is_unavailable_without_the_key(unused_tcp_port: int) -> None:
    """A host that is down is the commonest failure of all."""
    api = Api()
    api.url = f"http://127.0.0.1:{unused_tcp_port}"
    async with connect(api) as client:
        with pytest.raises(ApiUnavailable, match="ConnectError") as caught:
            await client.read_bills("gpu", DAY)
    assert not holds_key(caught.value)


@pytest.mark.parametrize("key", ["", " \n", "sk-canary-4711\nX", "sk-canary-4711 x", "sk-canary-4711é"])
def test_key_when_unusable_then_the_setting_is_named_and_not_the_key(key: str) -> None:
    """HTTP libraries tell a header that they refuse in clear."""
    with pytest.raises(SettingsError, match=r'account "prod": .* NOVITA_PROD_KEY') as caught:
        connect(Api(), api_key=key, base_url="https://api.novita.ai")
    assert CANARY not in str(caught.value)


async def test_key_when_read_from_a_file_then_its_line_end_is_left_out(api: Api) -> None:
    """Secret files end with a line feed."""
    async with connect(api, api_key=f"{CANARY}\n", base_url=f"{api.url}/proxy/") as client:
        await client.read_bills("gpu", DAY)
    assert api.requests[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert api.requests[0].path == "/proxy/openapi/v1/billing/bill/list"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.novita.ai",
        "ftp://api.novita.ai",
        "https://",
        "https://u:secret@api.novita.ai",
        "https://a?b=secret",
        "https://[",
        "https://a b",
        "https://a:x",
    ],
)
def test_base_url_when_unusable_then_is_a_settings_error(url: str) -> None:
    """Credentials in the URL would be sent in place of the key."""
    with pytest.raises(SettingsError, match='account "prod": base_url') as caught:
        connect(Api(), base_url=url)
    assert "u:secret" not in str(caught.value)
