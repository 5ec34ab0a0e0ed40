"""
The transport of one account to the billing API: requests with the key, retries, limits, and failures as `ApiError`.

Decides how often and how long is waited and what an answer may cost; not what is asked, nor what an answer means. Never
lets the key out of the `Authorization` header.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

import httpx

from alertd import __version__
from alertd.core.dataclass import dataclass
from alertd.core.masking import Mask
from alertd.core.printable import shorten
from alertd.core.retry_after import parse_http_date, retry_after
from alertd.errors import ApiError, ApiKeyRefused, ApiRequestRefused, ApiUnavailable
from alertd.novita.endpoint import checked_base_url, checked_key, shown_location
from alertd.novita.refusal import CATEGORY_REASON, MAX_REFUSAL_BYTES, RangeRefused, error_of, read_refusal
from alertd.novita.retry import retry
from alertd.novita.shape import UnexpectedShape
from alertd.novita.unanswered import Unanswered
from alertd.settings.outgoing.connections import Outgoing
from alertd.settings.outgoing.turns import Turn
from alertd.settings.outgoing.unpacking import Unpacker, UnpackingError

CONCURRENT_REQUESTS = 4
"""Concurrent requests per account; more would only bring 429 sooner."""
BESIDE_REQUESTS = 2
"""Concurrent requests for data beside the bills, counted separately: if they hang, no bill waits."""

INLINE_BYTES = 128 * 1024
"""Up to this many bytes decoding takes a few milliseconds, too little to be worth a thread."""

TIMEOUT = httpx.Timeout(connect=10, read=30, write=10, pool=60)

_NOT_ASKED = "no answer in time to what was asked before it, so it was not asked for"

Result = TypeVar("Result")

Hear = Callable[[datetime | None, float], None]
"""Called with the `Date` of each answer, and when it was requested by the given clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits for one answer; sizes count after decompression."""

    answer_s: float = 60
    """Seconds for a whole answer: a server that drips bytes never hits the timeout between them."""
    call_s: float = 30
    """Seconds for a whole call or read that is made once."""
    stream_s: float = 300
    """Seconds for a whole bill list of which `stream_from_bytes` have arrived in time."""
    stream_from_bytes: int = 1 << 20
    bill_list_bytes: int = 1 << 30
    other_bytes: int = 32 << 20
    beside_s: float = 10
    """Seconds for an answer that is read beside the bills, or of which only the head is needed."""
    beside_bytes: int = 8 << 20


DEFAULT_BOUNDS = Bounds()


class NotSent(ApiUnavailable):
    """No connection was made, so nothing of the request can have been sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request, and its name for people."""

    path: str
    parameters: dict[str, str]
    what: str
    lacking: str = ""
    """The message if the API does not have it: not every account or brand has every endpoint."""
    has_range: bool = False
    """Whether a shorter range of hours may be requested if this one is refused."""
    is_one_of_several: bool = False
    """Whether other categories are requested too: an unknown one then says nothing about the endpoint."""


class Transport:
    """
    The connections of one account, for the life of its client.

    Args:
        account: The account's name, for errors and for the bills read.
        api_key: Sent as a bearer token and nowhere else.
        key_source: The setting that holds the key, named in errors.
        base_url: Scheme, host and an optional path before `/openapi`.
        transport: Used instead of the network.
        outgoing: How to connect; directly by default.
        sleep: Waits between attempts, in seconds.
        rng: Randomises the waits.
        now: Reference for a date in `Retry-After` if the answer has no `Date`.
        hear: Called with the `Date` of each answer, as soon as it arrives.
        elapsed: Seconds on a clock that never steps, for *hear*.
        bounds: Limits for one answer.

    Raises:
        SettingsError: The key or the base URL cannot be used.
    """

    def __init__(
        self,
        *,
        account: str,
        api_key: str,
        now: Callable[[], datetime],
        elapsed: Callable[[], float],
        key_source: str = "ALERTD_NOVITA_API_KEY",
        base_url: str = "https://api.novita.ai",
        transport: httpx.AsyncBaseTransport | None = None,
        outgoing: Outgoing | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
        hear: Hear = lambda _date, _asked_s: None,
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        self.account = account
        self.bounds = bounds
        self.key_source = key_source
        key = checked_key(api_key, account=account, key_source=key_source)
        self._mask = Mask([key])
        """Hides the key in a text in which a server or proxy echoes it."""
        self.base_url = checked_base_url(base_url, account=account)
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 -- randomises waits, protects nothing
        self._now = now
        self._hear, self._elapsed = hear, elapsed
        self._unanswered = Unanswered(elapsed)
        self._slots = asyncio.Semaphore(CONCURRENT_REQUESTS)
        outgoing = outgoing or Outgoing()
        self.turns = outgoing.turns
        self._rank = self.turns.join()
        self._beside_slots = asyncio.Semaphore(BESIDE_REQUESTS)
        self._http = outgoing.http_client(
            self.base_url,
            transport=transport,
            timeout=TIMEOUT,
            headers={
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                # Only codings that are decoded here, whatever else is installed.
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": f"alertd/{__version__}",
            },
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read_whole(self, request: ApiRequest, decode: Callable[[bytes], Result]) -> Result:
        """
        Request an answer that is small enough to be held in memory.

        Raises:
            ApiError: One of its kinds; RangeRefused only for a request that has a range.
        """

        async def read(pieces: AsyncIterator[bytes], _: asyncio.Timeout) -> Result:
            body = bytearray()
            async for data in pieces:
                body += data
            return await decode_apart(partial(decode, bytes(body)), len(body))

        try:
            return await self.ask(request, read, limit=self.bounds.other_bytes)
        except RangeRefused as refused:
            if request.has_range:
                raise
            raise refused.as_final() from None

    async def ask(
        self,
        request: ApiRequest,
        read: Callable[[AsyncIterator[bytes], asyncio.Timeout], Awaitable[Result]],
        *,
        limit: int,
    ) -> Result:
        """
        Request until *read* returns, as often as failures may be retried.

        Args:
            read: Called with the decompressed pieces of a body and the deadline of the answer.
            limit: Maximum bytes of a body; a larger one is refused like a range that is too long.

        Raises:
            ApiError: One of its kinds; RangeRefused if a shorter range may help.
        """
        return await retry(lambda: self._attempt(request, read, limit), sleep=self._sleep, rng=self._rng)

    async def read_beside(self, request: ApiRequest, decode: Callable[[bytes], Result]) -> Result:
        """
        Make one request for data that no bill waits for; the next poll asks again.

        Answers carry secrets, so no error quotes anything from them, including redirects and refusals.

        Raises:
            ApiError: ApiKeyRefused, ApiRequestRefused or ApiUnavailable.
        """
        error: ApiError
        try:
            async with self._beside_slots, asyncio.timeout(self.bounds.beside_s):
                url, asked_s = self.base_url + request.path, self._elapsed()
                async with self._http.stream("GET", url, params=request.parameters) as response:
                    self._note_clock(response.headers.get("Date"), asked_s)
                    if response.status_code == httpx.codes.OK:
                        body = bytearray()
                        async for data in self._body(response, request, self.bounds.beside_bytes):
                            body += data
                        return await decode_apart(partial(decode, bytes(body)), len(body))
                    error = self._refused_beside(response.status_code, request)
        except RangeRefused as refused:
            error = ApiUnavailable(refused.text, account=self.account, what=request.what)
        except UnexpectedShape as shape:
            error = ApiUnavailable(f"the answer is {shape}", account=self.account, what=request.what)
        except (httpx.TimeoutException, TimeoutError):
            error = ApiUnavailable("no complete answer in time", account=self.account, what=request.what)
        except httpx.HTTPError as failed:
            error = ApiUnavailable(f"no answer ({type(failed).__name__})", account=self.account, what=request.what)
        raise error

    def _refused_beside(self, status: int, request: ApiRequest) -> ApiError:
        kind: type[ApiError] = ApiUnavailable
        text = f"HTTP {status}"
        if status in {401, 403}:
            kind, text = ApiKeyRefused, f"the key may not read them (HTTP {status})"
        elif 300 <= status < 400:
            kind, text = ApiRequestRefused, f"redirected (HTTP {status}), which is not followed with the key"
        elif 400 <= status < 500 and status not in {408, 425, 429}:
            kind, text = ApiRequestRefused, f"the API does not offer them here (HTTP {status})"
        return kind(text, account=self.account, what=request.what)

    async def knock(self, path: str) -> None:
        """
        Make one request and read only the head of the answer, whatever it says.

        Raises:
            ApiUnavailable: There was no answer.
        """
        try:
            async with self._slots, asyncio.timeout(self.bounds.beside_s):
                asked_s = self._elapsed()
                async with self._http.stream("GET", self.base_url + path) as response:
                    self._note_clock(response.headers.get("Date"), asked_s)
                    return
        except (httpx.HTTPError, TimeoutError) as error:
            failure = f"no answer ({type(error).__name__})"
        # Raised outside the handler, as below.
        raise ApiUnavailable(failure, account=self.account, what="the time")

    async def once(
        self, method: str, path: str, *, parameters: dict[str, str], content: bytes | None, limit: int
    ) -> tuple[int, bytes]:
        """
        Make exactly one request, without redirects and retries; return the status, and the body of a 200.

        Answers may carry secrets: errors contain nothing from them.

        Args:
            limit: Maximum bytes to read of the body; 0 if the status is enough.

        Raises:
            NotSent: Nothing can have been sent: no connection was made.
            ApiUnavailable: There was no complete answer; whether the request was accepted is unknown.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(self.bounds.call_s):
                asked_s, url = self._elapsed(), self.base_url + path
                async with self._http.stream(method, url, params=parameters, content=content) as response:
                    self._note_clock(response.headers.get("Date"), asked_s)
                    if limit and response.status_code == httpx.codes.OK:
                        async for data in _decoded(response):
                            body += data
                            if len(body) > limit:
                                raise httpx.DecodingError("larger than any answer of its kind")
                    return response.status_code, bytes(body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            failure: ApiUnavailable = NotSent(type(error).__name__, account=self.account, what=path)
        except (httpx.HTTPError, TimeoutError) as error:
            failure = ApiUnavailable(type(error).__name__, account=self.account, what=path)
        # Raised outside of the handlers: httpx's exceptions hold the request, and with it the key.
        raise failure

    def _note_clock(self, header: str | None, asked_s: float) -> None:
        # Heard on arrival: compared later, an answer from before an outage would look like a wrong clock.
        self._hear(parse_http_date(header), asked_s)

    async def _attempt(
        self,
        request: ApiRequest,
        read: Callable[[AsyncIterator[bytes], asyncio.Timeout], Awaitable[Result]],
        limit: int,
    ) -> Result:
        turn = Turn(self.turns, self._rank)
        try:
            async with self._slots, turn, asyncio.timeout(self.bounds.answer_s) as deadline:
                if self._unanswered.lasts:
                    raise ApiUnavailable(_NOT_ASKED, account=self.account, what=request.what)
                url, asked_s = self.base_url + request.path, self._elapsed()
                turn.lend()
                async with self._http.stream("GET", url, params=request.parameters) as response:
                    self._unanswered.hear()
                    self._note_clock(response.headers.get("Date"), asked_s)
                    await turn.take()
                    if response.status_code == httpx.codes.OK:
                        return await read(turn.each(self._body(response, request, limit)), deadline)
                    raise await self._refused(response, request)
        except UnexpectedShape as error:
            failure = f"the answer is not the expected shape: {error}"
        except httpx.TimeoutException as error:
            self._unanswered.miss()
            failure = f"no answer in time ({type(error).__name__})"
        except TimeoutError:
            self._unanswered.miss()
            failure = "the answer was not complete in time"
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {shorten(str(error)) or 'no further detail'}"
        # Raised outside of the handlers: httpx's exceptions hold the request, and with it the key.
        raise ApiUnavailable(self._mask(failure), account=self.account, what=request.what)

    async def _body(self, response: httpx.Response, request: ApiRequest, limit: int) -> AsyncIterator[bytes]:
        """Yield the decompressed body; a body above the limit is refused like a range that is too long."""
        size = 0
        async for data in _decoded(response):
            size += len(data)
            if size > limit:
                text = f"an answer larger than {limit:,} bytes"
                raise RangeRefused(text, account=self.account, what=request.what)
            yield data

    async def _refused(self, response: httpx.Response, request: ApiRequest) -> ApiError:
        if response.is_success:
            # 206 is partial, 203 a proxy's, 204 empty: none is the complete answer.
            text = f"the answer is not complete: HTTP {response.status_code} in place of 200"
            return ApiUnavailable(text, account=self.account, what=request.what)
        body = b""
        # The status is known; a body that is cut off only makes the error shorter.
        with suppress(httpx.HTTPError):
            async for data in _decoded(response):
                body += data
                if len(body) >= MAX_REFUSAL_BYTES:
                    break
        location = response.headers.get("Location", "")
        refusal = read_refusal(
            response.status_code,
            self._mask(body[:MAX_REFUSAL_BYTES].decode("utf-8", "replace")).encode(),
            location=self._mask(shown_location(location)),
        )
        is_unknown_category = refusal.reason == CATEGORY_REASON
        if (
            request.lacking
            and (is_unknown_category or refusal.status == 404)
            and not (is_unknown_category and request.is_one_of_several)
        ):
            text = f"{request.lacking} ({refusal}); if it should, is base_url right?"
            return ApiRequestRefused(text, account=self.account, what=request.what)
        return error_of(
            refusal,
            account=self.account,
            what=request.what,
            parameters=" ".join(f"{name}={value}" for name, value in request.parameters.items()),
            key_source=self.key_source,
            retry_after=retry_after(response.headers, now=self._now()),
        )


async def decode_apart(decode: Callable[[], Result], size: int) -> Result:
    """Call directly if that is quick, else in a thread, so that the loop is not blocked."""
    return decode() if size <= INLINE_BYTES else await asyncio.to_thread(decode)


async def _decoded(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the decompressed body in bounded pieces; a truncated one fails at its end."""
    try:
        unpacker = Unpacker(response.headers.get("Content-Encoding", ""))
        async for data in response.aiter_raw():
            for piece in unpacker.feed(data):
                yield piece
        unpacker.end()
    except UnpackingError as error:
        raise httpx.DecodingError(str(error)) from None
