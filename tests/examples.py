"""How many examples a costly property is tried on: some each time, and all where time matters less."""

import os

from hypothesis import settings


def how_many(usual: int, *, thorough: int) -> int:
    """Return *thorough* where ALERTD_TEST_THOROUGH is set, as in CI; asked while modules are collected."""
    return thorough if "ALERTD_TEST_THOROUGH" in os.environ else usual


def examples(usual: int, *, thorough: int) -> settings:
    """Return the settings of a property: so many examples."""
    return settings(max_examples=how_many(usual, thorough=thorough), deadline=None)
