"""
What must hold of alerts of rolling spend: by bounds that follow from the rules language, whatever the lateness is.

A group's edge lies between the end of its newest row and the later of that, of the newest that was ever shown, and of
the hour two hours ago. So what is reached at every possible edge must fire, and what no possible edge leaves below its
line must not end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation.oracle_bills import DAY, PARTS, Group
from tests.simulation.oracle_seen import RANKS, Seen
from tests.simulation.plan import HOUR_S, USD, ApiTrouble, Changed, Event, Freeze, Late, Wall
from tests.simulation.rules import Rolling

EMPTY = Group()
SETTLE_HOURS = 2
LATEST_HOURS = 48
Place = tuple[str, str | None]
"""Rule and owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The bounds of what a group's window may be judged by; money in parts."""

    surely_reached: int
    """At least this much is billed in the window, wherever its edge is."""
    about_at_least: int
    at_most: int | None
    """No window that it may be judged by has more; None where that is not known."""
    lasts_at_most: int | None
    """The same of the windows that must be below the line before it ends: also those within a late row's lateness."""
    surely_over: bool
    """Nothing was spent in any window that it may be judged by."""


def longest_late_h(events: Iterable[Event]) -> int:
    """Return what no lateness can exceed in a world, in hours; what vanishes or cannot be read may come late too."""
    longest_s = 0
    for event in events:
        is_late_too = isinstance(event, Changed) and not event.percent
        if is_late_too or isinstance(event, ApiTrouble | Wall | Freeze):
            return LATEST_HOURS
        longest_s = max(longest_s, event.by_s if isinstance(event, Late) else 0)
    return min(LATEST_HOURS, longest_s // HOUR_S + SETTLE_HOURS)


def ends_of(group: Group, rule: Rolling, now_h: float, *, is_punctual: bool, late_h: int) -> Ends:
    """
    Return the bounds at a moment, in hours since the plan's start.

    Args:
        is_punctual: No row came late, so that what is not billed within the settle delay is nothing.
        late_h: No lateness can be more, in hours.
    """
    newest = group.end
    settled = int(now_h - SETTLE_HOURS) if now_h >= SETTLE_HOURS else int(now_h - SETTLE_HOURS) - 1
    running_end = int(now_h) + 1
    low = newest if newest is not None else settled
    high = max(low, group.highest_end, settled)
    possible = range(min(low, running_end), min(high, running_end) + 1)
    windows = [group.window(end, rule.window) for end in possible]
    recent = [group.window(end, rule.window) for end in range(settled + 1, int(now_h) + 1)]
    reach = range(settled - LATEST_HOURS - DAY, running_end + 1)
    # Several streams may each show a window of their own, and hours that are awaited may be filled in.
    is_filled = not is_punctual and not group.is_whole(settled - LATEST_HOURS)
    is_plain = rule.category and newest is not None and group.is_hourly and not is_filled
    earliest = max(min(low, settled), settled - 1) if is_punctual else min(low, settled)
    later = range(min(earliest, running_end), running_end + 1)
    lasting = range(min(int(now_h) - late_h, later.start), running_end + 1)
    return Ends(
        surely_reached=min(windows),
        about_at_least=max(min(windows), *recent, 0),
        at_most=max(group.window(end, rule.window) for end in later) if is_plain else None,
        lasts_at_most=max(group.window(end, rule.window) for end in lasting) if is_plain else None,
        surely_over=not any(group.window(end, rule.window) for end in reach),
    )


@dataclass(slots=True)
class Since:
    """What is kept from one check to the next, by rule and owner."""

    reached: dict[Place, float] = field(default_factory=dict)
    """The hour from which on its line has been reached at every check."""
    held: dict[Place, float] = field(default_factory=dict)
    """The last hour at which it was surely above where it ends."""
    over: dict[Place, float] = field(default_factory=dict)
    """The hour from which on it has surely been below where it ends, at every check."""

    def forget(self) -> None:
        """Begin anew: by other rules, or after a cycle that was not seen."""
        for each in (self.reached, self.held, self.over):
            each.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingCheck:
    """
    What is checked after a cycle of one rule's alerts.

    Args:
        seen: The open alerts by owner.
        before: The same after the cycle before; None where that was by another text, or was not seen.
        is_complete: The category was read well in the last cycle.
        may_be_read: It was, or may have been in one that a kill ended since the cycle before.
        is_punctual: In this world nothing is late, revised or unreadable.
        late_h: No lateness can be more in this world, in hours.
    """

    rule: Rolling
    groups: dict[tuple[str, str | None], Group]
    seen: dict[str | None, Seen]
    before: dict[str | None, Seen] | None
    now_h: float
    is_complete: bool
    may_be_read: bool
    is_punctual: bool
    late_h: int
    since: Since

    def check(self) -> Iterator[str]:
        """Yield what is wrong."""
        rule, owners = self.rule, set[str | None]({None})
        if rule.by_owner:
            found = {owner for category, owner in self.groups if category == rule.category and owner}
            owners = {owner for owner in found if rule.is_of(owner)} | self.seen.keys() | (self.before or {}).keys()
        for owner in sorted(owners, key=str):
            group = self.groups.get((rule.category, owner), EMPTY)
            if not rule.is_of(owner):
                yield f"{rule.name}: {owner} is not to be watched"
            elif group.is_sure(int(self.now_h) - rule.window - LATEST_HOURS - 2 * DAY):
                yield from self._check_group(owner, group)
            else:
                for each in (self.since.reached, self.since.over):
                    each.pop((rule.name, owner), None)

    def _check_group(self, owner: str | None, group: Group) -> Iterator[str]:
        rule, now_h = self.rule, self.now_h
        alert, was = self.seen.get(owner), (self.before or {}).get(owner)
        place, who = (rule.name, owner), f"{rule.name} of {owner or 'all'}"
        if alert is not None:
            yield from _check_value(who, rule, group, alert)
        ends = ends_of(group, rule, now_h, is_punctual=self.is_punctual, late_h=self.late_h)
        is_firing = alert is not None and alert.state == "firing"
        if ends.surely_reached < rule.lowest * PARTS:
            self.since.reached.pop(place, None)
        elif now_h - self.since.reached.setdefault(place, now_h) >= rule.holds and not is_firing:
            yield f"{who}: {_usd(ends.surely_reached)} is in its window wherever its edge is, and nothing fires"
        if alert is not None and is_firing and alert.pended_s < rule.holds * HOUR_S:
            yield f"{who}: fired after {alert.pended_s / HOUR_S:.2f} h, its condition has to hold for {rule.holds} h"
        if alert is not None and is_firing:
            yield from self._check_severity(who, ends, alert)
            is_new = self.before is not None and (was is None or was.state != "firing")
            if is_new or (was is not None and RANKS.index(was.severity) < RANKS.index(alert.severity)):
                yield from self._check_rise(who, ends, alert)
        if was is not None and was.state == "firing":
            if alert is None or not is_firing or alert.started_at != was.started_at:
                # It may have ended and begun again since.
                yield from self._check_end(who, ends, place)
            elif RANKS.index(was.severity) > RANKS.index(alert.severity):
                yield from self._check_fall(who, ends, was.severity)
        yield from self._check_over(who, ends, place, is_firing=is_firing)

    def _check_severity(self, who: str, ends: Ends, alert: Seen) -> Iterator[str]:
        for severity in self.rule.lines:
            is_reached = ends.surely_reached >= self.rule.reach(severity) * PARTS
            if is_reached and RANKS.index(alert.severity) < RANKS.index(severity):
                yield f"{who}: {_usd(ends.surely_reached)} is in its window, and it is {alert.severity} alone"

    def _check_rise(self, who: str, ends: Ends, alert: Seen) -> Iterator[str]:
        line = self.rule.reach(alert.severity)
        if alert.value * USD < line:
            yield f"{who}: began as {alert.severity}, or rose to it, with {alert.value} USD"
        if ends.at_most is not None and ends.at_most < line * PARTS and not self.rule.holds:
            yield f"{who}: began as {alert.severity}, or rose to it, with {_usd(ends.at_most)} at most in its window"

    def _check_end(self, who: str, ends: Ends, place: Place) -> Iterator[str]:
        rule = self.rule
        if not self.may_be_read:
            yield f"{who}: ended although {rule.category or 'a category'} could not be read"
        elif ends.about_at_least >= rule.leave * PARTS:
            yield f"{who}: ended although about {_usd(ends.about_at_least)} at least are in its window"
        held_h = self.since.held.get(place)
        if rule.keeps and held_h is not None and self.now_h - held_h < rule.keeps:
            kept = f"{self.now_h - held_h:.2f} h after it was last above its line"
            yield f"{who}: ended {kept}, and is to go on for {rule.keeps} h"

    def _check_fall(self, who: str, ends: Ends, severity: str) -> Iterator[str]:
        if not self.may_be_read:
            yield f"{who}: fell from {severity} although {self.rule.category or 'a category'} could not be read"
        elif ends.about_at_least >= self.rule.leave_of(severity) * PARTS:
            yield f"{who}: fell from {severity} with about {_usd(ends.about_at_least)} at least in its window"

    def _check_over(self, who: str, ends: Ends, place: Place, *, is_firing: bool) -> Iterator[str]:
        """What is below where it ends is over, once it was kept for long enough."""
        rule, now_h = self.rule, self.now_h
        if ends.about_at_least >= rule.leave * PARTS:
            self.since.held[place] = now_h
        is_below = ends.surely_over or (ends.lasts_at_most is not None and ends.lasts_at_most < rule.leave * PARTS)
        if not is_below or not self.is_complete:
            self.since.over.pop(place, None)
            return
        if is_firing and now_h - self.since.over.setdefault(place, now_h) >= rule.keeps:
            yield f"{who}: goes on firing although {_usd(ends.lasts_at_most or 0)} at most are in any window of it"


def _check_value(who: str, rule: Rolling, group: Group, alert: Seen) -> Iterator[str]:
    exact = group.window(alert.as_of, rule.window)
    # The digits that do not divide by a day's hours may lie in any of them.
    slack = 0 if group.is_hourly else len(group.rows) * PARTS
    is_less = not alert.is_window and alert.value * USD * PARTS <= exact
    if abs(alert.value * USD * PARTS - exact) > slack and not is_less:
        yield f"{who}: says {alert.value} USD through hour {alert.as_of}; the bills say {_usd(exact)}"
    if alert.expected is not None and alert.expected < alert.value:
        yield f"{who}: expects {alert.expected} in all, less than the {alert.value} that are billed"


def _usd(parts: int) -> str:
    return f"${parts / PARTS / USD:.4f}"
