"""
What a rule's last evaluation said of its groups, kept for as long as it holds.

A sample depends on what its group was billed, through which hour that is known, and on what is the same for all groups.
Where nothing moved, or a few groups did, the samples of all others are those of the last time. It compares; what a
sample says is the rule's.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

from alertd.core.alert import Sample
from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.spend.bill import Term
from alertd.core.spend.edges import Edges, moved_between
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What was worked out of some facts rests on; not the spend view itself, which is large."""

    basis: Basis
    moment: Moment
    version: int
    """Of the spend view; the moment may be that of a later one."""
    edges: Edges | None
    """None where nothing is known."""
    common: tuple[object, ...]
    """What decided about all groups alike."""

    @classmethod
    def of(
        cls, facts: Facts, moment: Moment, edges: Edges | None, common: tuple[object, ...], before: "Ground | None"
    ) -> "Ground":
        """Return that of some facts, which must be of the rule's view."""
        basis = before.basis if before is not None and before.basis.is_of(facts) else Basis.of(facts)
        return cls(basis=basis, moment=moment, version=moment.version, edges=edges, common=common)

    def is_of(self, facts: Facts, moment: Moment) -> bool:
        """Return whether nothing changed since."""
        return moment is self.moment and self.basis.is_of(facts)

    def moved(self, facts: Facts, now: "Ground") -> "NDArray[np.bool_] | None":
        """Return which groups moved since, by number, where all others are sure to be as they were; None elsewhere."""
        before, edges, was, moment = self.edges, now.edges, self.moment, now.moment
        if now.common != self.common or before is None or edges is None:
            return None
        if not (was.is_like(moment) and self.basis.is_of(facts)):
            return None
        return moved_between(facts.spend, self.version, before, edges)


@dataclass(kw_only=True, eq=False)
class Verdicts:
    """The samples of one evaluation and what they rest on."""

    ground: Ground
    watched: frozenset[Labels]
    samples: tuple[Sample, ...]

    @cached_property
    def by_group(self) -> dict[Labels, Sample]:
        """The samples by group."""
        return {sample.group: sample for sample in self.samples}

    def are_of(self, facts: Facts, moment: Moment, watched: Collection[Labels]) -> bool:
        """Return whether an evaluation would say the same."""
        return self.ground.is_of(facts, moment) and self.are_for(watched)

    def are_for(self, watched: Collection[Labels]) -> bool:
        """Return whether these groups had an open alert, and no others."""
        return len(watched) == len(self.watched) and all(group in self.watched for group in watched)

    def unmoved(self, moved: "NDArray[np.bool_] | None", edges: Edges, steady: Collection[Labels] = ()) -> Unmoved:
        """Return the samples of the groups of which nothing changed, or nothing that matters."""
        kept = {group: sample for group in steady if (sample := self.by_group.get(group)) is not None}
        if moved is None:
            return Unmoved(samples=kept)
        numbers = edges.cells.numbers
        kept |= {s.group: s for s in self.samples if (n := numbers.get(s.group)) is None or not moved[n]}
        return Unmoved(samples=kept, moved=moved)
