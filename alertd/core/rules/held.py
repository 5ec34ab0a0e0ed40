"""
Builds the facts of a moment from the data at hand: the only place where `Facts` are built.

The daemon passes what it has in memory, a command what is stored, a replay what was known in an hour of the past.
This module selects what is watched; it reads nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass, replace
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
    """The outcome of the last read of the billing API, in addition to what the books say about each category."""

    accounts: frozenset[str] = frozenset()
    """The accounts that were read."""
    dropped: frozenset[tuple[View, str, str]] = frozenset()
    """The categories that an account does not have, as (view, account, category); they are not requested."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose key is refused, and what to do."""
    bill_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose monthly bills could not be read, and why."""
    balance_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose balance could not be read, and why."""
    resource_gaps: Mapping[str, str] = field(default_factory=dict)
    """Accounts whose instances or endpoints could not be read, and why."""
    resources_read: Mapping[str, datetime] = field(default_factory=dict)
    """When instances were last read, by account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The data at hand at a moment, watched or not; spend itself is in the views that are filled from it."""

    books: Mapping[View, Mapping[CategoryKey, CategoryBook]]
    bills: tuple[TrackedBill, ...] = ()
    balances: Mapping[str, Balance] = field(default_factory=dict)
    """Balances by account, as last read."""
    terms: tuple[Term, ...] = ()
    """Subscriptions."""
    resources: tuple[Resource, ...] = ()
    """Instances and endpoints that were ever listed."""
    utilization: Mapping[ResourceKey, Slots] = field(default_factory=dict)
    """How busy instances are."""
    owners: OwnerDirectory = OwnerDirectory()
    """With the names from the API, see `with_api_names`."""
    streams: Mapping[View, Streams] = field(default_factory=dict)
    """How far each stream was billed, if not worked out from the books: for the past, as is known now."""
    last_read: LastRead = LastRead()
    rules_file: ReloadOutcome = ReloadOutcome()
    clock: ClockFault | None = None
    """What is wrong with the system's clock; None if nothing is known to be."""
    watched_since: datetime | None = None
    """When watching began: what was never read counts as unread since then."""

    def data(self, view: View, now: datetime, settle_delay: timedelta) -> DataState:
        """Return the data state of a view, watched or not; call `of` first to leave out what is not watched."""
        return DataState(
            books=self.books[view], now=now, settle_delay=settle_delay, known_streams=self.streams.get(view)
        )

    def of(self, watched: Watched) -> "Held":
        """
        Return the part that is watched.

        It has a book for each polled category, an empty one if nothing was read yet; no book for a category that the
        account does not have, and nothing about accounts that are no longer in the rules file.
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
    """Return the watched categories without a book, which accounts may not have: for when no last read is recorded."""
    return frozenset(
        (view, account, category)
        for view, known in books.items()
        for account in watched.accounts
        for category in watched.categories_of(view)
        if (account, category) not in known
    )


def with_api_names(owners: OwnerDirectory, keys: Iterable[ApiKey], resources: Iterable[Resource]) -> OwnerDirectory:
    """Return the owners with their names from the API: keys from the bills, instances and endpoints from the lists."""
    names = {key.key_id: key.label for key in keys} | names_of(resources)
    return owners if owners.names == names else owners.named(names)


def build_facts(
    held: Held, watched: Watched, spend: Mapping[View, SpendView], now: datetime, *, is_explained: bool = True
) -> Facts:
    """
    Build the facts of a moment.

    Args:
        held: The data at hand; what is not watched is left out.
        spend: A spend view for each list of bills that the rules use, always including usage; filled from *held*.
        now: The moment that *held* describes.
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
