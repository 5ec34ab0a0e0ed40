"""
The rows that answer a query: filtered, added up by day, week or month, or into the `summary`.

Decides which rows an answer holds at an instant; not how they are written.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from alertd.simulator.meters import DAY_S, Meter
from alertd.simulator.monthly import next_month
from alertd.simulator.queries import BillQuery, Cycle
from alertd.simulator.rows import Row, Version
from alertd.simulator.world import CATEGORIES, Money, SeenRow, World

WEEK_S = 7 * DAY_S
_FIRST_MONDAY_S = 4 * DAY_S  # 1970-01-05

_SUMMARY_METERS = {
    category: Meter(
        owner_id="",
        product_name="summary",
        category="summary",
        subcategory=category,
        usd_per_hour=Decimal(0),
    )
    for category in CATEGORIES
}


def bill_rows(world: World, query: BillQuery, *, now: datetime, reach_in: bool) -> Iterator[SeenRow]:
    """
    Yield the rows that answer *query* at *now*.

    Args:
        reach_in: Also give rows that begin before the range and reach into it.
    """
    if query.cycle is Cycle.HOUR and query.category != "summary":
        rows = _matching(world, query, query.start_s, query.end_s, now)
    else:
        # A slot is summed in full, even if it extends beyond the range.
        first_s, _ = _slot(query.cycle, query.start_s)
        _, end_s = _slot(query.cycle, query.end_s - 1)
        rows = _added_up(_matching(world, query, first_s, end_s, now), query)
    for seen in rows:
        row = seen.row
        if query.start_s <= row.start_s < query.end_s or (reach_in and row.start_s < query.start_s < row.end_s):
            yield seen


def _matching(world: World, query: BillQuery, start_s: int, end_s: int, now: datetime) -> Iterator[SeenRow]:
    categories = CATEGORIES if query.category == "summary" else (query.category,)
    owner_id, subcategory, fuzzy_name = query.owner_id, query.subcategory, query.product_name.lower()
    for category in categories:
        for seen in world.visible_rows(category, start_s, end_s, now=now):
            meter = seen.row.meter
            if (
                owner_id in {"", meter.owner_id}
                and subcategory in {"", meter.subcategory}
                and fuzzy_name in meter.product_name.lower()
            ):
                yield seen


def _added_up(rows: Iterable[SeenRow], query: BillQuery) -> Iterator[SeenRow]:
    sums: dict[tuple[Meter, int, int, int], Money] = {}
    for row, version in rows:
        start_s, end_s = (row.start_s, row.end_s) if query.cycle is Cycle.HOUR else _slot(query.cycle, row.start_s)
        place = (
            (_SUMMARY_METERS[row.meter.category], start_s, end_s, 1)
            if query.category == "summary"
            else (row.meter, start_s, end_s, row.billing_method)
        )
        sums[place] = sums.get(place, Money()).plus(version)
    for (meter, start_s, end_s, method), money in sums.items():
        version = Version(published_s=end_s, amount=money.amount, voucher=money.voucher)
        # Added-up rows are always written as documented, in the spelling that no respelling reaches.
        yield SeenRow(
            Row(
                meter=meter,
                start_s=start_s,
                end_s=end_s,
                billing_method=method,
                versions=(version,),
                spelling=9999,
            ),
            version,
        )


def _slot(cycle: Cycle, instant_s: int) -> tuple[int, int]:
    match cycle:
        case Cycle.MONTH:
            month = datetime.fromtimestamp(instant_s, UTC).replace(day=1, hour=0, minute=0, second=0)
            return int(month.timestamp()), int(next_month(month).timestamp())
        case Cycle.WEEK:
            start_s = (instant_s - _FIRST_MONDAY_S) // WEEK_S * WEEK_S + _FIRST_MONDAY_S
            return start_s, start_s + WEEK_S
        case _:
            # Also for hours: a row of the summary may be that of a whole day.
            start_s = instant_s // DAY_S * DAY_S
            return start_s, start_s + DAY_S
