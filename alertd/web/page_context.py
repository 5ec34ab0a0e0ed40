"""The data of the status page, and the interface through which it queries the daemon. Types only."""

from dataclasses import field
from datetime import datetime
from typing import Protocol

from alertd.core.alerts.acting import Acting
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.alerts.silence import Silence
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.reports.overview import Overview
from alertd.core.rules.base import Rule
from alertd.core.spend.bill import Balance, TrackedBill
from alertd.core.spend.data_state import DataState
from alertd.core.spend.steps import Steps, StepSums
from alertd.queries.alert_history import AlertHistory
from alertd.queries.status import Status
from alertd.web.listed_alerts import ListedAlerts
from alertd.web.overview_budgets import BudgetLines


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """Everything that is known at one moment."""

    now: datetime
    status: Status
    alerts: ListedAlerts
    waiting: tuple[OutboxEntry, ...]
    """Open outbox entries."""
    silences: tuple[Silence, ...]
    bills: tuple[TrackedBill, ...]
    """Books of the watched accounts."""
    balances: tuple[Balance, ...]
    data: DataState
    audience: Audience
    timezone: str = "UTC"
    """The time zone whose months are shown."""
    overview: Overview | None
    """None until the first cycle has finished."""
    budget_lines: BudgetLines = field(default_factory=BudgetLines)
    """The lines of budgets that pages showed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFile:
    """Everything known about one alert."""

    known: PageFacts
    history: AlertHistory
    rule: Rule | None
    """None if the rules in force have no rule of that name."""
    chart: Chart | None
    acting: Acting
    """Actions that are offered on alerts, and those that were requested."""


class PageContext(Protocol):
    """The daemon's interface for the page."""

    def now(self) -> datetime:
        """Return the current time."""

    async def look(self) -> PageFacts:
        """
        Return the current data.

        Raises:
            StoreError: The store cannot be read.
        """

    async def spend(self, known: PageFacts, steps: Steps | None) -> StepSums | None:
        """
        Return the spend of the last hours by hour or day, from the store; None before the first read.

        Raises:
            StoreError: The store cannot be read.
        """

    async def file_of(self, fingerprint: str) -> AlertFile:
        """
        Return what is known about the alert with a fingerprint or fingerprint prefix.

        Raises:
            RequestError: No alert matches, or several do.
            StoreError: The store cannot be read.
        """

    async def carry_out(self, request: Request) -> RequestOutcome:
        """
        Acknowledge or silence.

        Raises:
            RequestError: It cannot be done as requested.
            StoreError: Nothing was stored.
        """
