"""The commands that only read the store, at a frozen instant: `spend`, `alerts`, `status`."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from alertd.cli.root import run
from alertd.core.alert import AlertState
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.resources import Resource, ResourceKind
from alertd.core.rules.held import LastRead
from alertd.core.severity import Severity
from alertd.core.spend.bill import ApiKey, Series
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, SeriesTable, summarise
from alertd.core.spend.lists import View
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from alertd.store.store import Store
from tests.core.builders import firing
from tests.stopped_clock import stop_clock

NOW = datetime(2026, 1, 10, 14, 30, tzinfo=UTC)
USD = 10**10


def block(amounts: list[int], voucher: int = 0) -> HourBlock:
    """One cell a series, in the order of the series."""
    amount = np.array(amounts, np.int64)
    vouchers = np.full(len(amounts), voucher, np.int64)
    return HourBlock(
        series=np.arange(len(amounts), dtype=np.int32),
        span=np.ones(len(amounts), np.int32),
        amount=amount,
        voucher=vouchers,
        pay=amount - vouchers,
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with two hours of two owners, opened for writing; commands find it by its setting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite:///./alertd.db")
    opened = Store.open("sqlite:///./alertd.db", now=NOW)
    hour = hour_of(NOW)
    table = SeriesTable(
        Series("default", "gpu", "Compute", owner, "H100", "", "on-demand") for owner in ("gpu-1", "gpu-2")
    )
    blocks = {hour - 2: block([61 * USD + USD // 4, 1]), hour - 30: block([5 * USD, 0], voucher=USD)}
    book = CategoryBook(
        account="default",
        category="gpu",
        hours={h: summarise(h, b) for h, b in blocks.items()},
        covered=HourSet.of([HourRange(hour - 200, hour + 1)]),
        read_at=NOW - timedelta(minutes=3),
    )
    opened.save_facts(table, books=[BookChange(book=book, blocks=blocks)])
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands ask the clock once; it stands still."""
    stop_clock(monkeypatch, NOW)


def test_spend_when_asked_as_json_then_exact_decimals_largest_first(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts get every digit; what lies before the window is left out."""
    assert run(["spend", "--since", "24h", "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == [
        {"category": "gpu", "owner": "gpu-1", "amount": "61.25", "voucher": "0", "pay": "61.25"},
        {"category": "gpu", "owner": "gpu-2", "amount": "0.0000000001", "voucher": "0", "pay": "0.0000000001"},
    ]


def test_spend_when_asked_as_csv_then_has_a_heading(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Spreadsheets take it as it is."""
    assert run(["spend", "--since", "7d", "--by", "product", "--csv"]) == 0

    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows == [{"product": "H100", "amount": "66.2500000001", "voucher": "2", "pay": "64.2500000001"}]


def test_spend_when_shown_then_a_table_with_a_total(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """People read cents, aligned, with the sum below."""
    assert run(["spend", "--since", "24h", "--by", "owner"]) == 0

    assert capsys.readouterr().out == (
        "OWNER         AMOUNT  VOUCHER            PAY  BY HOUR\n"
        "gpu-1         $61.25    $0.00         $61.25  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█\n"
        "gpu-2  $0.0000000001    $0.00  $0.0000000001  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█\n"
        "TOTAL         $61.25    $0.00         $61.25  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█\n"
        "\n"
        "2026-01-09 13:00 to 2026-01-10 13:00 UTC, the last billed hour\n"
    )


BERLIN = "version: 1\ndefaults: {timezone: Europe/Berlin}\n"


@pytest.mark.parametrize(
    ("arguments", "amounts", "shown"),
    [
        # Spend lies at 12:00 UTC of today (January 10) and at 08:00 UTC of yesterday.
        pytest.param(
            ["--month", "2026-01"],
            ["66.25"],
            "2026-01-01 00:00 to 2026-01-10 14:00 Europe/Berlin",
            id="this month",
        ),
        pytest.param(["--month", "2025-12"], [], None, id="a month without spend"),
        pytest.param(["--from", "2026-01-10"], ["61.25"], "2026-01-10 00:00 to 2026-01-10 14:00", id="today"),
        pytest.param(
            ["--from", "2026-01-09", "--until", "2026-01-09"], ["5"], "2026-01-09 00:00 to 2026-01-10 00:00", id="a day"
        ),
        pytest.param(["--from", "2026-01-01", "--until", "2026-01-08"], [], None, id="before it"),
    ],
)
def test_spend_when_asked_for_a_month_or_days_then_those_of_the_rules_time_zone(
    store: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    amounts: list[str],
    shown: str | None,
) -> None:
    """Whoever settles with a team settles by the month that both live in."""
    (tmp_path / "rules.yaml").write_text(BERLIN)
    assert run(["spend", "--by", "category", "--json", *arguments]) == 0
    found = [row["amount"] for row in json.loads(capsys.readouterr().out)]
    assert [amount.removesuffix(".0000000001").replace(".2500000001", ".25") for amount in found] == amounts
    assert run(["spend", *arguments]) == 0
    assert shown is None or shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--month", "2026-13"], '"2026-13" is not a month like 2026-10', id="no month"),
        pytest.param(["--month", "10"], '"10" is not a month like 2026-10', id="half a month"),
        pytest.param(["--month", "2026-02"], "2026-02-01 is in the future", id="a month to come"),
        pytest.param(["--from", "2026-02-30"], '"2026-02-30" is not a day like 2026-10-05', id="no day"),
        pytest.param(["--from", "0001-01-01"], '"0001-01-01" is not a day like 2026-10-05', id="a slip"),
        pytest.param(["--from", "20260101"], '"20260101" is not a day', id="another form"),
        pytest.param(["--until", "2026-01-02"], "--until needs --from", id="no beginning"),
        pytest.param(["--from", "2026-01-05", "--until", "2026-01-04"], "before the day of --from", id="backwards"),
        pytest.param(["--from", "2024-01-01"], "more than 400 days", id="longer than is kept"),
        pytest.param(["--month", "2026-01", "--since", "7d"], "exclude each other", id="both"),
    ],
)
def test_spend_when_the_days_are_none_then_refused_with_an_example(
    store: Store, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """A sum of other days than were meant is worse than none."""
    assert run(["spend", *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_spend_when_a_charge_reaches_over_the_end_of_the_days_then_only_its_hours_within_count(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Storage is billed by the UTC day, which is no day of Berlin's."""
    (tmp_path / "rules.yaml").write_text(BERLIN)
    start = hour_of(datetime(2026, 1, 6, tzinfo=UTC))
    known = store.bills.load_series().names
    table = SeriesTable([*known, Series("default", "cloud_storage", "", "disk-1", "", "", "on-demand")])
    amount = np.array([24 * USD], np.int64)
    none = np.zeros(1, np.int64)
    block = HourBlock(
        series=np.full(1, len(known), np.int32), span=np.full(1, 24, np.int32), amount=amount, voucher=none, pay=amount
    )
    book = CategoryBook(
        account="default",
        category="cloud_storage",
        hours={start: summarise(start, block)},
        covered=HourSet.of([HourRange(start - 48, start + 100)]),
        read_at=NOW,
    )
    store.save_facts(table, books=[BookChange(book=book, blocks={start: block})])
    assert run(["spend", "--from", "2026-01-06", "--until", "2026-01-06", "--by", "category", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["amount"] == "23"


def test_spend_when_the_days_are_from_before_anything_is_stored_then_says_so(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing stored is not nothing spent."""
    assert run(["spend", "--month", "2025-12"]) == 0
    assert "bills are stored from 2026-01-02" in capsys.readouterr().err


@pytest.mark.parametrize(("severity", "code"), [("info", 1), ("warning", 1), ("WARNING", 1), ("critical", 0)])
def test_alerts_when_to_fail_on_a_severity_then_by_what_fires(
    store: Store, capsys: pytest.CaptureFixture[str], severity: str, code: int
) -> None:
    """A pipeline stops before it spends more."""
    assert run(["alerts", "--fail-on", severity]) == 0
    store.save_decisions(alerts=[firing()])
    assert run(["alerts", "--fail-on", severity]) == code
    assert run(["alerts", "--json", "--all", "--fail-on", severity]) == code
    store.save_decisions(alerts=[replace(firing(), state=AlertState.RESOLVED, resolved_at=NOW)])
    assert run(["alerts", "--all", "--fail-on", severity]) == 0


def test_alerts_when_all_are_shown_then_each_is_since_its_last_step_the_worst_first(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fired since, waiting since, ended since; what only ever waited is of no interest once it has ended."""
    began, fired, ended = (NOW - timedelta(minutes=m) for m in (50, 40, 30))
    base = replace(firing("60", owner="gpu-1"), started_at=began, fired_at=fired, is_complete=False)
    critical = replace(firing("160", owner="gpu-2"), started_at=began, fired_at=fired, severity=Severity.CRITICAL)
    pending = replace(firing("55", owner="gpu-3"), started_at=began, fired_at=None, state=AlertState.PENDING)
    over = replace(firing(owner="gpu-4"), fired_at=fired, resolved_at=ended, state=AlertState.RESOLVED)
    over = replace(over, value=Decimal(40))
    never = replace(firing(owner="gpu-5"), fired_at=None, resolved_at=ended, state=AlertState.RESOLVED)
    store.save_decisions(alerts=[over, never, base, pending, critical])
    assert run(["alerts", "--all"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["FINGERPRINT", "STATE", "SEVERITY", "SINCE"]
    assert [(row.split()[1:5], "(incomplete)" in row) for row in rows] == [
        (["firing", "critical", "2026-01-10", "13:50"], False),
        (["firing", "warning", "2026-01-10", "13:50"], True),
        (["pending", "warning", "2026-01-10", "13:40"], False),
        (["resolved", "warning", "2026-01-10", "14:00"], False),
    ]
    # What is below its threshold does not show it as reached.
    assert ["$50.00" in row for row in rows] == [False, True, True, False]
    assert run(["alerts", "--json"]) == 0
    assert [row["fingerprint"] for row in json.loads(capsys.readouterr().out)] == [
        critical.fingerprint,
        base.fingerprint,
    ]


def with_keys(store: Store) -> None:
    """Two keys that spent in the running hour, one of them with a name; rules look at them."""
    table = SeriesTable(Series("default", "llm", "llm", key, "llama-3", "", "on-demand") for key in ("key-1", "key-2"))
    blocks = {hour_of(NOW): block([7 * USD, 3 * USD])}
    book = CategoryBook(
        account="default",
        category="llm",
        hours={h: summarise(h, b) for h, b in blocks.items()},
        read_at=NOW - timedelta(minutes=3),
        error="HTTP 500",
        view=View.API_KEY,
    )
    store.use_views(View)
    store.save_facts(table, books=[BookChange(book=book, blocks=blocks)], view=View.API_KEY)
    store.key_bills.save_keys([ApiKey(account="default", key_id="key-1", name="ci", mask="sk_1")])


def test_spend_when_by_api_key_then_that_view_alone_with_names(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same money by key; the usage bills are neither shown nor added."""
    with_keys(store)

    assert run(["spend", "--view", "api_key", "--by", "owner"]) == 0
    assert run(["spend", "--view", "api_key", "--by", "owner", "--csv"]) == 0
    assert run(["spend", "--view", "api_key", "--by", "category", "--json"]) == 0

    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == ["OWNER", "ci (key-1)", "key-2", "TOTAL"]
    assert [line.split()[-4:-1] for line in lines[1:4]] == [
        ["$7.00", "$0.00", "$7.00"],
        ["$3.00", "$0.00", "$3.00"],
        ["$10.00", "$0.00", "$10.00"],
    ]
    assert "owner,owner_name,amount,voucher,pay\r\nkey-1,ci,7,0,7\r\nkey-2,,3,0,3\r\n" in shown
    assert json.loads(shown[shown.index("[") :]) == [{"category": "llm", "amount": "10", "voucher": "0", "pay": "10"}]


def test_spend_when_by_api_key_and_no_rule_reads_it_then_says_so(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """To say that nothing was spent would be untrue."""
    assert run(["spend", "--view", "api_key"]) == 0

    assert "only read while an enabled rule has `view: api_key`" in capsys.readouterr().out


def test_status_when_keys_are_read_then_both_views_differ(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """One category has two edges; which of them fails is said."""
    store.cycles.add(CycleRecord(started_at=NOW, finished_at=NOW, is_ok=True))
    with_keys(store)

    assert run(["status"]) == 1
    shown = capsys.readouterr().out
    assert "- default: llm by API key: HTTP 500" in shown
    assert "default  llm by API key  2026-01-10 15:00" in shown
    assert run(["status", "--json"]) == 1
    edges = json.loads(capsys.readouterr().out)["data_edges"]
    assert [(edge["category"], edge["view"]) for edge in edges] == [("gpu", "usage"), ("llm", "api_key")]


def test_status_when_no_rule_reads_keys_any_more_then_what_failed_there_is_forgotten(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rule that was removed must not leave the daemon unwell for ever."""
    store.cycles.add(CycleRecord(started_at=NOW, finished_at=NOW, is_ok=True))
    with_keys(store)
    store.use_views([View.USAGE])

    assert run(["status"]) == 0
    assert "by API key" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--view", "keys"], "'keys' is not one of 'usage', 'api_key'", id="no such view"),
        pytest.param(["--by", "colour"], '"colour" is not a column', id="no such column"),
        pytest.param(["--since", "tomorrow"], '"tomorrow" is not a duration', id="no duration"),
        pytest.param(["--json", "--csv"], "exclude each other", id="two forms at once"),
        pytest.param(["--since", "5m"], "between 1h and 400d", id="less than an hour"),
    ],
)
def test_spend_when_asked_wrongly_then_usage_error(
    arguments: list[str], words: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the value and the remedy, and exits 2."""
    assert run(["spend", *arguments]) == 2

    assert words in capsys.readouterr().err


def test_status_when_no_cycle_finished_then_not_well(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A daemon that never worked is not healthy because nothing failed."""
    assert run(["status"]) == 1

    assert "no cycle has finished yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("age", "is_ok", "code", "words"),
    [
        pytest.param(timedelta(minutes=5), True, 0, "well", id="fresh"),
        pytest.param(timedelta(minutes=40), True, 1, "no cycle for 40 min", id="stopped"),
        pytest.param(timedelta(minutes=5), False, 1, "no complete cycle yet: HTTP 500", id="never complete"),
    ],
)
def test_status_when_cycles_differ_then_says_so(
    age: timedelta, is_ok: bool, code: int, words: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code and words follow the last cycles."""
    at = NOW - age
    summary: tuple[tuple[str, str | int], ...] = (("rows", 7), ("errors", "" if is_ok else "HTTP 500"))
    store.cycles.add(CycleRecord(started_at=at, finished_at=at, is_ok=is_ok, summary=summary))

    assert run(["status"]) == code

    assert words in capsys.readouterr().out


def test_status_when_asked_as_json_then_edges_are_instants(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Monitoring reads the data edge: the end of the newest hour with a row, or the read less two hours."""
    store.cycles.add(CycleRecord(started_at=NOW, finished_at=NOW, is_ok=True))

    assert run(["status", "--json"]) == 0

    (edge,) = json.loads(capsys.readouterr().out)["data_edges"]
    assert edge["billed_through"] == "2026-01-10T13:00:00Z"


def test_alerts_when_nothing_fires_then_says_so(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty table would look like a fault."""
    assert run(["alerts"]) == 0
    assert run(["alerts", "--json"]) == 0

    assert capsys.readouterr().out == "Nothing is firing.\n[]\n"


def test_running_when_one_owner_is_billed_and_one_is_only_listed_then_both_dearest_first(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What the list has and no bill yet shows runs all the same; what it calls stopped does not."""
    (tmp_path / "rules.yaml").write_text("version: 1\nowners: [{match: gpu-1, name: trainer}]\nrules: []\n")
    hour = hour_of(NOW)
    hours = {h: block([6 * USD, USD]) for h in range(hour - 5, hour - 1)}
    book = CategoryBook(
        account="default",
        category="gpu",
        hours={h: summarise(h, b) for h, b in hours.items()},
        covered=HourSet.of([HourRange(hour - 200, hour + 1)]),
        read_at=NOW - timedelta(minutes=3),
    )
    store.save_facts(store.bills.load_series(), books=[BookChange(book=book, blocks=hours)])
    on = firing("160", owner="gpu-1")
    store.save_decisions(alerts=[on, firing("60", owner="gpu-2")])
    listed = [
        Resource(
            account="default",
            id=owner,
            kind=ResourceKind.INSTANCE,
            name=name,
            status=status,
            product="H100",
            gpus=1,
            started_at=started_at,
            stopped_at=None,
        )
        for owner, name, status, started_at in (
            ("gpu-1", "by the list", "running", None),
            ("gpu-2", "off", "exited", None),
            ("gpu-3", "fresh", "pulling", NOW),
        )
    ]
    store.resources.save(listed)
    store.meta.put_last_read(LastRead(accounts=frozenset({"default"}), resources_read={"default": NOW}))
    assert run(["running", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first == {
        "owner": "gpu-1",
        "name": "trainer",
        "account": "default",
        "product": "H100",
        "category": "gpu",
        "status": "running",
        "since": "2026-01-10T09:00:00Z",
        "rate_per_hour": "6",
        "utilization": None,
        "alerts": [on.fingerprint],
    }
    assert second["alerts"] == []
    assert (second["owner"], second["name"], second["status"]) == ("gpu-3", "fresh", "pulling")
    assert (second["since"], second["rate_per_hour"]) == ("2026-01-10T14:30:00Z", None)
    assert run(["running"]) == 0
    shown = capsys.readouterr().out
    assert "trainer (gpu-1)  H100" in shown
    assert [line.split()[-1] for line in shown.splitlines() if "gpu-1" in line] == [on.fingerprint[:8]]
    assert "gpu-2" not in shown


@pytest.mark.parametrize(
    ("category", "told"),
    [("llm", "Nothing runs, as far as it is billed."), (None, "No bills were read yet.")],
)
def test_running_when_no_machine_is_billed_then_says_whether_anything_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    category: str | None,
    told: str,
) -> None:
    """Only the spend of machines is read; that others are billed shows all the same that bills come."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite:///./alertd.db")
    (tmp_path / "rules.yaml").write_text("version: 1\nrules: []\n")
    with closing(Store.open("sqlite:///./alertd.db", now=NOW)) as store:
        if category is not None:
            hour = hour_of(NOW) - 2
            table = SeriesTable([Series("default", category, "", "key-1", "llama-3", "", "on-demand")])
            blocks = {hour: block([6 * USD])}
            book = CategoryBook(
                account="default",
                category=category,
                hours={hour: summarise(hour, blocks[hour])},
                covered=HourSet.of([HourRange(hour - 200, hour + 3)]),
                read_at=NOW - timedelta(minutes=3),
            )
            store.save_facts(table, books=[BookChange(book=book, blocks=blocks)])
        assert run(["running"]) == 0
    assert capsys.readouterr().out.strip() == told
