"""Every metric with a value of its own: none can stand in the place of another, and each has its documented unit."""

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from hashlib import sha256

import pytest
from prometheus_client.parser import text_string_to_metric_families

from alertd import __version__
from alertd.core.actions import ActionState
from alertd.core.alert import AlertState
from alertd.core.messages.outbox import EntryState
from alertd.core.muted import Muted, MuteKind
from alertd.core.reports.budget_lines import BudgetLine, RankedBudgets, RuleBudgets
from alertd.core.reports.overview import CategorySpend, Overview
from alertd.core.rules.records import ReloadOutcome
from alertd.core.rules.runway import Runway
from alertd.core.rules.standing import Forecast
from alertd.core.spend.bill import Balance
from alertd.core.spend.lists import View
from alertd.queries.cycle_report import CycleReport
from alertd.queries.health import Edge, ReceiverHealth
from alertd.queries.status import Status
from alertd.store.cycles import CycleRecord
from alertd.web.families import families
from alertd.web.figures import Figures
from alertd.web.metrics import MetricsPage, group_label
from tests.core.builders import HOUR, NOW, RUNNING, firing, monthly_bill, tracked, usd
from tests.web.pages import Samples

MINUTE = timedelta(minutes=1)
SILENCED = Muted(kind=MuteKind.SILENCE, id="s-1", by="ann")
INHIBITED = Muted(kind=MuteKind.INHIBITION, id="f", by="other")


def at(minutes: int) -> float:
    """So many minutes before now, in Unix seconds."""
    return (NOW - minutes * MINUTE).timestamp()


def a_cycle(minutes: int, *, is_ok: bool) -> CycleRecord:
    finished_at = NOW - minutes * MINUTE
    return CycleRecord(started_at=finished_at - 30 * MINUTE, finished_at=finished_at, is_ok=is_ok)


def an_edge(account: str, category: str, view: View, through: int | None, read: int | None, error: str) -> Edge:
    return Edge(
        account=account,
        category=category,
        view=view,
        title=category,
        billed_through=NOW - through * MINUTE if through is not None else None,
        streams=(),
        read_at=NOW - read * MINUTE if read is not None else None,
        error=error,
    )


def a_status() -> Status:
    """What is stored, everything of it another number."""
    warning, critical = firing(owner="gpu-1"), firing("200", owner="gpu-2")
    return Status(
        version="9.9.9",
        problems=("one",),
        last_cycle=a_cycle(1, is_ok=False),
        last_good=a_cycle(2, is_ok=True),
        firing=90,
        pending=91,
        open_alerts=(
            replace(warning, muted=SILENCED),
            replace(warning, muted=INHIBITED, acknowledged_by="ann"),
            replace(warning, acknowledged_by="ann"),
            critical,
            replace(critical, rule="other", state=AlertState.PENDING, acknowledged_by="ann", muted=SILENCED),
        ),
        edges=(
            an_edge("prod", "gpu", View.USAGE, 3, 4, ""),
            an_edge("prod", "llm", View.API_KEY, 5, 6, "HTTP 500"),
            an_edge("dev", "gpu", View.USAGE, None, None, "HTTP 403"),
        ),
        receivers=(
            ReceiverHealth(
                name="finops",
                counts={state: 10 + number for number, state in enumerate(EntryState)},
                last_error="",
                due_since=NOW - 7 * MINUTE,
            ),
            ReceiverHealth(name="mail", counts={EntryState.DELIVERED: 30}, last_error="", due_since=None),
        ),
        resources=(),
        rules_file=ReloadOutcome(
            faults=("no",), broken_since=NOW - 8 * MINUTE, loaded_at=NOW - 9 * MINUTE, rules=31, failures=32
        ),
        now=NOW,
    )


def a_runway(account: str, available: str, spent: str, read: int, *, is_complete: bool) -> Runway:
    balance = Balance(
        account=account,
        available=usd(available),
        cash=usd("1000"),
        credit_limit=usd("2000"),
        outstanding=usd("3000"),
        read_at=NOW - read * MINUTE,
    )
    return Runway(
        balance=balance,
        window=24 * HOUR,
        edge=RUNNING,
        spent=usd(spent),
        expected=usd("4000"),
        is_complete=is_complete,
    )


def an_overview() -> Overview:
    """What is known after a cycle, everything of it another number."""
    spend = (
        CategorySpend(
            account="prod", category="gpu", edge=RUNNING, last_day=usd("41.5"), month=usd("42.5"), is_complete=True
        ),
        CategorySpend(
            account="dev", category="llm", edge=RUNNING, last_day=usd("43"), month=usd("44"), is_complete=False
        ),
    )
    whole = BudgetLine(
        group=(("owner", "gpu-1"), ("team", "x")),
        budget=usd("51"),
        spent=usd("52"),
        forecast=Forecast(total=usd("53"), planned=usd("1"), range=(usd("54"), usd("55"))),
        rates=(("1h", Fraction(7, 2)), ("6h", Fraction(9, 2))),
    )
    rest = BudgetLine(group=None, budget=usd("56"), spent=usd("57"), forecast=Forecast(total=usd("58"), range=None))
    unforeseen = BudgetLine(group=(), budget=usd("59"), spent=usd("60"), forecast=None)
    bills = (
        monthly_bill(account="prod", status="overdue", debt=usd("70"), repaid=usd("9")),
        monthly_bill(account="prod", status="pending", debt=usd("72"), repaid=usd("0"), bill_id="b-2"),
        monthly_bill(account="prod", status="paid", debt=usd("74"), repaid=usd("0"), bill_id="b-3"),
        monthly_bill(account="dev", status="disputed", debt=usd("76"), repaid=usd("0"), bill_id="b-4"),
    )
    return Overview(
        now=NOW,
        spend=spend,
        last_day=None,
        month=None,
        budgets=RankedBudgets(
            rules=(
                RuleBudgets(rule="month", lines=(whole, rest), elapsed=Fraction(1, 4), is_complete=True),
                RuleBudgets(rule="week", lines=(unforeseen,), elapsed=Fraction(3, 4), is_complete=False),
            )
        ),
        runways=(
            ("low", a_runway("prod", "61", "12.2", 10, is_complete=True)),
            ("lower", a_runway("prod", "61", "24.4", 10, is_complete=False)),
            ("low", a_runway("dev", "63", "0", 11, is_complete=True)),
        ),
        bills=tuple(tracked((NOW - HOUR, bill)) for bill in bills),
    )


def some_figures() -> Figures:
    """Counters, everything of them another number."""
    figures = Figures()
    figures.note_overview(an_overview(), 0.0625)
    for is_ok in (True, False, False):
        report = CycleReport(
            started_at=NOW,
            rows=100,
            hours_changed=10,
            hours_doubted=1000,
            rows_rounded=1,
            errors=[] if is_ok else ["HTTP 500"],
            rule_errors=[] if is_ok else ["month", "week"],
            read_s=0.5,
            evaluate_s=0.25,
            decide_s=0.125,
        )
        figures.note_cycle(report)
    figures.note_failure()
    figures.rule_errors["week"] += 4
    for task, count in (("slack", 5), ("watcher", 6)):
        for _ in range(count):
            figures.note_task_failure(task)
    figures.note_action(ActionState.DONE)
    figures.note_action(ActionState.FAILED)
    figures.note_action(ActionState.FAILED)
    figures.note_attempt("finops", EntryState.GAVE_UP)
    figures.note_attempt("finops", EntryState.DELIVERED)
    figures.note_attempt("finops", EntryState.DELIVERED)
    figures.note_attempt("mail", EntryState.PENDING)
    return figures


EVERY_SAMPLE: dict[str, Samples] = {
    "alertd_healthy": {(): 0},
    "alertd_build_info": {(__version__,): 1},
    "alertd_spend_last_day_usd": {("prod", "gpu"): 41.5, ("dev", "llm"): 43},
    "alertd_spend_month_usd": {("prod", "gpu"): 42.5, ("dev", "llm"): 44},
    "alertd_spend_complete": {("prod", "gpu"): 1, ("dev", "llm"): 0},
    "alertd_budget_usd": {("month", "owner=gpu-1,team=x"): 51, ("month", "other"): 56, ("week", ""): 59},
    "alertd_budget_spent_usd": {("month", "owner=gpu-1,team=x"): 52, ("month", "other"): 57, ("week", ""): 60},
    "alertd_budget_forecast_usd": {("month", "owner=gpu-1,team=x"): 53, ("month", "other"): 58},
    "alertd_budget_forecast_low_usd": {("month", "owner=gpu-1,team=x"): 54},
    "alertd_budget_forecast_high_usd": {("month", "owner=gpu-1,team=x"): 55},
    "alertd_budget_even_rate_ratio": {
        ("month", "owner=gpu-1,team=x", "1h"): 3.5,
        ("month", "owner=gpu-1,team=x", "6h"): 4.5,
    },
    "alertd_budget_elapsed_ratio": {("month",): 0.25, ("week",): 0.75},
    "alertd_budget_complete": {("month",): 1, ("week",): 0},
    "alertd_balance_usd": {("prod",): 61, ("dev",): 63},
    "alertd_balance_read_timestamp_seconds": {("prod",): at(10), ("dev",): at(11)},
    "alertd_balance_runway_seconds": {("prod", "low"): 5 * 86_400, ("prod", "lower"): 2.5 * 86_400},
    "alertd_balance_runway_complete": {("prod", "low"): 1, ("prod", "lower"): 0, ("dev", "low"): 1},
    "alertd_monthly_bills_owed_usd": {
        ("dev", "other"): 76,
        ("dev", "outed"): 0,
        ("dev", "overdue"): 0,
        ("dev", "pending"): 0,
        ("prod", "other"): 0,
        ("prod", "outed"): 0,
        ("prod", "overdue"): 61,
        ("prod", "pending"): 72,
    },
    "alertd_monthly_bills": {
        ("dev", "other"): 1,
        ("dev", "outed"): 0,
        ("dev", "overdue"): 0,
        ("dev", "pending"): 0,
        ("prod", "other"): 0,
        ("prod", "outed"): 0,
        ("prod", "overdue"): 1,
        ("prod", "pending"): 1,
    },
    "alertd_alerts": {
        ("gpu-24h", "warning", "firing"): 3,
        ("gpu-24h", "critical", "firing"): 1,
        ("other", "critical", "pending"): 1,
    },
    "alertd_alerts_acknowledged": {("info",): 0, ("warning",): 2, ("critical",): 0},
    "alertd_alerts_silenced": {("info",): 0, ("warning",): 1, ("critical",): 0},
    "alertd_rule_errors_total": {("month",): 2, ("week",): 6},
    "alertd_task_failures_total": {("slack",): 5, ("watcher",): 6},
    "alertd_cycles_total": {("ok",): 1, ("failed",): 3},
    "alertd_cycle_last_timestamp_seconds": {(): at(1)},
    "alertd_cycle_last_success_timestamp_seconds": {(): at(2)},
    "alertd_cycle_duration_seconds": {("read",): 0.5, ("evaluate",): 0.25, ("decide",): 0.125, ("overview",): 0.0625},
    "alertd_data_edge_timestamp_seconds": {("prod", "usage", "gpu"): at(3), ("prod", "api_key", "llm"): at(5)},
    "alertd_read_timestamp_seconds": {("prod", "usage", "gpu"): at(4), ("prod", "api_key", "llm"): at(6)},
    "alertd_read_failing": {
        ("prod", "usage", "gpu"): 0,
        ("prod", "api_key", "llm"): 1,
        ("dev", "usage", "gpu"): 1,
    },
    "alertd_rows_read_total": {(): 300},
    "alertd_rows_rounded_total": {(): 3},
    "alertd_ledger_changes_total": {(): 30},
    "alertd_store_bytes": {(): 4096},
    "alertd_notification_attempts_total": {
        ("finops", "gave_up"): 1,
        ("finops", "delivered"): 2,
        ("mail", "pending"): 1,
    },
    "alertd_actions_total": {("done",): 1, ("failed",): 2},
    "alertd_outbox_entries": {
        **{("finops", state.value.replace(" ", "_")): 10 + number for number, state in enumerate(EntryState)},
        **{("mail", state.value.replace(" ", "_")): 0 for state in EntryState},
        ("mail", "delivered"): 30,
    },
    "alertd_outbox_due_timestamp_seconds": {("finops",): at(7)},
    "alertd_rules": {(): 31},
    "alertd_rules_file_valid": {(): 0},
    "alertd_rules_loaded_timestamp_seconds": {(): at(9)},
    "alertd_rules_reload_failures_total": {(): 32},
}


def every_sample(text: str) -> dict[str, Samples]:
    """Each sample by its metric and the values of its labels, in their documented order."""
    order = {family.name: family.labels for family in families()}
    found: dict[str, Samples] = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.name in order:
                found.setdefault(one.name, {})[tuple(one.labels[label] for label in order[one.name])] = one.value
    return found


def test_page_when_every_source_has_a_number_of_its_own_then_each_metric_shows_that_one() -> None:
    """Dashboards and alerts are built on each of them; the table has every metric that is documented."""
    found = every_sample(MetricsPage(some_figures()).text(a_status(), store_bytes=4096).decode())
    assert found == EVERY_SAMPLE
    assert set(found) == {family.name for family in families()}


def test_cycle_when_it_did_not_finish_and_the_next_one_does_then_it_is_not_failing_any_more() -> None:
    """`/readyz` goes by the last poll, not by any."""
    figures = Figures()
    figures.note_failure()
    assert figures.is_failing
    figures.note_cycle(CycleReport(started_at=NOW, errors=["HTTP 500"]))
    assert not figures.is_failing


@pytest.mark.parametrize(
    ("value", "label"),
    [
        pytest.param("x" * 80, "x" * 80, id="as long as one may be"),
        pytest.param("x" * 81, f"{'x' * 71}~{sha256(b'x' * 81).hexdigest()[:8]}", id="one longer"),
        pytest.param("a,b", f"a;b~{sha256(b'a,b').hexdigest()[:8]}", id="with what parts names"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_group_when_its_name_is_long_then_cut_to_eighty_characters_and_still_its_own(value: str, label: str) -> None:
    """Two that begin alike are two series."""
    assert group_label((("owner", value), ("team", "x"))) == f"owner={label},team=x"
    assert len(label) <= 80
