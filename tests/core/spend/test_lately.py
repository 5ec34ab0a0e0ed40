"""The windows in which spend is shown: they end at the data edge, and begin by the zone's calendar."""

from datetime import UTC, datetime

import pytest

from alertd.core.calendar import Period
from alertd.core.hours import HourRange, start_of
from alertd.core.spend.data_state import DataState
from alertd.core.spend.lately import period_so_far
from tests.core.builders import NOW, RUNNING, SETTLE, Desk, row


@pytest.mark.parametrize(
    ("timezone", "period", "start"),
    [
        pytest.param("UTC", Period.DAY, datetime(2026, 1, 10, tzinfo=UTC), id="a day in UTC"),
        pytest.param("Asia/Tokyo", Period.DAY, datetime(2026, 1, 9, 15, tzinfo=UTC), id="a day in Tokyo"),
        pytest.param("America/New_York", Period.MONTH, datetime(2026, 1, 1, 5, tzinfo=UTC), id="a month in New York"),
    ],
)
def test_period_so_far_then_begins_by_the_zones_calendar(timezone: str, period: Period, start: datetime) -> None:
    """The same word means the same hours in Slack, in reports and in budgets."""
    desk = Desk()
    desk.read([row(RUNNING - 3, "1")], HourRange(RUNNING - 900, RUNNING + 1))
    found = period_so_far(DataState(books=desk.books, now=NOW, settle_delay=SETTLE), period, timezone)
    assert found is not None
    assert start_of(found.start) == start
