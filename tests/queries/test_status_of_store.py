"""The daemon judged by what it stored: polls, receivers and lists, each bound from both sides."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertd.core.alert import AlertState
from alertd.core.alerts.lifecycle import Move
from alertd.core.messages.dispatch import Decisions
from alertd.core.messages.outbox import EntryState
from alertd.core.resources import Resource, ResourceKind
from alertd.core.rules.held import LastRead
from alertd.core.rules.records import ClockRecord, ReloadOutcome
from alertd.core.spend.ledger import CategoryBook, SeriesTable
from alertd.queries.cycle_report import CycleReport
from alertd.queries.health import ReceiverHealth, ResourceHealth
from alertd.queries.status import Status, read_status
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from alertd.store.store import Store
from tests.core.builders import HOUR, NOW, entry, firing, move

POLL, SETTLE = timedelta(minutes=10), 2 * HOUR
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store.open("sqlite://", now=NOW)) as opened:
        yield opened


def status(store: Store, now: datetime = NOW) -> Status:
    return read_status(store, now=now, poll_interval=POLL, settle_delay=SETTLE)


def a_cycle(ago: timedelta, *, is_ok: bool = True) -> CycleRecord:
    return CycleRecord(started_at=NOW - ago, finished_at=NOW - ago, is_ok=is_ok, summary=(("errors", "HTTP 500"),))


LATE = "no cycle for 31 min: is `alertd run` running?"
AHEAD = "the last cycle is dated 2026-01-10 12:16 UTC, which is still to come: is this system's clock right?"


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        pytest.param(3 * POLL + MINUTE, (), id="three polls missed, and a minute"),
        pytest.param(3 * POLL + MINUTE + SECOND, (LATE,), id="a second more"),
        pytest.param(-POLL - MINUTE, (), id="a clock that runs ahead a little"),
        pytest.param(-POLL - MINUTE - SECOND, (AHEAD,), id="a clock that runs ahead"),
    ],
)
def test_poll_when_it_is_late_then_said_after_three(store: Store, last: timedelta, problem: tuple[str, ...]) -> None:
    """One that is missed is no fault of anybody."""
    store.cycles.add(a_cycle(last))
    assert status(store).problems == problem


@pytest.mark.parametrize(
    ("good", "is_said"),
    [(2 * POLL + SETTLE + MINUTE, False), (2 * POLL + SETTLE + MINUTE + SECOND, True), (None, True)],
)
def test_good_poll_when_it_is_long_ago_then_said_once_bills_would_be_late(
    store: Store, good: timedelta | None, *, is_said: bool
) -> None:
    """Until then nothing that is read later is missing."""
    if good is not None:
        store.cycles.add(a_cycle(good))
    store.cycles.add(a_cycle(timedelta(), is_ok=False))
    since = "since 2026-01-10 09:43 UTC" if good is not None else "yet"
    assert status(store).problems == ((f"no complete cycle {since}: HTTP 500",) if is_said else ())


def test_categories_when_they_fail_within_that_time_then_named_all_the_same(store: Store) -> None:
    """The poll was good a while ago; what fails now is said now."""
    store.cycles.add(a_cycle(timedelta()))
    books = [CategoryBook(account="default", category=name, error=error) for name, error in (("gpu", "x"), ("llm", ""))]
    store.save_facts(SeriesTable(), books=[BookChange(book=book, blocks={}) for book in books])
    assert status(store).problems == ("default: gpu: x",)


def test_books_when_an_account_is_watched_no_more_then_only_those_that_are_read_are_shown(store: Store) -> None:
    """What failed when it was last read would be a problem for ever."""
    store.cycles.add(a_cycle(timedelta()))
    books = [CategoryBook(account=name, category="gpu", error=f"HTTP 403 of {name}") for name in ("gone", "prod")]
    store.save_facts(SeriesTable(), books=[BookChange(book=book, blocks={}) for book in books])
    store.meta.put_last_read(LastRead(accounts=frozenset({"prod"})))
    found = status(store)
    assert [edge.account for edge in found.edges] == ["prod"]
    assert found.problems == ("prod: gpu: HTTP 403 of prod",)


def test_receiver_when_it_has_failed_in_several_ways_then_the_newest_is_shown(store: Store) -> None:
    """What was wrong before it was half repaired is no help."""
    store.cycles.add(a_cycle(timedelta()))
    faults = ("not found", "no such channel", "invite the bot")
    entries = [entry(number, state=EntryState.BLOCKED, error=text) for number, text in enumerate(faults, 1)]
    store.save_decisions(alerts=(), entries=entries)
    (receiver,) = status(store).receivers
    assert receiver.last_error == "invite the bot"


def test_receivers_when_each_state_is_there_then_counted_by_name_with_the_last_error(store: Store) -> None:
    """What nobody will send by itself is a problem; what waits is none."""
    store.cycles.add(a_cycle(timedelta()))
    blocked = {"state": EntryState.BLOCKED, "error": "invite the bot"}
    entries = [
        entry(1, receiver="finops", **blocked),
        entry(2, receiver="finops", **blocked),
        entry(3, receiver="finops", state=EntryState.GAVE_UP),
        entry(4, receiver="mail", not_before=NOW - 2 * HOUR),
        entry(5, receiver="mail", not_before=NOW - 3 * HOUR),
        entry(6, receiver="mail", not_before=NOW - HOUR),
        entry(7, receiver="pager", state=EntryState.DELIVERED),
        # Not tried yet: it says nothing of what is wrong.
        entry(8, receiver="finops", not_before=NOW + HOUR),
    ]
    alerts = [replace(firing(), fingerprint=name) for one in entries for name in one.fingerprints]
    store.save_decisions(alerts=alerts, entries=entries)
    found = status(store)
    assert found.problems == (
        "receiver finops: 2 notifications blocked until the receiver is fixed. invite the bot",
        "receiver finops: 1 notification given up. invite the bot",
    )
    assert [(one.name, dict(one.counts), one.last_error, one.due_since) for one in found.receivers] == [
        (
            "finops",
            {EntryState.BLOCKED: 2, EntryState.GAVE_UP: 1, EntryState.PENDING: 1},
            "invite the bot",
            found.receivers[0].due_since,
        ),
        ("mail", {EntryState.PENDING: 3}, "", NOW - 3 * HOUR),
        ("pager", {EntryState.DELIVERED: 1}, "", None),
    ]


def test_receiver_when_shown_then_each_cell_is_of_its_state() -> None:
    """What is being sent waits, too."""
    counts = {state: 2**number for number, state in enumerate(EntryState)}
    row = ReceiverHealth(name="finops", counts=counts, last_error="no", due_since=None).row()
    waiting = counts[EntryState.PENDING] + counts[EntryState.SENDING]
    others = (EntryState.UNKNOWN, EntryState.BLOCKED, EntryState.GAVE_UP)
    assert row == (
        "finops",
        str(counts[EntryState.DELIVERED]),
        str(waiting),
        *(str(counts[state]) for state in others),
        "no",
    )


def a_resource(name: str, kind: ResourceKind, *, account: str = "prod", gone_at: datetime | None = None) -> Resource:
    return Resource(
        account=account,
        id=name,
        kind=kind,
        name="",
        status="running",
        product="",
        gpus=0,
        started_at=None,
        stopped_at=None,
        gone_at=gone_at,
    )


def test_lists_when_read_then_what_is_listed_counts_by_kind_and_account(store: Store) -> None:
    """What is gone keeps its name and is not listed."""
    instance, endpoint = ResourceKind.INSTANCE, ResourceKind.ENDPOINT
    store.resources.save(
        [
            *(a_resource(f"i-{number}", instance) for number in range(3)),
            *(a_resource(f"e-{number}", endpoint) for number in range(2)),
            a_resource("i-9", instance, gone_at=NOW),
            a_resource("i-1", instance, account="lab"),
        ]
    )
    store.meta.put_last_read(
        LastRead(
            accounts=frozenset({"prod", "lab"}),
            resources_read={"prod": NOW - MINUTE},
            resource_gaps={"lab": "instances: HTTP 403"},
        )
    )
    found = status(store).resources
    assert found == (
        ResourceHealth(account="lab", instances=1, endpoints=0, read_at=None, error="instances: HTTP 403"),
        ResourceHealth(account="prod", instances=3, endpoints=2, read_at=NOW - MINUTE, error=""),
    )
    assert [one.text for one in found] == [
        "lab: not read yet; instances: HTTP 403",
        "prod: 3 instances, 2 endpoints, read 2026-01-10 12:04 UTC",
    ]


def test_rules_and_clock_when_something_is_wrong_then_said_last(store: Store) -> None:
    """The first mistake, and how many more; a clock that stops decisions, and none that is merely off."""
    store.cycles.add(a_cycle(timedelta()))
    store.meta.put_rules_file(ReloadOutcome(faults=("first", "second", "third"), loaded_at=NOW, rules=2))
    store.meta.put_clock(ClockRecord(checked_at=NOW, note="the clock is off", is_wrong=True))
    rules = "the rules before the last edit are in force: first (and 2 more)"
    assert status(store).problems == (rules, "the clock is off")
    store.meta.put_clock(ClockRecord(note="not known now"))
    assert store.meta.clock == ClockRecord(checked_at=NOW, note="not known now")
    assert status(store).problems == (rules,)
    store.meta.put_rules_file(ReloadOutcome(faults=("first",), loaded_at=NOW, rules=2))
    assert status(store).problems == (rules.removesuffix(" (and 2 more)"),)


@pytest.mark.parametrize(
    ("next_poll", "text"),
    [
        pytest.param(None, "none is planned", id="none"),
        pytest.param(NOW + 9 * MINUTE, "2026-01-10 12:14 UTC (in 9 min)", id="to come"),
        pytest.param(NOW, "2026-01-10 12:05 UTC (in 0 min)", id="now"),
        pytest.param(NOW - 4 * MINUTE, "2026-01-10 12:01 UTC (overdue for 4 min)", id="past"),
    ],
)
def test_next_poll_when_shown_then_in_or_overdue(store: Store, next_poll: datetime | None, text: str) -> None:
    store.meta.put_next_poll_at(NOW + HOUR)
    store.meta.put_next_poll_at(next_poll)
    assert status(store).next_poll_text == text


def test_alerts_when_counted_then_by_state(store: Store) -> None:
    alerts = [replace(firing(), fingerprint=f"{number:016x}") for number in range(3)]
    alerts += [replace(firing(), fingerprint="p" * 16, state=AlertState.PENDING)]
    alerts += [replace(firing(), fingerprint="r" * 16, state=AlertState.RESOLVED, resolved_at=NOW)]
    store.save_decisions(alerts=alerts)
    found = status(store)
    assert (found.firing, found.pending, len(found.open_alerts)) == (3, 1, 4)


def test_report_of_a_cycle_when_shown_then_each_figure_is_its_own() -> None:
    """The log's line, the history of cycles and `alertd status` have these."""
    report = CycleReport(
        started_at=NOW,
        rows=1,
        ranges=2,
        hours_changed=3,
        hours_doubted=4,
        rows_rounded=5,
        firing=6,
        pending=7,
        notifications=8,
        read_s=0.009,
        evaluate_s=0.010,
        decide_s=0.011,
        errors=["a", "b"],
        rule_errors=["c", "d"],
    )
    assert dict(report.figures()) == {
        "rows": 1,
        "ranges": 2,
        "hours_changed": 3,
        "hours_doubted": 4,
        "rows_rounded": 5,
        "firing": 6,
        "pending": 7,
        "notifications": 8,
        "read_ms": 9,
        "evaluate_ms": 10,
        "decide_ms": 11,
        "errors": "a; b",
        "rule_errors": "c, d",
    }
    assert not report.is_ok
    assert not replace(report, errors=[]).is_ok
    assert not replace(report, rule_errors=[]).is_ok
    assert replace(report, errors=[], rule_errors=[]).is_ok


def test_report_of_a_cycle_when_it_decides_twice_then_all_that_was_sent_and_what_is_open_at_the_end() -> None:
    """What rises during a long read is decided before the rest."""
    report = CycleReport(started_at=NOW)
    rises, falls = firing(owner="gpu-1"), firing(owner="gpu-2")
    over = replace(rises, state=AlertState.RESOLVED, resolved_at=NOW)
    report.note(decided(move(None, rises), sends=2), [rises])
    assert (report.notifications, report.firing, report.pending) == (2, 1, 0)
    waits = replace(falls, fingerprint="p" * 16, state=AlertState.PENDING)
    report.note(decided(move(rises, over), move(falls, falls), sends=1), [over, falls, waits])
    assert (report.notifications, report.firing, report.pending) == (3, 1, 1)
    assert report.moves == [
        f"gpu-24h {rises.fingerprint}: none -> firing (warning)",
        f"gpu-24h {rises.fingerprint}: firing (warning) -> resolved",
    ]


def decided(*moves: Move, sends: int) -> Decisions:
    entries = tuple(entry(number) for number in range(sends))
    return Decisions(alerts=tuple(one.after for one in moves), moves=moves, entries=entries, folded={}, held={})
