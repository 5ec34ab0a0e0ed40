"""The demo's time."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Clock:
    """Time that is turned by hand."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the simulated instant."""
        return self.now
