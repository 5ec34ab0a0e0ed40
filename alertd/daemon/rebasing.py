"""Re-dates items that a clock that was ahead has dated into the future, in memory and in the store."""

from datetime import datetime
from itertools import compress
from operator import is_not

from alertd.core.alert import Alert
from alertd.core.alerts.rebase import rebase
from alertd.daemon.state import DaemonState
from alertd.daemon.store_gateway import StoreGateway


async def rebase_state(state: DaemonState, store: StoreGateway, now: datetime, *, has_jumped: bool) -> int:
    """
    Re-date items in the future to now, by a checked time.

    Args:
        state: The state in memory; to be reloaded if anything was changed.
        has_jumped: The clock was corrected: data edges from before are no longer valid.

    Returns:
        The number of changes.
    """
    books = [book for view in state.views for book in state.shelf(view).books.values()]
    found = rebase(_unchecked(state, now), state.silences.values(), books, state.bills.values(), now)
    if found or has_jumped:
        state.edges = ()
        await store.call(lambda opened: opened.meta.put_edges(()))
        state.watched_since = await store.rebase(found, now)
    return len(found)


def _unchecked(state: DaemonState, now: datetime) -> list[Alert]:
    """Return the alerts that are new or changed since they were checked by an earlier time: at most polls none is."""
    checked, alerts = state.dated, tuple(state.alerts.values())
    state.dated = (now, alerts)
    if checked is None or now < checked[0]:
        return list(alerts)
    before = checked[1]
    return [*compress(alerts, map(is_not, alerts, before)), *alerts[len(before) :]]
