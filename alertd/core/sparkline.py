"""
Amounts as a line of bars, and the days or hours that each bar stands for.

Nothing is the lowest bar, whatever is more than nothing at least the second: a quiet day and a cheap one look
different. A credit counts as nothing.
"""

from collections.abc import Sequence

from alertd.core.calendar import day_bounds
from alertd.core.hours import HourRange
from alertd.core.words import format_count

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII = "_.:-=+*#"
"""For terminals that cannot show blocks."""
HOURLY_UP_TO = 48
"""So many hours are drawn by the hour, longer ones by the day."""


def levels_in(encoding: str) -> str:
    """Return the bars that texts of an encoding can hold, lowest first."""
    try:
        BLOCKS.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


def bounds(window: HourRange, timezone: str) -> list[int]:
    """
    Return the hours between which the bars of a window lie, in rising order; the first and last are the window's.

    Args:
        timezone: Whose midnights part the days; the first and the last day may be there in part.
    """
    if len(window) <= HOURLY_UP_TO:
        return list(range(window.start, window.end + 1))
    return day_bounds(window, timezone)


def bar_length(window: HourRange, timezone: str, *, width: int) -> str:
    """Return what one bar of `sparkline` stands for, for people: `hour`, `day`, `9 days`."""
    if len(window) <= HOURLY_UP_TO:
        return "hour"
    days = _together(len(bounds(window, timezone)) - 1, width)
    return "day" if days == 1 else format_count(days, "day")


def sparkline(amounts: Sequence[int], *, width: int, levels: str = BLOCKS) -> str:
    """
    Draw amounts as bars from nothing up to the largest.

    Args:
        width: At most so many characters; more amounts are drawn as means of as many neighbours as it takes.
        levels: The bars, lowest first.
    """
    together = _together(len(amounts), width)
    parts = (amounts[start : start + together] for start in range(0, len(amounts), together))
    # The last part may be shorter: means compare, sums would not.
    means = [-(-max(0, sum(part)) // len(part)) for part in parts]
    largest, top = max(means, default=0), len(levels) - 1
    return "".join(levels[max(1, (2 * mean * top + largest) // (2 * largest)) if mean else 0] for mean in means)


def _together(count: int, width: int) -> int:
    return max(1, -(-count // width))
