"""Charts of what one group spent, exact, from the spend view: a rolling sum, a running total, or bars."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from alertd.core.alert import Unit
from alertd.core.arrays import np
from alertd.core.chart import MOST_POINTS, Chart, ChartForm, ChartLimit, ChartPoint
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HOURS_PER_DAY, HourRange, start_of
from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD, decimal_text
from alertd.core.severity import Severity
from alertd.core.sparkline import bounds
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.view import SpendView
from alertd.core.words import format_duration

NOT_COMPLETE = "not complete"
_STRIDES = (1, 2, 3, 4, 6, 8, 12, 24, 48, 96)
"""Hours between the points of a rolling sum."""
_LEAST_BEFORE = 6
_FAR = 2
"""Limits above this multiple of the highest point are left out, as they would flatten the chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpend:
    """The hourly spend of one group."""

    view: SpendView
    query: SpendQuery
    metric: str
    group: Labels

    def before(self, hours: Sequence[int]) -> list[int]:
        """Return the running totals before *hours*, in 1e-10 USD: only their differences are meaningful."""
        number = self.view.numbers(self.query).get(self.group)
        if number is None:
            return [0] * len(hours)
        mine = self.view.totals_up_to(self.query, self.metric, np.asarray(hours), np.array([number]))[:, 0]
        totals: list[int] = mine.tolist()
        return totals


def limit_lines(limits: Mapping[Severity, int]) -> tuple[ChartLimit, ...]:
    """Return the lines of limits in 1e-10 USD, lowest first."""
    ordered = sorted(limits.items())
    return tuple(
        ChartLimit(name=severity.label, value=decimal_text(limit), severity=severity) for severity, limit in ordered
    )


def rolling_hours(window: HourRange, view: SpendView, begun: int) -> HourRange:
    """
    Return the hours at whose ends a window's sum is drawn: as many as the window has, at least a day.

    Hours for which the view does not reach back far enough are left out.

    Args:
        begun: The hour in which the alert began: a third as many hours are drawn from before it, at least six.
    """
    since = window.end - begun
    first = window.end - max(len(window), HOURS_PER_DAY, since + max(_LEAST_BEFORE, since // 3))
    first = max(first, window.end - _STRIDES[-1] * (MOST_POINTS - 1))
    return HourRange(min(max(first, view.span.start + len(window)), window.end), window.end)


def rolling_chart(
    spend: GroupSpend, *, hours: HourRange, length: int, limits: Mapping[Severity, int], is_complete: bool
) -> Chart | None:
    """
    Return a chart of a window's sum at the end of each of *hours*, and at the beginning of the first.

    None if the group spent nothing, or the view does not reach back far enough.

    Args:
        length: Hours of the window.
    """
    stride = next(each for each in _STRIDES if len(hours) <= each * (MOST_POINTS - 1))
    ends = range(hours.start, hours.end + 1)
    now, then = spend.before(ends), spend.before([end - length for end in ends])
    sums = [after - before for after, before in zip(now, then, strict=True)]
    return _line(
        f"Spend in {format_duration(timedelta(hours=length))}, rolling",
        ends,
        sums,
        drawn=ends[::-1][::stride][::-1],
        limits=_near(limits, max(sums)),
        note="" if is_complete else NOT_COMPLETE,
    )


def running_chart(
    spend: GroupSpend,
    title: str,
    *,
    window: HourRange,
    timezone: str,
    limits: tuple[ChartLimit, ...],
    note: str,
) -> Chart | None:
    """Return a chart of the spend since the window began, by the hour or the zone's midnights; None without any."""
    if window.start < spend.view.span.start or not len(window):
        return None
    every = bounds(window, timezone)
    # One point is reserved for the beginning, which the step may miss.
    step = -(-len(every) // (MOST_POINTS - 1))
    hours = sorted({every[0], *every[::-1][::step]})
    ends = range(window.start, window.end + 1)
    totals = spend.before(ends)
    sums = [each - totals[0] for each in totals]
    return _line(title, ends, sums, drawn=hours, limits=limits, timezone=timezone, note=note)


def bar_chart(spend: GroupSpend, title: str, *, edges: Sequence[int], limits: tuple[ChartLimit, ...]) -> Chart | None:
    """Return bars of the spend between each two neighbouring edges, the last 48 at most; None if there is none."""
    edges = edges[-MOST_POINTS - 1 :]
    amounts = [after - before for before, after in pairwise(spend.before(edges))]
    if not any(amounts):
        return None
    return Chart(title=title, unit=Unit.USD, form=ChartForm.BARS, points=points_of(edges[:-1], amounts), limits=limits)


def points_of(hours: Sequence[int], amounts: Sequence[int]) -> tuple[ChartPoint, ...]:
    """Return amounts in 1e-10 USD as points at their hours."""
    return tuple(
        ChartPoint(at=start_of(hour), value=decimal_text(amount)) for hour, amount in zip(hours, amounts, strict=True)
    )


def _near(limits: Mapping[Severity, int], largest: int) -> tuple[ChartLimit, ...]:
    """Return the lowest limit, and those of the others that the points come near to."""
    lowest = min(limits)
    return limit_lines({s: limit for s, limit in limits.items() if s is lowest or limit <= _FAR * largest})


def _line(
    title: str,
    hours: range,
    amounts: Sequence[int],
    *,
    drawn: Sequence[int],
    limits: tuple[ChartLimit, ...],
    note: str,
    timezone: str = "UTC",
) -> Chart | None:
    """
    Return a line chart of a value that is given for every hour; None if no drawn point has any spend.

    Args:
        drawn: The hours that become points, in rising order.
    """
    shown = [amounts[hour - hours.start] for hour in drawn]
    if len(drawn) < 2 or not any(shown):
        return None
    since = HourRange(drawn[0], hours.stop)
    known = amounts[since.start - hours.start :]
    return Chart(
        title=title,
        unit=Unit.USD,
        form=ChartForm.LINE,
        points=points_of(drawn, shown),
        limits=tuple(replace(limit, changed_at=_changed_at(limit, since, known)) for limit in limits),
        timezone=timezone,
        note=note,
    )


def _changed_at(limit: ChartLimit, hours: HourRange, amounts: Sequence[int]) -> datetime | None:
    """Return the end of the hour in which a value last crossed a limit, None if it did not."""
    floor = int(Decimal(limit.value) * UNITS_PER_USD)
    is_reached = np.array([amount >= floor for amount in amounts])
    crossed = np.flatnonzero(np.diff(is_reached))
    return start_of(hours.start + int(crossed[-1]) + 1) if len(crossed) else None
