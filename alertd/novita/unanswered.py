"""
Whether an account's API answers at all: where it does not, a poll waits for one time-out and not for one after another.

Every account is read in the same poll, which judges when the last of them has been read.
"""

from collections.abc import Callable

MISSED = 4
"""So many requests in a row without an answer: as many as one account asks at once."""
LASTS_S = 20.0
"""Longer than what is left of a poll by then, shorter than the time to the next."""


class Unanswered:
    """
    Counts requests in a row that were not answered; lives as long as the account's connections.

    Args:
        elapsed: Seconds on a clock that never steps.
    """

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._missed, self._missed_s = 0, 0.0

    def hear(self) -> None:
        """Note that something came, whatever it says."""
        self._missed = 0

    def miss(self) -> None:
        """Note that a request ended without an answer in time."""
        self._missed += 1
        self._missed_s = self._elapsed()

    @property
    def lasts(self) -> bool:
        """Whether nothing is to be asked now."""
        return self._missed >= MISSED and self._elapsed() - self._missed_s < LASTS_S
