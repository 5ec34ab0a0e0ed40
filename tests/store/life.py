"""
The life that a stored database of a released schema tells of, and the world as it was at its end.

The databases in `databases/` are this life as a version of alertd stored it; see `keep_database.py`. A change here
holds for the next of them only: those that are kept stay as they are.
"""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from alertd.core.messages.outbox import EntryState
from alertd.store.store import Store
from tests.e2e.daemon import Alertd
from tests.e2e.world import BillingWorld, Hook, Row, monthly_bill
from tests.store.samples import entry_of

BEGAN = datetime(2026, 1, 10, 12, 5, tzinfo=UTC)
LATER = BEGAN + timedelta(hours=30)
RULES = """
version: 1
receivers:
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [bridge]}}
rules:
  - name: gpu
    type: rolling_spend
    category: gpu
    group_by: [owner]
    window: 24h
    thresholds: {{warning: 5, critical: 100}}
    repeat_interval: never
  - {{name: slow, type: rolling_spend, category: gpu, window: 24h, for: 6h, thresholds: {{warning: 50}}}}
  - {{name: by-key, type: rolling_spend, view: api_key, group_by: [owner], window: 24h, thresholds: {{critical: 5}}}}
  - {{name: overdue, type: monthly_bill, thresholds: {{warning: 0d}}}}
  - {{name: low, type: balance, available_below: {{warning: $100}}}}
"""
STRAYS = tuple(state for state in EntryState if state is not EntryState.FOLDED)
"""States of the entries for a receiver that the rules do not name; a folded one comes with them."""


def world_at(world: BillingWorld, at: datetime) -> None:
    """Let the world be as it was at an instant of this life."""
    early, late = int(BEGAN.timestamp()) // 3600 * 3600, int(LATER.timestamp()) // 3600 * 3600
    world.rows = [Row(category="gpu", start=early - 7200, owner="gpu-0", pay=Decimal("9.0000000001"))]
    world.monthly = [monthly_bill("2025-11", status="paid", cashPayAmount="1000000")]
    world.balance = {"availableBalance": "5000000", "cashBalance": "4500000", "creditLimit": "500000"}
    if at >= LATER:
        world.rows += [
            Row(category="gpu", start=late - 7200, owner="gpu-1", product="H100", pay=Decimal("61.25")),
            Row(category="gpu", start=late - 3600, hours=1, owner="gpu-2", pay=Decimal(7), voucher=Decimal(1)),
            Row(category="llm", start=late - 7200, owner="key-7", pay=Decimal("8.5"), key_name="ci"),
        ]
        world.monthly.append(monthly_bill("2025-12", status="overdue", total="1230000", debt="1230000"))
        world.balance = {"availableBalance": "960000", "cashBalance": "460000", "creditLimit": "500000"}


def set_clock(alertd: Alertd, at: datetime) -> None:
    """Move the program's clock to an instant."""
    alertd.is_stepped = True
    alertd.step(at.timestamp() - alertd.now())


def live(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """Let alertd live it: an alert ends, one is acknowledged, one silenced, one waits; a bill is unpaid."""
    alertd.rules(RULES.format(hook=hook.url))
    for at in (BEGAN, LATER):
        set_clock(alertd, at)
        world_at(world, at)
        if at == LATER:
            _do(alertd, "silence", "add", "owner=gpu-2", "--for", "90d", "--comment", "run 12", "--by", "kim")
            _do(alertd, "silence", "add", "owner=gpu-9", "--for", "1h", "--by", "dana")
        _do(alertd, "run", "--once")
    (mine,) = (alert for alert in alertd.alerts() if alert["labels"].get("owner") == "gpu-1")
    _do(alertd, "ack", mine["fingerprint"], "--by", "dana")
    _stray(alertd.database)


def _do(alertd: Alertd, *arguments: str) -> None:
    ran = alertd.run(*arguments)
    assert ran.code == 0, ran.err


def _stray(path: Path) -> None:
    """Add entries in every state, for a receiver that no rule names any more."""
    with closing(Store.open(f"sqlite:///{path}", now=LATER)) as store:
        known = [
            replace(
                entry_of(f"stray {state}", receiver="gone", recipient=state, group=state, state=state),
                created_at=BEGAN,
                not_before=BEGAN,
                attempts=1,
                started_at=BEGAN,
                finished_at=None if state.is_open else BEGAN,
                error="" if state is EntryState.DELIVERED else f"why it is {state}",
                ref="1768046700.000100" if state is EntryState.DELIVERED else "",
            )
            for state in STRAYS
        ]
        store.save_decisions(entries=tuple(known))
        (kept,) = [entry for entry in store.outbox.open_entries() if entry.state is EntryState.PENDING]
        folded = entry_of("stray folded", receiver="gone", recipient="pending", group="pending")
        store.outbox.add([replace(folded, state=EntryState.FOLDED, finished_at=BEGAN, folded_into=kept.id)])


def dump(path: Path) -> str:
    """Return a database as SQL, which diffs and outlives file formats."""
    with closing(sqlite3.connect(path)) as connection:
        return "\n".join(connection.iterdump()) + "\n"


def restore(text: str, path: Path) -> None:
    """Make a database file of what `dump` returned."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(text)
