"""
How long the store takes for a month of 10,000 series an hour; run by hand: `python -m tests.bench.store`.

Not collected: its figures depend on the machine.
"""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from alertd.clock import monotonic_s
from alertd.core.hours import HourRange, HourSet
from alertd.core.spend.bill import Series
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, SeriesTable, summarise
from alertd.store.bills import BookChange
from alertd.store.store import Store

HOURS = 744
SERIES = 10_000
FIRST_HOUR = 490_000
NOW = datetime(2026, 1, 31, tzinfo=UTC)


def _block(random: np.random.Generator) -> HourBlock:
    amount = random.integers(1, 10**12, SERIES)
    return HourBlock(
        series=np.arange(SERIES, dtype=np.int32),
        span=np.ones(SERIES, np.int32),
        amount=amount,
        voucher=np.zeros(SERIES, np.int64),
        pay=amount,
    )


def month() -> tuple[SeriesTable, CategoryBook, dict[int, HourBlock]]:
    """Return a month of one category: its series, its book, and its blocks by hour."""
    random = np.random.default_rng(1)
    table = SeriesTable(Series("a", "gpu", "gpu", f"owner-{n}", "H100", "p", "on-demand") for n in range(SERIES))
    blocks = {FIRST_HOUR + n: _block(random) for n in range(HOURS)}
    book = CategoryBook(
        account="a",
        category="gpu",
        hours={hour: summarise(hour, block) for hour, block in blocks.items()},
        covered=HourSet((HourRange(FIRST_HOUR, FIRST_HOUR + HOURS),)),
    )
    return table, book, blocks


def _timed(what: str, task: Callable[[], object]) -> None:
    started = monotonic_s()
    task()
    print(f"{what:<44} {(monotonic_s() - started) * 1000:9.1f} ms")  # noqa: T201 -- this is its output


def main() -> None:
    """Print one line per measurement."""
    random = np.random.default_rng(2)
    table, book, blocks = month()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/alertd.db"
        store = Store.open(url, now=NOW)
        _timed(
            f"write {HOURS} hours x {SERIES} cells",
            lambda: store.save_facts(table, books=[BookChange(book=book, blocks=blocks)]),
        )
        _timed("close (checkpoint)", store.close)
        print(f"{'file':<44} {Path(folder, 'alertd.db').stat().st_size / 1e6:9.1f} MB")  # noqa: T201 -- its output
        stores: list[Store] = []
        _timed("open (with quick_check)", lambda: stores.append(Store.open(url, now=NOW)))
        store = stores.pop()
        _timed("load series", store.bills.load_series)
        _timed("load books (summaries)", store.bills.load_books)
        _timed("read and decode every block", lambda: sum(len(b) for _, b in store.bills.iter_blocks(FIRST_HOUR)))
        for _ in range(3):
            change = BookChange(book=book, blocks={FIRST_HOUR + HOURS - 1: _block(random)})
            _timed("replace one hour", partial(store.save_facts, table, books=[change]))
        _timed("unchanged read", lambda: store.save_facts(table, books=[BookChange(book=book)]))
        _timed("backup", lambda: store.backup(Path(folder, "copy.db")))
        _timed("check", store.check)
        store.close()


if __name__ == "__main__":
    main()
