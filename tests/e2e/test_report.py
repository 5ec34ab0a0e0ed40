"""Scheduled reports through the real daemon, on a clock that the test moves."""

import json
import time
from decimal import Decimal

import pytest

from tests.doubles import SlackDouble
from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.world import BUSY, DAY, HOUR, BillingWorld, Hook, Row
from tests.mail_double import MailDouble

RULES = """
version: 1
receivers:
  - {{name: finops, type: slack, channel: "#finops"}}
  - {{name: post, type: email, to: [a@example.com]}}
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [finops, post, bridge]}}
rules:
  - {{name: month, type: budget, period: month, amount: 5000, thresholds: {{warning: 99%}}}}
reports:
  - {{name: daily, schedule: "{schedule}", period: 24h, group_by: [category]}}
"""


def in_two_hours(alertd: Alertd) -> tuple[str, float]:
    """Return a daily schedule that is next due at the whole hour two hours on, and the seconds until just after it."""
    due = (int(alertd.now()) // HOUR + 2) * HOUR
    return f"0 {time.gmtime(due).tm_hour} * * *", due - alertd.now() + 5


def titles(hook: Hook) -> list[str]:
    return [json.loads(post.body)["commonAnnotations"]["summary"] for post in hook.posts]


@pytest.mark.slow
def test_report_when_its_time_comes_then_each_receiver_gets_it_once_also_over_a_restart(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """New: nothing at once. Due: one copy everywhere. Missed while stopped: one at the start. Too late: none."""
    alertd.is_stepped = True
    schedule, until_due_s = in_two_hours(alertd)
    alertd.rules(RULES.format(hook=hook.url, schedule=schedule))
    world.add(Row(category="gpu", start=world.hour(5), owner="gpu-1", pay=Decimal("12.50")))
    with alertd.running():
        alertd.wait_cycles(2)
        assert hook.posts == []
        alertd.step(until_due_s)
        wait_for(lambda: len(hook.posts) == len(mail.received) == len(slack.shown()) == 1, why="the report")
        alertd.step(300)
        alertd.wait_cycles(2)
    [event] = alertd.events("report filed")
    assert (event["report"], event["notifications"]) == ("daily", 3)
    assert "📊 REPORT: daily: $12.50 spent in 24h" in json.dumps(slack.shown()[0], ensure_ascii=False)
    assert "REPORT: daily: $12.50 spent in 24h" in mail.received[0].message["Subject"]
    assert titles(hook)[0].startswith("daily: $12.50 spent in 24h")

    # Stopped over the next one, which is missed by some hours.
    alertd.step(DAY + 3 * HOUR)
    world.add(Row(category="gpu", start=world.hour(5), owner="gpu-1", pay=Decimal("7.25")))
    with alertd.running():
        wait_for(lambda: len(hook.posts) == len(mail.received) == len(slack.shown()) == 2, why="what was missed")
        alertd.step(120)
        alertd.wait_cycles(2)
    assert titles(hook)[1].startswith("daily: $7.25 spent in 24h")
    with alertd.running():
        alertd.wait_cycles(1)
        alertd.step(120)
        alertd.wait_cycles(1)
    assert (len(hook.posts), len(mail.received), len(slack.shown())) == (2, 2, 2)
    assert len({post.headers["idempotency-key"] for post in hook.posts}) == 2
    assert alertd.run("db", "check").code == 0


@pytest.mark.slow
def test_report_when_a_category_cannot_be_read_then_comes_all_the_same_and_says_so(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """A report must not wait for an API that is down, nor pass a part for the whole."""
    alertd.is_stepped = True
    schedule, until_due_s = in_two_hours(alertd)
    alertd.rules(RULES.format(hook=hook.url, schedule=schedule))
    world.add(Row(category="gpu", start=world.hour(5), owner="gpu-1", pay=Decimal("12.50")))
    with alertd.running():
        alertd.wait_cycles(1)
        world.broken["llm"] = BUSY
        wait_for(lambda: any(cycle.get("errors") for cycle in alertd.events("cycle done")), why="a poll that fails")
        alertd.step(until_due_s)
        wait_for(lambda: any(title.startswith("daily") for title in titles(hook)), why="the report")
    [post] = [post for post in hook.posts if b"daily: " in post.body]
    assert "Not complete: llm could not be read since" in json.loads(post.body)["commonAnnotations"]["description"]


@pytest.mark.slow
def test_once_when_a_report_is_due_then_sends_it_and_a_second_run_does_not(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """From cron, reports come with the run after their time."""
    alertd.is_stepped = True
    schedule, until_due_s = in_two_hours(alertd)
    alertd.rules(RULES.format(hook=hook.url, schedule=schedule))
    assert alertd.run("run", "--once").code == 0
    assert hook.posts == []
    alertd.step(until_due_s)
    for _ in range(2):
        ran = alertd.run("run", "--once")
        assert ran.code == 0, ran.err
    assert (len(hook.posts), len(slack.shown()), len(mail.received)) == (1, 1, 1)


@pytest.mark.slow
def test_report_of_long_periods_when_there_are_no_such_rules_then_both_periods_are_read(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """The period before is compared with, so it has to be fetched, though no rule looks so far back."""
    alertd.is_stepped = True
    schedule, _ = in_two_hours(alertd)
    rules = RULES.format(hook=hook.url, schedule=schedule).replace("24h", "85d")
    alertd.rules(rules)
    world.add(
        Row(category="gpu", start=world.hour(5), pay=Decimal(3)),
        Row(category="gpu", start=world.hour(100 * 24), pay=Decimal(2)),
    )
    assert alertd.run("run", "--once").code == 0
    shown = alertd.run("report", "--print")
    assert (shown.code, shown.err) == (0, "")
    assert "daily: $3.00 spent in 85d, $1.00 (50 %) more than in the 85d before" in shown.out
