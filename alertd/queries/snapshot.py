"""What is known, read from the store: now, as a command sees it beside a daemon, or at an instant of the past."""

from collections.abc import Collection
from datetime import datetime

from alertd.core.alert import Alert
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of
from alertd.core.owners import OwnerDirectory
from alertd.core.replay.past import Past
from alertd.core.rules.facts import Facts
from alertd.core.rules.held import Held, LastRead, build_facts, never_asked, with_api_names
from alertd.core.rules.records import ReloadOutcome
from alertd.core.rules.watched import Watched
from alertd.core.spend.lists import View
from alertd.core.spend.view import SpendView
from alertd.store.history import read_history
from alertd.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Facts and alerts of one moment."""

    facts: Facts
    alerts: tuple[Alert, ...]


def read_snapshot(
    store: Store,
    watched: Watched,
    *,
    owners: OwnerDirectory,
    now: datetime,
    categories: Collection[str] | None = None,
) -> Snapshot:
    """
    Read everything that rules and reports look at.

    Args:
        watched: The store may still hold other accounts.
        owners: Those of the rules file.
        categories: The only ones whose spend will be asked for; None for all.

    Raises:
        StoreError: The store cannot be read.
    """
    spend: dict[View, SpendView] = {}
    with store.snapshot():
        held = _read_held(store, watched, owners)
        for view in watched.views:
            span = HourRange(watched.horizon(now, view), hour_of(now) + 1)
            tables = store.books_of(view)
            spend[view] = SpendView(tables.load_series(), span, metrics=watched.metrics_of(view), owners=held.owners)
            spend[view].take_over(edge for edge in store.meta.edges if edge.view is view)
            spend[view].advance(hour_of(now))
            spend[view].fill(tables.iter_blocks(span.start, categories))
        return Snapshot(facts=build_facts(held, watched, spend, now), alerts=tuple(store.alerts.open_alerts()))


def _read_held(store: Store, watched: Watched, owners: OwnerDirectory) -> Held:
    books = {view: store.books_of(view).load_books() for view in watched.views}
    resources = store.resources.load()
    return Held(
        books=books,
        bills=store.bills.load_monthly(),
        balances=store.balances.last(),
        terms=store.terms.load(),
        resources=resources,
        utilization=store.utilization.load(),
        owners=with_api_names(owners, store.key_bills.load_keys(), resources),
        last_read=store.meta.last_read or LastRead(dropped=never_asked(books, watched)),
        rules_file=store.meta.rules_file or ReloadOutcome(),
        watched_since=store.meta.created_at,
    )


def read_past(store: Store, watched: Watched, *, owners: OwnerDirectory, at: datetime) -> Facts:
    """
    Return what was known at an instant of the past, as far as the bills that are stored now say.

    Args:
        watched: The store may still hold other accounts.
        owners: Those of the rules file.

    Raises:
        StoreError: The store cannot be read.
    """
    hour = hour_of(at)
    span = HourRange(min(watched.horizon(at, view) for view in watched.views), hour + 1)
    keys = [(account, category) for account in watched.accounts for category in watched.categories]
    history = read_history(store, keys, span.start, uses_keys=View.API_KEY in watched.views)
    return Past(history, watched, span, hour, owners=owners, is_explained=True).at(at)
