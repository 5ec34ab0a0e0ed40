"""A backfill that is stopped in the middle: what was read stays, and the next one goes on there."""

import signal
import threading
from decimal import Decimal

import pytest

from alertd.store.store import Store
from tests.e2e.daemon import PATIENCE_S, Alertd, wait_for
from tests.e2e.world import BillingWorld, Fault, Row

RULES = """
version: 1
receivers: [{name: out, type: console}]
rules: [{name: all, type: rolling_spend, window: 24h, thresholds: {info: 1}}]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code"),
    [pytest.param(signal.SIGINT, 130, id="Ctrl-C"), pytest.param(signal.SIGKILL, -9, id="killed")],
)
def test_backfill_when_stopped_in_the_middle_then_the_next_goes_on_there(
    alertd: Alertd, world: BillingWorld, how: signal.Signals, code: int
) -> None:
    """Ninety days are not begun anew because of a closed laptop."""
    alertd.rules(RULES)
    # Wide of every moment at which the settle delay would have the newest hours read again.
    alertd.env["ALERTD_SETTLE_DELAY"] = "6h"
    world.add(*(Row(category="gpu", start=world.hour(ago), pay=Decimal(1)) for ago in range(0, 24 * 25, 24)))
    hold = threading.Event()
    world.faults["gpu"].extend([Fault(), Fault(), Fault(hold=hold)])
    child = alertd.start("backfill", "--since", "30d")
    wait_for(lambda: world.polls() == 3, why="two weeks stored, the third under way")

    child.send_signal(how)
    child.wait(PATIENCE_S)

    hold.set()
    assert child.returncode == code
    begun = [asked.query for asked in world.asked if asked.name == "gpu"]
    world.asked.clear()
    ran = alertd.run("backfill", "--since", "30d")
    assert ran.code == 0, ran.err
    again = [asked.query for asked in world.asked if asked.name == "gpu"]
    assert again[0] == begun[2]
    assert not [query for query in again if query in begun[:2]]
    store = Store.open_read_only(f"sqlite:///{alertd.database}")
    assert len(store.bills.load_books()["default", "gpu"].hours) == 25
    store.close()
