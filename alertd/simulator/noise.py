"""
Chance without state: the same words always draw the same numbers, on every machine and in any order.

Decides nothing about money or time; it only answers "which of 10,000".
"""

import struct
from hashlib import blake2b

DRAWS = 12
"""How many numbers one call gives: enough for every decision about one row."""

OUT_OF = 10_000
"""Draws lie in [0, OUT_OF), so a share is written per ten thousand."""

_FORMAT = struct.Struct(f"<{DRAWS}I")


def draw(*parts: object) -> tuple[int, ...]:
    """Return `DRAWS` independent numbers in [0, `OUT_OF`) that depend on *parts* only."""
    text = "\x1f".join(map(str, parts)).encode()
    words = _FORMAT.unpack(blake2b(text, digest_size=_FORMAT.size).digest())
    return tuple([word % OUT_OF for word in words])
