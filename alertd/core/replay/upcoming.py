"""When each rule has to be judged next in a replay: hours in which nothing can change are skipped."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from decimal import Decimal

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.due import next_due_at
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels
from alertd.core.replay.past import Past
from alertd.core.rules.base import Rule
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.screen import Screen
from alertd.core.spend.lists import View
from alertd.core.spend.planned import PlannedSpend

_CELLS = 1 << 21
"""Sums examined at a time: 16 MiB."""
_MOST_HOURS, _LEAST_HOURS = 31 * 24, 24


class Upcoming:
    """
    The next hour of each rule, from screening a range of hours at a time.

    Args:
        hours: All replayed hours.
        is_linked: Whether mutes of an alert depend on other alerts: then open alerts are never skipped.
    """

    def __init__(
        self, past: Past, rules: Sequence[Rule], planned: Sequence[PlannedSpend], hours: HourRange, *, is_linked: bool
    ) -> None:
        self._past, self._rules, self._hours = past, rules, hours
        self._planned, self._is_linked = planned, is_linked
        self._ahead = HourRange(hours.start, hours.start)
        self._screens: dict[str, Screen] = {}
        self._next = dict.fromkeys((rule.name for rule in rules), hours.start)
        self._of_groups: dict[str, dict[Labels, int]] = {}
        """By rule and group of an open alert."""

    def passed_over(self, hour: int) -> frozenset[str]:
        """Return the names of the rules that would change nothing at the beginning of an hour."""
        if hour >= self._ahead.end:
            self._look_ahead(hour)
        return frozenset(name for name, due in self._next.items() if due > hour)

    def steady(self, hour: int) -> dict[str, set[Labels]]:
        """Return the groups of open alerts that judging would not change, by rule."""
        return {name: {g for g, due in groups.items() if due > hour} for name, groups in self._of_groups.items()}

    def note(self, rule: Rule, hour: int, opened: Collection[Alert], peak_of: Callable[[Alert], Decimal]) -> None:
        """
        Determine when a rule that was judged at an hour has to be judged next.

        Args:
            opened: Its open alerts.
            peak_of: Returns the worst value of an alert so far.
        """
        screen = self._screens.get(rule.name)
        if screen is None:
            self._next[rule.name] = hour + 1
            return
        before = self._of_groups.get(rule.name, {})
        groups = {
            alert.group: due
            if (due := before.get(alert.group, hour)) > hour
            else self._next_of(rule, screen, hour, alert, peak_of)
            for alert in opened
        }
        self._of_groups[rule.name] = groups
        self._next[rule.name] = min((screen.next_beginning(hour, groups), *groups.values()))

    def _next_of(self, rule: Rule, screen: Screen, hour: int, alert: Alert, peak_of: Callable[[Alert], Decimal]) -> int:
        is_announced = alert.notified_at is not None and alert.muted is None
        if self._is_linked or not is_announced or alert.state is not AlertState.FIRING or rule.repeat_every:
            return hour + 1
        due_at = next_due_at(alert, rule)
        due = self._hours.end if due_at is None else hour_of(due_at + timedelta(hours=1) - timedelta.resolution)
        return min(due, screen.next_change(hour, alert, peak_of(alert)))

    def _look_ahead(self, hour: int) -> None:
        """Screen the hours from a given one on, as many as fit; each rule is judged in the first of them."""
        series = max(1, *(len(self._past.of(view).spend.series) for view in self._views()))
        count = min(max(_CELLS // series, _LEAST_HOURS), _MOST_HOURS)
        self._ahead = HourRange(hour, min(hour + count, self._hours.end))
        stretches = {view: self._past.of(view).ahead(self._ahead, start_of(hour)) for view in self._views()}
        self._screens = {}
        self._of_groups.clear()
        self._next = dict.fromkeys(self._next, hour)
        rules = (rule for rule in self._rules if isinstance(rule, GroupRule))
        # Those that sum the same share their totals, and the one that looks back furthest needs most of them.
        for rule in sorted(rules, key=lambda rule: (rule.query.text, rule.metric, -rule.lookback())):
            if any(plan.concerns(rule.name) for plan in self._planned):
                continue
            stretch = stretches[rule.view]
            try:
                screen = rule.screen(stretch) if stretch is not None else None
            except (ArithmeticError, LookupError):
                # Its evaluation will report that.
                continue
            if screen is not None:
                self._screens[rule.name] = screen

    def _views(self) -> list[View]:
        return sorted({View.USAGE, *(view for rule in self._rules for view in rule.views)})
