"""How alertd names this host to a mail server: by its full name, else by the address that it speaks from."""

import asyncio
import socket

from alertd.core.greeting import address_literal, is_greeting

_PATIENCE_S = 5.0
"""A resolver that does not answer must not hold up the mail."""


async def greeting(chosen: str | None, local_address: str) -> str:
    """
    Return what to greet with.

    Args:
        chosen: The setting; it wins.
        local_address: From which the connection goes out.
    """
    if chosen:
        return chosen
    try:
        async with asyncio.timeout(_PATIENCE_S):
            name = (await asyncio.to_thread(socket.getfqdn)).rstrip(".")
    except (TimeoutError, OSError, UnicodeError):
        name = ""
    return name if is_greeting(name) else address_literal(local_address)
