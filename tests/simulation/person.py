"""People: what they ask goes through the daemon's own socket, as `alertd ack`, `silence` and `stop` ask."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

from tests.simulation.loop import SimulatedLoop
from tests.simulation.plan import Ask

SILENCED_FOR = timedelta(hours=14)


class _Wire(asyncio.Transport):
    """A connection to the daemon, held by the one who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = b""
        self._is_closed = False

    def write(self, data: Any) -> None:
        self.answer += bytes(data)

    def close(self) -> None:
        self._is_closed = True

    def abort(self) -> None:
        self._is_closed = True

    def is_closing(self) -> bool:
        return self._is_closed

    def get_write_buffer_size(self) -> int:
        return 0


def ask(loop: SimulatedLoop, kind: str, request: dict[str, object]) -> _Wire | None:
    """Send a request to the daemon; None where nobody listens. What it answers is in the wire later."""
    if not loop.servers:
        return None
    (factory,) = loop.servers.values()
    wire = _Wire()

    def connect() -> None:
        protocol: Any = factory()
        protocol.connection_made(wire)
        protocol.data_received(json.dumps({"kind": kind, "request": request}).encode() + b"\n")

    loop.call_soon(connect)
    return wire


def silenced_until(event: Ask, now: datetime) -> datetime | None:
    """Return when a silence ends that somebody asks for; None for one that lasts as long as its alert."""
    return now + SILENCED_FOR if event.number % 2 else None


def request_of(
    event: Ask, alert: dict[str, str], number: int, silence: int, until: datetime | None
) -> tuple[str, dict[str, object]]:
    """
    Return what somebody asks about an alert, as the socket takes it.

    Args:
        silence: The number of the silence that is to end.
        until: When one that begins is to end; None with its alert.
    """
    by = f"person-{number}"
    fingerprint = alert["fingerprint"]
    match event.kind:
        case "acknowledge":
            return "acknowledge", {"fingerprint": fingerprint, "by": by}
        case "silence":
            matchers = [["fingerprint", {"texts": [fingerprint]}]]
            end = {"ends_at": until.isoformat()} if until is not None else {"until_resolved": True}
            return "add_silence", {"id": f"{number:08x}", "matchers": matchers, "by": by, **end}
        case "stop":
            return "act", {
                "id": f"{number:08x}",
                "fingerprint": fingerprint,
                "action": "stop",
                "by": by,
                "person": f"cli:{by}",
            }
    return "expire_silence", {"id": f"{silence:08x}", "by": by}
