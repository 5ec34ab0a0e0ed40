"""Pairing of expectations with what is there, against every way to pair them."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from alertd.rules_test.compare import pair

SETS = st.lists(st.frozensets(st.integers(0, 3), max_size=2), max_size=4)


def most(expected: list[frozenset[int]], got: list[frozenset[int]]) -> int:
    """The most pairs that any order gives; an expectation fits what has all of its numbers."""
    padded = [*got, *[frozenset({-1})] * len(expected)]
    return max(
        sum(one <= other and -1 not in other for one, other in zip(expected, order, strict=False))
        for order in permutations(padded, len(expected))
    )


@given(SETS, SETS)
def test_pairs_when_made_then_as_many_as_can_be(expected: list[frozenset[int]], got: list[frozenset[int]]) -> None:
    """An expectation that names little must not take what one that names more needs."""
    pairing = pair(expected, got, fits=lambda one, other: one <= other, distance=lambda _one, _other: None)

    assert len(expected) - len(pairing.missing) == most(expected, got)
    assert len(got) - len(pairing.unexpected) == most(expected, got)
    assert pairing.changed == ()


def test_rest_when_alike_then_the_nearest_are_paired() -> None:
    """A difference is shown against what was probably meant."""
    pairing = pair(
        [10, 20, 90],
        [21, 12, 50],
        fits=lambda one, other: one == other,
        distance=lambda one, other: abs(one - other) if abs(one - other) < 30 else None,
    )

    assert pairing.changed == ((10, 12), (20, 21))
    assert (pairing.missing, pairing.unexpected) == ((90,), (50,))
