"""
What a cycle works with: the state between cycles, the plan, the report, and the protocols that others implement.

Data and types only; `intake` reads and files, `cycle` judges and decides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from operator import is_
from typing import Protocol

from alertd.core.actions import Action
from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.due import Calm
from alertd.core.alerts.silence import Silence
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Listing, Resource, ResourceKey, ResourceKind
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import ClockFault
from alertd.core.rules.held import CategoryKey, Held, LastRead
from alertd.core.rules.records import ReloadOutcome
from alertd.core.rules.watched import Watched
from alertd.core.spend.bill import ApiKey, Balance, BillRows, KeyBills, MonthlyBill, Term, TrackedBill
from alertd.core.spend.known_edges import KnownEdge
from alertd.core.spend.ledger import CategoryBook, SeriesTable
from alertd.core.spend.lists import View
from alertd.core.utilization import Sample as UtilizationSample
from alertd.core.utilization import Slots
from alertd.errors import ApiUnavailable


def require_list(book: CategoryBook, rows: BillRows, span: HourRange) -> None:
    """
    Refuse an answer without any list for hours whose rows are known.

    Raises:
        ApiUnavailable: It was such an answer.
    """
    if book.is_contradicted(rows, span):
        text = "an answer without a list, for hours whose bills are known; not believed"
        raise ApiUnavailable(text, account=book.account, what=f"{book.category} bills")


class BillSource(Protocol):
    """The billing API of one account; every method raises ApiError if there is no complete answer."""

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        """Return every row of a range, or none."""

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        """Return every monthly bill from a month on."""

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        """Return every row of a range by API key, or none, and the keys' names."""

    async def read_balance(self, read_at: datetime) -> Balance:
        """Return the balance as of now."""

    async def read_resources(self, kind: ResourceKind) -> Listing:
        """Return the account's instances or serverless endpoints."""

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[UtilizationSample, ...]:
        """Return the utilisation of an instance in a period, as far as the API has it."""

    async def ask_time(self) -> None:
        """Make the API answer anything, to learn its time."""


@dataclass(slots=True, kw_only=True)
class Shelf:
    """The books of one view of the bills, and the series of their blocks."""

    table: SeriesTable
    books: dict[CategoryKey, CategoryBook]


@dataclass(slots=True, kw_only=True)
class DaemonState:
    """The daemon's state between cycles, always equal to the store."""

    table: SeriesTable
    books: dict[CategoryKey, CategoryBook]
    bills: dict[tuple[str, str], TrackedBill]
    alerts: dict[str, Alert]
    """The latest episodes, by fingerprint."""
    silences: dict[str, Silence]
    """Silences that nobody ended, by id; they may have expired."""
    watched_since: datetime
    """When this store was created: blindness counts from here until the first read."""
    is_fresh: bool
    """Whether no cycle has finished yet."""
    first_episode: int = 1
    """The first episode number for alerts that are not stored."""
    keys: Shelf | None = None
    "Spend by API key; None if no rule uses it."
    key_names: dict[CategoryKey, ApiKey] = field(default_factory=dict)
    """By account and key id."""
    balances: dict[str, Balance] = field(default_factory=dict)
    """By account, as last read."""
    resources: dict[ResourceKey, Resource] = field(default_factory=dict)
    """Instances and endpoints that were ever listed, of all accounts."""
    utilization: dict[ResourceKey, Slots] = field(default_factory=dict)
    """Utilisation of instances, if a rule uses it."""

    terms: tuple[Term, ...] = ()
    """Subscriptions, of all accounts."""
    edges: tuple[KnownEdge, ...] = ()
    """Data edges that the current bills would move back."""
    dated: tuple[datetime, tuple[Alert, ...]] | None = None
    """The alerts that were last checked for instants in the future, and by which time."""

    calm: Calm = field(default_factory=Calm)
    """Of which alerts nothing is due for the time being."""
    _opened: tuple[tuple[Alert, ...], tuple[Alert, ...]] = ((), ())
    """All alerts when the open ones were last listed, and these."""

    def open_alerts(self) -> tuple[Alert, ...]:
        """Return what is pending or firing; the same tuple while no alert changes."""
        alerts = tuple(self.alerts.values())
        if len(alerts) != len(self._opened[0]) or not all(map(is_, alerts, self._opened[0])):
            self._opened = alerts, tuple(alert for alert in alerts if alert.state is not AlertState.RESOLVED)
        return self._opened[1]

    def replace_terms(self, account: str, span: HourRange, terms: Sequence[Term]) -> None:
        """Apply the subscriptions read for a range of purchases."""
        kept = (term for term in self.terms if term.account != account or hour_of(term.bought_at) not in span)
        self.terms = (*kept, *terms)

    @property
    def views(self) -> tuple[View, ...]:
        """The views of the bills that have books."""
        return tuple(view for view in View if view is View.USAGE or self.keys is not None)

    def held(
        self, owners: OwnerDirectory, *, last_read: LastRead, rules_file: ReloadOutcome, clock: ClockFault | None = None
    ) -> Held:
        """Return the held bills, from which facts are built."""
        return Held(
            books={view: {**self.shelf(view).books} for view in self.views},
            bills=tuple(self.bills.values()),
            balances={**self.balances},
            terms=self.terms,
            resources=tuple(self.resources.values()),
            utilization={**self.utilization},
            owners=owners,
            last_read=last_read,
            rules_file=rules_file,
            clock=clock,
            watched_since=self.watched_since,
        )

    def shelf(self, view: View) -> Shelf:
        """
        Return the books of a view.

        Raises:
            LookupError: They are not in use.
        """
        if view is View.USAGE:
            return Shelf(table=self.table, books=self.books)
        if self.keys is None:
            raise LookupError("spend by API key is not in use")
        return self.keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Watched):
    """What to watch, through which clients, and whom to notify."""

    accounts: Mapping[str, BillSource]
    audience: Audience
    headline_of: Callable[[Alert, Rule | None], str]
    actions: Mapping[str, Action] = field(default_factory=dict)
    """The actions that may be requested on alerts, by name."""
    timezone: str = "UTC"
    """The time zone of the page's months."""
