"""The current time for a command: the daemon's, from its store, rather than that of a wrong system clock."""

from datetime import datetime, timedelta

from alertd.clock import Clock, boot_id
from alertd.core.dataclass import dataclass
from alertd.core.words import format_instant
from alertd.store.store import Store

_CLOSE = timedelta(minutes=1)
_APART = timedelta(hours=1)
"""How far the clocks of two hosts may differ before one of them counts as wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeNow:
    """The time, and a note on it for the reader."""

    now: datetime
    warning: str = ""


def time_now(store: Store, clock: Clock) -> TimeNow:
    """
    Return the time by the daemon's last check, plus what the clock since boot has counted.

    If that clock does not help, because of a reboot or another host, the system's clock is used unless it
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
