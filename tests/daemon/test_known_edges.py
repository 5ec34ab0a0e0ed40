"""No edge moves back over a restart: two daemons live through the same late bills, one begun anew at each poll."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from alertd.core.hand_clock import HandClock
from alertd.core.labels import Patterns
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.spend.reading import Cadence
from alertd.core.spend.selection import SpendQuery
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.rules_test.run import InlineExecutor
from alertd.rules_test.suite import load_tests
from alertd.rules_test.world import BillsOfTest
from alertd.settings.model import Settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread

RULES = """
version: 1
receivers: [{name: finops, type: console}]
defaults: {notify: [finops]}
rules:
  - {name: day, type: rolling_spend, group_by: [owner], window: 24h, thresholds: {warning: 5}}
  - {name: low, type: balance, runway_below: {warning: 2d}}
"""
TESTS = """
rules: rules.yaml
tests:
  - name: bills that come late from some hour on
    start: 2026-03-01
    bills:
      - {category: gpu, owner: gpu-1, hours: "1x40"}
      - {category: gpu, owner: gpu-1, from: 40h, hours: "1x8", late: 9h}
      - {category: gpu, owner: gpu-2, hours: "1x20 _x20 1x8"}
      - {category: llm, owner: key-1, hours: "1x60"}
    balances: [{at: 0h, available: $100}]
    expect: [{at: 0h, alerts: []}]
"""
START = datetime(2026, 3, 1, tzinfo=UTC)


class Daemon:
    """One cycle over bills and a store of its own."""

    def __init__(self, path: Path) -> None:
        (path / "rules.yaml").write_text(RULES)
        (path / "tests.yaml").write_text(TESTS)
        loaded = load_tests(path / "tests.yaml")
        test = loaded.tests[0].test
        self.clock = HandClock(START)
        sources = {"default": BillsOfTest(test, "default", is_only=True, clock=self.clock)}
        settings = Settings.model_construct(poll_interval=timedelta(hours=1), settle_delay=timedelta(hours=2))
        plan = replace(build_plan(loaded.rules, settings, sources=sources, notifiers={}), categories=("gpu", "llm"))
        (self.rule,) = (rule for rule in plan.rules if isinstance(rule, SpendRule) and rule.name == "day")
        store = Store.open("sqlite://", now=START, new_id=lambda: "one")
        self.thread = StoreThread(InlineExecutor(), store)
        self.cycle = Cycle(
            store=StoreGateway(self.thread),
            plan=plan,
            cadence=Cadence.for_interval(timedelta(hours=1)),
            install_id="one",
            timer=lambda: 0.0,
        )

    async def poll(self, now: datetime) -> NDArray[np.int64]:
        """Run a cycle and return through which hour each owner is billed in each stream, then all for the runway."""
        self.clock.now = now
        await self.cycle.run(now)
        queries = (self.rule.query, SpendQuery(filters=(("category", Patterns(("!subscription",))),)))
        known = [replace(query, accounts=frozenset({"default"})) for query in queries]
        return np.concatenate([self.cycle.view.cells(query).known_through for query in known])


@pytest.mark.slow
async def test_edges_when_begun_anew_at_each_poll_then_as_if_never(tmp_path: Path) -> None:
    """Late rows say of hours that were known before that they may be late: what was known stays."""
    folders = [tmp_path / name for name in ("lives", "begins")]
    for folder in folders:
        folder.mkdir()
    lives, begins = map(Daemon, folders)
    fell = 0
    before: NDArray[np.int64] | None = None
    for hour in range(26, 56):
        now = START + timedelta(hours=hour, minutes=2)
        begins.cycle.forget()
        expected, found = await lives.poll(now), await begins.poll(now)
        assert found.tolist() == expected.tolist(), now
        fell += bool(begins.cycle.state.edges)
        if before is not None and len(before) == len(found):
            assert (found >= before).all()
        before = found
    assert fell
    await lives.thread.close()
    await begins.thread.close()
