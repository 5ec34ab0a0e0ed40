"""
What must hold of alerts of rolling spend: by bounds that follow from the rules language, whatever the lateness is.

A group's edge lies between the end of its newest row and the later of that, of the newest that was ever shown, and of
the hour two hours ago. So what is reached at every possible edge must fire, and what no possible edge leaves below its
line must not end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from tests.simulation.oracle_bills import DAY, PARTS, Group
from tests.simulation.plan import HOUR_S, USD
from tests.simulation.rules import Rolling

EMPTY = Group()
SETTLE_HOURS = 2
LATEST_HOURS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An alert as the daemon has it."""

    fingerprint: str
    rule: str
    rule_type: str
    owner: str | None
    state: str
    severity: str
    value: Fraction
    expected: Fraction | None
    as_of: int
    """The hour, since the plan's start, through which it is billed."""
    started_at: str
    episode: int
    pended_s: float
    """How long it waited before it fired; nothing while it waits."""
    is_window: bool
    """Its value is the sum of one window; else it is less than that of any, as what lags shows less."""
    is_complete: bool
    is_muted: bool
    acknowledged_by: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The bounds of what a group's window may be judged by."""

    surely_reached: int
    """At least this much is billed in the window, wherever its edge is."""
    about_at_least: int
    surely_over: bool
    """Nothing was spent in any window that it may be judged by."""


def ends_of(group: Group, rule: Rolling, now_h: float) -> Ends:
    """Return the bounds at a moment, in hours since the plan's start; money in parts."""
    newest = group.end
    settled = int(now_h - SETTLE_HOURS) if now_h >= SETTLE_HOURS else int(now_h - SETTLE_HOURS) - 1
    running_end = int(now_h) + 1
    low = newest if newest is not None else settled
    high = max(low, group.highest_end, settled)
    possible = range(min(low, running_end), min(high, running_end) + 1)
    windows = [group.window(end, rule.window) for end in possible]
    recent = [group.window(end, rule.window) for end in range(settled + 1, int(now_h) + 1)]
    reach = [group.window(end, rule.window) for end in range(settled - LATEST_HOURS - DAY, running_end + 1)]
    return Ends(
        surely_reached=min(windows),
        about_at_least=max(min(windows), *recent, 0),
        surely_over=not any(reach),
    )


def check_rolling(
    rule: Rolling,
    groups: dict[tuple[str, str | None], Group],
    seen: dict[str | None, Seen],
    before: dict[str | None, Seen],
    *,
    now_h: float,
    is_complete: bool,
    reached_since: dict[tuple[str, str | None], float],
) -> Iterator[str]:
    """
    Yield what is wrong with the alerts of one rule after a cycle.

    Args:
        seen: The open alerts by owner.
        before: The same after the cycle before.
        is_complete: The category was read well in the last cycle.
        reached_since: By rule and owner the hour from which on it has been reached at every check; kept here.
    """
    owners: set[str | None] = {None}
    if rule.by_owner:
        owners = (
            {owner for category, owner in groups if category == rule.category and owner} | seen.keys() | before.keys()
        )
    for owner in sorted(owners, key=str):
        group = groups.get((rule.category, owner), EMPTY)
        first = int(now_h) - rule.window - LATEST_HOURS - 2 * DAY
        alert = seen.get(owner)
        place = (rule.name, owner)
        if not group.is_sure(first):
            reached_since.pop(place, None)
            continue
        who = f"{rule.name} of {owner or 'all'}"
        if alert is not None:
            yield from _check_value(who, rule, group, alert)
        ends = ends_of(group, rule, now_h)
        is_firing = alert is not None and alert.state == "firing"
        if ends.surely_reached < rule.lowest * PARTS:
            reached_since.pop(place, None)
        elif now_h - reached_since.setdefault(place, now_h) >= rule.holds and not is_firing:
            yield f"{who}: {_usd(ends.surely_reached)} is in its window wherever its edge is, and nothing fires"
        if alert is not None and is_firing and alert.pended_s < rule.holds * HOUR_S:
            yield f"{who}: fired after {alert.pended_s / HOUR_S:.2f} h, its condition has to hold for {rule.holds} h"
        was_firing = owner in before and before[owner].state == "firing"
        if was_firing and not is_firing:
            if not is_complete:
                yield f"{who}: ended although {rule.category or 'a category'} could not be read"
            elif ends.about_at_least >= rule.leave * PARTS:
                yield f"{who}: ended although about {_usd(ends.about_at_least)} at least are in its window"
        if is_firing and is_complete and ends.surely_over:
            yield f"{who}: goes on firing although nothing was spent in any window that it may be judged by"


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
