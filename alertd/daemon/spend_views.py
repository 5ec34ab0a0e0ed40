"""The spend views by which rules are judged: built from the store, and updated with each read."""

from datetime import datetime

from alertd.core.hours import HOURS_PER_DAY, HourRange, hour_of
from alertd.core.owners import OwnerDirectory
from alertd.core.reports.overview import OVERVIEW_HOURS
from alertd.core.rules.held import Held, build_facts
from alertd.core.rules.spend_rule import work_out_edges
from alertd.core.spend.lists import View
from alertd.core.spend.view import SpendView
from alertd.daemon.intake import HourChange
from alertd.daemon.state import DaemonState, Plan
from alertd.daemon.store_gateway import StoreGateway

_REBUILD_HOURS = 200
"""With more changed hours than this, rebuilding a view is quicker than updating it."""
_AHEAD_HOURS = 8 * HOURS_PER_DAY
"""Hours in the future for which a view has room; after that it is rebuilt."""


class SpendViews:
    """The views of a cycle, valid until the plan changes, or the store in a way that is not known by hours."""

    def __init__(self, store: StoreGateway) -> None:
        self.of: dict[View, SpendView] = {}
        """The views built so far."""
        self._store = store

    @property
    def usage(self) -> SpendView:
        """The hourly spend of the usage bills; only after the first cycle evaluated."""
        if View.USAGE not in self.of:
            raise RuntimeError("no cycle has evaluated")
        return self.of[View.USAGE]

    def clear(self) -> None:
        """Have every view rebuilt."""
        self.of.clear()

    def use_owners(self, owners: OwnerDirectory) -> None:
        """Use other teams and labels of owners for grouping and filtering."""
        for view in self.of.values():
            view.use_owners(owners)

    def take_over(self, view: View, changes: list[HourChange]) -> None:
        """Update a view after a commit, or leave it to be rebuilt."""
        if view not in self.of or len(changes) > _REBUILD_HOURS:
            self.of.pop(view, None)
            return
        for hour, before, after in changes:
            self.of[view].replace(hour, before, after)

    async def fit(self, state: DaemonState, plan: Plan, now: datetime) -> bool:
        """Build the views that the plan needs and that are missing or expired; return whether any was."""
        built = [await self._fit(state, plan, now, view) for view in plan.views]
        return any(built)

    async def _fit(self, state: DaemonState, plan: Plan, now: datetime, view: View) -> bool:
        running = hour_of(now)
        start = min(plan.horizon(now, view), running - OVERVIEW_HOURS)
        if view in self.of:
            span = self.of[view].span
            if span.start <= start and running + HOURS_PER_DAY < span.end:
                return False
        span = HourRange(start, running + _AHEAD_HOURS)
        spend = SpendView(state.shelf(view).table, span, metrics=plan.metrics_of(view), owners=plan.audience.owners)
        spend.take_over(edge for edge in state.edges if edge.view is view)
        spend.advance(running)
        await self._store.fill(spend, start, view)
        self.of[view] = spend
        return True

    def restore_edges(self, before: Held, plan: Plan) -> None:
        """Pass new views the data edges from before the last read, so that none of them moves back."""
        read_at = [b.read_at for books in before.books.values() for b in books.values() if b.read_at is not None]
        if read_at:
            work_out_edges(plan.rules, build_facts(before, plan, self.of, max(read_at)))

    async def keep_edges(self, state: DaemonState, plan: Plan) -> None:
        """Store the edges that another process would move back, if they have changed."""
        edges = tuple(edge for view in plan.views for edge in self.of[view].edges_ahead(view))
        if edges != state.edges:
            await self._store.call(lambda store: store.meta.put_edges(edges))
            state.edges = edges
