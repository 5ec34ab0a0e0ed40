"""What a read counts, and what it leaves out: figures of the log and the metrics, and requests that are saved."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from alertd.core.hours import HourRange
from alertd.core.spend.bill import SUBSCRIPTION, BillRows
from alertd.daemon.poll import poll
from tests.core.builders import row
from tests.daemon.clock_life import RULES, Billing, hourly, living
from tests.daemon.test_clock_life import NOON
from tests.virtual_clock import VirtualClock

TERM = "  - {name: term, type: subscription, ends_within: {warning: 7d}}\n"


@dataclass(slots=True, kw_only=True)
class Noting(Billing):
    """Notes which categories are asked for; some of its rows have digits that are too fine."""

    categories: list[str] = field(default_factory=list)
    rounded: int = 0

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        self.categories.append(category)
        found = await Billing.read_bills(self, category, span)
        return replace(found, rounded=self.rounded) if category == "gpu" else found


async def test_read_when_it_is_counted_then_each_figure_is_of_this_read_alone(tmp_path: Path) -> None:
    """A row that is gone in one answer is doubted and not deleted; what is as before has not changed."""
    clock = VirtualClock()
    bills = Noting(clock=clock, rows=hourly("runs", "4", NOON - 5, NOON))
    async with living(tmp_path, clock, billing=bills) as life:
        await life.poll()
        same = await poll(life.app)
        assert (same.rows > 0, same.ranges > 0) == (True, True)
        assert (same.hours_changed, same.hours_doubted, same.rows_rounded) == (0, 0, 0)
        bills.rows.append(row(NOON - 1, "7", owner="late"))
        bills.rounded = 3
        clock.pass_time(timedelta(minutes=10))
        more = await poll(life.app)
        assert (more.hours_changed, more.hours_doubted, more.rows - same.rows) == (1, 0, 1)
        assert more.rows_rounded > 0
        assert more.rows_rounded % 3 == 0
        bills.rows = [one for one in bills.rows if one.hour != NOON - 1]
        clock.pass_time(timedelta(minutes=10))
        less = await poll(life.app)
        assert (less.hours_changed, less.hours_doubted) == (0, 1)


async def test_subscriptions_when_they_were_read_lately_then_six_requests_are_saved(tmp_path: Path) -> None:
    """They are bought a few times a month; a whole read leaves nothing out."""
    clock = VirtualClock()
    bills = Noting(clock=clock)
    async with living(tmp_path, clock, billing=bills, rules=RULES + TERM) as life:
        await life.poll(2)
        counts = []
        for everything in (False, True, False):
            bills.categories.clear()
            await poll(life.app, everything=everything)
            counts.append(SUBSCRIPTION in bills.categories)
            assert "gpu" in bills.categories
        clock.pass_time(timedelta(hours=1))
        bills.categories.clear()
        await poll(life.app)
        counts.append(SUBSCRIPTION in bills.categories)
    assert counts == [False, True, False, True]
