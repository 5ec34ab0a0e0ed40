"""
The two ends of the sum of a window that ends about now: the amount that is billed at least, and the likely amount.

Spend that is not billed yet counts neither as zero nor as a fact. All groups of a query are computed at once, as
arrays; nothing here knows thresholds.
Source of the rules: README, "What alertd believes".
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass
from alertd.core.hours import EPOCH, HOURS_PER_DAY, HourRange, hour_of
from alertd.core.labels import Labels
from alertd.core.money import MAX_UNITS, Usd
from alertd.core.spend.arrival import HOURLY
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.core.spend.cells import Cells
from alertd.core.spend.data_state import DataState
from alertd.core.spend.edges import Edges, Moved
from alertd.core.spend.group_sums import GroupSums
from alertd.core.spend.moment import Moment, moment_of
from alertd.core.spend.stream import StreamKey, Streams
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LONGEST_GAP = 2
"""Maximum number of consecutive empty hours between hours with money that are assumed to be late."""
_AT_ONCE = 1 << 20
"""Maximum number of sums that are computed together: 8 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class TwoEnds:
    """The two ends of what each group was billed in a window, in 1e-10 USD."""

    edges: Edges
    length: int
    """Hours of the window."""
    at_least: "NDArray[np.int64]"
    about: "NDArray[np.int64]"
    lasting: "NDArray[np.int64]"
    """The value that must fall to lower an alert: above *about* only if rows that are due may still come."""
    own: "NDArray[np.int64]"
    """The sum over a group's streams of the window that ends at each one's own edge, with estimates for late hours."""
    begins: "NDArray[np.int64]"
    """For each group, the earliest end of a window that counts for the lower value."""
    recent: int
    """The earliest end of a window that counts for the upper value; later than the rule's edge if none does."""
    ended: "NDArray[np.int64]"
    """The end of the window that gave the lower value."""
    is_window: "NDArray[np.bool_]"
    """Whether that window's sum is exactly the lower value; a larger sum was reduced to *about*."""
    most: int
    """The largest lower value: no group reaches a threshold above it."""
    groups: tuple[Labels, ...] = ()
    numbers: dict[Labels, int] = field(default_factory=dict)
    _moved: "list[tuple[Moved, NDArray[np.int64], int]]" = field(default_factory=list)

    def of(self, group: Labels) -> "GroupEnds":
        """Return the two ends of one group, zero if it has no row."""
        number = self.numbers.get(group)
        if number is None:
            window = HourRange(self.edges.latest - self.length, self.edges.latest)
            return GroupEnds(at_least=Usd(0), about=Usd(0), lasting=Usd(0), window=window, is_window=True)
        ended = int(self.ended[number])
        return GroupEnds(
            at_least=Usd(int(self.at_least[number])),
            about=Usd(int(self.about[number])),
            lasting=Usd(int(self.lasting[number])),
            window=HourRange(ended - self.length, ended),
            is_window=bool(self.is_window[number]),
        )

    def own_of(self, group: Labels) -> Usd:
        """Return the `own` sum of a group, zero if it has no row."""
        number = self.numbers.get(group)
        return Usd(0 if number is None else int(self.own[number]))

    def reaching(self, floor: int) -> "NDArray[np.intp]":
        """Return the numbers of the groups whose lower end is *floor* or more, in the order of the groups."""
        return np.flatnonzero(self.at_least >= floor) if self.most >= floor else np.empty(0, np.intp)

    def reaching_of(self, moved: Moved | None, floor: int) -> list[int]:
        """Return the same of the groups that *moved*; of all groups if that is None."""
        if self.most < floor:
            return []
        if moved is None:
            found: list[int] = self.reaching(floor).tolist()
            return found
        if not self._moved or self._moved[0][0] is not moved:
            # Kept for the next rule with these groups and this window.
            values = self.at_least[moved.numbers]
            self._moved[:] = [(moved, values, int(values.max(initial=-MAX_UNITS)))]
        _, values, most = self._moved[0]
        return moved.numbers[values >= floor].tolist() if most >= floor else []


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEnds:
    """The two ends of one group's sum."""

    at_least: Usd
    """What is billed."""
    about: Usd
    """The likely amount once every stream is billed; never below `at_least`."""
    lasting: Usd
    """The value that must fall to lower an alert; never below `about`."""
    window: HourRange
    """The hours that gave the lower value."""
    is_window: bool


@dataclass(slots=True, eq=False)
class _Kept:
    """The results that were computed last for one metric of some cells, and their inputs."""

    edges: Edges
    version: int
    recent: int
    late: Mapping[StreamKey, int]
    moment: Moment
    """The moment for which they are known to be valid."""
    ends: dict[int, TwoEnds] = field(default_factory=dict)
    """Two ends by the window's length."""
    asked: set[int] = field(default_factory=set)
    """Window lengths that were requested before the inputs changed."""
    sums: "dict[HourRange, SinceStart]" = field(default_factory=dict)
    """Sums by the hours that they cover."""

    def holds(self, view: SpendView, edges: Edges, moment: Moment) -> bool:
        """Return whether the results are still valid at *moment*: no input has changed."""
        if moment is self.moment and edges is self.edges:
            return True
        if edges is not self.edges or (self.recent, self.late) != (moment.recent, moment.late):
            return False
        if self.version != moment.version:
            touched = view.touched_since(self.version)
            if touched is None or touched[edges.cells.series].any():
                return False
            self.version = moment.version
        self.moment = moment
        return True


def _kept(view: SpendView, data: DataState, metric: str, edges: Edges) -> tuple[_Kept, Moment]:
    """Return the cached results of a metric of some cells, emptied if no longer valid, and the moment."""
    cells, moment = edges.cells, moment_of(view, data)
    known = cells.kept.get(metric)
    if isinstance(known, _Kept) and known.holds(view, edges, moment):
        return known, moment
    found = _Kept(edges, moment.version, moment.recent, moment.late, moment)
    if isinstance(known, _Kept):
        # Windows of these lengths will be requested again: all of them are computed together.
        found.asked = {*known.ends}
    cells.kept[metric] = found
    return found, moment


def two_ends(view: SpendView, data: DataState, metric: str, edges: Edges, *, length: int) -> TwoEnds:
    """
    Return the two ends of what each group was billed in a window; the same object while no input changes.

    Args:
        length: Hours of the window.
    """
    kept, moment = _kept(view, data, metric, edges)
    found = kept.ends.get(length)
    if found is None:
        kept.ends |= _two_ends(view, moment, metric, edges, sorted({length, *kept.asked}))
        kept.asked.clear()
        found = kept.ends[length]
    return found


def _two_ends(view: SpendView, moment: Moment, metric: str, edges: Edges, lengths: Sequence[int]) -> dict[int, TwoEnds]:
    """Compute windows of several lengths at once, as arrays by length, end and cell."""
    cells, recent = edges.cells, min(moment.recent, edges.latest + 1)
    first = min(edges.first, recent, edges.latest, int(edges.sure.min(initial=edges.latest)))
    ends = np.arange(first, edges.latest + 1)
    if len(lengths) > 1 and len(lengths) * len(ends) * len(cells) > _AT_ONCE:
        half = len(lengths) // 2
        parts = (_two_ends(view, moment, metric, edges, part) for part in (lengths[:half], lengths[half:]))
        return {length: found for part in parts for length, found in part.items()}
    starts = ends[None, :] - np.array(lengths, np.int64)[:, None]
    hours = distinct(np.concatenate((ends, starts.ravel())))
    totals = view.totals_at(cells, metric, hours)
    at_ends, at_starts = np.searchsorted(hours, ends), np.searchsorted(hours, starts)
    windows = totals[at_ends] - totals[at_starts]
    billed = cells.by_group(windows)
    # About: each stream's window that ends at its own edge, or at the rule's edge if that sum is larger.
    last = windows[:, -1]
    own = last if edges.first == edges.latest else windows[:, edges.edge - first, np.arange(len(cells))]
    fill = _fill(view, moment, metric, edges, max(lengths))
    if fill is not None:
        own, last = own.copy(), last.copy()
        for number, length in enumerate(lengths):
            own[number] += fill.between(edges.edge - length, edges.edge)
            last[number] += fill.between(
                np.full_like(edges.edge, edges.latest - length), np.full_like(edges.edge, edges.latest)
            )
    about = cells.by_group(np.maximum(own, last))
    if recent <= edges.latest:
        about = np.maximum(about, billed[:, recent - first :].max(axis=1))
    # At least: the largest window that ends between the group's earliest edge and the rule's; the newest of equals.
    begins = np.minimum(np.minimum(cells.least(edges.edge, edges.latest), recent), edges.latest)
    largest, ended = billed[:, -1].copy(), np.full(billed[:, -1].shape, edges.latest)
    for number in range(len(ends) - 2, -1, -1):
        is_larger = (billed[:, number] > largest) & (begins <= first + number)
        np.copyto(largest, billed[:, number], where=is_larger)
        ended[is_larger] = first + number
    lasting = about
    if (edges.sure < edges.edge).any():
        may_be_whole = (ends[:, None] >= edges.sure) & (ends[:, None] <= edges.edge)
        earlier = np.where(may_be_whole, windows, -MAX_UNITS).max(axis=1)
        lasting = np.maximum(about, cells.by_group(np.maximum(np.maximum(own, last), earlier)))
    at_least, is_window, own = np.minimum(largest, about), largest <= about, cells.by_group(own)
    most = at_least.max(axis=1, initial=-MAX_UNITS)
    return {
        length: TwoEnds(
            edges=edges,
            length=length,
            at_least=at_least[number],
            about=about[number],
            lasting=lasting[number],
            own=own[number],
            begins=begins,
            recent=recent,
            ended=ended[number],
            is_window=is_window[number],
            most=int(most[number]),
            groups=cells.groups,
            numbers=cells.numbers,
        )
        for number, length in enumerate(lengths)
    }


@dataclass(frozen=True, slots=True, eq=False)
class SinceStart:
    """The two ends of what each group was billed since a fixed hour."""

    at_least: GroupSums
    """What is billed."""
    about: GroupSums
    """What is billed, plus what each lagging stream is expected to bring at the rate of its last 24 known hours."""


def since_start(view: SpendView, data: DataState, metric: str, edges: Edges, *, start: int, end: int) -> SinceStart:
    """
    Return the two ends of what each group was billed from *start* on; the same object while no input changes.

    Args:
        end: Later spend does not count, nor does spend after the rule's edge.
    """
    kept, _ = _kept(view, data, metric, edges)
    span = HourRange(start, max(start, min(end, edges.latest)))
    found = kept.sums.get(span)
    if found is None:
        kept.sums[span] = found = _since_start(view, metric, edges, span)
    return found


def _since_start(view: SpendView, metric: str, edges: Edges, span: HourRange) -> SinceStart:
    cells, through = edges.cells, span.end
    known = np.clip(edges.edge, span.start, through)
    asked = (span.start, through, known, edges.edge, edges.edge - HOURS_PER_DAY)
    first, last, at_known, at_edge, a_day_before = view.totals_each(cells, metric, asked)
    billed = last - first
    late = (through - known) * (at_edge - a_day_before) // HOURS_PER_DAY - (last - at_known)
    # Payments for fixed terms have no hourly rate.
    late[cells.of_category(SUBSCRIPTION)] = 0
    at_least, about = cells.by_group(billed), cells.by_group(billed + np.maximum(late, 0))
    return SinceStart(_sums(cells, at_least), _sums(cells, about))


def late_between(
    view: SpendView, metric: str, edges: Edges, bounds: Sequence[int], groups: "NDArray[np.intp]"
) -> "NDArray[np.int64]":
    """
    Return what lagging streams are expected to add to *groups* between each two neighbouring bounds.

    An hour after a stream's edge is not known, so it is assumed to cost the mean of the stream's last 24 known hours.
    Payments for fixed terms are left out: they have no hourly rate.

    Args:
        bounds: Hours in rising order, up to the rule's edge.
        groups: The numbers of the groups.

    Returns:
        In 1e-10 USD, 0 or more: a row for each two neighbouring bounds, a column for each of the groups.
    """
    cells, found = edges.cells, np.zeros((len(bounds) - 1, len(edges.cells.groups)), np.int64)
    is_asked = np.zeros(len(cells.groups), np.bool_)
    is_asked[groups] = True
    is_behind = (edges.edge < edges.latest) & edges.is_present & is_asked[cells.group]
    lags = np.flatnonzero(is_behind & ~cells.of_category(SUBSCRIPTION))
    if len(lags):
        own = edges.edge[lags]
        # Only the hours after the stream's own edge count.
        after = np.searchsorted(bounds, own.min(), side="right") - 1
        asked = np.asarray(bounds, np.int64)[max(0, after) :, None]
        starts, ends = np.maximum(asked[:-1], own), np.maximum(asked[1:], own)
        hours = (starts, ends, own - HOURS_PER_DAY, own)
        first, last, a_day_before, at_edge = view.totals_each(cells, metric, hours, chosen=lags)
        late = np.maximum((ends - starts) * (at_edge - a_day_before) // HOURS_PER_DAY - (last - first), 0)
        of_lags, begins = np.unique(cells.group[lags], return_index=True)
        found[max(0, after) :, of_lags] = np.add.reduceat(late, begins, axis=1)
    return found[:, groups]


def _sums(cells: Cells, values: "NDArray[np.int64]") -> GroupSums:
    return GroupSums(cells.groups, values, cells.numbers, int(values.max(initial=-MAX_UNITS)))


class _Fill:
    """Estimates for late hours: the mean of their neighbours."""

    def __init__(self, first: int, amounts: "NDArray[np.int64]") -> None:
        self._first = first
        self._totals = np.concatenate((np.zeros((1, amounts.shape[1]), np.int64), np.cumsum(amounts, axis=0)))

    def between(self, starts: "NDArray[np.int64]", ends: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """Return the estimate for each cell between its own start and end."""
        last, each = len(self._totals) - 1, np.arange(self._totals.shape[1])
        low, high = (np.clip(hours - self._first, 0, last) for hours in (starts, ends))
        found: NDArray[np.int64] = self._totals[high, each] - self._totals[low, each]
        return found


def _fill(view: SpendView, moment: Moment, metric: str, edges: Edges, length: int) -> _Fill | None:
    """Return estimates for empty hours of streams with late rows in the last days; None if there are none."""
    cells, streams, now = edges.cells, moment.streams, moment.data.now
    late = {key: streams.longest_s[key] for key in moment.late if key in cells.keys}
    if not late or not len(cells):
        return None
    longest = np.array([late.get(key, 0) for key in cells.keys], np.int64)[cells.stream]
    now_s = (now - EPOCH).total_seconds()
    oldest = hour_of(now) - int(longest.max()) // 3600 - 1
    first = max(oldest, int(edges.edge.min()) - length, view.span.start) - _LONGEST_GAP
    hours = np.arange(first, edges.latest + _LONGEST_GAP + 1)
    amounts = np.diff(view.totals_at(cells, metric, hours), axis=0)
    has_money = amounts > 0
    may_be_late = (amounts == 0) & (now_s - (hours[1:, None] * 3600) < longest)
    may_be_late &= ~_has_row(cells, streams, hours[:-1], may_be_late)
    found = np.zeros_like(amounts)
    one = may_be_late[1:-1] & has_money[:-2] & has_money[2:]
    found[1:-1][one] = _mean(amounts[:-2], amounts[2:])[one]
    is_empty = amounts == 0
    two = is_empty[1:-2] & is_empty[2:-1] & has_money[:-3] & has_money[3:]
    mean = _mean(amounts[:-3], amounts[3:])
    for at in (slice(1, -2), slice(2, -1)):
        chosen = two & may_be_late[at]
        found[at][chosen] = mean[chosen]
    return _Fill(first, found) if found.any() else None


def _mean(one: "NDArray[np.int64]", other: "NDArray[np.int64]") -> "NDArray[np.int64]":
    return one // 2 + other // 2 + (one % 2 + other % 2) // 2


def _has_row(
    cells: Cells, streams: Streams, hours: "NDArray[np.int64]", asked: "NDArray[np.bool_]"
) -> "NDArray[np.bool_]":
    """Return which *asked* hours of a cell have a row, though no money: an hour billed with zero is not late."""
    found = np.zeros_like(asked)
    side, mine = cells.sides[HOURLY], cells.of_step(HOURLY)
    by_series = side.by_series(int(side.series.max()) + 1) if len(side) else np.empty(0, np.int64)
    for row in np.flatnonzero(asked.any(axis=1)).tolist():
        place = (HOURLY, int(hours[row]) + 1)
        for arrivals in streams.arrivals.values():
            if (came := arrivals.get(place)) is not None:
                known = by_series[came.series[came.series < len(by_series)]]
                found[row, mine[known[known >= 0]]] = True
    return found
