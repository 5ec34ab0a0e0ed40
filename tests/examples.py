"""How many cases expensive tests run: some in every run, all in thorough runs."""

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest
from _pytest.mark.structures import ParameterSet
from hypothesis import HealthCheck, settings

ItemT = TypeVar("ItemT")


def how_many(usual: int, *, thorough: int) -> int:
    """Return *thorough* if ALERTD_TEST_THOROUGH is set, as in CI, else *usual*; called while modules are collected."""
    return thorough if "ALERTD_TEST_THOROUGH" in os.environ else usual


def in_turn(cases: Sequence[ItemT], turn: int, *, every: int = 4) -> Sequence[ItemT]:
    """
    Return every *every*-th case, beginning with number *turn*; all of them in thorough runs.

    For tables that several expensive tests share: if each uses its own turn, each run covers every case once.
    """
    return cases[how_many(turn % every, thorough=0) :: how_many(every, thorough=1)]


def rest_slow(cases: Iterable[object], *, fast: int = 1) -> list[ParameterSet]:
    """
    Mark all but the first *fast* cases of a table as slow.

    For tables whose cases each need a process and where one case is representative.
    """
    sets = [each if isinstance(each, ParameterSet) else pytest.param(each) for each in cases]
    return [*sets[:fast], *(each._replace(marks=(*each.marks, pytest.mark.slow)) for each in sets[fast:])]


def examples(usual: int, *, thorough: int) -> settings:
    """Return Hypothesis settings with this many examples and no time limit, because the machine may be busy."""
    return settings(
        max_examples=how_many(usual, thorough=thorough), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
