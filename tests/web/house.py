"""A real daemon with a made-up account, and its status page on a real port: everything but the billing API."""

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from alertd.core.alert import Alert
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.hours import HourRange
from alertd.core.resources import Listing, ResourceKind
from alertd.core.rules.records import ReloadOutcome
from alertd.core.spend.bill import Balance, BillRows, KeyBills, MonthlyBill
from alertd.daemon.actions import InstanceApi
from alertd.daemon.app import App, open_app
from alertd.daemon.receivers import printing_notifiers
from alertd.daemon.status_page import serve_page
from alertd.errors import ApiUnavailable
from alertd.notify.base import Notifier
from alertd.rules_file.load import load_rules
from alertd.settings.listen import Listen
from alertd.settings.model import Settings
from alertd.store.store import Store
from tests.core.builders import NOW, RUNNING, Row, bill_rows, row, usd

TOKEN = "canary-page-token"
RULES = """
version: 1
owners:
  - {match: gpu-1, name: trainer-a, team: research}
receivers:
  - {name: finops, type: console}
defaults: {notify: [finops]}
rules:
  - name: gpu-24h
    type: rolling_spend
    category: gpu
    group_by: [owner]
    window: 24h
    thresholds: {warning: 50, critical: 100}
    runbook_url: https://example.com/runbook
  - name: monthly-budget
    type: budget
    period: month
    amount: 5000
    thresholds: {warning: 80%}
  - name: bill-overdue
    type: monthly_bill
    thresholds: {critical: 0d}
  - name: balance-low
    type: balance
    available_below: {warning: 10}
"""


@functools.cache
def usual_rows(owner: str = "gpu-1") -> Sequence[Row]:
    """Ten days of one busy instance and a little of everything else."""
    busy = [row(RUNNING - ago, "3.50", owner=owner) for ago in range(1, 240)]
    calm = [row(RUNNING - ago, "0.75", owner="key-chat", category="llm") for ago in range(1, 240)]
    return (*busy, *calm, row(RUNNING - 5, "-2", owner="credit", category="llm"))


@dataclass(slots=True, kw_only=True)
class Account:
    """A billing API that has these rows, one overdue bill and a balance."""

    rows: Sequence[Row] = field(default_factory=usual_rows)
    broken: set[str] = field(default_factory=set)
    """Categories that cannot be read."""

    async def ask_time(self) -> None:
        """Its time is the test's."""

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        if category in self.broken:
            raise ApiUnavailable("HTTP 500", account="default", what=category)
        return bill_rows([r for r in self.rows if r.series.category == category and r.hour in span])

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        overdue = MonthlyBill(
            account="default",
            bill_id="bill-1",
            month="2025-12",
            status="overdue",
            total=usd("1200"),
            origin_total=usd("1200"),
            voucher_paid=usd("0"),
            cash_paid=usd("0"),
            debt=usd("1200"),
            repaid=usd("0"),
            invoice_url="https://invoices.invalid/1.pdf",
        )
        return (overdue,)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return ()

    async def read_resources(self, kind: ResourceKind) -> Listing:
        return Listing(entries=())

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        return KeyBills(rows=bill_rows([]), keys=())

    async def read_balance(self, read_at: datetime) -> Balance:
        return Balance(account="default", available=usd("500"), read_at=read_at)


@dataclass(slots=True, kw_only=True)
class House:
    """The daemon, and where its page is."""

    app: App
    port: int
    account: Account
    now: datetime = NOW
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def poll(self, later: timedelta = timedelta()) -> None:
        """Run a cycle, as the service does each interval."""
        self.now += later
        report = await self.app.cycle.run(self.now)
        await self.app.gateway.record(report, self.now)
        self.app.figures.overview = await self.app.cycle.overview(self.now)

    def alert(self, rule: str = "gpu-24h") -> Alert:
        """The one open alert of a rule."""
        (found,) = [alert for alert in self.app.cycle.open_alerts() if alert.rule == rule]
        return found

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask as a browser does; redirects are not followed."""
        async with self.session.get(
            f"{self.url}{path}", headers={"Accept": "text/html", **headers}, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()

    async def sign_in(self, name: str = "dana") -> str:
        """Show the token once; return what the session's forms carry."""
        fields = {"token": TOKEN, "name": name, "next": "/"}
        async with self.session.post(f"{self.url}/login", data=fields, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        _, text = await self.get("/")
        return text.partition('name="csrf" value="')[2].partition('"')[0]


@asynccontextmanager
async def house(
    folder: Path,
    *,
    token: str = TOKEN,
    account: Account | None = None,
    rules: str = RULES,
    polls: int = 1,
    external_url: str = "",
    port: int = 0,
    public_read: bool = True,
    notifiers: Mapping[str, Notifier] | None = None,
    instances: Mapping[tuple[str, str], InstanceApi] | None = None,
) -> AsyncIterator[House]:
    """
    Open a daemon of its own and serve its page; no cycle runs but those that are asked for.

    Args:
        notifiers: In place of such that print.
    """
    path = folder / "rules.yaml"
    path.write_text(rules, encoding="utf-8")
    url = f"sqlite:///{folder / 'alertd.db'}"
    settings = Settings.model_construct(rules=path, database_url=url, novita_api_key=SecretStr("key"))
    loaded, source = load_rules(path), account or Account()
    living: list[House] = []

    def now() -> datetime:
        return living[0].now if living else NOW

    async with (
        # Its cookies are those of one browser; addresses have them too.
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        open_app(
            settings,
            loaded,
            open_store=lambda: Store.open(url, now=NOW),
            notifiers=notifiers or printing_notifiers(loaded, settings),
            sources={"default": source},
            instances=instances,
            now=now,
        ) as app,
    ):

        async def carry_out(request: Request) -> RequestOutcome:
            return await app.cycle.carry_out(request, now())

        listen = Listen(host="127.0.0.1", port=port, token=token, external_url=external_url, public_read=public_read)
        await app.gateway.call(
            lambda store: store.meta.put_rules_file(ReloadOutcome(loaded_at=NOW, rules=app.cycle.rule_count))
        )
        async with serve_page(app, listen, carry_out=carry_out, stuck=tuple, now=now) as bound:
            found = House(app=app, port=bound, account=source, session=session)
            living.append(found)
            for _ in range(polls):
                await found.poll()
            yield found
