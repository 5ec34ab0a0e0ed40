"""What a day of a soak leaves behind, and whether it grew."""

import asyncio
import gc
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from alertd.core.hours import hour_of
from alertd.daemon.service import MESSAGES_KEPT, SPEND_KEPT

_SLACK = timedelta(days=2)
"""What is due to be deleted goes with the next day's maintenance."""
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The process and its store at the end of a day."""

    number: int
    resident_bytes: int
    descriptors: int
    threads: int
    tasks: int
    store_bytes: int

    def line(self) -> str:
        """Return it as a row of the table."""
        return (
            f"{self.number:>5}{self.resident_bytes / _MIB:>10.1f}{self.descriptors:>6}{self.threads:>9}{self.tasks:>7}"
            f"{self.store_bytes / _MIB:>10.1f}"
        )


HEADING = f"{'day':>5}{'RSS MiB':>10}{'fds':>6}{'threads':>9}{'tasks':>7}{'store MiB':>10}"


def measured(number: int, folder: Path) -> Day:
    """Look at this process and at the store's files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Day(
        number=number,
        resident_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 -- the folder itself takes one
        threads=threading.active_count(),
        tasks=len(asyncio.all_tasks()),
        store_bytes=sum(path.stat().st_size for path in folder.glob("alertd.db*") if path.is_file()),
    )


def growth(days: Sequence[Day], of: Callable[[Day], int]) -> float:
    """Return by how much the last third of the days has more than the third before it, by their medians."""
    third = len(days) // 3
    return median(map(of, days[-third:])) - median(map(of, days[-2 * third : -third]))


_RESOLVED = "SELECT fingerprint FROM alert WHERE state = 'resolved'"
_OF_OPEN_ALERTS = f"SELECT entry_id FROM outbox_alert WHERE fingerprint NOT IN ({_RESOLVED})"
_ENDED = "'delivered', 'gave up', 'folded'"
_OLD = (
    # What of the bills is older than :spend, an hour, or :spend_at, the same in microseconds.
    ("bill_hour", "end_hour <= :spend"),
    ("key_bill_hour", "end_hour <= :spend"),
    ("arrival", "end_hour <= :spend"),
    ("utilization", "hour < :spend"),
    ("balance", "read_at < :spend_at"),
    ("term", "ends_at < :spend_at"),
    ("resource", "gone_at < :spend_at"),
    # Messages and history of what is over.
    ("alert_event", f"happened_at < :said_at AND fingerprint IN ({_RESOLVED})"),
    ("outbox", f"finished_at < :said_at AND state IN ({_ENDED}) AND id NOT IN ({_OF_OPEN_ALERTS})"),
    ("attempt", "entry_id NOT IN (SELECT id FROM outbox)"),
    ("outbox_alert", "entry_id NOT IN (SELECT id FROM outbox)"),
    ("silence", "ends_at < :said_at"),
    ("action_request", "finished_at < :said_at"),
    ("cycle", "finished_at < :said_at"),
)


def too_old(database: Path, now: datetime) -> list[str]:
    """Return what the store still has although its time is over, in words; it reads the file by itself."""
    kept = now - SPEND_KEPT - _SLACK
    limits = {"spend": hour_of(kept), "spend_at": _micros(kept), "said_at": _micros(now - MESSAGES_KEPT - _SLACK)}
    found = []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        for table, is_old in _OLD:
            (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE {is_old}", limits).fetchone()
            found += [f"{count} rows of {table}"] if count else []
    return found


def _micros(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000
