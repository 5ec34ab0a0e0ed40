"""How many examples a costly property is tried on: some each time, and all where time matters less."""

import os

from hypothesis import settings


def examples(usual: int, *, thorough: int) -> settings:
    """Return the settings of a property: *thorough* examples where ALERTD_TEST_THOROUGH is set, as in CI."""
    return settings(max_examples=thorough if "ALERTD_TEST_THOROUGH" in os.environ else usual, deadline=None)
