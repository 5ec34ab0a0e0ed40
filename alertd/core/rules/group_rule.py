"""The base of rules that judge all groups of hourly spend alike: only groups that changed are judged again."""

from abc import abstractmethod
from collections.abc import Collection, Iterator
from functools import cached_property

from alertd.core.alert import Sample
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.rules.facts import Facts
from alertd.core.rules.screen import Screen
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.rules.verdicts import NOTHING_KEPT, Ground, Unmoved, Verdicts
from alertd.core.spend.edges import Edges, Moved
from alertd.core.spend.moment import Moment, moment_of
from alertd.core.spend.stretch import Stretch


@dataclass(frozen=True, kw_only=True)
class GroupRule(SpendRule):
    """
    A rule on hourly spend whose verdict on a group depends only on that group's spend and on inputs common to all.

    A rule type implements `judge_groups`; `evaluate` calls it so that only changed groups need judging.
    """

    @abstractmethod
    def judge_groups(
        self, facts: Facts, edges: Edges, watched: Collection[Labels], unmoved: Unmoved
    ) -> Iterator[Sample]:
        """
        Judge the rule's groups.

        Args:
            facts: The facts of the rule's view.
            edges: Through which hour the groups are billed.
            watched: Groups with an open alert.
            unmoved: Results of the last evaluation: a group in `unmoved.samples` gets that sample again, and any other
                unchanged group reaches nothing.

        Returns:
            Samples of the groups that reach a severity, and of the watched ones.
        """

    def common(self, facts: Facts, edges: Edges) -> tuple[object, ...]:  # noqa: ARG002 # for subclasses
        """Return further inputs common to all groups: a change of them has every group judged again."""
        return ()

    def screen(self, stretch: Stretch) -> Screen | None:  # noqa: ARG002 # for subclasses
        """
        Return in which hours of a stretch the rule has to be judged; None if that is not known.

        Only for rules that no planned spend concerns; the hours are judged in ascending order.

        Raises:
            ArithmeticError: A sum does not fit.
        """
        return None

    def evaluate(self, facts: Facts, watched: Collection[Labels], steady: Collection[Labels] = ()) -> list[Sample]:
        """
        Judge every group of which anything changed since the last evaluation; the others keep their samples.

        Args:
            steady: Watched groups whose alert a new sample would not change: they get the last sample again.
        """
        facts = facts.of(self.view)
        moment, known = moment_of(facts.spend, facts.data), self.verdicts
        if known is not None and known.are_of(facts, moment, watched):
            return list(known.samples)
        ground = self._ground(facts, moment, known.ground if known is not None else None)
        samples: tuple[Sample, ...] = ()
        if ground.edges is not None:
            unmoved = NOTHING_KEPT
            if known is not None:
                unmoved = known.unmoved(self._moved(facts, known.ground, ground), ground.edges, steady)
            samples = tuple(self.judge_groups(facts, ground.edges, watched, unmoved))
        if known is not None and known.are_for(watched) and known.are(samples):
            known.ground = ground
        else:
            self._verdicts[:] = [Verdicts(ground=ground, watched=frozenset(watched), samples=samples)]
        return list(samples)

    @property
    def verdicts(self) -> Verdicts | None:
        """The last evaluation, the same object while the samples and the open alerts are; None before the first."""
        return self._verdicts[0] if self._verdicts else None

    def _ground(self, facts: Facts, moment: Moment, before: Ground | None) -> Ground:
        """Return what an evaluation of *facts* is based on."""
        edges = self.edges(facts) if self.edge(facts.data) is not None else None
        return Ground.of(facts, moment, edges, self.common(facts, edges) if edges is not None else (), before)

    def _moved(self, facts: Facts, before: Ground, now: Ground) -> Moved | None:
        """Return which groups changed; None if any group may have."""
        # How a planned amount is shared between groups depends on all of them.
        if any(plan.concerns(self.name) for plan in facts.planned):
            return None
        return before.moved(facts, now)

    @cached_property
    def kept(self) -> dict[type, object]:
        """What other modules keep from the last evaluation, each under a class of its own."""
        return {}

    @cached_property
    def _verdicts(self) -> list[Verdicts]:
        """The last evaluation, as the only item; empty before the first."""
        return []
