"""What others answer to alertd's requests, byte for byte: status line, headers and body come from the input."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

from alertd.clock import elapsed_s, utc_now
from alertd.core.actions import Verb
from alertd.core.hours import HourRange
from alertd.core.resources import ResourceKind
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.errors import ApiError
from alertd.notify.alertmanager import AlertmanagerConfig, AlertmanagerNotifier
from alertd.notify.base import Delivered, Notifier
from alertd.notify.heartbeat import ping
from alertd.notify.pagerduty import PagerDutyConfig, PagerDutyNotifier
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier
from alertd.notify.webhook import WebhookConfig, WebhookNotifier
from alertd.novita.client import NovitaClient
from alertd.novita.instances import InstanceClient
from alertd.novita.transport import Transport
from alertd.settings.outgoing.connections import Outgoing
from tests.builders import NOON, FakeContext, envelope
from tests.fuzz.engine import Entrance

_MIDNIGHT = int(datetime(2026, 1, 9, tzinfo=UTC).timestamp()) // 3600
_LARGEST_REQUEST = 1 << 20

Asked = Callable[[], Awaitable[str]]


class _Answering:
    """A server that reads each request whole and answers with the same bytes, whatever they are."""

    def __init__(self) -> None:
        self.answer = b""
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LARGEST_REQUEST)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(self.answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def _said(body: str, *, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *lines])
    return f"{head}\r\n\r\n{body}".encode()


_REFUSED = _said("slow down", status="429 Too Many Requests", Retry_After="Wed, 21 Oct 2026 07:28:00 GMT")
_CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ok"\r\n6\r\n:true}\r\n0\r\n\r\n'
_SLACK = [
    _said('{"ok":true,"channel":"C0FINOPS000","ts":"1768046700.000100"}', Content_Type="application/json"),
    _said('{"ok":false,"error":"missing_scope","needed":"chat:write"}', Content_Type="application/json"),
    _said('{"ok":false,"error":"ratelimited"}', status="429 No", Retry_After="30", Content_Type="application/json"),
]
_HISTORY = [
    _said(
        '{"ok":true,"messages":[{"ts":"1768046700.000100","blocks":[{"type":"header","block_id":"alertd-0123456789abcdef'
        '0123456789abcdef"}],"metadata":{"event_type":"alertd","event_payload":{"key":"x"}}}],"has_more":true,'
        '"response_metadata":{"next_cursor":""}}',
        Content_Type="application/json",
    ),
    _said('{"ok":true,"channels":[{"id":"C0FINOPS000","name":"finops"}]}', Content_Type="application/json"),
]
_USUAL = [_said("ok"), _said('{"status":"success"}', status="202 Accepted"), _REFUSED, _CHUNKED]
_BILLS = [
    _said('{"bills":[{"startTime":"1767916800","endTime":"1767920399","ownerID":"gpu-1","amountDecimal":"1.5"}]}'),
    _said('{"code":429,"reason":"LIST_BILL_TOO_FAST"}', status="429 No", Retry_After="1"),
    _said('{"code":400,"reason":"INVALID_PARAM","message":"the range is limited to 7 days"}', status="400 No"),
]
_RESOURCES = [
    _said('{"instances":[{"id":"i-1","name":"x","status":"running","gpuNum":"1"}],"total":1,"pageSize":100}'),
    _said('{"id":"i-1","status":"stopped"}', Date="Fri, 09 Jan 2026 12:00:00 GMT"),
    _said('{"gpuUtilization":{"avg":[{"timestamp":"1767960000","value":3}]}}'),
]


def _notifiers(url: str) -> dict[str, tuple[Notifier, list[bytes]]]:
    environment = {"URL": f"{url}/hook", "TOKEN": "canary-bearer-token", "KEY": "R0UT1NGKEYCANARY0000000000000000"}
    settings = {"slack_bot_token": "xoxb-canary", "slack_base_url": f"{url}/api/", "slack_webhook_url": f"{url}/hook"}
    context, bare = FakeContext(environment=environment), FakeContext(settings={"slack_webhook_url": f"{url}/hook"})
    bot = SlackNotifier("finops", SlackConfig(channel=("#finops",)), FakeContext(settings=settings))
    webhook = WebhookNotifier("bridge", WebhookConfig(url_env="URL", bearer_token_env="TOKEN"), context)
    duty = PagerDutyNotifier("pd", PagerDutyConfig(routing_key_env="KEY", url=f"{url}/v2/enqueue"), context)
    manager = AlertmanagerNotifier("am", AlertmanagerConfig(url_env="URL"), context)
    return {
        "slack-api": (bot, _SLACK),
        "incoming-webhook": (SlackNotifier("hook", SlackConfig(), bare), _USUAL),
        "webhook": (webhook, _USUAL),
        "pagerduty": (duty, _USUAL),
        "alertmanager": (manager, _USUAL),
    }


@asynccontextmanager
async def of_others() -> AsyncIterator[list[Entrance]]:
    """Open a server that answers as the input says, and everything of alertd's that asks it."""
    server = _Answering()
    await server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        found = []
        for name, (notifier, seeds) in _notifiers(server.url).items():
            stack.push_async_callback(notifier.close)
            found.append(_entrance(server, f"{name}-answers", seeds, _sent(server, notifier)))
            if notifier.can_look_up:
                found.append(_entrance(server, f"{name}-history", _HISTORY, _looked_up(notifier)))
        bills, resources = await _of_the_api(server, stack)
        found.append(_entrance(server, "api-answers", _BILLS, bills))
        found.append(_entrance(server, "resource-answers", _RESOURCES, resources))

        async def beat() -> str:
            return await ping(f"{server.url}/ping/canary-uuid", Outgoing())

        found.append(_entrance(server, "heartbeat-answers", _USUAL, beat))
        yield found


def _entrance(server: _Answering, name: str, seeds: list[bytes], ask: Asked) -> Entrance:
    async def take(data: bytes) -> str:
        server.answer = data
        return await ask()

    return Entrance(name=name, seeds=seeds, take=take, few=3)


def _sent(server: _Answering, notifier: Notifier) -> Asked:
    async def ask() -> str:
        outcome = await notifier.send(envelope(recipient=notifier.recipients[0]))
        # Whatever else it says: without a 2xx nothing has arrived.
        assert not isinstance(outcome, Delivered) or b" 2" in server.answer[:400], outcome
        assert "canary" not in repr(outcome), outcome
        return f"{type(outcome).__name__} {getattr(outcome, 'reason', '')}"

    return ask


def _looked_up(notifier: Notifier) -> Asked:
    async def ask() -> str:
        found = await notifier.find(envelope().key, recipient=notifier.recipients[0], since=NOON)
        return f"{type(found).__name__} {getattr(found, 'reason', '')}"

    return ask


async def _of_the_api(server: _Answering, stack: AsyncExitStack) -> tuple[Asked, Asked]:
    """Return what reads bills and balance, and what reads and stops instances."""

    async def at_once(_seconds: float) -> None:
        """Wait for nothing between attempts."""

    client = NovitaClient(
        Transport(
            account="a",
            api_key="sk-1",
            base_url=server.url,
            sleep=at_once,
            rng=random.Random(1),
            now=utc_now,
            elapsed=elapsed_s,
        )
    )
    instances = InstanceClient(
        Transport(account="a", api_key="sk-1", key_source="KEY", base_url=server.url, now=utc_now, elapsed=elapsed_s)
    )
    stack.push_async_callback(client.close)
    stack.push_async_callback(instances.close)
    span = HourRange(_MIDNIGHT, _MIDNIGHT + 24)
    reads: list[Callable[[], Awaitable[object]]] = [
        lambda: client.read_bills("gpu", span),
        lambda: client.read_key_bills("llm", span),
        lambda: client.read_monthly_bills("2025-12"),
        lambda: client.read_balance(NOON),
        lambda: client.read_bills(SUBSCRIPTION, span),
    ]
    looks: list[Callable[[], Awaitable[object]]] = [
        lambda: client.read_resources(ResourceKind.INSTANCE),
        lambda: client.read_resources(ResourceKind.ENDPOINT),
        lambda: client.read_utilization("i-1", NOON, NOON),
        lambda: instances.look("i-1"),
        lambda: instances.call(Verb.STOP, "i-1"),
        instances.key_fault,
    ]
    return _read(reads), _read(looks)


def _read(reads: list[Callable[[], Awaitable[object]]]) -> Asked:
    async def ask() -> str:
        outcomes = []
        for read in reads:
            try:
                outcomes.append(type(await read()).__name__)
            except ApiError as error:
                outcomes.append(str(error))
        return " ".join(outcomes)

    return ask
