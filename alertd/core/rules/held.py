"""
From what is held of the bills to the facts of a moment: the only place where `Facts` are built.

The daemon hands it what it holds in memory, a command what is stored, a replay what was known in an hour of the past.
It decides what of that is watched; it reads nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass
from alertd.core.hours import hour_of
from alertd.core.owners import OwnerDirectory
from alertd.core.resources import Resource, ResourceKey, names_of
from alertd.core.rules.facts import ClockFault, Facts
from alertd.core.rules.records import ReloadOutcome
from alertd.core.rules.watched import Watched
from alertd.core.spend.bill import ApiKey, Balance, Term, TrackedBill
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.lists import View
from alertd.core.spend.stream import Streams
from alertd.core.spend.view import SpendView
from alertd.core.utilization import Slots

CategoryKey = tuple[str, str]
"""(account, category)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRead:
    """How the last read of the billing API went, beside what the books say of each category."""

    accounts: frozenset[str] = frozenset()
    """Those that were read."""
    dropped: frozenset[tuple[View, str, str]] = frozenset()
    """(view, account, category) that an account does not have: it is not asked for."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose key is refused, and what to do."""
    bill_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose monthly bills could not be read, and why."""
    balance_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose balance could not be read, and why."""
    resource_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose instances or endpoints could not be read, and why."""
    resources_read: Mapping[str, datetime] = field(default_factory=dict)
    """When the instances of an account were last read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held of the bills at a moment, watched or not; spend itself lies in the views that are filled from it."""

    books: Mapping[View, Mapping[CategoryKey, CategoryBook]]
    bills: tuple[TrackedBill, ...] = ()
    balances: Mapping[str, Balance] = field(default_factory=dict)
    """By account, as last read."""
    terms: tuple[Term, ...] = ()
    """Subscriptions."""
    resources: tuple[Resource, ...] = ()
    """Instances and endpoints that were ever listed."""
    utilization: Mapping[ResourceKey, Slots] = field(default_factory=dict)
    """How busy instances are."""
    owners: OwnerDirectory = OwnerDirectory()
    """With the names of the API, see `with_api_names`."""
    streams: Mapping[View, Streams] = field(default_factory=dict)
    """How far each stream was billed, where the books do not say it: in the past as it is known now."""
    last_read: LastRead = LastRead()
    rules_file: ReloadOutcome = ReloadOutcome()
    clock: ClockFault | None = None
    """How the system's clock is wrong; None where it is not known to be."""
    watched_since: datetime | None = None
    """When this store first tried to read anything."""

    def data(self, view: View, now: datetime, settle_delay: timedelta) -> DataState:
        """Return the books of a view to be asked how far they are known; of everything held, so call `of` before."""
        return DataState(
            books=self.books[view], now=now, settle_delay=settle_delay, known_streams=self.streams.get(view)
        )

    def of(self, watched: Watched) -> "Held":
        """
        Return the part that is watched.

        It has a book for each category that is polled, an empty one where nothing was read yet; none for a category
        that the account does not have, and nothing of an account that the rules file has no more.
        """
        polled = {
            view: {
                (account, category): held.get((account, category))
                or CategoryBook(account=account, category=category, view=view)
                for account in watched.accounts
                for category in watched.categories_of(view)
                if (view, account, category) not in self.last_read.dropped
            }
            for view, held in self.books.items()
        }
        last, accounts = self.last_read, watched.accounts
        bills = (tracked for tracked in self.bills if tracked.bill.account in accounts)
        return replace(
            self,
            books=polled,
            bills=tuple(sorted(bills, key=lambda tracked: (tracked.bill.account, tracked.bill.bill_id))),
            balances={name: balance for name, balance in self.balances.items() if name in accounts},
            terms=tuple(term for term in self.terms if term.account in accounts),
            resources=tuple(one for one in self.resources if one.account in watched.resource_accounts),
            last_read=replace(
                last,
                refused={name: text for name, text in last.refused.items() if name in accounts},
                bill_gaps={name: text for name, text in last.bill_gaps.items() if name in accounts},
                balance_gaps={name: text for name, text in last.balance_gaps.items() if name in accounts},
            ),
        )


def never_asked(
    books: Mapping[View, Mapping[CategoryKey, CategoryBook]], watched: Watched
) -> frozenset[tuple[View, str, str]]:
    """Return the categories that are watched and have no book: where nobody noted it, an account may not have them."""
    return frozenset(
        (view, account, category)
        for view, known in books.items()
        for account in watched.accounts
        for category in watched.categories_of(view)
        if (account, category) not in known
    )


def with_api_names(owners: OwnerDirectory, keys: Iterable[ApiKey], resources: Iterable[Resource]) -> OwnerDirectory:
    """Return the owners as the API calls them: keys by their bills, instances and endpoints by their lists."""
    names = {key.key_id: key.label for key in keys} | names_of(resources)
    return owners if owners.names == names else owners.named(names)


def build_facts(
    held: Held, watched: Watched, spend: Mapping[View, SpendView], now: datetime, *, is_explained: bool = True
) -> Facts:
    """
    Build what is known at a moment.

    Args:
        held: Watched or not: what is not is left out.
        spend: A view of each list of the bills that the rules look at, usage always; filled from what is held.
        now: The moment for which *held* is right.
        is_explained: As in `Facts`.
    """
    for view in spend.values():
        view.advance(hour_of(now))
    known = held.of(watched)
    delay = watched.settle_delay
    return Facts(
        now=now,
        spend=spend[View.USAGE],
        data=known.data(View.USAGE, now, delay),
        bills=known.bills,
        bill_gaps=known.last_read.bill_gaps,
        owners=known.owners,
        refused=known.last_read.refused,
        watched_since=known.watched_since,
        rules_file=known.rules_file,
        clock=known.clock,
        keys=(spend[View.API_KEY], known.data(View.API_KEY, now, delay)) if View.API_KEY in spend else None,
        balances=known.balances,
        terms=known.terms,
        utilization=known.utilization,
        resources={resource.key: resource for resource in known.resources},
        resources_read=known.last_read.resources_read,
        balance_gaps=known.last_read.balance_gaps,
        planned=watched.planned,
        is_explained=is_explained,
    )
