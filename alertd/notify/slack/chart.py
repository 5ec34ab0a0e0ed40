"""
A chart in Slack: its native block, and a text version. Pure, and within Slack's limits by construction.

The block has no alternative text for screen readers, so a text is shown below it for everybody.

Sources: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block (since 2026-06-16; no scope but
`chat:write`): a title of 50 characters, 1 to 6 series of 1 to 20 points, names and labels of 20, a point per category,
axis labels of 50. That a message holds at most two is not documented: https://github.com/vercel/chat/pull/696.
"""

from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from alertd.core.chart import Chart, ChartForm, ChartLimit, axis_labels, fired_point, limit_text, thinned, values
from alertd.notify.slack.actions import Block
from alertd.notify.slack.text import shortened, units

_TITLE_LIMIT = 50
_POINTS = 20
_NAME_LIMIT = 20
_AXIS_LIMIT = 50
_LIMITS = 4
"""Lines besides the value: each costs as many points, and a message has limited room."""
_FIRED = "▲ fired"
_DIGITS = 4
"""Decimal places: the drawing need not be exact, the text is."""


def native_chart(chart: Chart) -> Block:
    """Return a printable chart as a Slack block: bars, or a line if there are thresholds to draw."""
    drawn = thinned(chart, _POINTS)
    categories = [shortened(label, _NAME_LIMIT) for label in axis_labels(drawn)]
    if (fired := fired_point(drawn)) is not None and drawn.fired_at is not None:
        # Slack cannot draw a vertical line: the label of the nearest point marks it, with the time.
        at = drawn.fired_at.astimezone(ZoneInfo(drawn.timezone))
        categories[fired] = f"{_FIRED} {at:%H:%M}"
    limits = drawn.limits[:_LIMITS]
    # Slack draws several series of bars side by side, so a threshold would become bars too.
    kind = "bar" if drawn.form is ChartForm.BARS and not limits else "line"
    series = [_series("Spend", categories, values(drawn))]
    for limit in limits:
        name = _name(drawn, limit, {str(each["name"]) for each in series})
        series.append(_series(name, categories, [Decimal(limit.value)] * len(categories)))
    return {
        "type": "data_visualization",
        "title": shortened(chart.title, _TITLE_LIMIT),
        "chart": {
            "type": kind,
            "series": series,
            "axis_config": {
                "categories": categories,
                "x_label": shortened("; ".join(filter(None, (drawn.timezone, drawn.note))), _AXIS_LIMIT),
                "y_label": drawn.unit.value,
            },
        },
    }


def _series(name: str, categories: Sequence[str], numbers: Sequence[Decimal]) -> Block:
    points = [
        {"label": label, "value": float(round(number, _DIGITS))}
        for label, number in zip(categories, numbers, strict=True)
    ]
    return {"name": name, "data": points}


def _name(chart: Chart, limit: ChartLimit, taken: set[str]) -> str:
    """Return the name of a line, with its value if that fits; Slack refuses duplicate names."""
    whole = limit_text(chart, limit)
    name = whole if units(whole) <= _NAME_LIMIT else shortened(limit.name, _NAME_LIMIT)
    return name if name not in taken else f"{shortened(name, _NAME_LIMIT - 2)} {len(taken) + 1}"
