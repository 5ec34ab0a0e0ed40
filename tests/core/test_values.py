"""Values as programs and people read them: never nearer to a threshold than they are."""

from decimal import Decimal

import pytest

from alertd.core.alert import Unit
from alertd.core.severity import Severity
from alertd.core.values import exact_text, format_value, threshold_text


@pytest.mark.parametrize(
    ("value", "unit", "is_below", "text"),
    [
        pytest.param("61.2500", Unit.USD, False, "61.25", id="no zeros behind"),
        pytest.param("1E+3", Unit.USD, False, "1000", id="no exponent"),
        pytest.param("0.00000000019", Unit.USD, False, "0.0000000001", id="money, to 1e-10"),
        pytest.param("0.9999999", Unit.RATIO, False, "0.999999", id="a share under its threshold stays under it"),
        pytest.param("2.0000001", Unit.DAYS, True, "2.000001", id="days above the threshold stay above it"),
        pytest.param("2", Unit.DAYS, True, "2", id="a whole number is itself"),
        pytest.param("-0.0000001", Unit.RATIO, False, "-0.000001", id="below zero, away from it"),
    ],
)
def test_value_when_written_for_programs_then_rounding_reaches_no_threshold(
    value: str, unit: Unit, is_below: bool, text: str
) -> None:
    assert exact_text(Decimal(value), unit, is_below=is_below) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        pytest.param("61.25", Unit.USD, "$61.25", id="money"),
        pytest.param("0.83", Unit.RATIO, "83 %", id="a share"),
        pytest.param("7.5", Unit.DAYS, "7 d 12 h", id="days"),
        pytest.param("3", Unit.HOURS, "3 h", id="hours"),
        pytest.param("0", Unit.DAYS, "0 d", id="no days"),
        pytest.param("0", Unit.HOURS, "0 h", id="no hours"),
    ],
)
def test_value_when_shown_then_with_its_unit_and_its_side_of_a_threshold(value: str, unit: Unit, text: str) -> None:
    assert format_value(Decimal(value), unit) == text
    assert threshold_text(Severity.CRITICAL, Decimal(value), unit, is_below=False) == f"critical from {text}"
    assert threshold_text(Severity.WARNING, Decimal(value), unit, is_below=True) == f"warning at or below {text}"
