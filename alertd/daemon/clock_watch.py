"""Detects that the wall clock was set or the system was suspended, by comparing the system's clocks periodically."""

from alertd.clock import Clock
from alertd.core.dataclass import dataclass

LARGEST_STEP_S = 60.0
"""If the wall clock moved this much between two samples, relative to the monotonic clock, it was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happened between two samples."""

    moved_s: float
    """How far the wall clock was set forward."""
    suspended_s: float


class ClockWatch:
    """
    Compares each sample with the previous one, for the life of the service.

    A clock that stands still, or runs too fast or too slow, makes no step: it would be one at every look for ever. How
    far it has come off is seen where the time is checked.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before = self._offsets_s()

    def look(self) -> Step | None:
        """Return what happened since the last sample; None if nothing did."""
        before, self._before = self._before, self._offsets_s()
        moved_s, suspended_s = (now - then for now, then in zip(self._before, before, strict=True))
        if max(abs(moved_s), suspended_s) <= LARGEST_STEP_S:
            return None
        return Step(moved_s=moved_s, suspended_s=suspended_s)

    def _offsets_s(self) -> tuple[float, float]:
        monotonic_s = self._clock.monotonic_s()
        return self._clock.wall().timestamp() - monotonic_s, self._clock.elapsed_s() - monotonic_s
