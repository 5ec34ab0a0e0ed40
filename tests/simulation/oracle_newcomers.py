"""What must hold of alerts of owners that begin to spend: whoever spent in the weeks before is not new."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tests.simulation.oracle_bills import PARTS, Group
from tests.simulation.oracle_rolling import SETTLE_HOURS
from tests.simulation.oracle_seen import Seen
from tests.simulation.other_rules import NEWCOMER
from tests.simulation.plan import POLL_S, USD, ApiTrouble
from tests.simulation.world import World

ENDED_AFTER_H = 2 * POLL_S // 3600 + SETTLE_HOURS
"""After it is no longer new, where everything is read and comes in time."""
DAY_H = 24


@dataclass(slots=True)
class Newcomers:
    """Which owners had spent enough to be announced at the check before."""

    world: World
    _reached: frozenset[str] = frozenset()

    def forget(self) -> None:
        """Begin anew: by other rules, or after a cycle that was not seen."""
        self._reached = frozenset()

    def check(
        self,
        groups: Mapping[tuple[str, str | None], Group],
        now: list[Seen],
        *,
        now_h: float,
        names: tuple[str, ...],
    ) -> Iterator[str]:
        """
        Yield what is wrong after a cycle.

        Args:
            now: The open alerts.
            names: The rules that stand in the file.
        """
        if NEWCOMER.name not in names:
            return
        firing = {one.owner: one for one in now if one.rule == NEWCOMER.name}
        reached = set[str]()
        oldest = int(now_h) - NEWCOMER.window - NEWCOMER.lookback - DAY_H
        for (category, owner), group in groups.items():
            is_fit = category == NEWCOMER.category and group.is_sure(oldest) and group.is_hourly
            if owner is None or not is_fit or not group.rows:
                continue
            alert, who = firing.get(owner), f"{NEWCOMER.name} of {owner}"
            if alert is not None:
                yield from self._check_alert(who, group, alert, now_h)
            end = group.end
            if end is not None and end > now_h - SETTLE_HOURS and _is_new(group, end) and _spent(group, end) >= _LEAST:
                reached.add(owner)
                if owner in self._reached and alert is None:
                    yield f"{who}: it spent {_spent(group, end) / PARTS / USD:.2f} USD, and nothing fires"
        self._reached = frozenset(reached)

    def _check_alert(self, who: str, group: Group, alert: Seen, now_h: float) -> Iterator[str]:
        exact = _spent(group, alert.as_of)
        if alert.is_window and alert.value * USD * PARTS != exact:
            yield f"{who}: says {float(alert.value):.4f} USD through hour {alert.as_of}, not {exact / PARTS / USD:.4f}"
        if alert.is_complete and max(alert.value, alert.expected or 0) < NEWCOMER.least_usd * Fraction(9, 10):
            yield f"{who}: {alert.state} with {float(alert.value):.2f} USD"
        began_h = min(hour for hour, _, _ in group.rows)
        is_read = not any(
            isinstance(event, ApiTrouble) and event.at_s <= now_h * 3600 and event.until_s >= (now_h - DAY_H) * 3600
            for event in self.world.plan.events
        )
        if is_read and now_h - began_h > NEWCOMER.window + ENDED_AFTER_H and not _may_be_new(group, now_h):
            yield f"{who}: it has spent since hour {began_h}, and is still new"


_LEAST = NEWCOMER.least_usd * USD * PARTS


def _spent(group: Group, end: int) -> int:
    return group.window(end, NEWCOMER.window)


def _is_new(group: Group, end: int) -> bool:
    """Return whether nothing was billed in the weeks before a window."""
    first = end - NEWCOMER.window
    return not any(first - NEWCOMER.lookback <= hour < first for hour, _, _ in group.rows)


def _may_be_new(group: Group, now_h: float) -> bool:
    return any(_is_new(group, end) for end in range(int(now_h) - ENDED_AFTER_H, int(now_h) + 1))
