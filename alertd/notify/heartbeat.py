"""
Ping a dead man's switch, and report whether the ping arrived.

The service raises the alarm when pings stop, so a ping that went elsewhere must not count as arrived.
"""

import asyncio

import httpx

from alertd import __version__
from alertd.core.http_url import is_http_url
from alertd.core.masking import Mask, secrets_of
from alertd.log import get_logger
from alertd.notify.http_answer import doubt
from alertd.notify.text import quoted
from alertd.notify.webhook_post import read_start
from alertd.settings.outgoing.connections import Outgoing

_DEADLINE_S = 30.0
_TIMEOUT = httpx.Timeout(10.0)
_UNHEARD = ("ok (not found)", "ok (rate limited)")
"""Healthchecks' answer, with status 200, to a ping that it does not count: https://healthchecks.io/docs/http_api/."""


async def send_heartbeat(url: str, outgoing: Outgoing) -> None:
    """Ping once; a failure is logged without the URL, which is secret."""
    try:
        error = await ping(url, outgoing)
    except Exception as fault:  # noqa: BLE001 -- the poll itself succeeded; a traceback may hold the URL
        error = type(fault).__name__
    if error:
        get_logger().warning("heartbeat not delivered", error=error)


async def ping(url: str, outgoing: Outgoing) -> str:
    """Request the URL once; return the failure without the URL, which is secret; empty on success."""
    if not is_http_url(url):
        return "ALERTD_HEARTBEAT_URL is not an http(s) URL"
    mask = Mask(secrets_of(url))
    try:
        async with (
            asyncio.timeout(_DEADLINE_S),
            outgoing.http_client(url, timeout=_TIMEOUT) as client,
            client.stream("GET", url, headers={"User-Agent": f"alertd/{__version__}"}) as answer,
        ):
            text = mask((await read_start(answer)).decode("utf-8", "replace"))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return quoted(mask(str(error))) or type(error).__name__
    return _fault(answer.status_code, text)


def _fault(status: int, text: str) -> str:
    said = f"it was answered {status}" + (f" ({quoted(text)})" if text.strip() else "")
    if 300 <= status < 400:
        return f"{said}: redirects are not followed; set ALERTD_HEARTBEAT_URL to where it leads"
    if not 200 <= status < 300:
        return f"{said}; check ALERTD_HEARTBEAT_URL"
    why = doubt(status, text)
    if not why and text.strip().casefold() in _UNHEARD:
        why = "which says that the ping does not count"
    return f"{said}, {why}; check ALERTD_HEARTBEAT_URL" if why else ""
