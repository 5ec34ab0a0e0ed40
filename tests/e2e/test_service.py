"""The service from outside: signals, locks, reloads, and what a stop leaves behind."""

import json
import os
import signal
import sqlite3
import threading
import time
from collections import deque
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.daemon import PATIENCE_S, Alertd, no_traceback, wait_for
from tests.e2e.test_once import RULES, spend
from tests.e2e.world import BillingWorld, Fault, Hook, Reply, Row
from tests.examples import rest_slow


def owners_told(hook: Hook) -> list[tuple[str, str]]:
    """Return (owner, status) of every alert in every post, in order."""
    bodies = [json.loads(post.body) for post in hook.posts]
    return [(a["labels"].get("owner", ""), a["status"]) for body in bodies for a in body["alerts"]]


def test_sigterm_when_a_send_is_in_flight_then_it_is_finished_and_exits_0(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A deploy in the wrong second must neither lose nor repeat a message."""
    alertd.is_fresh = True
    alertd.rules(RULES.format(hook=hook.url))
    gate = threading.Event()
    hook.replies = deque([Reply(hold=gate)])
    spend(world, "gpu-1")
    child = alertd.start()
    wait_for(lambda: hook.attempts, why="the send")
    child.send_signal(signal.SIGTERM)
    wait_for(lambda: alertd.events("alertd stopping"), why="that it heard")
    gate.set()
    assert child.wait(PATIENCE_S) == 0
    assert no_traceback(alertd.log.read_text())
    with alertd.running():
        alertd.wait_cycles(2)
    assert owners_told(hook) == [("gpu-1", "firing")]


@pytest.mark.fresh
@pytest.mark.slow
def test_sigterm_when_webhook_and_api_hang_then_exits_0_within_10_seconds(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Whoever stops the service is not kept waiting by a server that does not answer."""
    alertd.rules(RULES.format(hook=hook.url))
    gate = threading.Event()
    hook.replies = deque([Reply(hold=gate)])
    spend(world, "gpu-1")
    child = alertd.start()
    wait_for(lambda: hook.attempts, why="the send")
    world.broken["llm"] = Fault(hold=gate)
    polls = world.polls("llm")
    wait_for(lambda: world.polls("llm") > polls, why="a poll that hangs")
    begun = time.monotonic()
    child.send_signal(signal.SIGTERM)
    assert child.wait(PATIENCE_S) == 0
    assert time.monotonic() - begun < 10
    gate.set()
    assert alertd.run("db", "check").code == 0
    # A stop that was asked for is no error to be looked into.
    assert no_traceback(alertd.log.read_text())


@pytest.mark.slow
def test_sigint_when_idle_then_exits_0(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """Ctrl-C at a terminal is no failure."""
    alertd.is_fresh = True
    alertd.rules(RULES.format(hook=hook.url))
    child = alertd.start()
    alertd.wait_cycles(1)
    child.send_signal(signal.SIGINT)
    assert child.wait(PATIENCE_S) == 0


@pytest.mark.slow
def test_old_data_when_alertd_is_restarted_often_then_is_deleted_once_a_day_all_the_same(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A host that is rebooted each night, a pod that is moved: no process is a day old."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))

    def pruned_at() -> str:
        with closing(sqlite3.connect(alertd.database)) as store:
            found = store.execute("SELECT content FROM meta WHERE name = 'pruned_at'").fetchone()
        return found[0] if found else ""

    seen = []
    for hours in (0, 12, 13, 12, 11):
        alertd.step(hours * 3600)
        with alertd.running():
            alertd.wait_cycles(2)
            wait_for(pruned_at, why="the first deletion")
            alertd.wait_cycles(1)
        seen.append(pruned_at())
    assert [seen.index(each) for each in seen] == [0, 0, 2, 2, 2]


@pytest.mark.slow
def test_second_daemon_when_one_runs_then_is_refused_with_its_pid(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Two writers would tell everything twice; readers are welcome meanwhile."""
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running() as child:
        alertd.wait_cycles(1)
        for arguments in (("run",), ("run", "--once"), ("db", "prune")):
            refused = alertd.run(*arguments)
            assert refused.code == 1
            assert f"pid {child.pid}" in refused.err
            assert len(refused.err.strip().splitlines()) == 1
        assert alertd.run("run", "--dry-run").code == 0
        status = alertd.run("status")
        assert (status.code, status.err) == (0, "")
        assert oct((alertd.folder / "alertd.db").stat().st_mode & 0o777) == "0o600"
        assert oct((alertd.folder / "alertd.db-wal").stat().st_mode & 0o777) == "0o600"
    assert hook.posts == []


def notified(hook: Hook) -> list[tuple[str, str]]:
    """(rule, state) of every alert told so far, in order."""
    alerts = [alert for post in hook.posts for alert in json.loads(post.body)["alerts"]]
    return [(alert["labels"]["alertname"], alert["status"]) for alert in alerts]


@pytest.mark.parametrize("by_signal", rest_slow([False, True]), ids=["the edit is noticed", "SIGHUP"])
def test_edit_when_bad_then_good_then_keeps_the_old_and_takes_the_new(
    alertd: Alertd, world: BillingWorld, hook: Hook, by_signal: bool
) -> None:
    """A typo in production must not blind anybody; it is notified once, and the fixed file counts without a restart."""
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running() as child:

        def edit(text: str) -> None:
            alertd.rules(text)
            if by_signal:
                child.send_signal(signal.SIGHUP)

        alertd.wait_cycles(1)
        edit("version: 1\nrules:\n  - {name: gpu, type: rollin_spend}\n")
        event = wait_for(lambda: alertd.events("rules not reloaded"), why="the refusal")[0]
        assert "rules.yaml:3:" in event["error"]
        wait_for(lambda: notified(hook) == [("alertd-rules", "firing")], why="the default receiver hears of it")
        assert b"rules.yaml:3:" in hook.posts[0].body
        edit("version: 1\nrules:\n  - {name: gpu, type: rolling_spend, windw: 3h}\n")
        wait_for(lambda: any("windw" in one["error"] for one in alertd.events("rules not reloaded")), why="another")
        spend(world, "gpu-1")
        wait_for(lambda: notified(hook)[1:] == [("gpu", "firing")], why="the old rules, and nothing more of the file")
        edit(RULES.format(hook=hook.url).replace("name: gpu,", "name: llm,").replace("category: gpu", "category: llm"))
        wait_for(lambda: len(notified(hook)) == 4, why="the end of both")
        assert sorted(notified(hook)[2:]) == [("alertd-rules", "resolved"), ("gpu", "resolved")]
        bodies = b"".join(post.body for post in hook.posts[2:])
        assert b"rule removed" in bodies
        assert b"1 rule added (llm), 1 rule removed (gpu)" in bodies
        (event,) = alertd.events("rules reloaded")
        assert event["changes"] == "1 rule added (llm), 1 rule removed (gpu)"
        spend(world, "llm-1", category="llm")
        wait_for(lambda: notified(hook)[4:] == [("llm", "firing")], why="the new rule")
        alertd.wait_cycles(2)
    assert len(notified(hook)) == 5


@pytest.mark.slow
def test_sighup_when_a_send_is_in_flight_then_it_is_not_sent_again(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A reload is no crash: the answer to what is under way still comes, and counts."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))
    gate = threading.Event()
    hook.replies = deque([Reply(hold=gate)])
    spend(world, "gpu-1")
    with alertd.running() as child:
        wait_for(lambda: hook.attempts, why="the send")
        child.send_signal(signal.SIGHUP)
        wait_for(lambda: alertd.events("rules reloaded"), why="the reload")
        gate.set()
        alertd.wait_cycles(2)
        alertd.step(120)
        alertd.wait_cycles(3)
    assert owners_told(hook) == [("gpu-1", "firing")]


@pytest.mark.slow
def test_sighup_when_the_receiver_of_a_send_in_flight_is_removed_then_the_service_goes_on(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Rules are edited while messages leave: neither may bring the other down."""
    alertd.rules(RULES.format(hook=hook.url))
    gate = threading.Event()
    hook.replies = deque([Reply(hold=gate, status=500)])
    spend(world, "gpu-1")
    with alertd.running() as child:
        wait_for(lambda: hook.attempts, why="the send")
        alertd.rules(RULES.format(hook=hook.url).replace("bridge", "other"))
        child.send_signal(signal.SIGHUP)
        wait_for(lambda: alertd.events("rules reloaded"), why="the reload")
        gate.set()
        spend(world, "gpu-2")
        wait_for(lambda: ("gpu-2", "firing") in owners_told(hook), why="the new receiver")
    assert no_traceback(alertd.log.read_text())


@pytest.mark.slow
def test_output_when_nobody_reads_it_then_alerts_go_on(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """A log collector that died must not take the watch with it."""
    alertd.is_fresh = True
    alertd.rules(RULES.format(hook=hook.url))
    reading, writing = os.pipe()
    alertd.folder.joinpath("stderr.log").symlink_to(f"/proc/{os.getpid()}/fd/{writing}")
    child = alertd.start()
    os.close(reading)
    os.close(writing)
    alertd.folder.joinpath("stderr.log").unlink()
    wait_for(lambda: world.polls() >= 3, why="cycles")
    spend(world, "gpu-1")
    wait_for(lambda: hook.posts, why="the alert")
    child.send_signal(signal.SIGTERM)
    assert child.wait(PATIENCE_S) == 0


@pytest.mark.slow
def test_key_in_a_file_when_rotated_and_reloaded_then_the_new_one_is_used(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A key is changed without a restart; until then alertd says that it is blind, once."""
    (alertd.folder / "key").write_text(world.key + "\n")
    alertd.rules(RULES.format(hook=hook.url) + "\naccounts: [{name: prod, api_key_file: key}]\n")
    with alertd.running() as child:
        alertd.wait_cycles(1)
        world.key = "sk-canary-second-key"
        wait_for(lambda: hook.posts, why="the blindness")
        alertd.wait_cycles(2)
        (alert,) = json.loads(hook.posts[0].body)["alerts"]
        assert alert["labels"]["alertname"] == "alertd-blind"
        (alertd.folder / "key").write_text("sk-canary-second-key\n")
        child.send_signal(signal.SIGHUP)
        wait_for(lambda: len(hook.posts) == 2, why="the end of blindness")
        world.add(Row(category="gpu", start=world.hour(1), owner="gpu-1", pay=Decimal(9)))
        wait_for(lambda: len(hook.posts) == 3, why="the alert")
    assert [json.loads(post.body)["status"] for post in hook.posts] == ["firing", "resolved", "firing"]


@pytest.mark.slow
def test_reloads_when_repeated_then_no_connections_pile_up(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """Configuration management reloads every few minutes for months: each must give back what it took."""
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running() as child:
        held = []
        for n in range(4):
            alertd.wait_cycles(2)
            held.append(len(list(Path(f"/proc/{child.pid}/fd").iterdir())))
            child.send_signal(signal.SIGHUP)
            alertd.wait_events("rules reloaded", n + 1)
    assert held[-1] <= held[0] + 2, held
