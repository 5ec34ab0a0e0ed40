"""What `alertd db check` verifies beyond sound pages: that rows do not contradict themselves or each other."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alertd.core.spend.ledger import CategoryBook, summarise
from alertd.errors import StoreError
from alertd.store.actions import ActionRow
from alertd.store.alerts import AlertRow, Alerts
from alertd.store.bills import Bills, Books
from alertd.store.database import Database
from alertd.store.keys import KeyBills
from alertd.store.outbox import Outbox
from alertd.store.table import select


def find_contradictions(database: Database) -> list[str]:
    """Read every row and return the faults, one line each; a table that cannot be read is one fault."""
    checks: tuple[Callable[[Database], Iterator[str]], ...] = (
        _series,
        _blocks,
        _monthly,
        _alerts,
        _outbox,
        _actions,
    )
    findings: list[str] = []
    for check in checks:
        try:
            with database.snapshot():
                findings += check(database)
        except StoreError as error:
            findings.append(str(error))
    return findings


def _series(database: Database) -> Iterator[str]:
    for bills in (Bills(database), KeyBills(database)):
        table = bills.SERIES
        sql = f"SELECT id FROM {table} ORDER BY id"  # noqa: S608 -- a name of our own
        ids = [number for (number,) in database.rows(tuple[int], sql)]
        if ids != list(range(len(ids))):
            yield f"{table}: {len(ids)} ids are not numbered from 0 without a gap"
        names = len(set(bills.load_series().names))
        if names != len(ids):
            yield f"{table}: {len(ids)} ids stand for only {names} names"


def _blocks(database: Database) -> Iterator[str]:
    yield from _blocks_of(Bills(database))
    yield from _blocks_of(KeyBills(database))


def _blocks_of(bills: Books) -> Iterator[str]:
    books = bills.load_books()
    numbers: dict[tuple[str, str], list[int]] = {key: [] for key in books}
    for number, name in enumerate(bills.load_series().names):
        numbers.setdefault(name[:2], []).append(number)
    for book in books.values():
        own = np.array(numbers[book.key], np.int32)
        for hour in book.hours:
            try:
                yield from _block(bills, book, hour, own)
            except StoreError as error:
                yield str(error)


def _block(bills: Books, book: CategoryBook, hour: int, own: NDArray[np.int32]) -> Iterator[str]:
    block = bills.blocks(book.account, book.category, [hour])[hour]
    where = f'account "{book.account}": {book.title}: block of hour {hour}'
    if summarise(hour, block) != book.hours[hour]:
        yield f"{where}: its sum, end, digest or credit is not what stands beside it"
    alien = np.setdiff1d(block.series, own)
    if len(alien):
        yield f"{where}: names {len(alien)} series that are not of this account and category, such as {alien[0]}"


def _monthly(database: Database) -> Iterator[str]:
    for tracked in Bills(database).load_monthly():
        if not tracked.phases:
            yield f'account "{tracked.bill.account}": monthly bill {tracked.bill.bill_id}: has no phase'


def _alerts(database: Database) -> Iterator[str]:
    for row in select(database, AlertRow, "alert", "ORDER BY fingerprint"):
        try:
            # A body that another version wrote may lack fields or have another order: compare its meaning.
            yield from _differing(f"alert {row.fingerprint}", row, AlertRow.of(row.alert)._replace(body=row.body))
        except StoreError as error:
            yield str(error)
    _read_alert_events(database)


def _actions(database: Database) -> Iterator[str]:
    for row in select(database, ActionRow, "action_request", "ORDER BY id"):
        try:
            yield from _differing(f"action request {row.id}", row, ActionRow.of(row.request)._replace(body=row.body))
        except StoreError as error:
            yield str(error)


def _differing(what: str, row: NamedTuple, said: NamedTuple) -> Iterator[str]:
    """Yield the columns that contradict the body of a row."""
    differing = [name for name, a, b in zip(row._fields, row, said, strict=True) if a != b]
    if differing:
        yield f"{what}: {', '.join(differing)} is not what its body says"


def _read_alert_events(database: Database) -> None:
    """Raise StoreError if a record is damaged."""
    alerts = Alerts(database)
    for (fingerprint,) in database.rows(
        tuple[str], "SELECT DISTINCT fingerprint FROM alert_event ORDER BY fingerprint"
    ):
        alerts.events(fingerprint)


def _outbox(database: Database) -> Iterator[str]:
    pairs = database.rows(tuple[int, str], "SELECT entry_id, fingerprint FROM outbox_alert")
    linked: dict[int, set[str]] = {}
    for number, fingerprint in pairs:
        linked.setdefault(number, set()).add(fingerprint)
    outbox = Outbox(database)
    for (number,) in database.rows(tuple[int], "SELECT id FROM outbox ORDER BY id"):
        try:
            yield from _entry(outbox, number, linked.get(number, set()))
        except StoreError as error:
            yield str(error)


def _entry(outbox: Outbox, number: int, linked: set[str]) -> Iterator[str]:
    entry = outbox.entry(number)
    if entry is None:
        return
    if set(entry.fingerprints) != linked:
        yield f"outbox entry {number}: cannot be found by every alert that it is about"
    last = max((attempt.number for attempt in outbox.attempts(number)), default=0)
    if last > entry.attempts:
        yield f"outbox entry {number}: counts {entry.attempts} attempts, but attempt {last} is recorded"
