"""
The inputs of every edge and sum at a moment, as one object that stays the same while none of them changes.

A cache needs to compare only this object, so that a poll without news costs next to nothing. This module only compares
inputs; it does not know what is computed from them.
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import EPOCH, SECONDS_PER_HOUR, first_hour_from, hour_of
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.stream import StreamKey, Streams, late_streams
from alertd.core.spend.view import SpendView

_SECOND = timedelta(seconds=1)

Reads = dict[tuple[str, str], tuple[int, int]]
"""By account and category, the range [from, to) in which its last read must lie, in seconds since 1970."""


@dataclass(slots=True, kw_only=True, eq=False)
class Moment:
    """What is known about one view of the bills, as far as edges and sums depend on it."""

    data: DataState
    """The newest data with these contents."""
    books: Mapping[tuple[str, str], CategoryBook]
    streams: Streams
    version: int
    """The version of the spend view."""
    hour: int
    """The running hour."""
    recent: int
    """The first hour that begins within the settle delay before now."""
    settled: int
    """The hour in which that delay began."""
    late: Mapping[StreamKey, int]
    """For each stream with late rows, the last hour for which it is too late for further rows to come."""
    gaps: object = field(default_factory=object)
    """A token that stays the same while the same hours are missing and doubted, for the same reasons."""
    reads: Reads = field(default_factory=dict)
    """The read times for which everything computed so far is valid."""

    def is_like(self, other: "Moment") -> bool:
        """Return whether the hour, what may still come and what is missing are the same."""
        return (
            (self.hour, self.recent, self.settled) == (other.hour, other.recent, other.settled)
            and self.late == other.late
            and self.gaps is other.gaps
        )

    def hold(self, reads: Reads) -> None:
        """Record that a result is valid only for the read times *reads*."""
        for key, (since, until) in reads.items():
            known = self.reads.get(key)
            self.reads[key] = (since, until) if known is None else (max(since, known[0]), min(until, known[1]))


def moment_of(view: SpendView, data: DataState) -> Moment:
    """Return the present inputs of edges and sums: the previous object if none of them changed since."""
    last, version = view.moment, view.version
    if not isinstance(last, Moment):
        view.moment = found = _moment(view, data)
        return found
    if last.data is data and last.version == version:
        return last
    _share_streams(last, data)
    moment = _moment(view, data)
    if _is_same(last, moment):
        last.data, last.books, last.streams = moment.data, moment.books, moment.streams
        return last
    if _has_same_gaps(last, moment):
        moment.gaps = last.gaps
    view.moment = moment
    return moment


def is_within(read_at: Mapping[tuple[str, str], datetime], reads: Reads) -> bool:
    """Return whether the last read of every category lies in its range of *reads*."""
    return all(key in read_at and since <= seconds_of(read_at[key]) < until for key, (since, until) in reads.items())


def seconds_of(instant: datetime) -> int:
    """Return the whole seconds since 1970."""
    return (instant - EPOCH) // _SECOND


def _moment(view: SpendView, data: DataState) -> Moment:
    now_s, streams = seconds_of(data.now), data.streams
    late = late_streams(streams, streams.longest_s)
    return Moment(
        data=data,
        # A copy: the owner of *data* may replace books in its mapping.
        books=dict(data.books),
        streams=streams,
        version=view.version,
        hour=hour_of(data.now),
        recent=first_hour_from(data.now - data.settle_delay),
        settled=hour_of(data.now - data.settle_delay),
        late={key: (now_s - streams.longest_s[key]) // SECONDS_PER_HOUR for key in late},
    )


def _is_same(last: Moment, new: Moment) -> bool:
    return (
        (last.version, last.hour, last.recent, last.settled) == (new.version, new.hour, new.recent, new.settled)
        and last.late == new.late
        and last.streams.mark is new.streams.mark
        and last.streams.read_at.keys() == new.streams.read_at.keys()
        and is_within(new.streams.read_at, last.reads)
        and _has_same_gaps(last, new)
    )


def _has_same_gaps(one: Moment, other: Moment) -> bool:
    """Return whether the same hours are missing and doubted, for the same reasons."""
    return one.books.keys() == other.books.keys() and all(
        book is other.books[key] or _is_as_complete(book, other.books[key]) for key, book in one.books.items()
    )


def _is_as_complete(one: CategoryBook, other: CategoryBook) -> bool:
    return (
        one.covered == other.covered
        and (one.failed, one.error, one.failed_at) == (other.failed, other.error, other.failed_at)
        and one.suspicions == other.suspicions
        and (one.hours is other.hours or one.has_credit == other.has_credit)
    )


def _share_streams(last: Moment, data: DataState) -> None:
    """Reuse the streams of the previous moment if no row came since: only their read times differ."""
    if data.known_streams is not None or last.data.known_streams is not None:
        return
    is_same = (
        last.hour == hour_of(data.now)
        and last.data.settle_delay == data.settle_delay
        and last.books.keys() == data.books.keys()
        and all(_has_same_rows(book, data.books[key]) for key, book in last.books.items())
    )
    if is_same:
        data.use_streams(replace(last.streams, read_at=data.read_at))


def _has_same_rows(one: CategoryBook, other: CategoryBook) -> bool:
    before, after = one.arrivals, other.arrivals
    if before is not after and (
        len(before) != len(after) or any(after.get(place) is not came for place, came in before.items())
    ):
        return False
    # Without arrivals the hours themselves determine how far the bills reach.
    return bool(before) or one.hours is other.hours or one.hours == other.hours
