"""What became due before its alerts were silenced, and has not left: it waits on, and what waits behind it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from alertd.core.messages.outbox import OutboxEntry
from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.notify.delivery.order import behind
from alertd.notify.delivery.outbox_interface import Outbox

Withhold = Callable[[Sequence[OutboxEntry], datetime], Awaitable[Sequence[OutboxEntry]]]
"""Returns entries as they wait on where nobody wants to hear of any of them by now, else nothing."""


async def is_withheld(entry: OutboxEntry, outbox: Outbox, withhold: Withhold, now: Callable[[], datetime]) -> bool:
    """
    Return whether an entry that is about to be sent is to wait, and store that it does.

    What is wanted and waits for it in the same lane is not held up by it: then both leave.

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
    except Exception:  # noqa: BLE001 -- a message that somebody silenced is better than one that nobody gets
        get_logger().exception("silences not checked", receiver=entry.receiver)
        return False
    # Together or not at all: what is held alone would be pulled forward by what waits for it.
    for before, after in zip(waiting, held, strict=False):
        await outbox.replace_entry(before, after, add=(), outcome="")
    return bool(held)
