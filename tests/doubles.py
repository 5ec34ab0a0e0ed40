"""
A fake Slack on loopback: channels, threads, history, metadata, documented limits, and faults on demand.

It shares no code with alertd: it refuses what Slack's documentation says is refused.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.block_kit import violations

BOT_TOKEN = "xoxb-canary-bot-token"
TEAM, BOT = "T0000HOME", "B0000ALERTD"
HOOK_PATH = "/services/T000/B000/canary-webhook-path"
EPOCH = 1_768_046_700
"""The first message's `ts`: 2026-01-10 12:05:00 UTC."""


@dataclass(slots=True, kw_only=True)
class SlackChannel:
    """A conversation and its messages."""

    name: str
    is_private: bool = False
    is_archived: bool = False
    is_member: bool = True
    messages: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to one request instead of the normal answer; without a status the connection is cut."""

    is_accepted: bool = False
    """Whether the message is posted anyway."""
    status: int | None = None
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False


def refusal(code: str, status: int = 200, **more: object) -> Fault:
    """Return an answer with `ok: false`."""
    return Fault(status=status, body=json.dumps({"ok": False, "error": code, **more}).encode())


class SlackDouble:
    """The server; use `async with SlackDouble() as slack`."""

    def __init__(self) -> None:
        self.channels = {
            "C0000FINOPS": SlackChannel(name="finops"),
            "C0000RESEARCH": SlackChannel(name="research"),
            "G0000SECRET": SlackChannel(name="secret", is_private=True),
            "C0000ARCHIVE": SlackChannel(name="old", is_archived=True),
            "C0000OUTSIDE": SlackChannel(name="outside", is_member=False),
        }
        self.scopes = {"chat:write", "channels:read", "channels:history", "groups:read", "im:write"}
        self.groups = {"S04TEAM01": ["U04ABCDEF"]}
        self.faults: deque[Fault] = deque()
        self.lookup_faults: deque[Fault] = deque()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.webhook_posts: list[dict[str, Any]] = []
        self.page_size = 100
        self.takes_charts = True
        """False for a workspace that does not support the chart block."""
        self._ts = EPOCH
        self._hanging = asyncio.Event()
        application = web.Application()
        application.router.add_post("/api/chat.postMessage", self._post_message)
        application.router.add_post("/api/chat.update", self._update_message)
        application.router.add_post("/api/auth.test", self._auth_test)
        application.router.add_get("/api/usergroups.users.list", self._group_members)
        application.router.add_route("*", "/api/conversations.{method}", self._conversations)
        application.router.add_post(HOOK_PATH, self._incoming_webhook)
        self._add_routes(application)
        self._server = TestServer(application)

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hanging.set()
        await self._server.close()

    def _add_routes(self, application: web.Application) -> None:
        """Add more routes before the server starts."""

    @property
    def base_url(self) -> str:
        return str(self._server.make_url("/api/"))

    @property
    def webhook_url(self) -> str:
        return str(self._server.make_url(HOOK_PATH))

    def shown(self, name: str = "finops") -> list[dict[str, Any]]:
        """Return the messages that a member of the channel sees, threads included, oldest first."""
        return next(channel.messages for channel in self.channels.values() if channel.name == name)

    async def _auth_test(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return _answer(error="invalid_auth")
        answer = _answer(team_id=TEAM, user_id="U0BOT", bot_id=BOT)
        answer.headers["x-oauth-scopes"] = ",".join(sorted(self.scopes))
        return answer

    async def _post_message(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return _answer(error="invalid_auth")
        arguments = json.loads(await request.read())
        self.calls.append(("chat.postMessage", arguments))
        if self.faults:
            fault = self.faults.popleft()
            if fault.is_accepted:
                self._accept(arguments)
            return await self._break(request, fault)
        return self._accept(arguments)

    async def _update_message(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return _answer(error="invalid_auth")
        arguments = json.loads(await request.read())
        self.calls.append(("chat.update", arguments))
        if self.faults:
            return await self._break(request, self.faults.popleft())
        channel = self.channels.get(arguments["channel"])  # unlike chat.postMessage it accepts no names
        if channel is None:
            return _answer(error="channel_not_found")
        # An empty list removes the old blocks: https://docs.slack.dev/reference/methods/chat.update
        given = arguments if arguments.get("blocks") else {k: v for k, v in arguments.items() if k != "blocks"}
        if problem := self._problem(channel, given):
            return problem
        found = [message for message in channel.messages if message["ts"] == arguments["ts"]]
        if not found:
            return _answer(error="message_not_found")
        found[0].update({key: arguments[key] for key in ("text", "blocks", "metadata") if key in arguments})
        return _answer(channel=arguments["channel"], ts=arguments["ts"], text=arguments.get("text", ""))

    def _accept(self, arguments: dict[str, Any]) -> web.Response:
        found = self._find_channel(arguments["channel"])
        if found is None:
            return _answer(error="channel_not_found")
        channel_id, channel = found
        problem = self._problem(channel, arguments)
        if problem:
            return problem
        self._ts += 1
        ts = f"{self._ts}.000100"
        kept = {"text", "blocks", "metadata", "thread_ts"}
        shown: dict[str, Any] = {key: value for key, value in arguments.items() if key in kept}
        channel.messages.append({"ts": ts, "is_broadcast": arguments.get("reply_broadcast", False), **shown})
        return _answer(channel=channel_id, ts=ts, message=shown)

    def _problem(self, channel: SlackChannel, arguments: dict[str, Any]) -> web.Response | None:
        if channel.is_archived:
            return _answer(error="is_archived")
        if not channel.is_member:
            return _answer(error="not_in_channel")
        if not arguments.get("text") and not arguments.get("blocks"):
            return _answer(error="no_text")
        if broken := violations(arguments["blocks"]) if "blocks" in arguments else []:
            return _answer(error="invalid_blocks", response_metadata={"messages": broken})
        if not self.takes_charts and has_chart(arguments):
            return _answer(error="invalid_blocks", response_metadata={"messages": ["[ERROR] unsupported type"]})
        parent = arguments.get("thread_ts")
        if parent and parent not in {message["ts"] for message in channel.messages}:
            return _answer(error="thread_not_found")
        return None

    def _find_channel(self, name: str) -> tuple[str, SlackChannel] | None:
        for channel_id, channel in self.channels.items():
            if name == channel_id or name.removeprefix("#") == channel.name:
                return channel_id, channel
        return None

    async def _group_members(self, request: web.Request) -> web.StreamResponse:
        group = request.query["usergroup"]
        if "usergroups:read" not in self.scopes:
            return _answer(error="missing_scope", needed="usergroups:read")
        return _answer(users=self.groups[group]) if group in self.groups else _answer(error="no_such_subteam")

    async def _conversations(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments = {**request.query, **{key: str(value) for key, value in (await request.post()).items()}}
        self.calls.append((f"conversations.{method}", arguments))
        if self.lookup_faults:
            return await self._break(request, self.lookup_faults.popleft())
        if request.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            return _answer(error="invalid_auth")
        match method:
            case "list":
                return self._list(arguments)
            case "open":
                channel_id = f"D{arguments['users']}"
                self.channels.setdefault(channel_id, SlackChannel(name=arguments["users"]))
                return _answer(channel={"id": channel_id})
            case "info":
                found = self._find_channel(arguments["channel"])
                if found is None or (found[1].is_private and not found[1].is_member):
                    return _answer(error="channel_not_found")
                return _answer(
                    channel={
                        "id": found[0],
                        "name": found[1].name,
                        "is_archived": found[1].is_archived,
                        "is_member": found[1].is_member,
                        "is_private": found[1].is_private,
                    }
                )
            case _:
                return self._read(method, arguments)

    def _list(self, arguments: dict[str, str]) -> web.Response:
        is_private = arguments["types"] == "private_channel"
        if ("groups:read" if is_private else "channels:read") not in self.scopes:
            return _answer(error="missing_scope", needed="groups:read" if is_private else "channels:read")
        channels: list[dict[str, Any]] = [
            {"id": channel_id, "name": channel.name}
            for channel_id, channel in self.channels.items()
            if channel.is_private == is_private
        ]
        return self._page("channels", channels, arguments)

    def _read(self, method: str, arguments: dict[str, str]) -> web.Response:
        if "channels:history" not in self.scopes:
            return _answer(error="missing_scope", needed="channels:history")
        channel = self.channels.get(arguments["channel"])
        if channel is None:
            return _answer(error="channel_not_found")
        late = [message for message in channel.messages if float(message["ts"]) > float(arguments.get("oldest", "0"))]
        if method == "replies":
            late = [message for message in late if arguments["ts"] in {message["ts"], message.get("thread_ts")}]
        else:
            late = [message for message in reversed(late) if "thread_ts" not in message or message["is_broadcast"]]
        if arguments.get("include_all_metadata") != "1":
            late = [{key: value for key, value in message.items() if key != "metadata"} for message in late]
        return self._page("messages", late, arguments)

    def _page(self, name: str, items: list[dict[str, Any]], arguments: dict[str, str]) -> web.Response:
        start = int(arguments.get("cursor") or "0")
        end = start + self.page_size
        cursor = str(end) if end < len(items) else ""
        page: dict[str, Any] = {name: items[start:end], "response_metadata": {"next_cursor": cursor}}
        return web.json_response({"ok": True, **page})

    async def _incoming_webhook(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        refused = Fault(status=400, body=b"invalid_blocks", content_type="text/plain")
        taken = Fault(is_accepted=True, status=200, body=b"ok")
        is_refused = not self.takes_charts and has_chart(body)
        fault = self.faults.popleft() if self.faults else refused if is_refused else taken
        if fault.is_accepted:
            self.webhook_posts.append(body)
        return await self._break(request, fault)

    async def _break(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.hangs:
            await self._hanging.wait()
        if fault.status is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.Response(
            status=fault.status, body=fault.body, headers={"Content-Type": fault.content_type, **fault.headers}
        )


def has_chart(arguments: dict[str, Any]) -> bool:
    """Return whether a message has a native Slack chart."""
    return any(block["type"] == "data_visualization" for block in arguments.get("blocks", []))


def _answer(*, error: str = "", **more: Any) -> web.Response:
    return web.json_response({"ok": not error, **({"error": error} if error else {}), **more})
