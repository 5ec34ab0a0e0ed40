"""
The state of the budgets of all groups of a rule: the spent share of each, and more for groups that are requested.

A group's standing has many figures, most of which are never read, so it is computed on demand, and kept until the
group's spend changes.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.rules.budget_scene import Scene
from alertd.core.rules.standing import Forecast, GroupStanding, rank_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEARLY = 1e-9
"""Relative tolerance of float comparisons; what is this close is compared exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """The combined budgets of several groups. Amounts in 1e-10 USD."""

    count: int
    budget: Usd
    spent: Usd
    forecast: Forecast | None
    """None if it is not known for all; it has no range, as ranges do not add up."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Part:
    """The groups of one period that were charged in it and have an amount."""

    scene: Scene
    numbers: "NDArray[np.intp]"
    """Numbers of the groups, in the order of the sums."""

    shares: "NDArray[np.float64]"

    @classmethod
    def of(cls, scene: Scene) -> "_Part":
        groups = scene.sums.groups
        budgets = scene.amounts.values(groups)
        # The budget of a rule without groups counts before anything is spent.
        counts = np.isfinite(budgets) & ((scene.expected.values != 0) | (groups == ((),)))
        if scene.members is not None:
            counts &= np.array([group in scene.members for group in groups], np.bool_)
        numbers = np.flatnonzero(counts)
        return cls(scene=scene, numbers=numbers, shares=scene.sums.values[numbers] / budgets[numbers])

    def rank(self, group: Labels) -> int:
        return rank_of(self.scene.sums.of(group), self.scene.amounts.of(group) or Usd(1))


class Standings:
    """
    The budgets of a rule at one moment.

    Args:
        stand: Computes the standings of some groups of a scene.
        known: The standings of groups that have not changed since; requested ones are added.
    """

    def __init__(
        self,
        scenes: Iterable[Scene],
        stand: Callable[[Scene, list[Labels]], dict[Labels, GroupStanding]],
        rest_of: "Callable[[Scene, NDArray[np.intp]], Usd | None]",
        known: dict[Labels, GroupStanding],
    ) -> None:
        self._known = known
        self._parts = [_Part.of(scene) for scene in scenes]
        self._stand, self._rest_of = stand, rest_of

    def __len__(self) -> int:
        return sum(len(part.numbers) for part in self._parts)

    @cached_property
    def shares(self) -> "NDArray[np.float64]":
        """The spent share of every group, in no particular order."""
        return np.concatenate([np.empty(0), *(part.shares for part in self._parts)])

    def ranked(self, least: float) -> list[tuple[int, Labels]]:
        """Return rank and name of every group with at least a given share, largest first; and perhaps some below."""
        least -= abs(least) * _NEARLY
        found = [
            (part.rank(group), group)
            for part in self._parts
            for number in part.numbers[part.shares >= least].tolist()
            for group in (part.scene.sums.groups[number],)
        ]
        return sorted(found, key=lambda pair: (-pair[0], pair[1]))

    def largest(self, count: int | None = None) -> list[Labels]:
        """Return the *count* groups with the largest spent shares, largest first; all if no count is given."""
        return [group for _, group in self.ranked(least_of(self.shares, count))[:count]]

    def of(self, groups: Sequence[Labels]) -> tuple[GroupStanding, ...]:
        """Return the standings of some groups, in the order given."""
        for part in self._parts:
            mine = [group for group in groups if group not in self._known and part.scene.is_of(group)]
            if mine:
                self._known.update(self._stand(part.scene, mine))
        return tuple(self._known[group] for group in groups)

    @property
    def is_complete(self) -> bool:
        """Whether no data of the periods is missing."""
        return not any(part.scene.gaps for part in self._parts if len(part.numbers))

    def rest(self, named: Sequence[Labels]) -> Rest | None:
        """Return the combined budgets of all groups except *named*; None if there are none."""
        budget = spent = count = total = 0
        has_forecast = True
        for part in self._parts:
            scene = part.scene
            is_named = np.zeros(len(scene.sums.groups), np.bool_)
            is_named[[number for group in named if (number := scene.sums.numbers.get(group)) is not None]] = True
            others = part.numbers[~is_named[part.numbers]]
            if not len(others):
                continue
            count += len(others)
            budget += scene.amounts.total(scene.sums.groups, others.tolist())
            spent += int(scene.sums.values[others].sum())
            due = self._rest_of(scene, others)
            has_forecast &= due is not None
            total += due or 0
        if not count:
            return None
        forecast = Forecast(total=Usd(total), range=None) if has_forecast else None
        return Rest(count=count, budget=Usd(budget), spent=Usd(spent), forecast=forecast)


def least_of(shares: "NDArray[np.float64]", count: int | None) -> float:
    """Return the smallest of the *count* largest shares; minus infinity if there are no more than that."""
    if count is None or len(shares) <= count:
        return -np.inf
    return float(np.partition(shares, -count)[-count])
