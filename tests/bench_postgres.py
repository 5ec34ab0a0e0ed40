"""
How long PostgreSQL takes against an SQLite file for a month of 10,000 series.

Run by hand: `python -m tests.bench_postgres`.

Both commit durably and stand on the same disk. Not collected: its figures depend on the machine.
"""

import tempfile
from collections.abc import Callable

from alertd.clock import monotonic_s
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.bench_store import FIRST_HOUR, HOURS, NOW, SERIES, month
from tests.postgres_server import running_server


def main() -> None:
    """Print a line for each kind of work: SQLite, PostgreSQL, and their ratio."""
    table, book, blocks = month()
    last = FIRST_HOUR + HOURS - 1

    def write(store: Store) -> None:
        store.save_facts(table, books=[BookChange(book=book, blocks=blocks)])

    def poll(store: Store) -> None:
        for _ in range(100):
            store.save_facts(table, books=[BookChange(book=book, blocks={last: blocks[last]})])

    def load(store: Store) -> None:
        store.bills.load_series()
        store.bills.load_books()
        sum(len(block) for _, block in store.bills.iter_blocks(FIRST_HOUR))

    def commit(store: Store) -> None:
        for number in range(100):
            store.meta.put("bench", str(number))

    work = {
        f"write {HOURS} hours x {SERIES} cells": write,
        "replace one hour, 100 times": poll,
        "load series, books and every block": load,
        "put a fact, 100 commits": commit,
    }
    with tempfile.TemporaryDirectory() as folder, running_server(is_durable=True) as server, server.database() as url:
        stores = [Store.open(f"sqlite:///{folder}/alertd.db", now=NOW), Store.open(url, now=NOW)]
        for what, task in work.items():
            file_s, server_s = (_seconds(task, store) for store in stores)
            print(f"{what:<40} {file_s:8.3f} s {server_s:8.3f} s {server_s / file_s:6.1f} x")  # noqa: T201 -- its output
        for store in stores:
            store.close()


def _seconds(task: Callable[[Store], None], store: Store) -> float:
    started = monotonic_s()
    task(store)
    return monotonic_s() - started


if __name__ == "__main__":
    main()
