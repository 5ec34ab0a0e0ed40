"""A daemon on a virtual clock, over a billing API with the true time, and what its receiver got and when."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, cast

from pydantic import BaseModel, SecretStr

from alertd.core.alert import AlertState
from alertd.core.alerts.reason import NotifyReason
from alertd.core.hours import HourRange, hour_of
from alertd.core.messages.message import AlertFacts, Message
from alertd.core.resources import Listing, ResourceKind
from alertd.core.spend.bill import Balance, BillRows, KeyBills, MonthlyBill
from alertd.daemon.app import App, open_app
from alertd.daemon.poll import poll
from alertd.errors import ApiUnavailable
from alertd.notify.base import CannotLook, Delivered, Envelope, Notifier, Outcome
from alertd.rules_file.load import load_rules
from alertd.settings.model import Settings
from alertd.store.store import Store
from tests.core.builders import Row, bill_rows, row
from tests.virtual_clock import VirtualClock

POLL = timedelta(minutes=10)
RULES = """
version: 1
receivers: [{name: pager, type: webhook, url: "http://127.0.0.1:9/"}]
defaults: {notify: [pager]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 50}}
"""


@dataclass(slots=True, kw_only=True)
class Billing:
    """The billing API: rows are shown from their end on, by the true time, and each answer is dated by it."""

    clock: VirtualClock
    rows: list[Row] = field(default_factory=list)
    is_down: bool = False
    app: App | None = None
    date_off: timedelta = timedelta()
    """How far its own clock is ahead."""
    is_undated: bool = False
    """A proxy takes the `Date` out of its answers."""
    asked: int = 0

    def _answer(self) -> None:
        self.asked += 1
        asked_s = self.clock.elapsed_s()
        if self.is_down:
            raise ApiUnavailable("no answer", account="default", what="bills")
        assert self.app is not None
        date = (self.clock.true + self.date_off).replace(microsecond=0)
        self.app.time.hear("default", None if self.is_undated else date, asked_s)

    async def ask_time(self) -> None:
        self._answer()

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        self._answer()
        now = hour_of(self.clock.true)
        mine = (r for r in self.rows if r.series.category == category and span.start <= r.hour < span.end)
        return bill_rows([r for r in mine if r.hour + r.span <= now])

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return ()

    async def read_resources(self, kind: ResourceKind) -> Listing:
        return Listing(entries=())

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        self._answer()
        return KeyBills(rows=bill_rows([]), keys=())

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        self._answer()
        return ()

    async def read_balance(self, read_at: datetime) -> Balance:
        self._answer()
        raise ApiUnavailable("none", account="default", what="balance")


def _said(message: Message, alert: AlertFacts) -> list[str]:
    """Return what a message says of an alert: one of many has a reason of its own, and an end may bring what waited."""
    if message.reason is NotifyReason.STORM:
        return ["resolved" if alert.is_resolved else "firing"]
    waited = ["firing"] if message.is_resolved and any("late: firing" in line for line in message.history) else []
    return [*waited, message.reason.value]


class Pager:
    """A receiver that takes everything, or answers what it is given."""

    Config: ClassVar[type[BaseModel]] = BaseModel
    deadline: ClassVar[timedelta] = timedelta(seconds=30)
    pace: ClassVar[timedelta] = timedelta()
    can_look_up = False
    recipients = ("",)

    def __init__(self, clock: VirtualClock, *, answer: Outcome | None = None) -> None:
        self.clock = clock
        self.answer = answer or Delivered()
        self.got: list[tuple[datetime, str, str]] = []
        """(true time, reason, rule and owner)."""

    async def send(self, envelope: Envelope) -> Outcome:
        # What leaves is dated by the notifier's own look at the clock.
        self.clock.wall()
        if isinstance(self.answer, Delivered):
            for one in envelope.message.alerts:
                label = f"{one.rule}{dict(one.labels).get('owner', '')}"
                self.got += [(self.clock.true, reason, label) for reason in _said(envelope.message, one)]
        return self.answer

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> CannotLook:
        return CannotLook("never asked")

    async def close(self) -> None:
        pass


@dataclass(slots=True, kw_only=True)
class Life:
    """The daemon of one process, and the world around it."""

    clock: VirtualClock
    billing: Billing
    pager: Pager
    app: App

    async def poll(self, count: int = 1, *, every: timedelta = POLL) -> None:
        """Poll and deliver, as the service does each interval; time passes after each."""
        for _ in range(count):
            await poll(self.app)
            await self.app.delivery.drain(patience=timedelta())
            self.clock.pass_time(every)

    @property
    def sent(self) -> list[tuple[str, str]]:
        """Reason and alert of all that was delivered, but of alertd's own clock."""
        return [(reason, what) for _, reason, what in self.pager.got if what != "alertd-clock"]

    @property
    def about_clock(self) -> list[str]:
        """Why alertd's own clock was notified."""
        return [reason for _, reason, what in self.pager.got if what == "alertd-clock"]

    def firing(self) -> set[str]:
        """Rule and owner of what fires."""
        open_alerts = self.app.cycle.open_alerts()
        return {
            f"{one.rule}{dict(one.labels).get('owner', '')}" for one in open_alerts if one.state is AlertState.FIRING
        }


@asynccontextmanager
async def living(
    folder: Path, clock: VirtualClock, *, billing: Billing | None = None, rules: str = RULES, pager: Pager | None = None
) -> AsyncIterator[Life]:
    """Start a daemon on a folder's store; a second one in the same folder is its restart."""
    path = folder / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    url = f"sqlite:///{folder / 'alertd.db'}"
    settings = Settings.model_construct(rules=path, database_url=url, novita_api_key=SecretStr("key"))
    billing, pager = billing or Billing(clock=clock), pager or Pager(clock)
    async with open_app(
        settings,
        load_rules(path),
        open_store=lambda: Store.open(url, now=clock.wall()),
        notifiers={"pager": cast("Notifier", pager)},
        sources={"default": billing},
        clock=clock,
    ) as app:
        billing.app = app
        await app.delivery.recover()
        yield Life(clock=clock, billing=billing, pager=pager, app=app)


def hourly(owner: str, amount: str, first: int, last: int) -> list[Row]:
    """Return a row for each hour from the first up to and without the last."""
    return [row(hour, amount, owner=owner) for hour in range(first, last)]
