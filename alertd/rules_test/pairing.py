"""Pair expectations with observations: as many exact pairs as possible, then the closest of the rest."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from alertd.core.dataclass import dataclass

E = TypeVar("E")
G = TypeVar("G")


@dataclass(frozen=True, slots=True)
class Pairing(Generic[E, G]):
    """The differences: `changed` holds pairs that are similar but not equal."""

    changed: tuple[tuple[E, G], ...]
    missing: tuple[E, ...]
    unexpected: tuple[G, ...]


def pair(
    expected: Sequence[E], got: Sequence[G], *, fits: Callable[[E, G], bool], distance: Callable[[E, G], int | None]
) -> Pairing[E, G]:
    """
    Pair each expectation with at most one observation.

    Args:
        fits: Whether an observation meets the expectation.
        distance: How far an observation is from the expectation; None if it cannot be the one meant.
    """
    by_expected = _matched(len(expected), len(got), lambda e, g: fits(expected[e], got[g]))
    open_expected = [number for number in range(len(expected)) if number not in by_expected]
    open_got = [number for number in range(len(got)) if number not in by_expected.values()]
    alike = [(far, e, g) for e in open_expected for g in open_got if (far := distance(expected[e], got[g])) is not None]
    changed: dict[int, int] = {}
    for _, e, g in sorted(alike):
        if e not in changed and g not in changed.values():
            changed[e] = g
    return Pairing(
        changed=tuple((expected[e], got[g]) for e, g in sorted(changed.items())),
        missing=tuple(expected[e] for e in open_expected if e not in changed),
        unexpected=tuple(got[g] for g in open_got if g not in changed.values()),
    )


def _matched(left: int, right: int, fits: Callable[[int, int], bool]) -> dict[int, int]:
    """Return a maximum matching, so that a loose expectation leaves room for a stricter one."""
    of_right: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for other in range(right):
            if other in tried or not fits(one, other):
                continue
            tried.add(other)
            if other not in of_right or place(of_right[other], tried):
                of_right[other] = one
                return True
        return False

    for one in range(left):
        place(one, set())
    return {one: other for other, one in of_right.items()}
