"""
The figures of a report: the cost of a period compared with the one before, the changes, and what is open.

It sums and selects; `words` has the texts. The period ends at the data edge.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from alertd.core.alert import Alert, AlertState, Contributor, Lag
from alertd.core.chart import ChartPoint
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, whole_hours
from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD, Usd, if_it_fits
from alertd.core.reports.budget_lines import RankedBudgets, ranked_budgets
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts
from alertd.core.sparkline import bounds
from alertd.core.spend.bill import BillStatus, TrackedBill
from alertd.core.spend.lately import billed_in, last_hours
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.spend_chart import points_of
from alertd.core.spend.view import SpendView

_METRIC = "amount"
_LEAST_MOVE = UNITS_PER_USD // 100
"""Smallest change shown: less than a cent is no news."""
_NOT_DUE = frozenset({BillStatus.PENDING, BillStatus.PAID, BillStatus.VOIDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportScope:
    """The scope of a report."""

    name: str
    period: timedelta
    """Whole hours."""
    group_by: tuple[str, ...]
    timezone: str
    """The time zone of the chart's days."""

    @property
    def reach(self) -> timedelta:
        """How far back it needs data: the period and the same length before."""
        return 2 * self.period


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """
    An amount, and that of the period before.

    None where that period is not completely known, or where it seems that less was spent since and something is missing
    from the present one: missing data hides spend, so the fall may be none.
    """

    amount: Usd
    before: Usd | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpend:
    """What one group was billed."""

    group: Labels
    spend: Compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """Why a rule cannot judge some groups."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendFigures:
    """The cost of the period."""

    window: HourRange
    total: Compared
    groups: tuple[GroupSpend, ...]
    """Groups, largest first; empty if the report has none."""
    movers: tuple[Contributor, ...]
    """Changes by owner, product and category, largest rise first, largest fall last."""
    points: tuple[ChartPoint, ...]
    """The days or hours, exact; the first and last may be partial."""
    amounts: tuple[Usd, ...]
    """Those of the points."""
    gaps: tuple[str, ...]
    """What is missing from the period or cannot be read now, one clause each."""
    gaps_before: tuple[str, ...]
    """What is missing from the period before."""
    expected: Usd
    """The estimated total once every stream is billed."""
    lagging: tuple[Lag, ...]
    """The streams that are not billed through the period's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFigures:
    """Everything that a report shows."""

    scope: ReportScope
    spend: SpendFigures | None
    """None before the first read of any category, and if the sums do not fit 64 bits."""
    overflows: bool = False
    """Whether the billed amount exceeds 922 million USD."""
    budgets: RankedBudgets
    undecided: tuple[Undecided, ...]
    alerts: tuple[Alert, ...]
    """Firing alerts, the worst and then the oldest first."""
    bills: tuple[TrackedBill, ...]
    """Unpaid monthly bills, oldest month first."""
    bill_gaps: tuple[str, ...]
    accounts: int
    now: datetime


def report_figures(
    scope: ReportScope, facts: Facts, *, alerts: Iterable[Alert], rules: Collection[Rule]
) -> ReportFigures:
    """
    Compute the content of a report.

    Args:
        facts: Their spend view must reach back `scope.reach` and as far as the budgets need.
        alerts: Of any state.
        rules: The enabled budgets among them are shown.
    """
    spend = if_it_fits(lambda: _spend(scope, facts), None)
    return ReportFigures(
        scope=scope,
        spend=spend,
        overflows=spend is None and facts.data.edge(facts.data.books) is not None,
        budgets=ranked_budgets(facts, rules),
        undecided=undecided_rules(facts, rules),
        alerts=tuple(sorted((a for a in alerts if a.state is AlertState.FIRING), key=_urgency)),
        bills=tuple(sorted(filter(_is_unpaid, facts.bills), key=lambda t: (t.bill.month, t.bill.account))),
        bill_gaps=tuple(sorted(set(facts.bill_gaps.values()))),
        accounts=len(facts.data.accounts),
        now=facts.now,
    )


def _urgency(alert: Alert) -> tuple[int, datetime, str]:
    return -alert.severity, alert.fired_at or alert.started_at, alert.fingerprint


def _is_unpaid(tracked: TrackedBill) -> bool:
    """Return whether a bill is to be paid: it has a debt, is issued, or is in a state unknown to alertd."""
    return tracked.bill.owed > 0 or tracked.bill.status not in _NOT_DUE


def _spend(scope: ReportScope, facts: Facts) -> SpendFigures | None:
    data, view = facts.data, facts.spend
    window = last_hours(data, whole_hours(scope.period))
    if window is None:
        return None
    before = HourRange(window.start - len(window), window.start)
    gaps = data.words(data.gaps_now(window))
    billed = billed_in(view, data, window)
    gaps_before = data.words(data.gaps(data.books, before))
    compare = _Comparison(view, data.accounts, window, None if gaps_before else before, is_complete=not gaps)
    edges = bounds(window, scope.timezone)
    amounts = view.between(SpendQuery(accounts=data.accounts), _METRIC, edges)[:, 0].tolist()
    return SpendFigures(
        window=window,
        total=compare.by(())[0].spend,
        groups=_largest_first(compare.by(scope.group_by)) if scope.group_by else (),
        expected=billed.expected,
        lagging=billed.lagging,
        movers=_movers(compare.by(("owner", "product", "category"))),
        points=points_of(edges[:-1], amounts),
        amounts=tuple(map(Usd, amounts)),
        gaps=gaps,
        gaps_before=gaps_before,
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Two windows of one view."""

    view: SpendView
    accounts: frozenset[str]
    window: HourRange
    before: HourRange | None
    is_complete: bool
    """Whether nothing is missing from the window itself."""

    def by(self, group_by: tuple[str, ...]) -> list[GroupSpend]:
        """Return the cost of each group in both windows."""
        query = SpendQuery(group_by=group_by, accounts=self.accounts)
        now = self.view.sums(query, _METRIC, self.window)
        then = self.view.sums(query, _METRIC, self.before) if self.before is not None else None
        return [
            GroupSpend(group=group, spend=self._compared(now.of(group), then.of(group) if then is not None else None))
            for group in now.groups
        ]

    def _compared(self, amount: Usd, before: Usd | None) -> Compared:
        is_sure = self.is_complete or (before is not None and amount >= before)
        return Compared(amount=amount, before=before if is_sure else None)


def _largest_first(groups: Sequence[GroupSpend]) -> tuple[GroupSpend, ...]:
    spent = (found for found in groups if found.spend.amount or found.spend.before)
    return tuple(sorted(spent, key=lambda found: (-found.spend.amount, -(found.spend.before or 0), found.group)))


def _movers(groups: Sequence[GroupSpend]) -> tuple[Contributor, ...]:
    found = []
    for each in groups:
        before = each.spend.before
        if before is None or abs(each.spend.amount - before) < _LEAST_MOVE:
            continue
        labels = dict(each.group)
        part = Contributor(
            owner=labels["owner"],
            product=labels["product"],
            category=labels["category"],
            amount=each.spend.amount,
            before=before,
        )
        found.append((before - each.spend.amount, each.group, part))
    return tuple(part for _, _, part in sorted(found, key=lambda move: move[:2]))


def undecided_rules(facts: Facts, rules: Iterable[Rule]) -> tuple[Undecided, ...]:
    """Return why enabled rules cannot judge some groups, in the order of the rules."""
    return tuple(
        Undecided(rule=rule.name, text=text) for rule in rules if rule.enabled for text in rule.undecided(facts)
    )
