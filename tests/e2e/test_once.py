"""`run --once` and `--dry-run`: what cron and people at a terminal may rely on."""

import json
from collections import deque
from decimal import Decimal

import pytest

from tests.doubles import Fault as SlackFault
from tests.doubles import SlackDouble
from tests.e2e.daemon import Alertd, no_traceback
from tests.e2e.world import (
    BUSY,
    CATEGORIES,
    HTML,
    MONTHLY,
    BillingWorld,
    Fault,
    Hook,
    Reply,
    Row,
    monthly_bill,
    refusal,
)
from tests.mail_double import MailDouble

RULES = """
version: 1
receivers:
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [bridge]}}
rules:
  - {{name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {{warning: 5}}}}
  - {{name: overdue, type: monthly_bill, thresholds: {{warning: 0d}}}}
"""


class Passing(dict[str, str]):
    """Replies of a mail server that pass after so many times."""

    def __init__(self, replies: dict[str, str], *, times: int) -> None:
        super().__init__(replies)
        self.times = times

    def get(self, command: str, ordinary: str) -> str:  # type: ignore[override]
        if command not in self or self.times == 0:
            return ordinary
        self.times -= 1
        return self[command]


def spend(world: BillingWorld, *owners: str, usd: str = "9", category: str = "gpu") -> None:
    world.add(*(Row(category=category, start=world.hour(1), owner=owner, pay=Decimal(usd)) for owner in owners))


def test_once_when_all_is_well_then_reports_once_and_a_second_run_reports_nothing(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """From cron, each run is a process of its own: what was notified stays told."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    first = alertd.run("run", "--once")
    assert (first.code, len(hook.posts)) == (0, 1), first.err
    second = alertd.run("run", "--once")
    assert (second.code, len(hook.posts)) == (0, 1), second.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "word"),
    [
        pytest.param(BUSY, "gpu", id="a category answers 500 throughout"),
        pytest.param(Fault(body=b"<html>busy</html>"), "gpu", id="a proxy answers HTML"),
        pytest.param(
            refusal(429, "LIST_BILL_TOO_FAST", Retry_After="4000"), "too many requests", id="wait over an hour"
        ),
    ],
)
def test_once_when_a_poll_fails_then_exits_1_and_reports_the_rest(
    fault: Fault, word: str, alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A run that did not see everything must not look like one that did, and must not hide what it saw."""
    alertd.rules(RULES.format(hook=hook.url).replace("category: gpu, ", ""))
    spend(world, "llm-1", category="llm")
    world.broken["gpu"] = fault
    ran = alertd.run("run", "--once")
    assert ran.code == 1
    assert word in ran.err
    assert no_traceback(ran.err)
    assert len(hook.posts) == 1
    assert b"llm-1" in hook.posts[0].body


@pytest.mark.slow
def test_once_when_the_webhook_refuses_then_exits_1(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """A delivery that failed is a failure of the run."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    hook.replies = deque([Reply(status=404, is_accepted=False)])
    ran = alertd.run("run", "--once")
    assert (ran.code, hook.posts) == (1, [])
    assert "404" in ran.err
    assert "canary-hook-path" not in ran.err


@pytest.mark.slow
def test_once_when_slack_and_mail_refuse_at_first_then_each_gets_one_copy(
    alertd: Alertd, world: BillingWorld, slack: SlackDouble, mail: MailDouble
) -> None:
    """429 and 451 mean later, not never and not twice."""
    alertd.rules(
        """
version: 1
receivers:
  - {name: finops, type: slack, channel: "#finops"}
  - {name: post, type: email, to: [a@example.com, b@example.com]}
defaults: {notify: [finops, post]}
rules:
  - {name: gpu, type: rolling_spend, category: gpu, group_by: [owner], window: 24h, thresholds: {warning: 5}}
"""
    )
    spend(world, "gpu-1")
    slack.faults.append(SlackFault(status=429, headers={"Retry-After": "1"}, body=b"slow down"))
    mail.replies = Passing({"RCPT": "451 greylisted"}, times=2)
    ran = alertd.run("run", "--once")
    assert ran.code == 0, ran.err
    assert len(slack.shown()) == 1
    assert sorted(mail_.recipients for mail_ in mail.received) == [("a@example.com",), ("b@example.com",)]


def test_dry_run_when_there_is_no_store_then_none_is_made_and_nothing_is_sent(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A look must be free of consequences, on a machine where nothing was run before."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    ran = alertd.run("run", "--dry-run")
    assert ran.code == 0, ran.err
    assert "gpu-1" in ran.out
    assert hook.attempts == 0
    assert [path.name for path in alertd.folder.iterdir()] == ["rules.yaml"]


@pytest.mark.slow
def test_dry_run_when_a_daemon_serves_the_store_then_the_file_keeps_its_bytes(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """The store of a daemon that ran is read and left as it is, with what it notified."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    assert alertd.run("run", "--once").code == 0
    before = alertd.database.read_bytes()
    spend(world, "gpu-2")
    ran = alertd.run("run", "--dry-run")
    assert ran.code == 0, ran.err
    assert "gpu-2" in ran.out
    assert "gpu-1" not in ran.out
    assert alertd.database.read_bytes() == before
    assert len(hook.posts) == 1
    world.broken["gpu"] = BUSY
    assert alertd.run("run", "--dry-run").code == 1


@pytest.mark.slow
def test_first_look_when_three_alerts_fire_then_one_message_lists_them(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Who installs alertd on a busy account gets one message, with everything in it."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1", "gpu-2", "gpu-3")
    assert alertd.run("run", "--once").code == 0
    (post,) = hook.posts
    assert all(owner in post.body for owner in (b"gpu-1", b"gpu-2", b"gpu-3"))


@pytest.mark.slow
def test_monthly_pages_of_odd_sizes_when_an_old_bill_is_overdue_then_it_fires_until_paid(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """No page size is kept to, no total is notified, and the bill that matters may be the oldest."""
    alertd.rules(RULES.format(hook=hook.url))
    months = ["2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03"]
    world.monthly = [monthly_bill(month, status="paid") for month in months]
    world.monthly[0] = monthly_bill(months[0], status="overdue", total="1230000", debt="1230000", repaidAmount="30000")
    world.monthly[3]["billId"] = ""
    world.monthly[4] = monthly_bill(months[4], status="frozen-in-time")
    world.page_sizes = (2, 1, 3)
    assert alertd.run("run", "--once").code == 0
    (alert,) = alertd.alerts()
    assert (alert["state"], alert["labels"]["month"]) == ("firing", "2025-10")
    assert b"$120.00" in hook.posts[0].body
    world.monthly[0] = monthly_bill(months[0], status="paid", total="1230000")
    world.faults[MONTHLY] = deque([Fault(cut_at=30), HTML])
    assert alertd.run("run", "--once").code == 0
    (alert,) = alertd.alerts()
    assert (alert["state"], len(hook.posts)) == ("resolved", 2)


@pytest.mark.slow
def test_bodies_when_cut_anywhere_then_no_part_counts(alertd: Alertd, world: BillingWorld, hook: Hook) -> None:
    """A sum over the rows that came before the cut would look like a true and smaller one."""
    alertd.rules(RULES.format(hook=hook.url).replace("category: gpu, ", ""))
    for name in CATEGORIES:
        spend(world, *(f"{name}-{n}" for n in range(4)), category=name)
    size = min(sum(len(row.json()) for row in world.rows if row.category == name) for name in CATEGORIES)
    cuts = [size * n // 27 for n in range(26)] + [size - 1]
    for n, name in enumerate(CATEGORIES):
        world.faults[name] = deque(Fault(cut_at=cut) for cut in cuts[n::9])
    ran = alertd.run("run", "--once")
    assert ran.code == 1
    assert {alert["rule"] for alert in alertd.alerts()} <= {"alertd-blind"}
    assert json.loads(alertd.run("spend", "--json").out) == []
