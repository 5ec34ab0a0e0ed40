"""What a reader of the simulated bills must find."""

from datetime import datetime
from decimal import Decimal

from alertd.simulator.meters import to_usd
from alertd.simulator.world import CATEGORIES, World


def visible_spend(
    world: World,
    start: datetime,
    end: datetime,
    *,
    now: datetime,
    category: str | None = None,
    owner: str = "",
) -> Decimal:
    """The exact USD of the rows that start in [start, end), as a reader sees them now."""
    start_s, end_s = int(start.timestamp()), int(end.timestamp())
    categories = CATEGORIES if category is None else (category,)
    seen = (row for each in categories for row in world.visible_rows(each, start_s, end_s, now=now))
    mine = ((row, version) for row, version in seen if row.start_s >= start_s and owner in {"", row.meter.owner_id})
    return to_usd(sum(version.amount for _, version in mine))
