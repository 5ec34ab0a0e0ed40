"""
A chart as a picture in a Slack thread: the file, what stands above it, and what it says to who cannot see it. Pure.

For workspaces that refuse Slack's own charts. The picture holds no text, so its title, scale, dates and colours are
said above it.
"""

from dataclasses import dataclass

from alertd.core.chart import Chart, limit_words, spend_words
from alertd.core.severity import Severity
from alertd.notify.chart_frame import chart_frame
from alertd.notify.chart_png import chart_png
from alertd.notify.slack.actions import Block
from alertd.notify.slack.text import escaped, shortened

_TITLE_LIMIT = 100
_CAPTION_LIMIT = 1000
_ALT_LIMIT = 1000
"""Slack documents no limit; who listens bears no more."""
_SPEND = "🟦"
_LIMITS = {None: "⬜", Severity.INFO: "🟪", Severity.WARNING: "🟧", Severity.CRITICAL: "🟥"}
"""As near to the colours of `chart_png` as there are squares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackPicture:
    """A file to upload."""

    content: bytes
    filename: str
    title: str
    alt_text: str
    caption: tuple[Block, ...]
    """Blocks of plain text that introduce it."""


def picture_of(chart: Chart) -> SlackPicture:
    """Draw a legible chart for Slack."""
    frame = chart_frame(chart, "")
    title = f"{frame.title}{frame.note}"
    lines = [
        f"{title}: {frame.low} to {frame.high}, {frame.first} to {frame.last}",
        f"{_SPEND} {spend_words(chart)}",
        *(f"{_LIMITS[limit.severity]} {limit_words(chart, limit)}" for limit in chart.limits),
    ]
    text = {"type": "plain_text", "text": escaped("\n".join(lines), _CAPTION_LIMIT), "emoji": False}
    return SlackPicture(
        content=chart_png(chart),
        filename="chart.png",
        title=shortened(title, _TITLE_LIMIT),
        alt_text=shortened(frame.words, _ALT_LIMIT),
        caption=({"type": "section", "text": text},),
    )
