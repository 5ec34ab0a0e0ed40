"""
The connections of the HTTP server: their number, their deadlines, and the answer to malformed requests.

aiohttp speaks HTTP; the limits here keep clients from exhausting descriptors, memory or the log, at the expense of
alerting. A connection has a deadline for each phase, and is closed at the first that it misses.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.http import HttpProcessingError

from alertd.core.printable import one_line
from alertd.log import Repeats
from alertd.web.connection_limit import ConnectionLimit, Place

HEADERS_S = 10.0
"""Seconds from the first byte of a request, or the start of the connection, to the end of the headers."""
IDLE_S = 75.0
"""Seconds between two requests; browsers and proxies keep connections for about a minute."""
REQUEST_S = 60.0
"""Seconds from the end of the headers until the answer is sent: body, processing, and a slow reader."""
_LONGEST_REASON = 120
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"


class Connection(web.RequestHandler):
    """
    One connection, from `connection_made` to `connection_lost`.

    Args:
        server: aiohttp's, whose application answers.
        limit: Grants or refuses a place.
        trouble: Logs each kind of problem at a limited rate.
    """

    __slots__ = ("_deadline", "_limit", "_place", "_source", "_trouble")

    def __init__(
        self,
        server: web.Server,
        *,
        limit: ConnectionLimit,
        trouble: Repeats,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # aiohttp's access log is the only hook that signals when an answer has been sent.
        super().__init__(server, loop=loop, access_log_class=_Answered, keepalive_timeout=IDLE_S, lingering_time=2.0)
        self._limit = limit
        self._trouble = trouble
        self._place: Place | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._source = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place; if there is none, refuse with a fixed answer."""
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        self._source = str(peer[0]) if peer else ""
        self._place = self._limit.admit(self._cut(transport, "connections cut, too many are open"))
        if self._place is None:
            self._trouble.warning("too many connections", source=self._source)
            transport.write(_FULL)
            transport.close()
            return
        super().connection_made(transport)
        self._within(HEADERS_S, "request headers took too long")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._stop_waiting()
        if self._place is not None:
            self._limit.leave(self._place)
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start the header deadline of the next request on the connection."""
        if self._place is None:
            return
        if self._deadline is None:
            self._within(HEADERS_S, "request headers took too long")
        super().data_received(data)

    def began(self) -> None:
        """Note that a request's headers are complete and it is being answered."""
        if self._place is not None:
            self._limit.answer(self._place)
            self._within(REQUEST_S, "request took too long")

    def answered(self) -> None:
        """Note that an answer has been sent: aiohttp's idle timeout begins."""
        self._stop_waiting()
        if self._place is not None:
            self._limit.rest(self._place)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer and log malformed HTTP with one line each; alertd's own failures keep their traceback."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return super().handle_error(request, status, exc, message)
        reason = one_line((message or "").partition("\n")[0].rstrip(": "))[:_LONGEST_REASON]
        self._trouble.warning("malformed request", source=self._source, error=reason)
        response = web.Response(status=status, text=f"malformed request: {reason}\n", headers={"Server": "alertd"})
        response.force_close()
        return response

    def log_exception(self, *args: object, **facts: object) -> None:
        """Log a body that contradicts its headers as the sender's mistake; aiohttp drops the rest of it."""
        error = facts.get("exc_info")
        if isinstance(error, web.RequestPayloadError | HttpProcessingError):
            self._trouble.warning("malformed request", source=self._source, error=type(error).__name__)
        else:
            super().log_exception(*args, **facts)

    def _within(self, seconds: float, why: str) -> None:
        self._stop_waiting()
        transport = self.transport
        if transport is not None:
            self._deadline = self._loop.call_later(seconds, self._cut(transport, why))

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _cut(self, transport: asyncio.WriteTransport, why: str) -> Callable[[], None]:
        """Return a function that closes the connection at once, whether or not the other side reads."""

        def cut() -> None:
            self._trouble.warning(why, source=self._source)
            transport.abort()

        return cut


class _Answered(AbstractAccessLogger):
    """Notifies a connection that an answer has been sent; logs nothing."""

    def log(self, request: web.BaseRequest, _response: web.StreamResponse, _time: float) -> None:
        """Notify the connection."""
        if isinstance(request.protocol, Connection):
            request.protocol.answered()
