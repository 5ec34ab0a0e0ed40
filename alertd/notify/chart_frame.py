"""The texts of a mail around the picture of a chart: title, scale, dates and legend."""

from alertd.core.chart import Chart, chart_words, fired_words, labels, limit_words, spend_words
from alertd.core.dataclass import dataclass
from alertd.core.values import format_value
from alertd.notify.chart_png import FIRED, HEIGHT, SPEND, WIDTH, Colour, limit_colour, scale_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFrame:
    """The texts of one chart, ready to be set."""

    picture_id: str
    width: int
    height: int
    """Size in CSS pixels."""
    title: str
    note: str
    words: str
    """The chart in a sentence, for readers who cannot see the picture."""
    high: str
    low: str
    """The values at the picture's upper and lower edges."""
    first: str
    last: str
    key: tuple[tuple[str, Colour], ...]
    """Legend: what is drawn, and its colour."""


def chart_frame(chart: Chart, picture_id: str) -> ChartFrame:
    """
    Return the texts around a chart.

    Args:
        picture_id: The Content-ID of its picture.
    """
    scale, times = scale_of(chart), labels(chart)
    limits = ((limit_words(chart, limit), limit_colour(limit)) for limit in chart.limits)
    return ChartFrame(
        picture_id=picture_id,
        width=WIDTH,
        height=HEIGHT,
        title=chart.title,
        note=f" · {chart.note}" if chart.note else "",
        words=chart_words(chart),
        high=format_value(scale.high, chart.unit),
        low=format_value(scale.low, chart.unit),
        first=times[0],
        last=f"{times[-1]} {chart.timezone}" if not chart.is_by_day else times[-1],
        key=((spend_words(chart), SPEND), *limits, *(((words, FIRED),) if (words := fired_words(chart)) else ())),
    )
