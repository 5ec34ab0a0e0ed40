"""What must hold of alerts of what runs for long: the hours in a row that were billed, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tests.simulation.oracle_bills import PARTS, Group
from tests.simulation.oracle_rolling import SETTLE_HOURS
from tests.simulation.oracle_seen import Seen
from tests.simulation.other_rules import RUNNING

LOOKBACK_H = 31 * 24


@dataclass(slots=True)
class Running:
    """Which owners had run for long enough at the check before."""

    _reached: frozenset[str] = frozenset()

    def forget(self) -> None:
        """Begin anew: by other rules, or after a cycle that was not seen."""
        self._reached = frozenset()

    def check(
        self, groups: Mapping[tuple[str, str | None], Group], now: list[Seen], *, now_h: float, names: tuple[str, ...]
    ) -> Iterator[str]:
        """
        Yield what is wrong after a cycle.

        Args:
            now: The open alerts.
            names: The rules that stand in the file.
        """
        if RUNNING.name not in names:
            return
        firing = {one.owner: one for one in now if one.rule == RUNNING.name and one.state == "firing"}
        reached = set[str]()
        for (category, owner), group in groups.items():
            is_fit = category == RUNNING.category and group.is_sure(int(now_h) - LOOKBACK_H) and group.is_hourly
            if owner is None or not is_fit:
                continue
            alert, end = firing.get(owner), group.end
            if alert is not None and alert.value != (hours := _in_a_row(group, alert.as_of)):
                yield f"{RUNNING.name} of {owner}: says {alert.value} h through hour {alert.as_of}, not {hours}"
            if end is None or end < now_h - SETTLE_HOURS or _in_a_row(group, end) < RUNNING.hours:
                continue
            reached.add(owner)
            if owner in self._reached and alert is None:
                yield f"{RUNNING.name} of {owner}: it has run for {_in_a_row(group, end)} h, and nothing fires"
        self._reached = frozenset(reached)


def _in_a_row(group: Group, end: int) -> int:
    """Return how many hours before one were billed at the least rate or more, without a gap."""
    hours, least = 0, Fraction(RUNNING.least_usd) * 10**10 * PARTS
    while hours < LOOKBACK_H and group.window(end - hours, 1) >= least:
        hours += 1
    return hours
