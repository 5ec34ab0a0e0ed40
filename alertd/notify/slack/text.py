"""
Text for Slack: its length, escaping and cutting. Pure.

Lengths are UTF-16 units of the escaped text, the strictest reading of "characters" in Slack's documentation.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain

from alertd.core.local_time import Clock, parts_of

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Bold, italics, strike-through, code, emoji, and a quotation at the start of a line. Within a word none has effect.
_STYLED = re.compile(r"[*~`]|(?<!\w)_|_(?!\w)|:[\w+-]+:|^\s*>", re.ASCII | re.MULTILINE)
_BROADCAST = re.compile(r"@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)


def units(text: str) -> int:
    """Return the number of UTF-16 units of a text: an emoji counts two."""
    return len(text) + sum(character > "\uffff" for character in text)


def escaped_units(text: str) -> int:
    """Return the number of units of the escaped text."""
    return sum(units(_ESCAPES.get(character, character)) for character in text)


def escaped(text: str, limit: int) -> str:
    """
    Escape a text for Slack and cut it to at most *limit* units, never within an escape.

    `@here` and similar mentions are broken by a zero-width space, in case a workspace still parses them.
    Source: https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return _joined((_ESCAPES.get(character, character) for character in _BROADCAST.sub("@\u200b", text)), limit)


def dated(text: str, clock: Clock, limit: int) -> str:
    """
    Return a text for a `mrkdwn` object that shows instants in each reader's time zone, cut like `escaped`.

    Empty if it has no instant, or contains anything that Slack would style: such a text belongs in `plain_text`.
    Source: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    parts = list(parts_of(text))
    words = [part for part in parts if isinstance(part, str)]
    if len(words) == len(parts) or any(map(_STYLED.search, words)):
        return ""
    return _joined(chain.from_iterable(_pieces(part, clock) for part in parts), limit)


def answer_text(text: str, clock: Clock, limit: int) -> str:
    """Return an answer for a `text` of Slack, line by line, with instants in each reader's time zone."""
    return _joined(chain.from_iterable(_pieces(part, clock) for part in parts_of(text)), limit)


def is_styled(text: str) -> bool:
    """Return whether Slack would style a text in a `mrkdwn` object."""
    return _STYLED.search(text) is not None


def _pieces(part: str | datetime, clock: Clock) -> Iterator[str]:
    if isinstance(part, str):
        yield from (_ESCAPES.get(character, character) for character in _BROADCAST.sub("@\u200b", part))
    else:
        yield f"<!date^{int(part.timestamp())}^{{date_short_pretty}} {{time}}|{clock.text(part)}>"


def shortened(text: str, limit: int) -> str:
    """Cut a text without markup (a chart's) to at most *limit* units."""
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
