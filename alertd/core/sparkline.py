"""
Amounts as a line of bars, and the days or hours that each bar represents.

Zero is the lowest bar and any positive amount at least the second, so that a day without spend and a cheap one are
distinguishable. A credit counts as zero.
"""

from collections.abc import Sequence

from alertd.core.calendar import day_bounds
from alertd.core.hours import HourRange
from alertd.core.words import format_count

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.:-=+*#"
"""For terminals that cannot show blocks."""
HOURLY_UP_TO = 48
"""Longest window, in hours, that is drawn by the hour; longer ones are drawn by the day."""


def levels_in(encoding: str) -> str:
    """Return the bar characters that an encoding can represent, lowest first."""
    try:
        BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def bounds(window: HourRange, timezone: str) -> list[int]:
    """
    Return the hours that separate the bars of a window, ascending, with the window's start and end as first and last.

    Args:
        timezone: The zone whose midnights separate the days; the first and last day may be incomplete.
    """
    if len(window) <= HOURLY_UP_TO:
        return list(range(window.start, window.end + 1))
    return day_bounds(window, timezone)


def bar_length(window: HourRange, timezone: str, *, width: int) -> str:
    """Return the duration of one bar of `sparkline`, for people: `hour`, `day`, `9 days`."""
    if len(window) <= HOURLY_UP_TO:
        return "hour"
    days = _together(len(bounds(window, timezone)) - 1, width)
    return "day" if days == 1 else format_count(days, "day")


def sparkline(amounts: Sequence[int], *, width: int, levels: str = BLOCKS) -> str:
    """
    Draw amounts as bars from zero up to the largest.

    Args:
        width: Maximum number of characters; if there are more amounts, each bar is the mean of several neighbours.
        levels: The bar characters, lowest first.
    """
    together = _together(len(amounts), width)
    parts = (amounts[start : start + together] for start in range(0, len(amounts), together))
    # The last part may be shorter, so means are comparable and sums would not be.
    means = [-(-max(0, sum(part)) // len(part)) for part in parts]
    largest, top = max(means, default=0), len(levels) - 1
    return "".join(levels[max(1, (2 * mean * top + largest) // (2 * largest)) if mean else 0] for mean in means)


def _together(count: int, width: int) -> int:
    return max(1, -(-count // width))
