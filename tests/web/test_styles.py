"""Pages are valid HTML whatever the data says, and say what the models chose."""

from dataclasses import replace
from fractions import Fraction

import html5lib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alertd.core.hours import HourRange
from alertd.core.money import Usd
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.data_state import DataState
from alertd.core.spend.steps import SpendSteps, StepSums, steps_of, sum_steps
from alertd.web.drawing import WIDTH, budget_bar, spend_drawing
from alertd.web.spend_panel import Choice, GroupBy, Window, spend_panel, step_rows
from alertd.web.styles import page
from tests.core.builders import NOW, RUNNING, SETTLE, Desk, Row, a_series
from tests.examples import examples

CHOICE = Choice(window=Window.DAY, by=GroupBy.OWNER)


def found_of(desk: Desk, most: int = 8) -> SpendSteps:
    """A day of what a desk filed, by owner."""
    data = DataState(books=desk.books, now=NOW, settle_delay=SETTLE)
    steps = steps_of(24, data)
    assert steps is not None
    sums = StepSums(desk.table, steps)
    for (_, _, hour), block in desk.blocks.items():
        sums.add(hour, block)
    return sum_steps(sums, data, by="owner", owners=OwnerDirectory(), most=most)


def spend_page(names: list[str]) -> str:
    """The page of spend by owner, for owners of these names."""
    desk = Desk()
    rows = [Row(series=a_series(name), hour=RUNNING - 2 - n % 5, amount=10**10) for n, name in enumerate(names)]
    desk.read(rows, HourRange(RUNNING - 30, RUNNING + 1))
    found = found_of(desk)
    context = {
        "panel": spend_panel(found, CHOICE, OwnerDirectory()),
        "rows": step_rows(found),
        "choice": CHOICE,
        "windows": tuple(Window),
        "groupings": tuple(GroupBy),
        "months": ("2026-01",),
        "visitor": None,
        "can_sign_in": True,
        "notice": None,
        "refresh_s": 600,
        "here": "/spend",
        "mark": "m",
    }
    text = page("spend.html", context).text
    assert text is not None
    return text


@given(names=st.lists(st.text(max_size=30), min_size=1, max_size=12, unique=True))
@examples(5, thorough=60)
def test_page_whatever_owners_are_called_then_is_valid_html(names: list[str]) -> None:
    """A strict parser finds no error, and no name becomes an element or the end of a script."""
    text = spend_page(names)
    tree = html5lib.HTMLParser(strict=True).parse(text)
    plain = spend_page([f"owner-{n}" for n in range(len(names))])
    assert len(list(tree.iter())) == len(list(html5lib.HTMLParser(strict=True).parse(plain).iter()))


@pytest.mark.parametrize(
    "name", ["\x00", "\x1b[31m", "\ud800", "\u202egpj.exe", "\ufffe", "</script>", "<!--", "{{ 7 * 7 }}", "'\"><b>"]
)
def test_page_when_a_name_is_no_text_for_html_then_is_readable_all_the_same(name: str) -> None:
    """Names come from JSON, which can hold anything."""
    text = spend_page([name])
    html5lib.HTMLParser(strict=True).parse(text)
    assert text.encode()
    assert "49" not in text.partition("<tbody>")[2].partition("</th>")[0]


@given(
    amounts=st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=20),
)
@example(amounts=[-1, 2])
@examples(5, thorough=60)
def test_bars_then_stay_inside_their_box_and_stand_on_nothing(amounts: list[int]) -> None:
    """Piles of spend and of credits never leave the picture."""
    desk = Desk()
    rows = [Row(series=a_series(f"o{n}"), hour=RUNNING - 2, amount=amount) for n, amount in enumerate(amounts)]
    desk.read(rows, HourRange(RUNNING - 30, RUNNING + 1))
    drawing = spend_drawing(found_of(desk, most=3))
    assert 0 <= drawing.zero <= drawing.height
    covered = 0
    for path in drawing.paths:
        for bar in filter(None, path.split("z")):
            y, height = int(bar.partition(" ")[2].partition("h")[0]), int(bar.partition("v")[2].partition("h")[0])
            assert 0 <= y < y + height <= drawing.height
            assert y + height <= drawing.zero or y >= drawing.zero
            covered += height
    if any(amounts):
        assert covered <= drawing.height


@pytest.mark.parametrize(
    ("share", "forecast", "spent", "full"),
    [
        pytest.param("0.5", None, 500, 1000, id="half of it"),
        pytest.param("0.5", "1.25", 400, 800, id="the forecast is the longest"),
        pytest.param("4", None, 1000, 500, id="far over"),
        pytest.param("-0.1", "0", 0, 1000, id="a credit"),
    ],
)
def test_budget_bar_then_its_longest_part_fills_it(share: str, forecast: str | None, spent: int, full: int) -> None:
    """What is over must be seen to be over."""
    ahead = Fraction(forecast) if forecast is not None else None
    bar = budget_bar(share=Fraction(share), forecast=ahead, elapsed=Fraction(1, 2))
    assert (bar.spent, bar.full) == (spent, full)
    assert max(bar.spent, bar.forecast, bar.full) == WIDTH


def test_table_when_nothing_was_read_of_a_step_then_reports_no_amount() -> None:
    """A zero that nobody read is a lie."""
    desk = Desk()
    desk.read([], HourRange(RUNNING - 30, RUNNING - 9))
    desk.read([], HourRange(RUNNING - 5, RUNNING + 1))
    rows = dict(zip(range(RUNNING - 3, RUNNING - 27, -1), step_rows(found_of(desk)), strict=True))
    assert (rows[RUNNING - 6].total, rows[RUNNING - 6].note) == ("", "not known")
    assert (rows[RUNNING - 26].total, rows[RUNNING - 26].note) == ("$0.00", "")


def test_script_data_then_are_whole_numbers_of_a_hundredth_of_a_cent() -> None:
    """Nothing is lost to binary fractions before it is a pixel."""
    desk = Desk()
    desk.read([Row(series=a_series(), hour=RUNNING - 2, amount=123_456_789)], HourRange(RUNNING - 30, RUNNING + 1))
    found = found_of(desk)
    panel = spend_panel(replace(found, total=Usd(0)), CHOICE, OwnerDirectory())
    groups = panel.data["groups"]
    assert isinstance(groups, list)
    assert [amount for amount in groups[0]["amounts"] if amount] == [123]
    assert panel.rows[0].share == ""
