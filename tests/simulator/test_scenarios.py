"""The named worlds tell their stories."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

import pytest

from alertd.simulator.cycles import bill_rows
from alertd.simulator.queries import BillQuery, Cycle
from alertd.simulator.scenarios import LARGE_OWNERS, SCENARIOS
from alertd.simulator.wire import encode_bills
from alertd.simulator.world import CATEGORIES, World

START = datetime(2026, 3, 1, 13, 37, tzinfo=UTC)
MIDNIGHT = START.replace(hour=0, minute=0)


@cache
def world_of(name: str) -> World:
    return SCENARIOS[name](5, START)


def spend(name: str, first: timedelta, last: timedelta, *, owner_id: str) -> Decimal:
    category = "gpu" if owner_id.startswith("gpu") else "llm"
    return world_of(name).final_spend(MIDNIGHT + first, MIDNIGHT + last, category=category, owner_id=owner_id)


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_when_built_twice_then_is_the_same_under_its_own_name(name: str) -> None:
    """A seed is all that a user needs to tell us."""
    world = SCENARIOS[name](5, START)
    assert world == SCENARIOS[name](5, START)
    assert world != SCENARIOS[name](6, START)
    assert world.name == name
    assert world.summary
    assert world.begins_at <= MIDNIGHT


def test_quiet_month_when_spent_then_is_plausible_and_has_all_oddities() -> None:
    """The stage on which every other story plays."""
    world = SCENARIOS["quiet-month"](5, START)
    month = timedelta(days=31)
    assert 4_000 < world.final_spend(MIDNIGHT, MIDNIGHT + month) < 7_000
    assert world.begins_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert 8 <= len({meter.owner_id for meter in world.meters}) <= 20
    assert {meter.category for meter in world.meters} == set(CATEGORIES) - {"bare_metal"}
    rows = [
        seen
        for category in CATEGORIES
        for seen in world.final_rows(category, int(MIDNIGHT.timestamp()), int((MIDNIGHT + month).timestamp()))
    ]
    assert {row.billing_method for row, _ in rows} == {1, 2, 4}
    assert any(version.amount < 0 for _, version in rows)
    assert any(0 < version.amount < 10**6 for _, version in rows)
    assert any(0 < version.voucher < version.amount for _, version in rows)
    assert any(row.meter.owner_id == "" for row, _ in rows)
    assert {len(row.versions) for row, _ in rows} == {1, 2}


@pytest.mark.parametrize("name", ["forgotten-gpu", "busy-month"])
def test_forgotten_gpu_when_left_running_then_costs_until_it_is_found(name: str) -> None:
    """From day 9, 17:00 to day 20, 09:00: 256 hours at $8.36, less the hours that are withdrawn."""
    ninth, twentieth = timedelta(days=9, hours=17), timedelta(days=20, hours=9)
    assert spend(name, -timedelta(days=59), ninth, owner_id="gpu-notebook-9") == 0
    assert Decimal("8.36") * 250 <= spend(name, ninth, twentieth, owner_id="gpu-notebook-9") <= Decimal("8.36") * 256
    assert spend(name, twentieth, timedelta(days=90), owner_id="gpu-notebook-9") == 0
    assert spend("quiet-month", ninth, twentieth, owner_id="gpu-notebook-9") == 0


@pytest.mark.parametrize("name", ["leaking-key", "busy-month"])
def test_leaking_key_when_it_leaks_then_explodes_within_hours_and_stops(name: str) -> None:
    """Day 12, 03:00 to 21:00."""
    day = timedelta(days=12)
    usual = spend(name, day - timedelta(hours=24), day, owner_id="key-ci")
    assert 1 < usual < 3
    assert spend(name, day, day + timedelta(hours=3), owner_id="key-ci") < 1
    assert 30 < spend(name, day + timedelta(hours=14), day + timedelta(hours=15), owner_id="key-ci") < 100
    assert 300 < spend(name, day, day + timedelta(hours=21), owner_id="key-ci") < 1500
    assert spend(name, day + timedelta(hours=21), day + timedelta(hours=45), owner_id="key-ci") < 3


@pytest.mark.slow
def test_large_when_a_day_is_read_then_every_owner_has_every_hour() -> None:
    """The answer of benchmarks: whole, valid, and made piece by piece."""
    world = SCENARIOS["large"](1, START)
    start_s = int(MIDNIGHT.timestamp())
    query = BillQuery(cycle=Cycle.HOUR, category="gpu", start_s=start_s, end_s=start_s + 86_400)
    rows = bill_rows(world, query, now=MIDNIGHT + timedelta(days=2), reach_in=True)
    pieces = list(encode_bills(rows, query, world))
    assert len(pieces) > 10
    bills = json.loads(b"".join(pieces))["bills"]
    assert len({(bill["ownerID"], bill["productName"]) for bill in bills}) == LARGE_OWNERS
    assert len(bills) == LARGE_OWNERS * 24
