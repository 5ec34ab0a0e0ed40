"""What people wait for: commands as processes of their own, beside a Python that does nothing."""

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from alertd.clock import utc_now
from alertd.store.store import Store
from tests.bench.measure import ROUNDS, Row, child_ms

COMMANDS = (
    ("--version",),
    ("--help",),
    ("alerts",),
    ("silence", "list"),
    ("status",),
    ("spend",),
    ("check", "rules.yaml"),
    ("running",),
    ("explain", "gpu"),
)
_RULES = """version: 1
rules:
  - name: gpu
    type: rolling_spend
    window: 24h
    thresholds: {warning: 50}
"""


def start_up() -> Iterator[Row]:
    """Each command in turn with `python -c pass`, over a store without alerts."""
    alertd = str(Path(sys.executable).with_name("alertd"))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules.yaml").write_text(_RULES, encoding="utf-8")
        Store.open(f"sqlite:///{folder}/alertd.db", now=utc_now()).close()
        for command in COMMANDS:
            # The first run of all writes the bytecode.
            child_ms([alertd, *command], folder)
            pairs = [
                (child_ms([sys.executable, "-c", "pass"], folder), child_ms([alertd, *command], folder))
                for _ in range(ROUNDS)
            ]
            floor, found = (statistics.median(pair[n] for pair in pairs) for n in (0, 1))
            name = f"alertd {' '.join(command)}"
            yield Row(name=name, what="floor: python -c pass", floor_ms=floor, alertd_ms=found, target="200 ms")
