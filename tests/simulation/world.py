"""
The world outside of the daemon: true time, the bills, and the API that shows them.

It shares no code with what reads it. Every answer that leaves it whole is noted, for the oracle.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

from tests.simulation.bill_rows import BillRow
from tests.simulation.payments import BALANCE, INVOICES, Payments
from tests.simulation.plan import DAY_S, HOUR_S, ApiTrouble, Changed, Late, Plan, Run

HOST = "api.sim.example"
CATEGORIES = ("gpu", "llm", "cloud_storage")
"""An account has no others, and no subscriptions; those of the second have its name behind them."""
SECOND = "@second"
STOP = "/gpu-instance/openapi/v1/gpu/instance/stop"
TOPICS = {
    "/openapi/v1/billing/balance/detail": BALANCE,
    "/openapi/v1/billing/monthly/bill": INVOICES,
}
"""What an `ApiTrouble` calls them."""
EVERYWHERE = frozenset({"slow", "slower", "down", "hanging", "failing", "limited", "denied"})
"""Troubles of the whole API; the others spoil bills, or what they name."""
NEVER_S = 10**12
UNTIL_STOPPED_S = 90
SLOW_S = (8, 20, 45)
"""Within the time that an answer may take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole list of bills that the API sent: (hour, span, owner, amount) of each row."""

    at_s: float
    category: str
    first: int
    end: int
    rows: tuple[tuple[int, int, str, int], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A question about bills that had no usable answer."""

    at_s: float
    category: str
    kind: str
    first: int
    end: int


class World:
    """True time, bills and their API, through all lives of the daemon."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.start_s = plan.start.timestamp()
        self.clock: Callable[[], float] = lambda: 0.0
        self.rng = random.Random(plan.seed * 31 + 7)
        self.answers: list[Answer | Refused] = []
        self.dated_at_s = -1.0
        """When it last answered anything, and so said what time it is."""
        self.stops: list[tuple[float, str]] = []
        self.stopped: dict[str, float] = {}
        self.payments = Payments(plan, lambda: self.now_s)
        self._troubles = [event for event in plan.events if isinstance(event, ApiTrouble)]
        accounts = ("", SECOND) if plan.has_second else ("",)
        self.categories = tuple(f"{category}{account}" for account in accounts for category in CATEGORIES)
        self._rows: dict[str, dict[int, list[BillRow]]] = {category: {} for category in self.categories}
        self._build()

    @property
    def now_s(self) -> float:
        """True seconds since the plan's start."""
        return self.clock()

    @property
    def now(self) -> datetime:
        """True time."""
        return self.plan.start + timedelta(seconds=self.now_s)

    def _build(self) -> None:
        delays = random.Random(self.plan.seed * 17 + 3)
        by_owner: dict[str, list[BillRow]] = {}
        for run in (event for event in self.plan.events if isinstance(event, Run)):
            for hour in range(run.first, run.last, run.step):
                shown_s = (hour + run.step) * HOUR_S + delays.randrange(30, 900)
                row = BillRow(
                    category=run.category,
                    owner=run.owner,
                    hour=hour,
                    span=run.step,
                    versions=[(shown_s, run.rate * run.step)],
                )
                self._rows[run.category].setdefault(hour, []).append(row)
                by_owner.setdefault(run.owner, []).append(row)
        for event in self.plan.events:
            if isinstance(event, Late):
                for row in by_owner.get(event.owner, ()):
                    if event.first <= row.hour < event.last:
                        row.versions = [(at_s + event.by_s, amount) for at_s, amount in row.versions]
        for event in self.plan.events:
            if isinstance(event, Changed):
                for row in by_owner.get(event.owner, ()):
                    if event.first <= row.hour < event.last:
                        row.change(event)

    def stop(self, owner: str) -> None:
        """Stop an instance: it is billed no more from the next hour on."""
        self.stops.append((self.now_s, owner))
        self.stopped.setdefault(owner, self.now_s)
        hour = int(self.now_s // HOUR_S) + 1
        for later, rows in self._rows["gpu"].items():
            if later >= hour:
                rows[:] = [row for row in rows if row.owner != owner]

    def is_running(self, owner: str, account: str) -> bool:
        """Return whether an instance runs: whether it is billed for this hour."""
        return any(row.owner == owner for row in self._rows[f"gpu{account}"].get(int(self.now_s // HOUR_S), ()))

    def _trouble(self, category: str, *, is_bills: bool) -> str:
        """Return what is wrong with the API now, for a category or for all."""
        whose = {"", category, f"@{category.partition('@')[2]}"}
        # Lists of instances have no category.
        is_named = category.partition("@")[0] != ""
        kinds = [
            t.kind
            for t in self._troubles
            if t.at_s <= self.now_s < t.until_s
            and t.category in whose
            and (is_bills or t.kind in EVERYWHERE or (is_named and t.category == category))
        ]
        return kinds[-1] if kinds else ""

    def steady(self, category: str, hour: int, since_s: float) -> tuple[tuple[int, str, int], ...] | None:
        """Return (span, owner, amount) of an hour's rows; None where one came, changed or vanished since an instant."""
        rows = self._rows[category].get(hour, ())
        if any(since_s < at_s <= self.now_s for row in rows for at_s, _ in row.versions):
            return None
        shown = ((row.span, row.owner, row.amount(self.now_s)) for row in rows)
        return tuple(sorted((span, owner, amount) for span, owner, amount in shown if amount is not None))

    def had_trouble(self, category: str, from_s: float, to_s: float) -> bool:
        """Return whether a category could not be read well at any time between two."""
        mine = (t for t in self._troubles if t.category in {"", category, f"@{category.partition('@')[2]}"})
        return any(t.at_s <= to_s and t.until_s >= from_s for t in mine)

    def shown(self, category: str, first: int, end: int) -> list[tuple[BillRow, int]]:
        """Return the rows that begin in a span of hours, as they are shown now."""
        found = []
        by_hour = self._rows[category]
        for hour in range(first, end):
            for row in by_hour.get(hour, ()):
                amount = row.amount(self.now_s)
                if amount is not None:
                    found.append((row, amount))
        return found

    def gpu_owners(self, account: str) -> list[str]:
        """Return every instance of an account that was ever begun."""
        hour, by_hour = int(self.now_s // HOUR_S), self._rows[f"gpu{account}"]
        begun = {row.owner for at, rows in by_hour.items() if at <= hour for row in rows}
        return sorted(begun if account else begun | set(self.stopped))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of the daemon, after a moment."""
        await asyncio.sleep(self.rng.choice((0.05, 0.1, 0.4, 2.0)))
        path, query = request.url.path, request.url.params
        account = SECOND if request.url.host.startswith(f"{SECOND[1:]}.") else ""
        category = TOPICS.get(path, query.get("productCategory", "")) + account
        is_bills = path == "/openapi/v1/billing/bill/list"
        trouble = self._trouble(category, is_bills=is_bills)
        if trouble in {"slow", "slower"}:
            await asyncio.sleep(self.rng.choice(SLOW_S) if trouble == "slow" else SLOW_S[-1])
        elif trouble:
            spoilt = await self._spoilt(trouble, category, query if is_bills else None)
            if spoilt is not None:
                return spoilt
        if is_bills:
            return self._bills(category, query)
        found = self._other(request, path, query, account)
        return self._json({"code": 404, "reason": "NOT_FOUND"}, status=404) if found is None else self._json(found)

    def _span(self, query: Any) -> tuple[int, int]:
        first = (int(query["startTime"]) - int(self.start_s)) // HOUR_S
        return first, (int(query["endTime"]) + 1 - int(self.start_s)) // HOUR_S

    def _bills(self, category: str, query: Any, *, is_empty: bool = False) -> httpx.Response:
        if category.startswith("summary"):
            return self._summary(query)
        if category not in self.categories:
            return self._json(
                {"code": 400, "reason": "INVALID_PRODUCT_CATEGORY", "message": "no such category"}, status=400
            )
        first, end = self._span(query)
        if end - first > 31 * 24:
            return self._json({"code": 400, "reason": "INVALID_TIME_RANGE", "message": "too long"}, status=400)
        rows = [] if is_empty else self.shown(category, first, end)
        self.answers.append(
            Answer(
                self.now_s, category, first, end, tuple((row.hour, row.span, row.owner, amount) for row, amount in rows)
            )
        )
        # A day's row that reaches into the range is shown too; it is not filed there.
        before = (
            []
            if is_empty
            else [pair for pair in self.shown(category, first - 24, first) if pair[0].hour + pair[0].span > first]
        )
        body = b'{"bills":[' + b",".join(row.text(amount, self.start_s) for row, amount in (*before, *rows)) + b"]}"
        return httpx.Response(200, headers=self._headers(), stream=httpx.ByteStream(body))

    def _summary(self, query: Any) -> httpx.Response:
        """Answer with the control total: every row of every category once more."""
        rows = [pair for category in self.categories for pair in self.shown(category, *self._span(query))]
        body = b'{"bills":[' + b",".join(row.text(amount, self.start_s) for row, amount in rows) + b"]}"
        return httpx.Response(200, headers=self._headers(), stream=httpx.ByteStream(body))

    async def _spoilt(self, kind: str, category: str, query: Any) -> httpx.Response | None:
        if query is not None:
            self.answers.append(Refused(self.now_s, category, kind, *self._span(query)))
        match kind:
            case "down":
                raise httpx.ConnectError("refused")
            case "hanging":
                await asyncio.sleep(10 * DAY_S)
            case "failing":
                return self._json({"code": 500, "reason": "LIST_BILL_ERROR", "message": "try later"}, status=500)
            case "limited":
                return self._json(
                    {"code": 429, "reason": "LIST_BILL_TOO_FAST", "message": "too fast"},
                    status=429,
                    **{"Retry-After": "2"},
                )
            case "unknown":
                return self._json(
                    {"code": 400, "reason": "INVALID_PRODUCT_CATEGORY", "message": "no such category"}, status=400
                )
            case "denied":
                return self._json({"code": 401, "reason": "FAILED_TO_AUTH", "message": "failed to auth"}, status=401)
            case "nonsense":
                return httpx.Response(
                    200, headers=self._headers(), stream=httpx.ByteStream(b"<!doctype html><html>Sign in</html>")
                )
            case "cut":
                return httpx.Response(200, headers=self._headers(), stream=_Cut(b'{"bills":[{"startTime":"1'))
            case "absurd":
                row = json.dumps(
                    {"startTime": str(int(self.start_s + self.now_s)), "amountDecimal": "1000000000000"}
                ).encode()
                return httpx.Response(
                    200, headers=self._headers(), stream=httpx.ByteStream(b'{"bills":[' + row + b"]}")
                )
            case "unlisted":
                return httpx.Response(200, headers=self._headers(), stream=httpx.ByteStream(b"{}"))
            case "empty":
                self.answers.pop()
                return self._bills(category, query, is_empty=True)
        return None

    def _other(self, request: httpx.Request, path: str, query: Any, account: str) -> object:
        match path:
            case _ if path in TOPICS:
                return self.payments.answer(TOPICS[path], query)
            case "/gpu-instance/openapi/v1/gpu/instances":
                return {
                    "instances": [self._instance(owner, account) for owner in self.gpu_owners(account)]
                    if query.get("pageNum") in {"0", "1"}
                    else []
                }
            case "/gpu-instance/openapi/v1/gpu/instance":
                return self._instance(query["instanceId"], account)
            case "/gpu-instance/openapi/v1/endpoints":
                return {"endpoints": [], "total": 0}
            case _ if path == STOP and request.method == "POST":
                self.stop(json.loads(request.content)["instanceId"])
                return {}
        return None

    def _instance(self, owner: str, account: str) -> dict[str, object]:
        at_s = self.stopped.get(owner) if not account else None
        status = "running" if self.is_running(owner, account) else "exited"
        if at_s is not None:
            status = "stopping" if self.now_s < at_s + UNTIL_STOPPED_S else "exited"
        return {
            "id": owner,
            "name": f"name of {owner}",
            "status": status,
            "gpuNum": "1",
            "productId": "p",
            "productName": "H100",
            "billingMode": "onDemand",
            "endTime": "-1",
        }

    def _headers(self) -> dict[str, str]:
        self.dated_at_s = self.now_s
        return {
            "Date": format_datetime(self.now.replace(microsecond=0), usegmt=True),
            "Content-Type": "application/json",
        }

    def _json(self, body: object, *, status: int = 200, **headers: str) -> httpx.Response:
        return httpx.Response(
            status, headers=self._headers() | headers, stream=httpx.ByteStream(json.dumps(body).encode())
        )


class _Cut(httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, beginning: bytes) -> None:
        self._beginning = beginning

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._beginning
        raise httpx.ReadError("cut off")
