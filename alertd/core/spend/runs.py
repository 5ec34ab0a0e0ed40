"""
How long owners have been billed hour after hour, and what they cost now: from bills alone, all owners at once.

A run is the series of hours with money up to a group's own data edge, with fewer consecutive empty hours than end it.
An hour that could not be read neither counts nor ends a run.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.spend.arrival import HOURLY
from alertd.core.spend.data_state import DataState
from alertd.core.spend.edges import Edges, Moved, moved_between
from alertd.core.spend.ends import two_ends
from alertd.core.spend.moment import Moment, moment_of
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stream import LONGEST_LAG_HOURS
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HOURS = 3
"""Number of hours whose mean is the current cost: a single hour may be billed in part."""
_NOTHING = Usd(0)
_GROUPS_AT_ONCE = 512
"""The hours of more groups at once would take many megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An unbroken run of one group."""

    hours: int
    """How long it has lasted, without the unknown hours; 0 if there is no run."""
    span: HourRange
    """From its first hour to the end of the last one that is billed."""
    edge: int
    """The hour through which the group is billed."""
    is_whole: bool
    """Whether its beginning is known: it did not begin before the first hour that was searched."""
    cost: Usd
    rate: Usd
    """1e-10 USD an hour, the mean of the last `RATE_HOURS` before the edge."""

    @classmethod
    def none(cls, edge: int, rate: Usd = _NOTHING) -> "Run":
        """Return the result for a group without a run."""
        return cls(hours=0, span=HourRange(edge, edge), edge=edge, is_whole=True, cost=_NOTHING, rate=rate)


def rate_of(three_hours: Usd) -> Usd:
    """Return the hourly mean of the spend of `RATE_HOURS`, in 1e-10 USD."""
    return Usd(three_hours // RATE_HOURS)


def runs(
    view: SpendView,
    data: DataState,
    query: SpendQuery,
    metric: str,
    edges: Edges,
    *,
    hours: int,
    min_rate: int,
    gap: int,
    also: Collection[Labels] = (),
) -> Mapping[Labels, Run]:
    """
    Return the run of each recently billed group; without *also*, the same object while nothing changes.

    Args:
        query: Grouped by account, among others.
        edges: Of that query.
        hours: How far back a run is followed.
        min_rate: Minimum amount of an hour that counts as billed, in 1e-10 USD.
        gap: Number of consecutive hours with less that end a run; unknown hours are skipped.
        also: Groups to include even if they have no run.
    """
    kept, asked, moment = edges.cells.kept, (Run, metric, hours, min_rate, gap), moment_of(view, data)
    known = kept.get(asked)
    if not isinstance(known, _Kept):
        known = None
    elif known.moment is moment and not also:
        return known.runs
    moved = moved_between(view, known.version, known.edges, edges) if known and known.moment.is_like(moment) else None
    found = _runs(
        view,
        data,
        query,
        metric,
        edges,
        hours=hours,
        min_rate=min_rate,
        gap=gap,
        also=also,
        unmoved=known.unmoved(moved) if known is not None and moved is not None else {},
    )
    if not also:
        kept[asked] = _Kept(moment, moment.version, edges, found)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """The runs of one moment, cached because the page requests them at each poll, even if hardly anything moved."""

    moment: Moment
    version: int
    edges: Edges
    runs: Mapping[Labels, Run]

    def unmoved(self, moved: Moved) -> dict[Labels, Run]:
        """Return the runs of the groups that did not move."""
        numbers = self.edges.cells.numbers
        return {group: run for group, run in self.runs.items() if numbers[group] not in moved.chosen}


def _runs(
    view: SpendView,
    data: DataState,
    query: SpendQuery,
    metric: str,
    edges: Edges,
    *,
    hours: int,
    min_rate: int,
    gap: int,
    also: Collection[Labels],
    unmoved: Mapping[Labels, Run],
) -> dict[Labels, Run]:
    span = HourRange(max(edges.latest - hours, view.span.start), max(edges.latest, view.span.start))
    late = HourRange(max(span.start, span.end - LONGEST_LAG_HOURS - gap), span.end)
    found = view.sums(query, metric, late)
    groups = [*(group for group, _ in found.at_least(min_rate)), *(group for group in also if group in found.numbers)]
    groups = list(dict.fromkeys(groups))
    anew = [group for group in groups if group not in unmoved]
    if not groups or not len(span):
        return {}
    rates = two_ends(view, data, metric, edges, length=RATE_HOURS)
    unknown = cache(partial(_unknown, data, span))
    found_anew: dict[Labels, Run] = {}
    for some in (anew[at : at + _GROUPS_AT_ONCE] for at in range(0, len(anew), _GROUPS_AT_ONCE)):
        numbers = np.array([found.numbers[group] for group in some], np.intp)
        stretch = _Stretch(
            totals=view.running_totals(query, metric, span, numbers),
            unknown=np.stack(
                [unknown(frozenset((key.account, key.category) for key, _ in edges.of(group))) for group in some],
                axis=1,
            ),
            start=span.start,
        )
        each = [rate_of(rates.own_of(group)) for group in some]
        found_anew |= zip(some, stretch.runs(_edges_of(edges, some), each, min_rate=min_rate, gap=gap), strict=True)
    return {group: found_anew[group] if group in found_anew else unmoved[group] for group in groups}


def _edges_of(edges: Edges, groups: Iterable[Labels]) -> list[int]:
    """Return the latest edge of each group's hourly streams: daily rows say nothing about the last hours."""
    hourly = np.array([key.step == HOURLY for key in edges.cells.keys], bool)
    cells = edges.cells
    latest = np.full(len(cells.groups), -1, np.int64)
    if len(cells):
        chosen = np.flatnonzero(edges.is_present & hourly[cells.stream])
        np.maximum.at(latest, cells.group[chosen], edges.edge[chosen])
    numbers = (cells.numbers.get(group) for group in groups)
    each = (int(latest[number]) if number is not None else -1 for number in numbers)
    return [edge if edge >= 0 else edges.latest for edge in each]


def _unknown(data: DataState, span: HourRange, categories: Iterable[tuple[str, str]]) -> "NDArray[np.bool_]":
    """Return which hours of a span are unread or failed in any of the given categories."""
    found = np.zeros(len(span), bool)
    for book in filter(None, map(data.books.get, categories)):
        for part in (*book.failed.within(span), *book.covered.missing_from(span)):
            found[part.start - span.start : part.end - span.start] = True
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stretch:
    """What some groups were billed in the hours in which their runs are searched, all of them at once."""

    totals: "NDArray[np.int64]"
    """Running totals before each of the hours and at their end; a column for each group."""
    unknown: "NDArray[np.bool_]"
    """Which hours are unread or failed."""
    start: int

    def runs(self, edges: Sequence[int], rates: Sequence[Usd], *, min_rate: int, gap: int) -> Iterator[Run]:
        """Yield the run of each group, given the hour through which it is billed and its rate."""
        hours = np.arange(len(self.unknown))[:, None]
        is_seen = hours < np.array(edges, np.int64) - self.start
        billed = (np.diff(self.totals, axis=0) >= min_rate) & is_seen
        # Hours that were billed before a read failed are known nevertheless.
        empty = np.cumsum(is_seen & ~billed & ~self.unknown, axis=0, dtype=np.int32)
        since_billed = empty - np.maximum.accumulate(np.where(billed, empty, 0), axis=0)
        is_over = since_billed >= gap
        of_run = billed & (hours > _last(is_over))
        begins, ends, columns = np.argmax(of_run, axis=0), _last(of_run) + 1, np.arange(of_run.shape[1])
        skipped = np.cumsum(self.unknown & ~billed, axis=0, dtype=np.int32)
        # The first hour of a run is billed, so that none is skipped there.
        lengths = ends - begins - skipped[ends - 1, columns] + skipped[begins, columns]
        costs = self.totals[ends, columns] - self.totals[begins, columns]
        found = (each.tolist() for each in (begins, ends, lengths, costs))
        for edge, rate, begin, end, length, cost in zip(edges, rates, *found, strict=True):
            if not end:
                yield Run.none(edge, rate)
                continue
            yield Run(
                hours=length,
                span=HourRange(self.start + begin, self.start + end),
                edge=edge,
                is_whole=begin > 0,
                cost=Usd(cost),
                rate=rate,
            )


def _last(hours: "NDArray[np.bool_]") -> "NDArray[np.int64]":
    """Return the last true row of each column, -1 for a column without any."""
    found: NDArray[np.int64] = np.where(hours.any(axis=0), len(hours) - 1 - np.argmax(hours[::-1], axis=0), -1)
    return found
