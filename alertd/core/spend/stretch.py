"""
What groups are billed in a stretch of hours, for all hours at once: bounds of the sums that are judged in each hour.

A replay of many hours uses the bounds to skip hours in which nothing can happen. A sum that is judged at the beginning
of an hour ends at one of the last edges, so the largest and the smallest of the sums that end there bound it,
whichever edge it was.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, HourSet
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.block import HourBlock, spread
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stream import STEPS, StreamKey
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sums: TypeAlias = NDArray[np.int64]
    """1e-10 USD: a row for each hour, a column for each group."""

Values = TypeVar("Values", "NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.bool_]")


def sums_over(totals: "Sums", length: int) -> "Sums":
    """Return the sums over *length* hours that end at each hour of *totals* except the first *length*."""
    return totals[length:] - totals[: len(totals) - length]


def of_both(parts: "tuple[Sums, Sums | None]", found: "Callable[[Sums], Sums]") -> "tuple[Sums, Sums | None]":
    """Apply *found* to both parts; a missing part stays None."""
    hourly, longer = parts
    return found(hourly), None if longer is None else found(longer)


def whole(parts: "tuple[Sums, Sums | None]") -> "Sums":
    """Return the sum of both parts."""
    hourly, longer = parts
    return hourly if longer is None else hourly + longer


class _Totals(NamedTuple):
    """The result of `Stretch.whole_totals` for all hours from *first* on."""

    query: SpendQuery
    metric: str
    first: int
    parts: "tuple[Sums, Sums | None]"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """Some hours, each judged at its beginning, and all that becomes known in them: rows do once they have ended."""

    view: SpendView
    data: DataState
    """At the beginning of the first hour."""
    hours: HourRange
    coming: Sequence[tuple[int, int, HourBlock]]
    """Rows of more than an hour that are not in the view yet, as (hour when known, first hour, rows); no credits."""
    unknown: Sequence[tuple[int, int, HourBlock]]
    """The same, with those that become known after these hours."""
    rows: "Sequence[tuple[int, StreamKey, NDArray[np.int32]]]"
    """All rows that end within these hours, after the beginning of the first, as (end, stream, series)."""
    seen_from: Mapping[StreamKey, int]
    """From which hour on it is known when the rows of a stream come."""
    is_long: "NDArray[np.bool_]"
    """Which series have a row of more than an hour."""
    has_credit: "NDArray[np.bool_]"
    """Which series have a credit."""
    has_terms: bool
    """Whether there are subscriptions."""
    settle_hours: int
    books: Mapping[tuple[str, str], CategoryBook]
    """As they are stored now."""
    owners: OwnerDirectory

    @property
    def behind(self) -> int:
        """Maximum hours that an edge may lie before the hour that is judged."""
        # An awaited daily row is that of yesterday at the latest.
        return self.settle_hours + 2 * HOURS_PER_DAY

    @property
    def first_end(self) -> int:
        """The earliest end of a sum that may be judged in the stretch."""
        return self.hours.start - self.behind

    @property
    def ends(self) -> "NDArray[np.int64]":
        """All possible ends of such sums: `behind` more than the stretch has hours."""
        return np.arange(self.first_end, self.hours.end)

    def rows_of(self, step: int) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
        """Return the end and the series of each of the rows of a step."""
        return self._rows_of[step]

    @cached_property
    def _rows_of(self) -> "dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]":
        found = {}
        for step in STEPS:
            mine = [(end, series) for end, stream, series in self.rows if stream.step == step]
            ends = np.repeat(np.array([end for end, _ in mine], np.int64), [len(series) for _, series in mine])
            found[step] = ends, np.concatenate([np.empty(0, np.int64), *(series for _, series in mine)])
        return found

    def with_credit(self, query: SpendQuery) -> "NDArray[np.bool_]":
        """Return which groups of a query have a credit."""
        return self.view.cells(query).groups_of(self.has_credit)

    @cached_property
    def longest(self) -> int:
        """Hours of the longest row that is still to come."""
        return max((block.longest for *_, block in self.coming), default=0)

    @cached_property
    def arrivals(self) -> "NDArray[np.bool_]":
        """In which hours of the stretch rows of more than an hour become known."""
        found = np.zeros(len(self.hours), np.bool_)
        found[[known - self.hours.start for known, *_ in self.coming if known in self.hours]] = True
        return found

    def missing(self, categories: Iterable[tuple[str, str]]) -> HourSet:
        """Return the hours that are unread or failed in any of the given categories."""
        span = HourRange(self.view.span.start, self.hours.end)
        books = [self.books[key] for key in categories]
        return HourSet.of(
            part for book in books for part in (*book.covered.missing_from(span), *book.failed.within(span))
        )

    def is_daily(self, query: SpendQuery) -> "NDArray[np.bool_]":
        """Return which groups of a query have a row longer than an hour: their edges lag by days."""
        group_of = self.view.group_of_series(query)
        found = np.zeros(len(self.view.numbers(query)), np.bool_)
        found[group_of[(group_of >= 0) & self.is_long[: len(group_of)]]] = True
        return found

    def totals(self, query: SpendQuery, metric: str, hours: "NDArray[np.int64]", groups: "NDArray[np.intp]") -> "Sums":
        """
        Return what groups, given by number, were billed before each of *hours*, as the view is now.

        Raises:
            OverflowError: The sums do not fit.
        """
        return self.view.totals_up_to(query, metric, hours, groups)

    def whole_totals(self, query: SpendQuery, metric: str, hours: "NDArray[np.int64]") -> "tuple[Sums, Sums | None]":
        """
        Return what all groups were billed before each of *hours*, in rising order, with the rows still to come.

        Returns:
            The totals of series billed only by the hour, and those of the others; None if there are no others.
        """
        first, known = int(hours[0]), self.kept.get(Stretch)
        if len(hours) <= int(hours[-1]) - first:
            return self._whole_totals(query, metric, hours)
        # Rules of one query come one after the other; only the last totals are kept, as they are large.
        if not isinstance(known, _Totals) or (known.query, known.metric) != (query, metric) or known.first > first:
            parts = self._whole_totals(query, metric, np.arange(first, self.hours.end))
            self.kept[Stretch] = known = _Totals(query, metric, first, parts)
        return of_both(known.parts, lambda each: each[first - known.first : int(hours[-1]) + 1 - known.first])

    def _whole_totals(self, query: SpendQuery, metric: str, hours: "NDArray[np.int64]") -> "tuple[Sums, Sums | None]":
        groups, of_series = np.arange(len(self.view.numbers(query))), self.view.group_of_series(query)
        is_long = self.is_long[: len(of_series)]
        if not (is_long & (of_series >= 0)).any():
            return self.totals(query, metric, hours, groups), None
        hourly, longer = (
            self.view.totals_up_to(query, metric, hours, groups, is_meant=is_meant) for is_meant in (~is_long, is_long)
        )
        added = np.zeros_like(longer)
        for _, start, block in self.coming:
            for offset, series, amounts in spread(block, metric):
                # A total before an hour does not include that hour.
                row = int(np.searchsorted(hours, start + offset, side="right"))
                if row < len(hours):
                    mine = of_series[series]
                    np.add.at(added[row], mine[mine >= 0], amounts[mine >= 0])
        longer += np.cumsum(added, axis=0)
        return hourly, longer

    def highest(self, parts: "tuple[Sums, Sums | None]") -> "Sums":
        """
        Return, for each hour of the stretch, the most that a value at its edge can be.

        Args:
            parts: The values at each of `ends`, as `whole_totals` splits them. Series billed by the hour count at one
                of the last edges, the others at any end in the last days.
        """
        hourly, longer = parts
        return self.latest(hourly, np.maximum) + (0 if longer is None else last_of(longer, self.behind, np.maximum))

    def latest(self, values: "Values", pick: "Callable[[Values, Values], Values]") -> "Values":
        """Return, for each hour of the stretch, what *pick* gives over the values at possible edges of hourly rows."""
        hourly = self.settle_hours + 1
        return last_of(values[self.behind - hourly :], hourly, pick)

    def at_edge(self, query: SpendQuery, metric: str, values: "Values") -> "tuple[Values, Values]":
        """
        Return the smallest and the largest possible value at a query's latest edge.

        If something was billed in the hour before, that edge is the hour itself.

        Raises:
            LookupError: Nothing is billed by the hour, so that the edge may lie days before.
        """
        is_known = self._has_new_hour(query, metric)
        now, low, high = values[self.behind :], self.latest(values, np.minimum), self.latest(values, np.maximum)
        return np.where(is_known, now, low), np.where(is_known, now, high)

    def _has_new_hour(self, query: SpendQuery, metric: str) -> "NDArray[np.bool_]":
        """Return, with a row for each hour of the stretch, whether the hour before was billed anything by the hour."""
        if (query, metric) not in self._found:
            hours = np.arange(self.hours.start - 1, self.hours.end)
            billed = self.view.total_of(query, metric, hours, ~self.is_long)
            self._found[query, metric] = billed[0] != 0, (np.diff(billed) != 0)[:, None]
        is_any, found = self._found[query, metric]
        if not is_any:
            raise LookupError("nothing was billed by the hour")
        return found

    @cached_property
    def kept(self) -> dict[object, object]:
        """What other modules found out about these hours, by keys of their own."""
        return {}

    @cached_property
    def _found(self) -> "dict[tuple[SpendQuery, str], tuple[bool, NDArray[np.bool_]]]":
        return {}


def last_of(values: "Values", count: int, pick: "Callable[[Values, Values], Values]") -> "Values":
    """Return, for each row after the first *count*, what *pick* gives over it and the *count* rows before it."""
    found, done = values, 1
    while done <= count:
        step = min(done, count + 1 - done)
        found = pick(found[step:], found[:-step])
        done += step
    return found
