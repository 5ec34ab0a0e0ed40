"""What people wait for: commands as processes of their own, on a full store, beside a Python that does nothing."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alertd.clock import utc_now
from alertd.core.hours import HOURS_PER_DAY, HourRange, HourSet, hour_of
from alertd.core.spend.arrival import HOURLY, KEPT_HOURS, UNKNOWN, Arrivals
from alertd.core.spend.bill import CATEGORIES, Series
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, SeriesTable, summarise
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.bench.daemons import many_rules
from tests.bench.measure import ROUNDS, Row, child_ms

COMMANDS = (
    ("--version",),
    ("--help",),
    ("alerts",),
    ("silence", "list"),
    ("status",),
    ("spend",),
    ("check", "one.yaml"),
    ("running",),
    ("explain", "gpu"),
)
OWNERS, HOURS, LISTS = 500, 40 * HOURS_PER_DAY, CATEGORIES[:8]
_ONE = """version: 1
rules:
  - {name: gpu, type: rolling_spend, window: 24h, thresholds: {warning: 50}}
"""


def start_up() -> Iterator[Row]:
    """Each command in turn with `python -c pass`, over 500 owners' bills of 40 days in each of eight categories."""
    alertd = str(Path(sys.executable).with_name("alertd"))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "one.yaml").write_text(_ONE, encoding="utf-8")
        Path(folder, "rules.yaml").write_text(f"{_ONE}{many_rules(49)}\n", encoding="utf-8")
        _fill(f"sqlite:///{folder}/alertd.db")
        for command in COMMANDS:
            # The first run of all writes the bytecode.
            child_ms([alertd, *command], folder)
            pairs = [
                (child_ms([sys.executable, "-c", "pass"], folder), child_ms([alertd, *command], folder))
                for _ in range(ROUNDS)
            ]
            floor, found = (statistics.median(pair[n] for pair in pairs) for n in (0, 1))
            name = f"alertd {' '.join(command)}"
            what = f"{OWNERS} owners x {len(LISTS)} categories x {HOURS} h, 50 rules; floor: python -c pass"
            yield Row(name=name, what=what, floor_ms=floor, alertd_ms=found, target="200 ms")


def _fill(url: str) -> None:
    """Store what every owner spent in every hour of every category: four million charges."""
    now = utc_now()
    table = SeriesTable(
        Series("default", category, category, f"owner-{n}", "H100", "p", "on-demand")
        for category in LISTS
        for n in range(OWNERS)
    )
    store = Store.open(url, now=now)
    store.save_facts(table, books=[_month(category, n, hour_of(now) - 1) for n, category in enumerate(LISTS)])
    store.close()


def _month(category: str, number: int, end: int) -> BookChange:
    random = np.random.default_rng(number)
    series = np.arange(number * OWNERS, (number + 1) * OWNERS, dtype=np.int32)
    span, nothing = np.ones(OWNERS, np.int32), np.zeros(OWNERS, np.int64)
    blocks = {
        hour: HourBlock(series=series, span=span, amount=amount, voucher=nothing, pay=amount)
        for hour, amount in zip(range(end - HOURS, end), random.integers(1, 10**11, (HOURS, OWNERS)), strict=True)
    }
    delay = np.full(OWNERS, UNKNOWN, np.int32)
    arrivals = {(HOURLY, hour): Arrivals(series=series, delay=delay) for hour in range(end + 1 - KEPT_HOURS, end + 1)}
    book = CategoryBook(
        account="default",
        category=category,
        hours={hour: summarise(hour, block) for hour, block in blocks.items()},
        covered=HourSet((HourRange(end - HOURS, end),)),
        arrivals=arrivals,
    )
    return BookChange(book=book, blocks=blocks, arrivals=arrivals)
