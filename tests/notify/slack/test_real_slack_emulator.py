"""
Against a Slack not written here: `emulate` from npm, where ALERTD_TEST_EMULATE names the folder of its node_modules.

It keeps messages, threads and metadata, and insists on scopes; it judges no blocks (`tests/block_kit.py` does).
Made by `npm ci --ignore-scripts` in a copy of `.ci/npm`.
"""

import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from alertd.clock import utc_now
from alertd.core.alerts.reason import NotifyReason
from alertd.core.messages.outbox import EntryState
from alertd.core.severity import Severity
from alertd.notify.base import CannotLook, ConfigurationRefused, Delivered, NotFound
from alertd.notify.delivery.deliver import Delivery
from alertd.notify.slack.notifier import SlackConfig, SlackNotifier
from tests.builders import KEY, FakeContext, envelope, firing_message, resolved_message, rising_chart
from tests.core.builders import entry
from tests.doubles import has_chart
from tests.outbox_double import MemoryOutbox
from tests.ports import free_port

FOLDER = os.environ.get("ALERTD_TEST_EMULATE", "")
SCRIPT = Path(FOLDER) / "node_modules" / "emulate" / "dist" / "index.js"
NODE = next(Path(FOLDER).glob("node_modules/node*/bin/node"), Path("node"))
pytestmark = pytest.mark.skipif(
    not FOLDER or not SCRIPT.exists() or not NODE.exists(),
    reason="ALERTD_TEST_EMULATE names no folder with emulate (.ci/npm)",
)

FULL, LESSER = "xoxb-full-token", "xoxb-lesser-token"
CHANNELS = ("life", "lost", "never", "lesser")
SEED = f"""
slack:
  strict_scopes: true
  channels: [{", ".join(f"{{name: {name}}}" for name in CHANNELS)}]
  bots: [{{name: alertd}}]
  tokens:
    - {{token: {FULL}, user: admin, scopes: [chat:write, channels:read, channels:history]}}
    - {{token: {LESSER}, user: admin, scopes: [chat:write]}}
"""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator, as a person sees it who may read everything."""

    url: str

    async def call(self, method: str, **arguments: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {FULL}"}) as client:
            answer: dict[str, Any] = (await client.post(f"/api/{method}", data=arguments)).json()
        assert answer["ok"], answer
        return answer

    async def channel(self, name: str) -> str:
        """Return the id of a channel: unlike Slack, the emulator takes no names."""
        found = (await self.call("conversations.list", limit="1000"))["channels"]
        return next(str(channel["id"]) for channel in found if channel["name"] == name)

    async def shown(self, channel: str) -> list[dict[str, Any]]:
        """Return what stands in a channel, oldest first, without what stands only in threads."""
        answer = await self.call("conversations.history", channel=channel, include_all_metadata="true")
        return sorted(answer["messages"], key=lambda message: float(message["ts"]))

    async def thread(self, channel: str, ts: str) -> list[dict[str, Any]]:
        answer = await self.call("conversations.replies", channel=channel, ts=ts, include_all_metadata="true")
        return sorted(answer["messages"], key=lambda message: float(message["ts"]))


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Run it until the module's tests are over; it has no way to choose a free port itself."""
    seed, port = tmp_path_factory.mktemp("emulate") / "seed.yaml", free_port()
    seed.write_text(SEED, encoding="utf-8")
    command = [str(NODE), str(SCRIPT), "--service", "slack", "--port", str(port), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ready" in line:
                break
        assert process.poll() is None, "".join(said)
        try:
            yield Emulator(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


class Between:
    """Stands between alertd and the emulator: it may know no charts, and lose a request or its answer."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.takes_charts = True
        self.loses = ""
        """The method whose next answer is lost; with `!` before it the request itself is."""
        self.posted = 0
        application = web.Application()
        application.router.add_route("*", "/api/{method}", self._pass_on)
        self.server = TestServer(application)

    async def _pass_on(self, request: web.Request) -> web.Response:
        method, body = request.match_info["method"], await request.read()
        if method == "chat.postMessage":
            self.posted += 1
            if not self.takes_charts and has_chart(await request.json()):
                return web.json_response({"ok": False, "error": "invalid_blocks"})
        if self.loses == f"!{method}":
            return self._lose(request)
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        if request.method == "GET":
            # Slack reads as willingly by GET, which slack-sdk does; the emulator only by POST.
            body = request.query_string.encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{self._emulator.url}{request.path}", content=body, headers=headers)
        if self.loses == method:
            return self._lose(request)
        return web.json_response(answer.json(), status=answer.status_code)

    def _lose(self, request: web.Request) -> web.Response:
        self.loses = ""
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@asynccontextmanager
async def between(emulator: Emulator) -> AsyncIterator[Between]:
    way = Between(emulator)
    async with way.server:
        yield way


class QuickSlack(SlackNotifier):
    """Gives an attempt one second, so that a lost answer is looked up soon."""

    deadline: ClassVar[timedelta] = timedelta(seconds=1)


def notifier_of(
    url: str, channel: str, *, token: str = FULL, kind: type[SlackNotifier] = SlackNotifier
) -> SlackNotifier:
    settings = {"slack_bot_token": token, "slack_base_url": f"{url.rstrip('/')}/api/"}
    return kind("finops", SlackConfig(channel=(channel,)), FakeContext(settings=settings))


async def test_alert_then_lives_in_one_message_and_its_thread(emulator: Emulator) -> None:
    """Begun, raised, changed in its place, ended: in the channel one message that shows the end, the rest below it."""
    channel = await emulator.channel("life")
    notifier = notifier_of(emulator.url, channel)
    first = await notifier.send(envelope(firing_message(chart=rising_chart()), recipient=channel))
    assert isinstance(first, Delivered)
    ts = first.ref.partition("/")[2]
    raised = firing_message(reason=NotifyReason.RAISED, severity=Severity.CRITICAL)
    ended = resolved_message()
    for key, message in (("b" * 32, raised), ("c" * 32, ended)):
        sent = envelope(message, key=key, recipient=channel, thread_ref=first.ref)
        assert isinstance(await notifier.send(sent), Delivered)
    shown = envelope(replace(ended, reason=NotifyReason.UPDATED), key="d" * 32, recipient=channel)
    for _ in range(2):
        assert await notifier.edit(replace(shown, edits=first.ref)) == Delivered(first.ref)
    root, *replies = await emulator.thread(channel, ts)
    assert root["text"].startswith("RESOLVED: ")
    assert root["blocks"][0]["text"]["text"].startswith("🟢 RESOLVED: ")
    assert [reply["metadata"]["event_payload"]["key"] for reply in replies] == ["b" * 32, "c" * 32]
    assert {reply["thread_ts"] for reply in replies} == {ts}
    assert next(message["ts"] for message in await emulator.shown(channel)) == ts


@pytest.mark.parametrize("is_reply", [False, True], ids=["in the channel", "in a thread"])
@pytest.mark.parametrize("loses", ["chat.postMessage", "!chat.postMessage"], ids=["arrived", "never arrived"])
async def test_answer_when_lost_then_the_message_stands_once(emulator: Emulator, loses: str, is_reply: bool) -> None:
    """By the key in its metadata it is found where it arrived, and sent again only where it did not."""
    channel = await emulator.channel("lost" if loses == "chat.postMessage" else "never")
    async with between(emulator) as way:
        notifier = notifier_of(str(way.server.make_url("/")), channel, kind=QuickSlack)
        outbox = MemoryOutbox()
        waiting = entry(key=f"{is_reply:032x}", recipient=channel, created_at=utc_now(), not_before=utc_now())
        ts = ""
        if is_reply:
            root = await notifier.send(envelope(recipient=channel, key="e" * 32))
            assert isinstance(root, Delivered)
            outbox.threads[waiting.group] = root.ref
            ts = root.ref.partition("/")[2]
        outbox.add(waiting)
        way.loses, way.posted = loses, 0
        delivery = Delivery(
            outbox=outbox,
            notifiers={"slack": notifier},
            fallback={},
            install_id="install",
            now=utc_now,
            jitter=lambda: 0.0,
        )
        with capture_logs():
            assert await delivery.drain(patience=timedelta(seconds=10))
    assert outbox[1].state is EntryState.DELIVERED
    assert way.posted == (1 if loses == "chat.postMessage" else 2)
    standing = await emulator.thread(channel, ts) if is_reply else await emulator.shown(channel)
    found = [message for message in standing if message.get("text") == "WARNING: alert 1"]
    assert [f"{channel}/{message['ts']}" for message in found] == [outbox[1].ref]


async def test_app_with_fewer_scopes_then_sends_and_cannot_look(emulator: Emulator) -> None:
    """A message needs `chat:write` alone, and its chart in words no scope more."""
    channel = await emulator.channel("lesser")
    sent = envelope(firing_message(chart=rising_chart()), recipient=channel)
    async with between(emulator) as way:
        way.takes_charts = False
        notifier = notifier_of(str(way.server.make_url("/")), channel, token=LESSER)
        outcome = await notifier.send(sent)
        assert isinstance(outcome, Delivered)
        looked = await notifier.find(KEY, recipient=channel, since=utc_now() - timedelta(minutes=1))
    assert isinstance(looked, CannotLook)
    assert "missing_scope" in looked.reason
    [shown] = await emulator.shown(channel)
    assert not has_chart(shown)


async def test_what_nobody_sent_then_is_not_found(emulator: Emulator) -> None:
    """Absence is proved by reading everything since then."""
    channel = await emulator.channel("lesser")
    async with between(emulator) as way:
        notifier = notifier_of(str(way.server.make_url("/")), channel)
        assert await notifier.find("f" * 32, recipient=channel, since=utc_now()) == NotFound()


@pytest.mark.parametrize(
    ("token", "channel", "word"),
    [
        pytest.param("xoxb-nobody", "C000000001", "needed: chat:write", id="a token that may nothing"),
        pytest.param(FULL, "C0NOWHERE0", "/invite @alertd", id="a channel that is not there"),
    ],
)
async def test_refusal_then_says_what_to_do(emulator: Emulator, token: str, channel: str, word: str) -> None:
    """Slack's codes as somebody else sends them."""
    outcome = await notifier_of(emulator.url, channel, token=token).send(envelope(recipient=channel))
    assert isinstance(outcome, ConfigurationRefused)
    assert word in outcome.reason
