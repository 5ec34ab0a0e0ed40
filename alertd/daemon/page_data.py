"""
The running daemon's data for the status page, without waiting for a cycle, and requests to the daemon.

Implements the page's protocol, so that the page knows neither the cycle nor the store.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from alertd.core.alerts.request_outcome import RequestOutcome, find_alert
from alertd.core.alerts.requests import Request
from alertd.core.spend.data_state import DataState
from alertd.core.spend.lists import View
from alertd.core.spend.steps import Steps, StepSums
from alertd.daemon.cycle import Cycle
from alertd.daemon.store_gateway import StoreGateway
from alertd.queries.alert_history import read_history
from alertd.queries.status import Status
from alertd.web.figures import Figures
from alertd.web.listed_alerts import ListedAlerts
from alertd.web.overview_budgets import BudgetLines
from alertd.web.page_context import AlertFile, PageFacts


class PageData:
    """
    Reads one daemon, for its lifetime.

    Args:
        status: Judges the daemon.
        carry_out: Carries out a request.
        now: The time.
    """

    def __init__(
        self,
        *,
        cycle: Cycle,
        gateway: StoreGateway,
        figures: Figures,
        status: Callable[[], Awaitable[Status]],
        carry_out: Callable[[Request], Awaitable[RequestOutcome]],
        now: Callable[[], datetime],
    ) -> None:
        self._cycle = cycle
        self._gateway = gateway
        self._figures = figures
        self._status = status
        self._carry_out = carry_out
        self._now = now
        self._alerts = ListedAlerts(())
        self._budget_lines = BudgetLines()
        self._data: DataState | None = None
        """What the last page showed."""
        self._reading = asyncio.Lock()
        self._readings: dict[tuple[datetime | None, Steps], StepSums] = {}

    def now(self) -> datetime:
        """Return the time."""
        return self._now()

    async def look(self) -> PageFacts:
        """Return what is known now."""
        now = self._now()
        status, held = await self._status(), await self._cycle.held()
        state, plan = self._cycle.state, self._cycle.plan
        self._alerts = self._alerts.renewed(tuple(state.alerts.values()))
        data = held.data(View.USAGE, now, plan.settle_delay)
        data.share_streams(self._data)
        self._data = data
        return PageFacts(
            now=now,
            status=status,
            alerts=self._alerts,
            waiting=status.waiting,
            silences=tuple(state.silences.values()),
            bills=held.bills,
            balances=tuple(balance for _, balance in sorted(held.balances.items())),
            data=data,
            audience=plan.audience,
            timezone=plan.timezone,
            overview=self._figures.overview,
            budget_lines=self._budget_lines,
        )

    async def spend(self, known: PageFacts, steps: Steps | None) -> StepSums | None:
        """Return the spend of the last hours; read once for each cycle and window, however many viewers there are."""
        if steps is None:
            return None
        last = known.status.last_cycle
        key = (last.started_at if last is not None else None, steps)
        async with self._reading:
            found = self._readings.get(key)
            if found is None:
                found = await self._gateway.step_sums(steps)
                # Entries of earlier cycles are outdated. A year of 500 owners by day takes 1.5 MB.
                self._readings = {each: s for each, s in self._readings.items() if each[0] == key[0]} | {key: found}
            return found

    async def file_of(self, fingerprint: str) -> AlertFile:
        """Return what is known of an alert."""
        known = await self.look()
        alert = find_alert({alert.fingerprint: alert for alert in known.alerts}, fingerprint)
        rules = {rule.name: rule for rule in self._cycle.plan.rules}
        return AlertFile(
            known=known,
            history=await self._gateway.call(read_history, alert, at=known.now, is_past=False),
            rule=rules.get(alert.rule),
            chart=await self._cycle.chart(alert, known.now),
            acting=await self._cycle.acting(known.now),
        )

    async def carry_out(self, request: Request) -> RequestOutcome:
        """Acknowledge or silence."""
        return await self._carry_out(request)
