"""Where messages link to follows from settings and accounts."""

from pathlib import Path

import pytest

from alertd.core.alerts.audience import LinkTargets
from alertd.daemon.plan import build_plan
from alertd.rules_file.load import load_rules
from alertd.settings.model import Settings

RULES = """
version: 1
receivers: [{name: terminal, type: console}]
accounts:
  - {name: prod, api_key_env: PROD_KEY}
  - {name: proxied, api_key_env: OTHER_KEY, base_url: "https://billing-proxy.example.com"}
rules:
  - {name: bill-overdue, type: monthly_bill}
"""

KEYS_PAGE = "https://novita.ai/settings/key-management"
CONSOLE = {
    "gpu": "https://novita.ai/gpus-console",
    "serverless": "https://novita.ai/gpus-console/serverless",
    "llm": KEYS_PAGE,
    "gen_api": KEYS_PAGE,
    "web_search": KEYS_PAGE,
}


@pytest.mark.parametrize(
    ("settings", "targets"),
    [
        pytest.param(
            {},
            LinkTargets(billing={"prod": "https://novita.ai/billing"}, consoles={"prod": CONSOLE}),
            id="the vendor's own API alone",
        ),
        pytest.param(
            {"novita_base_url": "https://proxy.example.com"}, LinkTargets(), id="another brand has another console"
        ),
        pytest.param(
            {"external_url": "https://alertd.example.com/", "novita_base_url": "https://api.novita.ai/"},
            LinkTargets(
                status="https://alertd.example.com",
                billing={"prod": "https://novita.ai/billing"},
                consoles={"prod": CONSOLE},
            ),
            id="with a status page",
        ),
    ],
)
def test_pages_then_follow_from_settings_and_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object], targets: LinkTargets
) -> None:
    """Somebody who pays at another brand must not be led to a console that does not know the account."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    plan = build_plan(load_rules(tmp_path / "rules.yaml"), Settings.model_validate(settings), sources={}, notifiers={})
    assert plan.audience.targets == targets
