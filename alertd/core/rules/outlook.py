"""
What groups are expected to spend in the rest of a period, computed once for all budgets with the same parameters.

A group is computed on demand, and again after its spend or an edge changed.
"""

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY
from alertd.core.spend.edges import Edges
from alertd.core.spend.ends import late_between
from alertd.core.spend.forecast import SpendHistory, expected_rest, known_hours, rest_range
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.view import SpendView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Unplanned = Callable[[Sequence[int], NDArray[np.intp]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """The parameters of an outlook, which are the same for all groups."""

    metric: str
    start: int
    """The earliest hour of the history."""
    edge: int
    """The hour at which the history ends, exclusive."""
    hours_left: int
    """Hours from *edge* to the period's end."""
    plans: tuple[PlannedSpend, ...]
    """Planned spend, which is excluded."""


@dataclass(slots=True, eq=False)
class _Known:
    """The results of each group so far; without a reference to the spend view, which is large."""

    rest: "NDArray[np.float64]"
    known_for: "NDArray[np.int64]"
    range: "NDArray[np.float64]"
    has_rest: "NDArray[np.bool_]"
    has_range: "NDArray[np.bool_]"
    version: int
    """The version of the spend view."""

    @classmethod
    def nothing(cls, count: int, version: int) -> "_Known":
        return cls(
            rest=np.zeros(count),
            known_for=np.zeros(count, np.int64),
            range=np.full((2, count), np.nan),
            has_rest=np.zeros(count, np.bool_),
            has_range=np.zeros(count, np.bool_),
            version=version,
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outlook:
    """The expected spend of a query's groups in the rest of a period, in 1e-10 USD; lives for one evaluation."""

    view: SpendView
    edges: Edges
    ahead: Ahead
    unplanned: "Unplanned"
    """Returns the unplanned spend of groups between given hours; see `Allowances.unplanned`."""
    known: _Known

    def rest(self, groups: "NDArray[np.intp]") -> "NDArray[np.float64]":
        """Return the expected spend of groups, given by number."""
        self._work_out(groups)
        return self.known.rest[groups]

    def known_for(self, groups: "NDArray[np.intp]") -> "NDArray[np.int64]":
        """Return how many hours each group has been spending."""
        self._work_out(groups)
        return self.known.known_for[groups]

    def range(self, groups: "NDArray[np.intp]") -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """Return the lower and upper ends of the 80 % ranges, NaN if too little is known."""
        known, asked = self.known, groups[~self.known.has_range[groups]]
        if len(asked):
            known.range[:, asked] = rest_range(self._history(asked))
            known.has_range[asked] = True
        return known.range[0, groups], known.range[1, groups]

    def _work_out(self, groups: "NDArray[np.intp]") -> None:
        known, asked = self.known, groups[~self.known.has_rest[groups]]
        if len(asked):
            history = self._history(asked)
            known.rest[asked], known.known_for[asked] = expected_rest(history), known_hours(history)
            known.has_rest[asked] = True

    def _history(self, groups: "NDArray[np.intp]") -> SpendHistory:
        """Return the unplanned spend of groups before the edge."""
        edge, hours_left = self.ahead.edge, self.ahead.hours_left
        first = edge - (edge - self.ahead.start) // HOURS_PER_DAY * HOURS_PER_DAY
        head = hours_left % HOURS_PER_DAY
        bounds = [bound for day in range(first, edge, HOURS_PER_DAY) for bound in (day, day + head)]
        parts = self._known_or_due([*bounds, edge], groups)
        heads, tails = parts[::2], parts[1::2]
        hours = self._known_or_due(range(edge - HOURS_PER_DAY, edge + 1), groups)
        return SpendHistory(days=heads + tails, heads=heads, hours=hours, hours_left=hours_left)

    def _known_or_due(self, bounds: Sequence[int], groups: "NDArray[np.intp]") -> "NDArray[np.float64]":
        """Return the unplanned spend between hours, plus an estimate for hours that are not billed yet."""
        late = late_between(self.view, self.ahead.metric, self.edges, bounds, groups)
        return self.unplanned(bounds, groups) + late


@dataclass(slots=True, eq=False)
class _Kept:
    """The results at one set of edges, discarded when the edges change."""

    edges: Edges
    by_ahead: dict[Ahead, _Known] = field(default_factory=dict)


def outlook_of(view: SpendView, edges: Edges, ahead: Ahead, unplanned: "Unplanned") -> Outlook:
    """
    Return the outlook of a query's groups, reusing earlier results except for groups whose spend has changed.

    Args:
        unplanned: As in `Outlook`.
    """
    cells = edges.cells
    kept = cells.kept.get(Outlook)
    if not isinstance(kept, _Kept) or kept.edges is not edges:
        cells.kept[Outlook] = kept = _Kept(edges)
    known = kept.by_ahead.get(ahead)
    if known is not None and known.version != view.version:
        touched = view.touched_since(known.version)
        # A group's part of planned spend depends on all groups.
        if touched is None or ahead.plans:
            known = None
        else:
            moved = cells.groups_of(touched)
            known.has_rest[moved] = known.has_range[moved] = False
            known.version = view.version
    if known is None:
        kept.by_ahead[ahead] = known = _Known.nothing(len(cells.groups), view.version)
    return Outlook(view=view, edges=edges, ahead=ahead, unplanned=unplanned, known=known)
