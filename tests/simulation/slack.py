"""
A Slack workspace of one channel: it keeps what is posted, finds it again in its history, and fails as the plan says.

It speaks HTTP over wires in memory, as the loop connects them: aiohttp and slack-sdk are the real ones.
"""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from tests.simulation.receivers import Network

CHANNEL = "C0000OPS1"
TOKEN = "-".join(("xoxb", "1", "2", "simulated"))
BASE_URL = "https://slack.sim.example/api/"
RECEIVER = "slack"
PACE_S = 0.7
"""A second, less what the way of two requests may differ by."""
PAGE = b"<!doctype html><html>Sign in</html>"
_SEVERITIES = {1: "info", 2: "warning", 3: "critical"}


class Slack:
    """The workspace, through all lives of the daemon."""

    def __init__(self, network: "Network") -> None:
        self.messages: list[dict[str, Any]] = []
        self.said_by: Callable[[str], str] = lambda _key: "{}"
        """Returns the message of a delivery key as the daemon's outbox has it."""
        self._network = network
        self._posted_at_s = -1e9

    async def connect(self, factory: Callable[[], asyncio.Protocol], host: str) -> tuple["_Wire", asyncio.Protocol]:
        """
        Connect to the workspace.

        Raises:
            OSError: It cannot be reached.
        """
        await asyncio.sleep(0.01)
        if self._network.trouble(RECEIVER) == "down":
            raise ConnectionRefusedError(111, f"{host} refuses")
        protocol = factory()
        wire = _Wire(self, protocol)
        protocol.connection_made(wire)
        return wire, protocol

    async def answer(self, target: str, body: bytes) -> tuple[int, bytes] | None:
        """Return status and body; None where the connection is cut."""
        await asyncio.sleep(self._network.world.rng.choice((0.02, 0.3)))
        place = urlsplit(target)
        match place.path.rpartition("/")[2]:
            case "chat.postMessage":
                return await self._post(json.loads(body))
            case "chat.update":
                return self._update(json.loads(body))
            case "conversations.history" | "conversations.replies" as method:
                return self._read(method, dict(parse_qsl(place.query)) | dict(parse_qsl(body.decode())))
        return _said(error="unknown_method")

    async def _post(self, given: dict[str, Any]) -> tuple[int, bytes] | None:
        network = self._network
        key = given["metadata"]["event_payload"]["key"]
        cut = network.cut
        is_cut = cut is not None and cut.begin()
        await network.note_attempt(RECEIVER, key)
        waited_s = network.world.now_s - self._posted_at_s
        if waited_s < PACE_S:
            network.hasty.append(f"two posts to one channel within {waited_s:.2f} s")
        self._posted_at_s = network.world.now_s
        trouble = network.trouble(RECEIVER)
        if trouble == "failing":
            return 500, b""
        if trouble == "limited":
            network.ask_to_wait(RECEIVER, key)
            return 429, b'{"ok": false, "error": "ratelimited"}'
        if trouble == "captive":
            return 200, PAGE
        alerts = _alerts(json.loads(self.said_by(key)))
        if trouble == "gone":
            network.refuse(RECEIVER, key, frozenset(alert["fingerprint"] for alert in alerts))
            return _said(error="is_archived")
        ts = f"{network.world.start_s + network.world.now_s:.4f}{len(self.messages) % 100:02}"
        thread = given.get("thread_ts", "")
        self.messages.append({**given, "ts": ts})
        taken = {"alerts": alerts, "text": given["text"], "thread": thread, "ts": ts}
        is_lost = trouble in {"swallowing", "nonsense"}
        number = network.take(RECEIVER, key, json.dumps(taken).encode())
        if is_cut and cut is not None:
            cut.end()
        await asyncio.sleep(network.world.rng.choice((0.02, 0.3)))
        if is_lost:
            return None if trouble == "swallowing" else (200, PAGE)
        network.confirm(number)
        return _said(channel=CHANNEL, ts=ts)

    def _update(self, given: dict[str, Any]) -> tuple[int, bytes]:
        trouble = self._network.trouble(RECEIVER)
        if trouble == "failing":
            return 500, b""
        found = next((message for message in self.messages if message["ts"] == given["ts"]), None)
        if found is None:
            return _said(error="message_not_found")
        self._network.edited.add((RECEIVER, given["metadata"]["event_payload"]["key"]))
        found.update({name: given[name] for name in ("text", "blocks", "metadata") if name in given})
        return _said(channel=CHANNEL, ts=given["ts"])

    def _read(self, method: str, asked: dict[str, str]) -> tuple[int, bytes]:
        found = [message for message in self.messages if float(message["ts"]) > float(asked.get("oldest", "0"))]
        if method.endswith("replies"):
            found = [message for message in found if asked["ts"] in {message["ts"], message.get("thread_ts")}]
        else:
            found = [each for each in found[::-1] if not each.get("thread_ts") or each.get("reply_broadcast")]
        start = int(asked.get("cursor") or 0)
        following = str(start + 100) if len(found) > start + 100 else ""
        return _said(messages=found[start : start + 100], response_metadata={"next_cursor": following})


def _alerts(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alerts of a message in the form in which webhooks have them."""
    return [
        {
            "fingerprint": one["fingerprint"],
            "status": "resolved" if one["is_resolved"] else "firing",
            "startsAt": one["starts_at"],
            "endsAt": one["ends_at"],
            "labels": dict(one["labels"]) | {"severity": _SEVERITIES[one["severity"]]},
            "annotations": {
                **dict(one["annotations"]),
                "value": one["value"],
                "summary": message["title"],
                "history": message["history"],
            },
        }
        for one in message.get("alerts", ())
    ]


def _said(*, error: str = "", **more: object) -> tuple[int, bytes]:
    return 200, json.dumps({"ok": not error, **({"error": error} if error else {}), **more}).encode()


class _Wire(asyncio.Transport):
    """A connection on which one request after another is answered."""

    def __init__(self, slack: Slack, protocol: Any) -> None:
        super().__init__()
        self._slack, self._protocol = slack, protocol
        self._received = b""
        self._is_closed = False
        self._answering: set[asyncio.Task[None]] = set()

    def write(self, data: Any) -> None:
        self._received += bytes(data)
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if len(body) < int(headers.get("content-length", "0")):
            return
        self._received = b""
        task = asyncio.get_running_loop().create_task(self._answer(lines[0].split(" ")[1], body))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, target: str, body: bytes) -> None:
        answer = await self._slack.answer(target, body)
        if self._is_closed:
            return
        if answer is None:
            self._is_closed = True
            self._protocol.connection_lost(ConnectionResetError(104, "cut off"))
            return
        status, text = answer
        more = "Retry-After: 30\r\n" if status == 429 else ""
        kind = "application/json" if text.startswith(b"{") else "text/html"
        head = f"HTTP/1.1 {status} said\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(text)}\r\n\r\n"
        self._protocol.data_received(head.encode() + text)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._is_closed

    def get_write_buffer_size(self) -> int:
        return 0
