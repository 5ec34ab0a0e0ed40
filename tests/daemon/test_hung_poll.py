"""A billing API that never answers, for everything or for one category: what it does not answer holds up no other."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from alertd.core.hours import HourRange, hour_of
from alertd.core.spend.bill import BillRows
from alertd.daemon.app import open_app
from alertd.daemon.service import Service
from alertd.daemon.signals import Signals
from alertd.daemon.systemd import ServiceManager
from alertd.daemon.watchdog import CYCLE_DEADLINE
from alertd.errors import ApiUnavailable
from alertd.notify.base import Envelope, Notifier, Outcome
from alertd.rules_file.load import load_rules
from alertd.rules_file.watch import RulesWatch
from alertd.settings.model import Settings
from alertd.store.store import Store
from tests.core.builders import row
from tests.daemon.clock_life import RULES, Billing, Pager
from tests.soak.loop import HastyLoop, system_of
from tests.virtual_clock import VirtualClock

START = datetime(2026, 1, 12, 9, tzinfo=UTC)
POLL = timedelta(minutes=45)


@dataclass(slots=True, kw_only=True)
class Hanging(Billing):
    """Never answers the first cycle, and all later ones at once."""

    began: list[float]
    answered: asyncio.Event

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        loop = asyncio.get_running_loop()
        self.clock.true = START + timedelta(seconds=loop.time())
        self.began.append(loop.time())
        if loop.time() < CYCLE_DEADLINE.total_seconds():
            await asyncio.Event().wait()
        self.answered.set()
        return await Billing.read_bills(self, category, span)


@dataclass(slots=True, kw_only=True)
class OneHangs(Billing):
    """Has bills from the second poll on, and then never answers for a category until somebody was notified."""

    notified: asyncio.Event

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        loop = asyncio.get_running_loop()
        self.clock.true = START + timedelta(seconds=loop.time())
        if category == "llm" and loop.time() >= POLL.total_seconds():
            await self.notified.wait()
        if not self.rows and loop.time() >= POLL.total_seconds():
            self.rows.append(row(hour_of(START) - 1, "80"))
        return await Billing.read_bills(self, category, span)


@dataclass(slots=True, kw_only=True)
class OneFailsLate(Billing):
    """Has spend that stopped; from the fifth poll on a category fails, half a minute after all others have answered."""

    failed_twice: asyncio.Event
    failures: int = 0

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        loop = asyncio.get_running_loop()
        self.clock.true = START + timedelta(seconds=loop.time())
        if category == "llm" and loop.time() >= 4 * POLL.total_seconds():
            self.failures += 1
            if self.failures == 2:
                self.failed_twice.set()
            await asyncio.sleep(30)
            raise ApiUnavailable("no answer", account="default", what="bills")
        return await Billing.read_bills(self, category, span)


class Notified(Pager):
    """Notes on the loop's clock when it was sent something."""

    def __init__(self, clock: VirtualClock, notified: asyncio.Event) -> None:
        super().__init__(clock)
        self.notified, self.at_s = notified, 0.0

    async def send(self, envelope: Envelope) -> Outcome:
        self.at_s = self.at_s or asyncio.get_running_loop().time()
        self.notified.set()
        return await super().send(envelope)


async def _life(
    folder: Path, billing: Billing, pager: Pager, *, until: asyncio.Event, rules: str = RULES, polls: int = 3
) -> None:
    path = folder / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    url = f"sqlite:///{folder / 'alertd.db'}"
    settings = Settings.model_construct(
        rules=path, database_url=url, novita_api_key=SecretStr("key"), poll_interval=POLL, http_listen="off"
    )
    signals = Signals()
    async with open_app(
        settings,
        load_rules(path),
        open_store=lambda: Store.open(url, now=START),
        notifiers={"pager": cast("Notifier", pager)},
        sources={"default": billing},
    ) as app:
        billing.app = app
        service = Service(app, watch=RulesWatch(path), manager=ServiceManager(), signals=signals)
        running = asyncio.create_task(service.run())
        async with asyncio.timeout(polls * POLL.total_seconds()):
            await until.wait()
        signals.stop.set()
        await running


def test_poll_when_the_api_never_answers_then_cancelled_at_its_deadline_and_the_next_turn_reads(tmp_path: Path) -> None:
    """It waited for ever, and nobody read a bill until somebody started alertd anew."""
    loop, clock, answered = HastyLoop(), VirtualClock(true=START), asyncio.Event()
    billing = Hanging(clock=clock, began=[], answered=answered)
    try:
        with system_of(loop, START), capture_logs() as logs:
            loop.run_until_complete(_life(tmp_path, billing, Pager(clock), until=answered))
    finally:
        loop.close()
    assert [line["after_s"] for line in logs if line["event"] == "cycle timed out"] == [CYCLE_DEADLINE.total_seconds()]
    assert {billing.began[0], billing.began[-1]} == {0.0, POLL.total_seconds()}


def test_poll_when_one_category_hangs_then_what_the_others_brought_is_notified_before_it_answers(
    tmp_path: Path,
) -> None:
    """One category without an answer kept the alerts of all accounts for three time-outs and two waits."""
    loop, clock, notified = HastyLoop(), VirtualClock(true=START), asyncio.Event()
    billing = OneHangs(clock=clock, notified=notified)
    pager = Notified(clock, notified)
    try:
        with system_of(loop, START):
            loop.run_until_complete(_life(tmp_path, billing, pager, until=notified))
    finally:
        loop.close()
    assert POLL.total_seconds() < pager.at_s < POLL.total_seconds() + 15


@pytest.mark.slow
def test_poll_when_one_category_fails_late_then_no_alert_on_it_ends_before_that_is_known(tmp_path: Path) -> None:
    """While a read goes on an alert may begin or rise only: the category that is awaited may be the one that fails."""
    loop, clock, failed_twice = HastyLoop(), VirtualClock(true=START), asyncio.Event()
    billing = OneFailsLate(clock=clock, rows=[row(hour_of(START) - 1, "80")], failed_twice=failed_twice)
    pager = Pager(clock)
    rules = RULES.replace("category: gpu, group_by: [owner], window: 24h", "window: 1h")
    try:
        with system_of(loop, START):
            loop.run_until_complete(_life(tmp_path, billing, pager, until=failed_twice, rules=rules, polls=8))
    finally:
        loop.close()
    assert [reason for _, reason, _ in pager.got] == ["firing"]
