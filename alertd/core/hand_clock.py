"""A clock that stands still until it is set."""

from datetime import datetime


class HandClock:
    """Time that is turned by hand: of the demo, and of tests of rules."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the simulated instant."""
        return self.now
