"""
Print a table of what alertd costs beside the floor of each work, both measured in turn in one run.

Run by hand: `python -m tests.bench [--only NAME] [--json]`. Figures are of processor time, the median of five: on a
busy machine trust the ratios.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

from tests.bench import bills, daemons, judging, page, processes, stores
from tests.bench.measure import Row

PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    # First: what it adds to the peak of memory is not seen once another part has taken more.
    "bills": bills.decode_and_store,
    "evaluation": judging.evaluation,
    "restart": judging.restart,
    "overview": judging.page,
    "page": page.answers,
    "backtest": judging.backtest,
    "commands": processes.start_up,
    "postgresql": stores.postgresql,
    "idle": daemons.idle,
    "large": daemons.large,
    "accounts": daemons.accounts,
}


def main() -> None:
    """Measure what was asked for, a line as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    asked = parser.parse_args()
    if not asked.json:
        sys.stdout.write(f"| {'row':24} | {'floor ms':>9} | {'alertd ms':>9} | {'ratio':>7} | target | size | work |\n")
        sys.stdout.write("| --- | --- | --- | --- | --- | --- | --- |\n")
    for name, part in PARTS.items():
        for row in part() if asked.only in {None, name} else ():
            sys.stdout.write((json.dumps(asdict(row)) if asked.json else _line(row)) + "\n")
            sys.stdout.flush()


def _line(row: Row) -> str:
    floor = f"{row.floor_ms:,.1f}" if row.floor_ms else ""
    cells = (
        f"{row.name:24}",
        f"{floor:>9}",
        f"{row.alertd_ms:>9,.1f}",
        f"{row.ratio:>7}",
        row.target,
        row.size,
        row.what,
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
