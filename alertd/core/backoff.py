"""How long to wait after failures in a row."""


def doubled_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """
    Return a wait that doubles with each failure, up to a bound.

    Args:
        failures: At least 1: the first wait is *first_s*.
    """
    # Bounded before it is raised: a task may fail for years.
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 30))
