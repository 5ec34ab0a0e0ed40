"""A leaked key and a shrinking balance, through the real daemon: what is notified, kept apart, and not asked for."""

import json
import signal
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.daemon import Alertd, wait_for
from tests.e2e.world import BALANCE, BUSY, BillingWorld, Hook, Row

HEAD = """
version: 1
receivers:
  - {{name: bridge, type: webhook, url: "{hook}"}}
defaults: {{notify: [bridge]}}
owners:
  - {{match: key-chat, name: chat-backend, team: product}}
rules:
"""
BY_KEY = """
  - {{name: by-key, type: rolling_spend, view: api_key, group_by: [owner], window: 24h, thresholds: {{critical: 50}}}}
"""
BY_USAGE = """
  - {{name: by-usage, type: rolling_spend, category: llm, window: 24h, thresholds: {{info: 50}}}}
"""
LOW = """
  - name: low
    type: balance
    available_below: {{warning: $100}}
    runway_below: {{critical: 2d}}
    window: 24h
"""


def notified(hook: Hook) -> list[tuple[str, str, str, str]]:
    """Rule, status, severity and summary of each alert told, in order."""
    found = []
    for post in hook.posts:
        for alert in json.loads(post.body)["alerts"]:
            labels = alert["labels"]
            found.append((labels["alertname"], alert["status"], labels["severity"], alert["annotations"]["summary"]))
    return found


def spend(world: BillingWorld, owner: str, usd: str, *, name: str | None = None, category: str = "llm") -> None:
    world.add(Row(category=category, start=world.hour(1), owner=owner, pay=Decimal(usd), key_name=name))


def shown_spend(alertd: Alertd, *arguments: str) -> list[dict[str, Any]]:
    ran = alertd.run("spend", "--by", "category,owner", "--json", *arguments)
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


@pytest.mark.slow
def test_leaked_key_when_it_spends_then_notified_by_its_name_and_counted_once(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """The two lists hold the same $70: no rule, table or sum may make $140 of it."""
    alertd.rules((HEAD + BY_KEY + BY_USAGE).format(hook=hook.url))
    spend(world, "key-chat", "9", name="old-name")
    with alertd.running():
        alertd.wait_cycles(2)
        assert hook.posts == []
        spend(world, "key-leak", "61.25", name="ci")
        wait_for(lambda: len(hook.posts) == 2, why="the leaked key")
        alertd.wait_cycles(2)
        assert sorted(notified(hook)) == [
            ("by-key", "firing", "critical", "ci (key-leak) spent $61.25 in 24h"),
            ("by-usage", "firing", "info", "Spend on llm in 24h is $70.25"),
        ]
        (alert,) = [one for one in alertd.alerts() if one["rule"] == "by-key"]
        assert (alert["labels"]["owner"], alert["labels"]["owner_name"]) == ("key-leak", "ci")
        values = {alert["rule"]: alert["value"] for alert in alertd.alerts()}
        assert values == {"by-key": "61.25", "by-usage": "70.25"}
        status = json.loads(alertd.run("status", "--json").out)
        views = [(edge["view"], edge["category"]) for edge in status["data_edges"] if edge["view"] == "api_key"]
        assert views == [("api_key", name) for name in ("gen_api", "llm", "web_search")]
    by_usage, by_key = shown_spend(alertd), shown_spend(alertd, "--view", "api_key")
    assert [row["amount"] for row in by_usage] == [row["amount"] for row in by_key] == ["61.25", "9"]
    assert [row["owner_name"] for row in by_key] == ["ci", "chat-backend"]


@pytest.mark.slow
def test_key_when_alertd_restarts_blind_then_its_alert_and_name_stay(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """What could not be read ends nothing, and a name is known before the next read."""
    alertd.rules((HEAD + BY_KEY).format(hook=hook.url))
    spend(world, "key-leak", "60", name="ci")
    assert alertd.run("run", "--once").code == 0
    assert [one[1:3] for one in notified(hook)] == [("firing", "critical")]
    world.broken = dict.fromkeys(world.of_keys(), BUSY)
    with alertd.running():
        alertd.wait_cycles(2)
        (alert,) = alertd.alerts()
    assert (alert["state"], alert["complete"]) == ("firing", False)
    assert alert["labels"]["owner_name"] == "ci"
    assert len(hook.posts) == 1


@pytest.mark.slow
def test_account_when_it_has_no_list_by_key_then_said_so_and_usage_rules_go_on(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A rule that cannot work is notified of; the others lose nothing, and nobody is called blind."""
    world.has_keys = False
    alertd.rules((HEAD + BY_KEY + BY_USAGE).format(hook=hook.url))
    spend(world, "key-leak", "60")
    ran = alertd.run("run", "--once")
    assert ran.code == 1
    assert "the API does not offer llm spend by API key for this account (404 NOT_FOUND" in ran.err
    assert [one[0] for one in notified(hook)] == ["by-usage"]
    shown = alertd.run("status").out
    assert "llm by API key: the API does not offer llm spend by API key" in shown


@pytest.mark.slow
def test_second_view_and_balance_when_no_rule_needs_them_then_never_asked_for(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Reads cost quota; a reload that needs them begins them, and one that does not ends them."""
    alertd.rules((HEAD + BY_USAGE).format(hook=hook.url))
    spend(world, "key-leak", "60")
    world.balance = {"availableBalance": "9990000"}

    def asked() -> set[str]:
        return {one.name for one in world.asked if one.name == BALANCE or one.name.startswith("keys:")}

    with alertd.running() as child:
        alertd.wait_cycles(2)
        assert asked() == set()
        alertd.rules((HEAD + BY_USAGE + BY_KEY + LOW).format(hook=hook.url))
        child.send_signal(signal.SIGHUP)
        wait_for(lambda: len(hook.posts) == 2, why="the rule on keys")
        assert asked() == {BALANCE, *world.of_keys()}
        alertd.rules((HEAD + BY_USAGE).format(hook=hook.url))
        child.send_signal(signal.SIGHUP)
        wait_for(lambda: len(hook.posts) == 3, why="the end of the removed rule's alert")
        world.asked.clear()
        alertd.wait_cycles(2)
        assert asked() == set()
        assert alertd.run("status").code == 0


@pytest.mark.slow
def test_balance_when_it_shrinks_then_notified_early_held_while_unknown_and_ended_by_a_top_up(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """$48 a day: at $500 all is well, at $144 three days are left, at $96 two."""
    alertd.rules((HEAD + LOW).format(hook=hook.url))
    world.add(*(Row(category="gpu", start=world.hour(n), owner="gpu-1", pay=Decimal(2)) for n in range(1, 30)))
    world.balance = {"data": {"availableBalance": "5000000", "cashBalance": "5000000"}}
    with alertd.running():
        alertd.wait_cycles(2)
        assert hook.posts == []
        world.balance = {"data": {"availableBalance": "960000", "cashBalance": "460000", "creditLimit": "500000"}}
        wait_for(lambda: hook.posts, why="the low balance")
    (first,) = notified(hook)
    assert first[:3] == ("low", "firing", "critical")
    assert first[3].startswith("Balance of default is $96.00, enough for 2 d at the pace of the last 24h (runs out ")
    world.broken[BALANCE] = BUSY
    world.balance = {"availableBalance": "9000000"}
    with alertd.running():
        alertd.wait_cycles(2)
        (alert,) = alertd.alerts()
        assert (alert["state"], alert["value"], alert["unit"], alert["complete"]) == ("firing", "2", "days", False)
        assert len(hook.posts) == 1
        del world.broken[BALANCE]
        wait_for(lambda: len(hook.posts) == 2, why="the top-up")
    assert notified(hook)[1][:3] == ("low", "resolved", "critical")
    assert notified(hook)[1][3].startswith("Balance of default is $900.00, enough for 18 d 18 h")


@pytest.mark.slow
def test_balance_when_the_account_has_none_then_said_so_and_no_alert_is_made_up(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Not told is not zero."""
    alertd.rules((HEAD + LOW).format(hook=hook.url))
    ran = alertd.run("run", "--once")
    assert ran.code == 1
    assert "the API does not offer the balance of this account (404 NOT_FOUND" in ran.err
    assert hook.posts == []


@pytest.mark.slow
def test_reconcile_when_a_month_differs_between_the_lists_then_both_sums_are_shown(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """Spend of last month that only one of the lists knows."""
    rule = "  - {{name: agree, type: reconcile, against: api_key}}\n"
    alertd.rules((HEAD + rule).format(hook=hook.url))
    day = 86400
    last_month = world.hour() // day * day - 32 * day
    world.add(Row(category="llm", start=last_month, owner="key-1", pay=Decimal(100)))
    world.keys_only.append(Row(category="llm", start=last_month, owner="key-2", pay=Decimal(20)))
    ran = alertd.run("run", "--once")
    assert ran.code == 0, ran.err
    (one,) = notified(hook)
    assert one[:3] == ("agree", "firing", "warning")
    assert one[3].endswith("is $20.00 (20 %) less in the usage bills than by API key: $100.00 against $120.00")
