"""Reports as the daemon files them: real store and facts, a clock turned by hand."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alertd.core.alert import Alert
from alertd.core.alerts.audience import Audience, LinkTargets
from alertd.core.hours import hour_of
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.rules.facts import Facts
from alertd.daemon.reports import Reporter, timetables
from alertd.daemon.state import Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.rules_file.model import Report
from alertd.rules_file.moments import Schedule, Zone
from alertd.rules_file.values import Name, Names
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import SETTLE, Desk, desk_with, firing, row

MONDAY = datetime(2026, 1, 12, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEEKLY = Report(
    name=Name("weekly"), schedule=Schedule("0 9 * * mon"), group_by=("category",), notify=Names(("finops", "post"))
)
PLAN = Plan(
    accounts={},
    settle_delay=SETTLE,
    rules=(),
    audience=Audience(
        targets=LinkTargets(status="https://alertd.example.com"),
        recipients={"finops": ("#finops", "#cto"), "post": ("a@example.com",)},
    ),
    headline_of=lambda alert, _rule: alert.headline,
)


class Desks:
    """Facts of a desk, as a cycle knows them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.looks = 0

    async def look(self, now: datetime) -> Facts:
        self.looks += 1
        return self.desk.facts(now)

    def open_alerts(self) -> list[Alert]:
        return [firing(now=MONDAY - timedelta(days=1))]


class Daemon:
    """A reporter over a store file; each context is a process of its own."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self.known = Desks(desk_with(row(hour_of(MONDAY) - 5, "5"), now=MONDAY))

    @asynccontextmanager
    async def running(self, *reports: Report, plan: Plan = PLAN) -> AsyncIterator[Reporter]:
        thread = await StoreThread.start(lambda: Store.open(self.url, now=MONDAY))
        gateway = StoreGateway(thread)
        try:
            yield Reporter(
                store=gateway,
                source=self.known,
                install_id=await gateway.call(lambda store: store.meta.install_id),
                reports=timetables(reports),
                plan=plan,
            )
        finally:
            await thread.close()

    def filed(self) -> list[OutboxEntry]:
        with self.store() as store:
            return list(store.outbox.open_entries())

    @contextmanager
    def store(self) -> Iterator[Store]:
        store = Store.open_read_only(self.url)
        try:
            yield store
        finally:
            store.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Daemon:
    return Daemon(tmp_path / "alertd.db")


async def test_report_when_due_then_filed_once_for_each_recipient(daemon: Daemon) -> None:
    """New, then nothing until its time, then one entry a recipient, then nothing again."""
    async with daemon.running(WEEKLY) as reporter:
        for minutes in (-60, -1):
            assert await reporter.run(MONDAY + minutes * MINUTE)
        assert (daemon.filed(), daemon.known.looks) == ([], 0)
        for minutes in (0, 1, 600):
            assert await reporter.run(MONDAY + minutes * MINUTE)
    found = daemon.filed()
    assert [(entry.receiver, entry.recipient) for entry in found] == [
        ("finops", "#finops"),
        ("finops", "#cto"),
        ("post", "a@example.com"),
    ]
    assert len({entry.key for entry in found}) == 3
    assert all(entry.is_report and entry.message == found[0].message for entry in found)
    assert found[0].message.title.startswith("weekly: $5.00 spent in 7d")
    assert "Alerts: 1 firing" in [section.title for section in found[0].message.sections]
    assert found[0].created_at == MONDAY
    assert [link.url for link in found[0].message.links] == ["https://alertd.example.com/"]


async def test_report_when_missed_while_stopped_then_filed_once_after_the_start(daemon: Daemon) -> None:
    """A restart at the wrong minute must not cost the week's report, nor bring it twice."""
    async with daemon.running(WEEKLY) as reporter:
        await reporter.run(MONDAY - timedelta(days=3))
    for minutes in (200, 201):
        async with daemon.running(WEEKLY) as reporter:
            await reporter.run(MONDAY + minutes * MINUTE)
    assert len(daemon.filed()) == 3


async def test_report_when_missed_by_more_than_a_day_then_skipped_with_one_line(daemon: Daemon) -> None:
    """Nobody needs Monday's report on Wednesday; the log says that it was not sent."""
    async with daemon.running(WEEKLY) as reporter:
        await reporter.run(MONDAY - timedelta(days=3))
        with capture_logs() as logs:
            await reporter.run(MONDAY + timedelta(days=2))
            await reporter.run(MONDAY + timedelta(days=2, minutes=1))
    assert [(log["event"], log["scheduled"]) for log in logs] == [("report skipped", MONDAY.isoformat())]
    assert daemon.filed() == []


@pytest.mark.parametrize(
    ("changed", "copies"),
    [
        pytest.param(replace(WEEKLY, name=Name("mondays")), 3, id="renamed: a new report, not due before next week"),
        pytest.param(replace(WEEKLY, schedule=Schedule("5 9 * * mon")), 6, id="a later time of the same day"),
        pytest.param(replace(WEEKLY, schedule=Schedule("0 8 * * mon")), 3, id="an earlier time: next week"),
        pytest.param(replace(WEEKLY, timezone=Zone("Europe/Berlin")), 3, id="another zone: next week"),
        pytest.param(replace(WEEKLY, period=timedelta(days=1)), 3, id="another period: sent already"),
        pytest.param(replace(WEEKLY, notify=Names(("post",))), 3, id="other receivers: sent already"),
    ],
)
async def test_report_when_edited_and_reloaded_after_it_was_sent_then(
    changed: Report, copies: int, daemon: Daemon
) -> None:
    """An edit of a report is no reason to send it again; another schedule counts from the edit on."""
    async with daemon.running(WEEKLY) as reporter:
        await reporter.run(MONDAY - MINUTE)
        await reporter.run(MONDAY)
        reporter.use(timetables([changed]), PLAN)
        for minutes in (1, 2, 5, 30):
            await reporter.run(MONDAY + minutes * MINUTE)
    assert len(daemon.filed()) == copies


async def test_report_when_its_receivers_are_gone_then_is_dealt_with(daemon: Daemon) -> None:
    """`alertd check` refuses it; a plan without the receiver must not make the daemon try each minute."""
    async with daemon.running(WEEKLY, plan=replace(PLAN, audience=Audience())) as reporter:
        await reporter.run(MONDAY - MINUTE)
        await reporter.run(MONDAY)
        await reporter.run(MONDAY + MINUTE)
    assert (daemon.filed(), daemon.known.looks) == ([], 1)


async def test_report_when_one_fails_then_the_others_go_and_it_is_tried_again(daemon: Daemon) -> None:
    """A fault in one report costs no other, and its own is late and not lost."""
    broken = replace(WEEKLY, name=Name("broken"), timezone=Zone("UTC"), group_by=("owner",))
    look = daemon.known.look
    faults = [OverflowError("too much")]

    async def failing(now: datetime) -> Facts:
        if faults:
            raise faults.pop()
        return await look(now)

    async with daemon.running(broken, WEEKLY) as reporter:
        await reporter.run(MONDAY - MINUTE)
        daemon.known.look = failing  # type: ignore[method-assign]
        with capture_logs() as logs:
            assert not await reporter.run(MONDAY)
        assert [log["report"] for log in logs if log["event"] == "report failed"] == ["broken"]
        assert {entry.group for entry in daemon.filed()} == {"report weekly"}
        assert await reporter.run(MONDAY + MINUTE)
    assert sorted(entry.group for entry in daemon.filed()) == ["report broken"] * 3 + ["report weekly"] * 3


async def test_mark_when_it_cannot_be_stored_then_no_message_is(daemon: Daemon) -> None:
    """Message and mark are one transaction: half of it would be a report twice, or none."""
    async with daemon.running(WEEKLY) as reporter:
        await reporter.run(MONDAY - MINUTE)
        refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        execute(daemon, refuse)
        with capture_logs():
            assert not await reporter.run(MONDAY)
        assert daemon.filed() == []
        execute(daemon, "DROP TRIGGER refuse")
        await reporter.run(MONDAY + MINUTE)
    assert len(daemon.filed()) == 3


def execute(daemon: Daemon, sql: str) -> None:
    connection = sqlite3.connect(daemon.url.removeprefix("sqlite:///"))
    with connection:
        connection.execute(sql)
    connection.close()
