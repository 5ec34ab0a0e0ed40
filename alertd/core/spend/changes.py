"""Which series changed, and in which order: results computed from the other series are still valid."""

from collections import deque
from typing import TYPE_CHECKING

from alertd.core.arrays import distinct, np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEPT = 512
"""Number of latest changes kept individually, an hour of one category each: more than a cycle usually brings."""


class Changes:
    """The changes of a spend view; lives as long as the view."""

    def __init__(self) -> None:
        self.version = 0
        """Number of changes so far."""
        self._kept: deque[tuple[int, NDArray[np.integer] | None]] = deque(maxlen=_KEPT)
        self._found: tuple[tuple[int, int], NDArray[np.bool_] | None] | None = None

    def count(self, series: "NDArray[np.integer] | None") -> None:
        """Record a change of *series*; None means all of them."""
        self.version += 1
        self._kept.append((self.version, None if series is None else distinct(series)))

    def since(self, version: int, *, series: int) -> "NDArray[np.bool_] | None":
        """
        Return which series changed after *version*; None if that is no longer known, or all of them did.

        Args:
            series: The number of series.
        """
        asked = version, self.version
        if self._found is None or self._found[0] != asked:
            self._found = asked, self._since(version, series)
        return self._found[1]

    def _since(self, version: int, count: int) -> "NDArray[np.bool_] | None":
        if version < self.version and self._kept[0][0] > version + 1:
            return None
        found = np.zeros(count, np.bool_)
        for changed, series in self._kept:
            if changed > version:
                if series is None:
                    return None
                found[series] = True
        return found
