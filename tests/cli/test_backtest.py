"""`alertd backtest` over a store at a frozen instant, and over bills that it fetches first."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from alertd.cli.root import run
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.spend.bill import Series
from alertd.core.spend.ledger import CategoryBook, SeriesTable, summarise
from alertd.store.bills import BookChange
from alertd.store.store import Store
from tests.cli.test_reading_commands import block
from tests.e2e.world import API_KEY, BillingWorld, Row
from tests.stopped_clock import stop_clock

NOW = datetime(2026, 1, 31, 14, 30, tzinfo=UTC)
RUNNING = hour_of(NOW)
USD = 10**10
URL = "sqlite:///./alertd.db"
RULES = """
version: 1
receivers: [{name: finops, type: console}, {name: oncall, type: console}]
routes: [{match: {severity: critical}, notify: [finops, oncall]}, {notify: [finops]}]
rules:
  - name: gpu-6h
    type: rolling_spend
    category: gpu
    group_by: [owner]
    window: 6h
    thresholds: {warning: 12, critical: 30}
  - {name: stale, type: data_stale, thresholds: {warning: 3h}}
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with rules and without a key."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_DATABASE_URL", URL)
    monkeypatch.delenv("ALERTD_NOVITA_API_KEY", raising=False)
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def sixty_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of such a store, written once."""
    path = tmp_path_factory.mktemp("sixty") / "alertd.db"
    with closing(Store.open(f"sqlite:///{path}", now=NOW)) as store:
        save(store, missing=HourSet())
    return path


@pytest.fixture
def store(rules: Path, sixty_days: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Sixty days of one instance at a dollar an hour, three of them at six; a daemon has it open, time stands still."""
    stop_clock(monkeypatch, NOW)
    shutil.copyfile(sixty_days, "alertd.db")
    opened = Store.open(URL, now=NOW)
    yield opened
    opened.close()


def save(store: Store, *, missing: HourSet, days: int = 60) -> None:
    """Store the instance's hours, without those that were never read."""
    span = HourRange(RUNNING - RUNNING % 24 - days * 24, RUNNING + 1)
    covered = HourSet.of(missing.missing_from(span))
    dear = {RUNNING - 100, RUNNING - 99, RUNNING - 98, RUNNING - 97, RUNNING - 96, RUNNING - 95}
    table = SeriesTable([Series("default", "gpu", "Compute", "gpu-1", "H100", "", "on-demand")])
    hours = (hour for part in covered for hour in range(part.start, min(part.end, RUNNING)))
    blocks = {hour: block([6 * USD if hour in dear else USD]) for hour in hours}
    book = CategoryBook(
        account="default",
        category="gpu",
        hours={hour: summarise(hour, held) for hour, held in blocks.items()},
        covered=covered,
        read_at=NOW - timedelta(minutes=3),
    )
    store.save_facts(table, books=[BookChange(book=book, blocks=blocks)])


def test_backtest_when_asked_as_json_then_episodes_with_times_and_messages(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Six dear hours reach $12 after two of them and $30 after five; below $10.80 are only windows without any."""
    assert run(["backtest", "--json"]) == 0

    said = capsys.readouterr()
    found = json.loads(said.out)
    (rule,) = found["rules"]
    (episode,) = rule.pop("episodes")
    assert (found["since"], found["until"]) == ("2026-01-01T14:00:00Z", "2026-01-31T14:00:00Z")
    assert rule == {
        "name": "gpu-6h",
        "type": "rolling_spend",
        "firing_hours": 12,
        "messages": {"finops": 3, "oncall": 2},
    }
    assert episode == {
        "rule": "gpu-6h",
        "fingerprint": episode["fingerprint"],
        "account": "default",
        "labels": {"owner": "gpu-1"},
        "severity": "critical",
        "started_at": "2026-01-27T12:00:00Z",
        "ended_at": "2026-01-28T00:00:00Z",
        "peak": "36",
        "peak_at": "2026-01-27T16:00:00Z",
        "unit": "USD",
        "summary": "gpu-1 spent $36.00 on gpu in 6h",
    }
    assert found["messages_per_day"] == {"finops": 0.1, "oncall": 0.07}
    assert 'rule "stale" (data_stale) is not replayed: it depends on reads, not on bills' in said.err


def test_backtest_when_shown_then_a_table_of_rules_and_one_of_episodes(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """People see which rule costs how much attention, and then what it was."""
    assert run(["backtest"]) == 0

    assert capsys.readouterr().out == (
        "Replayed hour by hour: 1 rule, 2026-01-01 14:00 UTC to 2026-01-31 14:00 UTC (30.0 days).\n"
        "By the bills as they are known now: what came late then counts as if it had come in time.\n\n"
        "RULE    TYPE           BEGUN  HOURS FIRING  LONGEST    PEAK  OF     MESSAGES\n"
        "gpu-6h  rolling_spend      1            12  12 h     $36.00  gpu-1  finops 3, oncall 2\n\n"
        "Messages a day: finops 0.1, oncall 0.1.\n\n"
        "SINCE (UTC)       LASTED  SEVERITY    PEAK  RULE    AT ITS PEAK\n"
        "2026-01-27 12:00  12 h    critical  $36.00  gpu-6h  gpu-1 spent $36.00 on gpu in 6h\n"
    )


def test_backtest_when_against_other_rules_then_what_an_edit_would_change(
    store: Store, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A threshold is easily moved; what that does is not easily seen."""
    edited = RULES.replace("{warning: 12, critical: 30}", "{info: 6, warning: 30}")
    rules.with_name("new.yaml").write_text(edited, encoding="utf-8")

    assert run(["backtest", "--against", "new.yaml"]) == 0

    said = capsys.readouterr().out
    assert "0 episodes are the same, 1 change, 0 are of rules.yaml alone, 0 of new.yaml alone." in said
    assert "2026-01-27 12:00 -> 2026-01-01 14:00  12 h -> 30 d  critical -> warning" in said


def test_backtest_when_against_nothing_that_fires_then_episodes_are_of_one_alone(
    store: Store, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs get both replays whole."""
    rules.with_name("new.yaml").write_text(RULES.replace("12, critical: 30", "1000"), encoding="utf-8")

    assert run(["backtest", "--against", "new.yaml", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert [episode["peak"] for episode in found["only_before"]] == ["36"]
    assert (found["only_after"], found["changed"]) == ([], [])
    assert found["after"]["messages_per_day"] == {}


def test_backtest_when_thresholds_are_suggested_then_beside_the_present_ones(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Above the usual $6 and below the peak of $36: one episode, whatever is asked for."""
    assert run(["backtest", "--suggest"]) == 0

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split("  ")[0] == "gpu-6h"
    assert "warning $12.00 (1), critical $30.00 (1)" in last
    assert last.count("$11.00 (1)") == 2


def test_backtest_when_history_is_short_then_no_threshold_is_suggested(
    rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One odd day would decide; it says from when the bills are."""
    stop_clock(monkeypatch, NOW)
    store = Store.open(URL, now=NOW)
    save(store, missing=HourSet(), days=9)
    store.close()

    assert run(["backtest", "--suggest"]) == 0

    said = capsys.readouterr()
    assert "history begins 2026-01-22 00:00 UTC; rules that look back further see less: gpu-6h (12h)" in said.err
    assert "gpu-6h: nothing is suggested: only 9.4 days of values" in said.out


def test_backtest_when_hours_were_never_read_then_nothing_ends_in_them(
    rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing may hide spend: the alert goes on, as it would have, until its window is complete again."""
    hole = HourRange(RUNNING - 95, RUNNING - 71)
    stop_clock(monkeypatch, NOW)
    store = Store.open(URL, now=NOW)
    save(store, missing=HourSet.of([hole]))
    store.close()

    assert run(["backtest", "--json"]) == 0

    said = capsys.readouterr()
    (episode,) = json.loads(said.out)["rules"][0]["episodes"]
    assert episode["ended_at"] == "2026-01-28T21:00:00Z"
    assert "default: gpu: 24 hours from 2026-01-27 15:00 UTC could not be read" in said.err


def test_backtest_when_nothing_is_stored_and_no_key_is_set_then_says_what_to_do(
    rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty table would look like rules that never fire."""
    assert run(["backtest"]) == 1

    assert "no bills are stored; fetch bills with `alertd backfill`, or set the API key" in capsys.readouterr().err
    assert not rules.with_name("alertd.db").exists()


def test_backtest_when_the_stored_bills_end_before_the_time_asked_for_then_says_when(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A daemon that stopped long ago left nothing to replay in the last month."""
    stop_clock(monkeypatch, NOW + timedelta(days=40))
    assert run(["backtest"]) == 1

    assert "the stored bills end 2026-01-31 14:00 UTC; fetch bills with" in capsys.readouterr().err


def test_backtest_when_bills_are_missing_and_a_key_is_set_then_fetches_them_into_memory(
    rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rules can be tried before alertd ever ran, and nothing is left behind."""
    with BillingWorld() as world:
        monkeypatch.setenv("ALERTD_NOVITA_API_KEY", API_KEY)
        monkeypatch.setenv("ALERTD_NOVITA_BASE_URL", world.url)
        dear = (Row(category="gpu", start=world.hour(ago), owner="gpu-1", pay=Decimal(9)) for ago in range(60, 66))
        world.add(*dear)

        assert run(["backtest", "--since", "5d", "--json"]) == 0

    said = capsys.readouterr()
    (episode,) = json.loads(said.out)["rules"][0]["episodes"]
    assert (episode["peak"], episode["severity"]) == ("54", "critical")
    assert not rules.with_name("alertd.db").exists()


def test_backtest_when_the_key_is_refused_then_says_so_and_replays_what_there_is(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight categories were never read here: they are asked for, and cannot be had."""
    # The double lives today, and the store is of another year.
    monkeypatch.setenv("ALERTD_CLOCK", "system")
    with BillingWorld() as world:
        monkeypatch.setenv("ALERTD_NOVITA_API_KEY", "sk-wrong")
        monkeypatch.setenv("ALERTD_NOVITA_BASE_URL", world.url)

        assert run(["backtest", "--json"]) == 0

    said = capsys.readouterr()
    assert len(json.loads(said.out)["rules"][0]["episodes"]) == 1
    assert "key refused" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["--since", "1h"], 2, "between 1d and 400d", id="less than a day"),
        pytest.param(["--since", "401d"], 2, "between 1d and 400d", id="longer than is kept"),
        pytest.param(["--suggest", "--json"], 2, "--suggest cannot be combined", id="suggestions as JSON"),
        pytest.param(["--rules", "none.yaml"], 1, "none.yaml", id="no such rules"),
        pytest.param(["--against", "none.yaml"], 1, "none.yaml", id="no such other rules"),
    ],
)
def test_backtest_when_asked_wrongly_then_says_what_is_wrong(
    arguments: list[str], code: int, words: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the option or the file."""
    assert run(["backtest", *arguments]) == code

    assert words in capsys.readouterr().err


def test_backtest_when_some_money_overflows_then_the_other_categories_are_replayed(
    store: Store, rules: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A vendor's slip of units in one category hides nothing that another spent, and is said."""
    rules.write_text(RULES + "  - {name: all, type: rolling_spend, window: 6h, thresholds: {warning: 40}}\n")
    table = SeriesTable([Series("default", "gpu", "Compute", "gpu-1", "H100", "", "on-demand")])
    number = table.number(Series("default", "llm", "Tokens", "key-1", "big", "", "on-demand"))
    slip = replace(block([500_000_000 * USD]), series=np.array([number], np.int32))
    span = HourRange(RUNNING - 24, RUNNING - 18)
    blocks = {span.start: slip, span.start + 1: slip}
    book = CategoryBook(
        account="default",
        category="llm",
        hours={hour: summarise(hour, held) for hour, held in blocks.items()},
        covered=HourSet.of([HourRange(RUNNING - 60 * 24, RUNNING)]),
        read_at=NOW - timedelta(minutes=3),
    )
    store.save_facts(table, books=[BookChange(book=book, blocks=blocks)])

    assert run(["backtest", "--suggest"]) == 1

    said = capsys.readouterr()
    assert "gpu-1 spent $36.00 on gpu in 6h" in said.out
    assert said.err.count('rule "all" failed: the spend that it covers adds up to more than 922 million USD') == 1
    assert "report it" not in said.err
    assert "OverflowError" not in said.err
    suggested = said.out.partition("Thresholds")[2] or said.out
    assert "gpu-6h" in suggested
    assert "the spend that it covers adds up to more than 922 million USD" in suggested


@pytest.mark.parametrize(
    ("since", "note"),
    [
        pytest.param("218h", "", id="the first window begins with the bills"),
        pytest.param(
            "219h",
            "history begins 2026-01-22 00:00 UTC; rules that look back further see less: gpu-6h (12h)",
            id="an hour before",
        ),
    ],
)
def test_backtest_when_history_just_suffices_then_no_note(
    rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], since: str, note: str
) -> None:
    """A note on what is whole would have people fetch bills that they have."""
    stop_clock(monkeypatch, NOW)
    with closing(Store.open(URL, now=NOW)) as store:
        save(store, missing=HourSet(), days=9)

    assert run(["backtest", "--since", since]) == 0

    said = capsys.readouterr().err
    assert note in said
    assert bool(note) is ("history begins" in said)


def test_backtest_when_it_begins_with_the_bills_and_no_rule_looks_back_then_no_note(
    rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is cut off of what was asked for; an hour more is."""
    head, _, _ = RULES.partition("  - name: gpu-6h")
    rules.write_text(f"{head}  - {{name: stale, type: data_stale, thresholds: {{warning: 3h}}}}\n", encoding="utf-8")
    stop_clock(monkeypatch, NOW)
    with closing(Store.open(URL, now=NOW)) as store:
        save(store, missing=HourSet(), days=9)

    assert run(["backtest", "--since", "230h"]) == 0
    assert "history begins" not in capsys.readouterr().err
    assert run(["backtest", "--since", "231h"]) == 0
    assert "history begins 2026-01-22 00:00 UTC" in capsys.readouterr().err
