"""The name of this host for a mail server: its full name, else the local address of the connection."""

import asyncio
import socket

from alertd.core.greeting import address_literal, is_greeting

_PATIENCE_S = 5.0
"""Seconds to wait for the resolver, so that it does not delay the mail."""


async def greeting(chosen: str | None, local_address: str) -> str:
    """
    Return the name to greet with.

    Args:
        chosen: The setting, which takes precedence.
        local_address: The local address of the connection.
    """
    if chosen:
        return chosen
    try:
        async with asyncio.timeout(_PATIENCE_S):
            name = (await asyncio.to_thread(socket.getfqdn)).rstrip(".")
    except (TimeoutError, OSError, UnicodeError):
        name = ""
    return name if is_greeting(name) else address_literal(local_address)
