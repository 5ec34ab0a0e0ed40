"""What must hold of alertd's alerts about itself: that it is blind, or its clock wrong, is said within bounds."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from tests.simulation.oracle_seen import Seen
from tests.simulation.other_rules import STALE
from tests.simulation.plan import HOUR_S, POLL_S

BLIND_AFTER_S = 2 * POLL_S + 2 * HOUR_S
"""Two poll intervals and the settle delay; it is seen at the next poll."""
LARGEST_SKEW_S = 65 * 60
UNSURE_S = 300
LONGEST_CYCLE_S = 1200
"""By so much a cycle may have begun before it was done: its reads count from its beginning."""


@dataclass(slots=True)
class OwnAlerts:
    """How long nothing was read whole, and how long the wall clock has been wrong."""

    categories: Collection[str]
    """Everything that is to be read."""
    read_at_s: dict[str, float] = field(default_factory=dict)
    """The last cycle in which a category was read."""
    wrong_since_s: float | None = None
    """Since when the wall clock has been further off than may be decided by."""
    right_since_s: float = 0.0
    """Since when it has not been: what was not read before is said to be for the clock's sake."""

    def note_cycle(self, done_s: float, read: Collection[str]) -> None:
        """Take note of a cycle and the categories that were read in it."""
        self.read_at_s.update(dict.fromkeys(read, done_s))

    def note_wall(self, at_s: float, off_s: float, drift_ppm: float) -> None:
        """Take note that the wall clock was set, and from then on drifts, or stands still."""
        left_s, was_wrong = LARGEST_SKEW_S + UNSURE_S - abs(off_s), self._is_wrong(at_s)
        if left_s < 0:
            self.wrong_since_s = self.wrong_since_s if was_wrong else at_s
            return
        if was_wrong:
            self.right_since_s = at_s
        is_growing = drift_ppm != 0 and off_s * drift_ppm >= 0
        self.wrong_since_s = at_s + left_s / abs(drift_ppm) * 1e6 if is_growing else None

    def _is_wrong(self, at_s: float) -> bool:
        return self.wrong_since_s is not None and self.wrong_since_s <= at_s

    def check(
        self, firing: Collection[tuple[str, str]], done_s: float, *, up_since_s: float, is_answered: bool
    ) -> Iterator[str]:
        """
        Yield what is missing after a cycle.

        Args:
            firing: Rule and account of what fires.
            is_answered: The API answered something in that cycle, so that it said what time it is.
        """
        for category in self.categories:
            blind_s = done_s - max(self.read_at_s.get(category, 0.0), up_since_s, self.right_since_s)
            alert = ("alertd-blind", category.partition("@")[2] or "default")
            if blind_s > BLIND_AFTER_S + UNSURE_S and alert not in firing and not self._is_wrong(done_s):
                yield f"no read of {category} for {blind_s / HOUR_S:.1f} h, and alertd-blind does not fire"
        wrong_s = done_s - self.wrong_since_s if self.wrong_since_s is not None else 0.0
        if wrong_s > UNSURE_S and is_answered and "alertd-clock" not in {rule for rule, _ in firing}:
            yield f"the wall clock is wrong since {wrong_s / HOUR_S:.1f} h, and alertd-clock does not fire"

    def check_stale(self, alerts: Collection[Seen], done_s: float, deaths: Sequence[float]) -> Iterator[str]:
        """Yield what is wrong with the alert that a category was not read, after a cycle."""
        read_at_s = self.read_at_s.get(STALE.category)
        if read_at_s is None:
            return
        one, age_s = next((each for each in alerts if each.rule == STALE.name), None), done_s - read_at_s
        # What a process read that was killed before its cycle was done may have been filed, and may not.
        is_sure = not any(read_at_s - UNSURE_S < at_s <= done_s for at_s in deaths)
        if not age_s:
            if one is not None:
                yield f"{STALE.name}: {STALE.category} was read, and it is still {one.state}"
        elif one is None and age_s > STALE.hours * HOUR_S + LONGEST_CYCLE_S and is_sure:
            yield f"{STALE.name}: {STALE.category} was not read for {age_s / HOUR_S:.1f} h, and nothing fires"
        elif one is not None and (
            one.value * HOUR_S > age_s + LONGEST_CYCLE_S or (is_sure and one.value * HOUR_S < age_s - LONGEST_CYCLE_S)
        ):
            yield f"{STALE.name}: says {float(one.value):.2f} h, not {age_s / HOUR_S:.2f}"
