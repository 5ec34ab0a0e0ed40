"""
A summary of everything known at one moment, for the status page and for metrics.

It sums and collects; presentation is decided where it is shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from functools import partial
from operator import is_

from alertd.core.calendar import Period
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange
from alertd.core.labels import Patterns
from alertd.core.money import Usd, if_it_fits
from alertd.core.owners import OwnerDirectory
from alertd.core.reports.budget_lines import NO_BUDGETS, RankedBudgets, ranked_budgets
from alertd.core.reports.figures import Undecided, undecided_rules
from alertd.core.reports.running import Running, running
from alertd.core.rules.balance import BalanceRule
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.rules.runway import Runway
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.rules.unmatched import Unmatched, unmatched
from alertd.core.spend.bill import Series, TrackedBill
from alertd.core.spend.lately import Billed, billed_in, last_hours, period_so_far
from alertd.core.spend.lists import View
from alertd.core.spend.moment import moment_of
from alertd.core.spend.selection import SpendQuery

OVERVIEW_HOURS = 33 * HOURS_PER_DAY
"""How far back spend must be known: the longest month, plus a data edge that lags a day or two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorySpend:
    """The billed spend of an account's category, through its data edge. Amounts in 1e-10 USD, including vouchers."""

    account: str
    category: str
    edge: int
    """The data edge."""
    last_day: Usd
    """Spend in the last 24 billed hours, the same for all categories."""
    month: Usd
    """Spend in the calendar month, in UTC, of the last billed hour of all categories."""
    is_complete: bool
    """Whether nothing is missing in either."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matched:
    """The rules whose filters are looked at, and what they may match: names that were billed, owners."""

    rules: tuple[Rule, ...]
    series: Mapping[View, Sequence[Series]]
    counts: tuple[int, ...]
    """The number of series of each view then: further ones are only appended."""
    owners: OwnerDirectory

    @classmethod
    def of(cls, facts: Facts, rules: Sequence[Rule]) -> "Matched":
        """Return what is known of *rules* now."""
        views = {rule.view for rule in rules if isinstance(rule, SpendRule)}
        series = {view: facts.of(view).spend.series for view in views}
        return cls(rules=tuple(rules), series=series, counts=tuple(map(len, series.values())), owners=facts.owners)

    def is_as(self, other: "Matched | None") -> bool:
        """Return whether the filters miss the same as of the other."""
        return (
            other is not None
            and self.owners is other.owners
            and self.counts == other.counts
            and all(names is other.series.get(view) for view, names in self.series.items())
            and len(self.rules) == len(other.rules)
            and all(map(is_, self.rules, other.rules))
        )

    def missed(self) -> tuple[Unmatched, ...]:
        """Return the filters that match nothing."""
        return unmatched(self.rules, self.series, self.owners)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is known at one moment."""

    now: datetime
    overflows: bool = False
    """Whether the billed amount exceeds 922 million USD, so that some sums are left out."""
    spend: tuple[CategorySpend, ...]
    """By account and category, without those that were never read."""
    last_day: Billed | None
    """Total of the last 24 billed hours; None if nothing is known."""
    month: Billed | None
    """All of it in the month so far."""
    budgets: RankedBudgets = NO_BUDGETS
    undecided: tuple[Undecided, ...] = ()
    runways: tuple[tuple[str, Runway], ...]
    """Runways of the balances that rules watch, by rule."""
    bills: tuple[TrackedBill, ...]
    """Every monthly bill known, newest month first."""
    running: tuple[Running, ...] = ()
    """What is running, most expensive first."""
    unmatched: tuple[Unmatched, ...] = ()
    """Filters of rules that match nothing ever billed."""
    matched: Matched | None = field(default=None, repr=False, compare=False)
    """What these were found by."""


def overview(facts: Facts, rules: Iterable[Rule], *, before: Overview | None = None) -> Overview:
    """
    Compute the overview.

    Args:
        facts: Their spend view must reach back `OVERVIEW_HOURS` and as far as the rules need.
        rules: Disabled ones are ignored.
        before: The previous overview, from which unchanged parts are reused.
    """
    enabled = [rule for rule in rules if rule.enabled]
    # How far each stream is billed is known from the evaluation.
    moment_of(facts.spend, facts.data)
    day, month = last_hours(facts.data, HOURS_PER_DAY), period_so_far(facts.data, Period.MONTH, "UTC")
    matched = Matched.of(facts, enabled)
    whole = if_it_fits(lambda: billed_in(facts.spend, facts.data, day), None) if day is not None else None
    return Overview(
        now=facts.now,
        spend=tuple(_spend(facts, day, month)) if day is not None and month is not None else (),
        overflows=day is not None and whole is None,
        last_day=whole,
        month=if_it_fits(lambda: billed_in(facts.spend, facts.data, month), None) if month is not None else None,
        budgets=ranked_budgets(facts, enabled, before=before.budgets if before is not None else NO_BUDGETS),
        undecided=undecided_rules(facts, enabled),
        runways=tuple(
            (rule.name, runway) for rule in enabled if isinstance(rule, BalanceRule) for runway in _runways(rule, facts)
        ),
        unmatched=before.unmatched if before is not None and matched.is_as(before.matched) else matched.missed(),
        matched=matched,
        bills=tuple(sorted(facts.bills, key=lambda t: (t.bill.month, t.bill.account), reverse=True)),
        running=if_it_fits(lambda: running(facts), ()),
    )


def _runways(rule: BalanceRule, facts: Facts) -> list[Runway]:
    # A rule that cannot be computed has its own alert.
    return if_it_fits(partial(rule.runways, facts), [])


def _sums(facts: Facts, query: SpendQuery, windows: Iterable[HourRange]) -> list[Usd]:
    return [facts.spend.sums(query, "amount", window).of(()) for window in windows]


def _spend(facts: Facts, day: HourRange, month: HourRange) -> Iterable[CategorySpend]:
    for account, category in sorted(facts.data.books):
        key = ((account, category),)
        edge = facts.data.edge(key)
        if edge is None:
            continue
        # Separately, so that a sum that does not fit does not affect the others.
        query = SpendQuery(filters=(("category", Patterns((category,))),), accounts=frozenset({account}))
        sums = if_it_fits(partial(_sums, facts, query, (day, month)), None)
        if sums is None:
            continue
        yield CategorySpend(
            account=account,
            category=category,
            edge=edge,
            last_day=sums[0],
            month=sums[1],
            is_complete=not facts.data.gaps(key, HourRange(min(day.start, month.start), day.end)),
        )
