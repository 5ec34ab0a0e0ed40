"""The state of the rules file and the clock, as stored for other processes and for the next start."""

from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadOutcome:
    """The outcome of the last read of the rules file."""

    faults: tuple[str, ...] = ()
    """Why the file cannot be used, each with its location; empty if it is in force."""
    broken_since: datetime | None = None
    changes: str = ""
    """What the last good edit changed."""
    loaded_at: datetime | None = None
    """When the rules in force were read."""
    rules: int = 0
    """Number of rules in force, including disabled ones."""
    failures: int = 0
    """Number of reads since the start that could not be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRecord:
    """The time that the daemon last checked, for other processes and for its next start."""

    checked_at: datetime | None = None
    """None if it was never checked."""
    elapsed_s: float = 0.0
    """Seconds since the system booted, including suspended time, at *checked_at*."""
    boot: str = ""
    """Identifies the boot of the system that *elapsed_s* counts from; empty if unknown."""
    note: str = ""
    """What is wrong with the system's clock, and what to do."""
    is_wrong: bool = False
    """Whether rules are not judged because of that."""

    def later(self, elapsed_s: float, boot: str) -> datetime | None:
        """Return the current time, given the seconds since *boot*; None if there was no check during that boot."""
        if self.checked_at is None or not boot or boot != self.boot or elapsed_s < self.elapsed_s:
            return None
        return self.checked_at + timedelta(seconds=elapsed_s - self.elapsed_s)
