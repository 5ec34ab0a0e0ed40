"""The demo's time."""

from datetime import datetime

from alertd.core.dataclass import dataclass


@dataclass(slots=True)
class Clock:
    """A clock that is advanced by hand."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the simulated instant."""
        return self.now
