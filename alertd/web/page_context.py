"""What the status page is made from, and what it may ask of the daemon. Shapes only: the daemon fills them."""

from datetime import datetime
from typing import Protocol

from alertd.core.alert import Alert
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """Everything that is known at one moment."""

    now: datetime
    status: Status
    alerts: tuple[Alert, ...]
    """Every alert with its latest episode, ended ones included."""
    waiting: tuple[OutboxEntry, ...]
    """Open outbox entries."""
    silences: tuple[Silence, ...]
    bills: tuple[TrackedBill, ...]
    """Of the accounts that are watched."""
    balances: tuple[Balance, ...]
    data: DataState
    audience: Audience
    timezone: str = "UTC"
    """Whose months spend is shown by."""
    overview: Overview | None
    """None until the first cycle has finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFile:
    """All that is known of one alert."""

    known: PageFacts
    history: AlertHistory
    rule: Rule | None
    """None where the rules in force have none of that name."""
    chart: Chart | None
    acting: Acting
    """What may be done about alerts, and what was."""


class PageContext(Protocol):
    """The daemon as the page sees it."""

    def now(self) -> datetime:
        """Return the time."""

    async def look(self) -> PageFacts:
        """
        Return what is known now.

        Raises:
            StoreError: The store cannot be read.
        """

    async def spend(self, known: PageFacts, steps: Steps | None) -> StepSums | None:
        """
        Return the spend of the last hours by the hour or day, from the store; None while nothing was read.

        Raises:
            StoreError: The store cannot be read.
        """

    async def file_of(self, fingerprint: str) -> AlertFile:
        """
        Return what is known of the alert with a fingerprint, or the beginning of one.

        Raises:
            RequestError: There is none, or more than one.
            StoreError: The store cannot be read.
        """

    async def carry_out(self, request: Request) -> RequestOutcome:
        """
        Acknowledge or silence.

        Raises:
            RequestError: It cannot be done as asked.
            StoreError: Nothing was kept.
        """
