"""What a command reads from the store is what the daemon knows; and what it says of the past is what was known then."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from alertd.core.hours import HourRange, start_of
from alertd.core.labels import Patterns
from alertd.core.owners import Owner, OwnerDirectory
from alertd.core.resources import Listing, ResourceKind
from alertd.core.rules.balance import BalanceRule
from alertd.core.rules.facts import Facts
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.spend.bill import ApiKey, Balance, BillRows, KeyBills, MonthlyBill
from alertd.core.spend.lists import View
from alertd.core.spend.planned import PlannedSpend
from alertd.core.spend.reading import Cadence
from alertd.core.spend.selection import SpendQuery
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.watching import build_watched
from alertd.errors import ApiCategoryUnknown, ApiKeyRefused, ApiUnavailable
from alertd.queries.snapshot import read_past, read_snapshot
from alertd.queries.status import read_status
from alertd.rules_file.model import Account, LoadedRules
from alertd.settings.model import load_settings
from alertd.store.meta import Meta
from alertd.store.store import Store
from alertd.store.thread import StoreThread
from tests.core.builders import HOUR, NOW, RUNNING, SETTLE, WARNING, Row, bill_rows, monthly_bill, row, usd


@dataclass(slots=True)
class Source:
    """An API of one account, each part of which can fail."""

    account: str
    rows: Sequence[Row] = ()
    unknown: Mapping[View, frozenset[str]] = field(default_factory=dict)
    """Categories that the account does not have."""
    is_down: bool = False
    """Monthly bills and balances are not answered."""
    is_refused: bool = False

    async def ask_time(self) -> None:
        """Its time is the test's."""

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        self._check(View.USAGE, category)
        return bill_rows(r for r in self.rows if r.series.category == category and r.hour in span)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        return ()

    async def read_resources(self, kind: ResourceKind) -> Listing:
        return Listing(entries=())

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        self._check(View.API_KEY, category)
        key = ApiKey(account=self.account, key_id="key-1", name="ci", mask="")
        return KeyBills(
            rows=bill_rows([row(RUNNING - 5, "7", owner="key-1", category=category, account=self.account)]), keys=(key,)
        )

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        if self.is_down:
            raise ApiUnavailable("HTTP 500", account=self.account, what="monthly bills")
        return (monthly_bill(account=self.account),)

    async def read_balance(self, read_at: datetime) -> Balance:
        if self.is_down:
            raise ApiUnavailable("HTTP 500", account=self.account, what="balance")
        return Balance(account=self.account, available=usd("12"), read_at=read_at)

    def _check(self, view: View, category: str) -> None:
        if self.is_refused:
            raise ApiKeyRefused("key refused (401)", account=self.account, what=category)
        if category in self.unknown.get(view, ()):
            raise ApiCategoryUnknown("no such category", account=self.account, what=category)


KEYS = RollingSpend(
    name="keys", view=View.API_KEY, group_by=("owner",), window=24 * HOUR, thresholds={WARNING: usd("1")}
)
GPU = RollingSpend(name="gpu", group_by=("owner",), window=24 * HOUR, thresholds={WARNING: usd("50")})
CREDIT = BalanceRule(name="credit", available_below={WARNING: usd("20")})
PLANNED = PlannedSpend(amount=usd("100"), hours=HourRange(RUNNING - 200, RUNNING + 40))


def rules_of(*accounts: str, planned: tuple[PlannedSpend, ...] = (PLANNED,)) -> LoadedRules:
    return LoadedRules(
        accounts=tuple(Account(name=name) for name in accounts),  # type: ignore[arg-type] # plain names
        owners=OwnerDirectory((Owner(match=Patterns(("gpu-*",)), name="trainer", team="research"),)),
        receivers=(),
        default_notify=(),
        routes=(),
        rules=(KEYS, GPU, CREDIT),
        planned=planned,
        inhibitions=(),
        reports=(),
        warnings=(),
        files=(),
        places={},
    )


@pytest.fixture
async def thread() -> AsyncIterator[StoreThread]:
    thread = await StoreThread.start(lambda: Store.open("sqlite://", now=NOW - 50 * HOUR))
    try:
        yield thread
    finally:
        await thread.close()


async def poll(thread: StoreThread, *sources: Source, now: datetime = NOW) -> Facts:
    """Let a daemon run a cycle; return what it knows after it."""
    rules = rules_of(*(source.account for source in sources))
    plan = build_plan(rules, load_settings(), sources={s.account: s for s in sources}, notifiers={})
    cycle = Cycle(store=StoreGateway(thread), plan=plan, cadence=Cadence(), install_id="install", timer=lambda: 0.0)
    await cycle.run(now)
    return await cycle.look(now)


async def command(thread: StoreThread, *accounts: str) -> Facts:
    """Return what a command knows beside it."""
    rules = rules_of(*accounts)
    watched = build_watched(rules, load_settings())
    return (await thread.call(lambda s: read_snapshot(s, watched, owners=rules.owners, now=NOW))).facts


async def test_command_when_no_read_was_ever_recorded_then_what_is_stored_counts_and_the_rest_is_not_lacking(
    thread: StoreThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backfill leaves bills of what the account has, and says nothing of what it was refused."""
    await poll(thread, Source("prod", [row(RUNNING - 5, "7", account="prod")]))
    recorded = await command(thread, "prod", "dev")
    assert {account for account, _ in recorded.data.books} == {"prod", "dev"}, "an account that was not read yet"
    monkeypatch.setattr(Meta, "last_read", None)
    never = await command(thread, "prod", "dev")
    assert {account for account, _ in never.data.books} == {"prod"}


def plainly(facts: Facts) -> dict[str, object]:
    """All that facts say, views and books as plain values."""
    assert facts.keys is not None
    spend, keys = facts.keys
    hours = HourRange(RUNNING - 48, RUNNING + 1)
    return {
        "now": facts.now,
        "spend": dict(facts.spend.sums(SpendQuery(group_by=("owner", "team")), "amount", hours).numbers),
        "sum": facts.spend.sums(SpendQuery(accounts=facts.data.accounts), "amount", hours).of(()),
        "sum by key": spend.sums(SpendQuery(accounts=keys.accounts), "amount", hours).of(()),
        "books": facts.data.books,
        "books by key": keys.books,
        "delay": facts.data.settle_delay,
        "bills": facts.bills,
        "bill gaps": facts.bill_gaps,
        "names": {name: facts.owners.display(name) for name in ("gpu-1", "key-1", "other")},
        "refused": facts.refused,
        "since": facts.watched_since,
        "balances": facts.balances,
        "balance gaps": facts.balance_gaps,
        "planned": facts.planned,
        "rules file": facts.rules_file,
    }


ROWS = [row(RUNNING - 3, "61.25"), row(RUNNING - 30, "3", owner="other")]
OTHERS = frozenset({"llm", "cpu"})


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param([Source("default", ROWS)], id="all is well"),
        pytest.param([Source("default", ROWS, {View.USAGE: OTHERS})], id="a category that the account does not have"),
        pytest.param([Source("default", ROWS, {View.API_KEY: frozenset({"llm"})})], id="nor by API key"),
        pytest.param([Source("default", ROWS, is_down=True)], id="monthly bills and balances are not answered"),
        pytest.param([Source("default", ROWS), Source("b", is_refused=True)], id="the key of one account is refused"),
    ],
)
async def test_snapshot_when_a_daemon_polled_then_it_is_what_the_daemon_knows(
    thread: StoreThread, sources: list[Source]
) -> None:
    """A report that is printed must not say less than the one that is sent."""
    known = await poll(thread, *sources)

    found = await command(thread, *(source.account for source in sources))

    assert plainly(found) == plainly(known)
    assert found.planned == (PLANNED,)
    assert found.owners.display("key-1") == "ci (key-1)" or sources[-1].is_refused


async def test_snapshot_when_an_account_left_the_rules_file_then_nothing_of_it_counts(thread: StoreThread) -> None:
    """Its bills stay in the store, its key may be gone."""
    await poll(thread, Source("default", ROWS), Source("old", is_refused=True, is_down=True))
    known = await poll(thread, Source("default", ROWS), now=NOW + timedelta(minutes=10))

    found = await command(thread, "default")

    assert {account for account, _ in found.data.books} == {"default"}
    assert [tracked.bill.account for tracked in found.bills] == ["default"]
    assert (found.refused, found.bill_gaps, found.balance_gaps) == ({}, {}, {})
    assert (known.refused, known.bill_gaps, known.balance_gaps) == ({}, {}, {})
    hours = HourRange(RUNNING - 48, RUNNING)
    assert await StoreGateway(thread).spent(hours, ["default"], RUNNING) == [("gpu", usd("64.25"))]
    assert await StoreGateway(thread).spent(hours, ["old"], RUNNING) == []
    status = await thread.call(lambda s: read_status(s, now=NOW, poll_interval=HOUR, settle_delay=SETTLE))
    assert {edge.account for edge in status.edges} == {"default"}
    assert not any("old" in problem for problem in status.problems)


async def test_category_when_it_is_unknown_by_api_key_then_its_usage_is_read_on(thread: StoreThread) -> None:
    """The two lists differ; what one lacks the other may have."""
    facts = await poll(thread, Source("default", ROWS, {View.API_KEY: frozenset({"llm"})}))

    assert facts.keys is not None
    assert ("default", "llm") in facts.data.books
    assert ("default", "llm") not in facts.keys[1].books


async def test_past_when_a_rule_is_judged_then_by_what_was_billed_then(thread: StoreThread) -> None:
    """Today's data edge would leave the window empty, and call it complete."""
    rows = [row(RUNNING - hour, "136.62" if hour == 55 else "1") for hour in range(60)]
    await poll(thread, Source("default", rows))
    rules = rules_of("default")
    watched = replace(build_watched(rules, load_settings()), rules=(GPU,))
    at = start_of(RUNNING - 50) + timedelta(minutes=20)

    facts = await thread.call(lambda s: read_past(s, watched, owners=rules.owners, at=at))

    (sample,) = GPU.evaluate(facts, ((("owner", "gpu-1"),),))
    assert sample.value == Decimal("144.62")
    assert sample.as_of == start_of(RUNNING - 50)
    assert facts.now == at
    assert facts.planned == (PLANNED,)


async def test_past_when_bills_and_balances_came_later_then_it_does_not_know_them(thread: StoreThread) -> None:
    """What is first seen today was no news two days ago."""
    await poll(thread, Source("default", ROWS))
    rules = rules_of("default")
    watched = build_watched(rules, load_settings())

    async def known(at: datetime) -> Facts:
        return await thread.call(lambda s: read_past(s, watched, owners=rules.owners, at=at))

    then, now = await known(NOW - 48 * HOUR), await known(NOW)

    assert (then.bills, then.balances) == ((), {})
    assert [tracked.bill.bill_id for tracked in now.bills] == ["b-1"]
    assert {name: balance.available for name, balance in now.balances.items()} == {"default": usd("12")}


async def test_snapshot_when_instances_were_watched_then_their_utilization_is_known(thread: StoreThread) -> None:
    """A command that explains an idle instance has nothing else to go by."""
    key, slots = ("default", "gpu-1"), {7: 250_000, 8: 0}
    await thread.call(lambda store: store.utilization.save(key, slots, 7))
    known = await poll(thread, Source("default", ROWS))
    found = await command(thread, "default")
    assert found.utilization == known.utilization == {key: slots}
