"""Spend that is known in advance, through the real daemon: what is notified, and how far back it looks for it."""

import json
import signal
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.world import DAY, HOUR, BillingWorld, Hook, Row

RULES = """
version: 1
owners:
  - {{match: [gpu-1, gpu-2], team: research}}
receivers:
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [bridge]}}
{planned}
rules:
  - {{name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {{warning: 50}}}}
"""
PLANNED = """
planned:
  - match: {{team: research, rule: gpu}}
    amount: {amount}
    from: {start:%Y-%m-%dT%H:%MZ}
    until: {end:%Y-%m-%dT%H:%MZ}
    comment: training run 12
"""


def planned(world: BillingWorld, amount: str) -> str:
    """An entry from forty days ago to tomorrow: further back than bills are read without it."""
    start, end = (datetime.fromtimestamp(world.hour() + days * DAY, UTC) for days in (-40, 1))
    return PLANNED.format(amount=amount, start=start, end=end)


def notified(hook: Hook) -> list[tuple[str, str, str]]:
    """(owner, firing or resolved, value) of each message, as they came."""
    alerts = [alert for post in hook.posts for alert in json.loads(post.body)["alerts"]]
    return [(alert["labels"]["owner"], alert["status"], alert["annotations"]["value"]) for alert in alerts]


def row(world: BillingWorld, owner: str, usd: str, ago: int = 1) -> Row:
    return Row(category="gpu", start=world.hour(ago), owner=owner, pay=Decimal(usd))


@pytest.mark.slow
def test_planned_spend_when_its_amount_was_used_up_weeks_ago_then_only_the_rest_is_let_pass(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Of $1,000, 700 went 39 days ago: 320 today are 20 too many for nobody, 360 are 60 too many."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url, planned=planned(world, "$1,000")))
    world.add(row(world, "gpu-2", "700", 39 * 24), row(world, "gpu-1", "320"), row(world, "gpu-9", "60"))
    first = alertd.run("run", "--once")
    assert (first.code, notified(hook)) == (0, [("gpu-9", "firing", "60")]), first.err
    alertd.step(HOUR)
    world.add(row(world, "gpu-1", "40"))
    second = alertd.run("run", "--once")
    assert (second.code, notified(hook)[1:]) == (0, [("gpu-1", "firing", "360")]), second.err
    annotations = json.loads(hook.posts[-1].body)["alerts"][0]["annotations"]
    assert "Planned: $300.00 of $1,000.00 expected until " in annotations["details"]
    assert annotations["details"].endswith(" UTC (training run 12); all of it is used up")
    (alert,) = [alert for alert in alertd.alerts() if alert["labels"]["owner"] == "gpu-1"]
    assert (alert["value"], alert["threshold"], alert["complete"]) == ("360", "350", True)


@pytest.mark.slow
def test_open_alert_when_its_spend_is_planned_by_an_edit_then_it_ends(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """What people do when an alert is about something they meant; other owners' alerts stay."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url, planned=""))
    world.add(row(world, "gpu-1", "320"), row(world, "gpu-9", "60"))
    with alertd.running() as child:
        wait_for(lambda: len(notified(hook)) == 2, why="the alerts")
        alertd.rules(RULES.format(hook=hook.url, planned=planned(world, "300")))
        child.send_signal(signal.SIGHUP)
        wait_for(lambda: len(notified(hook)) == 3, why="the end")
        alertd.wait_cycles(2)
    assert notified(hook)[2:] == [("gpu-1", "resolved", "320")]
