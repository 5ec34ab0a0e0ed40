"""
What a rule's last evaluation said of its groups, kept for as long as it holds.

A sample depends on what its group was billed, through which hour that is known, and on what is the same for all groups.
Where nothing moved, or a few groups did, the samples of all others are those of the last time. It compares; what a
sample says is the rule's.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alertd.core.alert import Sample
from alertd.core.arrays import np
from alertd.core.labels import Labels
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.spend.bill import Term
from alertd.core.spend.edges import Edges
from alertd.core.spend.moment import Moment
from alertd.core.spend.planned import PlannedSpend

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unmoved:
    """What need not be judged again."""

    samples: Mapping[Labels, Sample] = field(default_factory=dict)
    """Of groups that did not move."""
    moved: "NDArray[np.bool_] | None" = None
    """Which groups moved, by number; None where any may have."""

    def only_moved(self, groups: "NDArray[np.intp]") -> list[int]:
        """Return those of some groups that are to be judged, by number."""
        found: list[int] = (groups if self.moved is None else groups[self.moved[groups]]).tolist()
        return found

    def kept(self, watched: Collection[Labels]) -> Iterator[Sample]:
        """Yield the samples that hold on: of watched groups, and of those that reach a severity."""
        return (s for group, s in self.samples.items() if s.reached is not None or group in watched)


NOTHING_KEPT = Unmoved()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """What samples rest on beside the bills, the same for all rules."""

    owners: OwnerDirectory
    planned: tuple[PlannedSpend, ...]
    terms: tuple[Term, ...]
    is_explained: bool

    @classmethod
    def of(cls, facts: Facts) -> "Basis":
        """Return it of some facts."""
        return cls(owners=facts.owners, planned=facts.planned, terms=facts.terms, is_explained=facts.is_explained)

    def is_of(self, facts: Facts) -> bool:
        """Return whether it is the same in some facts."""
        return (
            self.owners is facts.owners
            and self.is_explained == facts.is_explained
            and self.planned == facts.planned
            and self.terms == facts.terms
        )


@dataclass(slots=True, kw_only=True, eq=False)
class Verdicts:
    """The samples of one evaluation and what they rest on; not the spend view itself, which is large."""

    basis: Basis
    moment: Moment
    version: int
    """Of the spend view; the moment may be that of a later one."""
    edges: Edges | None
    common: tuple[object, ...]
    """What decided about all groups alike."""
    watched: frozenset[Labels]
    samples: tuple[Sample, ...]

    def are_of(self, facts: Facts, moment: Moment, watched: Collection[Labels]) -> bool:
        """Return whether an evaluation would say the same."""
        return (
            moment is self.moment
            and self.basis.is_of(facts)
            and len(watched) == len(self.watched)
            and all(group in self.watched for group in watched)
        )

    def unmoved(self, facts: Facts, moment: Moment, edges: Edges, common: tuple[object, ...]) -> Unmoved:
        """Return the samples of the groups of which nothing changed, where only some groups did."""
        before, was = self.edges, self.moment
        if common != self.common:
            return NOTHING_KEPT
        if before is None or before.cells is not edges.cells or before.latest != edges.latest:
            return NOTHING_KEPT
        is_alike = (was.hour, was.recent, was.settled) == (moment.hour, moment.recent, moment.settled)
        if not (is_alike and was.late == moment.late and was.gaps is moment.gaps and self.basis.is_of(facts)):
            return NOTHING_KEPT
        moved = _moved(facts, self.version, before, edges)
        if moved is None:
            return NOTHING_KEPT
        numbers = edges.cells.numbers
        kept = {s.group: s for s in self.samples if (n := numbers.get(s.group)) is None or not moved[n]}
        return Unmoved(samples=kept, moved=moved)


@dataclass(slots=True, eq=False)
class _Moves:
    """Which groups of a query moved: many rules ask the same."""

    since: int
    version: int
    before: Edges
    edges: Edges
    groups: "NDArray[np.bool_] | None"

    def is_of(self, since: int, version: int, before: Edges, edges: Edges) -> bool:
        """Return whether they are those between two evaluations."""
        return (self.since, self.version) == (since, version) and self.before is before and self.edges is edges


def _moved(facts: Facts, since: int, before: Edges, edges: Edges) -> "NDArray[np.bool_] | None":
    """Return which groups were billed something or have another edge, None where all may."""
    cells, version = edges.cells, facts.spend.version
    known = cells.kept.get(_Moves)
    if isinstance(known, _Moves) and known.is_of(since, version, before, edges):
        return known.groups
    touched = facts.spend.touched_since(since)
    groups = None if touched is None else cells.groups_of(touched)
    if groups is not None and before is not edges:
        groups |= cells.groups_where((before.edge != edges.edge) | (before.is_present != edges.is_present))
    cells.kept[_Moves] = _Moves(since, version, before, edges, groups)
    return groups
