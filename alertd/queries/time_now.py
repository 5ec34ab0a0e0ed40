"""What time it is for a command: that of the daemon, as far as its store says, and not that of a wrong system clock."""

from datetime import datetime, timedelta

from alertd.clock import Clock, boot_id
from alertd.core.dataclass import dataclass
from alertd.core.words import format_instant
from alertd.store.store import Store

_CLOSE = timedelta(minutes=1)
_APART = timedelta(hours=1)
"""The clocks of two hosts may be this far apart before one of them is called wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeNow:
    """The time, and what its reader should know of it."""

    now: datetime
    warning: str = ""


def time_now(store: Store, clock: Clock) -> TimeNow:
    """
    Return the time by what the daemon checked last and by the clock that counts since the system started.

    Where that clock says nothing, because it began anew or counts on another host, the system's clock counts unless it
    is behind the last check, or an hour from the clock of a database that several hosts share.

    Raises:
        StoreError: The store cannot be read.
    """
    wall, record = clock.wall(), store.meta.clock
    checked_at = record.checked_at
    if checked_at is None:
        return TimeNow(now=wall)
    known = record.later(clock.elapsed_s(), boot_id())
    if known is None:
        shared = store.database_now()
        far_off = shared is not None and abs(wall - shared) > _APART
        known = max(checked_at, shared if far_off and shared is not None else wall)
    if abs(wall - known) <= _CLOSE:
        return TimeNow(now=wall)
    warning = (
        f"this system's clock says {format_instant(wall)}, and for alertd, which checked its time at "
        f"{format_instant(checked_at)}, it is {format_instant(known)}; this goes by alertd's time: set the clock"
    )
    return TimeNow(now=known, warning=warning)
