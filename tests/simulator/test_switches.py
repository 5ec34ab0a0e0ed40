"""Instances that are stopped and started: the states that are read back, and what the bills make of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from alertd.clock import elapsed_s, utc_now
from alertd.core.actions import CallResult, Verb
from alertd.novita.instances import InstanceClient
from alertd.novita.transport import Bounds, Transport
from alertd.simulator.faults import NO_FAULTS, Fault, FaultKind, FaultPlan, FaultRule
from alertd.simulator.meters import Meter
from alertd.simulator.resources import SECRET
from alertd.simulator.server import BillingSimulator
from alertd.simulator.switches import STOP
from alertd.simulator.world import World

START = datetime(2026, 1, 1, tzinfo=UTC)
NOON = START + timedelta(days=3, hours=12, minutes=20)
HOUR = timedelta(hours=1)
WORLD = World(
    name="one",
    summary="",
    seed=1,
    begins_at=START,
    meters=(
        Meter(
            owner_id="gpu-1",
            owner_name="notebook-9",
            product_name="H100",
            category="gpu",
            subcategory="Compute",
            usd_per_hour=Decimal(3),
        ),
    ),
)


@dataclass(slots=True)
class Time:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def rented(
    *, faults: FaultPlan = NO_FAULTS, key: str = "sim-stop-key", takes: timedelta = timedelta()
) -> AsyncIterator[tuple[BillingSimulator, InstanceClient, Time]]:
    time = Time()
    async with BillingSimulator(WORLD, now=time, faults=faults, stop_takes=takes) as sim:
        client = InstanceClient(
            Transport(
                account="default",
                api_key=key,
                key_source="STOP_KEY",
                base_url=sim.base_url,
                bounds=Bounds(call_s=0.5),
                now=utc_now,
                elapsed=elapsed_s,
            )
        )
        try:
            yield sim, client, time
        finally:
            await client.close()


def spoiling(kind: FaultKind) -> FaultPlan:
    return FaultPlan(rules=(FaultRule(faults=(Fault(kind=kind, seconds=30),), path_part=STOP),), seed=1)


async def test_stop_when_it_takes_long_then_stopping_first_and_exited_after() -> None:
    """As real ones do: taken at once, done later."""
    async with rented(takes=timedelta(minutes=2)) as (sim, client, time):
        assert (await client.look("gpu-1")).status == "running"
        assert (await client.call(Verb.STOP, "gpu-1")).result is CallResult.TAKEN
        assert (await client.look("gpu-1")).status == "stopping"
        # Pressed once more meanwhile.
        assert (await client.call(Verb.STOP, "gpu-1")).result is CallResult.REFUSED
        time.now += timedelta(minutes=2)
        assert (await client.look("gpu-1")).status == "exited"
        assert sim.switches.calls == [(STOP, "gpu-1")]


async def test_bill_when_stopped_then_grows_to_the_end_of_the_hour_and_again_after_a_start() -> None:
    """The hour under way is billed whole, once, whatever happens in it."""

    def spent(sim: BillingSimulator, until: datetime) -> Decimal:
        return sim.world.final_spend(NOON - timedelta(minutes=20), until, owner_id="gpu-1")

    async with rented() as (sim, client, time):
        await client.call(Verb.STOP, "gpu-1")
        assert spent(sim, NOON + 9 * HOUR) == Decimal(3)
        await client.call(Verb.START, "gpu-1")
        assert (await client.look("gpu-1")).status == "running"
        assert spent(sim, NOON + 4 * HOUR) == Decimal(15)
        time.now += 3 * HOUR
        await client.call(Verb.STOP, "gpu-1")
        assert spent(sim, NOON + 24 * HOUR) == Decimal(12)


@pytest.mark.parametrize(
    ("kind", "result", "is_taken"),
    [
        pytest.param(FaultKind.CUT_BODY, CallResult.TAKEN, True, id="cut in the body: the status was heard"),
        pytest.param(FaultKind.HANG, CallResult.UNCLEAR, True, id="no answer"),
        pytest.param(FaultKind.SERVER_ERROR, CallResult.UNCLEAR, True, id="500"),
        pytest.param(FaultKind.BAD_GATEWAY, CallResult.UNCLEAR, True, id="a proxy's 502"),
        pytest.param(FaultKind.TOO_FAST, CallResult.REFUSED, False, id="too many requests"),
        pytest.param(FaultKind.KEY_REFUSED, CallResult.REFUSED, False, id="a key that was withdrawn"),
    ],
)
async def test_answer_when_spoilt_then_the_state_alone_says_what_came_of_it(
    kind: FaultKind, result: CallResult, *, is_taken: bool
) -> None:
    """A lost answer is not a lost call; a refusal is."""
    async with rented(faults=spoiling(kind)) as (sim, client, _):
        assert (await client.call(Verb.STOP, "gpu-1")).result is result
        assert (await client.look("gpu-1")).status == ("exited" if is_taken else "running")
        assert len(sim.switches.calls) == is_taken


@pytest.mark.parametrize(
    ("key", "instance", "words"),
    [
        pytest.param("sim-key", "gpu-1", "key refused (HTTP 403)", id="a key without rights"),
        pytest.param("sim-stop-key", "gpu-9", "knows no such instance (HTTP 404)", id="an instance that is gone"),
    ],
)
async def test_call_when_refused_then_nothing_is_stopped_and_nothing_of_the_answer_is_quoted(
    key: str, instance: str, words: str
) -> None:
    """The simulator's answers are full of secrets."""
    async with rented(key=key) as (sim, client, _):
        answer = await client.call(Verb.STOP, instance)
        sight = await client.look(instance)
        assert (answer.result, sim.switches.calls) == (CallResult.REFUSED, [])
        assert words in answer.text
        assert SECRET not in answer.text + sight.text + sight.status


async def test_key_when_it_is_the_actions_then_reads_no_bills() -> None:
    """Two keys, two rights."""
    async with rented() as (sim, _, _):
        headers = {"Authorization": "Bearer sim-stop-key", "User-Agent": "alertd/test"}
        async with httpx.AsyncClient(base_url=sim.base_url, headers=headers, verify=False) as client:
            answer = await client.get("/openapi/v1/billing/balance/detail")
    assert answer.status_code == 403
