"""What the lists of instances could not say, and what becomes of an answer that may not, or cannot, be kept."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from alertd.core.resources import Listed, Listing, ResourceKind
from alertd.core.utilization import LONGEST_GAP, slot_of, start_of_slot
from alertd.daemon.resource_intake import FIRST_LOOK, LONGEST_LOOK, MOST_FAILURES, ResourceIntake, UtilizationIntake
from alertd.errors import ApiUnavailable, StoreError
from tests.core.builders import NOW
from tests.daemon.test_utilization_intake import resource

HOUR = timedelta(hours=1)
LISTED = Listing(entries=(Listed(id="i-1", name="trainer", status="running"),))


class Account:
    """Answers lists and metrics as it is told to."""

    def __init__(self, *failing: ResourceKind) -> None:
        self.failing = failing
        self.listing = LISTED
        self.asked: list[tuple[str, datetime, datetime]] = []
        self.refused: set[str] = set()

    async def read_resources(self, kind: ResourceKind) -> Listing:
        if kind in self.failing:
            raise ApiUnavailable(f"no {kind}s", account="prod", what="lists")
        return self.listing if kind is ResourceKind.INSTANCE else Listing(entries=())

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[tuple[int, int], ...]:
        self.asked.append((owner, start, end))
        if owner in self.refused:
            raise ApiUnavailable("HTTP 404", account="prod", what="utilisation")
        return ((int(end.timestamp()) - 60, 5),)


class Disk:
    """A store gateway that keeps everything or nothing."""

    def __init__(self) -> None:
        self.is_full = False
        self.saved: list[object] = []

    async def call(self, function: Callable[[Any], object]) -> object:
        """Let a function write into the store's tables."""
        return function(SimpleNamespace(resources=SimpleNamespace(save=self.keep)))

    async def save_utilization(self, *what: object) -> None:
        self.keep(what)

    def keep(self, what: object) -> None:
        if self.is_full:
            raise StoreError("disk is full")
        self.saved.append(what)


def a_plan(*, window: timedelta | None = None, **accounts: Account) -> Any:
    """A plan of accounts whose lists are read."""
    return SimpleNamespace(accounts=accounts, resource_accounts=frozenset(accounts), asks_utilization=lambda *_: window)


def a_state(**utilization: dict[int, int]) -> Any:
    return SimpleNamespace(resources={}, utilization={("prod", name): slots for name, slots in utilization.items()})


async def no_bills() -> None:
    """Nothing else is read."""


async def read(intake: ResourceIntake, state: Any, plan: Any, now: datetime = NOW) -> None:
    await intake.read_beside(no_bills(), state, plan, now)
    await asyncio.sleep(0)


async def test_gaps_when_lists_fail_then_each_account_says_which_and_why_until_they_are_read() -> None:
    """The status names what is missing, sorted, and of the accounts of the rules in force alone."""
    disk: Any = Disk()
    intake = ResourceIntake(disk, lambda: True)
    prod, lab = Account(ResourceKind.INSTANCE, ResourceKind.ENDPOINT), Account(ResourceKind.ENDPOINT)
    plan = a_plan(prod=prod, lab=lab)
    await read(intake, a_state(), plan)
    assert intake.gaps(plan) == {
        "lab": "serverless endpoints: no endpoints",
        "prod": "instances: no instances; serverless endpoints: no endpoints",
    }
    # Endpoints that were read say nothing of when the instances were.
    assert intake.read_at(plan) == {"lab": NOW}
    assert intake.gaps(a_plan(lab=lab)) == {"lab": "serverless endpoints: no endpoints"}
    assert intake.read_at(a_plan(prod=prod)) == {}
    prod.failing = lab.failing = ()
    prod.listing = Listing(entries=LISTED.entries, is_whole=False)
    await read(intake, a_state(), plan, NOW + HOUR)
    assert intake.gaps(plan) == {"prod": "instances: some entries could not be read"}
    assert intake.read_at(plan) == {"lab": NOW + HOUR, "prod": NOW + HOUR}


async def test_list_when_it_cannot_be_stored_then_memory_does_not_have_it_either() -> None:
    """After a restart it would be unknown again, and a name come and go."""
    disk: Any = Disk()
    disk.is_full = True
    intake, state, plan = ResourceIntake(disk, lambda: True), a_state(), a_plan(prod=Account())
    with pytest.raises(StoreError):
        await read(intake, state, plan)
    assert (state.resources, intake.read_at(plan)) == ({}, {})
    disk.is_full = False
    await read(intake, state, plan)
    assert list(state.resources) == [("prod", "i-1")]


async def test_list_when_the_time_is_not_known_to_be_right_then_nothing_is_dated_by_it() -> None:
    """A wrong clock would say when it started, stopped or was gone."""
    disk: Any = Disk()
    intake, state, plan = ResourceIntake(disk, lambda: False), a_state(), a_plan(prod=Account())
    await read(intake, state, plan)
    assert (state.resources, disk.saved, intake.read_at(plan)) == ({}, [], {})


async def looked_back(state: Any, window: timedelta) -> timedelta:
    """How far back the metrics of an instance are asked for."""
    account, disk = Account(), Disk()
    state.resources = {("prod", "i-1"): resource("i-1")}
    intake = UtilizationIntake(disk, lambda: True, lambda *_: None)  # type: ignore[arg-type]
    await intake.read(state, a_plan(prod=account, window=window), "prod", NOW)
    ((_, start, end),) = account.asked
    assert end == NOW
    return end - start


@pytest.mark.parametrize(
    ("window", "back"),
    [
        pytest.param(2 * HOUR, FIRST_LOOK, id="a short window: a day"),
        pytest.param(FIRST_LOOK, FIRST_LOOK + LONGEST_GAP, id="a day: and the gap that may lie before it"),
        pytest.param(48 * HOUR, 48 * HOUR + LONGEST_GAP, id="a long window: that, and a gap"),
    ],
)
async def test_metrics_when_never_read_then_as_far_back_as_the_rule_looks(window: timedelta, back: timedelta) -> None:
    """One that is idle for longer than the window must be seen at once."""
    assert await looked_back(a_state(), window) == back


@pytest.mark.parametrize(
    ("ago", "most"),
    [
        pytest.param(HOUR, HOUR + timedelta(minutes=5), id="from the last slot on, which may have been half"),
        pytest.param(20 * FIRST_LOOK, LONGEST_LOOK, id="after an outage: a week at most"),
    ],
)
async def test_metrics_when_read_before_then_from_there_on(ago: timedelta, most: timedelta) -> None:
    """An answer for a month would be too long."""
    last = slot_of(int((NOW - ago).timestamp()))
    back = await looked_back(a_state(**{"i-1": {last - 9: 1, last: 1}}), 2 * HOUR)
    assert back == min(NOW - start_of_slot(last), LONGEST_LOOK)
    assert back <= most


async def test_metrics_when_failures_are_not_in_a_row_then_all_are_asked() -> None:
    """It is the instances then, and not the API."""
    account, disk = Account(), Disk()
    names = [f"i-{number:02}" for number in range(12)]
    account.refused = {name for number, name in enumerate(names) if number % 3}
    state = a_state()
    state.resources = {("prod", name): resource(name) for name in names}
    intake = UtilizationIntake(disk, lambda: True, lambda *_: None)  # type: ignore[arg-type]
    await intake.read(state, a_plan(prod=account, window=2 * HOUR), "prod", NOW)
    assert [name for name, *_ in account.asked] == names
    assert MOST_FAILURES == 3


@pytest.mark.parametrize("is_full", [True, False])
async def test_metrics_when_they_cannot_be_kept_then_memory_does_not_have_them_either(*, is_full: bool) -> None:
    """A full disk, and a clock that may be wrong."""
    account, disk = Account(), Disk()
    disk.is_full = is_full
    state = a_state()
    state.resources = {("prod", "i-1"): resource("i-1")}
    intake = UtilizationIntake(disk, lambda: is_full, lambda *_: None)  # type: ignore[arg-type]
    plan = a_plan(prod=account, window=2 * HOUR)
    if is_full:
        with pytest.raises(StoreError):
            await intake.read(state, plan, "prod", NOW)
    else:
        await intake.read(state, plan, "prod", NOW)
    assert (state.utilization, disk.saved) == ({}, [])
