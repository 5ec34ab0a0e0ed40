"""Metrics of the real daemon: what was spent, budgeted and owed; and a real Prometheus that draws the dashboard."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.test_web import TOKEN, ask, value
from tests.e2e.world import BillingWorld, Fault, Hook, Reply, Row, monthly_bill
from tests.ports import free_port
from tests.test_dashboard import EXPRESSIONS

RULES = """
version: 1
receivers:
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [bridge]}}
rules:
  - {{name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {{warning: 5}}}}
  - name: month
    type: budget
    period: month
    amount: 100
    group_by: [owner]
    thresholds: {{warning: 90%}}
    forecast: {{warning: 100%}}
    burn: {{info: {{rate: 1000, windows: [6h, 1h]}}}}
    min_history: 7d
  - {{name: low, type: balance, available_below: {{warning: 10}}}}
  - {{name: overdue, type: monthly_bill, thresholds: {{warning: 0d}}}}
"""
PROMETHEUS = shutil.which("prometheus")


@pytest.fixture
def port(alertd: Alertd) -> int:
    found = free_port()
    alertd.env["ALERTD_HTTP_LISTEN"] = f"127.0.0.1:{found}"
    return found


def furnish(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """An account that spends, has a balance and owes a bill."""
    alertd.rules(RULES.format(hook=hook.url))
    # In the running hour: it is of the present month, whenever this runs.
    for owner, usd, category in (("gpu-1", "9", "gpu"), ("gpu-2", "0.07", "gpu"), ("model", "1.50", "llm")):
        world.add(Row(category=category, start=world.hour(), owner=owner, pay=Decimal(usd)))
    # What a forecast is made from.
    world.add(
        *(Row(category="gpu", start=world.hour(24 * day + 6), owner="gpu-1", pay=Decimal(1)) for day in range(1, 35))
    )
    world.balance = {"data": {"availableBalance": "5000000", "cashBalance": "5000000"}}
    world.monthly = [monthly_bill("2025-11", status="overdue", debt="800000")]


def test_metrics_when_asked_then_report_spend_budgets_balance_and_bills(
    alertd: Alertd, world: BillingWorld, hook: Hook, port: int
) -> None:
    """A wall in the office shows what alertd knows, not only that it runs."""
    furnish(alertd, world, hook)
    with alertd.running():
        wait_for(lambda: alertd.cycles() >= 2, why="two cycles")
        text = wait_for(lambda: found if "_spend_" in (found := ask(port, "/metrics")[1]) else "", why="an overview")
    assert value(text, 'alertd_spend_last_day_usd{account="default",category="gpu"}') == 9.07
    assert value(text, 'alertd_spend_last_day_usd{account="default",category="llm"}') == 1.5
    assert value(text, 'alertd_spend_complete{account="default",category="gpu"}') == 1
    assert value(text, 'alertd_budget_spent_usd{group="owner=gpu-2",rule="month"}') == 0.07
    assert value(text, 'alertd_budget_usd{group="owner=gpu-2",rule="month"}') == 100
    assert 0 <= value(text, 'alertd_budget_elapsed_ratio{rule="month"}') <= 1
    assert value(text, 'alertd_balance_usd{account="default"}') == 500
    assert value(text, 'alertd_balance_runway_seconds{account="default",rule="low"}') > 86_400
    assert value(text, 'alertd_monthly_bills_owed_usd{account="default",status="overdue"}') == 80
    assert value(text, 'alertd_cycle_duration_seconds{part="overview"}') > 0
    assert value(text, "process_resident_memory_bytes") > 10e6


@pytest.mark.slow
def test_metrics_when_a_poll_hangs_then_answered_all_the_same(
    alertd: Alertd, world: BillingWorld, hook: Hook, port: int
) -> None:
    """That a poll takes long is the very thing one wants to see."""
    furnish(alertd, world, hook)
    with alertd.running():
        alertd.wait_cycles(1)
        hold = threading.Event()
        world.broken["gpu"] = Fault(hold=hold)
        seen = world.polls()
        wait_for(lambda: world.polls() > seen, why="a poll that hangs")
        done = alertd.cycles()
        status, text = ask(port, "/metrics")
        assert (status, "alertd_spend_month_usd" in text) == (200, True)
        assert alertd.cycles() == done
        hold.set()


# --- a real Prometheus -----------------------------------------------------------------------------------------------


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[int]:
    """Run a Prometheus that scrapes alertd with its token each half a second, as the README says."""
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    job = {
        "job_name": "alertd",
        "scrape_interval": "500ms",
        "scrape_timeout": "500ms",
        "authorization": {"credentials_file": str(folder / "token")},
        "static_configs": [{"targets": [target]}],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump({"scrape_configs": [job]}), encoding="utf-8")
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        child = subprocess.Popen(
            [
                str(PROMETHEUS),
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            yield port
        finally:
            child.terminate()
            child.wait(15)


def query(port: int, expression: str) -> list[dict[str, Any]]:
    """Ask Prometheus for an instant; nothing while it is not ready."""
    try:
        status, text = ask(port, f"/api/v1/query?{urlencode({'query': expression})}")
    except OSError:
        return []
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return []
    answer = json.loads(text)
    assert answer["status"] == "success", (expression, answer)
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian: prometheus)")
def test_dashboard_in_a_real_prometheus_then_every_panel_has_something_to_show(
    alertd: Alertd, world: BillingWorld, hook: Hook, tmp_path: Path
) -> None:
    """A join on labels that never meet is sound PromQL, and an empty panel."""
    listen = free_port()
    alertd.env |= {"ALERTD_HTTP_LISTEN": f"0.0.0.0:{listen}", "ALERTD_HTTP_TOKEN": TOKEN}
    furnish(alertd, world, hook)
    # Tried again and again: there is always something in the outbox.
    hook.replies.extend([Reply(status=503, is_accepted=False)] * 1_000)
    with alertd.running(), prometheus(tmp_path, f"127.0.0.1:{listen}") as port:
        waiting = {
            expression.replace("$instance", ".*").replace("$account", ".*")
            for _, expression in EXPRESSIONS
            # No rule fails here.
            if "alertd_rule_errors_total" not in expression
        }

        def all_shown() -> bool:
            waiting.difference_update([expression for expression in waiting if query(port, expression)])
            return not waiting

        wait_for(all_shown, why="every expression")
        assert query(port, 'sum(alertd_spend_month_usd{category="llm"})')[0]["value"][1] == "1.5"
