"""
Metrics in Prometheus' text form: names and labels are fixed, documented on the help page, and bounded.

Owners appear only in the budgets of groups, where the largest are named and the others summed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from alertd import __version__
from alertd.core.alert import Alert, AlertState
from alertd.core.messages.outbox import EntryState
from alertd.core.reports.overview import Overview
from alertd.core.severity import Severity
from alertd.queries.status import Status
from alertd.web import families
from alertd.web.figures import Figures
from alertd.web.overview_metrics import overview_metrics


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
