"""Every key and cell of what commands print, and that each option changes what it says it changes."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alertd.cli.root import run
from alertd.cli.spend import Asked
from alertd.core.actions import ActionState, Verb
from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.silence import Bound, Silence
from alertd.core.hours import HourRange, HourSet, hour_of
from alertd.core.labels import Patterns
from alertd.core.messages.outbox import EntryState
from alertd.core.resources import Resource, ResourceKind
from alertd.core.rules.held import LastRead
from alertd.core.rules.records import ClockRecord, ReloadOutcome
from alertd.core.severity import Severity
from alertd.core.spend.bill import Series
from alertd.core.spend.data_state import DataState
from alertd.core.spend.ledger import CategoryBook, SeriesTable, summarise
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from alertd.store.store import Store
from tests.cli.test_reading_commands import USD, block
from tests.core.builders import entry, firing, usd
from tests.core.test_actions import request
from tests.stopped_clock import stop_clock

NOW = datetime(2026, 1, 10, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
RULES = """version: 1
owners: [{match: gpu-1, name: trainer, team: research}]
rules: [{name: gpu-24h, type: rolling_spend, window: 24h, group_by: [owner], thresholds: {warning: 50}}]
"""
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that commands find by its setting, at an instant that stands still; rules beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite:///./alertd.db")
    for name in ("ALERTD_RULES", "ALERTD_POLL_INTERVAL", "ALERTD_SETTLE_DELAY", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "rules.yaml").write_text(RULES)
    stop_clock(monkeypatch, NOW)
    opened = Store.open("sqlite:///./alertd.db", now=NOW - 24 * HOUR)
    yield opened
    opened.close()


@pytest.fixture
def command(store: Store, capsys: pytest.CaptureFixture[str]) -> Command:
    def text(*arguments: str) -> tuple[int, str]:
        code = run(list(arguments))
        return code, capsys.readouterr().out

    assert store.place
    return text


def words(line: str) -> list[str]:
    """The cells of a table's line, which stand two blanks or more apart."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


# --- alerts ----------------------------------------------------------------------------------------------------------


def an_alert(number: int, rule: str, severity: Severity, state: AlertState = AlertState.FIRING) -> Alert:
    ended = {"resolved_at": NOW - MINUTE} if state is AlertState.RESOLVED else {}
    return replace(
        firing(),
        fingerprint=f"{number:016x}",
        rule=rule,
        severity=severity,
        state=state,
        fired_at=NOW - HOUR,
        **ended,  # type: ignore[arg-type]
    )


def test_alerts_when_listed_then_open_ones_first_the_worst_first_and_then_by_rule(
    store: Store, command: Command
) -> None:
    """What is over comes last, however bad it was."""
    alerts = (
        an_alert(1, "b", Severity.WARNING),
        an_alert(2, "a", Severity.CRITICAL),
        an_alert(3, "a", Severity.WARNING),
        an_alert(4, "a", Severity.CRITICAL, AlertState.RESOLVED),
        an_alert(5, "a", Severity.WARNING),
    )
    store.save_decisions(alerts=alerts)
    _, text = command("alerts", "--all", "--json")
    assert [int(one["fingerprint"], 16) for one in json.loads(text)] == [2, 3, 5, 1, 4]


@pytest.mark.parametrize(
    ("fires", "asked", "code"),
    [
        pytest.param(Severity.INFO, "info", 1, id="at it"),
        pytest.param(Severity.INFO, "warning", 0, id="below it"),
        pytest.param(Severity.CRITICAL, "info", 1, id="above it"),
        pytest.param(None, "info", 0, id="nothing fires, however bad what ended was"),
    ],
)
def test_alerts_when_to_fail_then_by_what_fires_and_not_by_what_is_shown(
    store: Store, command: Command, fires: Severity | None, asked: str, code: int
) -> None:
    """A resolved alert of yesterday stops no pipeline."""
    alerts = [an_alert(1, "a", Severity.CRITICAL, AlertState.RESOLVED)]
    alerts += [an_alert(2, "a", fires)] if fires is not None else []
    store.save_decisions(alerts=alerts)
    for option in ((), ("--all",), ("--json",)):
        assert command("alerts", *option, "--fail-on", asked)[0] == code
    assert command("alerts", "--all")[0] == 0


# --- running ---------------------------------------------------------------------------------------------------------


def a_resource(name: str, started_at: datetime | None, status: str = "running") -> Resource:
    return Resource(
        account="default",
        id=name,
        kind=ResourceKind.INSTANCE,
        name="",
        status=status,
        product="listed",
        gpus=1,
        started_at=started_at,
        stopped_at=None,
    )


def spend(store: Store, hours: range, *, covered: int) -> None:
    """Six dollars an hour of one owner, as far back as is covered."""
    end = hour_of(NOW)
    table = SeriesTable([Series("default", "gpu", "Compute", "gpu-1", "H100", "", "on-demand")])
    blocks = {end - ago: block([6 * USD]) for ago in hours}
    book = CategoryBook(
        account="default",
        category="gpu",
        hours={hour: summarise(hour, held) for hour, held in blocks.items()},
        covered=HourSet.of([HourRange(end - covered, end + 1)]),
        read_at=NOW - 3 * MINUTE,
    )
    store.save_facts(table, books=[BookChange(book=book, blocks=blocks)])
    store.meta.put_last_read(LastRead(accounts=frozenset({"default"}), resources_read={"default": NOW}))


def test_running_when_shown_then_each_cell_and_key_is_of_its_column(store: Store, command: Command) -> None:
    """Billed longer than is known, listed with a start, and listed without anything."""
    spend(store, range(2, 32 * 24), covered=40 * 24)
    store.resources.save([a_resource("i-1", NOW - HOUR), a_resource("i-2", None, "pulling")])
    _, text = command("running")
    heading, *lines = text.splitlines()
    assert words(heading) == ["NAME", "PRODUCT", "STATUS", "SINCE (UTC)", "USD AN HOUR", "BUSY", "ALERTS"]
    assert [words(line) for line in lines] == [
        ["trainer (gpu-1)", "H100", "billed", "longer than known", "$6.00"],
        ["i-1", "listed", "running", "2026-01-10 13:30", "not billed yet"],
        ["i-2", "listed", "pulling", "longer than known", "not billed yet"],
    ]
    _, text = command("running", "--json")
    assert json.loads(text)[1:] == [
        {
            "owner": name,
            "name": None,
            "account": "default",
            "product": "listed",
            "category": "gpu",
            "status": status,
            "since": since,
            "rate_per_hour": None,
            "utilization": None,
            "alerts": [],
        }
        for name, status, since in (("i-1", "running", "2026-01-10T13:30:00Z"), ("i-2", "pulling", None))
    ]
    assert json.loads(text)[0]["since"] is None


# --- actions ---------------------------------------------------------------------------------------------------------


def test_actions_when_shown_then_the_newest_first_and_each_cell_and_key_is_of_its_column(
    store: Store, command: Command
) -> None:
    """Who asked for what when, and what came of it."""
    first = request(requested_at=NOW - HOUR, called_at=NOW - 50 * MINUTE, fingerprint="a" * 16)
    first = replace(first, state=ActionState.DONE, finished_at=NOW - 40 * MINUTE, detail="stopped: the API says exited")
    second = request(
        id="b2", verb=Verb.START, action="halt", account="lab", owner="gpu-7", name="gpu-7", by="kim", requested_at=NOW
    )
    store.save_decisions(actions=[second, first])
    _, text = command("actions", "--json")
    assert json.loads(text) == [
        {
            "id": "b2",
            "action": "halt",
            "verb": "start",
            "alert": "f" * 16,
            "account": "lab",
            "owner": "gpu-7",
            "name": "gpu-7",
            "requested_by": "kim",
            "requested_at": "2026-01-10T14:30:00Z",
            "state": "requested",
            "finished_at": None,
            "detail": "",
        },
        {
            "id": "a1b2c3d4",
            "action": "stop",
            "verb": "stop",
            "alert": "a" * 16,
            "account": "default",
            "owner": "gpu-1",
            "name": "notebook-9",
            "requested_by": "dana",
            "requested_at": "2026-01-10T13:30:00Z",
            "state": "done",
            "finished_at": "2026-01-10T13:50:00Z",
            "detail": "stopped: the API says exited",
        },
    ]
    _, text = command("actions")
    heading, *lines = text.splitlines()
    assert words(heading) == ["ID", "WHAT", "INSTANCE", "REQUESTED (UTC)", "BY", "STATE", "ALERT", "DETAIL"]
    assert [words(line) for line in lines] == [
        ["b2", "start", "gpu-7", "2026-01-10 14:30", "kim", "requested", "f" * 8],
        [
            *["a1b2c3d4", "stop", "notebook-9 (gpu-1)", "2026-01-10 13:30", "dana", "done", "a" * 8],
            "stopped: the API says exited",
        ],
    ]


# --- silences --------------------------------------------------------------------------------------------------------


def a_silence(name: str, **parts: object) -> Silence:
    plain = Silence(
        id=name,
        matchers=(("team", Patterns(("research", "x"))), ("rule", Patterns(("gpu-*",)))),
        author="kim",
        comment=f"about {name}",
        created_at=NOW - 2 * HOUR,
        ends_at=NOW + HOUR,
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def silences(store: Store) -> None:
    """One in each state that a silence may be in."""
    alert, over = firing(owner="gpu-1"), replace(firing(owner="gpu-2"), state=AlertState.RESOLVED, resolved_at=NOW)
    store.save_decisions(alerts=[alert, over])
    bound = Bound(fingerprint=alert.fingerprint, episode=alert.episode)
    gone = Bound(fingerprint=over.fingerprint, episode=over.episode)
    store.silences.save(
        [
            a_silence("1 runs"),
            a_silence("2 is over", created_at=NOW - HOUR, ends_at=NOW),
            a_silence("3 ended", created_at=NOW - HOUR, expired_at=NOW - MINUTE, expired_by="dana"),
            a_silence("4 is bound", created_at=NOW - MINUTE, ends_at=None, bound=(bound,), further=usd("200")),
            a_silence("5 bound to nothing", created_at=NOW, ends_at=None, bound=(gone,)),
        ]
    )


def test_silences_when_listed_then_each_state_cell_and_key_is_of_its_silence(store: Store, command: Command) -> None:
    """Those that hold, and with --all the others with who ended them."""
    silences(store)
    _, text = command("silence", "list")
    heading, *lines = text.splitlines()
    assert words(heading) == ["ID", "STATE", "UNTIL", "MATCHES", "BY", "COMMENT"]
    assert [words(line) for line in lines] == [
        ["1 runs", "active", "2026-01-10 15:30 UTC", "team=research,x rule=gpu-*", "kim", "about 1 runs"],
        ["4 is bound", "active", "$200.00 more are spent", "team=research,x rule=gpu-*", "kim", "about 4 is bound"],
    ]
    _, text = command("silence", "list", "--all")
    assert [words(line)[:2] for line in text.splitlines()[1:]] == [
        ["1 runs", "active"],
        ["2 is over", "over"],
        ["3 ended", "ended by dana"],
        ["4 is bound", "active"],
        ["5 bound to nothing", "over"],
    ]
    found = json.loads(command("silence", "list", "--all", "--json")[1])
    assert [(one["id"][0], one["state"]) for one in found] == [
        ("1", "active"),
        ("2", "ended"),
        ("3", "ended"),
        ("4", "active"),
        ("5", "ended"),
    ]
    assert found[2] == {
        "id": "3 ended",
        "state": "ended",
        "matchers": {"team": ["research", "x"], "rule": ["gpu-*"]},
        "author": "kim",
        "comment": "about 3 ended",
        "created_at": "2026-01-10T13:30:00Z",
        "ends_at": "2026-01-10T15:30:00Z",
        "ended_at": "2026-01-10T14:29:00Z",
        "ended_by": "dana",
        "until_spend": None,
        "alerts": [],
    }
    assert (found[3]["until_spend"], found[3]["ends_at"]) == ("200", None)
    assert found[3]["alerts"] == [{"fingerprint": firing(owner="gpu-1").fingerprint}]
    assert [one["id"][0] for one in json.loads(command("silence", "list", "--json")[1])] == ["1", "4"]


# --- spend -----------------------------------------------------------------------------------------------------------


def test_spend_when_shown_then_the_total_of_each_column_is_its_own(store: Store, command: Command) -> None:
    """Vouchers paid a part of it; what left the balance is the rest."""
    end = hour_of(NOW)
    table = SeriesTable(
        Series("default", "gpu", "Compute", owner, "H100", "", "on-demand") for owner in ("gpu-1", "gpu-2")
    )
    blocks = {end - 2: block([6 * USD, 4 * USD], voucher=USD)}
    book = CategoryBook(
        account="default",
        category="gpu",
        hours={hour: summarise(hour, held) for hour, held in blocks.items()},
        covered=HourSet.of([HourRange(end - 200, end + 1)]),
        read_at=NOW,
    )
    store.save_facts(table, books=[BookChange(book=book, blocks=blocks)])
    _, text = command("spend", "--since", "24h", "--by", "owner")
    rows = [words(line)[:4] for line in text.splitlines()[:4]]
    assert rows == [
        ["OWNER", "AMOUNT", "VOUCHER", "PAY"],
        ["trainer (gpu-1)", "$6.00", "$1.00", "$5.00"],
        ["gpu-2", "$4.00", "$1.00", "$3.00"],
        ["TOTAL", "$10.00", "$2.00", "$8.00"],
    ]
    assert text.endswith(", the last billed hour\n")
    assert command("spend", "--since", "24h", "--by", "owner,product", "--csv")[1].splitlines() == [
        "owner,owner_name,product,amount,voucher,pay",
        "gpu-1,trainer,H100,6,1,5",
        "gpu-2,,H100,4,1,3",
    ]
    assert "the last billed hour" not in command("spend", "--from", "2026-01-01", "--until", "2026-01-09")[1]


def window(**asked: object) -> HourRange | None:
    """The hours that are asked for, where bills are known through 12:00 UTC of January 10."""
    plain: dict[str, object] = {"since": None, "month": "", "first": "", "until": ""}
    end = hour_of(NOW)
    blocks = {end - 3: block([USD])}
    book = CategoryBook(
        account="default",
        category="gpu",
        hours={hour: summarise(hour, held) for hour, held in blocks.items()},
        covered=HourSet.of([HourRange(end - 9000, end + 1)]),
        read_at=NOW,
    )
    data = DataState(books={book.key: book}, now=NOW, settle_delay=timedelta())
    return Asked(**{**plain, **asked}).hours(data, "UTC")  # type: ignore[arg-type]


def test_hours_of_spend_when_asked_for_then_exactly_those() -> None:
    """Begun hours count whole; months and days end where they do, or with what is billed."""
    end = hour_of(NOW)
    edge = window(since=HOUR)
    assert edge is not None
    assert window(since=90 * MINUTE) == HourRange(edge.end - 2, edge.end)
    assert window() == HourRange(edge.end - 7 * 24, edge.end)
    december = window(month="2025-12")
    assert december is not None
    assert (len(december), december.end) == (31 * 24, hour_of(datetime(2026, 1, 1, tzinfo=UTC)))
    assert len(window(month="2025-02") or range(0)) == 28 * 24
    assert len(window(month="2025-11") or range(0)) == 30 * 24
    days = window(first="2026-01-05", until="2026-01-07")
    assert days == HourRange(hour_of(datetime(2026, 1, 5, tzinfo=UTC)), hour_of(datetime(2026, 1, 8, tzinfo=UTC)))
    assert window(first="2026-01-05") == HourRange(hour_of(datetime(2026, 1, 5, tzinfo=UTC)), edge.end)
    assert edge.end <= end


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_when_shown_then_each_line_says_its_own(store: Store, command: Command) -> None:
    """The first thing that one looks at when something is odd."""
    spend(store, range(3, 5), covered=200)
    store.save_decisions(
        alerts=[an_alert(1, "a", Severity.WARNING), replace(an_alert(2, "a", Severity.INFO), state=AlertState.PENDING)],
        entries=[
            entry(1, state=EntryState.DELIVERED, receiver="finops"),
            entry(2, receiver="finops"),
            entry(3, state=EntryState.SENDING, receiver="finops"),
        ],
    )
    good, last = (
        CycleRecord(
            started_at=NOW - ago, finished_at=NOW - ago, is_ok=ago > 5 * MINUTE, summary=(("rows", ago // MINUTE),)
        )
        for ago in (9 * MINUTE, 2 * MINUTE)
    )
    store.cycles.add(good)
    store.cycles.add(last)
    store.meta.put_next_poll_at(NOW - 4 * MINUTE)
    store.meta.put_clock(ClockRecord(checked_at=NOW - 6 * MINUTE))
    store.meta.put_rules_file(ReloadOutcome(loaded_at=NOW - 7 * MINUTE, rules=3))
    code, text = command("status")
    lines = {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in text.splitlines()}
    assert code == 0
    assert lines["Last cycle"] == "2026-01-10 14:28 UTC (2 min ago, 2 rows)"
    assert "Last good cycle 2026-01-10 14:21 UTC (9 min ago, 9 rows)" in text
    assert lines["Next poll"] == "2026-01-10 14:26 UTC (overdue for 4 min)"
    assert lines["Clock"] == "checked 2026-01-10 14:24 UTC"
    assert lines["Rules"] == "3 in force since 2026-01-10 14:23 UTC"
    assert lines["Alerts"] == "1 firing, 1 pending"
    assert lines["Resources"].startswith("default: 0 instances, 0 endpoints, read 2026-01-10 14:30 UTC")
    assert words(next(line for line in text.splitlines() if line.startswith("finops"))) == [
        *["finops", "1", "2", "0", "0", "0"]
    ]


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_status_when_something_is_wrong_then_exit_code_1_in_either_form(
    store: Store, command: Command, option: tuple[str, ...]
) -> None:
    """Monitoring goes by the code, whichever it reads."""
    assert command("status", *option)[0] == 1


def test_status_when_a_setting_says_how_late_bills_are_then_judged_by_that(
    store: Store, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hours without a good cycle: too long where bills settle in minutes, and not where they take a day."""
    old = NOW - 3 * HOUR
    store.cycles.add(CycleRecord(started_at=old, finished_at=old, is_ok=True))
    store.cycles.add(CycleRecord(started_at=NOW, finished_at=NOW, is_ok=False))
    monkeypatch.setenv("ALERTD_SETTLE_DELAY", "24h")
    assert command("status")[0] == 0
    monkeypatch.setenv("ALERTD_SETTLE_DELAY", "10m")
    assert command("status")[0] == 1
    monkeypatch.setenv("ALERTD_POLL_INTERVAL", "6h")
    assert command("status")[0] == 0


# --- prune -----------------------------------------------------------------------------------------------------------


def test_prune_when_each_option_is_given_then_it_deletes_its_own(store: Store, command: Command) -> None:
    """A wrong clock must not delete either: no further than the last time that was checked."""
    spend(store, range(2, 100), covered=200)
    store.silences.save([a_silence("old", ends_at=NOW - 30 * HOUR)])
    store.close()

    def left() -> tuple[int, int]:
        reader = Store.open_read_only("sqlite:///./alertd.db")
        try:
            return len([*reader.bills.iter_blocks(0)]), len(reader.silences.all_silences())
        finally:
            reader.close()

    assert left() == (98, 1)
    assert command("db", "prune", "--spend", "90h", "--messages", "40h") == (
        0,
        "Deleted 9 hours of spend, 0 messages, 0 events.\n",
    )
    assert left() == (89, 1)
    assert command("db", "prune", "--spend", "90h", "--messages", "20h")[0] == 0
    assert left() == (89, 0)
    opened = Store.open("sqlite:///./alertd.db", now=NOW)
    opened.meta.put_clock(ClockRecord(checked_at=NOW - 40 * HOUR))
    opened.close()
    assert command("db", "prune", "--spend", "60h", "--messages", "20h")[0] == 0
    assert left() == (89, 0)
