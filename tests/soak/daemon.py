"""
The daemon as `alertd run` starts it, over a billing API, a webhook, a mail server and a dead man's switch on loopback.

Instances come and go each day, requests fail, rules are edited, people acknowledge and look at the page, and every ten
days the daemon is started anew. Only the pauses between looks at files and clocks are longer than in production.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
from aiohttp import web, web_app
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from alertd.cli import run as run_command
from alertd.daemon.control_socket import socket_path
from alertd.daemon.signals import Signals
from alertd.daemon.systemd import ServiceManager
from alertd.settings.model import Settings
from alertd.simulator.faults import mild_faults
from alertd.simulator.meters import Meter
from alertd.simulator.scenarios import busy_month
from alertd.simulator.server import BillingSimulator
from alertd.simulator.wire import encode_row
from alertd.simulator.world import World
from tests.mail_double import MailDouble
from tests.ports import free_port

START = datetime(2026, 1, 1, tzinfo=UTC)
POLL = timedelta(hours=8)
PACES: Mapping[str, object] = {
    "alertd.daemon.reload._LOOK_S": 1800.0,
    "alertd.daemon.service._CLOCK_EVERY_S": 1800.0,
    "alertd.daemon.service._REPORTS_EVERY": timedelta(hours=1),
    "alertd.daemon.service.MIRROR_EVERY": timedelta(hours=1),
    "alertd.daemon.service.ASK_EVERY_S": 1800.0,
    "alertd.daemon.watchdog.ASK_EVERY_S": 1800.0,
    "alertd.daemon.actions.IDLE_S": 1800.0,
    "alertd.notify.delivery.deliver._LONGEST_NAP_S": 1800.0,
    # What the simulator remembers is to be there after weeks, and not to grow for years.
    "alertd.simulator.world.MAX_REMEMBERED_ROWS": 8_000,
}
TOKEN = "a-token-of-the-soak"
_PAGES = (
    "/",
    "/spend?window=30d&by=owner",
    "/spend.csv?window=90d&by=product",
    "/api/v1/alerts",
    "/metrics",
    "/readyz",
)
_USUAL_OWNERS = 5
"""Who is simulated costs as much as the daemon; what grows does so with few of them, too."""
_LIFETIME = timedelta(days=3)
RULES = """
version: 1
owners: [{match: "gpu-soak-*", team: research, email: dana@example.com}]
receivers:
  - {name: hook, type: webhook, url_env: SOAK_HOOK}
  - {name: mail, type: email, to: [dana@example.com]}
defaults: {notify: [hook], repeat_interval: 24h}
rules:
  - {name: gpu-24h, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: %(usd)s}}
  - {name: all-30d, type: rolling_spend, window: 30d, thresholds: {warning: 100, critical: 5000}, notify: [mail]}
  - {name: month, type: budget, period: month, amount: 4000, thresholds: {warning: 50%%}, forecast: {warning: 110%%}}
  - {name: quarter, type: budget, period: quarter, amount: 9000, group_by: [team], thresholds: {warning: 60%%}}
  - {name: spiking, type: spike, window: 6h, group_by: [category], thresholds: {warning: 3}}
  - {name: first, type: first_spend, thresholds: {warning: 1}, notify: [owner]}
  - {name: long-running, type: running, thresholds: {warning: 24h, critical: 60h}}
  - {name: overdue, type: monthly_bill, thresholds: {warning: 0d}}
  - {name: low, type: balance, available_below: {warning: 1000}, runway_below: {critical: 2d}}
  - {name: stale, type: data_stale, thresholds: {warning: 12h}}
reports: [{name: daily, schedule: "0 7 * * *", notify: [mail]}]
"""


def soak_world(days: int) -> World:
    """Return an account of a few owners, to which a new instance comes each day, for three days."""
    comers = tuple(
        Meter(
            owner_id=f"gpu-soak-{day:04}",
            product_name="RTX 4090 24GB",
            category="gpu",
            subcategory="Compute",
            usd_per_hour=Decimal("1.25") + Decimal(day % 7) / 4,
            starts_at=START + timedelta(days=day, hours=day % 24),
            ends_at=START + timedelta(days=day, hours=day % 24) + _LIFETIME,
        )
        for day in range(days)
    )
    busy = busy_month(1, START)
    usual = [*busy.meters[:2], *(meter for meter in busy.meters if meter.category != "gpu")][:_USUAL_OWNERS]
    return replace(busy, meters=(*usual, *comers), monthly_top_up_usd=Decimal(5_000))


@dataclass(slots=True, kw_only=True)
class Soak:
    """The daemon's surroundings, and what it did to them."""

    folder: Path
    settings: Settings
    billing: BillingSimulator
    mail: MailDouble
    port: int
    posts: int = 0
    pings: int = 0
    mails: int = 0
    statuses: set[int] = field(default_factory=set)
    _task: asyncio.Task[int] | None = None
    _signals: Signals | None = None

    def start(self) -> None:
        """Start the daemon."""
        self._signals = Signals()
        self._task = asyncio.get_running_loop().create_task(
            run_command._lead(self.settings, ServiceManager(), self._signals)
        )

    async def stop(self) -> None:
        """
        Stop the daemon as SIGTERM does.

        Raises:
            AssertionError: It did not end well.
        """
        assert self._task is not None
        assert self._signals is not None
        self._signals.stop.set()
        assert await self._task == 0
        # It knows the last 1,024 handlers, and through them whole daemons that ended. A process has but one.
        web_app._cached_build_middleware.cache_clear()

    def check(self) -> None:
        """Raise what the daemon ended with, if it ended by itself."""
        assert self._task is not None
        if self._task.done():
            raise AssertionError("the daemon ended by itself") from self._task.exception()

    def write_rules(self, usd: int) -> None:
        """Edit the rules."""
        (self.folder / "rules.yaml").write_text(RULES % {"usd": usd}, encoding="utf-8")

    async def look(self) -> None:
        """Open every page as somebody does, and let them acknowledge what fires."""
        base = f"http://127.0.0.1:{self.port}"
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
            for page in _PAGES:
                async with session.get(base + page) as answer:
                    text = await answer.read()
                    self.statuses.add(answer.status)
                if page == "/api/v1/alerts":
                    await self._acknowledge(json.loads(text)[:1])

    async def _acknowledge(self, alerts: list[dict[str, str]]) -> None:
        database = self.folder / "alertd.db"
        for alert in alerts:
            reader, writer = await asyncio.open_unix_connection(str(socket_path(database)))
            request = {"fingerprint": alert["fingerprint"], "by": "dana"}
            writer.write(json.dumps({"kind": "acknowledge", "request": request}).encode() + b"\n")
            writer.write_eof()
            assert await reader.read()
            writer.close()

    def tidy(self) -> None:
        """Forget what the surroundings keep, so that only the daemon's memory grows, if any does."""
        self.mails += len(self.mail.received)
        self.mail.received.clear()
        self.mail._connections.clear()
        self.billing.requests.clear()
        # 60,000 rows as they were sent: a megabyte a day, for two months.
        encode_row.cache_clear()


@asynccontextmanager
async def surroundings(folder: Path, *, days: int, now: Callable[[], datetime]) -> AsyncIterator[Soak]:
    """Open everything that the daemon talks to."""
    found: list[Soak] = []

    async def take(_: web.Request) -> web.Response:
        found[0].posts += 1
        # One in fifty is refused for now, so that retries are part of every week.
        return web.Response(status=503 if found[0].posts % 50 == 0 else 200)

    async def beat(_: web.Request) -> web.Response:
        found[0].pings += 1
        return web.Response()

    application = web.Application()
    application.add_routes([web.post("/hook", take), web.get("/ping", beat)])
    others = TestServer(application)
    await others.start_server()
    os.environ["SOAK_HOOK"] = str(others.make_url("/hook"))
    try:
        async with (
            BillingSimulator(soak_world(days), now=now, faults=mild_faults(1)) as billing,
            MailDouble() as mail,
        ):
            port = free_port()
            settings = Settings.model_construct(
                rules=folder / "rules.yaml",
                database_url=f"sqlite:///{folder / 'alertd.db'}",
                novita_api_key=SecretStr("sim-key"),
                novita_base_url=billing.base_url,
                poll_interval=POLL,
                http_listen=f"127.0.0.1:{port}",
                http_token=SecretStr(TOKEN),
                heartbeat_url=SecretStr(str(others.make_url("/ping"))),
                smtp_host="127.0.0.1",
                smtp_port=mail.port,
                smtp_security="none",
                smtp_from="alertd@example.com",
            )
            soak = Soak(folder=folder, settings=settings, billing=billing, mail=mail, port=port)
            found.append(soak)
            yield soak
    finally:
        with suppress(asyncio.CancelledError):
            await others.close()
