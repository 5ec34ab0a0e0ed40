"""Which bills are watched, and how far back: the part of a plan that decides what must be read."""

from collections.abc import Collection
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass
from alertd.core.hours import hour_of, midnight_before
from alertd.core.rules.base import Rule
from alertd.core.rules.idle_gpu import IdleGpu
from alertd.core.spend.bill import CATEGORIES, KEY_CATEGORIES, SUBSCRIPTION
from alertd.core.spend.lists import View
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.stream import LONGEST_LAG_HOURS

LONGEST_TERM = timedelta(days=366)
"""Longest term that a subscription is sold for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Accounts, the rules that watch them, and planned spend; replaced completely at reload."""

    accounts: Collection[str]
    rules: tuple[Rule, ...]
    settle_delay: timedelta
    """How late a bill may usually be."""
    categories: tuple[str, ...] = CATEGORIES
    """The categories of the usage bills."""
    planned: tuple[PlannedSpend, ...] = ()
    reach: timedelta = timedelta()
    """How far back reports look at the usage bills."""
    resource_accounts: frozenset[str] = frozenset()
    """The accounts whose instances and endpoints are read in addition to their bills."""

    @property
    def views(self) -> tuple[View, ...]:
        """The views of the bills to read: usage always, spend by API key if an enabled rule uses it."""
        wanted = {view for rule in self.rules if rule.enabled for view in rule.views}
        return tuple(view for view in View if view is View.USAGE or view in wanted)

    def categories_of(self, view: View) -> tuple[str, ...]:
        """Return the categories of a view to read."""
        return self.categories if view is View.USAGE else KEY_CATEGORIES

    def metrics_of(self, view: View) -> list[str]:
        """Return the metrics that are summed in a view: the amount always, others if a rule sums them."""
        return sorted({"amount", *(m.value for rule in self.rules if view in rule.views for m in rule.metrics)})

    def asks_utilization(self, account: str, owner: str) -> timedelta:
        """Return how far back an enabled rule looks at an instance's utilisation; zero if none does."""
        of_idle = (rule for rule in self.rules if isinstance(rule, IdleGpu) and rule.enabled)
        return max((rule.window for rule in of_idle if rule.asks_for(account, owner)), default=timedelta())

    @property
    def needs_balance(self) -> bool:
        """Whether an enabled rule looks at balances."""
        return any(rule.NEEDS_BALANCE for rule in self.rules if rule.enabled)

    def read_from(self, now: datetime, view: View, category: str) -> int:
        """Return the first hour of a category to read; for subscriptions, early enough for every running term."""
        first = self.horizon(now, view)
        return min(first, midnight_before(hour_of(now - LONGEST_TERM))) if category == SUBSCRIPTION else first

    def horizon(self, now: datetime, view: View = View.USAGE) -> int:
        """Return the first hour of a view that some enabled rule or a report can see."""
        reach = self.reach if view is View.USAGE else timedelta()
        furthest = max((reach, *(rule.lookback() for rule in self.rules if rule.enabled and view in rule.views)))
        first = midnight_before(hour_of(now - furthest)) - LONGEST_LAG_HOURS
        # How much of a planned amount is left depends on all spend since its span began.
        spans = (plan.hours for plan in self.planned if plan.hours.end > first)
        return min([first, *(midnight_before(span.start) for span in spans)])
