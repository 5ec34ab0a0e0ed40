"""Counts in words, which every message and command shares."""

from decimal import Decimal

import pytest

from alertd.core.words import format_count, format_list


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


@pytest.mark.parametrize(
    ("names", "text"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["gpu"], "gpu", id="one"),
        pytest.param(["gpu", "llm"], "gpu and llm", id="two"),
        pytest.param(["gpu", "llm", "web_search"], "gpu, llm and web_search", id="three"),
    ],
)
def test_names_when_listed_then_as_in_a_sentence(names: list[str], text: str) -> None:
    """A message with "gpu and llm and web_search" reads like a mistake."""
    assert format_list(names) == text
