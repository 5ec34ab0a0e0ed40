"""An update of a running installation: the database of each released schema under today's program."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.daemon import Alertd, no_traceback, wait_for
from tests.e2e.test_once import spend
from tests.e2e.test_service import owners_told
from tests.e2e.world import BillingWorld, Hook
from tests.store.keep_database import FOLDER
from tests.store.life import LATER, RULES, restore, set_clock, world_at

*OLDER, NEWEST = sorted(FOLDER.glob("*.sql"))
KEPT = [*(pytest.param(path, id=path.stem, marks=pytest.mark.slow) for path in OLDER), NEWEST]
"""The steps from each of them are tested in the store's own tests; here several processes live on each."""


@pytest.fixture(params=KEPT, ids=lambda path: path.stem)
def updated(request: pytest.FixtureRequest, alertd: Alertd, world: BillingWorld, hook: Hook) -> Alertd:
    """An installation whose program was replaced, ten minutes after the old one stopped; the world is as it was."""
    kept: Path = request.param
    restore(kept.read_text(encoding="utf-8"), alertd.database)
    alertd.rules(RULES.format(hook=hook.url))
    set_clock(alertd, LATER + timedelta(minutes=10))
    world_at(world, LATER)
    return alertd


@pytest.mark.slow
def test_update_when_the_daemon_starts_then_what_is_open_stays_and_nothing_is_notified_twice(
    updated: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """An update is no event: people hear of what is new, once, and of nothing else."""
    with updated.running():
        updated.wait_cycles(2)
        assert hook.posts == []
        states = [(alert["rule"], alert["state"]) for alert in updated.alerts()]
        firing = [(rule, "firing") for rule in ("by-key", "gpu", "gpu", "low", "overdue")]
        assert sorted(states) == sorted([*firing, ("slow", "pending"), ("gpu", "resolved")])
        spend(world, "gpu-3")
        wait_for(lambda: owners_told(hook) == [("gpu-3", "firing")], why="what is new")
        updated.wait_cycles(2)
    assert owners_told(hook) == [("gpu-3", "firing")]
    assert updated.run("db", "check").code == 0
    assert no_traceback(updated.log.read_text())


@pytest.mark.slow
def test_update_when_commands_look_then_they_show_what_was_stored(updated: Alertd, hook: Hook) -> None:
    """Whoever looks after an update sees the same money, the same alerts and the same silences as before."""
    assert updated.run("run", "--once").code == 0
    found = {alert["labels"].get("owner"): alert for alert in updated.alerts()}
    assert (found["gpu-1"]["value"], found["gpu-1"]["acknowledged_by"]) == ("61.25", "dana")
    assert " by kim until 2026-04-11 18:05 UTC" in found["gpu-2"]["silenced_by"]
    assert found["gpu-0"]["state"] == "resolved"
    spent = json.loads(updated.run("spend", "--since", "7d", "--by", "owner", "--json").out)
    assert {row["owner"]: row["amount"] for row in spent} == {
        "gpu-0": "9.0000000001",
        "gpu-1": "61.25",
        "gpu-2": "8",
        "key-7": "8.5",
    }
    by_key = json.loads(updated.run("spend", "--view", "api_key", "--by", "owner", "--json").out)
    assert [(row["owner"], row["owner_name"]) for row in by_key] == [("key-7", "ci")]
    history = updated.run("explain", found["gpu-1"]["fingerprint"])
    assert "none -> firing (warning)" in history.out
    assert "acknowledged by dana" in history.out
    status = updated.run("status", "--json")
    assert status.code == 1, "what the old version gave up is still a fault"
    assert json.loads(status.out)["outbox"]["gone"]["gave up"] == 1
    assert hook.posts == []
