"""How many examples a costly property is tried on: some each time, and all where time matters less."""

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest
from _pytest.mark.structures import ParameterSet
from hypothesis import HealthCheck, settings

ItemT = TypeVar("ItemT")


def how_many(usual: int, *, thorough: int) -> int:
    """Return *thorough* where ALERTD_TEST_THOROUGH is set, as in CI; asked while modules are collected."""
    return thorough if "ALERTD_TEST_THOROUGH" in os.environ else usual


def in_turn(cases: Sequence[ItemT], turn: int, *, every: int = 4) -> Sequence[ItemT]:
    """
    Return every fourth case or the like, from the one of this turn on, and all of them where time matters less.

    For tables that several costly tests go through: each case is in one of them each time.
    """
    return cases[how_many(turn % every, thorough=0) :: how_many(every, thorough=1)]


def rest_slow(cases: Iterable[object], *, fast: int = 1) -> list[ParameterSet]:
    """
    Mark all but the first *fast* cases of a table as slow.

    For tables of which one member shows the way, and each further member costs a process.
    """
    sets = [each if isinstance(each, ParameterSet) else pytest.param(each) for each in cases]
    return [*sets[:fast], *(each._replace(marks=(*each.marks, pytest.mark.slow)) for each in sets[fast:])]


def examples(usual: int, *, thorough: int) -> settings:
    """Return the settings of a property: so many examples, however long a loaded machine takes to draw them."""
    return settings(
        max_examples=how_many(usual, thorough=thorough), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
