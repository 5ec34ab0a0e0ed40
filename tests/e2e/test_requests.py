"""Requests from outside: commands beside the running service, after a crash, and without it."""

import json
import signal
import stat
from decimal import Decimal
from typing import Any

import pytest

from tests.doubles import SlackDouble
from tests.e2e.daemon import Alertd, no_traceback, wait_for
from tests.e2e.test_once import spend
from tests.e2e.test_service import owners_told
from tests.e2e.world import BillingWorld, Hook, Row

RULES = """
version: 1
receivers:
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [bridge]}}
rules:
  - name: gpu
    type: rolling_spend
    category: gpu
    group_by: [owner]
    window: 24h
    thresholds: {{warning: 5, critical: 100}}
    repeat_interval: 1h
    repeat_backoff: 1
"""


def alert_of(alertd: Alertd, owner: str) -> dict[str, Any]:
    return next((alert for alert in alertd.alerts() if alert["labels"].get("owner") == owner), {})


def wait_firing(alertd: Alertd, owner: str) -> dict[str, Any]:
    wait_for(lambda: alert_of(alertd, owner).get("state") == "firing", why=f"{owner} fires")
    return alert_of(alertd, owner)


def test_requests_when_made_to_the_running_service_then_holds_over_a_crash(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """What somebody asked for at night must survive the power cut of the same night."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    child = alertd.start()
    wait_for(lambda: owners_told(hook) == [("gpu-1", "firing")], why="the alert")
    mode = (alertd.folder / "alertd.db.sock").lstat().st_mode
    assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o600)

    name = wait_firing(alertd, "gpu-1")["fingerprint"]
    acked = alertd.run("ack", name[:6], "--by", "dana")
    assert (acked.code, acked.err) == (0, "")
    assert acked.out.startswith(f"gpu ({name}) is acknowledged: ")
    assert "No daemon" not in acked.out
    assert alert_of(alertd, "gpu-1")["acknowledged_by"] == "dana"

    added = alertd.run("silence", "add", "owner=gpu-2", "--for", "24h", "--comment", "run 12", "--by", "kim")
    assert (added.code, added.err) == (0, "")
    silence = added.out.split()[1]
    spend(world, "gpu-2")
    notified = f"{silence} by kim until "
    assert wait_firing(alertd, "gpu-2")["silenced_by"].startswith(notified)

    child.send_signal(signal.SIGKILL)
    child.wait()
    alertd.step(7200)
    with alertd.running():
        alertd.wait_cycles(3)
        assert owners_told(hook) == [("gpu-1", "firing")]
        found = {alert["labels"]["owner"]: alert for alert in alertd.alerts()}
        assert found["gpu-1"]["acknowledged_by"] == "dana"
        assert found["gpu-2"]["silenced_by"].startswith(notified)
        assert found["gpu-2"]["withheld"] == f"silenced by {found['gpu-2']['silenced_by'][12:]}"
        (listed,) = json.loads(alertd.run("silence", "list", "--json").out)
        assert (listed["id"], listed["matchers"], listed["comment"]) == (silence, {"owner": ["gpu-2"]}, "run 12")

        expired = alertd.run("silence", "expire", silence[:4])
        assert (expired.code, expired.err) == (0, "")
        wait_for(lambda: ("gpu-2", "firing") in owners_told(hook), why="what still fires at the silence's end")
        undone = alertd.run("ack", name, "--undo", "--by", "kim")
        assert (undone.code, undone.err) == (0, "")
        wait_for(lambda: owners_told(hook).count(("gpu-1", "firing")) == 2, why="the repeat")
        refused = alertd.run("ack", "ffffffff")
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == 'alertd: there is no alert "ffffffff"; `alertd alerts --all` lists them\n'
        history = alertd.run("explain", name)
    assert history.code == 0
    for line in ("acknowledged by dana", "acknowledgement taken back by kim", "delivered", "by defaults"):
        assert line in history.out
    assert next(event["what"] for event in alertd.events("request carried out")) == "acknowledged by dana"
    assert owners_told(hook).count(("gpu-2", "firing")) == 1
    assert no_traceback(alertd.log.read_text())
    assert alertd.run("db", "check").code == 0
    assert not (alertd.folder / "alertd.db.sock").exists()


@pytest.mark.slow
def test_requests_when_no_service_runs_then_the_next_one_knows(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """From cron there is no daemon, ever."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    assert alertd.run("run", "--once").code == 0
    name = alert_of(alertd, "gpu-1")["fingerprint"]
    for arguments in (("ack", name), ("silence", "add", "owner=gpu-2", "--for", "1d")):
        ran = alertd.run(*arguments)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.endswith("No daemon runs on this store; it will know when it starts.\n")
    spend(world, "gpu-2")
    alertd.step(7200)
    assert alertd.run("run", "--once").code == 0
    assert owners_told(hook) == [("gpu-1", "firing")]
    assert alert_of(alertd, "gpu-2")["silenced_by"] is not None


@pytest.mark.slow
def test_socket_when_something_is_in_its_way_then_the_service_runs_and_commands_say_why(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Watching goes on without the door; the store stays the daemon's alone."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))
    (alertd.folder / "alertd.db.sock").write_text("precious")
    with alertd.running() as child:
        alertd.wait_cycles(1)
        refused = alertd.run("silence", "add", "owner=x", "--for", "1h")
        assert (refused.code, f"pid {child.pid}" in refused.err) == (1, True), refused.err
        assert no_traceback(refused.err)
    assert len(alertd.events("control socket not opened")) == 1
    assert (alertd.folder / "alertd.db.sock").read_text() == "precious"


@pytest.mark.slow
def test_correction_when_late_bills_change_what_was_notified_then_the_message_is_edited(
    alertd: Alertd, world: BillingWorld, slack: SlackDouble
) -> None:
    """Told $9.00, now $20.00: the same message says it, and no second one comes."""
    alertd.is_stepped = True
    alertd.rules(
        'version: 1\nreceivers: [{name: finops, type: slack, channel: "#finops"}]\ndefaults: {notify: [finops]}\n'
        "rules: [{name: gpu, type: rolling_spend, group_by: [owner], window: 24h, thresholds: {warning: 5}}]\n"
    )
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(slack.shown, why="the alert")
        first = slack.shown()[0]["ts"]
        world.add(Row(category="gpu", start=world.hour(2), owner="gpu-1", pay=Decimal(11)))
        wait_for(lambda: "now $20.00 for the same hours" in json.dumps(slack.shown()), why="the correction")
        alertd.wait_cycles(3)
    (message,) = slack.shown()
    assert message["ts"] == first
    assert "was $9.00, now $20.00" in json.dumps(message["blocks"])
    assert [method for method, _ in slack.calls if method.startswith("chat.")] == ["chat.postMessage", "chat.update"]
