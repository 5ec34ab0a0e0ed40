"""
Metrics in Prometheus' text form: names and labels are fixed, documented on the help page, and bounded.

Owners appear only in the budgets of groups, where the largest are named and the others summed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from alertd import __version__
from alertd.core.alert import Alert, AlertState
from alertd.core.labels import Labels
from alertd.core.messages.outbox import EntryState
from alertd.core.money import UNITS_PER_USD
from alertd.core.reports.budget_lines import RuleBudgets
from alertd.core.reports.overview import CategorySpend, Overview
from alertd.core.rules.runway import Runway
from alertd.core.severity import Severity
from alertd.core.spend.bill import BillStatus, TrackedBill
from alertd.queries.status import Status
from alertd.web import families
from alertd.web.figures import Figures


class MetricsPage:
    """Renders the metrics for Prometheus, for the life of the server."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        self._shown: tuple[Overview | None, bytes] = (None, b"")

    def text(self, status: Status, *, store_bytes: int) -> bytes:
        """
        Return every metric.

        Args:
            store_bytes: Size of the store; 0 if unknown.
        """
        present = _text(
            [*_of_status(status, store_bytes), *_of_alerts(status.open_alerts), *_of_figures(self._figures)]
        )
        return present + self._overview() + generate_latest(self._process)

    def _overview(self) -> bytes:
        """Return the samples of the last overview, rendered once per overview because Prometheus scrapes more often."""
        overview = self._figures.overview
        if overview is not None and overview is not self._shown[0]:
            self._shown = (overview, _text(overview_metrics(overview)))
        return self._shown[1]


def _text(metrics: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    # A metric without samples would be two useless lines.
    registry.register(_Collector([metric for metric in metrics if metric.samples]))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None


def _of_status(status: Status, store_bytes: int) -> Iterator[Metric]:
    last, good = status.last_cycle, status.last_good
    yield families.BUILD_INFO.holding([((__version__,), 1)])
    yield families.HEALTHY.one(status.is_healthy)
    yield families.LAST_CYCLE.one(last.finished_at.timestamp() if last is not None else None)
    yield families.LAST_GOOD_CYCLE.one(good.finished_at.timestamp() if good is not None else None)
    yield families.STORE_BYTES.one(store_bytes or None)
    keyed = [((edge.account, edge.view.value, edge.category), edge) for edge in status.edges]
    yield families.DATA_EDGE.holding(
        (k, e.billed_through.timestamp()) for k, e in keyed if e.billed_through is not None
    )
    yield families.READ.holding((k, e.read_at.timestamp()) for k, e in keyed if e.read_at is not None)
    yield families.READ_FAILING.holding((key, bool(edge.error)) for key, edge in keyed)
    yield families.OUTBOX_ENTRIES.holding(
        ((receiver.name, _word(state)), receiver.counts.get(state, 0))
        for receiver in status.receivers
        for state in EntryState
    )
    yield families.OUTBOX_DUE.holding(
        ((receiver.name,), receiver.due_since.timestamp())
        for receiver in status.receivers
        if receiver.due_since is not None
    )
    yield from _of_rules(status)


def _word(state: EntryState) -> str:
    return state.value.replace(" ", "_")


def _of_rules(status: Status) -> Iterator[Metric]:
    file = status.rules_file
    if file is not None:
        yield families.RULES.one(file.rules)
        yield families.RULES_VALID.one(not file.faults)
        yield families.RULES_LOADED.one(_seconds(file.loaded_at))
        yield families.RELOAD_FAILURES.one(file.failures)


def _of_alerts(alerts: Iterable[Alert]) -> Iterator[Metric]:
    alerts = tuple(alerts)
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    counts = Counter((alert.rule, alert.severity.label, alert.state.value) for alert in alerts)
    acknowledged = Counter(alert.severity for alert in firing if alert.acknowledged_by is not None)
    silenced = Counter(alert.severity for alert in firing if alert.muted is not None and alert.muted.is_silence)
    yield families.ALERTS.holding(sorted(counts.items()))
    yield families.ALERTS_ACKNOWLEDGED.holding(((one.label,), acknowledged[one]) for one in Severity)
    yield families.ALERTS_SILENCED.holding(((one.label,), silenced[one]) for one in Severity)


def _of_figures(figures: Figures) -> Iterator[Metric]:
    yield families.CYCLES.holding(((result,), figures.cycles[result]) for result in ("ok", "failed"))
    yield families.ROWS_READ.one(figures.rows)
    yield families.ROWS_ROUNDED.one(figures.rows_rounded)
    yield families.LEDGER_CHANGES.one(figures.hours_changed)
    yield families.RULE_ERRORS.holding(((rule,), count) for rule, count in sorted(figures.rule_errors.items()))
    yield families.TASK_FAILURES.holding(((task,), count) for task, count in sorted(figures.task_failures.items()))
    yield families.ACTIONS.holding(((state,), count) for state, count in sorted(figures.actions.items()))
    yield families.ATTEMPTS.holding(sorted(figures.notifications.items()))
    yield families.CYCLE_DURATION.holding(((part,), seconds) for part, seconds in figures.durations_s.items())


OTHER = "other"
"""The label value for the sum of groups beyond the limit; the name of a group always has a `=`."""
_LONGEST = 80
"""Maximum characters of a name; longer ones are cut and made unique by a digest."""
_DIGEST = 8
_DAY_S = 86_400
_UNSETTLED = (BillStatus.PENDING, BillStatus.OUTED, BillStatus.OVERDUE)


def overview_metrics(overview: Overview) -> Iterator[Metric]:
    """
    Yield the metrics after a cycle; unknown values have no sample.

    Amounts become floats here, because Prometheus has no other numbers: exact to the cent up to 10^13 USD. Nothing may
    be calculated from them in alertd. The number of label values is bounded, whatever names the bills bring.
    """
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
