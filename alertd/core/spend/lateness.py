"""
How late rows usually come: the delay within which nine in ten of them came, by group and by stream.

The caller chooses which rows count and how far back. Everything is an array over all groups at once.
"""

from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN_ROWS = 12
"""Minimum number of rows for a group's own lateness; with fewer, that of its stream is used."""
LONGEST_S = 48 * 3600
"""Maximum seconds that bills are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delays:
    """The known delays of the rows of one step, by series: how many rows there are, and which were late."""

    count: "NDArray[np.int64]"
    """Rows by series."""
    late_series: "NDArray[np.int64]"
    """The rows that came later than the settle delay, as parallel columns."""
    late_s: "NDArray[np.int64]"


def usual_delay(
    delays: Delays, places: "NDArray[np.int64]", size: int, *, settle_s: int
) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    """
    Return the delay in seconds within which nine in ten rows of each place came, and the number of rows counted.

    Args:
        places: For each series the place (a group, a stream) that its rows count for; -1 for none.
        size: The number of places.
        settle_s: The minimum delay, in seconds.
    """
    counts = np.zeros(size + 1, np.int64)
    np.add.at(counts, places, delays.count)
    counts = counts[:size]
    found = np.full(size, settle_s, np.int64)
    of_late = places[delays.late_series]
    kept = of_late >= 0
    of_late, late_s = of_late[kept], delays.late_s[kept]
    if not len(of_late):
        return found, counts
    order = np.lexsort((late_s, of_late))
    of_late, late_s = of_late[order], late_s[order]
    starts = np.flatnonzero(np.diff(of_late, prepend=-1))
    late_places = of_late[starts]
    late_counts = np.diff(starts, append=len(of_late))
    # The delay of the row that completes nine in ten, counted from the promptest.
    rank = -(-9 * counts[late_places] // 10) - 1
    behind = rank - (counts[late_places] - late_counts)
    is_late = behind >= 0
    found[late_places[is_late]] = late_s[starts[is_late] + behind[is_late]]
    return np.clip(found, settle_s, max(LONGEST_S, settle_s)), counts
