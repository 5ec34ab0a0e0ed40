"""Alertmanager in the whole program: it forgets, and is notified again, by the service and by cron."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.test_once import RULES, spend
from tests.e2e.world import BillingWorld, Hook

ALERTMANAGER = RULES.replace("type: webhook", "type: alertmanager")


def notified(hook: Hook) -> list[list[dict[str, Any]]]:
    """Return the alerts of each post."""
    return [json.loads(post.body) for post in hook.posts]


@pytest.mark.slow
def test_once_when_run_again_then_what_fires_is_notified_again_and_no_message_is_made(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """From cron nothing tells in between: without this the alert would end by itself before its next repeat."""
    alertd.rules(ALERTMANAGER.format(hook=hook.url))
    spend(world, "gpu-1")
    assert alertd.run("run", "--once").code == 0
    first = len(hook.posts)
    assert alertd.run("run", "--once").code == 0
    alerts = [alert for post in notified(hook) for alert in post]
    assert len(hook.posts) == first + 1
    assert {(alert["labels"]["owner"], alert["labels"]["severity"]) for alert in alerts} == {("gpu-1", "warning")}
    ends = [datetime.fromisoformat(alert["endsAt"]) for alert in alerts]
    assert ends == sorted(ends)
    assert ends[0] - datetime.fromisoformat(alerts[0]["startsAt"]) >= timedelta(hours=23)


@pytest.mark.slow
def test_service_when_alertmanager_forgot_then_it_is_notified_at_once_after_a_start(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A host that restarts takes both with it; the next repeat is a day away."""
    alertd.rules(ALERTMANAGER.format(hook=hook.url))
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(lambda: hook.posts, why="the alert")
    hook.posts.clear()
    with alertd.running():
        wait_for(lambda: hook.posts, why="the alert, told again")
    [alert] = notified(hook)[0]
    assert alert["labels"]["owner"] == "gpu-1"
