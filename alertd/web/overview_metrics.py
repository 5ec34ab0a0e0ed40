"""
The metrics of spend, budgets and debt, from the overview that each cycle makes.

Amounts become floats here, because Prometheus has no other numbers: exact to the cent up to 10^13 USD. Nothing may be
calculated from them in alertd. The number of label values is bounded, whatever names the bills bring.
"""

import hashlib
from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric

from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD
from alertd.core.reports.budget_lines import RuleBudgets
from alertd.core.reports.overview import CategorySpend, Overview
from alertd.core.rules.runway import Runway
from alertd.core.spend.bill import BillStatus, TrackedBill
from alertd.web import families

OTHER = "other"
"""The label value for the sum of groups beyond the limit; the name of a group always has a `=`."""
_LONGEST = 80
"""Maximum characters of a name; longer ones are cut and made unique by a digest."""
_DIGEST = 8
_DAY_S = 86_400
_UNSETTLED = (BillStatus.PENDING, BillStatus.OUTED, BillStatus.OVERDUE)


def overview_metrics(overview: Overview) -> Iterator[Metric]:
    """Yield the metrics after a cycle; unknown values have no sample."""
    yield from _of_spend(overview.spend)
    yield from _of_budgets(overview.budgets.rules)
    yield from _of_balances(overview.runways)
    yield from _of_bills(overview.bills)


def _usd(amount: int) -> float:
    return float(amount / UNITS_PER_USD)


def _of_spend(spend: Iterable[CategorySpend]) -> Iterator[Metric]:
    keyed = [((found.account, found.category), found) for found in spend]
    yield families.SPEND_LAST_DAY.holding((key, _usd(found.last_day)) for key, found in keyed)
    yield families.SPEND_MONTH.holding((key, _usd(found.month)) for key, found in keyed)
    yield families.SPEND_COMPLETE.holding((key, found.is_complete) for key, found in keyed)


def _of_budgets(rules: Iterable[RuleBudgets]) -> Iterator[Metric]:
    rules = tuple(rules)
    lines = [((found.rule, group_label(line.group)), line) for found in rules for line in found.lines]
    forecasts = [(key, line.forecast) for key, line in lines if line.forecast is not None]
    ranges = [(key, forecast.range) for key, forecast in forecasts if forecast.range is not None]
    yield families.BUDGET.holding((key, _usd(line.budget)) for key, line in lines)
    yield families.BUDGET_SPENT.holding((key, _usd(line.spent)) for key, line in lines)
    yield families.BUDGET_FORECAST.holding((key, _usd(forecast.total)) for key, forecast in forecasts)
    yield families.BUDGET_FORECAST_LOW.holding((key, _usd(low)) for key, (low, _) in ranges)
    yield families.BUDGET_FORECAST_HIGH.holding((key, _usd(high)) for key, (_, high) in ranges)
    yield families.BUDGET_RATE.holding(
        ((*key, window), float(times)) for key, line in lines for window, times in line.rates
    )
    yield families.BUDGET_ELAPSED.holding(((found.rule,), float(found.elapsed)) for found in rules)
    yield families.BUDGET_COMPLETE.holding(((found.rule,), found.is_complete) for found in rules)


def _of_balances(runways: Iterable[tuple[str, Runway]]) -> Iterator[Metric]:
    runways = tuple(runways)
    # Several rules may watch one account; they all see the same balance.
    balances = {runway.balance.account: runway.balance for _, runway in runways}
    keyed = [((runway.balance.account, rule), runway) for rule, runway in runways]
    yield families.BALANCE.holding(((account,), _usd(balance.available)) for account, balance in balances.items())
    yield families.BALANCE_READ.holding(
        ((account,), balance.read_at.timestamp()) for account, balance in balances.items()
    )
    yield families.RUNWAY.holding(
        (key, float(days * _DAY_S)) for key, runway in keyed if (days := runway.days) is not None
    )
    yield families.RUNWAY_COMPLETE.holding((key, runway.is_complete) for key, runway in keyed)


def _of_bills(bills: Iterable[TrackedBill]) -> Iterator[Metric]:
    """Yield debt and count by account and status; an account with any bill has a sample for every status."""
    known = [tracked.bill for tracked in bills]
    statuses = (*(status.value for status in _UNSETTLED), OTHER)
    owed = {(bill.account, status): 0 for bill in known for status in statuses}
    count = dict(owed)
    for bill in known:
        if not bill.is_settled:
            key = (bill.account, bill.status if bill.status in statuses else OTHER)
            owed[key] += bill.owed
            count[key] += 1
    yield families.BILLS_OWED.holding((key, _usd(amount)) for key, amount in sorted(owed.items()))
    yield families.BILLS.holding(sorted(count.items()))


def group_label(group: Labels | None) -> str:
    """Return a group as one label value, `owner=gpu-1,team=research`: bounded in length, and unique."""
    if group is None:
        return OTHER
    return ",".join(f"{name}={_cut(value)}" for name, value in group)


def _cut(value: str) -> str:
    """Return a name without commas, which separate names; a changed name ends in a digest of the original."""
    plain = value.replace(",", ";")
    if plain == value and len(value) <= _LONGEST:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()[:_DIGEST]
    return f"{plain[: _LONGEST - _DIGEST - 1]}~{digest}"
