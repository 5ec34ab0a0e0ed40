"""
A connection for exactly one request to Slack, which knows whether the request can have left.

Each attempt gets a new one: a reused connection that the other side has closed fails like a lost answer, and would
turn a message that was never sent into one with an unknown outcome.
"""

import socket
from collections.abc import Mapping
from dataclasses import field
from types import SimpleNamespace

import aiohttp
from aiohttp.abc import ResolveResult

from alertd.core.dataclass import dataclass
from alertd.core.network_place import OFF_LIMITS_PLACE, is_off_limits
from alertd.settings.outgoing.connections import Outgoing

CONNECT_TIMEOUT_S = 10.0
TOTAL_TIMEOUT_S = 25.0
ANSWER_LIMIT_BYTES = 4 * 2**20
"""Maximum bytes of an answer: the largest is a page of a channel's history, with up to 50 KiB for a message."""


@dataclass(slots=True)
class Exchange:
    """The progress of one request, filled in while it runs."""

    is_connected: bool = False
    """Whether the connection was established, including TLS: from then on bytes may have been sent."""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class AnswerTooLong(aiohttp.ClientPayloadError):
    """The answer exceeds its limit."""


class BoundedResponse(aiohttp.ClientResponse):
    """Reads no more than the limit, counted after decompression."""

    async def read(self) -> bytes:
        """Return the whole body, or raise AnswerTooLong."""
        if self._body is None:
            body = bytearray()
            async for chunk in self.content.iter_any():
                body += chunk
                if len(body) > ANSWER_LIMIT_BYTES:
                    self.close()
                    raise AnswerTooLong(f"the answer is longer than {ANSWER_LIMIT_BYTES} bytes")
            self._body = bytes(body)
        return self._body


class RedirectRefused(aiohttp.ClientError):
    """Redirects are not followed: the token must not be sent elsewhere."""


class _SafeResolver(aiohttp.ThreadedResolver):
    """Resolves names, and skips forbidden addresses: a name can resolve to any address."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host; raise if none is left."""
        found = await super().resolve(host, port, family)
        usable = [place for place in found if not is_off_limits(place["host"])]
        if not usable:
            raise OSError(None, f"{host} leads to {OFF_LIMITS_PLACE}")
        return usable


def open_session(exchange: Exchange, outgoing: Outgoing, url: str) -> aiohttp.ClientSession:
    """Return a session for one request to the host of *url*, which records its progress in *exchange*."""

    async def note_connection(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: object) -> None:
        exchange.is_connected = True

    async def note_answer(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        exchange.status = params.response.status
        exchange.headers = params.response.headers

    async def refuse_redirect(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
    ) -> None:
        exchange.status = params.response.status
        raise RedirectRefused("redirects are not followed")

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(note_connection)
    trace.on_request_end.append(note_answer)
    trace.on_request_redirect.append(refuse_redirect)
    return aiohttp.ClientSession(
        connector=outgoing.aiohttp_connector(url, resolver=_SafeResolver()),
        timeout=aiohttp.ClientTimeout(total=TOTAL_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
        response_class=BoundedResponse,
        trace_configs=[trace],
        proxy=outgoing.aiohttp_proxy(url),
    )
