"""PostgreSQL beside an SQLite file, both durable and on the same disk; by the clock, as a server does most of it."""

import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator

from alertd.clock import monotonic_s
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.bench.measure import Row
from tests.bench.store import FIRST_HOUR, HOURS, NOW, SERIES, month
from tests.postgres_server import running_server

COMMITS = 100
ROUNDS = 3


def postgresql() -> Iterator[Row]:
    """The same work in both: a month written, an hour replaced, everything read, a fact put."""
    if shutil.which("postgres") is None and shutil.which("psql") is None:
        return
    table, book, blocks = month()
    last = FIRST_HOUR + HOURS - 1

    def write(store: Store) -> None:
        store.save_facts(table, books=[BookChange(book=book, blocks=blocks)])

    def replace(store: Store) -> None:
        for _ in range(COMMITS):
            store.save_facts(table, books=[BookChange(book=book, blocks={last: blocks[last]})])

    def load(store: Store) -> None:
        store.bills.load_series()
        store.bills.load_books()
        sum(len(block) for _, block in store.bills.iter_blocks(FIRST_HOUR))

    def commit(store: Store) -> None:
        for number in range(COMMITS):
            store.meta.put("bench", str(number))

    work: dict[str, tuple[Callable[[Store], None], str]] = {
        "write a month": (write, "2"),
        "replace an hour": (replace, "2"),
        "load a month": (load, "2"),
        "small commit": (commit, "2"),
    }
    with tempfile.TemporaryDirectory() as folder, running_server(is_durable=True) as server, server.database() as url:
        file, served = Store.open(f"sqlite:///{folder}/alertd.db", now=NOW), Store.open(url, now=NOW)
        for name, (task, target) in work.items():
            pairs = [(_ms(task, file), _ms(task, served)) for _ in range(ROUNDS)]
            floor, found = (statistics.median(pair[n] for pair in pairs) for n in (0, 1))
            what = f"{HOURS} hours x {SERIES} cells, {COMMITS} commits; by the clock; floor: SQLite"
            yield Row(name=f"PostgreSQL, {name}", what=what, floor_ms=floor, alertd_ms=found, target=target)
        file.close()
        served.close()


def _ms(task: Callable[[Store], None], store: Store) -> float:
    started = monotonic_s()
    task(store)
    return (monotonic_s() - started) * 1000
