"""Who is notified: they keep all that reaches them, by when, and fail as the plan says."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.simulation.loop import SimulatedLoop
from tests.simulation.plan import ReceiverTrouble
from tests.simulation.slack import PAGE, Slack
from tests.simulation.world import HOST, NEVER_S, World

SETTLED_AFTER_S = 70 * 60
"""After a receiver's trouble: what it could not take is tried again within the hour."""
WAIT_S = 30
MOST_TRIES = 300
"""Three days of attempts are fewer. Whoever sends one thing more often gets no answer, so that such a run ends."""
WAITING = frozenset({"down", "limited"})
"""Nothing was sent, and it is tried again for three days."""
GIVEN_UP_AFTER_S = 72 * 3600
LOSING = frozenset({"failing", "swallowing", "nonsense", "captive"})
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

    @property
    def thread(self) -> str | None:
        """Which message it continues in Slack, empty for none; None where it is not Slack's."""
        thread: str | None = json.loads(self.body).get("thread")
        return thread

    @property
    def ts(self) -> str:
        """By what Slack calls it."""
        ts: str = json.loads(self.body)["ts"]
        return ts

    @property
    def is_of_people(self) -> bool:
        """Whether it says what somebody did, which silences do not withhold."""
        return all(alert["annotations"].get("summary", "").startswith("Acknowledged by ") for alert in self.alerts)

    @property
    def fingerprints(self) -> frozenset[str]:
        """Of the alerts that it speaks of."""
        return _fingerprints(self.body)


@dataclass(slots=True)
class Cut:
    """A process that is to die in the middle of one of its next requests that do something."""

    loop: SimulatedLoop
    left: int
    is_before: bool

    def begin(self) -> bool:
        """Count a request; return whether the process dies once it is taken."""
        self.left -= 1
        if self.left == 0 and self.is_before:
            self.end()
        return self.left == 0 and not self.is_before

    def end(self) -> None:
        """Die before anything else happens."""
        self.loop.kill_at = self.loop.steps + 1


class Network(httpx.AsyncBaseTransport):
    """Every host that the daemon can reach by HTTP, while its process lives."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.taken: list[Taken] = []
        self.first_tried_s: dict[tuple[str, str], float] = {}
        """By receiver and key when it was first attempted."""
        self.refused: dict[tuple[str, str], tuple[float, frozenset[str]]] = {}
        """By receiver and key what was refused for good: when first, and which alerts it speaks of."""
        self._tries: Counter[tuple[str, str]] = Counter()
        self.wait_until_s: dict[tuple[str, str], float] = {}
        """By receiver and key until when it asked to wait."""
        self.hasty: list[str] = []
        """What did not wait for as long as it was to."""
        self.edited: set[tuple[str, str]] = set()
        """Receiver and key of what took the place of an earlier message."""
        self.cut: Cut | None = None
        self.slack = Slack(self)
        self._troubles = [event for event in world.plan.events if isinstance(event, ReceiverTrouble)]
        self.down: list[tuple[float, float]] = []
        """From and until when there was no process, which sends nothing."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as whoever is asked."""
        host = request.url.host
        does_something = request.method == "POST"
        cut = self.cut if does_something else None
        is_cut = cut is not None and cut.begin()
        if host.endswith(HOST):
            answer = await self.world.answer(request)
            if is_cut and cut is not None:
                cut.end()
            return answer
        return await self._receive(host.partition(".")[0], request, cut if is_cut else None)

    def trouble(self, receiver: str) -> str:
        """Return how a receiver fails now; empty where it does not."""
        now_s = self.world.now_s
        kinds = [t.kind for t in self._troubles if t.receiver == receiver and t.at_s <= now_s < t.until_s]
        return kinds[-1] if kinds else ""

    def had_trouble(self, from_s: float, to_s: float, receiver: str = "") -> bool:
        """Return whether a receiver, or any, failed at any time between two."""
        mine = (t for t in self._troubles if receiver in {"", t.receiver})
        return any(t.at_s <= to_s and t.until_s >= from_s for t in mine)

    def may_have_failed(self, by_s: float) -> bool:
        """Return whether anything that receivers did before may have been the reason to notify the fallback."""
        mine = (t for t in self._troubles if t.at_s <= by_s)
        return any(t.kind not in WAITING or t.until_s - t.at_s > GIVEN_UP_AFTER_S / 2 for t in mine)

    def may_have_lost(self, receiver: str, from_s: float, to_s: float) -> bool:
        """Return whether three attempts may have gone by of which nobody knows the outcome: then it is given up."""
        mine = (t for t in self._troubles if t.receiver == receiver and t.kind in LOSING)
        return any(t.at_s - SETTLED_AFTER_S <= to_s and t.until_s + SETTLED_AFTER_S >= from_s for t in mine)

    def waits_until_s(self, receiver: str, since_s: float) -> float:
        """
        Return until when something may wait for a receiver from an instant on.

        Its troubles may follow each other, or be apart by a time in which there was no process.
        """
        end_s = since_s
        waits = [(t.at_s, t.until_s) for t in self._troubles if t.receiver == receiver]
        for at_s, until_s in sorted([*waits, *self.down]):
            if at_s <= end_s + SETTLED_AFTER_S and until_s > since_s - SETTLED_AFTER_S:
                end_s = max(end_s, until_s)
        return end_s

    def refuse(self, receiver: str, key: str, fingerprints: frozenset[str]) -> None:
        """Note that something was refused for good."""
        self.refused.setdefault((receiver, key), (self.world.now_s, fingerprints))

    def ask_to_wait(self, receiver: str, key: str) -> None:
        """Note that a receiver asks to be left alone with something for a time."""
        self.wait_until_s[receiver, key] = self.world.now_s + WAIT_S

    async def note_attempt(self, receiver: str, key: str) -> None:
        """Note an attempt, and whether it comes sooner than it was asked for."""
        self._tries[receiver, key] += 1
        self.first_tried_s.setdefault((receiver, key), self.world.now_s)
        if self._tries[receiver, key] > MOST_TRIES:
            await asyncio.sleep(NEVER_S)
        left_s = self.wait_until_s.get((receiver, key), 0.0) - self.world.now_s
        if left_s > 1:
            self.hasty.append(f"{receiver} asked to wait {WAIT_S} s, and was asked again {left_s:.0f} s too soon")

    def take(self, receiver: str, key: str, body: bytes) -> int:
        """Keep what a receiver took, and return its number: its sender cannot know of it yet."""
        self.refused.pop((receiver, key), None)
        self.taken.append(Taken(at_s=self.world.now_s, receiver=receiver, key=key, body=body, is_answered=False))
        return len(self.taken) - 1

    def confirm(self, number: int) -> None:
        """Note that the sender learns that something was taken."""
        self.taken[number] = replace(self.taken[number], is_answered=True)

    async def _receive(self, receiver: str, request: httpx.Request, cut: Cut | None) -> httpx.Response:
        await asyncio.sleep(self.world.rng.choice((0.02, 0.3)))
        key = request.headers.get("Idempotency-Key", "")
        await self.note_attempt(receiver, key)
        trouble = self.trouble(receiver)
        match trouble:
            case "down":
                raise httpx.ConnectError("refused")
            case "failing":
                return httpx.Response(500, stream=httpx.ByteStream(b""))
            case "limited":
                self.ask_to_wait(receiver, key)
                return httpx.Response(429, headers={"Retry-After": f"{WAIT_S}"}, stream=httpx.ByteStream(b""))
            case "gone":
                self.refuse(receiver, key, _fingerprints(await request.aread()))
                return httpx.Response(404, stream=httpx.ByteStream(b""))
            case "captive":
                return httpx.Response(200, stream=httpx.ByteStream(PAGE))
        body = await request.aread()
        number = self.take(receiver, key, body)
        if cut is not None:
            cut.end()
        await asyncio.sleep(self.world.rng.choice((0.02, 0.3)))
        if trouble == "swallowing":
            raise httpx.ReadError("cut off")
        if trouble == "nonsense":
            return httpx.Response(200, stream=httpx.ByteStream(PAGE))
        self.confirm(number)
        return httpx.Response(200, stream=httpx.ByteStream(b"ok"))


def _fingerprints(body: bytes) -> frozenset[str]:
    return frozenset(alert["fingerprint"] for alert in json.loads(body)["alerts"])
