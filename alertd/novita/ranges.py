"""
Cuts a range of hours into pieces that the API accepts, and remembers what was learnt about its limit.

Decides lengths only; the client makes the requests.
"""

import re
from collections.abc import Iterator

from alertd.core.hours import HOURS_PER_DAY, HourRange, midnight_before

DOCUMENTED_LIMIT_DAYS = 31
"""The longest range of `bill/list`. Source: https://novita.ai/docs/api-reference/basic-query-usage-based-billing"""

KEY_BILLS_LIMIT_DAYS = 7
"""The longest range of hourly bills by API key."""

_DAYS = re.compile(r"(?<![0-9.])([0-9]{1,3})[ -]?days?\b", re.ASCII | re.IGNORECASE)


class RangeLimit:
    """The longest range that the API is known to accept, in days; it only shrinks, for the life of the client."""

    def __init__(self, days: int = DOCUMENTED_LIMIT_DAYS) -> None:
        self.days = days

    def learn(self, days: int) -> None:
        """Remember that ranges of *days* were accepted when longer ones were refused."""
        self.days = min(self.days, days)


def first_piece(span: HourRange, days: int) -> HourRange:
    """Return the beginning of the range, up to its end or the UTC midnight at most *days* days later."""
    return HourRange(span.start, min(span.end, midnight_before(span.start) + days * HOURS_PER_DAY))


def shorter(piece: HourRange, message: str) -> int | None:
    """
    Return how many days to try after *piece* was refused; None if it cannot be shorter.

    A limit named in the message is used if it is below the piece's length, else the length is halved.
    """
    if len(piece) <= HOURS_PER_DAY:
        return None
    days = -(-len(piece) // HOURS_PER_DAY)
    return max(_limits_below(days, message), default=days // 2)


def _limits_below(days: int, message: str) -> Iterator[int]:
    return (limit for limit in map(int, _DAYS.findall(message)) if 0 < limit < days)
