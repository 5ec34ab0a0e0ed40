"""
Which hours to read in a cycle: the newest always, older ones less often, and whatever is missing.

Every range begins at a UTC midnight, so that rows billed by the day are read in full.
"""

from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, HourSet, hour_of, midnight_before
from alertd.core.spend.ledger import CONFIRM_AFTER, DEEP_HOURS, FULL_HOURS, CategoryBook

TAIL_HOURS = 6
"""Hours before the running one that are read at each poll."""
LONGEST_RANGE_HOURS = 31 * HOURS_PER_DAY
"""The API's own limit for one request."""


_PUNCTUAL = 0.9
"""Fraction of the interval after which the next poll may begin: the previous one may have waited for its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often the older hours are read again."""

    deep_every: timedelta = timedelta(hours=1)
    full_every: timedelta = timedelta(hours=24)
    confirm_after: timedelta = CONFIRM_AFTER
    """Minimum time from a read in which money vanished to one that can confirm it."""

    @classmethod
    def for_interval(cls, poll_interval: timedelta) -> "Cadence":
        """Return the usual cadence, or a faster one for a faster poll (deep every 6th, full every 144th)."""
        return cls(
            deep_every=min(cls().deep_every, 6 * poll_interval),
            full_every=min(cls().full_every, 144 * poll_interval),
            # A full poll interval must pass: a poll that an edit or a signal triggered comes too soon to confirm.
            confirm_after=max(CONFIRM_AFTER, _PUNCTUAL * poll_interval),
        )


def plan_reads(
    book: CategoryBook,
    now: datetime,
    *,
    horizon: int,
    settle_delay: timedelta,
    cadence: Cadence,
    everything: bool = False,
    first: int = 0,
) -> tuple[HourRange, ...]:
    """
    Return the ranges to read of one category, newest first, each at most 31 days and beginning at a UTC midnight.

    Args:
        horizon: The first hour that some rule can see.
        settle_delay: Hours read sooner than this after their end may lack rows and are read again.
        everything: Read all from the horizon on, even if already known.
        first: The first hour, a UTC midnight, that the API has; earlier hours are never requested.
    """
    running = hour_of(now)
    starts = [running - TAIL_HOURS]
    if book.read_at is not None:
        starts.append(hour_of(book.read_at - settle_delay))
    if _is_due(book.deep_read_at, now, cadence.deep_every):
        starts.append(running - DEEP_HOURS)
    if _is_due(book.full_read_at, now, cadence.full_every):
        starts.append(running - FULL_HOURS)
    if everything:
        starts.append(horizon)
    # After a long stop the gap may begin before anything that a rule can see: hours that nothing uses are not read.
    start = midnight_before(max(min(starts), min(horizon, running - FULL_HOURS)))
    newest = HourRange(start, running + 1)
    wanted = missing_days(book, HourRange(min(midnight_before(horizon), start), start))
    found = (piece for span in (newest, *reversed(wanted.ranges)) for piece in pieces(span))
    return tuple(HourRange(max(piece.start, first), piece.end) for piece in found if piece.end > first)


def _is_due(last: datetime | None, now: datetime, every: timedelta) -> bool:
    # A read in the future was dated by a wrong clock: ignore it.
    return last is None or not timedelta() <= now - last < every


def missing_days(book: CategoryBook, span: HourRange) -> HourSet:
    """Return the whole days of the span with hours that were never read, failed or are doubted."""
    hours = [*book.covered.missing_from(span), *book.failed.within(span)]
    hours += [HourRange(hour, hour + 1) for hour in book.suspicions if hour in span]
    return HourSet.of(
        HourRange(midnight_before(part.start), min(midnight_before(part.end - 1) + HOURS_PER_DAY, span.end))
        for part in hours
    )


def pieces(span: HourRange, longest: int = LONGEST_RANGE_HOURS) -> list[HourRange]:
    """Split a range at midnights into pieces of at most *longest* hours, newest first and as long as possible."""
    found = []
    end = span.end
    while end > span.start:
        start = max(span.start, midnight_before(end - 1) - longest + HOURS_PER_DAY)
        found.append(HourRange(start, end))
        end = start
    return found
