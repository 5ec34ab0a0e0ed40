"""How long to wait after consecutive failures."""


def doubled_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """
    Return a wait in seconds that doubles with each failure, up to *longest_s*.

    Args:
        failures: Consecutive failures, at least 1; after the first the wait is *first_s*.
    """
    # The exponent is bounded, because a task may fail for years and 2.0 ** n would overflow.
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 30))
