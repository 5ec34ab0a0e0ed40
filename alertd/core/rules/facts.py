"""What is known at a moment: everything that a rule may use."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass, replace
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Resource, ResourceKey
from alertd.core.rules.records import ReloadOutcome
from alertd.core.spend.bill import Balance, Term, TrackedBill
from alertd.core.spend.data_state import DataState
from alertd.core.spend.lists import View
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.view import SpendView
from alertd.core.utilization import Slots
from alertd.core.words import format_instant

RESOURCES_FRESH = timedelta(hours=1)
"""Maximum age of a list of resources: an older one does not say what is running now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFault:
    """Why a rule could not be computed."""

    text: str
    """The error that was raised, in one line."""
    since: datetime
    """When the first of the consecutive failed evaluations took place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockFault:
    """The system's clock disagrees with the billing API's by more than is tolerated, or cannot be checked."""

    account: str
    """The account whose answer last showed it."""
    system: datetime
    """The time by the system's clock when that answer arrived."""
    api: datetime | None
    """The time by that answer; None if its `Date` is missing or cannot be read."""
    is_decided: bool = False
    """Whether rules are judged nevertheless."""

    @property
    def text(self) -> str:
        """What is wrong and what to do, for people."""
        says = f"this system's clock says {format_instant(self.system)}"
        if self.api is not None:
            return (
                f'{says}, the billing API of account "{self.account}" {format_instant(self.api)}; nothing is '
                f"decided until they agree: set the clock, or where it is right set ALERTD_CLOCK=system"
            )
        what = f'the answers of the billing API of account "{self.account}" have no Date that can be read'
        remedy = "let proxies pass that header on, or where the system's clock is kept by NTP set ALERTD_CLOCK=system"
        if self.is_decided:
            return f"{what}, so the clock cannot be checked and counts as it is; {remedy}"
        return f"{what}, and neither bills nor an earlier check bear out that {says}; nothing is decided: {remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a rule may use; nothing in it changes while rules are evaluated."""

    now: datetime
    spend: SpendView
    data: DataState
    bills: tuple[TrackedBill, ...] = ()
    bill_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose monthly bills could not be read, and why."""
    owners: OwnerDirectory = OwnerDirectory()
    refused: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose key is refused, and what to do."""
    watched_since: datetime | None = None
    """When watching began: what was never read counts as unread since then."""
    rules_file: ReloadOutcome = ReloadOutcome()
    clock: ClockFault | None = None
    """What is wrong with the system's clock; None if nothing is known to be."""
    keys: tuple[SpendView, DataState] | None = None
    """Spend and books by API key; None if no rule uses them."""
    balances: Mapping[str, Balance] = field(default_factory=dict)
    """Balances by account, as last read."""
    terms: tuple[Term, ...] = ()
    """Subscriptions, running and ended, as last read."""
    resources: Mapping[ResourceKey, Resource] = field(default_factory=dict)
    """Instances and endpoints that were ever listed; only of accounts where they are read."""
    utilization: Mapping[ResourceKey, Slots] = field(default_factory=dict)
    """How busy instances are, for those that a rule asks about."""
    resources_read: Mapping[str, datetime] = field(default_factory=dict)
    """When instances were last read, by account."""
    balance_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose balance could not be read now, and why."""

    def resource_of(self, account: str, owner: str) -> Resource | None:
        """Return an owner from the lists of resources; None if it is not listed or the lists are not recent."""
        read_at = self.resources_read.get(account)
        is_fresh = read_at is not None and self.now - read_at <= RESOURCES_FRESH
        return self.resources.get((account, owner)) if is_fresh else None

    def of(self, view: View) -> "Facts":
        """
        Return the facts for a rule of that view, with only the spend and data of the view.

        Raises:
            LookupError: Spend by API key was requested but is not available.
        """
        if view is View.USAGE:
            return self
        if self.keys is None:
            raise LookupError("spend by API key is not at hand")
        spend, data = self.keys
        return replace(self, spend=spend, data=data)

    rule_faults: Mapping[str, RuleFault] = field(default_factory=dict)
    """The rules that could not be computed in this evaluation, by name; only set for those judged after them."""
    planned: tuple[PlannedSpend, ...] = ()
    """Spend that is known in advance, for every rule."""
    is_explained: bool = True
    """Whether to add what explains an alert: largest parts, rates, further facts, ranges. It decides nothing."""
