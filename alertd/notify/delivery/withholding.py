"""Holds entries that became due before a silence or quiet hours began but are unsent, with those that wait for them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from alertd.core.messages.outbox import OutboxEntry
from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.notify.delivery.order import behind
from alertd.notify.delivery.outbox_interface import Outbox

Withhold = Callable[[Sequence[OutboxEntry], datetime], Awaitable[Sequence[OutboxEntry]]]
"""Returns entries in their held state if each of them must wait by now, else nothing."""


async def is_withheld(entry: OutboxEntry, outbox: Outbox, withhold: Withhold, now: Callable[[], datetime]) -> bool:
    """
    Return whether an entry that is about to be sent must wait, and store that.

    An entry to be sent that waits for it in the same lane is not held up: then both are sent.

    Raises:
        StoreError: The outbox cannot be read or written; some entries may be held already.
    """
    if entry.is_report:
        return False
    try:
        if not await withhold([entry], now()):
            return False
        waiting = [entry, *behind(entry, await outbox.open_entries())]
        held = await withhold(waiting, now())
    except StoreError:
        raise
    except Exception:  # noqa: BLE001 -- sending a silenced message is better than losing one
        get_logger().exception("silences not checked", receiver=entry.receiver)
        return False
    # All or none: an entry held alone would be pulled forward by those that wait for it.
    for before, after in zip(waiting, held, strict=False):
        await outbox.replace_entry(before, after, add=(), outcome="")
    return bool(held)
