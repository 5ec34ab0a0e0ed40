"""
The billing API over HTTP, for one account.

Decides what is asked, how often and how long is waited, and words every failure as an `ApiError`. All or nothing: a
call returns everything it was asked for, or raises. Never lets the key out of the `Authorization` header. Proxies and
certificate bundles named by the usual environment variables (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE) are used, because
that is how hosts without a direct way out reach the API.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self, TypeVar

import httpx

from alertd import __version__
from alertd.clock import utc_now
from alertd.core.bill import BillRows, MonthlyBill
from alertd.core.hours import SECONDS_PER_HOUR, HourRange, start_of
from alertd.errors import ApiError, ApiUnavailable
from alertd.novita.columns import BillColumns
from alertd.novita.endpoint import checked_base_url, checked_key, shown_location
from alertd.novita.monthly import decode_monthly_bills
from alertd.novita.ranges import RangeLimit, first_piece, shorter
from alertd.novita.refusal import MAX_REFUSAL_BYTES, RangeRefused, error_of, read_refusal
from alertd.novita.retry import parse_http_date, parse_retry_after, retry
from alertd.novita.shape import UnexpectedShape, shorten
from alertd.novita.stream import BillStream

BILL_LIST = "/openapi/v1/billing/bill/list"
MONTHLY_BILL = "/openapi/v1/billing/monthly/bill"

CONCURRENT_REQUESTS = 4
"""Per account; more at once only brings 429 sooner."""

PAGE_SIZE = 100
MAX_PAGES = 100
"""10,000 monthly bills: a service that goes on beyond repeats itself or counts wrongly."""

INLINE_BYTES = 128 * 1024
"""Up to here decoding takes a few milliseconds, less than a thread is worth."""

TIMEOUT = httpx.Timeout(connect=10, read=30, write=10, pool=60)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one answer may cost; sizes count after decompression."""

    answer_s: float = 60
    """For a whole answer: a server that drips never runs into the time-outs between its bytes."""
    stream_s: float = 300
    """For a whole bill list of which `stream_from_bytes` have come in time."""
    stream_from_bytes: int = 1 << 20
    bill_list_bytes: int = 1 << 30
    other_bytes: int = 32 << 20


DEFAULT_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    path: str
    parameters: dict[str, str]
    what: str


class NovitaClient:
    """
    Reads the bills of one account; lives as long as the account's settings. Close it, or use it as a context.

    Args:
        account: The account's name, for errors and for the bills read.
        api_key: Sent as a bearer token and nowhere else.
        key_source: The setting that holds the key, named in errors.
        base_url: Scheme, host and an optional path before `/openapi`.
        transport: In place of the network.
        sleep: Waits between attempts, in seconds.
        rng: Spreads the waits.
        now: Against which the date of a `Retry-After` counts where the answer has no date of its own.
        bounds: What one answer may cost.

    Raises:
        SettingsError: The key or the base URL cannot be used.
    """

    def __init__(
        self,
        *,
        account: str,
        api_key: str,
        key_source: str = "ALERTD_NOVITA_API_KEY",
        base_url: str = "https://api.novita.ai",
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
        now: Callable[[], datetime] = utc_now,
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        self.account = account
        self.last_server_date: datetime | None = None
        """The `Date` of the last answer that had one, aware."""
        self._key_source = key_source
        self._key = checked_key(api_key, account=account, key_source=key_source)
        self._base_url = checked_base_url(base_url, account=account)
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 -- spreads waits, guards nothing
        self._now = now
        self._bounds = bounds
        self._limit = RangeLimit()
        self._slots = asyncio.Semaphore(CONCURRENT_REQUESTS)
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=TIMEOUT,
            follow_redirects=False,
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                # Only what is decoded here whatever else is installed.
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": f"alertd/{__version__}",
            },
        )

    def __repr__(self) -> str:
        return f"NovitaClient(account={self.account!r}, base_url={self._base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the client is of no further use."""
        await self._http.aclose()

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        """
        Read the hourly bill rows of a product category, as they came: some may start outside of the range.

        Args:
            category: A productCategory.
            span: Any length; asked for in as many pieces as the API's limit takes, which is learnt from refusals.

        Raises:
            ApiError: One of its kinds; nothing of what was read before is returned then.
        """
        columns: BillColumns | None = None
        position, days = span.start, self._limit.days
        while position < span.end:
            piece = first_piece(HourRange(position, span.end), days)
            try:
                rows = await self._read_piece(category, piece)
            except RangeRefused as refused:
                fewer = shorter(piece, refused.text)
                if fewer is None:
                    raise refused.as_final() from None
                days = fewer
                continue
            self._limit.learn(days)
            position = piece.end
            if piece == span:
                return rows
            columns = columns or BillColumns(account=self.account, category=category)
            columns.extend(rows)
        return (columns or BillColumns(account=self.account, category=category)).to_rows()

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        """
        Read the monthly bills from a month on.

        A bill that comes on several pages counts as the last of them has it: that one was read later.

        Args:
            start_month: `YYYY-MM`.

        Raises:
            ApiError: One of its kinds.
        """
        bills: dict[str, MonthlyBill] = {}
        for page in range(1, MAX_PAGES + 1):
            read = {bill.bill_id: bill for bill in await self._read_page(start_month, page)}
            brings_new = not read.keys() <= bills.keys()
            bills |= read
            # The service fills months in, so a short page is not the last one; and it may repeat its last page.
            if not brings_new:
                return tuple(bills.values())
        raise ApiUnavailable(
            f"page {MAX_PAGES} still brought bills not seen before; not believed",
            account=self.account,
            what=f"monthly bills from {start_month}",
        )

    async def _read_piece(self, category: str, piece: HourRange) -> BillRows:
        request = _Request(
            path=BILL_LIST,
            parameters={
                "cycleType": "Hour",
                "productCategory": category,
                "startTime": str(piece.start * SECONDS_PER_HOUR),
                # The last second included.
                "endTime": str(piece.end * SECONDS_PER_HOUR - 1),
            },
            what=f"{category} bills {start_of(piece.start):%Y-%m-%dT%HZ} to {start_of(piece.end):%Y-%m-%dT%HZ}",
        )

        async def read(response: httpx.Response, deadline: asyncio.Timeout) -> BillRows:
            # New columns for each attempt: a thread of one that was cancelled may still be adding to the old.
            stream = BillStream(BillColumns(account=self.account, category=category))
            size, stream_until = 0, asyncio.get_running_loop().time() + self._bounds.stream_s
            async for data in self._body(response, request, self._bounds.bill_list_bytes):
                if size < self._bounds.stream_from_bytes <= (size := size + len(data)):
                    deadline.reschedule(stream_until)
                stream.push(data)
                if stream.is_due:
                    await asyncio.to_thread(stream.decode)
            return (await _call(stream.finish, stream.pending_bytes)).to_rows()

        return await self._ask(request, read)

    async def _read_page(self, start_month: str, page: int) -> list[MonthlyBill]:
        request = _Request(
            path=MONTHLY_BILL,
            parameters={"startMonth": start_month, "page": str(page), "pageSize": str(PAGE_SIZE)},
            what=f"monthly bills from {start_month}, page {page}",
        )

        async def read(response: httpx.Response, _: asyncio.Timeout) -> list[MonthlyBill]:
            body = bytearray()
            async for data in self._body(response, request, self._bounds.other_bytes):
                body += data
            return await _call(lambda: decode_monthly_bills(bytes(body), account=self.account), len(body))

        try:
            return await self._ask(request, read)
        except RangeRefused as refused:
            raise refused.as_final() from None

    async def _ask(
        self, request: _Request, read: Callable[[httpx.Response, asyncio.Timeout], Awaitable[Result]]
    ) -> Result:
        return await retry(lambda: self._attempt(request, read), sleep=self._sleep, rng=self._rng)

    async def _attempt(
        self, request: _Request, read: Callable[[httpx.Response, asyncio.Timeout], Awaitable[Result]]
    ) -> Result:
        try:
            async with self._slots, asyncio.timeout(self._bounds.answer_s) as deadline:
                url = self._base_url + request.path
                async with self._http.stream("GET", url, params=request.parameters) as response:
                    self.last_server_date = parse_http_date(response.headers.get("Date")) or self.last_server_date
                    if response.is_success:
                        return await read(response, deadline)
                    raise await self._refused(response, request)
        except UnexpectedShape as error:
            failure = f"the answer is not the expected shape: {error}"
        except httpx.TimeoutException as error:
            failure = f"no answer in time ({type(error).__name__})"
        except TimeoutError:
            failure = "the answer was not whole in time"
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {shorten(str(error)) or 'no further word'}"
        # Raised outside of the handlers: httpx's exceptions hold the request, and with it the key.
        raise ApiUnavailable(self._redact(failure), account=self.account, what=request.what)

    async def _body(self, response: httpx.Response, request: _Request, limit: int) -> AsyncIterator[bytes]:
        """Yield the body decompressed; a body above the limit is refused like a range that is too long."""
        size = 0
        async for data in response.aiter_bytes():
            size += len(data)
            if size > limit:
                text = f"an answer larger than {limit:,} bytes"
                raise RangeRefused(text, account=self.account, what=request.what)
            yield data

    async def _refused(self, response: httpx.Response, request: _Request) -> ApiError:
        body = b""
        # The status has been told; a body that breaks off only leaves the error with fewer words.
        with suppress(httpx.HTTPError):
            async for data in response.aiter_bytes():
                body += data
                if len(body) >= MAX_REFUSAL_BYTES:
                    break
        location = response.headers.get("Location", "")
        refusal = read_refusal(
            response.status_code,
            self._redact(body[:MAX_REFUSAL_BYTES].decode("utf-8", "replace")).encode(),
            location=self._redact(shown_location(location)),
        )
        return error_of(
            refusal,
            account=self.account,
            what=request.what,
            parameters=" ".join(f"{name}={value}" for name, value in request.parameters.items()),
            key_source=self._key_source,
            retry_after=parse_retry_after(
                response.headers.get("Retry-After"), now=parse_http_date(response.headers.get("Date")) or self._now()
            ),
        )

    def _redact(self, text: str) -> str:
        """Remove the key where a server or a proxy echoes it."""
        return text.replace(self._key, "[key]")


async def _call(decode: Callable[[], Result], size: int) -> Result:
    """Call at once when it is quick, else in a thread, so that the loop goes on."""
    return decode() if size <= INLINE_BYTES else await asyncio.to_thread(decode)
