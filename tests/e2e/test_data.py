"""What bills that fail, come late, change or vanish may and may not do to alerts."""

import json
import signal
from collections import deque
from decimal import Decimal

import pytest

from tests.doubles import SlackDouble
from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.test_delivery import ALL_RECEIVERS
from tests.e2e.test_once import RULES, spend
from tests.e2e.test_service import owners_told
from tests.e2e.world import BUSY, CATEGORIES, MONTHLY, BillingWorld, Fault, Hook, Row, monthly_bill, refusal
from tests.mail_double import MailDouble

WHOLE = RULES.replace("category: gpu, group_by: [owner]", "group_by: []")


def alert_named(alertd: Alertd, rule: str) -> dict[str, object]:
    return next(alert for alert in alertd.alerts() if alert["rule"] == rule)


def test_category_that_fails_when_others_go_on_then_may_fire_and_rise_and_never_resolves(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Missing data can hide spend but never invent it: so what is known may fire, and nothing ends on it."""
    alertd.is_stepped = True
    alertd.rules(WHOLE.format(hook=hook.url).replace("warning: 5}", "warning: 5, critical: 50}"))
    llm = Row(category="llm", start=world.hour(1), owner="llm-1", pay=Decimal(9))
    world.broken["gpu"] = BUSY
    with alertd.running():
        alertd.wait_cycles(1)
        world.add(llm)
        wait_for(lambda: _statuses(hook, "gpu") == ["firing"], why="the alert on what is known")
        assert alert_named(alertd, "gpu")["complete"] is False
        big = Row(category="llm", start=world.hour(1), owner="llm-2", pay=Decimal(60))
        world.add(big)
        wait_for(lambda: _statuses(hook, "gpu") == ["firing"] * 2, why="the rise")
        world.revise(big)
        world.revise(llm)
        alertd.wait_cycles(2)
        alertd.step(301)
        alertd.wait_cycles(4)
        assert _statuses(hook, "gpu") == ["firing"] * 2
        alert = alert_named(alertd, "gpu")
        assert (alert["state"], alert["severity"]) == ("firing", "critical")
        del world.broken["gpu"]
        wait_for(lambda: _statuses(hook, "gpu") == ["firing", "firing", "resolved"], why="the end")
        alertd.wait_cycles(2)
    assert _statuses(hook, "gpu") == ["firing", "firing", "resolved"]


def _statuses(hook: Hook, rule: str) -> list[str]:
    bodies = [json.loads(post.body) for post in hook.posts]
    return [alert["status"] for body in bodies for alert in body["alerts"] if alert["labels"]["alertname"] == rule]


@pytest.mark.slow
def test_rows_that_vanish_for_one_read_when_they_return_then_nothing_flaps(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """An empty answer is not evidence that nothing was spent; two of them are, with five minutes in between."""
    alertd.is_stepped = True
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(lambda: hook.posts, why="the alert")
        for body in (b'{"bills": null}', b"{}", b'{"bills": []}'):
            # Only in the newest range, for one read.
            world.faults["gpu"] = deque([Fault(body=body)])
            wait_for(lambda: not world.faults["gpu"], why="the empty answer")
            alertd.wait_cycles(2)
        assert len(hook.posts) == 1
        world.rows = []
        alertd.wait_cycles(3)
        assert len(hook.posts) == 1
        alertd.step(301)
        wait_for(lambda: len(hook.posts) == 2, why="the end")
    assert owners_told(hook) == [("gpu-1", "firing"), ("gpu-1", "resolved")]


@pytest.mark.slow
@pytest.mark.parametrize("off_s", [-400 * 86400, -40 * 86400, 40 * 86400, 400 * 86400])
def test_clock_when_it_is_wrong_and_then_right_then_says_so_and_nothing_else_changes(
    alertd: Alertd, world: BillingWorld, hook: Hook, off_s: int
) -> None:
    """The billing API dates its answers: whichever of both is wrong, nothing may be decided until they agree."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    right = world.clock
    with alertd.running() as child:
        wait_for(lambda: owners_told(hook) == [("gpu-1", "firing")], why="the alert")
        world.clock = lambda: right() - off_s
        wait_for(lambda: _statuses(hook, "alertd-clock") == ["firing"], why="the clock's alert")
        # An edit and a signal ask for a poll; they do not ask for a decision.
        child.send_signal(signal.SIGHUP)
        alertd.wait_cycles(2)
        world.clock = right
        wait_for(lambda: _statuses(hook, "alertd-clock") == ["firing", "resolved"], why="its end")
        spend(world, "gpu-2")
        wait_for(lambda: ("gpu-2", "firing") in owners_told(hook), why="a new owner")
        alertd.wait_cycles(2)
    assert [told for told in owners_told(hook) if told[0]] == [("gpu-1", "firing"), ("gpu-2", "firing")]


@pytest.mark.slow
def test_key_refused_when_polled_on_then_blindness_is_notified_without_a_storm_of_requests(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Somebody has to learn that nothing is watched, and what to do; the API must not be hammered meanwhile."""
    alertd.rules(RULES.format(hook=hook.url))
    alertd.env["ALERTD_POLL_INTERVAL"] = "2s"
    spend(world, "gpu-1")
    with alertd.running():
        wait_for(lambda: owners_told(hook) == [("gpu-1", "firing")], why="the alert")
        world.key = "another"
        wait_for(lambda: len(hook.posts) == 2, why="the blindness")
        cycles, refused = alertd.cycles(), sum(asked.is_refused for asked in world.asked)
        alertd.wait_cycles(2)
        more = sum(asked.is_refused for asked in world.asked) - refused
        assert more <= (alertd.cycles() - cycles + 1) * (len(CATEGORIES) + 1)
        assert alertd.run("status").code == 1
        assert _statuses(hook, "gpu") == ["firing"]
        world.key = "sk-canary-novita-key-5f1c"
        wait_for(lambda: len(hook.posts) == 3, why="the end of blindness")
    assert _statuses(hook, "alertd-blind") == ["firing", "resolved"]


@pytest.mark.slow
def test_blindness_when_notified_to_any_receiver_then_names_the_setting(
    alertd: Alertd, world: BillingWorld, hook: Hook, slack: SlackDouble, mail: MailDouble
) -> None:
    """Who reads it at night has to know what to set, whichever way it came."""
    alertd.rules(ALL_RECEIVERS.format(hook=hook.url))
    world.key = "another"
    ran = alertd.run("run", "--once")
    assert ran.code == 1
    texts = [ran.err, json.dumps(slack.shown()), mail.received[0].content.decode()]
    texts.append(hook.posts[0].body.decode())
    assert ["ALERTD_NOVITA_API_KEY" in text for text in texts] == [True] * 4
    assert not any("sk-canary" in text for text in texts)


def test_late_and_revised_rows_when_they_arrive_then_count_once(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A bill for yesterday counts today, and a corrected one replaces what it corrects."""
    alertd.rules(RULES.format(hook=hook.url).replace("window: 24h", "window: 72h"))
    first = Row(category="gpu", start=world.hour(1), owner="gpu-1", pay=Decimal("4.9999999999"))
    world.add(first)
    with alertd.running():
        alertd.wait_cycles(2)
        world.add(Row(category="gpu", start=world.hour(40), owner="gpu-1", pay=Decimal("0.0000000001")))
        wait_for(lambda: hook.posts, why="exactly the threshold, by a row two days late")
        assert alert_named(alertd, "gpu")["value"] == "5"
        world.revise(first, Row(category="gpu", start=first.start, owner="gpu-1", pay=Decimal("4.8")))
        wait_for(lambda: alert_named(alertd, "gpu")["value"] == "4.8000000001", why="the revision")
    assert len(hook.posts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cloud_sandbox", MONTHLY])
def test_unknown_category_when_refused_then_is_dropped_and_the_rest_is_complete(
    name: str, alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Another brand may lack a category: that is no failure. Monthly bills that fail are."""
    alertd.rules(WHOLE.format(hook=hook.url))
    spend(world, "gpu-1")
    world.monthly = [monthly_bill("2025-10", status="overdue", debt="10000")]
    world.broken[name] = refusal(400, "INVALID_PRODUCT_CATEGORY")
    ran = alertd.run("run", "--once")
    assert ran.code == (1 if name == MONTHLY else 0), ran.err
    assert alert_named(alertd, "gpu")["complete"] is True
    assert name.split("_", maxsplit=1)[0] in ran.err


@pytest.mark.slow
def test_overdue_bill_when_the_list_fails_or_is_empty_then_it_stays_and_ends_when_paid(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A bill that is not in the answer is not paid."""
    alertd.rules(RULES.format(hook=hook.url))
    world.monthly = [monthly_bill("2025-10", status="overdue", debt="10000", totalAmountDecimal="100.0000000001")]
    with alertd.running():
        wait_for(lambda: hook.posts, why="the alert")
        world.broken[MONTHLY] = Fault(body=b'{"data": []}')
        alertd.wait_cycles(2)
        world.broken[MONTHLY] = refusal(429, "LIST_BILL_TOO_FAST", Retry_After="3600")
        alertd.wait_cycles(2)
        world.broken.clear()
        alertd.wait_cycles(2)
        assert len(hook.posts) == 1
        world.monthly = [monthly_bill("2025-10", status="paid")]
        wait_for(lambda: len(hook.posts) == 2, why="the end")
    assert _statuses(hook, "overdue") == ["firing", "resolved"]


@pytest.mark.slow
def test_system_clock_when_far_from_the_apis_then_nothing_is_decided_but_that(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A machine that woke in the wrong year must neither fire nor resolve."""
    alertd.rules(RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    world.clock = lambda: alertd.now() + 3 * 3600
    ran = alertd.run("run", "--once")
    assert ran.code == 1
    assert "clock" in ran.err
    assert [alert["rule"] for alert in alertd.alerts()] == ["alertd-clock"]
    assert (_statuses(hook, "alertd-clock"), _statuses(hook, "gpu")) == (["firing"], [])
    world.clock = alertd.now
    assert alertd.run("run", "--once").code == 0
    assert (_statuses(hook, "alertd-clock"), _statuses(hook, "gpu")) == (["firing", "resolved"], ["firing"])


@pytest.mark.slow
def test_month_of_a_bill_when_the_range_is_refused_then_shorter_ones_are_asked_and_remembered(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """An undocumented limit costs one refusal a category, not the watch."""
    alertd.rules(RULES.format(hook=hook.url).replace("window: 24h", "window: 720h"))
    world.longest_days = 7
    world.add(*(Row(category="gpu", start=world.hour(ago), owner="gpu-1", pay=Decimal(1)) for ago in range(0, 700, 24)))
    assert alertd.run("run", "--once").code == 0
    assert alert_named(alertd, "gpu")["value"] == "30"
    asked = [int(a.query["endTime"]) + 1 - int(a.query["startTime"]) for a in world.asked if a.name == "gpu"]
    assert sum(seconds > 7 * 86400 for seconds in asked) <= 2
    assert all(int(a.query["startTime"]) % 86400 == 0 for a in world.asked if a.name == "gpu")
    assert all(a.headers["user-agent"].startswith("alertd/") for a in world.asked)


TERMS_RULES = """\
version: 1
receivers: [{{name: ops, type: webhook, url: "{hook}"}}]
defaults: {{notify: [ops]}}
rules:
  - {{name: month, type: budget, period: month, amount: $1000, thresholds: {{warning: 40%}}}}
  - {{name: day, type: rolling_spend, window: 720h, thresholds: {{warning: 400}}}}
  - {{name: terms, type: subscription, ends_within: {{warning: 40d}}}}
"""


@pytest.mark.slow
def test_subscription_when_bought_then_money_of_budgets_and_a_term_that_ends(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """What is paid by the month stands in a list of its own; rules on hourly spend leave it out."""
    alertd.rules(TERMS_RULES.format(hook=hook.url))
    bought = world.hour_of_month(1)
    world.terms = [
        {
            "ownerID": "inst-9",
            "productName": "H100",
            "productCategory": "gpu",
            "tradeType": "monthly_new_buy",
            "amount": "5000000",
            "payAmount": "5000000",
            "createTime": bought,
            "startTime": bought,
            "endTime": bought + 30 * 86400,
            "productId": "h100",
        }
    ]
    assert alertd.run("run", "--once").code == 0
    assert {alert["rule"] for alert in alertd.alerts()} == {"month", "terms"}
    assert alert_named(alertd, "month")["value"] == "0.5"


@pytest.mark.slow
def test_subscription_list_when_the_account_has_none_or_it_fails_then_only_what_includes_it_is_incomplete(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """An account without the endpoint goes on without it."""
    # With a second between polls a slow machine is blind between two runs.
    alertd.env["ALERTD_POLL_INTERVAL"] = "10m"
    alertd.rules(TERMS_RULES.format(hook=hook.url))
    spend(world, "gpu-1")
    assert alertd.run("run", "--once").code == 0
    world.terms = []
    assert alertd.run("run", "--once").code == 0
    world.add(Row(category="gpu", start=world.hour_of_month(3), owner="gpu-2", pay=Decimal(500)))
    world.broken["terms:gpu"] = refusal(500, "LIST_BILL_ERROR")
    assert alertd.run("run", "--once").code == 1
    assert {alert["rule"]: alert["complete"] for alert in alertd.alerts()} == {"month": False, "day": True}
