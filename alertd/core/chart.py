"""
A chart of a message: a few exact points, the limits that they are held against, and the same in words.

Data and words only. A channel draws it as it can, and whoever cannot see the drawing reads the words. Nothing in it
comes from a bill but numbers.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from alertd.core.alert import Unit
from alertd.core.dataclass import dataclass
from alertd.core.money import UNITS_PER_USD, plain
from alertd.core.severity import Severity
from alertd.core.sparkline import BLOCKS, sparkline
from alertd.core.values import format_value

MOST_POINTS = 48
"""Of an alert: two days by the hour."""
TEXT_WIDTH = 62
"""Characters: two months by the day in a terminal of 80 columns."""


class ChartForm(StrEnum):
    """What a point says."""

    LINE = "line"
    """The value at its instant."""
    BARS = "bars"
    """How much there was from its instant to the next point's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPoint:
    """An instant and an exact value, for whoever draws or reads it by machine."""

    at: datetime
    value: str
    """As a decimal, in the chart's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartLimit:
    """A flat line across the chart."""

    name: str
    value: str
    severity: Severity | None = None
    """What begins at it; None for what is only compared with, such as the usual spend."""
    changed_at: datetime | None = None
    """
    When a line last came to reach it, or to lie below it again, by every hour and not by the points that are drawn.

    None where it did neither since the first point.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn; at least one point, in the order of time."""

    title: str
    """At most 50 characters: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block."""
    unit: Unit
    form: ChartForm
    points: tuple[ChartPoint, ...]
    limits: tuple[ChartLimit, ...] = ()
    """Lowest first."""
    timezone: str = "UTC"
    """Whose clock the labels show."""
    is_by_day: bool = False
    """Each point stands for a day of the zone, so its hour is left out."""
    fired_at: datetime | None = None
    """When its alert fired, which may be after the last point; None where that was before the first."""
    note: str = ""
    """What must be known to read it: `so far`, `not complete`."""


def marked(chart: Chart, fired_at: datetime | None) -> Chart:
    """Return the chart with the moment at which its alert fired, where it reaches back to it."""
    if fired_at is None or fired_at < chart.points[0].at:
        return chart
    return replace(chart, fired_at=fired_at)


def read_by(chart: Chart, timezone: str) -> Chart:
    """Return the chart by the clock of who reads it; days, and the periods of another zone, stay what they are."""
    return chart if chart.is_by_day or chart.timezone != "UTC" else replace(chart, timezone=timezone)


def fired_point(chart: Chart) -> int | None:
    """Return the place of the point at or in which the alert fired, None where the chart has no such moment."""
    fired_at = chart.fired_at
    if fired_at is None:
        return None
    times = [point.at for point in chart.points]
    if chart.form is ChartForm.BARS:
        return bisect_right(times, fired_at) - 1
    return min(bisect_left(times, fired_at), len(times) - 1)


def fired_share(chart: Chart) -> float | None:
    """Return how far from the left edge the alert fired, as a share of the width; None where there is no mark."""
    point = fired_point(chart)
    if point is None or chart.fired_at is None:
        return None
    if chart.form is ChartForm.BARS:
        return (point + 0.5) / len(chart.points)
    first, last = chart.points[0].at, chart.points[-1].at
    # Bills come late: an alert fires after the hours that made it.
    return min((chart.fired_at - first) / (last - first), 1.0) if last > first else 1.0


def rounded_up(number: Decimal) -> Decimal:
    """Round a number up to two digits, so that it is read quickly beside a chart."""
    step = Decimal(1).scaleb(number.adjusted() - 1)
    return (number / step).to_integral_value(ROUND_CEILING) * step


def values(chart: Chart) -> list[Decimal]:
    """Return the points' values."""
    return [Decimal(point.value) for point in chart.points]


def labels(chart: Chart) -> list[str]:
    """Return a short text for each point's instant, all of them different: `Jan 9`, `Jan 9 12:00`."""
    local = local_times(chart)
    found = [f"{at:%b} {at.day}{'' if chart.is_by_day else f' {at:%H:%M}'}" for at in local]
    # When clocks are set back, an hour comes twice: its zone makes the difference.
    return found if len(set(found)) == len(found) else [f"{at:%b} {at.day} {at:%H:%M %Z}" for at in local]


def axis_labels(chart: Chart) -> list[str]:
    """
    Return what fits below an axis, no two the same: the date where it begins, else the time: `Mar 9`, `22:00`.

    A time that comes twice has its day, and then only its hour where that is a full one: `9 17h`.
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
    """Return the points' instants by the chart's clock."""
    zone = ZoneInfo(chart.timezone)
    return [point.at.astimezone(zone) for point in chart.points]


def thinned(chart: Chart, most: int) -> Chart:
    """
    Return the chart with at most *most* points (2 or more).

    Of a line every so many-th point is kept, the last always; bars become the mean of as many neighbours, so that a
    last group of fewer still compares.
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
        levels: The bars, lowest first.
    """
    amounts = [int(value * UNITS_PER_USD) for value in values(chart)]
    together = -(-len(amounts) // TEXT_WIDTH)
    said = filter(None, (chart.title, chart.note, _grouped(together) if together > 1 else ""))
    return f"{sparkline(amounts, width=TEXT_WIDTH, levels=levels)} {'; '.join(said)}"


def chart_words(chart: Chart) -> str:
    """Return in a sentence what the chart shows: from where to where, and which limits were reached when."""
    said = (spend_words(chart), *(limit_words(chart, limit) for limit in chart.limits), fired_words(chart))
    return f"{'; '.join(filter(None, said))}."


def fired_words(chart: Chart) -> str:
    """Return when the alert fired: `fired Mar 11 08:00`; empty where the chart has no such moment."""
    return f"fired {_moment(chart, chart.fired_at)}" if chart.fired_at is not None else ""


def spend_words(chart: Chart) -> str:
    """Return what the points say: from where to where of a line, the largest and the last of bars."""
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
    """Say whether a limit is reached, and of a line since when: `warning $50.00 reached Jan 10 10:00`."""
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
