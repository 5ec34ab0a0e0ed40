"""The metrics page, parsed as Prometheus parses it: every name documented, nothing made up."""

import shutil
import subprocess
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from alertd.core.actions import ActionState
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.muted import Muted, MuteKind
from alertd.core.reports.overview import Overview, overview
from alertd.core.rules.records import ReloadOutcome
from alertd.daemon.app import App
from alertd.daemon.poll import renew_overview, run_cycle
from alertd.errors import StoreError
from alertd.queries.cycle_report import CycleReport
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from alertd.store.store import Store
from alertd.web.families import families
from alertd.web.figures import Figures
from tests.core.builders import (
    HOUR,
    NOW,
    Desk,
    desk_with,
    entry,
    firing,
    row,
)
from tests.web.pages import BALANCE, BUDGET, EDGE, of, owing, page, samples, seen, with_balances


def decide(store: Store, *entries: OutboxEntry) -> None:
    # Entries name alerts that must be there.
    alerts = tuple(replace(firing(owner=name), fingerprint=name) for one in entries for name in one.fingerprints)
    store.save_decisions(alerts=alerts, events=(), entries=entries, updates=())


@pytest.mark.parametrize(
    ("parts", "since"),
    [
        pytest.param({"created_at": NOW - 2 * HOUR, "not_before": NOW - 2 * HOUR}, 2, id="due and never tried"),
        pytest.param({"created_at": NOW - 9 * HOUR, "not_before": NOW - HOUR}, 1, id="held in quiet hours, due since"),
        pytest.param({"created_at": NOW - 9 * HOUR, "not_before": NOW + HOUR}, None, id="held in quiet hours"),
        pytest.param(
            {"not_before": NOW + HOUR, "attempts": 3, "first_attempt_at": NOW - 5 * HOUR}, 5, id="tried again later"
        ),
        pytest.param(
            {"state": EntryState.DELIVERED, "not_before": NOW - 5 * HOUR, "finished_at": NOW}, None, id="delivered"
        ),
    ],
)
def test_outbox_when_something_waits_then_its_age_counts_from_when_it_was_due(
    store: Store, parts: dict[str, object], since: int | None
) -> None:
    """Quiet hours are no failure; a receiver that takes nothing is."""
    decide(store, entry(1, **parts))
    found = samples(page(store, Figures()), "alertd_outbox_due_timestamp_seconds")
    assert found == ({("slack",): (NOW - since * HOUR).timestamp()} if since is not None else {})


def test_outbox_when_several_wait_then_the_oldest_of_each_receiver(store: Store) -> None:
    """One that hangs must not be hidden by those after it."""
    decide(
        store,
        entry(1, not_before=NOW - HOUR),
        entry(2, not_before=NOW - 3 * HOUR),
        entry(3, not_before=NOW - 2 * HOUR, receiver="mail"),
        entry(4, not_before=NOW - HOUR),
    )
    assert samples(page(store, Figures()), "alertd_outbox_due_timestamp_seconds") == {
        ("slack",): (NOW - 3 * HOUR).timestamp(),
        ("mail",): (NOW - 2 * HOUR).timestamp(),
    }


def test_alerts_when_acknowledged_or_silenced_then_counted_by_severity_while_they_fire(store: Store) -> None:
    """Whether somebody looks after what fires is half of the picture."""
    alerts = (
        firing(owner="gpu-1"),
        replace(firing("200", owner="gpu-2"), acknowledged_by="ann", acknowledged_at=NOW),
        replace(
            firing("200", owner="gpu-3"),
            acknowledged_by="ann",
            acknowledged_at=NOW,
            muted=Muted(kind=MuteKind.SILENCE, id="s-1"),
        ),
    )
    store.save_decisions(alerts=alerts, events=(), entries=(), updates=())
    text = page(store, Figures())
    assert samples(text, "alertd_alerts") == {
        ("gpu-24h", "critical", "firing"): 2,
        ("gpu-24h", "warning", "firing"): 1,
    }
    assert samples(text, "alertd_alerts_acknowledged") == {("info",): 0, ("warning",): 0, ("critical",): 2}
    assert samples(text, "alertd_alerts_silenced") == {("info",): 0, ("warning",): 0, ("critical",): 1}


def test_page_when_nothing_is_known_yet_then_nothing_is_made_up(store: Store) -> None:
    """A zero that stands for "unknown" looks like good news."""
    text = page(store, Figures(), store_bytes=0)
    names = {family.name for family in text_string_to_metric_families(text) if family.name.startswith("alertd_")}
    assert names == {
        "alertd_alerts_acknowledged",
        "alertd_alerts_silenced",
        "alertd_build_info",
        "alertd_cycles",
        "alertd_healthy",
        "alertd_ledger_changes",
        "alertd_rows_read",
        "alertd_rows_rounded",
    }


# --- the whole page --------------------------------------------------------------------------------------------------


def everything(store: Store) -> str:
    """A page with a sample of every metric."""
    desk = desk_with(*(row(EDGE - 1 - n, "0.50") for n in range(50 * 24)))
    store.save_facts(desk.table, books=[BookChange(book=book) for book in desk.books.values()])
    decide(store, entry(1, not_before=NOW - HOUR))
    store.cycles.add(CycleRecord(started_at=NOW - HOUR, finished_at=NOW, is_ok=True, summary=(("rows", 1),)))
    store.meta.put_rules_file(ReloadOutcome(loaded_at=NOW, rules=2))
    facts = with_balances(desk.facts(bills=(owing("overdue", "80", "2025-10"),)), default="72")
    figures = of(facts, BUDGET, BALANCE)
    figures.note_action(ActionState.DONE)
    report = CycleReport(started_at=NOW, rows=3, rule_errors=["month"])
    figures.note_cycle(report)
    figures.note_attempt("slack", EntryState.DELIVERED)
    figures.note_task_failure("slack")
    return page(store, figures)


def test_page_when_complete_then_every_documented_metric_and_no_other_with_just_its_labels(store: Store) -> None:
    """The help page's table is made from these: what it promises is there, and what is there it says."""
    found = {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(everything(store))
        for sample in family.samples
        if not sample.name.startswith("process_")
    }
    assert found == {family.name: set(family.labels) for family in families()}


def test_page_when_complete_then_reports_of_its_process(store: Store) -> None:
    """Memory and open files that grow are seen before they are missed."""
    text = everything(store)
    assert samples(text, "process_resident_memory_bytes")[()] > 1_000_000
    assert samples(text, "process_open_fds")[()] > 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_page_by_promtool_when_complete_then_nothing_to_complain_of(store: Store) -> None:
    """Promtool knows the conventions that dashboards of others rely on."""
    command = [str(shutil.which("promtool")), "check", "metrics"]
    ran = subprocess.run(command, input=everything(store), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


class FailingCycle:
    """A cycle whose store fails."""

    async def run(self, now: datetime, *, everything: bool) -> CycleReport:
        raise StoreError("disk is full")


async def test_cycle_when_it_does_not_finish_then_it_counts_as_failed(store: Store) -> None:
    """A store that fails at every poll must not look like one that is never polled."""
    figures = Figures()
    figures.note_cycle(CycleReport(started_at=NOW))
    with pytest.raises(StoreError):
        await run_cycle(cast("App", SimpleNamespace(cycle=FailingCycle(), figures=figures)), NOW)
    assert samples(page(store, figures), "alertd_cycles_total") == {("ok",): 1, ("failed",): 1}


class FailingOverview:
    """A cycle of which something cannot be summed up."""

    async def overview(self, now: datetime) -> Overview:
        raise ArithmeticError("the sum of a budget")


async def test_overview_when_it_fails_then_the_last_one_stays_and_the_log_says_why() -> None:
    """What is shown must not cost what is watched: the cycle before it was good."""
    known = overview(Desk().facts(), [])
    figures = seen(known)
    with capture_logs() as logs:
        await renew_overview(cast("App", SimpleNamespace(cycle=FailingOverview(), figures=figures)), NOW)
    assert figures.overview is known
    assert [line["event"] for line in logs] == ["overview failed"]


def test_durations_when_shown_then_by_part(store: Store) -> None:
    """Which part of a poll is slow is what one looks for."""
    figures = seen(overview(Desk().facts(), []))
    figures.note_cycle(CycleReport(started_at=NOW, read_s=3, evaluate_s=0.5, decide_s=0.125))
    assert samples(page(store, figures), "alertd_cycle_duration_seconds") == {
        ("read",): 3,
        ("evaluate",): 0.5,
        ("decide",): 0.125,
        ("overview",): 0.25,
    }
