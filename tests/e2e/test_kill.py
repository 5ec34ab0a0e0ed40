"""SIGKILL at random moments of polling, deciding and sending: nothing lost, nothing twice beyond the send in flight."""

import json
import random
import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.doubles import SlackDouble
from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.test_once import spend
from tests.e2e.world import BillingWorld, Hook, Reply

pytestmark = [pytest.mark.slow, pytest.mark.fresh]
KILLS = 15
RULES = """
version: 1
receivers:
  - {{name: finops, type: slack, channel: "#finops"}}
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [finops, bridge]}}
rules:
  - {{name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {{warning: 5}}}}
"""


def test_killed_at_random_moments_when_started_again_then_every_alert_is_notified(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble
) -> None:
    """A power cut comes when it comes; the store is the only memory."""
    rng = random.Random(20260110)
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))
    with alertd.running():
        alertd.wait_cycles(1)
    owners = []
    for n in range(KILLS):
        owners.append(f"gpu-kill-{n:02}")
        spend(world, owners[-1])
        seen: list[tuple[int, Callable[[], int]]] = [
            (rng.randrange(1, 12), lambda: len(world.asked)),
            (1, lambda: hook.attempts),
        ]
        more, count = rng.choice([*seen, (1, lambda: len(slack.calls)), (1, lambda: len(world.asked))])
        goal = count() + more
        child = alertd.start()
        # It may have nothing to send yet, or be slow to start: then it dies in that.
        with suppress(AssertionError):
            _wait_count(count, goal)
        time.sleep(rng.choice([0, 0, 0.005, 0.02, 0.05, 0.2]))
        child.send_signal(signal.SIGKILL)
        child.wait()
        alertd.step(70)
        slack._ts = max(slack._ts, int(alertd.now()))
    assert alertd.run("db", "check").code == 0
    with alertd.running():
        for _ in range(3):
            alertd.wait_cycles(2)
            alertd.step(1900)
            slack._ts = max(slack._ts, int(alertd.now()))
        wait_for(lambda: all(_seen(slack)[owner] for owner in owners), why="every alert in Slack")
        wait_for(lambda: all(_copies(hook)[owner] for owner in owners), why="every alert at the webhook")
        alertd.wait_cycles(2)
    assert _seen(slack) == dict.fromkeys(owners, 1)
    keys = Counter(post.headers["idempotency-key"] for post in hook.posts)
    assert max(keys.values()) <= 3
    assert sum(keys.values()) - len(keys) <= KILLS
    # Whatever was sent again is the same to the byte.
    assert len({post.body for post in hook.posts}) == len(keys)
    assert {key for key, bodies in _bodies(hook).items() if len(bodies) > 1} == set()
    notified = Counter(owner for bodies in _bodies(hook).values() for body in bodies for owner in _owners(body))
    assert notified == dict.fromkeys(owners, 1)
    assert {alert["labels"]["owner"] for alert in alertd.alerts() if alert["rule"] == "gpu"} == set(owners)
    assert alertd.run("db", "check").code == 0


def _wait_count(count: Callable[[], int], goal: int) -> None:
    wait_for(lambda: count() >= goal, why="any moment will do", patience_s=2.5)


def _owners(body: bytes) -> list[str]:
    return [a["labels"]["owner"] for a in json.loads(body)["alerts"] if a["labels"]["alertname"] == "gpu"]


def _copies(hook: Hook) -> Counter[str]:
    return Counter(owner for post in hook.posts for owner in _owners(post.body))


def _bodies(hook: Hook) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for post in hook.posts:
        found.setdefault(post.headers["idempotency-key"], set()).add(post.body)
    return found


def _seen(slack: SlackDouble) -> Counter[str]:
    # What another receiver could not take for sure is notified here as well, and says so.
    texts = [json.dumps(m["blocks"]) for m in slack.shown() if "[undelivered to bridge]" not in m["text"]]
    return Counter(f"gpu-kill-{n:02}" for text in texts for n in range(KILLS) if f"gpu-kill-{n:02}" in text)


def test_killed_while_the_webhook_holds_the_answer_then_the_same_bytes_come_again(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """The one copy too many that cannot be helped is marked as such by its key."""
    alertd.is_stepped = True
    alertd.rules(
        RULES.format(hook=hook.url)
        .replace("[finops, bridge]", "[bridge]")
        .replace('  - {name: finops, type: slack, channel: "#finops"}\n', "")
    )
    hook.replies = deque([Reply(status=None)])
    spend(world, "gpu-1")
    child = alertd.start()
    wait_for(lambda: hook.posts, why="the send")
    child.kill()
    child.wait()
    with alertd.running():
        alertd.wait_cycles(1)
        assert len(hook.posts) == 1
        alertd.step(70)
        wait_for(lambda: len(hook.posts) == 2, why="the second copy")
        alertd.step(7200)
        alertd.wait_cycles(2)
    first, second = hook.posts
    assert (first.body, first.headers["idempotency-key"]) == (second.body, second.headers["idempotency-key"])
