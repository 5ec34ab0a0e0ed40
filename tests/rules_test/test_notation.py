"""The short notations of test files: what they stand for, and that editors and the loader agree on them."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.alert import Unit
from alertd.core.money import format_usd
from alertd.rules_file.source import Number
from alertd.rules_test.notation import HOURS, Hours, Month, Offset, Value, offset_text, value_text

USD = 10**10


def hours(text: str) -> list[str | None]:
    """The hours of a notation as people read money."""
    return [None if amount is None else format_usd(amount) for amount in Hours.parse(text).amounts]


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        pytest.param("4.2", ["$4.20"], id="one hour"),
        pytest.param("$4.2", ["$4.20"], id="with its sign"),
        pytest.param("4.2x3", ["$4.20"] * 3, id="repeated"),
        pytest.param("_", [None], id="no row"),
        pytest.param("_x2 1", [None, None, "$1.00"], id="no rows, then one"),
        pytest.param("0", ["$0.00"], id="a row of nothing is a row"),
        pytest.param("1+0.5x3", ["$1.00", "$1.50", "$2.00"], id="rising"),
        pytest.param("2-1x3", ["$2.00", "$1.00", "$0.00"], id="falling to nothing"),
        pytest.param("-5 1", ["-$5.00", "$1.00"], id="a credit"),
        pytest.param("  1\n 2  ", ["$1.00", "$2.00"], id="blanks of any kind"),
        pytest.param("1x2h", ["$1.00"] * 2, id="for hours"),
        pytest.param("1x2d", ["$1.00"] * 48, id="for days"),
        pytest.param("1x1w", ["$1.00"] * 168, id="for weeks"),
        pytest.param(Number("30"), ["$30.00"], id="a number without quotes"),
        pytest.param(Number("0x10"), ["$0.00"] * 10, id="YAML takes this for hexadecimal, its author did not"),
    ],
)
def test_hours_when_read_then_stand_for_each_hour(text: str, amounts: list[str | None]) -> None:
    """The notation has to be readable at a glance, so it has to mean one thing."""
    assert hours(text) == amounts


@pytest.mark.parametrize(
    "text", ["", " ", "often", "4.2x", "4.2x0", "x3", "1,2", "1 x3", "1+0.5+1", "--1", "1e3", "1x1y", "9" * 9, "1.2.3"]
)
def test_hours_when_wrong_then_say_how_they_are_written(text: str) -> None:
    """A notation that nobody knows by heart has to teach itself; the schema refuses the same."""
    with pytest.raises(ValueError, match=r"write 4\.2 for one hour"):
        Hours.parse(text)
    assert not re.search(HOURS, text)


@pytest.mark.parametrize("text", ["1x801d", "1x500d 1x500d", "_x801d"])
def test_hours_when_too_many_then_are_refused(text: str) -> None:
    """A typo must not fill the memory."""
    with pytest.raises(ValueError, match="more than 800d"):
        Hours.parse(text)


@given(st.lists(st.tuples(st.none() | st.integers(0, 10**6), st.integers(1, 30)), min_size=1, max_size=8))
def test_hours_when_written_from_parts_then_read_back(parts: list[tuple[int | None, int]]) -> None:
    """Every amount and count comes back exactly, and the pattern of the schema takes what the parser takes."""
    text = " ".join(f"{'_' if cents is None else f'{cents / 100:.2f}'}x{count}" for cents, count in parts)

    expected = [None if cents is None else cents * USD // 100 for cents, count in parts for _ in range(count)]

    assert list(Hours.parse(text).amounts) == expected
    assert re.search(HOURS, text)


@pytest.mark.parametrize(
    ("text", "count"), [("5h", 5), ("2d", 48), ("-7d", -168), ("1d12h", 36), (Number("0"), 0), ("120m", 2)]
)
def test_offset_when_read_then_counts_hours(text: str, count: int) -> None:
    """History before the start is written with a minus."""
    assert Offset.parse(text).hours == count


@pytest.mark.parametrize("value", ["90m", "soon", "-", "--5h", True, None, [1], Number("5"), Number("-3")])
def test_offset_when_wrong_then_is_refused(value: object) -> None:
    """Bills come by whole hours."""
    with pytest.raises(ValueError, match=r"whole number|not an offset|needs a unit"):
        Offset.parse(value)


def test_month_when_wrong_then_is_refused() -> None:
    """Months are text: a number like 2026.02 is none."""
    assert Month.parse("2026-02").text == "2026-02"
    for value in ("2026-2", "2026-00", "26-02", Number("2026"), None):
        with pytest.raises(ValueError, match="not a month"):
            Month.parse(value)


@pytest.mark.parametrize(
    ("written", "value", "unit", "fits"),
    [
        pytest.param("$58.80", "58.8", Unit.USD, True, id="money"),
        pytest.param("58.80 USD", "58.8", Unit.USD, True, id="money by its code"),
        pytest.param("$58.80", "58.8000000001", Unit.USD, False, id="money is exact"),
        pytest.param(Number("58.80"), "58.8", Unit.USD, True, id="a number of dollars"),
        pytest.param("83%", "0.83", Unit.RATIO, True, id="a share"),
        pytest.param("83%", "0.834", Unit.RATIO, True, id="a share to the digits written"),
        pytest.param("83.0%", "0.834", Unit.RATIO, False, id="more digits ask for more"),
        pytest.param(Number("3.33"), "3.333333", Unit.RATIO, True, id="a ratio to the digits written"),
        pytest.param(Number("3.34"), "3.333333", Unit.RATIO, False, id="another ratio"),
        pytest.param("250%", "2.5", Unit.RATIO, True, id="a ratio as a share"),
        pytest.param("1d6h", "1.25", Unit.DAYS, True, id="days as a duration"),
        pytest.param("8h", "0.3333333333333333333333333333", Unit.DAYS, True, id="days that no decimal holds"),
        pytest.param("90m", "1.5", Unit.HOURS, True, id="hours"),
        pytest.param(Number("7"), "7", Unit.DAYS, True, id="a number of days"),
        pytest.param("7", "7", Unit.RATIO, True, id="a spike seven times the usual, in quotes"),
        pytest.param("700%", "7", Unit.RATIO, True, id="the same as a share"),
        pytest.param("7", "7", Unit.USD, True, id="dollars in quotes"),
        pytest.param("7", "7", Unit.HOURS, True, id="hours in quotes"),
        pytest.param("2.7", "2.699722", Unit.HOURS, True, id="hours to the digits written"),
        pytest.param("$7", "7", Unit.RATIO, False, id="money is no ratio"),
        pytest.param("2h", "3", Unit.HOURS, False, id="other hours"),
        pytest.param("$3", "3", Unit.HOURS, False, id="dollars are no hours"),
        pytest.param("3h", "3", Unit.USD, False, id="hours are no dollars"),
        pytest.param("83%", "83", Unit.USD, False, id="a share is no money"),
    ],
)
def test_value_when_compared_then_by_its_unit(written: object, value: str, unit: Unit, fits: bool) -> None:
    """Money to the last digit, what cannot be written exactly to the digits that are written."""
    assert Value.parse(written).fits(Decimal(value), unit) is fits


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        ("58.8", Unit.USD, "$58.80"),
        ("1234.5", Unit.USD, "$1,234.50"),
        ("0.0000000001", Unit.USD, "$0.0000000001"),
        ("0.83", Unit.RATIO, "83%"),
        ("3.333333", Unit.RATIO, "333.33%"),
        ("1", Unit.RATIO, "100%"),
        ("1.25", Unit.DAYS, "30h"),
        ("0", Unit.DAYS, "0h"),
        ("7", Unit.DAYS, "7d"),
    ],
)
def test_value_when_shown_then_can_be_copied_into_the_test(value: str, unit: Unit, text: str) -> None:
    """What the report says is what the author writes next."""
    assert value_text(Decimal(value), unit) == text
    assert Value.parse(text).fits(Decimal(value), unit)


def test_offset_when_shown_then_as_it_is_written() -> None:
    """The report speaks in the file's own times."""
    shown = [offset_text(timedelta(hours=count)) for count in (0, 14, 11.5, -48, 96, 102.5)]
    assert shown == ["0h", "14h", "11h30m", "-48h", "4d", "4d6h30m"]
