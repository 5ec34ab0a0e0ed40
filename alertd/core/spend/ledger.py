"""
The ledger: which hours of which category are known, what each held, and what a new read changes.

It decides replacement, two-read confirmation and completeness. It does not know how rows are fetched or stored.
Source of the rules: the help page "data".
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.money import LARGEST_SUM, Usd
from alertd.core.spend.arrival import (
    KEPT_HOURS,
    Arrivals,
    Place,
    ReadSpan,
    is_noted,
    lacked_at,
    note_block,
    sharing,
    with_read,
)
from alertd.core.spend.bill import BillRows, Series
from alertd.core.spend.block import HourBlock, digest, empty_block, encode, encode_each
from alertd.core.spend.lists import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_HOURS = HourSet()
_NOWHERE = slice(0, 0)
DEEP_HOURS = 72
"""Hours that the hourly read for late rows reaches back."""
FULL_HOURS = 30 * 24
"""Hours that the daily read for later ones reaches back: from its midnight to now is one request of at most 31 days."""


CONFIRM_AFTER = timedelta(minutes=5)
"""Minimum time between two reads for the second to confirm the first: sooner, it likely shows the same fault."""


class SeriesTable:
    """Every series ever seen, numbered from 0 in the order of arrival; it only grows."""

    def __init__(self, names: Iterable[Series] = ()) -> None:
        self.names: list[Series] = []
        self._ids: dict[Series, int] = {}
        for name in names:
            self.number(name)

    def __len__(self) -> int:
        return len(self.names)

    def number(self, name: Series) -> int:
        """Return the id of a series, assigning the next one if it is new."""
        known = self._ids.setdefault(name, len(self.names))
        if known == len(self.names):
            self.names.append(name)
        return known


@dataclass(frozen=True, slots=True, kw_only=True)
class HourSummary:
    """What is held for one hour, without its cells."""

    total: Usd
    end: int
    """The hour after the last one that a row filed here covers."""
    digest: bytes
    has_credit: bool
    """Whether any row is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """An answer in which money vanished, not accepted until a later cycle reads the same."""

    digest: bytes
    """The digest of the answer's block for this hour."""
    total: Usd
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryBook:
    """All that is known about one category of one account; replaced as one object at each read."""

    account: str
    category: str
    hours: Mapping[int, HourSummary] = field(default_factory=dict)
    covered: HourSet = _NO_HOURS
    """Hours that were read successfully at least once."""
    failed: HourSet = _NO_HOURS
    """Hours whose latest read failed."""
    suspicions: Mapping[int, Suspicion] = field(default_factory=dict)
    read_at: datetime | None = None
    """The last successful read that reached the running hour."""
    error: str = ""
    """Why the latest read failed; empty if it did not."""
    failed_at: datetime | None = None
    """When reads of the newest hours began to fail; None while they succeed."""
    deep_read_at: datetime | None = None
    """The last successful read of the last days, for late rows."""
    full_read_at: datetime | None = None
    """The last successful read of the last month."""
    view: View = View.USAGE
    arrivals: Mapping[Place, Arrivals] = field(default_factory=dict)
    """When the rows of the last days came, by stream and the hour at which they end."""
    reads: tuple[ReadSpan, ...] = ()
    """The latest successful read of each recent hour, in rising order of hours."""

    @property
    def key(self) -> tuple[str, str]:
        """(account, category)."""
        return self.account, self.category

    @property
    def is_asked(self) -> bool:
        """Whether its bills were ever requested."""
        return bool(self.covered or self.failed)

    @property
    def title(self) -> str:
        """The category for people; its two views have different names."""
        return self.category if self.view is View.USAGE else f"{self.category} by API key"

    def is_contradicted(self, rows: BillRows, span: HourRange) -> bool:
        """
        Return whether an answer without a list covers hours that are known to have rows.

        Some services write an empty list as `{}`, but so does a gateway, or a service that lost its store.
        """
        return not rows.is_listed and any(hour in span for hour in self.hours)

    @property
    def has_credit(self) -> bool:
        """Whether any held hour has a negative row, so that missing hours may have one too."""
        return any(hour.has_credit for hour in self.hours.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """What one successful read changes."""

    book: CategoryBook
    """The book after the read."""
    blocks: Mapping[int, HourBlock]
    """Hours whose content changed; an empty block if the rows are gone."""
    doubted: int
    """Hours in which money vanished, kept as they were until a later read confirms."""
    ignored: int
    """Rows that do not start in the range that was read."""
    arrivals: Mapping[Place, Arrivals] = field(default_factory=dict)
    """The places that gained rows, each with all its arrivals."""


def file_rows(
    book: CategoryBook,
    table: SeriesTable,
    rows: BillRows,
    span: HourRange,
    *,
    read_at: datetime,
    is_backfill: bool = False,
    confirm_after: timedelta = CONFIRM_AFTER,
) -> Filing:
    """
    File the rows of one successful read: replace exactly the hours of *span*, but doubt money that vanishes.

    An hour that held money and comes back empty or with less than half is replaced only when a read that is later by
    at least *confirm_after* brings the same content.

    Args:
        is_backfill: Old hours are read on request: finding rows now says nothing about when they came.

    Raises:
        OverflowError: The sum of one cell does not fit 64 bits.
    """
    cells, places, ignored = _cells(table, rows, span)
    marks, no_rows = _marks(cells, places), digest(encode(empty_block()))
    hours = dict(book.hours)
    first_noted = hour_of(read_at) - KEPT_HOURS
    suspicions = {hour: s for hour, s in book.suspicions.items() if hour not in span}
    changed: dict[int, HourBlock] = {}
    arrivals: dict[Place, Arrivals] = {}
    for hour in sorted(places.keys() | {h for h in book.hours if span.start <= h < span.end}):
        place, mark = places.get(hour, _NOWHERE), marks.get(hour, no_rows)
        held = book.hours.get(hour)
        if held is not None and held.digest == mark:
            if held.end > first_noted and not is_noted(book.arrivals, hour, held.end - hour):
                # They were stored before arrivals were recorded.
                arrivals |= note_block(book.arrivals, hour, cells.part(place), read_at=read_at, lacked=None)
            continue
        block = cells.part(place)
        if held is not None and _is_doubtful(held, block):
            earlier = book.suspicions.get(hour)
            if earlier is None or earlier.digest != mark or read_at - earlier.since < confirm_after:
                since = earlier.since if earlier is not None and earlier.digest == mark else read_at
                suspicions[hour] = Suspicion(digest=mark, total=Usd(block.total), since=since)
                continue
        changed[hour] = block
        longest = block.longest
        if hour + longest > first_noted:
            is_taught = not is_backfill and (held is None or is_noted(book.arrivals, hour, held.end - hour))
            lacked = lacked_at(book.reads, hour, book.read_at) if is_taught else None
            known = {**book.arrivals, **arrivals} if longest > 1 else book.arrivals
            arrivals |= note_block(known, hour, block, read_at=read_at, lacked=lacked)
        if len(block):
            hours[hour] = _summary(hour, block, mark)
        else:
            del hours[hour]
    arrivals = sharing(book.arrivals, arrivals)
    is_noted_as_before = not arrivals and all(place[1] > first_noted for place in book.arrivals)
    after = replace(
        book,
        # Unchanged content stays the same object, so that caches can compare by identity.
        hours=hours if changed else book.hours,
        suspicions=suspicions,
        covered=book.covered.add(span),
        failed=book.failed.remove(span),
        arrivals=book.arrivals
        if is_noted_as_before
        else {place: held for place, held in {**book.arrivals, **arrivals}.items() if place[1] > first_noted},
        reads=with_read(book.reads, span, read_at),
    )
    running = hour_of(read_at)
    if running in span:
        after = replace(
            after,
            read_at=read_at,
            error="" if not after.failed else book.error,
            failed_at=None,
            deep_read_at=read_at if span.start <= running - DEEP_HOURS else book.deep_read_at,
            full_read_at=read_at if span.start <= running - FULL_HOURS else book.full_read_at,
        )
    return Filing(
        book=after,
        blocks=changed,
        doubted=sum(hour in span for hour in suspicions),
        ignored=ignored,
        arrivals=arrivals,
    )


def file_failure(book: CategoryBook, span: HourRange, *, error: str, failed_at: datetime) -> CategoryBook:
    """Record that a range could not be read: what was known stays, but its hours count as incomplete."""
    reached_now = hour_of(failed_at) in span
    return replace(
        book,
        failed=book.failed.add(span),
        error=error,
        failed_at=(book.failed_at or failed_at) if reached_now else book.failed_at,
    )


def _is_doubtful(held: HourSummary, block: HourBlock) -> bool:
    return (held.total > 0 and block.total * 2 < held.total) or (held.total != 0 and len(block) == 0)


def _summary(hour: int, block: HourBlock, mark: bytes) -> HourSummary:
    return HourSummary(
        total=Usd(block.total),
        end=hour + block.longest,
        digest=mark,
        has_credit=bool((block.amount < 0).any()),
    )


def summarise(hour: int, block: HourBlock) -> HourSummary:
    """Return the summary of a stored block, as the book keeps it."""
    return _summary(hour, block, digest(encode(block)))


def _cells(table: SeriesTable, rows: BillRows, span: HourRange) -> tuple[HourBlock, dict[int, slice], int]:
    """Return the cells of all hours in rising order, the slice of each hour, and the number of rows out of range."""
    inside = (rows.hour >= span.start) & (rows.hour < span.end)
    ignored = len(rows) - int(inside.sum())
    if ignored == len(rows):
        return empty_block(), {}, ignored
    ids = np.array([table.number(name) for name in rows.names], np.int32)
    chosen = np.flatnonzero(inside)
    hour, length, series = rows.hour[chosen], rows.span[chosen], ids[rows.series[chosen]]
    order = np.lexsort((length, series, hour))
    hour, length, series = hour[order], length[order], series[order]
    first = np.ones(len(order), bool)
    first[1:] = (hour[1:] != hour[:-1]) | (series[1:] != series[:-1]) | (length[1:] != length[:-1])
    starts = np.flatnonzero(first)
    picked = chosen[order]
    sums = [_cell_sums(column[picked], starts) for column in (rows.amount, rows.voucher, rows.pay)]
    hour = hour[starts]
    cells = HourBlock(series=series[starts], span=length[starts], amount=sums[0], voucher=sums[1], pay=sums[2])
    bounds = np.flatnonzero(np.concatenate(([True], hour[1:] != hour[:-1])))
    ends = [*bounds[1:].tolist(), len(hour)]
    return cells, dict(zip(hour[bounds].tolist(), map(slice, bounds.tolist(), ends), strict=True)), ignored


def _marks(cells: HourBlock, places: Mapping[int, slice]) -> dict[int, bytes]:
    """Return the digest of each hour's block."""
    if not places:
        return {}
    encoded = encode_each(cells, [*(place.start for place in places.values()), len(cells)])
    return dict(zip(places, map(digest, encoded), strict=True))


def _cell_sums(values: "NDArray[np.int64]", starts: "NDArray[np.intp]") -> "NDArray[np.int64]":
    sizes = np.add.reduceat(np.abs(values.astype(np.float64)), starts)
    if float(sizes.max(initial=0.0)) > LARGEST_SUM:
        raise OverflowError("rows of one hour, owner and product add up to more than 922 million USD")
    return np.add.reduceat(values, starts)
