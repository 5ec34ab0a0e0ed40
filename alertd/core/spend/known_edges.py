"""
Edges that are later than what would be computed now: rows have come later since, and no edge ever moves back.

They are kept across restarts: otherwise a restart after late rows would move edges back.
"""

from collections.abc import Iterable

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.spend.cells import Cells
from alertd.core.spend.lists import View
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stream import StreamKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEdge:
    """One group's edge in one stream."""

    view: View
    query: str
    """The query of the group, as `SpendQuery.text`."""
    group: Labels
    account: str
    category: str
    step: int
    through: int
    """The edge: billed through the start of this hour."""


def edges_ahead(view: View, query: SpendQuery, cells: Cells) -> list[KnownEdge]:
    """Return the edges of a query that would be earlier if they were computed again."""
    found = []
    for cell in np.flatnonzero(cells.is_ahead).tolist():
        key = cells.keys[int(cells.stream[cell])]
        found.append(
            KnownEdge(
                view=view,
                query=query.text,
                group=cells.groups[int(cells.group[cell])],
                account=key.account,
                category=key.category,
                step=key.step,
                through=int(cells.known_through[cell]),
            )
        )
    return found


def by_cell(edges: Iterable[KnownEdge]) -> dict[str, dict[tuple[Labels, StreamKey], int]]:
    """Return edges by query, then by group and stream."""
    found: dict[str, dict[tuple[Labels, StreamKey], int]] = {}
    for edge in edges:
        key = StreamKey(edge.account, edge.category, edge.step)
        found.setdefault(edge.query, {})[edge.group, key] = edge.through
    return found


def restore(cells: Cells, known: dict[tuple[Labels, StreamKey], int]) -> None:
    """Raise the cells' `known_through` to edges that were known before."""
    for number, name in enumerate(cells.names()):
        if (through := known.get(name)) is not None and through > cells.known_through[number]:
            cells.known_through[number] = through
