"""The picture of a chart, read by a decoder of its own: size, colours at points, opacity, and bytes."""

import struct
import zlib
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alertd.core.alert import Unit
from alertd.core.chart import Chart, ChartForm, ChartLimit, ChartPoint, marked
from alertd.core.severity import Severity
from alertd.notify.chart_png import chart_png, limit_colour, scale_of
from alertd.notify.email.notifier import chart_frame
from tests.builders import NOON, day_chart, rising_chart
from tests.examples import examples

Pixel = tuple[int, int, int, int]
CLEAR, BLUE, GREY = (0x2F, 0x80, 0xED, 0), (0x2F, 0x80, 0xED, 255), (0x80, 0x88, 0x91, 255)
AREA = (0x2F, 0x80, 0xED, 64)
ORANGE, RED = (0xD9, 0x77, 0x06, 255), (0xE5, 0x38, 0x3B, 255)


def decoded(png: bytes) -> list[list[Pixel]]:
    """Read a PNG as https://www.w3.org/TR/png-3/ has it, as far as a picture with a palette needs."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + data),)
        assert kind not in chunks
        chunks[kind] = data
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    width, height, depth, colour_type, compression, filtering, interlace = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour_type, compression, filtering, interlace) == (8, 3, 0, 0, 0)
    colours, opacities = chunks[b"PLTE"], chunks[b"tRNS"].ljust(256, b"\xff")
    palette = [(*colours[3 * n : 3 * n + 3], opacities[n]) for n in range(len(colours) // 3)]
    raw, above, rows = zlib.decompress(chunks[b"IDAT"]), bytes(width), []
    assert len(raw) == height * (width + 1)
    for start in range(0, len(raw), width + 1):
        assert raw[start] == 2
        above = bytes((a + b) % 256 for a, b in zip(raw[start + 1 : start + 1 + width], above, strict=True))
        rows.append([palette[place] for place in above])
    return rows


def column(rows: list[list[Pixel]], share: float) -> list[Pixel]:
    """The pixels from the top down at a share of the width."""
    x = min(round(share * len(rows[0])), len(rows[0]) - 1)
    return [row[x] for row in rows]


def flat(*amounts: str, form: ChartForm = ChartForm.LINE, limit: str | None = None) -> Chart:
    points = tuple(ChartPoint(at=NOON + n * timedelta(hours=1), value=amount) for n, amount in enumerate(amounts))
    limits = (ChartLimit(name="warning", value=limit, severity=Severity.WARNING),) if limit else ()
    return Chart(title="x", unit=Unit.USD, form=form, points=points, limits=limits)


def test_picture_then_is_twice_as_sharp_as_it_is_large_and_small_in_bytes() -> None:
    """Sharp on a phone; a few kilobytes in a mailbox."""
    png = chart_png(rising_chart())
    rows = decoded(png)
    assert (len(rows), {len(row) for row in rows}) == (280, {1200})
    assert len(png) < 3000
    assert chart_png(rising_chart()) == png


def test_line_then_runs_through_the_points_over_a_filled_area() -> None:
    """From $0 to $100 in a picture of $110: half way it is 50/110 above the ground, and all below it is filled."""
    rows = decoded(chart_png(flat("0", "50", "100")))
    middle = column(rows, 0.5)
    y = round(280 * (1 - 50 / 110))
    assert middle[y] == BLUE
    assert middle[y - 10] == CLEAR
    assert middle[y + 10] == AREA
    assert middle[-3] == AREA
    assert middle[-1] == GREY
    assert column(rows, 0.02)[y] == CLEAR


def test_line_then_lies_where_its_time_is() -> None:
    """The last stretch of a running period is short: it must not look like a whole day."""
    chart = flat("0", "0", "100")
    first, _, last = chart.points
    late = Chart(
        title="x",
        unit=Unit.USD,
        form=ChartForm.LINE,
        points=(
            first,
            ChartPoint(at=first.at + timedelta(hours=9), value="0"),
            ChartPoint(at=last.at + timedelta(hours=8), value="100"),
        ),
    )
    rows = decoded(chart_png(late))
    assert BLUE not in column(rows, 0.85)[:200]
    assert BLUE in column(rows, 0.95)[:200]


def test_bars_then_stand_in_their_places_with_gaps_between() -> None:
    """$100 and $50 of $110, a quarter each, and nothing: the second quarter is empty."""
    rows = decoded(chart_png(flat("100", "0", "50", "100", form=ChartForm.BARS)))
    tall, none, half = (column(rows, share) for share in (0.125, 0.375, 0.625))
    assert tall[round(280 * (1 - 100 / 110)) + 3] == BLUE
    assert tall[round(280 * (1 - 100 / 110)) - 3] == CLEAR
    assert set(none) == {CLEAR, GREY}
    assert half.index(BLUE) in range(round(280 * (1 - 50 / 110)) - 2, round(280 * (1 - 50 / 110)) + 2)
    assert BLUE not in column(rows, 0.25)


def test_least_amount_then_still_shows_as_a_bar() -> None:
    """Little is more than nothing."""
    rows = decoded(chart_png(flat("0.01", "0", "100", form=ChartForm.BARS)))
    assert BLUE in column(rows, 1 / 6)
    assert BLUE not in column(rows, 3 / 6)


def test_limits_then_are_dashed_lines_in_colours_of_their_own() -> None:
    """They differ by their dashes too, for who cannot tell orange from red."""
    rows = decoded(chart_png(rising_chart()))
    warning, critical = (rows[round(280 * (1 - value / 110))] for value in (50, 100))
    assert ORANGE in warning
    assert RED in critical
    assert RED not in warning
    runs = [[row.count(colour), row.count(CLEAR)] for row, colour in ((warning, ORANGE), (critical, RED))]
    assert runs[0][0] < runs[1][0]
    assert CLEAR in critical


@pytest.mark.parametrize(
    ("hours", "first"), [pytest.param(0, 0, id="the left edge"), pytest.param(9, 1196, id="the right edge")]
)
def test_mark_when_the_alert_fired_at_an_edge_then_its_whole_width_is_in_the_picture(hours: int, first: int) -> None:
    """Half a line, or none, is what an alert that has just fired would have."""
    rows = decoded(chart_png(marked(flat("50", "50", "100"), NOON + hours * timedelta(hours=1))))
    is_grey = [all(row[x] == GREY for row in rows) for x in range(len(rows[0]))]
    assert [x for x, is_drawn in enumerate(is_grey) if is_drawn] == list(range(first, first + 4))


def test_limit_above_everything_then_is_within_the_picture() -> None:
    """A chart of its highest line alone shows that line whole."""
    rows = decoded(chart_png(flat("1", "2", limit="1000000")))
    assert sum(ORANGE in row for row in rows) == 4


def test_credits_then_hang_below_the_line_of_nothing() -> None:
    """A month of refunds is no month of nothing."""
    rows = decoded(chart_png(flat("-100", "100", form=ChartForm.BARS)))
    credit, spend = column(rows, 0.25), column(rows, 0.75)
    zero = next(y for y, pixel in enumerate(credit) if pixel == GREY)
    assert zero in range(135, 145)
    assert (credit[zero - 20], credit[zero + 20]) == (CLEAR, BLUE)
    assert (spend[zero - 20], spend[zero + 20]) == (BLUE, CLEAR)


def luminance(colour: str) -> float:
    """Relative luminance as https://www.w3.org/TR/WCAG22/#dfn-relative-luminance has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["#ffffff", "#1f1f1f", "#000000"])
@pytest.mark.parametrize("severity", [None, *Severity, "spend"])
def test_colours_then_stand_out_in_the_light_and_in_the_dark(ground: str, severity: object) -> None:
    """One picture serves both, since a mail cannot know; 3 to 1 is what WCAG 1.4.11 asks for."""
    limit = ChartLimit(name="x", value="1", severity=severity if isinstance(severity, Severity) else None)
    colour = "#2f80ed" if severity == "spend" else limit_colour(limit)
    bright, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 3


numbers = st.integers(-(10**18), 10**18).map(str) | st.sampled_from(["0", "0.0000000001", "61.25"])


@examples(4, thorough=25)
@given(
    st.lists(numbers, min_size=1, max_size=96), st.sampled_from(ChartForm), st.lists(numbers, max_size=4), st.booleans()
)
@example([str(n * 7919 % 100) for n in range(96)], ChartForm.LINE, ["20", "50", "80"], False)
@example(["0"], ChartForm.LINE, [], False)
def test_any_chart_then_is_a_whole_picture_below_15_kb(
    amounts: list[str], form: ChartForm, lines: list[str], is_one_instant: bool
) -> None:
    """Mails stay small and no amount stops one."""
    step = timedelta() if is_one_instant else timedelta(hours=1)
    chart = Chart(
        title="x",
        unit=Unit.USD,
        form=form,
        points=tuple(ChartPoint(at=NOON + n * step, value=amount) for n, amount in enumerate(amounts)),
        limits=tuple(ChartLimit(name="x", value=value) for value in lines),
    )
    png = chart_png(chart)
    assert len(decoded(png)) == 280
    assert len(png) < 15_000
    scale = scale_of(chart)
    assert scale.low < scale.high


def test_frame_then_names_the_scale_the_dates_and_every_line() -> None:
    """The picture has no text: all of it stands around."""
    frame = chart_frame(rising_chart(timezone="Europe/Berlin", note="so far"), "id@x")
    assert (frame.low, frame.high, frame.first, frame.last) == (
        "$0.00",
        "$110.00",
        "Jan 9 13:00",
        "Jan 10 13:00 Europe/Berlin",
    )
    assert [words for words, _ in frame.key] == [
        "From $3.10 (Jan 9 13:00) to $61.25 (Jan 10 13:00 CET)",
        "warning $50.00 reached Jan 10 11:00",
        "critical $100.00 not reached",
    ]
    assert chart_frame(day_chart(), "id@x").last == "Jan 10"
