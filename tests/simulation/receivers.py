"""Who is notified: they keep all that reaches them, by when, and fail as the plan says."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx

from tests.simulation.plan import ReceiverTrouble
from tests.simulation.world import HOST, World

SETTLED_AFTER_S = 70 * 60
"""After a receiver's trouble: what it could not take is tried again within the hour."""
LOSING = frozenset({"failing", "swallowing", "nonsense"})
"""After these nobody knows whether it arrived; after three it is given up, and the fallback has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A notification that a receiver took, whether or not its answer arrived."""

    at_s: float
    receiver: str
    key: str
    body: bytes
    is_answered: bool
    """Its sender can know that it was taken."""

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that it speaks of."""
        found: list[dict[str, Any]] = json.loads(self.body)["alerts"]
        return found


class Network(httpx.AsyncBaseTransport):
    """Every host that the daemon can reach by HTTP, while its process lives."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.taken: list[Taken] = []
        self.attempts: list[tuple[float, str, str]] = []
        """(when, receiver, key)."""
        self._troubles = [event for event in world.plan.events if isinstance(event, ReceiverTrouble)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as whoever is asked."""
        host = request.url.host
        if host == HOST:
            return await self.world.answer(request)
        return await self._receive(host.partition(".")[0], request)

    def trouble(self, receiver: str) -> str:
        """Return how a receiver fails now; empty where it does not."""
        now_s = self.world.now_s
        kinds = [t.kind for t in self._troubles if t.receiver == receiver and t.at_s <= now_s < t.until_s]
        return kinds[-1] if kinds else ""

    def had_trouble(self, from_s: float, to_s: float) -> bool:
        """Return whether any receiver failed at any time between two."""
        return any(t.at_s <= to_s and t.until_s >= from_s for t in self._troubles)

    def may_have_lost(self, receiver: str, from_s: float, to_s: float) -> bool:
        """Return whether three attempts may have gone by of which nobody knows the outcome: then it is given up."""
        mine = (t for t in self._troubles if t.receiver == receiver and t.kind in LOSING)
        return any(t.at_s - SETTLED_AFTER_S <= to_s and t.until_s + SETTLED_AFTER_S >= from_s for t in mine)

    async def _receive(self, receiver: str, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.world.rng.choice((0.02, 0.3)))
        key = request.headers.get("Idempotency-Key", "")
        self.attempts.append((self.world.now_s, receiver, key))
        trouble = self.trouble(receiver)
        match trouble:
            case "down":
                raise httpx.ConnectError("refused")
            case "failing":
                return httpx.Response(500, stream=httpx.ByteStream(b""))
            case "limited":
                return httpx.Response(429, headers={"Retry-After": "30"}, stream=httpx.ByteStream(b""))
            case "gone":
                return httpx.Response(404, stream=httpx.ByteStream(b""))
        body = await request.aread()
        is_known = trouble not in {"swallowing", "nonsense"}
        number = len(self.taken)
        self.taken.append(Taken(at_s=self.world.now_s, receiver=receiver, key=key, body=body, is_answered=False))
        await asyncio.sleep(self.world.rng.choice((0.02, 0.3)))
        if trouble == "swallowing":
            raise httpx.ReadError("cut off")
        if trouble == "nonsense":
            return httpx.Response(200, stream=httpx.ByteStream(b"<!doctype html><html>Sign in</html>"))
        self.taken[number] = Taken(
            at_s=self.taken[number].at_s, receiver=receiver, key=key, body=body, is_answered=is_known
        )
        return httpx.Response(200, stream=httpx.ByteStream(b"ok"))
