"""Counts in words, which every message and command shares."""

from decimal import Decimal

import pytest

from alertd.core.words import format_count


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 days"),
        (1, "1 day"),
        (2, "2 days"),
        (1000, "1000 days"),
        (Decimal("0.5"), "0.5 days"),
        (Decimal(1), "1 day"),
        (Decimal("1E+1"), "10 days"),
    ],
)
def test_count_then_the_noun_agrees(number: int | Decimal, text: str) -> None:
    """Never "1 days", and never an exponent."""
    assert format_count(number, "day") == text
