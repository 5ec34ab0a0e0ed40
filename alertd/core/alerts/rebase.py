"""
Re-dates what a clock that was ahead has dated into the future: alerts, silences, bills and books.

Otherwise `for`, repeats, escalations and reads would wait for a day that may be years away.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from alertd.core.alert import Alert
from alertd.core.alerts.silence import Silence
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, hour_of
from alertd.core.spend.bill import TrackedBill
from alertd.core.spend.ledger import CategoryBook, Suspicion

AHEAD = timedelta(hours=1)
"""Smaller differences come from small clock corrections, or from moments after the start of the cycle."""

_Thing = TypeVar("_Thing", Alert, Silence, CategoryBook, TrackedBill)
_END_OF_TIME = 1 << 40
"""An hour later than all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """Everything that was dated into the future, re-dated."""

    alerts: tuple[Alert, ...] = ()
    silences: tuple[Silence, ...] = ()
    books: tuple[CategoryBook, ...] = ()
    bills: tuple[TrackedBill, ...] = ()

    def __len__(self) -> int:
        return len(self.alerts) + len(self.silences) + len(self.books) + len(self.bills)


def rebase(
    alerts: Iterable[Alert],
    silences: Iterable[Silence],
    books: Iterable[CategoryBook],
    bills: Iterable[TrackedBill],
    now: datetime,
) -> Rebased:
    """Return the necessary changes, by a checked time."""
    return Rebased(
        alerts=_changed(alerts, now, rebased_alert),
        silences=_changed(silences, now, rebased_silence),
        books=_changed(books, now, rebased_book),
        bills=_changed(bills, now, rebased_bill),
    )


def _changed(
    things: Iterable[_Thing], now: datetime, rebased: Callable[[_Thing, datetime], _Thing]
) -> tuple[_Thing, ...]:
    pairs = ((thing, rebased(thing, now)) for thing in things)
    return tuple(after for thing, after in pairs if after is not thing)


def no_later(at: datetime, now: datetime) -> datetime:
    """Return an instant, or now if it is in the future."""
    return now if at - now > AHEAD else at


def no_later_if_any(at: datetime | None, now: datetime) -> datetime | None:
    """Return an instant, or now if it is in the future; None for None."""
    return None if at is None else no_later(at, now)


def rebased_bill(tracked: TrackedBill, now: datetime) -> TrackedBill:
    """Return a monthly bill without future instants; the same object if it has none."""
    after = replace(
        tracked,
        phases=tuple(replace(phase, since=no_later(phase.since, now)) for phase in tracked.phases),
        last_seen_at=no_later(tracked.last_seen_at, now),
    )
    return tracked if after == tracked else after


def rebased_alert(alert: Alert, now: datetime) -> Alert:
    """Return an alert without future instants; the same object if it has none."""
    begun = alert.started_at
    last = max(
        begun,
        alert.fired_at or begun,
        alert.resolved_at or begun,
        alert.condition_ended_at or begun,
        alert.notified_at or begun,
        alert.escalated_at or begun,
        alert.acknowledged_at or begun,
    )
    # Called for every alert at every poll, so a copy is made only if needed.
    if last - now <= AHEAD:
        return alert
    return replace(
        alert,
        started_at=no_later(alert.started_at, now),
        fired_at=no_later_if_any(alert.fired_at, now),
        resolved_at=no_later_if_any(alert.resolved_at, now),
        condition_ended_at=no_later_if_any(alert.condition_ended_at, now),
        notified_at=no_later_if_any(alert.notified_at, now),
        escalated_at=no_later_if_any(alert.escalated_at, now),
        acknowledged_at=no_later_if_any(alert.acknowledged_at, now),
    )


def rebased_silence(silence: Silence, now: datetime) -> Silence:
    """Return a silence that was made in the future with its intended duration from now on."""
    ahead = silence.created_at - now
    if ahead <= AHEAD:
        return silence
    return replace(
        silence,
        created_at=now,
        ends_at=silence.ends_at - ahead if silence.ends_at is not None else None,
        expired_at=no_later_if_any(silence.expired_at, now),
    )


def rebased_book(book: CategoryBook, now: datetime) -> CategoryBook:
    """
    Return a book without reads in the future; the same object if it has none.

    Reads by a clock that was ahead say nothing about the hours since: the last month is read again, and future hours
    count as unread.
    """
    after = replace(
        book,
        failed_at=no_later_if_any(book.failed_at, now),
        suspicions={
            hour: Suspicion(digest=one.digest, total=one.total, since=no_later(one.since, now))
            for hour, one in book.suspicions.items()
        },
    )
    if any(at is not None and at - now > AHEAD for at in (book.read_at, book.deep_read_at, book.full_read_at)):
        to_come = HourRange(hour_of(now) + 1, _END_OF_TIME)
        after = replace(
            after,
            covered=book.covered.remove(to_come),
            failed=book.failed.remove(to_come),
            read_at=no_later_if_any(book.read_at, now),
            deep_read_at=None,
            full_read_at=None,
            # It is unknown which read first had a row, so it cannot teach anything about delays.
            reads=tuple(span for span in book.reads if span.read_at - now <= AHEAD and span.end <= to_come.start),
        )
    return book if after == book else after
