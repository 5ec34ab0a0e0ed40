"""What the daemon holds is what is stored, whichever commit fails: before it, or with its answer lost."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from alertd.core.alert import Alert
from alertd.core.alerts.requests import Acknowledge, AddSilence, Request, RequestError
from alertd.core.hours import HourRange, hour_of
from alertd.core.labels import Patterns
from alertd.core.resources import Listed, Listing, ResourceKind
from alertd.core.spend.bill import SUBSCRIPTION, ApiKey, Balance, BillRows, KeyBills, MonthlyBill, Term
from alertd.core.spend.selection import SpendQuery
from alertd.daemon.app import App, open_app
from alertd.daemon.poll import poll
from alertd.daemon.state import DaemonState
from alertd.errors import StoreError
from alertd.notify.base import Notifier
from alertd.rules_file.load import load_rules
from alertd.settings.model import Settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import HOUR, NOW, RUNNING, bill_rows, row, usd
from tests.daemon.clock_life import Pager
from tests.examples import rest_slow
from tests.virtual_clock import VirtualClock
from tests.web.house import Account

RULES = """
version: 1
receivers: [{name: pager, type: webhook, url: "http://127.0.0.1:9/"}]
defaults: {notify: [pager]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 5, info: 3}}
  - {name: key, type: rolling_spend, view: api_key, group_by: [owner], window: 24h, thresholds: {warning: 5}}
  - {name: balance-low, type: balance, available_below: {warning: 10}}
  - {name: overdue, type: monthly_bill, thresholds: {critical: 0d}}
  - {name: term, type: subscription, ends_within: {warning: 7d}}
  - {name: idle, type: idle_gpu, below: 10%, window: 30m}
"""
"""A rule for each kind of what is read."""
NOT_STORED = {"is_fresh", "edges", "keys", "table", "calm", "dated", "_opened"}
"""What is worked out from what is stored, or compared by its parts."""
STEPS = 26
CALLS = 24
"""More than one poll asks of the store."""


@dataclass(slots=True, kw_only=True)
class World(Account):
    """An account in which everything that can be read changes with the step."""

    step: int = 0

    @property
    def now(self) -> datetime:
        return NOW + self.step * timedelta(minutes=10)

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        last = RUNNING - 2 + self.step // 3
        spent = [row(hour, "1", category=category) for hour in range(RUNNING - 4, last)] if category == "gpu" else []
        rows = bill_rows([one for one in spent if one.hour in span])
        if category == SUBSCRIPTION:
            rows = BillRows(**{one.name: getattr(rows, one.name) for one in fields(rows)} | {"terms": self.terms(span)})
        return rows

    def terms(self, span: HourRange) -> tuple[Term, ...]:
        bought = NOW - timedelta(hours=1)
        if hour_of(bought) not in span:
            return ()
        parts = {"product": "H100", "product_id": "h100", "category": "gpu", "kind": "new"}
        money = {"amount": usd("9"), "voucher": usd("0"), "pay": usd(str(9 + self.step // 8))}
        ends = {"bought_at": bought, "starts_at": bought, "ends_at": bought + timedelta(days=3)}
        return (Term(account="default", owner="gpu-1", **parts, **money, **ends),)  # type: ignore[arg-type]

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        spent = [row(hour, "2", owner="key-1", category="llm") for hour in range(RUNNING - 3, RUNNING + self.step // 6)]
        rows = [one for one in spent if one.hour in span] if category == "llm" else []
        key = ApiKey(account="default", key_id="key-1", name=f"chat {self.step // 4}", mask="sk_..1")
        return KeyBills(rows=bill_rows(rows), keys=(key,) if rows else ())

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        parts = {"month": "2025-12", "total": usd("12"), "origin_total": usd("12"), "voucher_paid": usd("0")}
        paid = usd(str(min(12, self.step)))
        money = {"cash_paid": usd("0"), "debt": usd("12"), "repaid": paid, "invoice_url": ""}
        status = "overdue" if self.step < 12 else "paid"
        # The second bill vanishes, returns and vanishes again.
        both = ("bill-1", "bill-2") if self.step % 8 < 4 else ("bill-1",)
        return tuple(
            MonthlyBill(account="default", bill_id=name, status=status, **parts, **money)  # type: ignore[arg-type]
            for name in both
        )

    async def read_balance(self, read_at: datetime) -> Balance:
        return Balance(account="default", available=usd(str(12 - self.step // 3)), read_at=read_at)

    async def read_resources(self, kind: ResourceKind) -> Listing:
        if kind is not ResourceKind.INSTANCE:
            return Listing(entries=())
        listed = Listed(id="gpu-1", name=f"notebook {self.step // 5}", status="running", product="H100", gpus=1)
        return Listing(entries=(listed,))

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return tuple(
            (int(start.timestamp()) + at, 1_000_000) for at in range(0, int((end - start).total_seconds()), 300)
        )


@dataclass(slots=True, kw_only=True)
class Faults:
    """Which call of the store fails, counted from when it was armed."""

    at: int = -1
    is_stored: bool = False
    """Whether it was done all the same, and only its answer was lost."""
    calls: int = 0
    before: Callable[[], Coroutine[Any, Any, None]] | None = None
    """Awaited before each call that comes while no other is under way."""
    under_way: int = 0

    def arm(self, at: int, *, is_stored: bool) -> None:
        self.at, self.is_stored, self.calls = at, is_stored, 0

    async def through(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if self.before is not None and not self.under_way:
            before, self.before = self.before, None
            await before()
            self.before = before
        self.under_way += 1
        try:
            return await self._counted(call)
        finally:
            self.under_way -= 1

    async def _counted(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self.calls += 1
        if self.calls - 1 != self.at:
            return await call()
        self.at = -1
        if self.is_stored:
            await call()
        raise StoreError("database is locked")


@dataclass(slots=True, kw_only=True)
class Life:
    """A daemon over a store that fails when it is asked to, and what its receiver got."""

    app: App
    world: World
    pager: Pager
    faults: Faults
    found: list[str] = field(default_factory=list)
    """What differed between memory and store, and after which call."""

    async def run(self, *, first: int | None, is_stored: bool) -> None:
        """Live all steps; at each of them another call of the poll fails, where any is to, and the poll is repeated."""
        for step in range(STEPS):
            self.world.step = step
            at = -1 if first is None else (first + step) % CALLS
            self.faults.arm(at, is_stored=is_stored)
            with suppress(StoreError):
                await poll(self.app)
            self.faults.arm(-1, is_stored=False)
            await self.compare(f"step {step}, call {at}")
            await poll(self.app)
            await self.compare(f"step {step}, the poll after")
            await self.app.delivery.drain(patience=timedelta())

    async def compare(self, when: str) -> None:
        """Note every part of the memory that is not as it is stored."""
        await self.app.cycle.held()
        state, stored = self.app.cycle.state, await self.app.gateway.load()
        for name in (one.name for one in fields(DaemonState) if one.name not in NOT_STORED):
            if getattr(state, name) != getattr(stored, name):
                self.found.append(f"{when}: {name}")
        assert state.keys is not None
        assert stored.keys is not None
        if state.keys.books != stored.keys.books:
            self.found.append(f"{when}: books by API key")
        if set(state.edges) != set(stored.edges):
            self.found.append(f"{when}: edges")
        try:
            view = self.app.cycle.view
        except RuntimeError:
            return
        span = HourRange(RUNNING - 8, RUNNING + 5)
        sums = view.exact_sums(SpendQuery(group_by=("category",)), "amount", span)
        held = {dict(group)["category"]: int(amount) for group, amount in sums.items() if amount}
        spent = await self.app.gateway.spent(span, ["default"], hour_of(self.world.now))
        if held != {category: int(amount) for category, amount in spent if amount}:
            self.found.append(f"{when}: the spend of the view")

    def alerts(self) -> dict[str, Alert]:
        return self.app.cycle.state.alerts


@asynccontextmanager
async def living(folder: Path, world: World | None = None) -> AsyncIterator[Life]:
    """Start a daemon over a folder's store."""
    world = world or World()
    path = folder / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    url = f"sqlite:///{folder / 'alertd.db'}"
    settings = Settings.model_construct(rules=path, database_url=url, novita_api_key=SecretStr("key"))
    pager, faults = Pager(VirtualClock(true=NOW)), Faults()
    ordinary = StoreThread.call

    async def call(thread: StoreThread, *given: Any, **named: Any) -> Any:
        return await faults.through(lambda: ordinary(thread, *given, **named))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(StoreThread, "call", call)
        async with open_app(
            settings,
            load_rules(path),
            open_store=lambda: Store.open(url, now=NOW - 30 * HOUR),
            notifiers={"pager": cast("Notifier", pager)},
            sources={"default": world},
            now=lambda: world.now,
        ) as app:
            yield Life(app=app, world=world, pager=pager, faults=faults)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What comes of the life in which nothing fails; filled by the first test that needs it."""
    return {}


async def outcome(folder: Path, *, first: int | None, is_stored: bool) -> dict[str, Any]:
    async with living(folder) as life:
        await life.run(first=first, is_stored=is_stored)
        assert life.found == []
        entries = await life.app.gateway.call(lambda store: store.outbox.open_entries())
        return {"alerts": life.alerts(), "sent": [what[1:] for what in life.pager.got], "open": entries}


@pytest.mark.parametrize("is_stored", rest_slow([False, True]), ids=["nothing was stored", "only the answer was lost"])
async def test_poll_when_any_call_of_the_store_fails_then_memory_is_what_is_stored_and_all_ends_alike(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, undisturbed: dict[str, Any], is_stored: bool
) -> None:
    """Every alert, field by field, and every notification is as if the store had never failed."""
    if not undisturbed:
        undisturbed |= await outcome(tmp_path_factory.mktemp("well"), first=None, is_stored=False)
    assert {alert.rule for alert in undisturbed["alerts"].values()} >= {"gpu", "key", "overdue", "term", "balance-low"}
    assert await outcome(tmp_path, first=0, is_stored=is_stored) == undisturbed


async def test_memory_when_a_call_of_the_store_begins_then_it_holds_nothing_that_is_not_stored(tmp_path: Path) -> None:
    """The page reads memory while a poll waits for the store: what is not stored yet may never be."""
    async with living(tmp_path) as life:
        seen = Counter[str]()

        async def check() -> None:
            if life.app.cycle._state is not None:
                seen["checked"] += 1
                await life.compare(f"before call {life.faults.calls} of step {life.world.step}")

        for step in (0, 6, 11, 20):
            life.world.step = step
            await poll(life.app)
            life.faults.before = check
            # Far enough for everything to change, also what an API key is called.
            life.world.step = step + 5
            await poll(life.app)
            life.faults.before = None
        assert life.found == []
        assert seen["checked"] > 15


@pytest.mark.parametrize("is_stored", [False, True], ids=["nothing was stored", "only the answer was lost"])
async def test_request_when_any_call_of_the_store_fails_then_memory_is_what_is_stored(
    tmp_path: Path, is_stored: bool
) -> None:
    """Whoever asks hears that it failed, and asks again: it is done once, and the alerts are as they are stored."""
    async with living(tmp_path) as life:
        life.world.step = 10
        await poll(life.app)
        (alert,) = (one for one in life.alerts().values() if one.rule == "gpu")
        requests: list[Request] = []
        for at in range(4):
            requests.append(Acknowledge(fingerprint=alert.fingerprint, by="dana", undo=at % 2 == 1))
            requests.append(
                AddSilence(
                    id=f"{at:08x}", matchers=(("owner", Patterns((f"gpu-{at}",))),), by="dana", ends_at=NOW + 9 * HOUR
                )
            )
        for at, request in enumerate(requests):
            life.app.cycle.forget()
            # The first call reads what is known, the second stores what was asked for.
            life.faults.arm(at // 2 % 2, is_stored=is_stored)
            ask = partial(life.app.cycle.carry_out, request, life.world.now)
            with pytest.raises(StoreError):
                await ask()
            life.faults.arm(-1, is_stored=False)
            await life.compare(f"request {at}")
            # Where only the answer was lost there is nothing left to take back.
            with suppress(RequestError):
                await ask()
            await life.compare(f"request {at}, asked again")
        assert life.found == []
        assert sorted(life.app.cycle.state.silences) == [f"{at:08x}" for at in range(4)]
        assert life.alerts()[alert.fingerprint].acknowledged_by is None
