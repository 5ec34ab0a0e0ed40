"""A whole service in this process, with a Slack and a service manager that listen; only the billing API is made up."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from alertd.clock import SYSTEM_CLOCK, Clock
from alertd.daemon import reload as reload_module
from alertd.daemon.actions import InstanceApi
from alertd.daemon.app import App, open_app
from alertd.daemon.service import Service
from alertd.daemon.signals import Signals
from alertd.daemon.systemd import ServiceManager
from alertd.notify.base import Notifier
from alertd.rules_file.load import load_rules
from alertd.rules_file.watch import RulesWatch
from alertd.settings.model import Settings
from alertd.store.store import Store
from tests.core.builders import NOW
from tests.doubles import BOT_TOKEN
from tests.socket_double import APP_TOKEN, SocketSlackDouble
from tests.web.house import Account

SLACK_RULES = """
version: 1
owners:
  - {match: gpu-1, name: trainer-a, team: research}
receivers: [{name: finops, type: slack, channel: "#finops"}]
defaults: {notify: [finops], timezone: Europe/Berlin}
rules:
  - name: gpu-24h
    type: rolling_spend
    category: gpu
    group_by: [owner]
    window: 24h
    thresholds: {warning: 50}
    summary: "{{ owner_name }} is at {{ value | usd }} a day"
"""


class Manager(ServiceManager):
    """Keeps what the service manager would hear."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def _send(self, *lines: str) -> None:
        self.heard += lines


@dataclass(slots=True, kw_only=True)
class Served:
    """A service that runs, and the world around it."""

    app: App
    path: Path
    account: Account
    slack: SocketSlackDouble
    manager: Manager
    signals: Signals
    service: Service
    clock: list[datetime] = field(default_factory=lambda: [NOW])

    async def polled(self, count: int = 1) -> None:
        """Wait until so many polls have ended, with what follows them."""
        await until(lambda: sum(line.startswith("STATUS=") for line in self.manager.heard) >= count)

    async def settled(self, count: int) -> None:
        """Wait until so many polls have ended, and what each of them asks for: reports, and deleting what is old."""
        await self.polled(count)
        service = self.service
        await until(lambda: not service._reports_asked.is_set() and not service._maintain_asked.is_set())
        async with service._turn:
            pass

    def edit(self, text: str) -> None:
        """Replace the rules file at once, as an editor does."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self.path)

    async def asked_in_slack(self, text: str, *, user: str = "U0000DANA") -> str:
        """Type `/alertd` and return what it answers to that person alone."""
        await until(lambda: self.slack.is_connected)
        count = len(self.slack.whispers)
        await self.slack.type_command(text, user=user)
        await until(lambda: len(self.slack.whispers) > count)
        person, answer = self.slack.whispers[-1]
        assert person == user
        return answer


async def until(what: Callable[[], bool]) -> None:
    """Wait for what sets no event."""
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    rules: str = SLACK_RULES,
    account: Account | None = None,
    instances: Mapping[tuple[str, str], InstanceApi] | None = None,
    instances_after: Mapping[tuple[str, str], InstanceApi] | None = None,
    notifiers: Mapping[str, Notifier] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    **settings: Any,
) -> AsyncIterator[Served]:
    """
    Run a service until the block is left; then stop it as SIGTERM does.

    Args:
        instances_after: What carries actions out once the rules were edited.
        clock: The clocks of the system; what the daemon takes for the present is turned by hand.
        settings: By name, over those of a service with Slack and without a page.
    """
    path = folder / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    url = f"sqlite:///{folder / 'alertd.db'}"
    present = [NOW]
    account = account or Account()
    with pytest.MonkeyPatch.context() as patched:
        # Looked at often, so that tests need not wait; and an edit brings the same account again.
        patched.setattr(reload_module, "_LOOK_S", 0.01)
        patched.setattr(reload_module, "open_sources", lambda *_given, **_named: {"default": account})
        patched.setattr(reload_module, "open_instances", lambda *_given, **_named: instances_after or {})
        async with SocketSlackDouble() as slack:
            values: dict[str, Any] = {
                "rules": path,
                "database_url": url,
                "novita_api_key": SecretStr("key"),
                "slack_base_url": slack.base_url,
                "slack_bot_token": SecretStr(BOT_TOKEN),
                "slack_app_token": SecretStr(APP_TOKEN),
                "http_listen": "off",
                "poll_interval": timedelta(minutes=10),
                **settings,
            }
            given = Settings.model_construct(**values)
            async with open_app(
                given,
                load_rules(path),
                open_store=lambda: Store.open(url, now=NOW),
                sources={"default": account},
                instances=instances,
                notifiers=notifiers,
                now=lambda: present[0],
                clock=clock,
            ) as app:
                manager, signals = Manager(), Signals()
                service = Service(app, watch=RulesWatch(path), manager=manager, signals=signals)
                running = asyncio.create_task(service.run())
                try:
                    yield Served(
                        app=app,
                        path=path,
                        account=account,
                        slack=slack,
                        manager=manager,
                        signals=signals,
                        service=service,
                        clock=present,
                    )
                finally:
                    signals.stop.set()
                    async with asyncio.timeout(20):
                        await running
