"""Two sums of the same money: from which difference on they are said to differ, and by how much."""

from fractions import Fraction

import pytest

from alertd.core.rules.reconcile import Comparison
from tests.core.builders import usd


@pytest.mark.parametrize(
    ("first", "second", "share", "word"),
    [
        pytest.param("100", "100.01", Fraction(0), "less", id="a cent less: rounding"),
        pytest.param("100.01", "100", Fraction(0), "more", id="a cent more: rounding"),
        pytest.param("100", "100.0100000001", Fraction("0.000100000001"), "less", id="the least that is none"),
        pytest.param("100", "95", Fraction(1, 20), "more", id="a share of the first"),
        pytest.param("95", "100", Fraction(1, 19), "less", id="whichever is larger"),
        pytest.param("-10", "-5", Fraction(1, 2), "less", id="credits"),
        pytest.param("0", "5", Fraction(1), "less", id="nothing against something"),
        pytest.param("0", "0.01", Fraction(0), "less", id="nothing against a cent"),
    ],
)
def test_difference_when_two_sums_are_compared_then_a_share_of_the_first_beyond_a_cent(
    first: str, second: str, share: Fraction, word: str
) -> None:
    """Bills are rounded to cents, rows are not."""
    found = Comparison(int(usd(first)), int(usd(second)))
    assert (found.share, found.more_or_less) == (share, word)
