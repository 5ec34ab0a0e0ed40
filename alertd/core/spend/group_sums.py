"""The sums of all groups of a query in a window."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.money import Usd

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class GroupSums:
    """Sums by group in 1e-10 USD; `largest` lets a rule skip all groups at once."""

    groups: tuple[Labels, ...]
    values: "NDArray[np.int64]"
    numbers: dict[Labels, int]
    largest: int

    def of(self, group: Labels) -> Usd:
        """Return a group's sum, 0 if it has no row."""
        number = self.numbers.get(group)
        return Usd(0 if number is None else int(self.values[number]))

    def at_least(self, floor: int) -> Iterable[tuple[Labels, Usd]]:
        """Return the groups whose sum is *floor* or more, in the order of the groups."""
        if self.largest < floor:
            return ()
        return [(self.groups[n], Usd(int(self.values[n]))) for n in np.flatnonzero(self.values >= floor).tolist()]
