"""
The samples of a rule's last evaluation, kept for as long as they are valid.

A sample depends on its group's bills, on the hour through which they are known, and on what is the same for all groups.
Groups for which none of these changed keep their last sample. This module only compares; the rule makes the samples.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING

from alertd.core.alert import Sample
from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.spend.bill import Term
from alertd.core.spend.cells import Cells
from alertd.core.spend.edges import Edges, Moved, moved_between
from alertd.core.spend.moment import Moment
from alertd.core.spend.planned import PlannedSpend

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unmoved:
    """The groups that need not be judged again."""

    samples: Mapping[Labels, Sample] = field(default_factory=dict)
    """Samples of groups that did not change."""
    moved: Moved | None = None
    """Which groups changed; None if any may have."""

    def only_moved(self, groups: "NDArray[np.intp]") -> list[int]:
        """Return the numbers of those *groups* that must be judged."""
        found: list[int] = (groups if self.moved is None else groups[self.moved.groups[groups]]).tolist()
        return found

    def kept(self, watched: Collection[Labels]) -> Iterator[Sample]:
        """Yield the samples to be reported again: of watched groups, and of those that reach a severity."""
        return (s for group, s in self.samples.items() if s.reached is not None or group in watched)


NOTHING_KEPT = Unmoved()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """What samples depend on besides the bills, the same for all rules."""

    owners: OwnerDirectory
    planned: tuple[PlannedSpend, ...]
    terms: tuple[Term, ...]
    is_explained: bool

    @classmethod
    def of(cls, facts: Facts) -> "Basis":
        """Return the basis of *facts*."""
        return cls(owners=facts.owners, planned=facts.planned, terms=facts.terms, is_explained=facts.is_explained)

    def is_of(self, facts: Facts) -> bool:
        """Return whether *facts* have the same basis."""
        return (
            self.owners is facts.owners
            and self.is_explained == facts.is_explained
            and self.planned == facts.planned
            and self.terms == facts.terms
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """What the samples of an evaluation depend on; without the spend view itself, which is large."""

    basis: Basis
    moment: Moment
    version: int
    """The version of the spend view; the moment may belong to a later one."""
    edges: Edges | None
    """None if no data is known."""
    common: tuple[object, ...]
    """What affects all groups alike; see `GroupRule.common`."""

    @classmethod
    def of(
        cls, facts: Facts, moment: Moment, edges: Edges | None, common: tuple[object, ...], before: "Ground | None"
    ) -> "Ground":
        """Return the ground of *facts*, which must be of the rule's view; rules with the same cells share it."""
        shared: dict[object, object] = edges.cells.kept if edges is not None and not common else {}
        known = shared.get(Ground)
        if isinstance(known, Ground) and known.edges is edges and known.is_of(facts, moment):
            return known
        basis = before.basis if before is not None and before.basis.is_of(facts) else Basis.of(facts)
        found = cls(basis=basis, moment=moment, version=moment.version, edges=edges, common=common)
        shared[Ground] = found
        return found

    def is_of(self, facts: Facts, moment: Moment) -> bool:
        """Return whether nothing has changed in *facts*."""
        return moment is self.moment and self.basis.is_of(facts)

    def moved(self, facts: Facts, now: "Ground") -> Moved | None:
        """Return which groups have changed since; None unless all others are certainly unchanged."""
        before, edges, was, moment = self.edges, now.edges, self.moment, now.moment
        if now.common != self.common or before is None or edges is None:
            return None
        if not (was.is_like(moment) and self.basis.is_of(facts)):
            return None
        return moved_between(facts.spend, self.version, before, edges)


@dataclass(kw_only=True, eq=False)
class Verdicts:
    """The samples of one evaluation and what they depend on."""

    ground: Ground
    watched: frozenset[Labels]
    samples: tuple[Sample, ...]

    @cached_property
    def by_group(self) -> dict[Labels, Sample]:
        """The samples by group."""
        return {sample.group: sample for sample in self.samples}

    @cached_property
    def _numbers(self) -> tuple[Cells | None, list[int]]:
        """The cells of the ground, and the number in them of each sample's group; -1 if it has no bills."""
        cells = self.ground.edges.cells if self.ground.edges is not None else None
        known = cells.numbers if cells is not None else {}
        return cells, [known.get(sample.group, -1) for sample in self.samples]

    def are(self, samples: Sequence[Sample]) -> bool:
        """Return whether the samples are these, in the same order."""
        return len(samples) == len(self.samples) and all(map(is_, samples, self.samples))

    def are_of(self, facts: Facts, moment: Moment, watched: Collection[Labels]) -> bool:
        """Return whether another evaluation would give the same samples."""
        return self.ground.is_of(facts, moment) and self.are_for(watched)

    def are_for(self, watched: Collection[Labels]) -> bool:
        """Return whether exactly these groups had an open alert."""
        return len(watched) == len(self.watched) and self.watched.issuperset(watched)

    def unmoved(self, moved: Moved | None, edges: Edges, steady: Collection[Labels] = ()) -> Unmoved:
        """Return the groups that need not be judged again: unchanged ones, and *steady* ones."""
        kept = {group: sample for group in steady if (sample := self.by_group.get(group)) is not None}
        if moved is None:
            return Unmoved(samples=kept)
        if self._numbers[0] is not edges.cells:
            del self._numbers
        pairs = zip(self.samples, self._numbers[1], strict=True)
        kept |= {sample.group: sample for sample, number in pairs if number not in moved.chosen}
        return Unmoved(samples=kept, moved=moved)
