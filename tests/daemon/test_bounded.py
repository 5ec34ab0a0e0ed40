"""What a daemon holds when instances come and go: after weeks no more than after days."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alertd.core.hours import hour_of, start_of
from alertd.core.resources import Listed, Listing, ResourceKind
from alertd.notify.base import Delivered, Envelope, NotSent, Outcome
from alertd.store.store import Store
from tests.daemon.clock_life import Billing, Life, Pager, hourly, living
from tests.held_sizes import sizes
from tests.virtual_clock import VirtualClock

HOUR = timedelta(hours=1)
KEPT = timedelta(days=1)
RULES = """
version: 1
receivers: [{name: pager, type: webhook, url: "http://127.0.0.1:9/"}]
defaults: {notify: [pager]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 6h, thresholds: {warning: 1}}
  - {name: idle, type: idle_gpu, window: 1h}
"""


@dataclass(slots=True, kw_only=True)
class Churn(Billing):
    """Lists an instance while it is billed, and says that it does nothing."""

    async def read_resources(self, kind: ResourceKind) -> Listing:
        if kind is not ResourceKind.INSTANCE:
            return Listing(entries=())
        running = {row.series.owner for row in self.rows if abs(start_of(row.hour) - self.clock.true) < HOUR}
        return Listing(entries=tuple(Listed(id=one, name=f"the {one}", status="running") for one in sorted(running)))

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return tuple((at, 0) for at in range(int(start.timestamp()), int(end.timestamp()), 300))


class ForgetfulPager(Pager):
    """Edits what it delivered, and is busy every third time, so that edits wait until later ones take them over."""

    can_edit = True
    tries = 0

    async def send(self, envelope: Envelope) -> Outcome:
        self.tries += 1
        return NotSent("busy") if self.tries % 3 == 0 else Delivered(f"ref-{self.tries}")

    async def edit(self, envelope: Envelope) -> Outcome:
        return await self.send(envelope)


async def live(life: Life, days: int) -> Counter[str]:
    """Live for so many days, delete what is old at the end of each as the service does, and return what is held."""
    for _ in range(days):
        for _ in range(4):
            await life.poll(every=6 * HOUR)
        now = life.clock.true

        def prune(store: Store, now: datetime = now) -> None:
            store.prune(before_hour=hour_of(now - KEPT), before=now - KEPT)

        await life.app.gateway.call(prune)
        life.app.cycle.forget()
    await life.poll(every=timedelta())
    return sizes(life.app)


@pytest.mark.slow
async def test_daemon_when_instances_come_and_go_then_nothing_that_it_holds_grows_with_them(tmp_path: Path) -> None:
    """What is kept for each instance, message or edit that there ever was fills the memory within a year."""
    clock = VirtualClock()
    first = hour_of(clock.true)
    rows = [row for day in range(-1, 10) for row in hourly(f"gpu-{day}", "1", first + 24 * day, first + 24 * day + 20)]
    billing = Churn(clock=clock, rows=rows)
    async with living(tmp_path, clock, billing=billing, rules=RULES, pager=ForgetfulPager(clock)) as life:
        before = await live(life, 3)
        after = await live(life, 4)
    grown = {place for place, size in after.items() if size >= before[place] + 4}
    assert not grown
    assert after["DaemonState.alerts"], "a walk that finds nothing finds no leak either"
