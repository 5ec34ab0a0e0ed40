"""A process that works on a store until it is killed; it says a line where it stands and waits for one to go on."""

import resource
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from alertd.core.money import Usd
from alertd.core.spend.block import HourBlock
from alertd.errors import StoreError
from alertd.store.database import Value
from alertd.store.migrate import Migration, migrate, shipped_migrations
from alertd.store.sqlite import SqliteDatabase
from alertd.store.store import Store
from tests.store.samples import HOUR, NOW, alert_of, block_of, change_of, entry_of, table_of


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- how the test hears of it


def stop_here(text: str) -> None:
    say(text)
    sys.stdin.readline()


def save(store: Store, number: int) -> None:
    """One cycle's facts and decisions that belong together."""
    cells: HourBlock = block_of(*[number + 1] * 50)
    store.save_facts(table_of(50 + number), books=[change_of({HOUR + number: cells})])
    alert = replace(alert_of(), repeat_count=number, top=())
    store.save_decisions(alerts=(alert,), entries=(entry_of(f"k{number}"),))


def hold(url: str) -> None:
    Store.open(url, now=NOW)
    stop_here("open")


def commit(url: str) -> None:
    """Stand still after two commits."""
    store = Store.open(url, now=NOW)
    save(store, 0)
    save(store, 1)
    stop_here("committed")


def interrupt(url: str) -> None:
    """Stand still inside a transaction that has written more than its cache holds."""
    store = Store.open(url, now=NOW)
    save(store, 0)
    with store.transaction():
        save(store, 1)
        many = {HOUR + n: block_of(*range(Usd(20_000))) for n in range(100)}
        store.save_facts(table_of(20_000), books=[change_of(many)])
        stop_here("inside")


def run(url: str) -> None:
    """Commit as fast as it goes, saying each number after its commit."""
    store = Store.open(url, now=NOW)
    for number in range(100_000):
        save(store, number)
        say(str(number))


class _Halting(SqliteDatabase):
    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        if "INTO meta" in sql:
            stop_here("migrating")
        return super().execute(sql, values)


def upgrade(url: str) -> None:
    """Stand still in a migration whose statements all ran, before its version is written."""
    path = Path(url.removeprefix("sqlite:///"))
    database = _Halting.open(path)
    steps = ";\n".join(["CREATE TABLE later (name TEXT)", "DROP TABLE cycle", ""])
    migrate(database, [*shipped_migrations(), Migration(number=len(shipped_migrations()) + 1, name="later", sql=steps)])


def limit(url: str) -> None:
    """Reach the limit of file size, then work on after it is lifted."""
    store = Store.open(url, now=NOW)
    save(store, 0)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, unlimited[1]))
    many = {HOUR + n: block_of(*range(20_000)) for n in range(5)}
    try:
        store.save_facts(table_of(20_000), books=[change_of(many)])
    except StoreError as error:
        say(str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    say(f"kept {len(store.bills.load_series())} series, {len(store.bills.load_books()['a', 'gpu'].hours)} hours")
    save(store, 1)
    say(f"check {store.check()}")


def sync(url: str) -> None:
    """Commit, and commit again where the first sync of that fails."""
    store = Store.open(url, now=NOW)
    save(store, 0)
    stop_here("synced")
    try:
        save(store, 1)
    except StoreError as error:
        say(str(error))
    say(f"kept {len(store.bills.load_books()['a', 'gpu'].hours)} hours")
    save(store, 1)
    stop_here(f"check {store.check()}")


MODES = {task.__name__: task for task in (hold, commit, interrupt, run, upgrade, limit, sync)}

if __name__ == "__main__":
    MODES[sys.argv[1]](sys.argv[2])
