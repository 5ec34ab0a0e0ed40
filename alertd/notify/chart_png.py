"""
A chart as a picture for mail: a PNG with a palette, drawn with numpy alone, the same bytes for the same chart.

It contains no text, which would be too small on a phone and invisible to screen readers: the mail puts scale, dates and
limits around it. The background is transparent and every colour contrasts with white and black, so one picture serves
light and dark modes.

Source of the format: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from decimal import Decimal
from itertools import starmap
from typing import NewType

import numpy as np
from numpy.typing import NDArray

from alertd.core.chart import Chart, ChartForm, ChartLimit, fired_share, rounded_up, values
from alertd.core.dataclass import dataclass
from alertd.core.severity import Severity

Colour = NewType("Colour", str)
"""`#rrggbb`."""

WIDTH = 600
HEIGHT = 140
"""Size in CSS pixels."""
SHARPNESS = 2
"""Pixels per CSS pixel, for high-resolution screens."""

# Each has a contrast of at least 3 to white and to the dark grounds of mail clients, as WCAG 1.4.11 asks for graphics.
SPEND = Colour("#2f80ed")
_GREY = Colour("#808891")
_LIMITS: dict[Severity | None, tuple[Colour, tuple[int, int]]] = {
    None: (_GREY, (2, 4)),
    Severity.INFO: (Colour("#8a6be0"), (4, 4)),
    Severity.WARNING: (Colour("#d97706"), (8, 5)),
    Severity.CRITICAL: (Colour("#e5383b"), (16, 5)),
}
"""Each line's colour and dash pattern (drawn, omitted) in CSS pixels, which distinguishes them without colour too."""
FIRED = _GREY
"""The vertical line where the alert fired."""
_AREA_OPACITY = 0.25
_LINE_WIDTH = 2.5
_STEEPEST = 3.0
_GAP_SHARE = 0.2
"""Of a bar's place."""
_LEAST_BAR = 2
_HEADROOM = Decimal("0.06")
_STEPS = 4
"""Anti-aliasing steps at the edge of a line."""

# The palette: spend at every combined opacity of area and line, then what is drawn over it.
_OVER = {colour: 2 * (_STEPS + 1) + n for n, colour in enumerate(dict.fromkeys(c for c, _ in _LIMITS.values()))}

Pixels = NDArray[np.uint8]
"""Palette indices, rows by columns."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The values at the lower and upper edges of the picture, in the chart's unit."""

    low: Decimal
    high: Decimal


def scale_of(chart: Chart) -> Scale:
    """Return the scale: from zero, or below the largest credit, to a little above the highest point or limit."""
    numbers = [*values(chart), *(Decimal(limit.value) for limit in chart.limits), Decimal()]
    low, high = min(numbers), max(numbers)
    room = (high - low) * _HEADROOM or Decimal(1)
    return Scale(-rounded_up(room - low) if low else low, rounded_up(high + room))


def limit_colour(limit: ChartLimit) -> Colour:
    """Return the colour of a limit's line."""
    return _LIMITS[limit.severity][0]


def chart_png(chart: Chart) -> bytes:
    """Draw the chart on WIDTH by HEIGHT CSS pixels; noise of 96 points takes less than 15 kB, most charts two."""
    return _encoded(_Canvas(chart).drawn())


class _Canvas:
    """The drawing of one chart."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._width, self._height = WIDTH * SHARPNESS, HEIGHT * SHARPNESS
        self._scale = scale_of(chart)

    def drawn(self) -> Pixels:
        """Return the picture: the spend, with the zero line and the limits on top."""
        heights = np.array([self._y(value) for value in values(self._chart)])
        pixels = self._bars(heights) if self._chart.form is ChartForm.BARS else self._area(heights)
        pixels[self._flat(self._y(Decimal()), SHARPNESS)] = _OVER[_GREY]
        columns = np.arange(self._width) // SHARPNESS
        for limit in self._chart.limits:
            colour, (dash, gap) = _LIMITS[limit.severity]
            is_drawn = columns % (dash + gap) < dash
            pixels[self._flat(self._y(Decimal(limit.value)), 2 * SHARPNESS), is_drawn] = _OVER[colour]
        if (column := self._fired()) is not None:
            pixels[:, column] = _OVER[FIRED]
        return pixels

    def _fired(self) -> slice | None:
        """Return the columns of the vertical line where the alert fired, clipped to the picture."""
        share, width = fired_share(self._chart), 2 * SHARPNESS
        if share is None:
            return None
        left = min(max(round(share * self._width - width / 2), 0), self._width - width)
        return slice(left, left + width)

    def _y(self, value: Decimal) -> float:
        """Return a value's distance from the upper edge, in pixels."""
        share = (value - self._scale.low) / (self._scale.high - self._scale.low)
        return self._height * (1 - float(share))

    def _flat(self, y: float, width: int) -> slice:
        """Return the rows of a horizontal line: whole ones for sharpness, clipped to the picture."""
        top = min(max(round(y - width / 2), 0), self._height - width)
        return slice(top, top + width)

    def _area(self, heights: NDArray[np.float64]) -> Pixels:
        """Draw a line through the points, and fill the area between it and zero."""
        half = _LINE_WIDTH * SHARPNESS / 2
        seconds = np.array([(point.at - self._chart.points[0].at).total_seconds() for point in self._chart.points])
        # At the edges of the picture the line would be cut in half.
        heights = np.clip(heights, half, self._height - half)
        line = np.interp(np.linspace(0, seconds[-1], self._width + 1), seconds, heights)
        high, low = np.minimum(line[:-1], line[1:]), np.maximum(line[:-1], line[1:])
        rows = np.arange(self._height)[:, None]
        # A steep line needs more height to look as wide; a limit applies for peaks of one column.
        half = half * np.minimum(np.hypot(1, low - high), _STEEPEST)
        covered = np.clip(np.minimum(rows + 1, low + half) - np.maximum(rows, high - half), 0, 1)
        middle, zero = (high + low) / 2, self._y(Decimal())
        is_filled = (rows >= np.minimum(middle, zero)) & (rows < np.maximum(middle, zero))
        pixels: Pixels = is_filled.astype(np.uint8) + 2 * np.rint(covered * _STEPS).astype(np.uint8)
        return pixels

    def _bars(self, heights: NDArray[np.float64]) -> Pixels:
        """Draw a bar of equal width for each point; even the smallest amount is visible above the zero line."""
        place, offset = np.divmod(np.arange(self._width) * len(heights) / self._width, 1)
        is_bar = (offset >= _GAP_SHARE / 2) & (offset < 1 - _GAP_SHARE / 2)
        zero, least = self._y(Decimal()), _LEAST_BAR * SHARPNESS
        signs = np.array([(value > 0) - (value < 0) for value in values(self._chart)])
        heights = np.where(signs * (zero - heights) < least, zero - signs * least, heights)
        ends = heights[place.astype(np.intp)]
        rows = np.arange(self._height)[:, None]
        covered = (rows >= np.floor(np.minimum(ends, zero))) & (rows < np.ceil(np.maximum(ends, zero))) & is_bar
        return 2 * _STEPS * covered.astype(np.uint8)


def _palette() -> tuple[bytes, bytes]:
    """Return the palette's colours and opacities."""
    colours = b"".join(map(_rgb, [SPEND] * min(_OVER.values()) + list(_OVER)))
    blends = (
        1 - (1 - _AREA_OPACITY * is_area) * (1 - line / _STEPS) for line in range(_STEPS + 1) for is_area in (0, 1)
    )
    return colours, bytes(round(255 * blend) for blend in blends)


def _rgb(colour: Colour) -> bytes:
    return bytes.fromhex(colour[1:])


def _encoded(pixels: Pixels) -> bytes:
    """Return the picture as a PNG file; rows are stored as differences from the row above, mostly zero."""
    height, width = pixels.shape
    filtered = np.full((height, width + 1), 2, np.uint8)
    filtered[:, 1:] = np.diff(pixels, axis=0, prepend=np.zeros((1, width), np.uint8))
    colours, opacities = _palette()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", colours),
        (b"tRNS", opacities),
        (b"IDAT", zlib.compress(filtered.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(starmap(_chunk, chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
