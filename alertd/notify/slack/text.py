"""
Text as Slack takes it: how long it counts, how it is escaped and cut. Pure.

Lengths are UTF-16 units of the escaped text: Slack's documents say characters, and this is the strictest reading.
"""

import re
from collections.abc import Iterable

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BROADCAST = re.compile(r"@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)


def units(text: str) -> int:
    """Return how many UTF-16 units a text has: an emoji counts two."""
    return len(text) + sum(character > "\uffff" for character in text)


def escaped_units(text: str) -> int:
    """Return how many units a text has once it is escaped."""
    return sum(units(_ESCAPES.get(character, character)) for character in text)


def escaped(text: str, limit: int) -> str:
    """
    Escape a text for Slack and cut it to at most *limit* units, never within an escape.

    `@here` and its like are broken by a zero-width blank, should a workspace still parse them.
    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return _joined((_ESCAPES.get(character, character) for character in _BROADCAST.sub("@\u200b", text)), limit)


def shortened(text: str, limit: int) -> str:
    """Cut a text that Slack takes without markup (a chart's) to at most *limit* units."""
    return _joined(text, limit)


def _joined(pieces: Iterable[str], limit: int) -> str:
    pieces = tuple(pieces)
    if sum(map(units, pieces)) <= limit:
        return "".join(pieces)
    room = limit - 1
    kept: list[str] = []
    for piece in pieces:
        room -= units(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + "…"
