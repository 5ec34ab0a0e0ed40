"""Money at its edges: text in, exact units inside, text out."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.money import MAX_UNITS, decimal_text, format_usd, parse_exact, parse_written, plain, to_decimal

CENT = 10**8


@pytest.mark.parametrize(
    ("text", "per_usd", "units", "rounded"),
    [
        pytest.param("61.25", 1, 612_500_000_000, False, id="a plain decimal"),
        pytest.param("0.0000000001", 1, 1, False, id="the smallest unit"),
        pytest.param("-3", 1, -30_000_000_000, False, id="a credit"),
        pytest.param("+1.", 1, 10_000_000_000, False, id="a sign and a bare point"),
        pytest.param(".5", 1, 5_000_000_000, False, id="no digit before the point"),
        pytest.param("1e-3", 1, 10_000_000, False, id="an exponent"),
        pytest.param("612500", 10_000, 612_500_000_000, False, id="the API's integers"),
        pytest.param("0.00000000005", 1, 0, True, id="half a unit goes to the even zero"),
        pytest.param("0.00000000015", 1, 2, True, id="one and a half goes to the even two"),
        pytest.param("0.00000000025", 1, 2, True, id="two and a half goes to the even two"),
        pytest.param("-0.00000000015", 1, -2, True, id="negative halves alike"),
        pytest.param("1" + "0" * 30 + "e-30", 1, 10_000_000_000, False, id="digits that the exponent takes away"),
        pytest.param("0." + "0" * 400 + "1", 1, 0, True, id="far finer than a unit"),
        pytest.param("922337203.6854775807", 1, MAX_UNITS, False, id="the largest amount"),
        pytest.param("-922337203.6854775807", 1, -MAX_UNITS, False, id="the smallest amount"),
    ],
)
def test_parse_exact_when_a_number_then_units(text: str, per_usd: int, units: int, rounded: bool) -> None:
    """Money is exact, and what is finer is rounded half-even, and that is said."""
    assert parse_exact(text, per_usd=per_usd) == (units, rounded)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "NaN", "Infinity", "1_0", "\uff11", "0x1", "1,000", "--1", "1e", ".", "e5", "1e10000"]
)
def test_parse_exact_when_no_number_then_refuses(text: str) -> None:
    """Decimal() accepts more than the API may mean."""
    with pytest.raises(ValueError, match="not a decimal number"):
        parse_exact(text)


@pytest.mark.parametrize("text", ["922337203.6854775808", "-1e9", "1e999"])
def test_parse_exact_when_too_large_then_overflow_is_an_error(text: str) -> None:
    """A wrapped amount would hide a fortune."""
    with pytest.raises(OverflowError, match="922 million"):
        parse_exact(text)


@given(st.integers(-MAX_UNITS, MAX_UNITS))
def test_parse_exact_when_reading_what_decimal_text_wrote_then_same(units: int) -> None:
    """Text is how money leaves and comes back, so nothing may be lost on the way."""
    text = decimal_text(units)
    assert parse_exact(text) == (units, False)
    assert Fraction(text) == Fraction(units, 10**10)
    assert "e" not in text.lower()
    assert not ("." in text and text.endswith("0"))
    assert to_decimal(units) == Decimal(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**8), max_value=10**8, places=14))
def test_parse_exact_when_finer_than_a_unit_then_nearest_even(value: Decimal) -> None:
    """Python's own round() of a Fraction is half-even too, and knows nothing of decimals."""
    exact = Fraction(value) * 10**10
    assert parse_exact(f"{value:f}") == (round(exact), exact.denominator != 1)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        pytest.param("50", 5000 * CENT, id="dollars"),
        pytest.param("50.25", 5025 * CENT, id="dollars and cents"),
        pytest.param("$1,200", 120_000 * CENT, id="as written in prose"),
        pytest.param("$1,234,567.89", 123_456_789 * CENT, id="millions"),
        pytest.param("50 USD", 5000 * CENT, id="the currency behind"),
        pytest.param("usd 50", 5000 * CENT, id="the currency before, lower case"),
        pytest.param(" $ 5 ", 500 * CENT, id="blanks around"),
        pytest.param("0.0000000001", 1, id="the smallest unit"),
    ],
)
def test_parse_written_when_an_amount_then_units(text: str, units: int) -> None:
    """These are the forms that the rules file allows."""
    assert parse_written(text) == units


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        pytest.param("fifty", 'write 50, 50.25, "$1,200" or "50 USD"', id="a word"),
        pytest.param("50 EUR", "USD only", id="another currency"),
        pytest.param("€50", "USD only", id="another sign"),
        pytest.param("-5", "is not an amount", id="less than nothing"),
        pytest.param("1,20", "is not an amount", id="a comma for a point"),
        pytest.param("12,00", "is not an amount", id="badly grouped"),
        pytest.param("1e3", "is not an amount", id="an exponent"),
        pytest.param("0.00000000001", "finer than", id="finer than the smallest unit"),
        pytest.param("922,337,204", "922 million", id="too large"),
    ],
)
def test_parse_written_when_no_amount_then_says_the_remedy(text: str, remedy: str) -> None:
    """The text of the error is all that the author of the file sees."""
    with pytest.raises(ValueError, match=re.escape(remedy)):
        parse_written(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        pytest.param(0, "$0.00", id="nothing"),
        pytest.param(123_457 * CENT, "$1,234.57", id="thousands"),
        pytest.param(CENT, "$0.01", id="a cent"),
        pytest.param(42 * CENT // 100, "$0.0042", id="below a cent"),
        pytest.param(9_999_999_9, "$0.01", id="nearly a cent rounds to one"),
        pytest.param(1, "$0.0000000001", id="the smallest unit"),
        pytest.param(-1, "-$0.0000000001", id="the smallest credit"),
        pytest.param(-5 * CENT * 100, "-$5.00", id="a credit"),
        pytest.param(CENT * 3 // 2, "$0.02", id="half a cent goes to the even cent"),
        pytest.param(CENT * 5 // 2, "$0.02", id="two and a half cents go to the even cent"),
        pytest.param(99_999_999_9999, "$100.00", id="nines carry over"),
        pytest.param(MAX_UNITS, "$922,337,203.69", id="the largest"),
    ],
)
def test_format_usd_when_read_by_people_then_short_and_never_nothing(amount: int, text: str) -> None:
    """A cost that is not zero must not read as $0.00."""
    assert format_usd(amount) == text


@pytest.mark.parametrize(
    ("value", "text"), [("1E+2", "100"), ("100.00", "100"), ("0.10", "0.1"), ("0E-5", "0"), ("-0.0", "0")]
)
def test_plain_when_normalised_then_no_exponent_and_no_minus_zero(value: str, text: str) -> None:
    """Values go to JSON and messages as they are."""
    assert f"{plain(Decimal(value)):f}" == text
