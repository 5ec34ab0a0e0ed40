"""
A connection for exactly one request to Slack, which knows whether the request can have left.

Each attempt gets a fresh one: a kept connection that the other side has closed fails like a lost answer, and would
turn a message that was never sent into one whose fate is unknown.
"""

import socket
from collections.abc import Mapping
from dataclasses import field
from types import SimpleNamespace

import aiohttp
from aiohttp.abc import ResolveResult

from alertd.core.dataclass import dataclass
from alertd.core.network_place import OFF_LIMITS_PLACE, is_off_limits
from alertd.outgoing.connections import Outgoing

CONNECT_TIMEOUT_S = 10.0
TOTAL_TIMEOUT_S = 25.0
ANSWER_LIMIT_BYTES = 4 * 2**20
"""A page of a channel's history is the largest answer asked for; one message has at most some 50 KiB."""


@dataclass(slots=True)
class Exchange:
    """What became of one request; filled in while it runs."""

    is_connected: bool = False
    """The connection stood, TLS included: from here on bytes may have left."""
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class AnswerTooLong(aiohttp.ClientPayloadError):
    """The answer exceeds its bound."""


class BoundedResponse(aiohttp.ClientResponse):
    """Reads no more than the bound, counted after decompression."""

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
    """A redirect is not followed: the token must not go elsewhere."""


class _SafeResolver(aiohttp.ThreadedResolver):
    """Looks names up, and passes over addresses that nothing is sent to: a name can hide any."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the places of a host; an error where none is left."""
        found = await super().resolve(host, port, family)
        usable = [place for place in found if not is_off_limits(place["host"])]
        if not usable:
            raise OSError(None, f"{host} leads to {OFF_LIMITS_PLACE}")
        return usable


def open_session(exchange: Exchange, outgoing: Outgoing, url: str) -> aiohttp.ClientSession:
    """Return a session for one request to the host of *url*, which notes in *exchange* how far it got."""

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
