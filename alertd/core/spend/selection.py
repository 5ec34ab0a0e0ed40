"""Which series a query selects, and how it groups them. This module knows names only, no amounts."""

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels, Patterns
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.bill import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERIES_KEYS = Series._fields


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendQuery:
    """Which series count and how they are grouped. Filters and groups name a series key, `team` or an owner label."""

    filters: tuple[tuple[str, Patterns], ...] = ()
    group_by: tuple[str, ...] = ()
    accounts: frozenset[str] | None = None
    """Only these count; None for all. Spend of an account no longer polled is still held, but no rule counts it."""
    _hash: int = field(init=False, repr=False, compare=False)
    """Computed once: queries are the keys of every cache."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.filters, self.group_by, self.accounts)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def text(self) -> str:
        """The query in a form that does not depend on the process: equal queries give equal text."""
        filters = [(name, sorted(patterns.texts)) for name, patterns in self.filters]
        return repr((filters, self.group_by, None if self.accounts is None else sorted(self.accounts)))


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """A query resolved against the series known now: series ids in group order, where each group starts, its labels."""

    ids: "NDArray[np.intp]"
    starts: "NDArray[np.intp]"
    groups: tuple[Labels, ...]
    numbers: dict[Labels, int]
    is_everything: bool
    """Whether the ids are 0, 1, 2 … and each is its own group: then sums need no gathering."""

    def columns_of(self, groups: "NDArray[np.intp]") -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
        """Return the series of some groups, one group after the other, and where each group begins among them."""
        lengths = np.diff(self.starts, append=len(self.ids))[groups]
        starts = np.cumsum(lengths) - lengths
        places = np.arange(int(lengths.sum())) + np.repeat(self.starts[groups] - starts, lengths)
        return self.ids[places], starts


class Parts(NamedTuple):
    """What the parts of a group were billed in two windows, in 1e-10 USD."""

    names: list[tuple[str, str, str]]
    """Owner, product and category of every part that exists."""
    numbers: "NDArray[np.int64]"
    """The indices in `names` of this group's parts."""
    now: "NDArray[np.int64]"
    then: "NDArray[np.int64]"


class _Column:
    """One attribute of every series: distinct values, and for each series the number of its value."""

    __slots__ = ("codes", "values")

    def __init__(self, texts: Iterable[str]) -> None:
        numbers: dict[str, int] = {}
        self.codes = np.fromiter((numbers.setdefault(text, len(numbers)) for text in texts), np.intp)
        self.values = tuple(numbers)

    def value_of(self, series: int) -> str:
        return self.values[int(self.codes[series])]


class Selector:
    """
    Resolves queries against the series known at one moment, and caches the results.

    Args:
        names: Every series, by its number.
        owners: The owners, for `team` and owner labels.
    """

    def __init__(self, names: Sequence[Series], owners: OwnerDirectory) -> None:
        self.names = names
        self._owners = owners
        self._columns: dict[str, _Column] = {}
        self._selections: dict[SpendQuery, Selection] = {}
        self._categories: tuple[NDArray[np.int64], list[tuple[str, str]]] | None = None
        self._parts: tuple[NDArray[np.int64], list[tuple[str, str, str]]] | None = None

    def select(self, query: SpendQuery) -> Selection:
        """Return which series a query selects, and how it groups them."""
        found = self._selections.get(query)
        if found is None:
            found = self._select(query)
            self._selections[query] = found
        return found

    def categories(self) -> "tuple[NDArray[np.int64], list[tuple[str, str]]]":
        """Return the number of each series' (account, category) pair, and the pairs."""
        if self._categories is None:
            numbers: dict[tuple[str, str], int] = {}
            each = (numbers.setdefault((name.account, name.category), len(numbers)) for name in self.names)
            each_of_all = np.fromiter(each, np.int64, len(self.names))
            self._categories = each_of_all, list(numbers)
        return self._categories

    def parts(self) -> "tuple[NDArray[np.int64], list[tuple[str, str, str]]]":
        """Return the number of each series' (owner, product, category) triple, and the triples."""
        if self._parts is None:
            numbers: dict[tuple[str, str, str], int] = {}
            each = (numbers.setdefault((n.owner, n.product, n.category), len(numbers)) for n in self.names)
            of_all = np.fromiter(each, np.int64, len(self.names))
            self._parts = of_all, list(numbers)
        return self._parts

    def _select(self, query: SpendQuery) -> Selection:
        chosen = np.ones(len(self.names), bool)
        if query.accounts is not None:
            column = self._column("account")
            known = (name in query.accounts for name in column.values)
            chosen = np.fromiter(known, bool, len(column.values))[column.codes]
        for name, patterns in query.filters:
            column = self._column(name)
            chosen &= np.fromiter(map(patterns.matches, column.values), bool, len(column.values))[column.codes]
        ids = np.flatnonzero(chosen)
        if not query.group_by:
            return Selection(ids, np.zeros(1, np.intp), ((),), {(): 0}, is_everything=False)
        numbers = np.zeros(len(ids), np.intp)
        for name in query.group_by:
            column = self._column(name)
            # Renumbered after each attribute, so that the product of many cannot exceed 64 bits.
            _, numbers = np.unique(numbers * len(column.values) + column.codes[ids], return_inverse=True)
        order = np.argsort(numbers, kind="stable")
        ids, numbers = ids[order], numbers[order]
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        labels = tuple(self._labels(int(number), query.group_by) for number in ids[starts])
        everything = len(ids) == len(labels) and bool((ids == np.arange(len(ids))).all())
        return Selection(ids, starts, labels, {label: n for n, label in enumerate(labels)}, everything)

    def _labels(self, number: int, group_by: tuple[str, ...]) -> Labels:
        return tuple((name, self._column(name).value_of(number)) for name in group_by)

    def _column(self, name: str) -> _Column:
        """Return an attribute of every series, each distinct value once: filters and groups then need no loop."""
        found = self._columns.get(name)
        if found is None:
            if name in SERIES_KEYS:
                position = SERIES_KEYS.index(name)
                found = _Column(series[position] for series in self.names)
            else:
                found = _Column(self._owners.attribute(series.owner, name) for series in self.names)
            self._columns[name] = found
        return found
