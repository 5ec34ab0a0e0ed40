"""
Measure the evaluation of 1,000 rules over 10,000 owners and 744 hours, against one pass over the same memory.

Run by hand: `python tests/bench_evaluate.py`. Ratios count, not milliseconds.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np

from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.labels import Patterns
from alertd.core.money import Usd
from alertd.core.rules.facts import Facts
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.severity import Severity
from alertd.core.spend.bill import Series
from alertd.core.spend.block import EMPTY, HourBlock
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook, HourSummary, SeriesTable
from alertd.core.spend.view import SpendView

OWNERS, HOURS, RULES, ROUNDS = 10_000, 744, 1_000, 9
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
CATEGORIES = ("gpu", "llm", "serverless", "gen_api", "bare_metal")


def main() -> None:
    """Print the median of each step and its ratio to a memory pass."""
    table = SeriesTable(
        Series("default", CATEGORIES[n % 5], "x", f"owner-{n}", f"product-{n % 40}", "", "on-demand")
        for n in range(OWNERS)
    )
    end = hour_of(NOW)
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 2 * 10**9, (HOURS, OWNERS))
    ids = np.arange(OWNERS, dtype=np.int32)
    ones = np.ones(OWNERS, np.int32)
    blocks = [
        (end - HOURS + n, HourBlock(series=ids, span=ones, amount=row, voucher=row * 0, pay=row))
        for n, row in enumerate(cells)
    ]
    view = SpendView(table, HourRange(end - HOURS, end + 192))
    start = time.perf_counter()
    view.fill(blocks)
    fill_s = time.perf_counter() - start
    books = {("default", c): _book(c, end) for c in CATEGORIES}
    facts = Facts(now=NOW, spend=view, data=DataState(books=books, now=NOW, settle_delay=timedelta(hours=2)))
    rules = [_rule(n) for n in range(RULES)]
    first = _timed(lambda: [rule.evaluate(facts, ()) for rule in rules], 1)
    late = HourBlock(
        series=ids[:480], span=ones[:480], amount=cells[0][:480], voucher=cells[0][:480] * 0, pay=cells[0][:480]
    )

    def cycle() -> None:
        view.replace(end - 2, EMPTY, late)
        for rule in rules:
            rule.evaluate(facts, ())
        view.replace(end - 2, late, EMPTY)

    memory = _timed(lambda: int(cells.sum()), ROUNDS)
    warm = _timed(cycle, ROUNDS)
    fired = sum(len(rule.evaluate(facts, ())) for rule in rules)
    sys.stdout.write(
        f"{RULES} rules, {OWNERS} owners, {HOURS} hours; {fired} samples\n"
        f"one pass over the dense history {memory * 1e3:8.1f} ms  1.0x\n"
        f"cycle with 480 changed cells    {warm * 1e3:8.1f} ms  {warm / memory:.1f}x\n"
        f"first evaluation (selections)   {first * 1e3:8.1f} ms\n"
        f"fill from blocks                {fill_s * 1e3:8.1f} ms\n"
    )


def _book(category: str, end: int) -> CategoryBook:
    span = HourRange(end - 2 * HOURS, end + 1)
    hour = HourSummary(total=Usd(1), end=end, digest=b"", has_credit=False)
    return CategoryBook(
        account="default", category=category, hours={end - 1: hour}, covered=HourSet.of([span]), read_at=NOW
    )


def _rule(n: int) -> RollingSpend:
    windows = (1, 6, 24, 168, 744, 360)
    groups = (("owner",), ("category",), ("product",))
    filters = (Patterns(), Patterns(("gpu",)), Patterns((f"product-{n % 40}",)))
    kind = n % 3
    return RollingSpend(
        name=f"rule-{n}",
        window=timedelta(hours=windows[n % 6]),
        group_by=groups[(n // 6) % 3],
        category=filters[1] if kind == 1 else Patterns(),
        product=filters[2] if kind == 2 else Patterns(),
        thresholds={Severity.WARNING: Usd(10**16)},
    )


def _timed(run: "object", rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()  # type: ignore[operator]
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    main()
