"""
Metrics in Prometheus' text form: names and labels are fixed, documented in the README, and bounded.

No label holds an owner or a fingerprint: their number grows with the bills.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alertd import __version__
from alertd.core.alert import Alert, AlertState
from alertd.core.outbox import EntryState
from alertd.status import Status
from alertd.web.figures import Figures


def metrics_text(status: Status, alerts: Iterable[Alert], figures: Figures, *, store_bytes: int) -> bytes:
    """
    Return every metric.

    Args:
        alerts: The open ones.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector([*_of_status(status, store_bytes), *_of_alerts(alerts), *_of_figures(figures)]))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gauge(name: str, text: str, value: float | None, labels: dict[str, str] | None = None) -> Iterator[Metric]:
    if value is not None:
        family = GaugeMetricFamily(name, text, labels=tuple(labels or ()))
        family.add_metric(list((labels or {}).values()), value)
        yield family


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None


def _of_status(status: Status, store_bytes: int) -> Iterator[Metric]:
    yield from _gauge("alertd_build_info", "The running version.", 1, {"version": __version__})
    yield from _gauge("alertd_healthy", "1 where `alertd status` finds nothing wrong.", int(status.is_healthy))
    last = status.last_cycle.finished_at if status.last_cycle is not None else None
    good = status.last_good.finished_at if status.last_good is not None else None
    yield from _gauge("alertd_cycle_last_timestamp_seconds", "When the last cycle finished.", _seconds(last))
    yield from _gauge("alertd_cycle_last_success_timestamp_seconds", "When the last good one did.", _seconds(good))
    yield from _gauge("alertd_store_bytes", "Size of the database file.", store_bytes)
    edge = GaugeMetricFamily(
        "alertd_data_edge_timestamp_seconds", "Through when is billed.", labels=("account", "view", "category")
    )
    read = GaugeMetricFamily(
        "alertd_read_timestamp_seconds", "The last good read.", labels=("account", "view", "category")
    )
    failing = GaugeMetricFamily(
        "alertd_read_failing", "1 while reads of the category fail.", labels=("account", "view", "category")
    )
    for one in status.edges:
        labels = [one.account, one.view.value, one.category]
        if one.billed_through is not None:
            edge.add_metric(labels, one.billed_through.timestamp())
        if one.read_at is not None:
            read.add_metric(labels, one.read_at.timestamp())
        failing.add_metric(labels, int(bool(one.error)))
    entries = GaugeMetricFamily("alertd_outbox_entries", "Notifications kept, by state.", labels=("receiver", "state"))
    for receiver in status.receivers:
        for state in EntryState:
            entries.add_metric([receiver.name, state.value.replace(" ", "_")], receiver.counts.get(state, 0))
    yield from (edge, read, failing, entries)
    yield from _of_rules(status)


def _of_rules(status: Status) -> Iterator[Metric]:
    file = status.rules_file
    if file is None:
        return
    yield from _gauge("alertd_rules", "Rules in force.", file.rules)
    yield from _gauge("alertd_rules_file_valid", "0 while the last edit cannot be used.", int(not file.faults))
    yield from _gauge("alertd_rules_loaded_timestamp_seconds", "When they were read.", _seconds(file.loaded_at))
    failures = CounterMetricFamily("alertd_rules_reload_failures", "Edits that could not be used.")
    failures.add_metric([], file.failures)
    yield failures


def _of_alerts(alerts: Iterable[Alert]) -> Iterator[Metric]:
    counts = Counter(
        (alert.rule, alert.severity.label, alert.state.value)
        for alert in alerts
        if alert.state is not AlertState.RESOLVED
    )
    family = GaugeMetricFamily("alertd_alerts", "Open alerts.", labels=("rule", "severity", "state"))
    for labels, count in sorted(counts.items()):
        family.add_metric(list(labels), count)
    yield family


def _of_figures(figures: Figures) -> Iterator[Metric]:
    cycles = CounterMetricFamily("alertd_cycles", "Polls since the start, by result.", labels=("result",))
    for result in ("ok", "failed"):
        cycles.add_metric([result], figures.cycles[result])
    yield cycles
    for name, text, value in (
        ("alertd_rows_read", "Rows read since the start.", figures.rows),
        ("alertd_rows_rounded", "Rows with digits finer than 1e-10 USD.", figures.rows_rounded),
        ("alertd_ledger_changes", "Times that the bills of an hour and category changed.", figures.hours_changed),
    ):
        family = CounterMetricFamily(name, text)
        family.add_metric([], value)
        yield family
    errors = CounterMetricFamily("alertd_rule_errors", "Evaluations that failed.", labels=("rule",))
    for rule, count in sorted(figures.rule_errors.items()):
        errors.add_metric([rule], count)
    sent = CounterMetricFamily(
        "alertd_notification_attempts", "What became of attempts to send.", labels=("receiver", "result")
    )
    for (receiver, result), count in sorted(figures.notifications.items()):
        sent.add_metric([receiver, result], count)
    yield from (errors, sent)
    duration = GaugeMetricFamily("alertd_cycle_duration_seconds", "Of the last cycle's parts.", labels=("part",))
    for part, seconds in (("read", figures.read_s), ("evaluate", figures.evaluate_s), ("decide", figures.decide_s)):
        duration.add_metric([part], seconds)
    yield duration
