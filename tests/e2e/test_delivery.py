"""Copies seen by people: one without faults, one through Slack whatever happens, few and alike elsewhere."""

import json
from collections import Counter, deque
from decimal import Decimal

import pytest

from tests.doubles import Fault as SlackFault
from tests.doubles import SlackDouble
from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.test_once import RULES, Passing, spend
from tests.e2e.test_service import owners_told
from tests.e2e.world import BillingWorld, Hook, Reply, Row
from tests.mail_double import MailDouble

ALL_RECEIVERS = """
version: 1
receivers:
  - {{name: finops, type: slack, channel: "#finops"}}
  - {{name: post, type: email, to: [a@example.com]}}
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [finops, post, bridge]}}
rules:
  - name: gpu
    type: rolling_spend
    category: gpu
    group_by: [owner]
    window: 24h
    thresholds: {{warning: 5, critical: 50}}
"""


def roots(slack: SlackDouble) -> list[str]:
    """The state that each message in the channel shows, those in threads left out."""
    return [shown["text"].partition(":")[0] for shown in slack.shown() if "thread_ts" not in shown]


def test_lives_of_two_alerts_when_restarted_between_then_every_receiver_hears_each_fact_once(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """Begin, rise and end, over three processes: nothing is lost between them and nothing is said again."""
    alertd.is_stepped = True
    alertd.rules(ALL_RECEIVERS.format(hook=hook.url))
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(lambda: len(hook.posts) == 1, why="the first alert")
        wait_for(lambda: len(slack.shown()) == 1 and len(mail.received) == 1, why="everywhere")
    row = Row(category="gpu", start=world.hour(2), owner="gpu-1", pay=Decimal(60))
    world.add(row)
    spend(world, "gpu-2")
    with alertd.running():
        wait_for(lambda: len(hook.posts) == 3, why="the rise and the second alert")
        alertd.wait_cycles(2)
    world.rows = [Row(category="gpu", start=world.hour(1), owner="gpu-1", pay=Decimal(10))]
    with alertd.running():
        # Bills that are gone are believed when a second read, minutes later, lacks them too.
        alertd.wait_cycles(2)
        alertd.step(301)
        wait_for(lambda: len(hook.posts) == 4, why="the end of the second, which is gone from the bills")
        wait_for(lambda: len(slack.shown()) == 4 and len(mail.received) == 4, why="everywhere")
        # What began a thread shows how it stands: the first is no longer critical, the second is over.
        wait_for(lambda: roots(slack) == ["WARNING", "RESOLVED"], why="the roots")
        alertd.wait_cycles(3)
    notified = Counter(owners_told(hook))
    assert notified == {("gpu-1", "firing"): 2, ("gpu-2", "firing"): 1, ("gpu-2", "resolved"): 1}
    assert (len(slack.shown()), len(mail.received)) == (4, 4)
    ids = [mail_.message["Message-ID"] for mail_ in mail.received]
    assert len(set(ids)) == 4
    # What the rise had said of gpu-1 is wrong now: it is put right where it stands, and nobody is notified anew.
    fixed = [shown for shown in slack.shown() if "was $69.00, now $10.00" in json.dumps(shown["blocks"])]
    assert [shown.get("thread_ts") for shown in fixed] == [None, fixed[0]["ts"]]
    assert len({post.headers["idempotency-key"] for post in hook.posts}) == 4


def test_slack_when_it_accepts_and_cuts_the_answer_then_one_copy_is_seen(
    alertd: Alertd, world: BillingWorld, slack: SlackDouble
) -> None:
    """It is looked up by its key, not sent again; and sent again where it did not arrive."""
    alertd.is_stepped = True
    alertd.rules(
        ALL_RECEIVERS.format(hook="http://127.0.0.1:9/")
        .replace("[finops, post, bridge]", "[finops]")
        .replace("  - {name: post, type: email, to: [a@example.com]}\n", "")
    )
    lost = [SlackFault(is_accepted=True), SlackFault(status=500), SlackFault(is_accepted=True, status=502)]
    lost += [
        SlackFault(is_accepted=True, status=200, body=b"<html>"),
        SlackFault(status=429, headers={"Retry-After": "2"}),
    ]
    with alertd.running():
        alertd.wait_cycles(1)
        for n, fault in enumerate(lost):
            posts = _posts(slack)
            slack.faults.append(fault)
            spend(world, f"gpu-{n}")
            _wait_posts(slack, posts + 1)
            wait_for(lambda: not slack.faults, why="the fault")
            alertd.wait_cycles(1)
            slack._ts += 40
            alertd.step(40)
            _wait_shown(slack, n + 1)
        alertd.step(40)
        alertd.wait_cycles(2)
    texts = [json.dumps(message) for message in slack.shown()]
    assert [sum(f"gpu-{n}" in text for text in texts) for n in range(len(lost))] == [1] * len(lost)
    assert alertd.run("status").code == 0


def _wait_posts(slack: SlackDouble, count: int) -> None:
    wait_for(lambda: _posts(slack) >= count, why="the attempt")


def _wait_shown(slack: SlackDouble, count: int) -> None:
    wait_for(lambda: len(slack.shown()) == count, why=f"{count} copies")


def _posts(slack: SlackDouble) -> int:
    return sum(name == "chat.postMessage" for name, _ in slack.calls)


@pytest.mark.slow
def test_webhook_when_answers_are_lost_then_at_most_three_identical_copies_and_the_fallback_hears(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """What cannot be looked up is sent again twice at the most, alike to the byte, and a person is notified."""
    alertd.is_stepped = True
    with Hook() as second:
        text = RULES.format(hook=hook.url)
        alertd.rules(
            text.replace("receivers:\n", f'receivers:\n  - {{name: spare, type: webhook, url: "{second.url}"}}\n')
        )
        hook.replies = deque([Reply(status=None), Reply(status=502), Reply(status=None), Reply(status=500)])
        spend(world, "gpu-1")
        with alertd.running():
            wait_for(lambda: len(hook.posts) == 1, why="the first copy")
            for _ in range(2):
                alertd.wait_cycles(1)
                alertd.step(61)
            wait_for(lambda: len(hook.posts) == 2, why="the second copy")
            wait_for(lambda: second.posts, why="the fallback")
            for _ in range(3):
                alertd.step(2430)
                alertd.wait_cycles(1)
        assert len(second.posts) == 1
        assert 2 <= len(hook.posts) <= 3
    assert {(post.body, post.headers["idempotency-key"]) for post in hook.posts} == {
        (hook.posts[0].body, hook.posts[0].headers["idempotency-key"])
    }


@pytest.mark.slow
def test_mail_when_refused_for_a_while_then_one_copy_arrives(
    alertd: Alertd, world: BillingWorld, mail: MailDouble
) -> None:
    """Greylisting is the usual first answer of a mail server."""
    alertd.rules(
        """
version: 1
receivers: [{name: post, type: email, to: [a@example.com, b@example.com]}]
defaults: {notify: [post]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 5}}
"""
    )
    mail.replies = Passing({"DATA": "451 later"}, times=2)
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(lambda: len(mail.received) == 2, why="both copies")
        alertd.wait_cycles(2)
    assert sorted(mail_.recipients for mail_ in mail.received) == [("a@example.com",), ("b@example.com",)]


@pytest.mark.slow
def test_storm_when_seven_alerts_of_one_rule_begin_then_one_message_and_ends_are_notified(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble
) -> None:
    """Seven pages for one cause teach people to look away."""
    alertd.rules(
        ALL_RECEIVERS.format(hook=hook.url)
        .replace(", post, bridge]", ", bridge]")
        .replace("  - {name: post, type: email, to: [a@example.com]}\n", "")
    )
    names = [f"gpu-{n}" for n in range(7)]
    with alertd.running():
        alertd.wait_cycles(1)
        with world.lock:
            spend(world, *names)
        wait_for(lambda: hook.posts and slack.shown(), why="the storm")
        alertd.wait_cycles(2)
        assert sorted(owners_told(hook)) == [(name, "firing") for name in names]
        assert (len(hook.posts), len(slack.shown())) == (1, 1)
        assert all(name in json.dumps(slack.shown()[0]) for name in names)
        world.rows = [row for row in world.rows if row.owner != "gpu-3"]
        wait_for(lambda: len(hook.posts) == 2 and len(slack.shown()) == 2, why="one end")
    assert owners_told(hook)[7:] == [("gpu-3", "resolved")]
    assert slack.shown()[1]["thread_ts"] == slack.shown()[0]["ts"]


@pytest.mark.slow
def test_repeat_when_it_fires_on_then_notified_again_at_growing_intervals_until_it_leaves_the_window(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A reminder comes when it was asked for; a day later the spend is out of the window and the end is notified."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url).replace("window: 24h,", "window: 24h, repeat_interval: 10m,"))
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(lambda: len(hook.posts) == 1, why="the beginning")
        for minutes, posts in ((9, 1), (2, 2), (12, 2), (9, 3)):
            alertd.step(minutes * 60)
            alertd.wait_cycles(2)
            assert len(hook.posts) == posts
        # Nothing is billed meanwhile: the edge follows the reads.
        alertd.step(25 * 3600)
        wait_for(lambda: len(hook.posts) == 4, why="the end")
        alertd.wait_cycles(2)
    assert owners_told(hook) == [("gpu-1", "firing")] * 3 + [("gpu-1", "resolved")]
