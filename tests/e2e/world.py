"""
A billing API for tests, made from its written description alone: bills are explicit data, and so is every fault.

It runs in threads of the test's own process, answers real HTTP, and remembers what it was asked.
"""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

CATEGORIES = (
    "gpu",
    "llm",
    "serverless",
    "cloud_storage",
    "gen_api",
    "cloud_sandbox",
    "llm_dedicated_endpoint",
    "web_search",
    "bare_metal",
)
HOUR = 3600
DAY = 24 * HOUR
MONTHLY = "monthly"
BALANCE = "balance"
KEYS = "keys"
TERMS = "terms"
PATHS = {
    "/openapi/v1/billing/bill/list": "",
    "/openapi/v1/billing/monthly/bill": MONTHLY,
    "/openapi/v1/billing/apikey/bill/list": KEYS,
    "/openapi/v1/billing/balance/detail": BALANCE,
    "/openapi/v1/billing/bill/monthly/list": TERMS,
}
BESIDE = {
    "/gpu-instance/openapi/v1/gpu/instances": "instances",
    "/gpu-instance/openapi/v1/endpoints": "endpoints",
    "/openapi/v1/metrics/gpu/instance": "metrics",
}
"""What says nothing of money, and is asked for beside the bills."""
TERM_CATEGORIES = ("gpu", "serverless", "cloud_storage", "local_storage", "image", "bare_metal")
KEY_CATEGORIES = ("llm", "gen_api", "web_search")
KEYS_SINCE = 1767225600
"""2026-01-01: there is no spend by API key before."""
API_KEY = "sk-canary-novita-key-5f1c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One charge as the service knows it; how it is spelt in JSON is `style`."""

    category: str
    start: int
    """Unix seconds."""
    hours: int = 1
    owner: str = "owner"
    product: str = "product"
    subcategory: str = "Compute"
    method: int = 1
    voucher: Decimal = Decimal(0)
    pay: Decimal = Decimal(0)
    key_name: str | None = None
    """What its API key is called; None leaves the name out."""
    style: str = "strings"
    """strings, numbers, iso, integers (no decimals at all), milliseconds or sparse (no voucher, no pay)."""

    @property
    def amount(self) -> Decimal:
        return self.voucher + self.pay

    def json(self, *, is_by_key: bool = False) -> str:
        """Return the row as JSON text, so that no number goes through a binary float."""
        end = self.start + self.hours * HOUR - 1
        fields: dict[str, str] = {
            "userId": '"u-1"',
            "productName": dumps(self.product),
            "category": dumps(self.subcategory),
            "ownerID": dumps(self.owner),
            "billingMethod": str(self.method) if self.style == "numbers" else f'"{self.method}"',
            "startTime": self._time(self.start),
            "endTime": self._time(end),
            "billNum0": '"1"',
            "basePrice0": '"99999999"',
            "pricePrecision": '"4"',
            "aFieldOfTomorrow": '{"nested": [1, {"bills": []}]}',
        }
        money = {"amount": self.amount, "voucherAmount": self.voucher, "payAmount": self.pay}
        for name, value in money.items():
            # The service drops what is finer than its integers.
            whole = int(value * 10000)
            fields[name] = str(whole) if self.style == "numbers" else f'"{whole}"'
        decimals = {"amountDecimal": self.amount, "voucherAmountDecimal": self.voucher, "payableDecimal": self.pay}
        if self.style == "sparse":
            decimals = {"amountDecimal": self.amount, "payableDecimal": self.pay}
            del fields["voucherAmount"], fields["payAmount"]
        if is_by_key:
            fields["apikeyMask"] = dumps(f"sk_{self.owner[-2:]}**")
            if self.key_name is not None:
                fields["apikeyName"] = dumps(self.key_name)
        if self.style != "integers":
            for name, value in decimals.items():
                fields[name] = f"{value:f}" if self.style == "numbers" else f'"{value:f}"'
        return "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"

    def _time(self, at: int) -> str:
        match self.style:
            case "numbers":
                return str(at)
            case "iso":
                return f'"{time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))}"'
            case "milliseconds":
                return f'"{at * 1000}"'
            case _:
                return f'"{at}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is answered in place of bills."""

    status: int = 200
    body: bytes | None = None
    """None: the true answer."""
    headers: tuple[tuple[str, str], ...] = ()
    cut_at: int | None = None
    """Only so many bytes of the body, of which the whole length was announced."""
    hold: threading.Event | None = None
    """Answered only when this is set."""


def refusal(status: int, reason: str, message: str = "no", **headers: str) -> Fault:
    """An error in the service's own form."""
    body = dumps({"code": status, "reason": reason, "message": message}).encode()
    return Fault(status=status, body=body, headers=tuple((k.replace("_", "-"), v) for k, v in headers.items()))


HTML = Fault(status=200, body=b"<html><body><h1>502 Bad Gateway</h1></body></html>", headers=())
BUSY = refusal(500, "LIST_BILL_ERROR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    at_s: float
    """Monotonic."""
    name: str
    """The category asked for, or `monthly`."""
    query: dict[str, str]
    headers: dict[str, str]
    is_refused: bool


@dataclass(slots=True)
class BillingWorld:
    """The service; a context. Everything public may be changed while it runs."""

    rows: list[Row] = field(default_factory=list)
    monthly: list[dict[str, Any]] = field(default_factory=list)
    balance: dict[str, Any] | None = None
    """The answer of balance/detail; None where the account has no such endpoint."""
    terms: list[dict[str, Any]] | None = None
    """Bills of subscriptions, with `createTime` in Unix seconds; None where the account has no such endpoint."""
    has_keys: bool = True
    """Whether there is a list by API key: the rows of its categories that have an owner."""
    keys_only: list[Row] = field(default_factory=list)
    """Rows that only the list by API key has."""
    page_sizes: tuple[int, ...] = (100,)
    """Of the monthly pages, in order; then empty pages."""
    key: str = API_KEY
    longest_days: int = 31
    """Longer ranges are answered 400."""
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    """By name: each for one request."""
    broken: dict[str, Fault] = field(default_factory=dict)
    """By name: until it is taken away."""
    null_when_empty: bool = True
    clock: Callable[[], float] = time.time  # noqa: TID251 -- the API has a clock of its own
    beside: dict[str, Callable[[dict[str, str]], Any]] = field(default_factory=dict)
    """What is answered of `instances`, `endpoints` and `metrics` to a query; a fault, or JSON. Others get 404."""
    asked: list[Asked] = field(default_factory=list)
    asked_beside: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = serve(lambda: _handler(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fault in (*self.broken.values(), *(f for waiting in self.faults.values() for f in waiting)):
            if fault.hold is not None:
                fault.hold.set()
        assert self._server is not None
        stop(self._server)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def hour(self, ago: int = 0) -> int:
        """Return the Unix second at which the running hour, or one before it, began."""
        return int(self.clock()) // HOUR * HOUR - ago * HOUR

    def hour_of_month(self, ago: int) -> int:
        """Return the same, but none before the month (UTC) began, whose budget would not count it."""
        month = datetime.fromtimestamp(self.clock(), UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return max(self.hour(ago), int(month.timestamp()))

    def add(self, *rows: Row) -> None:
        """Let rows appear, all at once."""
        with self.lock:
            self.rows.extend(rows)

    def revise(self, old: Row, *new: Row) -> None:
        """Replace a row, or take it away."""
        with self.lock:
            self.rows.remove(old)
            self.rows.extend(new)

    def break_all(self, fault: Fault) -> None:
        """Answer everything alike until it is taken away."""
        self.broken = dict.fromkeys((*CATEGORIES, MONTHLY, BALANCE, *self.of_keys()), fault)

    @staticmethod
    def of_keys() -> tuple[str, ...]:
        """Return the names under which the lists by API key are asked for."""
        return tuple(f"{KEYS}:{category}" for category in KEY_CATEGORIES)

    def polls(self, name: str = "gpu") -> int:
        """Return how often a category was asked for."""
        return sum(asked.name == name for asked in self.asked)

    def answer(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Fault:
        """Return what one request gets."""
        if path in BESIDE:
            return self._beside(BESIDE[path], query)
        place = PATHS.get(path)
        name = place or query.get("productCategory", "?")
        if place in {KEYS, TERMS}:
            name = f"{place}:{query.get('category', '?')}"
        with self.lock:
            fault = self.faults[name].popleft() if self.faults[name] else self.broken.get(name, Fault())
            is_refused = headers.get("authorization") != f"Bearer {self.key}"
            asked = Asked(at_s=time.monotonic(), name=name, query=query, headers=headers, is_refused=is_refused)
            self.asked.append(asked)
            if is_refused:
                return refusal(401, "FAILED_TO_AUTH", f"bad key {headers.get('authorization', '')}")
            has_it = {
                None: False,
                BALANCE: self.balance is not None,
                KEYS: self.has_keys,
                TERMS: self.terms is not None,
            }
            if not has_it.get(place, True):
                return refusal(404, "NOT_FOUND")
            if fault.body is not None:
                return fault
            true = self._true(place, query)
        if true.status != 200:
            return true
        return Fault(status=fault.status, body=true.body, headers=fault.headers, cut_at=fault.cut_at, hold=fault.hold)

    def _beside(self, name: str, query: dict[str, str]) -> Fault:
        self.asked_beside.append((name, query))
        fault = self.broken.get(name)
        if fault is not None or name not in self.beside:
            return fault or refusal(404, "NOT_FOUND")
        found = self.beside[name](query)
        return found if isinstance(found, Fault) else Fault(body=dumps(found).encode())

    def _true(self, place: str | None, query: dict[str, str]) -> Fault:
        if place == MONTHLY:
            return self._monthly_page(query)
        if place == BALANCE:
            return Fault(body=dumps(self.balance).encode())
        if place == TERMS:
            return self._term_list(query)
        return self._key_list(query) if place == KEYS else self._bill_list(query)

    def _term_list(self, query: dict[str, str]) -> Fault:
        category, start, end = query["category"], int(query["startTime"]), int(query["endTime"])
        if category not in (*TERM_CATEGORIES, "summary"):
            return refusal(400, "INVALID_PRODUCT_CATEGORY")
        if end + 1 - start > self.longest_days * DAY:
            return refusal(400, "INVALID_PARAM", f"time range must not exceed {self.longest_days} days")
        found = [
            term
            for term in self.terms or []
            if start <= int(term["createTime"]) <= end and category in {"summary", term["productCategory"]}
        ]
        return Fault(body=dumps({"bills": found or (None if self.null_when_empty else [])}).encode())

    def _key_list(self, query: dict[str, str]) -> Fault:
        category, start, end = query["category"], int(query["startTime"]), int(query["endTime"])
        if category not in KEY_CATEGORIES:
            return refusal(400, "INVALID_PRODUCT_CATEGORY")
        if end + 1 - start > 7 * DAY:
            return refusal(400, "INVALID_PARAM", "time range must not exceed 7 days")
        if start < KEYS_SINCE:
            return refusal(400, "INVALID_PARAM", "there is nothing before 2026-01-01")
        found = [
            row
            for row in (*self.rows, *self.keys_only)
            if row.category == category and row.owner and row.start <= end and row.start + row.hours * HOUR > start
        ]
        return Fault(body=('{"bills": [' + ", ".join(row.json(is_by_key=True) for row in found) + "]}").encode())

    def _bill_list(self, query: dict[str, str]) -> Fault:
        category, start, end = query["productCategory"], int(query["startTime"]), int(query["endTime"])
        if query["cycleType"] != "Hour" or category not in (*CATEGORIES, "summary"):
            return refusal(400, "INVALID_PRODUCT_CATEGORY")
        if end + 1 - start > self.longest_days * DAY:
            return refusal(400, "INVALID_PARAM", f"time range must not exceed {self.longest_days} days")
        # Rows that merely reach into the range come along: who asks has to know which are his.
        found = [
            row
            for row in self.rows
            if category in {row.category, "summary"} and row.start <= end and row.start + row.hours * HOUR > start
        ]
        if not found and self.null_when_empty:
            return Fault(body=b'{"bills": null}')
        return Fault(body=('{"bills": [' + ",\n ".join(row.json() for row in found) + '], "total": 7}').encode())

    def _monthly_page(self, query: dict[str, str]) -> Fault:
        wanted = [bill for bill in self.monthly if bill["billingMonth"] >= query["startMonth"]]
        page, at = int(query["page"]), 0
        for number, size in enumerate((*self.page_sizes, 10**6), start=1):
            if number == page:
                return Fault(body=dumps({"data": wanted[at : at + size]}).encode())
            at += size
        return Fault(body=b'{"data": []}')


def monthly_bill(month: str, *, status: str, total: str = "1000000", debt: str = "0", **more: str) -> dict[str, Any]:
    """Return a monthly bill; amounts in 1/10000 USD as the service writes them."""
    return {
        "billId": f"bill-{month}",
        "userId": "u-1",
        "billingMonth": month,
        "totalAmount": total,
        "originTotalAmount": total,
        "voucherPayAmount": "0",
        "cashPayAmount": "0",
        "debtAmount": debt,
        "repaidAmount": "0",
        "status": status,
        "invoiceUrl": "",
        **more,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One POST as it came."""

    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How one POST is answered; without a status the connection is closed unanswered."""

    status: int | None = 200
    headers: tuple[tuple[str, str], ...] = ()
    is_accepted: bool = True
    hold: threading.Event | None = None


@dataclass(slots=True)
class Hook:
    """A webhook's receiving end; a context."""

    replies: deque[Reply] = field(default_factory=deque)
    posts: list[Post] = field(default_factory=list)
    """What was accepted."""
    attempts: int = 0
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self._server = serve(lambda: _hook_handler(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reply in self.replies:
            if reply.hold is not None:
                reply.hold.set()
        assert self._server is not None
        stop(self._server)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook/canary-hook-path"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that are killed cut their connections."""


def serve(handler: Callable[[], type[BaseHTTPRequestHandler]]) -> ThreadingHTTPServer:
    """Start a server on a free loopback port."""
    server = _Server(("127.0.0.1", 0), handler())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def stop(server: ThreadingHTTPServer) -> None:
    """Stop a server and close its port."""
    server.shutdown()
    server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Say nothing."""

    def reply(self, status: int, body: bytes, headers: Iterable[tuple[str, str]], *, cut_at: int | None) -> None:
        """Answer, and close in the middle where that is asked for."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut_at is None else body[:cut_at])
        self.wfile.flush()
        if cut_at is not None:
            self.close_connection = True


def _handler(world: BillingWorld) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(world.clock() if timestamp is None else timestamp)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            fault = world.answer(parts.path, query, headers)
            if fault.hold is not None:
                fault.hold.wait()
            assert fault.body is not None
            self.reply(fault.status, fault.body, fault.headers, cut_at=fault.cut_at)

    return Handler


def _hook_handler(hook: Hook) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            hook.attempts += 1
            if len(body) < length:
                # Who sent it was killed in between: no server takes half a request.
                self.close_connection = True
                return
            reply = hook.replies.popleft() if hook.replies else Reply()
            if reply.is_accepted:
                headers = {name.lower(): value for name, value in self.headers.items()}
                hook.posts.append(Post(headers=headers, body=body))
            if reply.hold is not None:
                reply.hold.wait()
            if reply.status is None:
                self.close_connection = True
                return
            self.reply(reply.status, b"", reply.headers, cut_at=None)

    return Handler
