"""What must hold of budgets of a day and of a month: spent to the last digit, begun when due, ended by the calendar."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulation.oracle_bills import PARTS, Group
from tests.simulation.oracle_rolling import EMPTY
from tests.simulation.oracle_seen import Seen
from tests.simulation.other_rules import BUDGETS, Budget
from tests.simulation.plan import USD

DAY_H = 24


@dataclass(slots=True)
class Budgets:
    """The budgets that were reached at the check before, by rule, owner and where their period began."""

    start: datetime
    _reached: frozenset[tuple[str, str | None, int]] = frozenset()

    def forget(self) -> None:
        """Begin anew: by other rules, or after a cycle that was not seen."""
        self._reached = frozenset()

    def check(
        self,
        groups: dict[tuple[str, str | None], Group],
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
        reached = set()
        for rule in (rule for rule in BUDGETS if rule.name in names):
            mine = {one.owner: one for one in now if one.rule == rule.name}
            owners = {owner for category, owner in groups if category == rule.category}
            owners = {owner for owner in owners if (owner is not None) is rule.by_owner}
            for owner in sorted(owners, key=str):
                group = groups.get((rule.category, owner), EMPTY)
                if not group.is_sure(int(now_h) - 40 * DAY_H) or (group.end or 0) != group.highest_end:
                    continue
                who = f"{rule.name} of {'all' if owner is None else owner}"
                alert = mine.get(owner)
                is_firing = alert is not None and alert.state == "firing"
                if alert is not None and is_firing:
                    yield from self._check_value(who, rule, group, alert)
                    yield from self._check_begin(who, rule, group, alert, now_h)
                period = self._period(rule, int(now_h))
                end = group.end
                if end is None or end <= period[0] or not self._is_reached(rule, group, period):
                    continue
                place = (rule.name, owner, period[0])
                reached.add(place)
                if place in self._reached and not is_firing:
                    yield f"{who}: {_share(rule, group, period)} since hour {period[0]} is above it, and nothing fires"
        self._reached = frozenset(reached)

    def check_closing(self, groups: dict[tuple[str, str | None], Group], alert: dict[str, Any]) -> Iterator[str]:
        """Yield what is wrong with what a resolved notification says of a period that is over."""
        labels, notes = alert["labels"], alert["annotations"]
        rule = next((rule for rule in BUDGETS if rule.name == labels["alertname"]), None)
        if rule is None:
            return
        group = groups.get((rule.category, labels.get("owner") if rule.by_owner else None), EMPTY)
        as_of = int((datetime.fromisoformat(notes["as_of"]) - self.start).total_seconds()) // 3600
        period = self._period(rule, as_of - 1)
        ended_h = (datetime.fromisoformat(alert["endsAt"]) - self.start).total_seconds() / 3600
        said, is_below = Fraction(notes["value"]), Fraction(notes["value"]) * 1000 < rule.percent * 9
        if not group.is_sure(period[0]) or ended_h < period[1] or is_below:
            return
        # What ended then, and is not below where it ends, was ended by the calendar.
        # A share has six digits in messages.
        exact = group.window(period[1], period[1] - period[0])
        if abs(said * rule.usd * USD * PARTS - exact) > rule.usd * PARTS * 10_000 or as_of != period[1]:
            words = f"{notes['summary']!r} ({notes['value']} through {notes['as_of']})"
            yield f"{words}: it was {_share(rule, group, period)}"

    def _check_value(self, who: str, rule: Budget, group: Group, alert: Seen) -> Iterator[str]:
        period = self._period(rule, alert.as_of - 1)
        exact = group.window(period[1], period[1] - period[0])
        # A share has ten digits.
        if abs(alert.value * rule.usd * USD * PARTS - exact) > rule.usd * PARTS:
            yield f"{who}: says {float(alert.value):.10f} through hour {alert.as_of}, not {_share(rule, group, period)}"

    def _check_begin(self, who: str, rule: Budget, group: Group, alert: Seen, now_h: float) -> Iterator[str]:
        """What has just begun to fire was reached in its period."""
        began_h = (datetime.fromisoformat(alert.started_at) - self.start).total_seconds() / 3600
        if now_h - began_h < 1 and alert.value * 100 < rule.percent:
            yield f"{who}: began with {_share(rule, group, self._period(rule, alert.as_of - 1))}"

    def _is_reached(self, rule: Budget, group: Group, period: tuple[int, int]) -> bool:
        return group.window(period[1], period[1] - period[0]) * 100 >= rule.usd * USD * PARTS * rule.percent

    def _period(self, rule: Budget, hour: int) -> tuple[int, int]:
        """Return from and up to which hour, since the plan's start, the period of an hour goes."""
        zone = ZoneInfo(rule.zone)
        day = (self.start + timedelta(hours=hour)).astimezone(zone).date()
        match rule.period:
            case "day":
                first, following = day, day + timedelta(days=1)
            case "week":
                first = day - timedelta(days=day.weekday())
                following = first + timedelta(days=7)
            case _:
                first = day.replace(day=1)
                following = (first + timedelta(days=32)).replace(day=1)
        return self._midnight(first, zone), self._midnight(following, zone)

    def _midnight(self, day: date, zone: ZoneInfo) -> int:
        """Return the hour, since the plan's start, with which a day begins there."""
        return int((datetime.combine(day, time(), zone) - self.start).total_seconds()) // 3600


def _share(rule: Budget, group: Group, period: tuple[int, int]) -> str:
    parts = group.window(period[1], period[1] - period[0])
    return f"{parts / PARTS / USD / rule.usd:.10f} of ${rule.usd}"
