"""What one evaluation of a budget looks at, and what each group is forecast to end its period at."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from alertd.core.calendar import CalendarPeriod
from alertd.core.hours import HOURS_PER_DAY, HourRange
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.rules.facts import Facts
from alertd.core.rules.standing import Forecast
from alertd.core.spend.ends import Edges
from alertd.core.spend.forecast import SpendHistory, expected_rest, known_hours, rest_range
from alertd.core.spend.ledger import Gap
from alertd.core.spend.planned import Allowances
from alertd.core.spend.view import GroupSums


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What one evaluation looks at, the same for all groups."""

    facts: Facts
    period: CalendarPeriod
    edge: int
    edges: Edges
    sums: GroupSums
    """What each group was billed in the window."""
    expected: GroupSums
    """What that comes to once every stream is billed."""
    members: frozenset[Labels] | None
    """The groups of which this is the period; None for all."""
    allowances: Allowances
    history_start: int | None
    """Where a forecast begins to look; None where data is missing: it is never made from incomplete data."""
    has_last_day: bool
    before: HourRange | None
    """As many hours before the period, None where they are not known."""
    gaps: tuple[Gap, ...]
    """What is missing in the window."""
    looked_at: tuple[Gap, ...]
    """The same, and what is missing in the history where a forecast looks at it."""

    def is_of(self, group: Labels) -> bool:
        """Return whether this is the period of a group."""
        return self.members is None or group in self.members

    @property
    def window(self) -> HourRange:
        """The hours of the period that are billed."""
        return HourRange(self.period.hours.start, self.edge)

    def history(self) -> SpendHistory | None:
        """Return what every group spent unplanned before the edge; it costs more than the rest, so only if needed."""
        if self.history_start is None:
            return None
        edge, hours_left = self.edge, self.period.hours.end - self.edge
        first = edge - (edge - self.history_start) // HOURS_PER_DAY * HOURS_PER_DAY
        head = hours_left % HOURS_PER_DAY
        bounds = [bound for day in range(first, edge, HOURS_PER_DAY) for bound in (day, day + head)]
        parts = self.allowances.unplanned([*bounds, edge])
        heads, tails = parts[::2], parts[1::2]
        hours = self.allowances.unplanned(range(edge - HOURS_PER_DAY, edge + 1))
        return SpendHistory(days=heads + tails, heads=heads, hours=hours, hours_left=hours_left)


def forecasts_of(scene: Scene, groups: list[Labels], *, min_history: timedelta | None) -> dict[Labels, Forecast]:
    """Return the forecasts of the groups that have spent long enough."""
    known = [group for group in groups if group in scene.sums.numbers]
    everyone = scene.history() if known else None
    if everyone is None:
        return {}
    history = everyone.only(np.array([scene.sums.numbers[group] for group in known], np.intp))
    rest = expected_rest(history).tolist()
    nothing = np.full(len(known), np.nan)
    ends = rest_range(history) if scene.facts.is_explained else (nothing, nothing)
    low, high = (end.tolist() for end in ends)
    hours = known_hours(history).tolist()
    renewed = scene.allowances.renewed(scene.period.hours.end)
    found = {}
    for number, group in enumerate(known):
        if not _is_enough(scene, hours[number], min_history):
            continue
        # The history knows nothing of what is planned: what is still to come of it is added here, and raises the
        # limits as much. So it moves what is shown and never what is reached.
        ahead = scene.allowances.ahead(group, scene.period.hours.end)
        base = scene.expected.of(group) + ahead + renewed.get(group, 0)
        has_range = low[number] == low[number]
        found[group] = Forecast(
            total=Usd(base + round(rest[number])),
            planned=ahead,
            range=(Usd(base + round(low[number])), Usd(base + round(high[number]))) if has_range else None,
        )
    return found


def _is_enough(scene: Scene, known_for: int, min_history: timedelta | None) -> bool:
    if min_history and timedelta(hours=known_for) >= min_history:
        return True
    return min(len(scene.window), known_for) * 10 >= len(scene.period.hours)
