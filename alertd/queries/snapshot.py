"""What is known, read from the store at one moment: for commands that look beside a running daemon."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertd.core.alert import Alert
from alertd.core.hours import HourRange, hour_of
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.spend.bill import View
from alertd.core.spend.ledger import DataState
from alertd.core.spend.view import SpendView
from alertd.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Facts and alerts of one moment."""

    facts: Facts
    alerts: tuple[Alert, ...]


def read_snapshot(
    store: Store,
    *,
    accounts: Collection[str],
    owners: OwnerDirectory,
    rules: Iterable[Rule],
    reach: timedelta,
    now: datetime,
    settle_delay: timedelta,
) -> Snapshot:
    """
    Read everything that rules and reports look at.

    Args:
        accounts: Only these; the store may still hold others.
        reach: How far before now spend is needed, beside what the rules look at.

    Raises:
        StoreError: The store cannot be read.
    """
    enabled = [rule for rule in rules if rule.enabled]
    furthest = max((reach, *(rule.lookback() for rule in enabled)))
    running = hour_of(now)
    # The data edge may lie a day behind.
    span = HourRange(hour_of(now - furthest - timedelta(days=1)), running + 1)
    metrics = sorted({"amount", *(metric.value for rule in enabled for metric in rule.metrics)})

    def read(view: View) -> tuple[SpendView, DataState]:
        tables = store.books_of(view)
        spend = SpendView(tables.load_series(), span, metrics=metrics, owners=named)
        spend.fill(tables.iter_blocks(span.start))
        books = {key: book for key, book in tables.load_books().items() if key[0] in accounts}
        return spend, DataState(books=books, now=now, settle_delay=settle_delay)

    with store.snapshot():
        named = owners.named({key.key_id: key.label for key in store.key_bills.load_keys()})
        spend, data = read(View.USAGE)
        facts = Facts(
            now=now,
            spend=spend,
            data=data,
            bills=tuple(tracked for tracked in store.bills.load_monthly() if tracked.bill.account in accounts),
            owners=named,
            keys=read(View.API_KEY) if any(View.API_KEY in rule.views for rule in enabled) else None,
            balances={name: balance for name, balance in store.balances.last().items() if name in accounts},
            watched_since=store.meta.created_at,
        )
        return Snapshot(facts=facts, alerts=tuple(store.alerts.open_alerts()))
