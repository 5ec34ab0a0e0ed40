"""
A chart in a message: a few exact points, the limits that they are compared with, and a description in words.

Data and words only: each channel draws it in its own way, and the words serve readers who cannot see the drawing. Of
bills it contains only numbers.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from alertd.core.alert import Unit
from alertd.core.dataclass import dataclass, replace
from alertd.core.money import UNITS_PER_USD, plain
from alertd.core.severity import Severity
from alertd.core.sparkline import BLOCKS, sparkline
from alertd.core.values import format_value

MOST_POINTS = 48
"""Maximum number of points in an alert's chart: two days by the hour."""
TEXT_WIDTH = 62
"""Maximum width in characters: two months by the day in a terminal of 80 columns."""


class ChartForm(StrEnum):
    """What a point represents."""

    LINE = "line"
    """The value at the point's instant."""
    BARS = "bars"
    """The amount from the point's instant to the next point's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPoint:
    """An instant and an exact value, for drawing and for programs."""

    at: datetime
    value: str
    """A decimal number in the chart's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLimit:
    """A horizontal line across the chart."""

    name: str
    value: str
    severity: Severity | None = None
    """The severity that begins there; None for a mere reference, such as the usual spend."""
    changed_at: datetime | None = None
    """
    When a line last reached the limit or fell below it again, judged by every hour and not only by the points drawn.

    None if it has done neither since the first point.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The data of a chart: at least one point, in chronological order."""

    title: str
    """At most 50 characters: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block."""
    unit: Unit
    form: ChartForm
    points: tuple[ChartPoint, ...]
    limits: tuple[ChartLimit, ...] = ()
    """Lowest first."""
    timezone: str = "UTC"
    """The time zone of the labels."""
    is_by_day: bool = False
    """Whether each point is a day in the time zone, so that labels omit the time."""
    fired_at: datetime | None = None
    """When its alert fired, possibly after the last point; None if before the first, or if there is no alert."""
    note: str = ""
    """A qualification, such as `so far` or `not complete`."""


def marked(chart: Chart, fired_at: datetime | None) -> Chart:
    """Return the chart with the time at which its alert fired, if the chart reaches back that far."""
    if fired_at is None or fired_at < chart.points[0].at:
        return chart
    return replace(chart, fired_at=fired_at)


def read_by(chart: Chart, timezone: str) -> Chart:
    """Return the chart in the reader's time zone; charts by the day or in a zone other than UTC are unchanged."""
    return chart if chart.is_by_day or chart.timezone != "UTC" else replace(chart, timezone=timezone)


def fired_point(chart: Chart) -> int | None:
    """Return the index of the point at or in which the alert fired; None if the chart does not mark it."""
    fired_at = chart.fired_at
    if fired_at is None:
        return None
    times = [point.at for point in chart.points]
    if chart.form is ChartForm.BARS:
        return bisect_right(times, fired_at) - 1
    return min(bisect_left(times, fired_at), len(times) - 1)


def fired_share(chart: Chart) -> float | None:
    """Return the horizontal position at which the alert fired, as a share of the width; None if it is not marked."""
    point = fired_point(chart)
    if point is None or chart.fired_at is None:
        return None
    if chart.form is ChartForm.BARS:
        return (point + 0.5) / len(chart.points)
    first, last = chart.points[0].at, chart.points[-1].at
    # Bills arrive late, so that an alert may fire after the last hour billed.
    return min((chart.fired_at - first) / (last - first), 1.0) if last > first else 1.0


def rounded_up(number: Decimal) -> Decimal:
    """Round a number up to two significant digits, so that it is easy to read beside a chart."""
    step = Decimal(1).scaleb(number.adjusted() - 1)
    return (number / step).to_integral_value(ROUND_CEILING) * step


def values(chart: Chart) -> list[Decimal]:
    """Return the points' values."""
    return [Decimal(point.value) for point in chart.points]


def labels(chart: Chart) -> list[str]:
    """Return a short label for each point's instant, all different: `Jan 9`, `Jan 9 12:00`."""
    local = local_times(chart)
    found = [f"{at:%b} {at.day}{'' if chart.is_by_day else f' {at:%H:%M}'}" for at in local]
    # When clocks are set back, an hour occurs twice; the zone's abbreviation distinguishes the two.
    return found if len(set(found)) == len(found) else [f"{at:%b} {at.day} {at:%H:%M %Z}" for at in local]


def axis_labels(chart: Chart) -> list[str]:
    """
    Return short labels for an axis, all different: the date at a day's first point, else the time: `Mar 9`, `22:00`.

    If a time occurs twice, the times get their day, and only the hour if all are full hours: `9 17h`.
    """
    if chart.is_by_day:
        return labels(chart)
    local = local_times(chart)
    begins = [True, *(at.date() != before.date() for before, at in pairwise(local))]
    with_day = "{at.day} {at:%H:%M}" if any(at.minute for at in local) else "{at.day} {at:%H}h"
    for time in ("{at:%H:%M}", with_day):
        found = [
            f"{at:%b} {at.day}" if is_first else time.format(at=at) for at, is_first in zip(local, begins, strict=True)
        ]
        if len(set(found)) == len(found):
            return found
    return labels(chart)


def local_times(chart: Chart) -> list[datetime]:
    """Return the points' instants in the chart's time zone."""
    zone = ZoneInfo(chart.timezone)
    return [point.at.astimezone(zone) for point in chart.points]


def thinned(chart: Chart, most: int) -> Chart:
    """
    Return the chart with at most *most* points (2 or more).

    A line keeps every n-th point and always the last; bars become the means of n neighbours, so that a smaller last
    group remains comparable.
    """
    count = len(chart.points)
    if count <= most:
        return chart
    if chart.form is ChartForm.LINE:
        step = -(-(count - 1) // (most - 1))
        return replace(chart, points=chart.points[::-1][::step][::-1])
    together = -(-count // most)
    groups = [chart.points[start : start + together] for start in range(0, count, together)]
    points = (ChartPoint(at=group[0].at, value=_mean(group)) for group in groups)
    note = "; ".join(filter(None, (chart.note, _grouped(together))))
    return replace(chart, points=tuple(points), note=note)


def _mean(points: Sequence[ChartPoint]) -> str:
    return f"{plain(round(sum(Decimal(point.value) for point in points) / Decimal(len(points)), 10)):f}"


def _grouped(together: int) -> str:
    return f"each bar the mean of {together}"


def chart_line(chart: Chart, levels: str = BLOCKS) -> str:
    """
    Return the chart as bars of text with its title.

    Args:
        levels: The bar characters, lowest first.
    """
    amounts = [int(value * UNITS_PER_USD) for value in values(chart)]
    together = -(-len(amounts) // TEXT_WIDTH)
    said = filter(None, (chart.title, chart.note, _grouped(together) if together > 1 else ""))
    return f"{sparkline(amounts, width=TEXT_WIDTH, levels=levels)} {'; '.join(said)}"


def chart_words(chart: Chart) -> str:
    """Describe the chart in a sentence: its values, and which limits were reached when."""
    said = (spend_words(chart), *(limit_words(chart, limit) for limit in chart.limits), fired_words(chart))
    return f"{'; '.join(filter(None, said))}."


def fired_words(chart: Chart) -> str:
    """Return when the alert fired: `fired Mar 11 08:00`; empty if the chart does not mark it."""
    return f"fired {_moment(chart, chart.fired_at)}" if chart.fired_at is not None else ""


def spend_words(chart: Chart) -> str:
    """Describe the points: the first and last value of a line, the largest and last of bars."""
    names, numbers = labels(chart), values(chart)
    said = [format_value(number, chart.unit) for number in numbers]
    zone = "" if chart.is_by_day else f" {local_times(chart)[-1]:%Z}"
    last = f"{said[-1]} ({names[-1]}{zone})"
    if chart.form is ChartForm.BARS:
        top = max(range(len(numbers)), key=lambda number: numbers[number])
        return f"At most {said[top]} ({names[top]}), at last {last}"
    return f"From {said[0]} ({names[0]}) to {last}"


def limit_text(chart: Chart, limit: ChartLimit) -> str:
    """Return a limit for people: `warning $50.00`."""
    return f"{limit.name} {format_value(Decimal(limit.value), chart.unit)}"


def limit_words(chart: Chart, limit: ChartLimit) -> str:
    """Say whether a limit is reached, and for a line since when: `warning $50.00 reached Jan 10 10:00`."""
    text, floor = limit_text(chart, limit), Decimal(limit.value)
    is_reached = values(chart)[-1] >= floor
    if chart.form is ChartForm.BARS:
        return f"{text} {'' if is_reached else 'not '}reached at last"
    if limit.changed_at is None:
        return f"above {text} all along" if is_reached else f"{text} not reached"
    when = _moment(chart, limit.changed_at)
    return f"{text} reached {when}" if is_reached else f"below {text} again since {when}"


def _moment(chart: Chart, at: datetime) -> str:
    local = at.astimezone(ZoneInfo(chart.timezone))
    return f"{local:%b} {local.day} {local:%H:%M}"
