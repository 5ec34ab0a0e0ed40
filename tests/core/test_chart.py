"""Charts in words and in text: what they say of limits, how instants are called, how many points are left."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import Unit
from alertd.core.chart import (
    Chart,
    ChartForm,
    ChartLimit,
    ChartPoint,
    axis_labels,
    chart_line,
    chart_words,
    fired_point,
    fired_share,
    labels,
    marked,
    read_by,
    thinned,
    values,
)
from alertd.core.messages.message import plain_text
from alertd.core.severity import Severity
from tests.builders import day_chart, firing_message, report_message, rising_chart

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 10, 8, tzinfo=UTC)


def chart(*amounts: str, form: ChartForm = ChartForm.LINE, limit: str = "50", step: timedelta = HOUR) -> Chart:
    """One limit, and a point an hour from 08:00 on, each hour by itself."""
    reached = [Decimal(amount) >= Decimal(limit) for amount in amounts]
    crossed = [n for n in range(1, len(amounts)) if reached[n] != reached[n - 1]]
    changed_at = START + crossed[-1] * step if crossed else None
    return Chart(
        title="Spend",
        unit=Unit.USD,
        form=form,
        points=tuple(ChartPoint(at=START + n * step, value=amount) for n, amount in enumerate(amounts)),
        limits=(ChartLimit(name="warning", value=limit, severity=Severity.WARNING, changed_at=changed_at),),
    )


@pytest.mark.parametrize(
    ("amounts", "form", "words"),
    [
        pytest.param(["3.1", "49.9999999999"], "line", "warning $50.00 not reached", id="a hair below"),
        pytest.param(["3", "50"], "line", "warning $50.00 reached Jan 10 09:00", id="met exactly"),
        pytest.param(["60", "50"], "line", "above warning $50.00 all along", id="never below"),
        pytest.param(["3", "60", "70"], "line", "warning $50.00 reached Jan 10 09:00", id="when first above"),
        pytest.param(["60", "3", "70"], "line", "warning $50.00 reached Jan 10 10:00", id="when last above"),
        pytest.param(["3", "60", "3"], "line", "below warning $50.00 again since Jan 10 10:00", id="back below"),
        pytest.param(["60", "3", "3"], "line", "below warning $50.00 again since Jan 10 09:00", id="since when"),
        pytest.param(["-5"], "line", "warning $50.00 not reached", id="one point"),
        pytest.param(["60", "3"], "bars", "warning $50.00 not reached at last", id="the last bar is below"),
        pytest.param(["3", "50"], "bars", "warning $50.00 reached at last", id="the last bar is not"),
    ],
)
def test_words_when_the_line_runs_so_then_say_when_the_limit_was_reached(
    amounts: list[str], form: str, words: str
) -> None:
    """Who cannot see the line is given what it shows, as exact values."""
    assert chart_words(chart(*amounts, form=ChartForm(form))).endswith(f"; {words}.")


@pytest.mark.parametrize(
    ("drawn", "line", "words"),
    [
        pytest.param(
            rising_chart(),
            "▂▂▂▂▂▂▃▄▄▅▆▇█ Spend in 24h, rolling",
            "From $3.10 (Jan 9 12:00) to $61.25 (Jan 10 12:00 UTC); warning $50.00 reached Jan 10 10:00; "
            "critical $100.00 not reached.",
            id="a line",
        ),
        pytest.param(
            rising_chart(timezone="Asia/Tokyo", note="so far"),
            "▂▂▂▂▂▂▃▄▄▅▆▇█ Spend in 24h, rolling; so far",
            "From $3.10 (Jan 9 21:00) to $61.25 (Jan 10 21:00 JST); warning $50.00 reached Jan 10 19:00; "
            "critical $100.00 not reached.",
            id="in another zone",
        ),
        pytest.param(
            day_chart(),
            "▄▁▂▆█▂▅▅ Spend by day; the first and the last day in part",
            "At most $30.00 (Jan 7), at last $15.00 (Jan 10).",
            id="bars of days",
        ),
        pytest.param(
            chart("1", "0", form=ChartForm.BARS), "█▁ Spend",
            "At most $1.00 (Jan 10 08:00), at last $0.00 (Jan 10 09:00 UTC); warning $50.00 not reached at last.",
            id="bars of hours",
        ),
    ],
)  # fmt: skip
def test_chart_when_shown_as_text_then_reads_like_this(drawn: Chart, line: str, words: str) -> None:
    """The same two lines in mail, on the console and where Slack draws nothing."""
    assert (chart_line(drawn), chart_words(drawn)) == (line, words)
    shown = plain_text(firing_message(chart=drawn)).splitlines()
    assert shown[shown.index(line) + 1] == words


def test_chart_when_longer_than_a_line_then_says_what_a_bar_stands_for() -> None:
    """Three months by the day are more than a terminal is wide."""
    long = chart_line(chart(*["1"] * 93, form=ChartForm.BARS))
    assert long == f"{'█' * 47} Spend; each bar the mean of 2"


def test_label_when_clocks_are_set_back_then_no_two_are_the_same() -> None:
    """Slack refuses two points of one label."""
    night = chart("1", "2", "3", "4")
    begun = datetime(2026, 10, 24, 23, tzinfo=UTC)
    points = tuple(replace(point, at=begun + n * HOUR) for n, point in enumerate(night.points))
    night = replace(night, points=points, timezone="Europe/Berlin")
    assert labels(night) == ["Oct 25 01:00 CEST", "Oct 25 02:00 CEST", "Oct 25 02:00 CET", "Oct 25 03:00 CET"]
    assert axis_labels(night) == labels(night)


def test_axis_labels_when_a_time_comes_once_then_the_date_stands_only_where_it_begins() -> None:
    """Twelve dates side by side are drawn over each other."""
    begun = datetime(2026, 3, 10, 22, tzinfo=UTC)

    def axis(count: int, **changes: object) -> list[str]:
        drawn = chart(*["1"] * count)
        points = tuple(replace(point, at=begun + n * HOUR) for n, point in enumerate(drawn.points))
        return axis_labels(replace(drawn, points=points, **changes))  # type: ignore[arg-type]

    assert axis(4) == ["Mar 10", "23:00", "Mar 11", "01:00"]
    assert axis(4, timezone="Asia/Tokyo") == ["Mar 11", "08:00", "09:00", "10:00"]
    assert len(set(axis(25))) == 25
    assert axis(28)[-3:] == ["11 23h", "Mar 12", "12 01h"], "a time that comes twice has its day"
    assert axis(28, timezone="Asia/Kolkata")[-2:] == ["12 05:30", "12 06:30"]
    assert len(set(axis(28))) == 28
    assert axis(1, is_by_day=True) == ["Mar 10"]


amounts = st.lists(st.integers(-(10**12), 10**12).map(str), min_size=1, max_size=96)


@given(amounts, st.integers(2, 60))
def test_thinned_line_then_keeps_the_last_point_and_invents_none(drawn: list[str], most: int) -> None:
    """What is left out of a line is no amount; the present value is what the message is about."""
    whole = chart(*drawn)
    thin = thinned(whole, most)
    assert len(thin.points) <= most
    assert thin.points[-1] == whole.points[-1]
    assert set(thin.points) <= set(whole.points)
    assert thin is whole or len(whole.points) > most


@given(amounts, st.integers(2, 60))
def test_thinned_bars_then_stand_for_all_that_was_spent(drawn: list[str], most: int) -> None:
    """A bar of several days is their mean, so that a last one of fewer still compares."""
    whole = chart(*drawn, form=ChartForm.BARS)
    thin = thinned(whole, most)
    assert len(thin.points) <= most
    together = -(-len(drawn) // most)
    sizes = [len(drawn[start : start + together]) for start in range(0, len(drawn), together)]
    total = sum((mean * size for mean, size in zip(values(thin), sizes, strict=True)), Decimal())
    assert abs(total - sum(map(Decimal, drawn))) <= Decimal("1e-8")
    assert (f"mean of {together}" in thin.note) == (together > 1)


def test_report_without_spend_then_has_a_chart_all_the_same() -> None:
    """A quiet week is a fact too."""
    quiet = day_chart(points=tuple(replace(point, value="0") for point in day_chart().points))
    assert "▁▁▁▁▁▁▁▁ Spend by day" in plain_text(report_message(chart=quiet))


@pytest.mark.parametrize(
    ("form", "minutes", "point", "share"),
    [
        pytest.param("line", -1, None, None, id="before the chart: not marked"),
        pytest.param("line", 0, 0, 0.0, id="at its first point"),
        pytest.param("line", 60, 1, 0.5, id="at a point: that one"),
        pytest.param("line", 61, 2, 61 / 120, id="between two: the later one, which has what was billed by then"),
        pytest.param("line", 120, 2, 1.0, id="at the last point"),
        pytest.param("line", 300, 2, 1.0, id="later: at the edge"),
        pytest.param("bars", 0, 0, 0.5 / 3, id="at a bar's beginning: in that bar"),
        pytest.param("bars", 59, 0, 0.5 / 3, id="in a bar"),
        pytest.param("bars", 60, 1, 0.5, id="in the next one"),
        pytest.param("bars", 300, 2, 2.5 / 3, id="later: in the last one"),
    ],
)
def test_mark_when_the_alert_fired_then_stands_at_or_in_the_point_of_that_moment(
    form: str, minutes: int, point: int | None, share: float | None
) -> None:
    """Page, picture and words read the mark from here."""
    drawn = marked(chart("3", "60", "70", form=ChartForm(form)), START + timedelta(minutes=minutes))
    assert (fired_point(drawn), fired_share(drawn)) == (point, share)


def test_mark_when_a_chart_has_one_point_then_at_its_edge() -> None:
    """There is no length to take a share of."""
    assert fired_share(marked(chart("60"), START)) == 1.0


@pytest.mark.parametrize(
    ("timezone", "is_by_day", "found"),
    [("UTC", False, "Asia/Tokyo"), ("UTC", True, "UTC"), ("Europe/Berlin", False, "Europe/Berlin")],
    ids=["hours", "days, which begin by the rule's zone", "a rule of its own zone"],
)
def test_chart_when_read_in_another_zone_then_only_hours_in_utc_are_shown_by_it(
    timezone: str, is_by_day: bool, found: str
) -> None:
    drawn = replace(chart("1", "2"), timezone=timezone, is_by_day=is_by_day)
    assert read_by(drawn, "Asia/Tokyo") == replace(drawn, timezone=found)
