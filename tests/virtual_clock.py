"""
The clocks of a system that stands under a test's control: the wall clock and the one that never steps, apart.

It is handed to what takes an `alertd.clock.Clock`, so nothing is patched. True time goes by with `pass_time`; the wall
clock shows it with an error that `wall_off` sets at any moment. A suspended system loses monotonic time, and a virtual
machine that was saved and resumed loses the time of both clocks that never step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class VirtualClock:
    """One system's clocks, and the true time that the rest of the world has."""

    true: datetime = START
    """What the billing API, receivers and a database elsewhere go by."""
    wall_off: timedelta = timedelta()
    """How far the system's wall clock is ahead of it."""
    lost_elapsed: timedelta = timedelta()
    """Time that the clock did not see which counts suspended time."""
    suspended: timedelta = timedelta()
    at_look: Mapping[int, timedelta] = field(default_factory=dict)
    """
    Number of a look at the clock, from 0, to how far the wall clock is off from then on.

    Between two looks nothing can see the clock: whoever moves it at each of them moves it at every await.
    """
    looks: int = 0
    """How often any of the clocks was looked at."""
    began: datetime = field(default=START, init=False)

    def __post_init__(self) -> None:
        self.began = self.true

    def wall(self) -> datetime:
        """Return the wall clock."""
        self._look()
        return self.true + self.wall_off

    def elapsed_s(self) -> float:
        """Return the seconds since the start, suspended ones included."""
        self._look()
        return 1e6 + (self.true - self.began - self.lost_elapsed).total_seconds()

    def monotonic_s(self) -> float:
        """Return the seconds since the start, suspended ones left out."""
        return self.elapsed_s() - self.suspended.total_seconds()

    def _look(self) -> None:
        self.wall_off = self.at_look.get(self.looks, self.wall_off)
        self.looks += 1

    def pass_time(self, by: timedelta) -> None:
        """Let time go by while everything runs, or while the process is frozen: the clocks cannot tell."""
        self.true += by

    def suspend(self, by: timedelta) -> None:
        """Let time go by while the system sleeps."""
        self.true += by
        self.suspended += by

    def resume_saved(self, by: timedelta) -> None:
        """Let time go by for everybody but this system, whose wall clock is put right when it comes back."""
        self.true += by
        self.lost_elapsed += by
