"""What the store keeps of the rules file and of the clock for other processes and for the next start."""

from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """How the last reading of the rules file went."""

    faults: tuple[str, ...] = ()
    """Why it cannot be used, each with its place; empty where it is in force."""
    broken_since: datetime | None = None
    changes: str = ""
    """What the last good edit changed."""
    loaded_at: datetime | None = None
    """When the rules in force were read."""
    rules: int = 0
    """How many of them there are, disabled ones included."""
    failures: int = 0
    """Readings since the start that could not be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRecord:
    """The time as the daemon checked it last, for other processes and for its next start."""

    checked_at: datetime | None = None
    """None where it was never checked."""
    elapsed_s: float = 0.0
    """Then, by the clock that counts since the system started, suspended time included."""
    boot: str = ""
    """Which start of which system that clock counts from; empty where that is not known."""
    note: str = ""
    """What is wrong with the system's clock, and what to do."""
    is_wrong: bool = False
    """Whether nothing is decided because of that."""

    def later(self, elapsed_s: float, boot: str) -> datetime | None:
        """Return the time now, None where that clock has started anew since."""
        if self.checked_at is None or not boot or boot != self.boot or elapsed_s < self.elapsed_s:
            return None
        return self.checked_at + timedelta(seconds=elapsed_s - self.elapsed_s)
