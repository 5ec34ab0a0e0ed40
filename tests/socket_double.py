"""A fake Slack with Socket Mode: it gives out addresses, accepts WebSocket connections, and sends interactions."""

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from tests.doubles import TEAM, SlackDouble

APP_TOKEN = "xapp-canary-app-token"


class SocketSlackDouble(SlackDouble):
    """A Slack whose `press` and `type_command` act as a person and return when the app has confirmed."""

    def __init__(self) -> None:
        super().__init__()
        self.whispers: list[tuple[str, str]] = []
        """(user, text) of each ephemeral message."""
        self.opened = 0
        self._sockets: list[web.WebSocketResponse] = []
        self._confirmed: dict[str, asyncio.Event] = {}
        self._count = 0

    def _add_routes(self, application: web.Application) -> None:
        application.router.add_post("/api/apps.connections.open", self._open)
        application.router.add_post("/api/chat.postEphemeral", self._whisper)
        application.router.add_get("/link", self._socket)

    @property
    def is_connected(self) -> bool:
        return any(not socket.closed for socket in self._sockets)

    async def _open(self, request: web.Request) -> web.Response:
        self.opened += 1
        if request.headers.get("Authorization") != f"Bearer {APP_TOKEN}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        url = self.base_url.replace("http://", "ws://").replace("/api/", "/link")
        return web.json_response({"ok": True, "url": url})

    async def _whisper(self, request: web.Request) -> web.Response:
        arguments = dict(await request.post()) or json.loads(await request.read())
        self.whispers.append((str(arguments["user"]), str(arguments["text"])))
        return web.json_response({"ok": True, "message_ts": "1.1"})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self._sockets.append(socket)
        await socket.send_json({"type": "hello", "num_connections": 1})
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._confirmed[json.loads(message.data)["envelope_id"]].set()
        return socket

    async def hang_up(self) -> None:
        """Close every connection, as Slack does every few hours."""
        for socket in self._sockets:
            await socket.close()

    async def press(
        self, action: dict[str, Any], *, user: str = "U0000DANA", team: str = TEAM, times: int = 1, ts: str = "1.0"
    ) -> None:
        """Press a button once; with *times* above 1 the same press is delivered repeatedly."""
        self._count += 1
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": user.removeprefix("U0000").lower(), "team_id": team},
            "team": {"id": TEAM},
            "channel": {"id": "C0000FINOPS", "name": "finops"},
            "message": {"ts": ts},
            "actions": [{"action_ts": f"17.{self._count}", **action}],
        }
        for number in range(times):
            await self._send("interactive", payload, f"press-{self._count}-{number}")

    async def type_command(self, text: str, *, user: str = "U0000DANA", team: str = TEAM) -> None:
        """Send the command `/alertd` followed by *text*."""
        self._count += 1
        payload = {"command": "/alertd", "text": text, "user_id": user, "user_name": "dana", "team_id": team}
        await self._send("slash_commands", {**payload, "channel_id": "C0000FINOPS"}, f"command-{self._count}")

    async def _send(self, kind: str, payload: dict[str, Any], envelope_id: str) -> None:
        confirmed = self._confirmed[envelope_id] = asyncio.Event()
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": True}
        live = [socket for socket in self._sockets if not socket.closed]
        await live[-1].send_json(envelope)
        await asyncio.wait_for(confirmed.wait(), 3)
