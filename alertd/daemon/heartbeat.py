"""The dead man's switch: a URL that is requested after each poll that went well, so that silence is noticed."""

import asyncio

from alertd.log import get_logger

_WITHIN_S = 30.0
_TIMEOUT_S = 10.0
"""For each step of the request."""


async def send_heartbeat(url: str) -> None:
    """Request the URL; that it fails is logged, without the URL, which is a secret."""
    import httpx  # noqa: PLC0415 -- loaded already by the billing client

    try:
        async with asyncio.timeout(_WITHIN_S), httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            response = await client.get(url)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, the poll went well; a trace may hold the URL
        get_logger().warning("heartbeat failed", error=type(error).__name__)
    else:
        if response.is_error:
            get_logger().warning("heartbeat refused", status=response.status_code)
