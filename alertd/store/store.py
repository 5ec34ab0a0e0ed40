"""
The store's interface: how it is opened, and what is committed together.

One process, which holds the lock or lease, writes; any number may read meanwhile.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.core.actions import ActionRequest
from alertd.core.alert import Alert
from alertd.core.alerts.silence import Silence
from alertd.core.dataclass import dataclass
from alertd.core.hours import start_of
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.spend.lists import View
from alertd.errors import StoreError
from alertd.store.actions import Actions
from alertd.store.alerts import AlertEvent, Alerts
from alertd.store.cycles import Cycles
from alertd.store.database import Database
from alertd.store.encoding import from_micros
from alertd.store.meta import Meta
from alertd.store.migrate import migrate, require_current, require_ours, shipped_migrations
from alertd.store.opening import Lock, copy_into_memory, open_to_read, open_to_write
from alertd.store.outbox import EntryUpdate, Outbox
from alertd.store.requests import Requests
from alertd.store.silences import Silences

if TYPE_CHECKING:
    from alertd.core.spend.bill import TrackedBill
    from alertd.core.spend.ledger import SeriesTable
    from alertd.store.bills import Bills, BookChange, Books
    from alertd.store.keys import KeyBills
    from alertd.store.readings import Balances, Resources, Terms, Utilization

_VIEWS = "views"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Numbers of deleted items."""

    hours: int
    entries: int
    events: int
    silences: int


class ActionOpen(StoreError):
    """An action was requested while another request for the same instance is open."""

    def __init__(self, name: str) -> None:
        super().__init__(f"another request for {name} is open; `alertd actions` shows it")


def _new_id() -> str:
    """Return 128 random bits as 32 hex digits."""
    return os.urandom(16).hex()


class Store:
    """All tables on one connection, for the thread that opened it, until `close`."""

    def __init__(self, database: Database, lock: Lock | None = None) -> None:
        self._database = database
        self._lock = lock
        self.alerts = Alerts(database)
        self.outbox = Outbox(database)
        self.cycles = Cycles(database)
        self.silences = Silences(database)
        self.actions = Actions(database)
        self.meta = Meta(database)
        self.requests = Requests(database)

    # Tables of bills and resources need numpy, which commands about alerts do not: each is imported when used.
    @cached_property
    def bills(self) -> "Bills":
        """The usage bills."""
        from alertd.store.bills import Bills  # noqa: PLC0415

        return Bills(self._database)

    @cached_property
    def key_bills(self) -> "KeyBills":
        """The bills by API key."""
        from alertd.store.keys import KeyBills  # noqa: PLC0415

        return KeyBills(self._database)

    @cached_property
    def balances(self) -> "Balances":
        """The accounts' balances."""
        from alertd.store.readings import Balances  # noqa: PLC0415

        return Balances(self._database)

    @cached_property
    def terms(self) -> "Terms":
        """The terms of subscriptions."""
        from alertd.store.readings import Terms  # noqa: PLC0415

        return Terms(self._database)

    @cached_property
    def resources(self) -> "Resources":
        """Instances and endpoints."""
        from alertd.store.readings import Resources  # noqa: PLC0415

        return Resources(self._database)

    @cached_property
    def utilization(self) -> "Utilization":
        """The utilisation of instances."""
        from alertd.store.readings import Utilization  # noqa: PLC0415

        return Utilization(self._database)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        now: datetime,
        new_id: Callable[[], str] = _new_id,
        on_lost: Callable[[], None] = lambda: None,
    ) -> "Store":
        """
        Open a database for reading and writing; create it or migrate its schema if needed.

        Args:
            url: `ALERTD_DATABASE_URL`.
            now: Stored as the creation time at the first open.
            new_id: Makes the installation's id at the first open.
            on_lost: Called, in another thread, when another process took the lease; every write fails then.

        Raises:
            SettingsError: The URL names no database that this version can use.
            StoreLocked: Another process writes to it.
            StoreError: It is damaged, newer than this alertd, or cannot be written.
        """
        database, lock = open_to_write(url, on_lost=on_lost)
        try:
            return cls._prepare(database, lock, now, new_id)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    @classmethod
    def open_read_only(cls, url: str) -> "Store":
        """
        Open a database for reading, whether or not a daemon writes to it, without a lock.

        Raises:
            SettingsError: The URL names no database that can be read.
            StoreError: There is no database, it is of another version, or cannot be read.
        """
        database = open_to_read(url)
        try:
            require_current(database, shipped_migrations())
        except BaseException:
            database.close()
            raise
        return cls(database)

    @classmethod
    def open_memory_copy(cls, url: str, *, now: datetime, new_id: Callable[[], str] = _new_id) -> "Store":
        """
        Copy a database into memory, an empty one if there is none; writes are lost when it is closed.

        Raises:
            SettingsError: As `open`.
            StoreError: The database is damaged, newer than this alertd, or cannot be read.
        """
        return cls._prepare(copy_into_memory(url), None, now, new_id)

    @classmethod
    def _prepare(cls, database: Database, lock: Lock | None, now: datetime, new_id: Callable[[], str]) -> "Store":
        try:
            database.require_sound()
            require_ours(database, shipped_migrations())
            database.make_durable()
            migrate(database, shipped_migrations())
            store = cls(database, lock)
            store.meta.establish(now=now, new_id=new_id)
        except BaseException:
            database.close()
            raise
        return store

    def close(self) -> None:
        """Close the connection and release the lock or lease; may be called repeatedly."""
        self._database.close()
        if self._lock is not None:
            self._lock.release()

    @property
    def place(self) -> str:
        """The database's name for people, without a password."""
        return self._database.place

    def database_now(self) -> datetime | None:
        """Return the time by the database's own clock, which several hosts share; None if it has none."""
        now = self._database.dialect.now
        return from_micros(self._database.rows(tuple[int], f"SELECT {now}")[0][0]) if now else None

    def snapshot(self) -> AbstractContextManager[None]:
        """Make all reads inside see the same state, whatever a daemon commits meanwhile."""
        return self._database.snapshot()

    def transaction(self) -> AbstractContextManager[None]:
        """Commit all writes inside together or not at all; the tables' own transactions become part of it."""
        return self._database.transaction()

    def use_views(self, views: Iterable[View]) -> None:
        """Store which views of the bills are read: stored data of other views is outdated."""
        text = " ".join(sorted(views))
        if self.meta.get(_VIEWS) != text:
            self.meta.put(_VIEWS, text)

    @property
    def views(self) -> frozenset[View]:
        """The views of the bills that are being read."""
        return frozenset(map(View, (self.meta.get(_VIEWS) or View.USAGE).split()))

    def books_of(self, view: View) -> "Books":
        """Return the tables of one view of the bills."""
        return self.bills if view is View.USAGE else self.key_bills

    def save_facts(
        self,
        table: "SeriesTable",
        *,
        books: "Iterable[BookChange]" = (),
        monthly: "Iterable[TrackedBill]" = (),
        view: View = View.USAGE,
    ) -> None:
        """
        Commit everything that a cycle read of a view: new series, books, blocks, and monthly bills.

        Raises:
            StoreError: Nothing was kept.
        """
        with self._database.transaction():
            self.books_of(view).save(table, books)
            self.bills.save_monthly(monthly)

    def save_decisions(
        self,
        *,
        alerts: Iterable[Alert] = (),
        silences: Iterable[Silence] = (),
        events: Iterable[AlertEvent] = (),
        entries: Iterable[OutboxEntry] = (),
        updates: Iterable[EntryUpdate] = (),
        actions: Iterable[ActionRequest] = (),
    ) -> int:
        """
        Commit everything that a cycle or request decided, and return how many notifications were new.

        Args:
            events: The history of the alerts.
            entries: New notifications.
            updates: Changes of waiting notifications.
            actions: New requests for actions.

        Raises:
            EntryMoved: An entry to be changed was no longer as read; nothing was stored.
            ActionOpen: Another request for that instance is open; nothing was stored.
            StoreError: Nothing was kept.
        """
        with self._database.transaction():
            self.alerts.save(alerts)
            self.silences.save(silences)
            self.alerts.add_events(events)
            added = self.outbox.add(entries)
            self.outbox.update_all(updates)
            for request in actions:
                if not self.actions.add(request):
                    raise ActionOpen(request.name)
        return added

    def move_action(
        self,
        before: ActionRequest,
        after: ActionRequest,
        *,
        events: Iterable[AlertEvent] = (),
        entries: Iterable[OutboxEntry] = (),
    ) -> bool:
        """
        Commit the next step of an action request, with the history and notifications of its alert.

        Returns:
            False if the request has changed since it was read; nothing was stored then.

        Raises:
            StoreError: Nothing was kept.
        """
        with self._database.transaction():
            moved = self.actions.move(before, after)
            if moved:
                self.alerts.add_events(events)
                self.outbox.add(entries)
        return moved

    def prune(self, *, before_hour: int, before: datetime) -> Pruned:
        """
        Delete spend and balances before an hour, and sent messages, history and silences before an instant.

        Books in memory must be reloaded: the hours before count as never read.
        """
        with self._database.transaction():
            self.balances.prune(start_of(before_hour))
            self.terms.prune(start_of(before_hour))
            self.resources.prune(start_of(before_hour))
            self.actions.prune(before)
            self.utilization.prune(before_hour)
            return Pruned(
                hours=self.bills.prune(before_hour) + self.key_bills.prune(before_hour),
                entries=self.outbox.prune(before),
                events=self.alerts.prune(before),
                silences=self.silences.prune(before),
            )

    def check(self) -> list[str]:
        """Check every page and every row; return the faults, one line each, empty if all is well."""
        from alertd.store.check import find_contradictions  # noqa: PLC0415

        faults = self._database.check()
        # Rows on damaged pages would only repeat the fault in other words.
        return faults or find_contradictions(self._database)

    def backup(self, path: Path) -> None:
        """
        Write a consistent copy into a new file while a daemon continues.

        Raises:
            StoreError: The file already exists, cannot be written, or the database has its own tool for backups.
        """
        self._database.backup(path)
