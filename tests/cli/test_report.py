"""`alertd report`, and what `alertd spend` knows of owners: real store, rules in a file, a frozen instant."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertd.cli.root import run
from alertd.core.hours import HourRange, hour_of
from alertd.core.spend.ledger import CategoryBook, SeriesTable, file_rows
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.core.builders import bill_rows, row
from tests.e2e.world import Hook, Reply
from tests.stopped_clock import stop_clock

NOW = datetime(2026, 1, 10, 14, 30, tzinfo=UTC)
HOUR = hour_of(NOW)
OWNERS = """version: 1
owners:
  - {match: gpu-1, name: trainer-a, team: research, labels: {env: prod}}
receivers:
  - {name: terminal, type: console}
defaults: {notify: [terminal]}
rules:
  - {name: month, type: budget, period: month, amount: 100, thresholds: {warning: 80%}}
"""
WEEKLY = 'reports:\n  - {name: weekly, schedule: "0 9 * * mon", group_by: [owner]}\n'
DAILY = '  - {name: daily, schedule: "0 9 * * *", period: 24h}\n'

Rules = Callable[[str], None]


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rules]:
    """Write the rules file; a daemon has the store open meanwhile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite:///./alertd.db")
    table = SeriesTable()
    rows = [row(HOUR - 3, "60.25"), row(HOUR - 50, "8", owner="gpu-2"), row(HOUR - 200, "20")]
    opened = Store.open("sqlite:///./alertd.db", now=NOW)
    changes = []
    for category, mine in (("gpu", rows), ("llm", [row(HOUR - 3, "2", owner="key-1", category="llm")])):
        book = CategoryBook(account="default", category=category)
        filing = file_rows(book, table, bill_rows(mine), HourRange(HOUR - 1500, HOUR + 1), read_at=NOW)
        changes.append(BookChange(book=filing.book, blocks=filing.blocks))
    opened.save_facts(table, books=changes)

    def write(text: str) -> None:
        Path("rules.yaml").write_text(text, encoding="utf-8")

    stop_clock(monkeypatch, NOW)
    yield write
    opened.close()


# --- report -----------------------------------------------------------------------------------------------------------


def test_print_when_the_file_has_no_report_then_shows_the_week_by_category_and_team(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """A look costs no configuration."""
    rules(OWNERS)
    assert run(["report", "--print"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(
        "│ REPORT  spend: $70.25 spent in 7d, $50.25 (251.2 %) more than in the 7d before\n"
        "│ From Jan 3 12:00 UTC to 12:00 UTC.\n"
        "│\n"
        "│ ▁▁▁▁▁▂▁█ Spend by day; the first and the last day in part\n"
    )
    assert "│ gpu · research   $60.25  up $40.25 (201.2 %)\n" in shown
    assert "│ gpu · (no team)   $8.00  up $8.00\n" in shown
    assert "│ month  $90.25  of $100.00 (90.2 %) with 21 d left" in shown


def test_print_when_alertd_has_pages_then_links_them(
    rules: Rules, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent by hand reads as what is sent on time."""
    monkeypatch.setenv("ALERTD_EXTERNAL_URL", "https://alertd.example.com/")
    rules(OWNERS + WEEKLY)
    assert run(["report", "--print"]) == 0
    assert "Status page: https://alertd.example.com/\n" in capsys.readouterr().out


def test_print_when_there_are_no_teams_then_by_category_alone(rules: Rules, capsys: pytest.CaptureFixture[str]) -> None:
    """A column of `(no team)` says nothing."""
    rules(OWNERS.replace("team: research, ", ""))
    assert run(["report", "--print"]) == 0
    assert "│ By category:\n" in capsys.readouterr().out


def test_print_when_the_terminal_knows_no_blocks_then_the_chart_is_ascii(
    rules: Rules, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of question marks is no chart."""
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(out, encoding="ascii", errors="backslashreplace"))
    rules(OWNERS + WEEKLY)
    assert run(["report", "--print"]) == 0
    assert run(["spend", "--by", "category"]) == 0
    # The commands put a stream of their own over the same bytes.
    sys.stdout.flush()
    shown = out.getvalue().decode("ascii")
    assert "? _____._# Spend by day" in shown
    assert "TOTAL     $70.25    $0.00  $70.25  _____._#" in shown
    assert "\\u" not in shown


@pytest.mark.parametrize(
    ("reports", "arguments", "words"),
    [
        pytest.param(WEEKLY + DAILY, [], "are the reports weekly, daily; name one of them.", id="two, none named"),
        pytest.param(WEEKLY + DAILY, ["--print"], "name one of them", id="two, none named to print"),
        pytest.param("", [], "There is no report; write reports: into the rules file, or look with", id="none"),
        pytest.param(WEEKLY, ["wekly"], 'there is no report "wekly"; did you mean "weekly"?', id="a typo"),
        pytest.param("", ["weekly", "--print"], 'no report "weekly"; the rules file has none', id="none of that name"),
    ],
)
def test_report_when_it_is_not_clear_which_then_usage_error(
    reports: str, arguments: list[str], words: str, rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hint lists what there is."""
    rules(OWNERS + reports)
    assert run(["report", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_report_when_sent_then_reports_each_receiver_and_leaves_the_schedule_alone(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes past the outbox: nothing is stored, so the scheduled one still comes."""
    rules(OWNERS + WEEKLY)
    assert run(["report"]) == 0
    shown = capsys.readouterr().out
    assert "REPORT  weekly: $70.25 spent" in shown
    assert shown.endswith("terminal: delivered\n")
    store = Store.open_read_only("sqlite:///./alertd.db")
    assert (store.outbox.open_entries(), store.meta.with_prefix("report_sent:")) == ((), {})
    store.close()


def test_report_when_a_receiver_refuses_then_exits_1_and_names_it(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """One attempt, and the truth about it; the others got theirs."""
    with Hook() as hook:
        hook.replies.append(Reply(status=404, is_accepted=False))
        rules(
            OWNERS.replace("receivers:", f'receivers:\n  - {{name: bridge, type: webhook, url: "{hook.url}"}}')
            + WEEKLY.replace("group_by", "notify: [bridge, terminal], group_by")
        )
        assert run(["report", "weekly"]) == 1
        assert hook.attempts == 1
    notified = capsys.readouterr()
    assert notified.err.startswith("bridge: not delivered: ")
    assert "terminal: delivered" in notified.out


def test_report_when_a_receiver_lacks_its_secret_then_says_which_setting(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the receivers of this report count."""
    rules(
        OWNERS.replace("receivers:", "receivers:\n  - {name: bridge, type: webhook, url_env: NO_SUCH_URL}")
        + WEEKLY.replace("group_by", "notify: [bridge], group_by")
        + DAILY
    )
    assert run(["report", "weekly"]) == 1
    assert "NO_SUCH_URL is not set" in capsys.readouterr().err
    assert run(["report", "daily"]) == 0


# --- spend, with the owners of the rules file -------------------------------------------------------------------------


def test_spend_when_the_rules_file_names_owners_then_shows_names_and_bars(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """People know names; the bars show when it was spent."""
    rules(OWNERS)
    assert run(["spend", "--by", "owner"]) == 0
    assert capsys.readouterr().out == (
        "OWNER              AMOUNT  VOUCHER     PAY  BY DAY\n"
        "trainer-a (gpu-1)  $60.25    $0.00  $60.25  ▁▁▁▁▁▁▁█\n"
        "gpu-2               $8.00    $0.00   $8.00  ▁▁▁▁▁█▁▁\n"
        "key-1               $2.00    $0.00   $2.00  ▁▁▁▁▁▁▁█\n"
        "TOTAL              $70.25    $0.00  $70.25  ▁▁▁▁▁▂▁█\n"
        "\n"
        "2026-01-03 12:00 to 2026-01-10 12:00 UTC, the last billed hour\n"
    )


def test_spend_when_grouped_by_team_and_label_then_owners_decide(
    rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """The columns are those that rules group by."""
    rules(OWNERS)
    assert run(["spend", "--by", "team,env", "--since", "24h", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"team": "research", "env": "prod", "amount": "60.25", "voucher": "0", "pay": "60.25"},
        {"team": "", "env": "", "amount": "2", "voucher": "0", "pay": "2"},
    ]


def test_spend_when_exact_then_keeps_the_id_and_adds_the_name(rules: Rules, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts join on ids."""
    rules(OWNERS)
    assert run(["spend", "--by", "owner", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["owner"], each.get("owner_name")) for each in found] == [
        ("gpu-1", "trainer-a"),
        ("gpu-2", None),
        ("key-1", None),
    ]
    assert run(["spend", "--by", "owner", "--csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(each["owner"], each["owner_name"]) for each in lines] == [
        ("gpu-1", "trainer-a"),
        ("gpu-2", ""),
        ("key-1", ""),
    ]


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        pytest.param("version: 1\nrulez: []\n", ["--by", "team"], "team needs the owners of the rules file", id="team"),
        pytest.param("version: 1\nrulez: []\n", ["--by", "env"], "labels of owners are not known", id="a label"),
        pytest.param(OWNERS, ["--by", "cost"], "billing_method, team, env", id="no such label: those there are"),
    ],
)
def test_spend_when_owners_are_needed_and_not_known_then_usage_error(
    text: str, arguments: list[str], words: str, rules: Rules, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken rules file is no reason to hide spend, and one to say why a column is not there."""
    rules(text)
    assert run(["spend", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert run(["spend"]) == 0


def test_spend_when_long_then_bars_stand_for_several_days(rules: Rules, capsys: pytest.CaptureFixture[str]) -> None:
    """A table has to fit the terminal."""
    rules(OWNERS)
    assert run(["spend", "--since", "400d", "--by", "account"]) == 0
    heading, _, total, *_ = capsys.readouterr().out.splitlines()
    assert heading.endswith("  BY 9 DAYS")
    assert len(total.split()[-1]) == 45
