"""The engine: what a test observes is what the daemon would do, whatever is left out for speed."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alertd.rules_file.load import load_rules
from alertd.rules_test.model import FailedReads, LoadedTest, LoadedTests
from alertd.rules_test.receivers import real_receivers
from alertd.rules_test.run import Observation, observe
from alertd.rules_test.suite import load_tests
from tests.examples import in_turn

FILES = sorted((Path(__file__).parent.parent / "rules" / "tests" / "good").glob("*.yaml"))
LOADED = [load_tests(file) for file in FILES]
TESTS = [pytest.param(loaded, one, id=one.test.name) for loaded in LOADED for one in loaded.tests]
COMPLETE = [param for param in TESTS if not param.values[1].test.unread]  # type: ignore[union-attr] # they are tests
NEVER = FailedReads(start=timedelta(days=399), end=timedelta(days=400))
"""With it every category is polled, as the daemon does."""


def observed(loaded: LoadedTests, one: LoadedTest) -> list[Observation]:
    return asyncio.run(observe(one.test, loaded.rules, real_receivers(loaded.rules)))


@pytest.mark.parametrize(("loaded", "one"), in_turn(COMPLETE, 4, every=13))
def test_categories_without_bills_when_left_out_then_nothing_changes(loaded: LoadedTests, one: LoadedTest) -> None:
    """Only what cannot matter is left out for speed."""
    whole = replace(one, test=replace(one.test, unread=(NEVER,)))

    for few, all_of_them in zip(observed(loaded, one), observed(loaded, whole), strict=True):
        assert (few.alerts, few.messages, few.waiting) == (
            all_of_them.alerts,
            all_of_them.messages,
            all_of_them.waiting,
        )


def test_same_test_when_run_twice_then_observes_the_same() -> None:
    """No clock, no chance, nothing left over from the run before."""
    loaded = LOADED[-1]
    assert observed(loaded, loaded.tests[0]) == observed(loaded, loaded.tests[0])


RECEIVERS = """
version: 1
receivers:
  - {name: channel, type: slack, channel: "#finops"}
  - {name: own-token, type: slack, channel: "#finops", bot_token_env: SLACK_TOKEN}
  - {name: token-in-a-file, type: slack, channel: "#finops", bot_token_file: /run/secrets/slack}
  - {name: own-url, type: slack, webhook_url_env: SLACK_URL}
  - {name: bearer, type: webhook, url: "https://hooks.example.com/", bearer_token_env: TOKEN_OF_HOOK}
  - {name: hook, type: webhook, url_file: /run/secrets/url}
  - {name: incidents, type: pagerduty, routing_key_env: PAGERDUTY_KEY}
defaults: {notify: [channel]}
rules: [{name: gpu, type: rolling_spend, window: 24h, thresholds: {warning: 50}}]
"""


def test_receivers_when_each_secret_has_a_form_then_stand_ins_have_it(tmp_path: Path) -> None:
    """A URL once stood for Slack's token, and no file with a channel could be tested."""
    path = tmp_path / "rules.yaml"
    path.write_text(RECEIVERS, encoding="utf-8")
    rules = load_rules(path)
    assert set(real_receivers(rules)) == {spec.name for spec in rules.receivers}
