"""`alertd explain RULE`, now and in the past, and printed reports: a real store, rules in a file, a fixed time."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertd.cli.root import run
from alertd.core.hours import HourRange, hour_of
from alertd.core.rules.own import broken_rules, failed_rules, unread_bills
from alertd.core.spend.bill import ApiKey
from alertd.core.spend.ledger import CategoryBook, SeriesTable, file_rows
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.core.builders import bill_rows, row
from tests.stopped_clock import stop_clock

NOW = datetime(2026, 1, 10, 14, 30, tzinfo=UTC)
HOUR = hour_of(NOW)
HEAD = """version: 1
receivers:
  - {name: terminal, type: console}
  - {name: other, type: console}
"""
DAY = "rules:\n  - {name: day, type: rolling_spend, window: 24h, thresholds: {warning: 50}}\n"
OFF = "rules:\n  - {name: week, type: rolling_spend, window: 7d, thresholds: {warning: 50}, enabled: false}\n"
KEYS = """rules:
  - {name: keys, type: rolling_spend, view: api_key, group_by: [owner], window: 24h, thresholds: {warning: 1},
     enabled: false}
"""
BUDGET = "rules:\n  - {name: month, type: budget, period: month, amount: 100, thresholds: {warning: 80%}}\n"
PLANNED = "planned:\n  - {amount: 1000, from: 2026-01-02, until: 2026-01-12}\n"

Command = Callable[..., str]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run a command with a rules file over a store that was read through now."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite:///./alertd.db")
    table = SeriesTable()
    opened = Store.open("sqlite:///./alertd.db", now=NOW)
    rows = [row(HOUR - 100, "20"), row(HOUR - 60, "136.62"), row(HOUR - 3, "7", owner="key-1")]
    book = CategoryBook(account="default", category="gpu")
    filing = file_rows(book, table, bill_rows(rows), HourRange(HOUR - 1500, HOUR + 1), read_at=NOW)
    opened.save_facts(table, books=[BookChange(book=filing.book, blocks=filing.blocks)])
    opened.key_bills.save_keys([ApiKey(account="default", key_id="key-1", name="ci", mask="")])

    def text(rules: str, *arguments: str) -> str:
        Path("rules.yaml").write_text(HEAD + rules, encoding="utf-8")
        assert run(list(arguments)) == 0
        return capsys.readouterr().out

    stop_clock(monkeypatch, NOW)
    yield text
    opened.close()


def test_explain_when_bills_were_read_and_nothing_was_billed_then_it_is_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That nothing was spent is known; where nothing was read, it is not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite:///./alertd.db")
    stop_clock(monkeypatch, NOW)
    Path("rules.yaml").write_text(HEAD + DAY, encoding="utf-8")
    table = SeriesTable()
    book = CategoryBook(account="default", category="gpu")
    filing = file_rows(book, table, bill_rows([]), HourRange(HOUR - 1500, HOUR + 1), read_at=NOW)
    with closing(Store.open("sqlite:///./alertd.db", now=NOW)) as opened:
        assert run(["explain", "day"]) == 0
        assert "nothing to judge" in capsys.readouterr().out
        opened.save_facts(table, books=[BookChange(book=filing.book, blocks=filing.blocks)])
        assert run(["explain", "day"]) == 0
    assert "    $0.00; warning from $50.00; billed through 2026-01-10 12:00 UTC, complete\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("at", "value", "edge"),
    [
        # The row of $136.62 is of 02:00 to 03:00 on the 8th; without a newer one the edge is two hours behind a read.
        pytest.param("2026-01-08T02:59Z", "$0.00", "2026-01-08 00:00 UTC", id="its hour is not over"),
        pytest.param("2026-01-08T03:00Z", "$136.62", "2026-01-08 03:00 UTC", id="its hour is over"),
        pytest.param("2026-01-08T23:15Z", "$136.62", "2026-01-08 21:00 UTC", id="later that day"),
        pytest.param("2026-01-09T06:00Z", "$0.00", "2026-01-09 04:00 UTC", id="it has left the window"),
    ],
)
def test_explain_when_a_past_time_is_given_then_judges_what_was_billed_then(
    command: Command, at: str, value: str, edge: str
) -> None:
    """The data edge of today, days later, would find nothing in a window that ends there."""
    shown = command(DAY, "explain", "day", "--at", at)
    assert f"    {value}; warning from $50.00; billed through {edge}, complete\n" in shown


def test_explain_when_spend_is_planned_then_the_line_is_raised_as_in_the_daemon(command: Command) -> None:
    """Somebody who wonders why nothing fires must find the reason here."""
    assert "    $7.00; warning from $57.00;" in command(DAY + PLANNED, "explain", "day")
    past = command(DAY + PLANNED, "explain", "day", "--at", "2026-01-08T03:00Z")
    assert "    $136.62; warning from $186.62;" in past
    assert "reaches no threshold\n" in past


def test_explain_when_the_rule_is_disabled_then_judged_as_if_it_were_not(command: Command) -> None:
    """Its whole window is looked at, and by API key too."""
    assert "    $163.62; warning from $50.00" in command(OFF, "explain", "week")
    assert "    $156.62; warning from $50.00" in command(OFF, "explain", "week", "--at", "2026-01-09T06:00Z")
    assert "nothing to judge" in command(KEYS, "explain", "keys")


def test_explain_when_the_rule_looks_at_reads_then_the_past_is_not_judged(command: Command) -> None:
    """Nobody knows now what could be read then."""
    stale = "rules:\n  - {name: stale, type: data_stale, thresholds: {warning: 6h}}\n"
    shown = command(stale, "explain", "stale", "--at", "2026-01-08T03:00Z")
    assert "  not judged: it depends on reads, not on bills\n" in shown


def test_explain_when_nothing_reaches_a_threshold_then_does_not_say_that_nothing_fits(command: Command) -> None:
    """The reads of every account were looked at, and are well."""
    stale = "rules:\n  - {name: stale, type: data_stale, thresholds: {warning: 90d}}\n"
    assert "\n  reaches no threshold, or nothing was read yet\n" in command(stale, "explain", "stale")


@pytest.mark.parametrize("own", [broken_rules.NAME, failed_rules.NAME, unread_bills.NAME])
def test_explain_when_the_rule_is_alertds_own_then_knows_it(command: Command, own: str) -> None:
    """No rules file has it, and it is in force all the same."""
    assert command(DAY, "explain", own).startswith(f"Rule {own} (")


def test_report_when_printed_then_budgets_know_planned_spend_and_owners_their_keys(command: Command) -> None:
    """What is printed is what would be sent."""
    report = 'reports:\n  - {name: weekly, schedule: "0 9 * * mon", group_by: [owner], notify: [other]}\n'
    plain = command(BUDGET + report, "report", "--print")
    planned = command(BUDGET + PLANNED + report, "report", "--print")
    assert "ci (key-1)" in plain
    assert "with 21 d left; forecast to end at\n│                 $917.62 (917.6 %)" in plain
    assert "forecast" not in planned
