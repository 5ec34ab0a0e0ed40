"""
The billing API on a socket.

Decides order: the caller first, then the fault plan, then the query. What is answered comes from `cycles` and
`monthly`, how it is written from `wire`, how it is spoilt from `spoilt`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import msgspec
from aiohttp import web

from alertd.simulator.cycles import bill_rows
from alertd.simulator.faults import NO_FAULTS, Call, Fault, FaultKind, FaultPlan
from alertd.simulator.meters import UNITS_PER_USD
from alertd.simulator.monthly import FIRST_MONTH, MonthlyBill, cash_balance, monthly_bills
from alertd.simulator.noise import draw
from alertd.simulator.queries import (
    MAX_RANGE_DAYS,
    MonthlyQuery,
    Refusal,
    check_caller,
    parse_bill_query,
    parse_key_query,
    parse_monthly_query,
    parse_page_query,
    parse_term_query,
)
from alertd.simulator.resources import (
    ENDPOINTS,
    INSTANCE,
    INSTANCES,
    METRICS,
    encode_endpoints,
    encode_instances,
    encode_metrics,
    instance,
    instances,
)
from alertd.simulator.spoilt import http_date, send_spoilt
from alertd.simulator.subscriptions import terms_between
from alertd.simulator.switches import START, STOP, Switches
from alertd.simulator.wire import encode_balance, encode_bills, encode_key_bills, encode_monthly, encode_terms
from alertd.simulator.world import World

BILL_LIST = "/openapi/v1/billing/bill/list"
MONTHLY_BILL = "/openapi/v1/billing/monthly/bill"
KEY_BILL_LIST = "/openapi/v1/billing/apikey/bill/list"
SUBSCRIPTIONS = "/openapi/v1/billing/bill/monthly/list"
BALANCE = "/openapi/v1/billing/balance/detail"

BESIDE = ("/gpu-instance/", "/openapi/v1/metrics/")
"""Paths that say nothing of money."""

MAX_REQUESTS_LOGGED = 20_000
"""A demo's month of polls with room to spare."""

STREAM_ABOVE_BYTES = 8 * 2**20
"""Longer answers are sent as they are made; a month of a large account is some 700 MB."""

SHUTDOWN_TIMEOUT_S = 0.2
"""Answers that hang or drip are given up when the simulator closes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request: when in simulated time, what was asked, and what came of it (status 0: nothing was answered)."""

    at: datetime
    path: str
    query: dict[str, str]
    status: int
    fault: FaultKind | None


class BillingSimulator:
    """
    The billing API of one world, from `__aenter__` to `__aexit__`.

    Args:
        world: What is billed.
        now: The present; asked once per request.
        api_key: The only key that is let in.
        faults: Which requests go wrong.
        host: Loopback by default.
        port: 0 for any that is free.
        range_limit_days: The longest range that `bill/list` answers.
        missing_categories: Product categories that this account does not have.
        rows_reach_in: Also answer with rows that begin before the range and reach into it.
        action_key: The key that may stop and start instances; it reads no bills.
        stop_takes: How long an instance is stopping, or starting.
    """

    def __init__(
        self,
        world: World,
        *,
        now: Callable[[], datetime],
        api_key: str = "sim-key",
        faults: FaultPlan = NO_FAULTS,
        host: str = "127.0.0.1",
        port: int = 0,
        range_limit_days: int = MAX_RANGE_DAYS,
        missing_categories: frozenset[str] = frozenset(),
        rows_reach_in: bool = True,
        action_key: str = "sim-stop-key",
        stop_takes: timedelta = timedelta(),
    ) -> None:
        self.world = world
        self.requests: deque[RequestRecord] = deque(maxlen=MAX_REQUESTS_LOGGED)
        self._now = now
        self._api_key = api_key
        self._faults = faults
        self._host = host
        self._port = port
        self._range_limit_days = range_limit_days
        self._missing_categories = missing_categories
        self._rows_reach_in = rows_reach_in
        self._action_key = action_key
        self.switches = Switches(action_key=action_key, takes=stop_takes)
        self._count = 0
        self._beside_count = 0
        self._runner: web.ServerRunner | None = None
        self._answers = {
            BILL_LIST: self._bill_list,
            MONTHLY_BILL: self._monthly_bill,
            KEY_BILL_LIST: self._key_bill_list,
            BALANCE: self._balance,
            SUBSCRIPTIONS: self._subscriptions,
            INSTANCES: self._instances,
            INSTANCE: self._instance,
            ENDPOINTS: self._endpoints,
            METRICS: self._metrics,
        }

    async def __aenter__(self) -> Self:
        """Listen; raise `OSError` when the port is taken."""
        # A handler is cancelled when its client leaves, so that what hangs does not outlive its request.
        server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and give up what is still being answered."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def base_url(self) -> str:
        """Where the simulator listens, without a trailing slash; only while it runs."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        # Numbered apart: what is read beside the bills changes no fault that they meet.
        is_beside = request.path.startswith(BESIDE)
        call = Call(
            number=self._beside_count if is_beside else self._count,
            at=self._now(),
            path=request.path,
            category=request.query.get("category" if request.path == KEY_BILL_LIST else "productCategory", ""),
        )
        self._beside_count += is_beside
        self._count += not is_beside
        fault: Fault | None = None
        status = 0
        try:
            key = check_caller(
                request.headers, api_keys=self._keys(request.path), must_name_itself=not request.path.startswith(BESIDE)
            )
            fault = self._faults.fault_for(call)
            response = await self._answer(request, call.at, fault, key)
            status = response.status
        except Refusal as refusal:
            status = refusal.status
            response = refusal_response(refusal, call.at)
        finally:
            record = RequestRecord(
                at=call.at,
                path=call.path,
                query=dict(request.query),
                status=status,
                fault=fault.kind if fault else None,
            )
            self.requests.append(record)
        return response

    def _keys(self, path: str) -> tuple[str, ...]:
        return (self._api_key, self._action_key) if path.startswith(INSTANCE) else (self._api_key,)

    async def _answer(
        self, request: web.BaseRequest, now: datetime, fault: Fault | None, key: str
    ) -> web.StreamResponse:
        if request.method == "POST" and request.path in {STOP, START}:
            return await self._switch(request, now, fault, key)
        if request.method != "GET":
            raise Refusal(405, "METHOD_NOT_ALLOWED", f"method not allowed: {request.method}")
        answer = self._answers.get(request.path)
        if answer is None:
            raise Refusal(404, "NOT_FOUND", f"no such endpoint: {request.path}")
        body = answer(request, now)
        if fault is not None:
            return await send_spoilt(request, body, fault, now=now)
        return await _send(request, body, now)

    async def _switch(
        self, request: web.BaseRequest, now: datetime, fault: Fault | None, key: str
    ) -> web.StreamResponse:
        """Stop or start an instance; a fault that is no refusal spoils the answer of a call that was taken."""
        if fault is None or not fault.kind.is_refusal:
            self.world = self.switches.call(self.world, request.path, await request.read(), key=key, now=now)
        if fault is not None:
            return await send_spoilt(request, iter([b"{}"]), fault, now=now)
        return await _send(request, iter([b"{}"]), now)

    def _bill_list(self, request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        query = parse_bill_query(
            request.query, range_limit_days=self._range_limit_days, missing=self._missing_categories
        )
        rows = bill_rows(self.world, query, now=now, reach_in=self._rows_reach_in)
        return encode_bills(rows, query, self.world)

    def _key_bill_list(self, request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        query = parse_key_query(request.query)
        rows = bill_rows(self.world, query, now=now, reach_in=self._rows_reach_in)
        return iter([encode_key_bills((seen for seen in rows if seen.row.meter.owner_id), self.world)])

    def _monthly_bill(self, request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        query = parse_monthly_query(request.query)
        bills = [bill for bill in monthly_bills(self.world, now=now) if bill.month >= query.start_month]
        return iter([encode_monthly(page_of(bills, query), self.world)])

    def _subscriptions(self, request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        query = parse_term_query(request.query)
        first, end = (datetime.fromtimestamp(each, UTC) for each in (query.start_s, query.end_s))
        terms = terms_between(self.world.subscriptions, first, min(end, now))
        return iter([encode_terms((term for term in terms if query.takes(term.of.category)), self.world)])

    def _instances(self, request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        query = parse_page_query(request.query)
        found = instances(self.world, now, self.switches.states(now))
        wanted = {name: text for name in ("name", "productName", "status") if (text := request.query.get(name))}
        kept = [one for one in found if all(text in str(one[name]) for name, text in wanted.items())]
        return encode_instances(kept, query.page_size, query.page)

    def _instance(self, request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        name, states = request.query.get("instanceId", ""), self.switches.states(now)
        return iter([msgspec.json.encode(instance(self.world, name, now, states))])

    def _endpoints(self, _request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        return encode_endpoints(self.world, now)

    def _metrics(self, request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        return encode_metrics(self.world, request.query, now)

    def _balance(self, _request: web.BaseRequest, now: datetime) -> Iterator[bytes]:
        body = encode_balance(
            cash=cash_balance(self.world, now=now),
            credit=int(self.world.credit_limit_usd * UNITS_PER_USD),
            outstanding=sum(bill.owed for bill in monthly_bills(self.world, now=now)),
        )
        return iter([body])


def page_of(bills: list[MonthlyBill], query: MonthlyQuery) -> list[MonthlyBill]:
    """
    Return one page of *bills*: one bill fewer or more than was asked for, as often as not.

    Source: "the returned item count may not strictly equal pageSize", Query Monthly Bill.
    """
    start_month = max(query.start_month, FIRST_MONTH)
    first = 0
    for page in range(1, query.page + 1):
        stray = draw("page", start_month, query.page_size, page)[0] % 3 - 1
        size = max(1, query.page_size + stray)
        if page == query.page or first >= len(bills):
            return bills[first : first + size]
        first += size
    return []


async def _send(request: web.BaseRequest, body: Iterator[bytes], now: datetime) -> web.StreamResponse:
    headers = {"Date": http_date(now)}
    beginning = bytearray()
    for piece in body:
        beginning += piece
        if len(beginning) > STREAM_ABOVE_BYTES:
            break
    else:
        return web.Response(body=bytes(beginning), content_type="application/json", headers=headers)
    response = web.StreamResponse(headers=headers | {"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(beginning)
    for piece in body:
        await response.write(piece)
    await response.write_eof()
    return response


def refusal_response(refusal: Refusal, now: datetime) -> web.Response:
    """Return the error body of *refusal*: code, reason and message."""
    body = {"code": refusal.status, "reason": refusal.reason, "message": refusal.message}
    return web.Response(
        status=refusal.status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers={"Date": http_date(now)},
    )
