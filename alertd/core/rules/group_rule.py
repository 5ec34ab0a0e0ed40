"""What rules share that judge one group of hourly spend like another: only those that moved are judged again."""

from abc import abstractmethod
from collections.abc import Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from alertd.core.alert import Sample
from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.rules.facts import Facts
from alertd.core.rules.screen import Screen
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.rules.verdicts import NOTHING_KEPT, Ground, Unmoved, Verdicts
from alertd.core.spend.edges import Edges
from alertd.core.spend.moment import Moment, moment_of
from alertd.core.spend.stretch import Stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class GroupRule(SpendRule):
    """
    A rule on hourly spend whose verdict on a group depends on that group's spend, and on what is the same for all.

    A type says what it makes of its groups in `judge_groups`; `evaluate` asks for no more than what moved.
    """

    @abstractmethod
    def judge_groups(
        self, facts: Facts, edges: Edges, watched: Collection[Labels], unmoved: Unmoved
    ) -> Iterator[Sample]:
        """
        Judge the rule's groups.

        Args:
            facts: Of the rule's view.
            edges: Through which hour the groups are billed.
            watched: Groups with an open alert.
            unmoved: Of the last time: a group of `unmoved.samples` gets that sample again, and any other that did not
                move reaches nothing.

        Returns:
            Samples of the groups that reach a severity, and of the watched ones.
        """

    def common(self, facts: Facts, edges: Edges) -> tuple[object, ...]:  # noqa: ARG002 # for those who have any
        """Return what decides about all groups alike, beside the rule's edge and what each group looks at itself."""
        return ()

    def screen(self, stretch: Stretch) -> Screen | None:  # noqa: ARG002 # for those who can
        """
        Return in which hours of a stretch the rule has to be judged; None where that is not known.

        Nothing is planned for it in these hours, and they are judged in rising order.

        Raises:
            ArithmeticError: A sum does not fit.
        """
        return None

    def evaluate(self, facts: Facts, watched: Collection[Labels], steady: Collection[Labels] = ()) -> list[Sample]:
        """
        Judge every group of which anything changed since the last evaluation; the others are as they were.

        Args:
            steady: Watched groups of which another sample would change nothing: they get that of the last time.
        """
        facts = facts.of(self.view)
        moment = moment_of(facts.spend, facts.data)
        known = self._verdicts[0] if self._verdicts else None
        if known is not None and known.are_of(facts, moment, watched):
            return list(known.samples)
        ground = self._ground(facts, moment, known.ground if known is not None else None)
        samples: tuple[Sample, ...] = ()
        if ground.edges is not None:
            unmoved = NOTHING_KEPT
            if known is not None:
                unmoved = known.unmoved(self._moved(facts, known.ground, ground), ground.edges, steady)
            samples = tuple(self.judge_groups(facts, ground.edges, watched, unmoved))
        self._verdicts[:] = [Verdicts(ground=ground, watched=frozenset(watched), samples=samples)]
        return list(samples)

    def _ground(self, facts: Facts, moment: Moment, before: Ground | None) -> Ground:
        """Return what an evaluation of some facts rests on."""
        edges = self.edges(facts) if self.edge(facts.data) is not None else None
        return Ground.of(facts, moment, edges, self.common(facts, edges) if edges is not None else (), before)

    def _moved(self, facts: Facts, before: Ground, now: Ground) -> "NDArray[np.bool_] | None":
        """Return which groups moved, None where any may have."""
        # What groups share of a planned amount depends on all of them.
        if any(plan.concerns(self.name) for plan in facts.planned):
            return None
        return before.moved(facts, now)

    def unmoved(self, facts: Facts) -> Verdicts | None:
        """Return what the last evaluation said where another of the same groups would say it again."""
        facts = facts.of(self.view)
        known = self._verdicts[0] if self._verdicts else None
        return known if known is not None and known.ground.is_of(facts, moment_of(facts.spend, facts.data)) else None

    @cached_property
    def kept(self) -> dict[type, object]:
        """What others keep of the last evaluation, each under a class of his own."""
        return {}

    @cached_property
    def _verdicts(self) -> list[Verdicts]:
        """What the last evaluation said; empty before the first."""
        return []
