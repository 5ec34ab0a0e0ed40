"""What must hold of the money in messages of rolling spend: what the bills say, up to the hour that is named."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.simulation.oracle_bills import PARTS, Group
from tests.simulation.oracle_rolling import EMPTY, LATEST_HOURS, SETTLE_HOURS
from tests.simulation.oracle_seen import Seen
from tests.simulation.plan import HOUR_S, USD, ApiTrouble, Changed, Event, Late
from tests.simulation.rules import Rolling
from tests.simulation.world import World

WAITING = frozenset({"slow", "slower", "hanging"})
DIGIT = Fraction(1, 10**6)
"""A value has six digits in messages."""


def check_values(
    rules: Mapping[str, Rolling],
    groups: Mapping[tuple[str, str | None], Group],
    sent: Iterable[tuple[dict[str, Any], bool]],
    seen: Mapping[str, Seen],
    world: World,
    *,
    now_h: float,
) -> Iterator[str]:
    """
    Yield what is wrong with what the messages of a cycle say.

    Args:
        sent: The firing alerts of messages that were sent after the last cycle, as these have them, and whether each
            is certain to have been written then: after a kill the one that was written before it is sent once more.
        seen: The open alerts by fingerprint.
        now_h: When the cycle was done, in hours since the plan's start.
    """
    for alert, is_fresh in sent:
        rule = rules.get(alert["labels"]["alertname"])
        if rule is not None:
            late_h = _late_h(world.plan.events, now_h)
            recent = range(int(now_h) - late_h, int(now_h) + 2) if late_h > SETTLE_HOURS else range(0)
            one = seen.get(alert["fingerprint"])
            yield from _check_value(rule, groups, alert, one, world, is_fresh=is_fresh, recent=recent)


def _check_value(
    rule: Rolling,
    groups: Mapping[tuple[str, str | None], Group],
    alert: dict[str, Any],
    one: Seen | None,
    world: World,
    *,
    is_fresh: bool,
    recent: range,
) -> Iterator[str]:
    labels, notes = alert["labels"], alert["annotations"]
    if "as_of" not in notes:
        # A storm in Slack.
        return
    owner = labels.get("team") if rule.is_by_team else labels.get("owner") if rule.by_owner else None
    group = groups.get((rule.category, owner), EMPTY)
    as_of = int((datetime.fromisoformat(notes["as_of"]).timestamp() - world.start_s) // HOUR_S)
    if not group.is_sure(as_of - rule.window - LATEST_HOURS):
        return
    said, exact = Fraction(notes["value"]), group.window(as_of, rule.window)
    who = f"{rule.name} of {owner or 'all'}"
    slack = DIGIT * USD * PARTS + (0 if group.is_hourly else len(group.rows) * PARTS)
    if is_fresh and said * USD * PARTS > exact + slack:
        yield f"{who}: a message says {notes['value']} USD through hour {as_of}, not {exact / PARTS / USD:.6f}"
    is_same = is_fresh and one is not None and one.state == "firing" and one.as_of == as_of and one.is_window
    if is_same and one is not None and rule.category and abs(one.value - said) > DIGIT:
        yield f"{who}: a message says {notes['value']} USD through hour {as_of}, its alert {float(one.value):.6f}"
    line = rule.lines.get(labels.get("severity", ""))
    streams = [group] if rule.category else [groups.get((each, None), EMPTY) for each in world.categories]
    if line is None:
        yield f"{who}: a message says {labels.get('severity')!r}, which the rule does not have"
    elif "threshold" in notes and Decimal(notes["threshold"]) != line:
        yield f"{who}: a message names {notes['threshold']} as the line of {labels['severity']}, which is {line}"
    elif (
        said < line * Fraction(9, 10) - DIGIT
        and not rule.keeps
        and not _may_be_held(one, line, world)
        and not _may_be_due(group, as_of, rule.window)
        and not _may_be_awaited(streams, rule.window, line, recent)
    ):
        yield f"{who}: a message says {labels['severity']} with {notes['value']} USD, left below 90 % of {line}"


def _may_be_due(group: Group, as_of: int, window: int) -> bool:
    """Return whether what is billed by the day may be due: its next row comes a day later, and fills up the window."""
    return any(span > 1 and hour + 2 * span > as_of - window for hour, span, _ in group.rows)


def _late_h(events: Iterable[Event], now_h: float) -> int:
    """Return how late rows may have been so far, in hours: what was not there for a time, and no outage of the API."""
    longest_h = 0
    for event in events:
        match event:
            case Late() if event.first < now_h:
                longest_h = max(longest_h, event.by_s // HOUR_S + 1)
            case Changed(percent=0) | ApiTrouble(kind="empty") if event.at_s < now_h * HOUR_S:
                longest_h = LATEST_HOURS
    return min(longest_h, LATEST_HOURS)


def _may_be_awaited(streams: Iterable[Group], window: int, line: int, recent: range) -> bool:
    """Return whether windows that ended within a late row's lateness are above where a severity is left."""
    most = sum(max((stream.window(end, window) for end in recent), default=0) for stream in streams)
    return most * 10 >= line * 9 * USD * PARTS


def _may_be_held(one: Seen | None, line: int, world: World) -> bool:
    """Return whether an alert may be held above where a severity is left: by what is missing, or what is awaited."""
    if one is None or not one.is_complete:
        return True
    # What only waits is missing in no finished cycle; after other troubles older hours may be.
    since_s = world.now_s - LATEST_HOURS * HOUR_S
    troubles = (event for event in world.plan.events if isinstance(event, ApiTrouble) and event.kind not in WAITING)
    if any(event.at_s <= world.now_s and event.until_s >= since_s for event in troubles):
        return True
    return one.expected is not None and one.expected >= line * Fraction(9, 10)
