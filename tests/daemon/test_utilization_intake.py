"""More instances than a cycle can read: each is read in its turn, and one that fails or hangs keeps nobody waiting."""

import asyncio
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from alertd.core.resources import Resource, ResourceKey, ResourceKind
from alertd.core.utilization import Sample, slot_of
from alertd.daemon.resource_intake import MOST_FAILURES, UtilizationIntake
from alertd.errors import ApiUnavailable
from tests.core.builders import NOW

IDS = tuple(f"i-{number:03}" for number in range(160))
POLL = timedelta(minutes=10)
TURNS = 1000
"""Of the loop, in which all answers of a cycle come."""


class World:
    """An account's metrics of which only so many are answered in a cycle; and a store that keeps nothing."""

    def __init__(self, *, answers: int, failing: Collection[str] = (), hanging: Collection[str] = ()) -> None:
        self.answers = answers
        self.failing = failing
        self.hanging = hanging
        self.read: Counter[str] = Counter()
        self.cycles: list[list[str]] = []
        self.notes: list[str] = []
        self.slots: dict[ResourceKey, dict[int, int]] = {}

    def intake(self) -> UtilizationIntake:
        store: Any = SimpleNamespace(save_utilization=self._save)
        return UtilizationIntake(store, lambda: True, lambda _account, error: self.notes.append(error))

    async def _save(self, *_: object) -> None:
        await asyncio.sleep(0)

    async def read_utilization(self, owner: str, start: datetime, end: datetime) -> tuple[Sample, ...]:
        await asyncio.sleep(0)
        self.cycles[-1].append(owner)
        if owner in self.hanging:
            await asyncio.Event().wait()
        if len(self.cycles[-1]) > self.answers:
            await asyncio.Event().wait()
        if owner in self.failing:
            raise ApiUnavailable("HTTP 404", account="prod", what="utilisation")
        self.read[owner] += 1
        return ((int(end.timestamp()) - 60, 0),)

    async def run(self, intake: UtilizationIntake, cycles: int, *, first: int = 0) -> None:
        """Run cycles, each of which is cut off when its turns are used up."""
        state: Any = SimpleNamespace(resources={("prod", one): resource(one) for one in IDS}, utilization=self.slots)
        plan: Any = SimpleNamespace(accounts={"prod": self}, asks_utilization=lambda *_: timedelta(hours=2))
        for cycle in range(first, first + cycles):
            self.cycles.append([])
            reading = asyncio.ensure_future(intake.read(state, plan, "prod", NOW + cycle * POLL))
            for _ in range(TURNS):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def resource(name: str) -> Resource:
    return Resource(
        account="prod",
        id=name,
        kind=ResourceKind.INSTANCE,
        name=name,
        status="running",
        product="H100",
        gpus=1,
        started_at=None,
        stopped_at=None,
    )


async def test_instances_when_too_many_for_a_cycle_then_each_is_read_in_its_turn() -> None:
    """None is read twice before all were read once."""
    world = World(answers=50)
    await world.run(world.intake(), 16)
    assert set(world.read) == set(IDS)
    assert max(world.read.values()) - min(world.read.values()) <= 1


async def test_instances_when_alertd_starts_again_each_time_then_none_starves() -> None:
    """What was tried in another life is in the store."""
    world = World(answers=50)
    for cycle in range(8):
        await world.run(world.intake(), 1, first=cycle)
    assert set(world.read) == set(IDS)


@pytest.mark.parametrize("count", [1, 3, 20])
async def test_instances_when_some_always_fail_then_the_others_are_read_all_the_same(count: int) -> None:
    """An instance that is gone answers 404 for ever."""
    world = World(answers=50, failing=IDS[:count])
    await world.run(world.intake(), 16)
    assert set(world.read) == set(IDS[count:])
    assert min(world.read.values()) >= 3
    assert {one for cycle in world.cycles[8:] for one in cycle} >= set(IDS[:count])
    assert world.notes[-1] == "HTTP 404"


async def test_instances_when_some_hang_then_each_costs_the_others_two_cycles_at_most() -> None:
    """A server that never answers for one instance must not hide all others."""
    world = World(answers=50, hanging=IDS[:4])
    await world.run(world.intake(), 16)
    assert set(world.read) == set(IDS[4:])
    assert min(world.read.values()) >= 2


async def test_api_when_it_fails_for_all_then_few_are_asked() -> None:
    """It is no instance's fault, and 160 refusals are 160 requests."""
    world = World(answers=200, failing=IDS)
    await world.run(world.intake(), 3)
    assert [len(cycle) for cycle in world.cycles] == [MOST_FAILURES, 2 * MOST_FAILURES, 2 * MOST_FAILURES]


async def test_instance_when_read_again_then_no_failure_is_noted_any_more() -> None:
    """The line in the status goes when its cause has gone."""
    world = World(answers=200, failing=IDS[:1])
    intake = world.intake()
    await world.run(intake, 2)
    world.failing = ()
    await world.run(intake, 1)
    assert (world.notes[0], world.notes[-1]) == ("HTTP 404", "")
    assert slot_of(int(NOW.timestamp())) - 1 <= max(world.slots["prod", IDS[0]])


async def test_instance_when_it_hangs_as_the_first_then_the_next_cycle_begins_with_another() -> None:
    """A cycle that is over asks nothing more, and a read that had all of its time has failed."""
    world = World(answers=200, hanging=IDS[:1])
    intake = world.intake()
    await world.run(intake, 1)
    assert world.cycles[0] == [IDS[0]], "a cycle that was cut off must not go on with the next instance"
    await world.run(intake, 1, first=1)
    assert world.cycles[1][0] == IDS[1]
    assert set(world.read) == set(IDS[1:])
