"""What a clock that was ahead has dated into the future: dated to now, here and in the store."""

from datetime import datetime

from alertd.core.alerts.rebase import rebase
from alertd.daemon.state import DaemonState
from alertd.daemon.store_gateway import StoreGateway


async def rebase_state(state: DaemonState, store: StoreGateway, now: datetime, *, has_jumped: bool) -> int:
    """
    Date to now what lies in the future, by a time that was checked.

    Args:
        state: What is held; read it anew where anything was changed.
        has_jumped: The clock was put right: what it knew through is not known any more.

    Returns:
        How many things were changed.
    """
    books = [book for view in state.views for book in state.shelf(view).books.values()]
    found = rebase(state.alerts.values(), state.silences.values(), books, state.bills.values(), now)
    if found or has_jumped:
        state.edges = ()
        await store.call(lambda opened: opened.meta.put_edges(()))
        state.watched_since = await store.rebase(found, now)
    return len(found)
