"""How far back some rule can see."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from alertd.core.hours import HOURS_PER_DAY, hour_of, midnight_before
from alertd.core.rules.base import Rule
from alertd.core.spend.bill import View
from alertd.core.spend.planned import PlannedSpend


def horizon_of(
    rules: Iterable[Rule],
    now: datetime,
    *,
    planned: Iterable[PlannedSpend] = (),
    view: View = View.USAGE,
    reach: timedelta = timedelta(),
) -> int:
    """
    Return the first hour of a view that some enabled rule can see.

    Args:
        reach: How far back something else looks.
    """
    furthest = max((reach, *(rule.lookback() for rule in rules if rule.enabled and view in rule.views)))
    # The data edge may lie a day behind; the day before is what its window begins in.
    first = midnight_before(hour_of(now - furthest)) - HOURS_PER_DAY
    # How much of a planned amount is left depends on all that was spent since its span began.
    spans = (plan.hours for plan in planned if plan.hours.end > first)
    return min([first, *(midnight_before(span.start) for span in spans)])
