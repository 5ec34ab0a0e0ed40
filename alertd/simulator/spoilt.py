"""
How a fault looks on the socket.

Decides nothing: which fault, and whether, was settled by the fault plan.
"""

import asyncio
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from typing import assert_never

import msgspec
from aiohttp import web

from alertd.simulator.faults import Fault, FaultKind
from alertd.simulator.queries import Refusal

SPOILT_PIECES = 4
"""A spoilt answer is made of the beginning of the body only: nobody waits for a month of rows to see it cut."""

MISSING_BYTES = 512
DRIPS = 10

_HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"
_WRONG_SHAPES: tuple[object, ...] = (
    {"bills": {"rows": 3}},
    ["maintenance"],
    "ok",
    {"bills": [{"startTime": None, "amount": {}}], "data": 7},
)


def http_date(now: datetime) -> str:
    """Return *now* as an HTTP date. Source: RFC 9110, section 5.6.7."""
    return format_datetime(now.astimezone(UTC), usegmt=True)


async def send_spoilt(
    request: web.BaseRequest, body: Iterator[bytes], fault: Fault, *, now: datetime
) -> web.StreamResponse:
    """Answer *request* with *fault* in place of the proper *body*."""
    headers = {"Date": http_date(now)}
    response: web.StreamResponse
    match fault.kind:
        case FaultKind.TOO_FAST | FaultKind.TOO_FAST_SECONDS | FaultKind.TOO_FAST_DATE:
            response = _too_fast(fault, now)
        case FaultKind.SERVER_ERROR:
            raise Refusal(500, "LIST_BILL_ERROR", "list bill error")
        case FaultKind.KEY_REFUSED:
            raise Refusal(403, "INVALID_API_KEY", "invalid api key")
        case FaultKind.BAD_GATEWAY:
            response = _html(502, "502 Bad Gateway", headers)
        case FaultKind.HTML:
            response = _html(200, "We will be back soon", headers)
        case FaultKind.WRONG_SHAPE:
            shape = _WRONG_SHAPES[int(now.timestamp()) % len(_WRONG_SHAPES)]
            response = web.json_response(body=msgspec.json.encode(shape), headers=headers)
        case FaultKind.CUT_BODY:
            response = await _send_cut(request, _beginning(body), headers)
        case FaultKind.TRUNCATED:
            beginning = _beginning(body)
            half = beginning[: len(beginning) // 2]
            response = await _send_chunked(request, iter([half]), 0.0, headers)
        case FaultKind.DRIP:
            response = await _send_chunked(request, body, fault.seconds, headers)
        case FaultKind.HANG:
            await asyncio.sleep(fault.seconds)
            response = await _send_cut(request, b"", headers)
        case _:
            assert_never(fault.kind)
    return response


def _beginning(body: Iterator[bytes]) -> bytes:
    return b"".join(islice(body, SPOILT_PIECES))


def _drips(piece: bytes) -> list[bytes]:
    size = max(1, math.ceil(len(piece) / DRIPS))
    return [piece[at : at + size] for at in range(0, len(piece), size)]


def _too_fast(fault: Fault, now: datetime) -> web.Response:
    headers = {"Date": http_date(now)}
    if fault.kind is FaultKind.TOO_FAST_SECONDS:
        headers["Retry-After"] = str(math.ceil(fault.seconds))
    elif fault.kind is FaultKind.TOO_FAST_DATE:
        headers["Retry-After"] = http_date(now + timedelta(seconds=math.ceil(fault.seconds)))
    body = {"code": 429, "reason": "LIST_BILL_TOO_FAST", "message": "too many requests, please try again later"}
    return web.json_response(body=msgspec.json.encode(body), status=429, headers=headers)


def _html(status: int, title: str, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, text=_HTML.format(title), content_type="text/html", headers=headers)


async def _send_cut(request: web.BaseRequest, body: bytes, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers | {"Content-Type": "application/json"})
    response.content_length = len(body) + MISSING_BYTES
    await response.prepare(request)
    await response.write(body)
    if request.transport is not None:
        request.transport.abort()
    return response


async def _send_chunked(
    request: web.BaseRequest, body: Iterator[bytes], dripping_s: float, headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers | {"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    # Only the beginning drips; however long the rest is, it is never held as a whole.
    for drip in _drips(next(body)):
        await response.write(drip)
        await asyncio.sleep(dripping_s / DRIPS)
    for piece in body:
        await response.write(piece)
    await response.write_eof()
    return response
