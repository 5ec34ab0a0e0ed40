"""
The geometry of bars and charts as SVG paths: whole numbers in a box that the page scales.

The style sheet sets colours and widths. Pure: from exact amounts to text.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property

from alertd.core.alert import Unit
from alertd.core.chart import Chart, ChartForm, fired_share, rounded_up, values
from alertd.core.dataclass import dataclass
from alertd.core.money import UNITS_PER_USD, Usd, to_decimal
from alertd.core.severity import Severity
from alertd.core.spend.steps import GroupSteps, SpendSteps
from alertd.core.values import format_value

HEIGHT = 1000
"""Height of every chart's box."""
WIDTH = 1000
"""Width of the box of a line chart and of a budget's bar."""
_SLOT, _BAR = 10, 8
"""Width of a step in a bar chart, and the drawn part of it."""
_HEADROOM = Decimal("1.02")
_LONGEST_BAR = 2
"""A budget's bar ends at this multiple of its amount; the text says how much more there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Axis labels of a chart, from top to bottom."""

    high: str
    middle: str
    low: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A flat line across a chart."""

    y: int
    style: str
    """The severity's name, or `plain`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart in its box."""

    width: int
    height: int
    axis: Axis
    paths: tuple[str, ...]
    """One path for each group, in order."""
    unknown: str = ""
    """Covers the steps with incomplete bills."""
    zero: int
    """The zero line's distance from the upper edge."""
    limits: tuple[Limit, ...] = ()
    is_line: bool = False
    fired: int | None = None
    """Distance from the left edge to where the alert fired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetBar:
    """A budget as a bar: how far the spent, forecast and exceeding amounts extend, in a box of WIDTH."""

    spent: int
    forecast: int
    """0 without one."""
    elapsed: int
    full: int
    """Position of the budget's amount."""


def budget_bar(*, share: Fraction, forecast: Fraction | None, elapsed: Fraction) -> BudgetBar:
    """Return the bar of a budget, scaled to its longest part."""
    end = min(max(Fraction(1), share, forecast or Fraction(0)), Fraction(_LONGEST_BAR))

    def reach(part: Fraction) -> int:
        return max(0, min(WIDTH, int(part / end * WIDTH)))

    return BudgetBar(
        spent=reach(share), forecast=reach(forecast or Fraction(0)), elapsed=reach(elapsed), full=reach(Fraction(1))
    )


def spend_drawing(found: SpendSteps) -> Drawing:
    """Return the stacked bars of spend over time, the largest group at the bottom; credits extend below zero."""
    groups = [*found.groups, *([found.rest] if found.rest is not None else [])]
    high, low = _reach(groups, len(found.steps))
    scale = _Scale.of([to_decimal(high), to_decimal(low)])
    above, below = [Usd(0)] * len(found.steps), [Usd(0)] * len(found.steps)
    paths = []
    for group in groups:
        parts = []
        for step, amount in enumerate(group.amounts):
            pile = above if amount > 0 else below
            start, pile[step] = pile[step], Usd(pile[step] + amount)
            top, bottom = scale.y_of(max(start, pile[step])), scale.y_of(min(start, pile[step]))
            if bottom > top and found.is_known[step]:
                parts.append(_rectangle(step * _SLOT + 1, top, _BAR, bottom - top))
        paths.append("".join(parts))
    missing = (step for step, is_whole in enumerate(found.is_whole) if not is_whole)
    return Drawing(
        width=len(found.steps) * _SLOT,
        height=HEIGHT,
        axis=scale.axis(Unit.USD),
        paths=tuple(paths),
        unknown="".join(_rectangle(step * _SLOT, 0, _SLOT, HEIGHT) for step in missing),
        zero=scale.y_of(0),
    )


def chart_drawing(chart: Chart) -> Drawing:
    """Return an alert's chart: a line with the area below it, or bars, and its thresholds."""
    numbers = values(chart)
    scale = _Scale.of([*numbers, *(Decimal(limit.value) for limit in chart.limits)])
    zero = scale.y(Decimal())
    is_line = chart.form is ChartForm.LINE
    heights = [scale.y(number) for number in numbers]
    if is_line:
        places = _places([point.at for point in chart.points])
        line = "L".join(f"{x} {y}" for x, y in zip(places, heights, strict=True))
        paths: tuple[str, ...] = (f"M{line}", f"M{places[0]} {zero}L{line}L{places[-1]} {zero}z")
    else:
        bars = (_rectangle(n * _SLOT + 1, min(y, zero), _BAR, abs(zero - y)) for n, y in enumerate(heights))
        paths = ("".join(bars),)
    width = WIDTH if is_line else len(heights) * _SLOT
    return Drawing(
        width=width,
        height=HEIGHT,
        axis=scale.axis(chart.unit),
        paths=paths,
        zero=zero,
        limits=tuple(
            Limit(y=scale.y(Decimal(limit.value)), style=severity_style(limit.severity)) for limit in chart.limits
        ),
        is_line=is_line,
        fired=round(share * width) if (share := fired_share(chart)) is not None else None,
    )


def severity_style(severity: Severity | None) -> str:
    """Return the style sheet's class for a severity."""
    return severity.label if severity is not None else "plain"


@dataclass(frozen=True)
class _Scale:
    """The values at the upper and lower edges of a box."""

    low: Decimal
    high: Decimal

    @classmethod
    def of(cls, numbers: Sequence[Decimal]) -> "_Scale":
        low, high = min(*numbers, Decimal()), max(*numbers, Decimal())
        return cls(-rounded_up(-low * _HEADROOM) if low else low, rounded_up(high * _HEADROOM) if high else Decimal(1))

    def y(self, value: Decimal) -> int:
        return int((self.high - value) / (self.high - self.low) * HEIGHT)

    def y_of(self, amount: int) -> int:
        """Return the same for an amount in 1e-10 USD, without Decimal: a year has thousands of bars."""
        high, low = self._bounds
        return (high - amount) * HEIGHT // (high - low)

    @cached_property
    def _bounds(self) -> tuple[int, int]:
        return int(self.high * UNITS_PER_USD), int(self.low * UNITS_PER_USD)

    def axis(self, unit: Unit) -> Axis:
        middle = (self.high + self.low) / 2
        return Axis(
            high=format_value(self.high, unit), middle=format_value(middle, unit), low=format_value(self.low, unit)
        )


def _reach(groups: Sequence[GroupSteps], steps: int) -> tuple[Usd, Usd]:
    """Return how far the stacks of all groups extend above and below zero."""
    piles = [[group.amounts[step] for group in groups] for step in range(steps)]
    high = max((sum(amount for amount in pile if amount > 0) for pile in piles), default=0)
    low = min((sum(amount for amount in pile if amount < 0) for pile in piles), default=0)
    return Usd(high), Usd(low)


def _places(times: Sequence[datetime]) -> list[int]:
    length = (times[-1] - times[0]).total_seconds() or 1.0
    return [int((at - times[0]).total_seconds() / length * WIDTH) for at in times]


def _rectangle(x: int, y: int, width: int, height: int) -> str:
    return f"M{x} {y}h{width}v{height}h-{width}z"
