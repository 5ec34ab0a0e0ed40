"""Liveness from outside: what the service manager hears, and what it does with a daemon that hangs."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.daemon import PATIENCE_S, Alertd, wait_for
from tests.e2e.plugin import PLUGIN_RULES, install_notifier
from tests.e2e.supervisor import WATCHDOG_S, Supervisor
from tests.e2e.test_once import RULES, spend
from tests.e2e.test_service import owners_told
from tests.e2e.test_web import ask
from tests.e2e.world import BillingWorld, Fault, Hook
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.fresh]
STUCK = Path(__file__).with_name("stuck.py")
HANGING_SEND = """
        while not self._gate.exists():
            await asyncio.sleep(0.01)
        hung = self._gate.with_suffix(".hung")
        if not hung.exists():
            hung.touch()
            time.sleep(3600)
"""
"""It blocks the whole program, once, as bad code does; when the test opens its gate."""


def test_process_when_it_is_frozen_for_longer_than_every_deadline_then_goes_on_where_it_was(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A debugger, a paused container, a host without memory: three days pass between two instructions."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    with alertd.running() as child:
        wait_for(lambda: owners_told(hook) == [("gpu-1", "firing")], why="the alert")
        for _ in range(3):
            child.send_signal(signal.SIGSTOP)
            alertd.step(73 * 3600)
            time.sleep(2)
            child.send_signal(signal.SIGCONT)
            alertd.wait_cycles(2)
        spend(world, "gpu-2")
        wait_for(lambda: ("gpu-2", "firing") in owners_told(hook), why="a new owner")
        alertd.wait_cycles(2)
    assert owners_told(hook) == [("gpu-1", "firing"), ("gpu-1", "resolved"), ("gpu-2", "firing")]


@pytest.mark.parametrize("address", ["notify", "@alertd-e2e-{pid}"], ids=["a path", "an abstract socket"])
def test_manager_when_the_service_lives_then_hears_each_step_of_it(
    alertd: Alertd, world: BillingWorld, hook: Hook, address: str
) -> None:
    """`systemctl start` returns when alertd serves, `reload` and `stop` when they are done, `status` shows a line."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    place = address.format(pid=os.getpid()) if address.startswith("@") else str(alertd.folder / address)
    manager = Supervisor(alertd, place)
    with manager.running() as child:
        manager.wait("READY=1")
        manager.wait("STATUS=1 firing, last poll ")
        manager.wait("WATCHDOG=1", 3)
        child.send_signal(signal.SIGHUP)
        manager.wait("RELOADING=1")
        manager.wait("READY=1", 2)
        world.broken["gpu"] = Fault(status=500)
        wait_for(lambda: "not complete" in str(manager.notified[-20:]), why="the failed poll in the status")
    lines = [line.partition("=")[0] for _, datagram in manager.notified for line in datagram]
    assert lines.index("READY") < lines.index("RELOADING") < lines.index("STOPPING")
    assert lines[lines.index("RELOADING") + 1] == "MONOTONIC_USEC"
    assert lines.count("STOPPING") == 1
    assert set(lines) == {"READY", "STATUS", "WATCHDOG", "RELOADING", "MONOTONIC_USEC", "STOPPING"}


def test_manager_when_the_rules_are_broken_at_start_then_never_ready(alertd: Alertd, world: BillingWorld) -> None:
    """A deploy that cannot serve must not look like one that does."""
    alertd.rules("version: 1\nrules: [{name: x}]\n")
    manager = Supervisor(alertd, str(alertd.folder / "notify"))
    with manager.running() as child:
        assert child.wait(PATIENCE_S) == 1
    assert manager.notified == []


def test_store_when_it_hangs_then_unhealthy_and_silent_to_the_watchdog_until_it_answers(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """The loop turns, the pages answer, and nothing is decided any more: nobody would notice."""
    hang, port = alertd.folder / "hang", free_port()
    alertd.program = (str(STUCK),)
    alertd.env |= {"ALERTD_HTTP_LISTEN": f"127.0.0.1:{port}", "E2E_HANG": str(hang)}
    alertd.rules(RULES.format(hook=hook.url))
    manager = Supervisor(alertd, str(alertd.folder / "notify"))
    with manager.running():
        alertd.wait_cycles(1)
        assert ask(port, "/healthz") == (200, "ok\n")
        hang.touch()
        wait_for(lambda: ask(port, "/healthz")[0] == 503, why="that it is stuck")
        assert ask(port, "/healthz")[1] == ask(port, "/readyz")[1] == "stuck: store: it does not answer\n"
        ran = alertd.run("healthcheck")
        assert (ran.code, ran.out, ran.err) == (1, "", "stuck: store: it does not answer\n")
        manager.wait("STATUS=stuck: store: it does not answer")
        beats = manager.count("WATCHDOG=1")
        # Only more of the same shows that the beats have ended.
        manager.wait("STATUS=stuck", manager.count("STATUS=stuck") + 3)
        assert manager.count("WATCHDOG=1") == beats
        hang.unlink()
        wait_for(lambda: ask(port, "/healthz")[0] == 200, why="that it is well again")
        manager.wait("WATCHDOG=1", beats + 1)
        alertd.wait_cycles(1)
        assert alertd.run("healthcheck").code == 0
    assert [line["parts"] for line in alertd.events("daemon stuck")] == ["store: it does not answer"]


def test_daemon_when_it_hangs_then_killed_by_its_watchdog_and_goes_on_where_it_was(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A plugin that blocks the program is cured by a restart; no alert is lost, and none told twice by the others."""
    gate = alertd.folder / "gate"
    install_notifier(alertd, body=HANGING_SEND)
    alertd.rules(PLUGIN_RULES.format(hook=hook.url, gate=gate))
    manager = Supervisor(alertd, str(alertd.folder / "notify"))
    with manager.running(restarts=True) as first:
        alertd.wait_cycles(1)
        spend(world, "gpu-1")
        alertd.wait_events("notification delivered", 1)
        gate.touch()
        hung_at = time.monotonic()
        wait_for(lambda: manager.killed, why="the watchdog")
        assert time.monotonic() - hung_at < WATCHDOG_S + 5
        assert first.returncode == -signal.SIGABRT
        (alert,) = (one for one in alertd.alerts() if one["rule"] == "gpu")
        manager.wait("READY=1", 2)
        manager.wait("STATUS=1 firing")
        spend(world, "gpu-2")
        wait_for(lambda: len(owners(hook)) == 2, why="the alert after the restart")
        again = {one["labels"]["owner"]: one for one in alertd.alerts() if one["rule"] == "gpu"}
        assert again["gpu-1"]["started_at"] == alert["started_at"]
        assert manager.killed == 1
    assert owners(hook) == ["gpu-1", "gpu-2"]
    # What hung may have been sent or not: it is kept as just that, and tried again.
    assert json.loads(alertd.run("status", "--json").out)["outbox"]["bad"] == {"unknown": 1, "delivered": 1}
    assert alertd.run("db", "check").code == 0


def owners(hook: Hook) -> list[str]:
    """Return whose alert each post was, in order."""
    return [one["labels"]["owner"] for post in hook.posts for one in json.loads(post.body)["alerts"]]
