"""What fails once, again, and no more: what is asked for next, and what is said to be wrong meanwhile."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from alertd.core.hours import HourRange
from alertd.core.rules.held import LastRead
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.spend.bill import SUBSCRIPTION, Balance, BillRows, KeyBills, MonthlyBill
from alertd.core.spend.lists import View
from alertd.daemon import intake as intake_module
from alertd.errors import (
    ApiCategoryUnknown,
    ApiError,
    ApiKeyRefused,
    ApiRequestRefused,
    ApiUnavailable,
    StoreError,
)
from alertd.store.meta import Meta
from tests.daemon.test_memory_and_store import Life, World, living

UNKNOWN = ApiCategoryUnknown("no such category", account="default", what="bills")
REFUSED = ApiRequestRefused("400 INVALID_PARAM", account="default", what="bills")
NO_KEY = ApiKeyRefused("key refused", account="default", what="bills")
DOWN = ApiUnavailable("HTTP 500", account="default", what="bills")


@dataclass(slots=True, kw_only=True)
class Failing(World):
    """An account of which parts fail as a test wants; it counts what it is asked for."""

    faults: dict[str, ApiError] = field(default_factory=dict)
    """By category, `key:` and category, `monthly` or `balance`."""
    asked: Counter[str] = field(default_factory=Counter)
    until: asyncio.Event | None = None
    """What the bills of `llm` wait for."""

    def _ask(self, name: str) -> None:
        self.asked[name] += 1
        if name in self.faults:
            raise self.faults[name]

    async def read_bills(self, category: str, span: HourRange) -> BillRows:
        self._ask(category)
        if category == "llm" and self.until is not None:
            await self.until.wait()
        return await World.read_bills(self, category, span)

    async def read_key_bills(self, category: str, span: HourRange) -> KeyBills:
        self._ask(f"key:{category}")
        return await World.read_key_bills(self, category, span)

    async def read_monthly_bills(self, start_month: str) -> tuple[MonthlyBill, ...]:
        self._ask("monthly")
        return await World.read_monthly_bills(self, start_month)

    async def read_balance(self, read_at: datetime) -> Balance:
        self._ask("balance")
        return await World.read_balance(self, read_at)

    async def polled(self, life: Life, **faults: ApiError) -> LastRead:
        """Poll once, ten minutes later, with these faults; count anew what is asked for."""
        self.step += 1
        self.asked.clear()
        self.faults = {name.replace("__", ":"): fault for name, fault in faults.items()}
        await life.app.cycle.run(self.now)
        return (await life.app.cycle.held()).last_read


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[tuple[Life, Failing]]:
    world = Failing()
    async with living(tmp_path, world) as made:
        yield made, world


def error_of(life: Life, category: str) -> str:
    return life.app.cycle.state.books["default", category].error


async def test_category_when_unknown_before_it_was_ever_read_then_dropped_in_its_view_alone(
    life: tuple[Life, Failing],
) -> None:
    """Not every account has every category; by API key there are fewer."""
    made, world = life
    read = await world.polled(made, bare_metal=UNKNOWN, key__llm=UNKNOWN, subscription=REFUSED)
    dropped = {
        (View.USAGE, "default", "bare_metal"),
        (View.API_KEY, "default", "llm"),
        (View.USAGE, "default", SUBSCRIPTION),
    }
    assert read.dropped == dropped
    assert (await world.polled(made)).dropped == dropped
    assert [world.asked[name] for name in ("bare_metal", "key:llm", SUBSCRIPTION)] == [0, 0, 0]
    assert world.asked["llm"] > 0
    assert world.asked["key:gen_api"] > 0


@pytest.mark.parametrize("fault", [UNKNOWN, REFUSED, DOWN], ids=["unknown", "refused", "down"])
async def test_category_when_it_fails_after_it_was_read_then_asked_for_again_each_time_and_well_in_the_end(
    life: tuple[Life, Failing], fault: ApiError
) -> None:
    """A category that vanishes is a failure, not the end of its spend, the second time too."""
    made, world = life
    await world.polled(made)
    assert error_of(made, "gpu") == ""
    for _ in range(2):
        for _ in range(2):
            assert (await world.polled(made, gpu=fault)).dropped == frozenset()
            assert world.asked["gpu"] > 0
            assert error_of(made, "gpu") != ""
        assert (await world.polled(made)).dropped == frozenset()
        assert error_of(made, "gpu") == ""


async def test_category_when_a_range_of_it_is_refused_before_it_was_read_then_not_dropped(
    life: tuple[Life, Failing],
) -> None:
    """A wrong range says nothing of the category."""
    made, world = life
    assert (await world.polled(made, llm=REFUSED)).dropped == frozenset()
    assert (await world.polled(made)).dropped == frozenset()
    assert world.asked["llm"] > 0
    assert error_of(made, "llm") == ""


@pytest.mark.parametrize(
    ("where", "refused", "bill_gap", "balance_gap"),
    [
        pytest.param("gpu", True, False, False, id="the usage bills"),
        pytest.param("key__llm", False, False, False, id="the list by API key alone: the others are read"),
        pytest.param("monthly", True, True, False, id="the monthly bills"),
        pytest.param("balance", False, False, True, id="the balance"),
    ],
)
async def test_key_when_refused_then_said_where_it_is_and_no_more_once_it_is_taken(
    life: tuple[Life, Failing], where: str, refused: bool, bill_gap: bool, balance_gap: bool
) -> None:
    """Whoever put a new key in place sees that it works; and the second refusal is seen as the first was."""
    made, world = life
    for _ in range(2):
        read = await world.polled(made, **{where: NO_KEY})
        assert ("default" in read.refused, "default" in read.bill_gaps, "default" in read.balance_gaps) == (
            refused,
            bill_gap,
            balance_gap,
        )
        stored = await made.app.gateway.call(lambda store: store.meta.last_read)
        assert stored == read
        read = await world.polled(made)
        assert (read.refused, read.bill_gaps, read.balance_gaps) == ({}, {}, {})
        assert await made.app.gateway.call(lambda store: store.meta.last_read) == read


@pytest.mark.parametrize("where", ["gpu", "key__llm", "monthly", "balance"])
async def test_part_when_the_api_is_down_then_no_key_is_called_refused(life: tuple[Life, Failing], where: str) -> None:
    """Another remedy than for a wrong key."""
    made, world = life
    read = await world.polled(made, **{where: DOWN})
    assert (read.refused, "default" in read.bill_gaps, "default" in read.balance_gaps) == (
        {},
        where == "monthly",
        where == "balance",
    )


async def test_outcome_of_a_read_when_it_was_not_stored_then_it_is_with_the_next_that_ends_alike(
    life: tuple[Life, Failing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts as stored is what the store took, or `alertd status` shows a refused key for ever."""
    made, world = life

    def fail(*_given: object) -> NoReturn:
        raise StoreError("database is locked")

    await world.polled(made)
    for faults in ({"monthly": NO_KEY}, {}):
        with monkeypatch.context() as broken:
            broken.setattr(Meta, "put_last_read", fail)
            with pytest.raises(StoreError):
                await world.polled(made, **faults)
        # At the same instant, so that nothing else is new.
        world.step -= 1
        read = await world.polled(made, **faults)
        assert await made.app.gateway.call(lambda store: store.meta.last_read) == read


async def test_rule_when_it_fails_while_bills_are_awaited_and_after_them_then_is_one_failed_rule_of_the_poll(
    life: tuple[Life, Failing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`alertd_rule_errors_total` counts a rule once a poll, and the status names it once."""
    made, world = life
    await world.polled(made)
    loop, world.until, judged = asyncio.get_running_loop(), asyncio.Event(), Counter[str]()
    monkeypatch.setattr(intake_module, "_LOOK_S", 0.01)

    def fail(rule: RollingSpend, *_given: object) -> NoReturn:
        judged[rule.name] += 1
        if judged == {"gpu": 1, "key": 1}:
            loop.call_soon_threadsafe(world.until.set)  # type: ignore[union-attr]
        raise ValueError("a plugin's mistake")

    monkeypatch.setattr(RollingSpend, "evaluate", fail)
    world.step += 1
    report = await made.app.cycle.run(world.now)
    assert judged == {"gpu": 2, "key": 2}
    assert sorted(report.rule_errors) == ["gpu", "key"]
