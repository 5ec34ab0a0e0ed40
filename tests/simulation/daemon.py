"""
The daemon of one process, as `alertd run` starts it: its own composition, over a simulated system.

What belongs to the system is replaced, and nothing else: clocks, randomness, the network, the thread of the store. The
pauses between checks of files, clocks and queues are longer than in production, in step with polls every four hours.
"""

import gc
import logging
import os
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx
import structlog
from pydantic import SecretStr

from alertd.cli import run as run_command
from alertd.core.alert import Alert
from alertd.core.hours import HourRange
from alertd.core.spend.lists import View
from alertd.core.spend.selection import SpendQuery
from alertd.daemon import app as daemon_app
from alertd.daemon.app import App
from alertd.daemon.signals import Signals
from alertd.daemon.systemd import ServiceManager
from alertd.rules_test.run import InlineExecutor
from alertd.settings.model import Settings
from alertd.settings.outgoing.connections import Outgoing
from alertd.store.store import Store
from tests.simulation.kill import Connection, Process
from tests.simulation.loop import Killed, SimulatedLoop
from tests.simulation.plan import POLL_S
from tests.simulation.receivers import Network
from tests.simulation.slack import BASE_URL, TOKEN
from tests.simulation.world import HOST

SETTLE = timedelta(hours=2)
PACES: Mapping[str, object] = {
    "alertd.daemon.reload._LOOK_S": 1800.0,
    "alertd.daemon.service._CLOCK_EVERY_S": 1800.0,
    "alertd.daemon.service._REPORTS_EVERY": timedelta(hours=4),
    "alertd.daemon.service.MESSAGES_KEPT": timedelta(hours=20),
    "alertd.daemon.service.MIRROR_EVERY": timedelta(hours=4),
    "alertd.daemon.service.ASK_EVERY_S": 3600.0,
    "alertd.daemon.watchdog.ASK_EVERY_S": 3600.0,
    "alertd.daemon.actions.IDLE_S": 7200.0,
    "alertd.notify.delivery.deliver._LONGEST_NAP_S": 3600.0,
    "alertd.notify.delivery.backoff.LONGEST_WAIT": timedelta(minutes=50),
}


class System:
    """The clocks of the computer, through all lives of the daemon: they are patched in where alertd asks."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.loop_s: Callable[[], float] = lambda: 0.0
        self.suspended_s = 0.0
        self.off_s = 0.0
        self.drift = 0.0
        self.set_at_s = 0.0

    @property
    def true_s(self) -> float:
        """True seconds since the start; the loop's clock stands still while the system sleeps."""
        return self.loop_s() + self.suspended_s

    def wall(self) -> datetime:
        """Return the wall clock, UTC."""
        true_s = self.true_s
        return self.start + timedelta(seconds=true_s + self.off_s + self.drift * (true_s - self.set_at_s))

    def set_wall(self, off_s: float, drift_ppm: float) -> None:
        """Set the wall clock."""
        self.off_s, self.drift, self.set_at_s = off_s, drift_ppm / 1e6, self.true_s


class _Kind(type):
    def __instancecheck__(cls, other: object) -> bool:
        return isinstance(other, datetime)


class SimulatedOutgoing(Outgoing):
    """Connects to the simulated network alone."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        object.__setattr__(self, "network", network)

    def http_client(self, url: str, **named: Any) -> httpx.AsyncClient:
        """Return a client whose connections are simulated."""
        return super().http_client(url, **{**named, "transport": self.__dict__["network"]})

    def aiohttp_connector(self, url: str, **_named: Any) -> Any:
        """Return a connector whose connections are simulated."""
        import aiohttp  # noqa: PLC0415 -- most worlds have no Slack, and it takes long

        return aiohttp.UnixConnector(urlsplit(url).hostname or "")


@contextmanager
def simulated_system(system: System, seed: int, *, on_log: Callable[[str, dict[str, Any]], None]) -> Iterator[None]:
    """Replace the clocks, randomness, threads and log of this process while the block runs."""

    class Wall(datetime, metaclass=_Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return system.wall().astimezone(tz or UTC)

    clocks = SimpleNamespace(
        CLOCK_BOOTTIME=7, clock_gettime=lambda _clock: 1e6 + system.true_s, monotonic=lambda: 1e6 + system.loop_s()
    )
    rng = random.Random(seed)
    chance = SimpleNamespace(random=rng.random, Random=lambda: random.Random(rng.random()))

    def log(_logger: Any, method: str, event: Any) -> Any:
        on_log(method, event)
        raise structlog.DropEvent

    before = structlog.get_config()
    with ExitStack() as stack:
        for name, value in PACES.items():
            stack.enter_context(patch(name, value))
        for module in (
            "alertd.clock",
            "apscheduler.schedulers.base",
            "apscheduler.triggers.interval",
            "apscheduler.executors.base",
        ):
            stack.enter_context(patch(f"{module}.datetime", Wall))
        stack.enter_context(patch("alertd.clock.time", clocks))
        stack.enter_context(patch("alertd.daemon.app.random", chance))
        stack.enter_context(patch("alertd.novita.transport.random", chance))
        # The install's id is chance too.
        system_calls = SimpleNamespace(**{**vars(os), "urandom": rng.randbytes})
        stack.enter_context(patch("alertd.store.store.os", system_calls))
        stack.enter_context(patch("alertd.store.thread.ThreadPoolExecutor", lambda **_named: InlineExecutor()))
        structlog.configure(
            processors=[log],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=False,
        )
        logging.disable(logging.CRITICAL)
        # Coroutines of a process that was killed are collected whenever it suits, and complain that they are.
        stack.enter_context(patch("sys.unraisablehook", lambda _unraisable: None))
        try:
            yield
            # What killed processes left behind complains while it is collected: here nobody listens.
            gc.collect()
        finally:
            logging.disable(logging.NOTSET)
            structlog.configure(**before)


def _place(group: Mapping[str, str]) -> tuple[str, str]:
    """Return category and owner as the world calls them."""
    account = group["account"]
    return f"{group['category']}{'' if account == 'default' else f'@{account}'}", group["owner"]


class Life:
    """
    One process, from its start until it ends or is killed.

    Args:
        folder: Where rules and database are; they outlive it.
    """

    def __init__(self, system: System, network: Network, folder: Path, now_s: float) -> None:
        self.system = system
        self.loop = SimulatedLoop(now_s, connect=network.slack.connect)
        self.process = Process(self.loop)
        self.app: App | None = None
        self._network = network
        network.slack.said_by = self._message_of
        self._folder = folder
        system.loop_s = self.loop.time
        self._task = self.loop.create_task(self._run())

    @property
    def is_over(self) -> bool:
        """Whether it ended by itself."""
        return self._task.done()

    @property
    def error(self) -> BaseException | None:
        """What it ended with."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    def open_alerts(self) -> Sequence[Alert]:
        """Return the alerts in its store that have not ended."""
        return self.process.stores[-1].alerts.open_alerts()

    def _message_of(self, key: str) -> str:
        """Return a message of the outbox, as JSON."""
        row = (
            self.process.stores[-1]
            ._database._connection.execute(  # type: ignore[attr-defined]
                "SELECT message FROM outbox WHERE delivery_key = ?", (key,)
            )
            .fetchone()
        )
        return str(row[0])

    def spend(self) -> tuple[int, dict[tuple[str, str], int]] | None:
        """Return the first hour that is known, and what each category's owner spent since, in 1e-10 USD."""
        view = self.app.cycle._views.of.get(View.USAGE) if self.app is not None else None
        if view is None:
            return None
        query = SpendQuery(group_by=("account", "category", "owner"))
        found = view.exact_sums(query, "amount", HourRange(view.span.start, view.span.end))
        return view.span.start, {_place(dict(group)): usd for group, usd in found.items()}

    def run_until(self, at_s: float) -> bool:
        """Run up to a time of the loop's clock; return False where the process was killed before."""
        with self._patched():
            try:
                self.loop.run_until(at_s)
            except Killed:
                return False
        return True

    def bury(self) -> None:
        """End the process where it is."""
        with self._patched():
            self.process.bury()

    @contextmanager
    def _patched(self) -> Iterator[None]:
        life, process = self, self.process

        class Owned(Connection):
            def __init__(self, *args: Any, **named: Any) -> None:
                super().__init__(*args, **named)
                self.process = process
                process.connections.append(self)

        real_open, real_store = daemon_app.open_app, Store.open.__func__  # type: ignore[attr-defined]

        def connect(*args: Any, **named: Any) -> sqlite3.Connection:
            if ":memory:" in args:
                # It belongs to no process: the tests keep a schema to copy.
                return sqlite3.Connection(*args, **named)
            return Owned(*args, **named)

        def open_store(cls: type[Store], *args: Any, **named: Any) -> Store:
            store: Store = real_store(cls, *args, **named)
            process.stores.append(store)
            return store

        class Opening:
            def __init__(self, *args: Any, **named: Any) -> None:
                self._inner = real_open(*args, **named)

            async def __aenter__(self) -> App:
                life.app = await self._inner.__aenter__()
                return life.app

            async def __aexit__(
                self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
            ) -> bool | None:
                return await self._inner.__aexit__(kind, error, trace)

        with (
            patch("sqlite3.connect", connect),
            patch.object(daemon_app, "open_app", Opening),
            patch.object(Store, "open", classmethod(open_store)),
        ):
            yield

    async def _run(self) -> int:
        settings = Settings.model_construct(
            rules=self._folder / "rules.yaml",
            database_url=f"sqlite:///{self._folder / 'alertd.db'}",
            novita_api_key=SecretStr("key-that-reads"),
            novita_base_url=f"https://{HOST}",
            slack_bot_token=SecretStr(TOKEN),
            slack_base_url=BASE_URL,
            poll_interval=timedelta(seconds=POLL_S),
            settle_delay=SETTLE,
            http_listen="off",
        )
        settings.__dict__["outgoing"] = SimulatedOutgoing(self._network)
        return await run_command._lead(settings, ServiceManager(), Signals())
