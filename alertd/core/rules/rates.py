"""What the groups of a rule's alerts cost now, and whether they still run, by their bills and by the API's list."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING

from alertd.core.alert import Alert, Rate
from alertd.core.arrays import np
from alertd.core.dataclass import replace
from alertd.core.hours import HOURS_PER_DAY, HourRange, start_of
from alertd.core.labels import Labels
from alertd.core.resources import Resource
from alertd.core.rules.facts import Facts
from alertd.core.spend.edges import Edges
from alertd.core.spend.ends import two_ends
from alertd.core.spend.runs import RATE_HOURS, rate_of
from alertd.core.spend.selection import SpendQuery

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BACK_HOURS = 31 * HOURS_PER_DAY
"""How far back the start of the current spend is searched for."""
_AT_ONCE = 16
"""Number of groups whose hours are summed together."""


def rates_of(
    facts: Facts,
    alerts: Collection[Alert],
    *,
    query: SpendQuery,
    metric: str,
    edges: Edges,
    period_end: Callable[[Alert], datetime | None],
) -> dict[Labels, Rate]:
    """
    Return the rate of each alert's group; groups without bills are left out.

    Args:
        query: The rule's, grouped as its alerts are.
        edges: The edges of that query.
    """
    three = two_ends(facts.spend, facts.data, metric, edges, length=RATE_HOURS)
    last = two_ends(facts.spend, facts.data, metric, edges, length=1)
    turned = _Turns(facts, query, metric, edges)
    found = {}
    for alert in alerts:
        streams = edges.of(alert.group)
        if not streams:
            continue
        edge = max([edge for _, edge in streams])
        through, is_billed, known = start_of(edge), last.own_of(alert.group) > 0, alert.rate
        owner, since = dict(alert.group).get("owner"), None
        if owner and known is not None and (known.through, known.is_billed) == (through, is_billed):
            # Nothing new was billed: do not search a month of hours for each alert at every poll.
            since = known.since
        elif owner:
            since = turned.at(alert.group, edge)
        rate = Rate(
            per_hour=rate_of(three.own_of(alert.group)),
            through=through,
            is_billed=is_billed,
            since=since,
            period_ends_at=period_end(alert),
        )
        found[alert.group] = _of_owner(rate, facts.resource_of(alert.account, owner)) if owner else rate
    return found


class _Turns:
    """When the spend of groups last began or ended; hours are read on demand, for several groups at a time."""

    def __init__(self, facts: Facts, query: SpendQuery, metric: str, edges: Edges) -> None:
        self._view, self._query, self._metric = facts.spend, query, metric
        self._span = HourRange(max(edges.latest - _BACK_HOURS, facts.spend.span.start), edges.latest)
        self._numbers = edges.cells.numbers
        self._has_money: dict[int, NDArray[np.bool_]] = {}

    def at(self, group: Labels, edge: int) -> datetime | None:
        """Return when a group's spend last began or ended before its edge; None if before the searched hours."""
        number = self._numbers.get(group)
        if number is None:
            return None
        hours = self._of(number)[: max(0, edge - self._span.start)]
        changes = np.flatnonzero(hours != hours[-1]) if len(hours) else hours
        return start_of(self._span.start + int(changes[-1]) + 1) if len(changes) else None

    def _of(self, number: int) -> "NDArray[np.bool_]":
        """Return whether a group was billed, by hour; adjacent groups are read too, as they are likely to be next."""
        if number not in self._has_money:
            first = number - number % _AT_ONCE
            numbers = np.arange(first, min(first + _AT_ONCE, len(self._numbers)))
            totals = self._view.running_totals(self._query, self._metric, self._span, numbers)
            billed = np.diff(totals, axis=0) > 0
            self._has_money.update(zip(numbers.tolist(), np.ascontiguousarray(billed.T), strict=True))
        return self._has_money[number]


def _of_owner(rate: Rate, resource: Resource | None) -> Rate:
    """Return the rate with the state of its owner in the API's list, which is more recent than bills."""
    if resource is None:
        return rate
    turned_at = resource.started_at if resource.is_running else resource.gone_at or resource.stopped_at
    return replace(
        rate,
        listed_since=turned_at,
        status="gone" if resource.gone_at is not None else resource.status or "listed",
        has_ended=resource.has_ended,
        hardware=resource.hardware,
    )
