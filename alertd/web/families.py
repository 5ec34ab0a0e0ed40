"""
Every metric with name, labels and meaning: the basis of dashboards, alerts and the help page.

Names include the unit; amounts are in USD. `metrics` and `overview_metrics` supply the samples.
"""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from alertd.core.dataclass import dataclass

Sample = tuple[tuple[str, ...], float]
"""Label values in order, and the sample's value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric; unknown values have no sample."""

    name: str
    """The name as scraped; names ending in `_total` count since alertd started."""
    meaning: str
    labels: tuple[str, ...] = ()

    def holding(self, samples: Iterable[Sample]) -> Metric:
        """Return the metric with these samples."""
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.meaning, labels=self.labels)
        for values, value in samples:
            family.add_metric(values, value)
        return family

    def one(self, value: float | None) -> Metric:
        """Return a metric without labels with its one sample; without any if the value is unknown."""
        return self.holding([((), value)] if value is not None else [])


_CATEGORY = ("account", "category")
_READ = ("account", "view", "category")
_BUDGET = ("rule", "group")

HEALTHY = Family(name="alertd_healthy", meaning="1 while `alertd status` finds nothing wrong, else 0.")
BUILD_INFO = Family(name="alertd_build_info", labels=("version",), meaning="The running version; always 1.")

SPEND_LAST_DAY = Family(
    name="alertd_spend_last_day_usd",
    labels=_CATEGORY,
    meaning="Billed in the 24 hours up to the last billed hour of all categories.",
)
SPEND_MONTH = Family(
    name="alertd_spend_month_usd",
    labels=_CATEGORY,
    meaning="Billed so far in the calendar month (UTC) of the last billed hour.",
)
SPEND_COMPLETE = Family(
    name="alertd_spend_complete", labels=_CATEGORY, meaning="0 while bills of that day or month are missing, else 1."
)

BUDGET = Family(name="alertd_budget_usd", labels=_BUDGET, meaning="The budget of a group for the present period.")
BUDGET_SPENT = Family(
    name="alertd_budget_spent_usd", labels=_BUDGET, meaning="How much of the budget is spent in the present period."
)
BUDGET_FORECAST = Family(
    name="alertd_budget_forecast_usd", labels=_BUDGET, meaning="The spend that is forecast for the end of the period."
)
BUDGET_FORECAST_LOW = Family(
    name="alertd_budget_forecast_low_usd",
    labels=_BUDGET,
    meaning="The lower end of the forecast's 80 % range, which comes from past errors.",
)
BUDGET_FORECAST_HIGH = Family(
    name="alertd_budget_forecast_high_usd", labels=_BUDGET, meaning="The upper end of that range."
)
BUDGET_RATE = Family(
    name="alertd_budget_even_rate_ratio",
    labels=(*_BUDGET, "window"),
    meaning="Spend in each window of `burn`, as a multiple of what an even spread of the budget allows.",
)
BUDGET_ELAPSED = Family(
    name="alertd_budget_elapsed_ratio", labels=("rule",), meaning="The share of the period that is over, 0 to 1."
)
BUDGET_COMPLETE = Family(
    name="alertd_budget_complete", labels=("rule",), meaning="0 while bills of the period are missing, else 1."
)

BALANCE = Family(name="alertd_balance_usd", labels=("account",), meaning="The available balance, as last read.")
BALANCE_READ = Family(
    name="alertd_balance_read_timestamp_seconds", labels=("account",), meaning="When the balance was read."
)
RUNWAY = Family(
    name="alertd_balance_runway_seconds",
    labels=("account", "rule"),
    meaning="How long the balance lasts at the rule's pace; absent where nothing is spent.",
)
RUNWAY_COMPLETE = Family(
    name="alertd_balance_runway_complete",
    labels=("account", "rule"),
    meaning="0 while bills are missing from the pace of the runway, else 1.",
)
BILLS_OWED = Family(
    name="alertd_monthly_bills_owed_usd",
    labels=("account", "status"),
    meaning="Debt of the monthly bills neither paid nor voided; a status that alertd does not know is `other`.",
)
BILLS = Family(
    name="alertd_monthly_bills",
    labels=("account", "status"),
    meaning="Number of the monthly bills neither paid nor voided.",
)

ALERTS = Family(
    name="alertd_alerts", labels=("rule", "severity", "state"), meaning="Alerts that are pending or firing."
)
ALERTS_ACKNOWLEDGED = Family(
    name="alertd_alerts_acknowledged", labels=("severity",), meaning="Firing alerts that somebody acknowledged."
)
ALERTS_SILENCED = Family(
    name="alertd_alerts_silenced", labels=("severity",), meaning="Firing alerts that a silence withholds."
)
RULE_ERRORS = Family(name="alertd_rule_errors_total", labels=("rule",), meaning="Evaluations that failed.")
TASK_FAILURES = Family(
    name="alertd_task_failures_total",
    labels=("task",),
    meaning="Unexpected failures of the daemon's tasks; each is logged with its trace, and the task is started again.",
)

CYCLES = Family(name="alertd_cycles_total", labels=("result",), meaning="Polls by result: `ok` or `failed`.")
LAST_CYCLE = Family(name="alertd_cycle_last_timestamp_seconds", meaning="When the last poll finished.")
LAST_GOOD_CYCLE = Family(
    name="alertd_cycle_last_success_timestamp_seconds",
    meaning="When the last poll that read and evaluated everything finished.",
)
CYCLE_DURATION = Family(
    name="alertd_cycle_duration_seconds",
    labels=("part",),
    meaning="How long the last poll took to `read`, `evaluate` and `decide`, and then to renew the "
    "`overview` behind page and metrics.",
)
DATA_EDGE = Family(
    name="alertd_data_edge_timestamp_seconds",
    labels=_READ,
    meaning="The time through which bills are known; `view` is `usage` or `api_key`.",
)
READ = Family(name="alertd_read_timestamp_seconds", labels=_READ, meaning="When the category was last read.")
READ_FAILING = Family(name="alertd_read_failing", labels=_READ, meaning="1 while reads of the category fail, else 0.")
ROWS_READ = Family(name="alertd_rows_read_total", meaning="Rows of bills that were read.")
ROWS_ROUNDED = Family(name="alertd_rows_rounded_total", meaning="Rows with digits finer than 1e-10 USD.")
LEDGER_CHANGES = Family(
    name="alertd_ledger_changes_total", meaning="Times that the bills of an hour and category changed."
)
STORE_BYTES = Family(name="alertd_store_bytes", meaning="Size of the database file; absent with PostgreSQL.")

ATTEMPTS = Family(
    name="alertd_notification_attempts_total",
    labels=("receiver", "result"),
    meaning="Attempts to send, by the state in which they left the notification; `pending` is tried again.",
)
ACTIONS = Family(
    name="alertd_actions_total", labels=("state",), meaning="Requests for actions, by each state that they reached."
)
OUTBOX_ENTRIES = Family(
    name="alertd_outbox_entries", labels=("receiver", "state"), meaning="Notifications kept, by state."
)
OUTBOX_DUE = Family(
    name="alertd_outbox_due_timestamp_seconds",
    labels=("receiver",),
    meaning="When the oldest undelivered notification fell due; absent when there is none.",
)

RULES = Family(name="alertd_rules", meaning="Rules in force.")
RULES_VALID = Family(name="alertd_rules_file_valid", meaning="0 while the last edit cannot be used, else 1.")
RULES_LOADED = Family(name="alertd_rules_loaded_timestamp_seconds", meaning="When the rules in force were read.")
RELOAD_FAILURES = Family(
    name="alertd_rules_reload_failures_total", meaning="Edits of the rules file that could not be used."
)


def families() -> tuple[Family, ...]:
    """Return every metric in documented order."""
    return tuple(value for value in globals().values() if isinstance(value, Family))
