"""
Spend that is known in advance, and how much of it the groups of a rule may spend before the rule's limits apply.

The first `amount` that the matching series spend from the start of the span on is expected; later spend is not. The
amount is used up hour by hour: in the hour in which it runs out, the same share of each charge is expected, whichever
group it belongs to. All groups of a rule together are therefore never allowed more than the amount, and what was
expected in a past hour does not change with later spend. A credit gives back what it takes from the sum.

An allowance only raises a rule's limits, so it is computed only for the groups that reach one of them. It is exact
except in the history that a forecast uses, which consists of floats anyway.

The effect of missing data: if hours of the span before the window are unread, the amount seems less used up than it is,
so more is allowed than is right, and a limit is too high. Then an alert could end wrongly, but none begins wrongly: the
allowance carries those gaps, and the sample counts as incomplete. Only a credit that may be missing there has the
opposite effect; then the sample may not raise an alert either. Hours missing inside the window are gaps of the rule
itself: more spend in them uses up the amount sooner, so what exceeds the limits on known data still does.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HOURS_PER_DAY, HourRange, start_of
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, format_usd
from alertd.core.owners import OwnerDirectory
from alertd.core.spend.bill import SUBSCRIPTION, Term
from alertd.core.spend.data_state import DataState, Gap
from alertd.core.spend.group_sums import GroupSums
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.subscription import renewals
from alertd.core.spend.view import SpendView
from alertd.core.words import format_instant

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_SPAN = timedelta(days=92)
"""The longest span of an entry: spend is held in memory from its start on, and a quarter is enough."""
RULE_LABEL = "rule"
"""The name in `match` that means the rule; all others are attributes of series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSpend:
    """One entry of `planned:`: *amount* is expected from the matching series within *hours*."""

    match: tuple[tuple[str, Patterns], ...] = ()
    """Series keys, `team`, owner labels or `rule`, with the patterns that they must match."""
    amount: Usd
    hours: HourRange
    """The hours that begin within the span as written."""
    comment: str = ""

    def concerns(self, rule: str) -> bool:
        """Return whether the entry applies to the rule of this name."""
        return all(patterns.matches(rule) for name, patterns in self.match if name == RULE_LABEL)

    def may_match(self, account: str, category: str) -> bool:
        """Return whether series of a category of an account could match."""
        known = {"account": account, "category": category}
        return all(patterns.matches(known[name]) for name, patterns in self.match if name in known)

    def narrow(self, query: SpendQuery) -> SpendQuery:
        """Return the part of a query that the entry matches."""
        match = tuple((name, patterns) for name, patterns in self.match if name != RULE_LABEL)
        return replace(query, filters=(*query.filters, *match))

    def text(self, allowed: int, *, is_used_up: bool) -> str:
        """Return the entry as text for people: `$1,200.00 of $2,000.00 expected until Dec 5 (training run 12)`."""
        comment = f" ({self.comment})" if self.comment else ""
        expected = f"{format_usd(allowed)} of {format_usd(self.amount)} expected until {self._until}{comment}"
        return f"{expected}; all of it is used up" if is_used_up else expected

    @property
    def _until(self) -> str:
        """The last day, or the instant if the span does not end with a UTC day."""
        at = start_of(self.hours.end)
        last = at - timedelta(hours=1)
        return format_instant(at) if self.hours.end % HOURS_PER_DAY else f"{last:%b} {last.day}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one group may spend before a rule's limits apply."""

    amount: Usd = Usd(0)
    """From 0 to what the group spent in the window."""
    gaps: tuple[Gap, ...] = ()
    """Hours before the window in which the planned amount may have been used up without being known."""
    facts: tuple[tuple[str, str], ...] = ()
    """(name, text) pairs for people, one for each entry under which the group spent something in the window."""


NOTHING_PLANNED = Allowance()


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """The part of a span's spend that the planned amount pays for."""

    start: int
    paid: "NDArray[np.int64]"
    """How much of the amount is used up when each hour begins, and after the last one."""
    whole: tuple[HourRange, ...]
    """Hours in which every charge is paid for in full."""
    parts: tuple[tuple[int, int, int], ...]
    """Hours in which each charge is paid for in part, as (hour, paid, spent), such as when the amount runs out."""

    @classmethod
    def of(cls, spent: "NDArray[np.int64]", start: int, amount: int) -> "Cover":
        """
        Pay for what was spent, hour by hour.

        Args:
            spent: What all matching series spent in each hour, in 1e-10 USD.
            start: The first of these hours.
        """
        sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(spent)))
        # Credits may take the sum below 0 or back under the amount, so every hour is checked.
        paid = np.clip(sums, 0, amount)
        is_level = sums == paid
        is_whole = is_level[:-1] & is_level[1:]
        gained = np.diff(paid)
        edges = np.flatnonzero(np.diff(is_whole, prepend=False, append=False)).tolist()
        hours = np.flatnonzero(~is_whole & (gained != 0)).tolist()
        return cls(
            start=start,
            paid=paid,
            whole=tuple(HourRange(start + a, start + b) for a, b in zip(edges[::2], edges[1::2], strict=True)),
            parts=tuple((start + h, int(gained[h]), int(spent[h])) for h in hours),
        )

    def used(self, hour: int) -> int:
        """Return how much of the amount is used up when an hour begins."""
        return int(self.paid[min(max(hour - self.start, 0), len(self.paid) - 1)])


class _Pot:
    """One entry's amount, which the groups of one rule use up until the end of the rule's window."""

    def __init__(self, plan: PlannedSpend, query: SpendQuery, metric: str, window: HourRange, spend: SpendView) -> None:
        self.plan = plan
        self._query = plan.narrow(query)
        self._metric = metric
        self._spend = spend
        self._window = _common(plan.hours, window)

    @cached_property
    def cover(self) -> Cover:
        whole = replace(self._query, group_by=())
        by_hour = self._spend.by_hour(whole, self._metric, self.plan.hours)
        return Cover.of(by_hour, self.plan.hours.start, self.plan.amount)

    @cached_property
    def spent(self) -> GroupSums:
        """What each group spent in the hours that belong to both the window and the span."""
        return self._spend.sums(self._query, self._metric, self._window)

    @cached_property
    def allowed(self) -> GroupSums:
        """How much of `spent` is expected: never below 0 nor above `spent`, and in total never above the amount."""
        values = np.zeros_like(self.spent.values)
        for run in self.cover.whole:
            values += self._spend.sums(self._query, self._metric, _common(run, self._window)).values
        for hour, paid, spent in self.cover.parts:
            if hour in self._window:
                each = self._spend.sums(self._query, self._metric, HourRange(hour, hour + 1)).values
                # Products exceed 64 bits; rounded down, so that the parts never exceed what is paid.
                values += np.array([value * paid // spent for value in each.tolist()], np.int64)
        values = np.maximum(np.minimum(values, self.spent.values), 0)
        total = int(values.sum())
        if total > self.plan.amount:
            # A group with a credit made room for the others; the entry must still never allow more than its amount.
            values = np.array([value * self.plan.amount // total for value in values.tolist()], np.int64)
        return GroupSums(self.spent.groups, values, self.spent.numbers, int(values.max(initial=0)))

    def paid_between(self, bounds: Sequence[int]) -> "NDArray[np.float64]":
        """Return what is paid for between each two neighbouring bounds: a row for each, a column for each group."""
        total = np.zeros((len(bounds) - 1, len(self.spent.groups)))
        for run in self.cover.whole:
            total += self._between(bounds, run)
        for hour, paid, spent in self.cover.parts:
            total += self._between(bounds, HourRange(hour, hour + 1)) * (paid / spent)
        return total

    def _between(self, bounds: Sequence[int], span: HourRange) -> "NDArray[np.int64]":
        clipped = [min(max(bound, span.start), span.end) for bound in bounds]
        return self._spend.between(self._query, self._metric, clipped)

    def ahead(self, group: Labels, edge: int, end: int) -> int:
        """
        Return what the group is still expected to spend from the data edge to *end*.

        What is left of the amount is spread evenly over what is left of the span, and over the groups in proportion to
        their spend so far; zero until any of them has spent something.
        """
        hours_left = self.plan.hours.end - edge
        hours = min(self.plan.hours.end, end) - edge
        everybody, mine = int(np.maximum(self.spent.values, 0).sum()), max(self.spent.of(group), 0)
        if hours_left <= 0 or everybody <= 0:
            return 0
        return (self.plan.amount - self.cover.used(edge)) * hours * mine // (hours_left * everybody)


class Allowances:
    """
    What planned spend allows the groups of one rule in one window; lives for one evaluation.

    Args:
        planned: Every entry of the rules file.
        rule: The rule's name.
        query: What the rule sums, by group.
        categories: The (account, category) pairs that it sums.
        window: The window that the rule judges; ends at the data edge.
        terms: Subscriptions: those that end fall due again.
        owners: Teams and labels of owners, for groups by these.
    """

    def __init__(
        self,
        planned: Sequence[PlannedSpend],
        *,
        rule: str,
        query: SpendQuery,
        metric: str,
        categories: Sequence[tuple[str, str]],
        window: HourRange,
        spend: SpendView,
        data: DataState,
        terms: Sequence[Term] = (),
        owners: OwnerDirectory | None = None,
    ) -> None:
        self._terms = terms
        self._owners = owners or OwnerDirectory()
        self._query = query
        self._metric = metric
        self._categories = categories
        self._window = window
        self._spend = spend
        self._data = data
        plans = [plan for plan in planned if plan.hours.start < window.end and plan.concerns(rule)]
        self._pots = [_Pot(plan, query, metric, window, spend) for plan in plans]
        self._judged = [pot for pot in self._pots if pot.plan.hours.end > window.start]
        """The entries under which something may have been spent in the window."""
        self._found_gaps: dict[tuple[_Pot, int], tuple[Gap, ...]] = {}

    def of(self, group: Labels, spent: Usd) -> Allowance:
        """
        Return the allowance of a group.

        Args:
            spent: What the group spent in the window: all entries together allow no more.
        """
        pots = [pot for pot in self._judged if pot.spent.of(group) > 0]
        if not pots:
            return NOTHING_PLANNED
        start, edge = self._window.start, self._window.end
        gaps = [gap for pot in pots for gap in self._gaps_of(pot, start)]
        return Allowance(
            amount=Usd(min(sum(pot.allowed.of(group) for pot in pots), max(spent, 0))),
            gaps=tuple(dict.fromkeys(gaps)),
            facts=tuple(
                (
                    "Planned",
                    pot.plan.text(pot.allowed.of(group), is_used_up=pot.cover.used(edge) >= pot.plan.amount),
                )
                for pot in pots
            ),
        )

    def gaps(self, start: int) -> tuple[Gap, ...]:
        """Return the gaps before the hour *start* in spans that extend beyond it."""
        pots = [pot for pot in self._pots if pot.plan.hours.end > start]
        return tuple(dict.fromkeys(gap for pot in pots for gap in self._gaps_of(pot, start)))

    @property
    def plans(self) -> tuple[PlannedSpend, ...]:
        """The entries that apply to the rule and begin before the window's end."""
        return tuple(pot.plan for pot in self._pots)

    def unplanned(self, bounds: Sequence[int], groups: "NDArray[np.intp]") -> "NDArray[np.float64]":
        """
        Return what groups spent between each two neighbouring bounds, minus the planned part of it.

        Payments for fixed terms are left out: they have no rhythm.

        Args:
            bounds: Hours in rising order, up to the data edge.
            groups: The numbers of the groups, in the order of `SpendView.sums`.

        Returns:
            In 1e-10 USD: a row for each two neighbouring bounds, a column for each of the groups.
        """
        parts = self._spend.between(self._query, self._metric, bounds, groups).astype(np.float64)
        parts -= self._of_terms(bounds, groups)
        pots = [pot for pot in self._pots if pot.plan.hours.end > bounds[0]]
        if not pots:
            return parts
        planned = sum(self._placed(pot.spent.groups, pot.paid_between(bounds), groups) for pot in pots)
        # Spend that two entries both expect was still spent only once.
        return np.maximum(parts - planned, np.minimum(parts, 0))

    def _placed(
        self, of: Sequence[Labels], values: "NDArray[np.float64]", groups: "NDArray[np.intp]"
    ) -> "NDArray[np.float64]":
        """Return the values of the groups *of*, with a column for each of *groups*; 0 for those without a value."""
        numbers = self._spend.sums(self._query, self._metric, self._window).numbers
        found = np.zeros((len(values), len(numbers)))
        found[:, [numbers[group] for group in of]] = values
        return found[:, groups]

    def renewed(self, end: int) -> dict[Labels, Usd]:
        """Return, by group, the subscription charges that fall due again from the data edge to *end*."""
        due: dict[Labels, Usd] = {}
        for term in renewals(self._terms, start_of(self._window.end), start_of(end)):
            group = self._group_of(term)
            if group is not None:
                due[group] = Usd(due.get(group, 0) + getattr(term, self._metric))
        return due

    def _group_of(self, term: Term) -> Labels | None:
        """Return the group to which a subscription belongs, None if the filters exclude it."""
        query, owner = self._query, self._owners.find(term.owner)
        values = {**dict(owner.labels), **term.series._asdict(), "team": owner.team}
        if query.accounts is not None and term.account not in query.accounts:
            return None
        if not all(patterns.matches(values.get(name, "")) for name, patterns in query.filters):
            return None
        return tuple((name, values.get(name, "")) for name in query.group_by)

    def _of_terms(self, bounds: Sequence[int], groups: "NDArray[np.intp]") -> "NDArray[np.float64] | float":
        """Return what *groups* paid for fixed terms between each two neighbouring bounds."""
        if not any(category == SUBSCRIPTION for _, category in self._categories):
            return 0.0
        others = (part for part in self._query.filters if part[0] != "category")
        query = replace(self._query, filters=(*others, ("category", Patterns((SUBSCRIPTION,)))))
        paid = self._spend.sums(query, self._metric, self._window)
        if not paid.groups:
            return 0.0
        return self._placed(paid.groups, self._spend.between(query, self._metric, bounds).astype(np.float64), groups)

    def ahead(self, group: Labels, end: int) -> Usd:
        """Return what the group is still expected to spend under entries already begun, from the data edge to *end*."""
        return Usd(sum(pot.ahead(group, self._window.end, end) for pot in self._judged))

    def _gaps_of(self, pot: _Pot, start: int) -> tuple[Gap, ...]:
        """Return the gaps in a pot's hours before *start* that could change what is left in it."""
        if (pot, start) not in self._found_gaps:
            # Computed once for all groups.
            self._found_gaps[pot, start] = self._gaps_before(pot, start)
        return self._found_gaps[pot, start]

    def _gaps_before(self, pot: _Pot, start: int) -> tuple[Gap, ...]:
        first = pot.plan.hours.start
        if first >= start:
            return ()
        categories = [key for key in self._categories if pot.plan.may_match(*key)]
        found = self._data.gaps(categories, HourRange(first, start))
        if first < self._spend.span.start:
            since = format_instant(start_of(self._spend.span.start))
            text = f"planned spend may be used up already: what was spent before {since} is not at hand"
            found = (*found, Gap(account="", category="", text=text, may_hide_credit=False))
        if pot.cover.used(start) >= pot.plan.amount:
            # All of it is used up: only a missing credit could change that.
            found = tuple(gap for gap in found if gap.may_hide_credit)
        return found


def _common(one: HourRange, other: HourRange) -> HourRange:
    """Return the hours that two ranges share, an empty range if they share none."""
    start = max(one.start, other.start)
    return HourRange(start, max(start, min(one.end, other.end)))
