"""A billing API that never answers: the cycle is cancelled at its deadline, and the next one comes."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from pydantic import SecretStr
from structlog.testing import capture_logs

from alertd.core.hours import HourRange
from alertd.core.spend.bill import BillRows
from alertd.daemon.app import open_app
from alertd.daemon.service import Service
from alertd.daemon.signals import Signals
from alertd.daemon.systemd import ServiceManager
from alertd.daemon.watchdog import CYCLE_DEADLINE
from alertd.notify.base import Notifier
from alertd.rules_file.load import load_rules
from alertd.rules_file.watch import RulesWatch
from alertd.settings.model import Settings
from alertd.store.store import Store
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


async def _life(folder: Path) -> list[float]:
    path = folder / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    url = f"sqlite:///{folder / 'alertd.db'}"
    settings = Settings.model_construct(
        rules=path, database_url=url, novita_api_key=SecretStr("key"), poll_interval=POLL, http_listen="off"
    )
    clock = VirtualClock(true=START)
    billing, signals = Hanging(clock=clock, began=[], answered=asyncio.Event()), Signals()
    async with open_app(
        settings,
        load_rules(path),
        open_store=lambda: Store.open(url, now=START),
        notifiers={"pager": cast("Notifier", Pager(clock))},
        sources={"default": billing},
    ) as app:
        billing.app = app
        service = Service(app, watch=RulesWatch(path), manager=ServiceManager(), signals=signals)
        running = asyncio.create_task(service.run())
        await billing.answered.wait()
        signals.stop.set()
        await running
        return billing.began


def test_poll_when_the_api_never_answers_then_cancelled_at_its_deadline_and_the_next_turn_reads(tmp_path: Path) -> None:
    """It waited for ever, and nobody read a bill until somebody started alertd anew."""
    loop = HastyLoop()
    try:
        with system_of(loop, START), capture_logs() as logs:
            began = loop.run_until_complete(_life(tmp_path))
    finally:
        loop.close()
    assert [line["after_s"] for line in logs if line["event"] == "cycle cancelled"] == [CYCLE_DEADLINE.total_seconds()]
    assert {began[0], began[-1]} == {0.0, POLL.total_seconds()}
