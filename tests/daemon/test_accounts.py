"""Which key goes to which address: alertd's own to the vendor, and to wherever the settings send it."""

from pathlib import Path

import pytest

from alertd.daemon.accounts import missing_keys
from alertd.rules_file.load import load_rules
from alertd.settings.model import Settings

OWN, VENDOR = "sk_canary-of-alertd", "https://api.novita.ai"
RULES = """\
version: 1
accounts:
  - {{name: prod{keys}}}
receivers: [{{name: out, type: console}}]
defaults: {{notify: [out]}}
rules: [{{name: gpu, type: rolling_spend, window: 24h, thresholds: {{warning: 50}}}}]
"""


@pytest.mark.parametrize(
    ("keys", "base_url", "problem"),
    [
        pytest.param("", VENDOR, "", id="the usual account"),
        pytest.param(", api_key_env: ALERTD_NOVITA_API_KEY", VENDOR, "", id="the setting by its name"),
        pytest.param(", base_url: https://api.novita.ai", "https://proxy.test", "", id="the vendor, named"),
        pytest.param(", base_url: https://proxy.test", "https://proxy.test/", "", id="as the settings say"),
        pytest.param(", base_url: https://evil.test", VENDOR, "a key of its own", id="elsewhere, without a key"),
        pytest.param(", base_url: https://evil.test, api_key_env: PROD_KEY", VENDOR, "", id="elsewhere, own key"),
        pytest.param(
            ", base_url: https://evil.test, api_key_env: ALERTD_NOVITA_API_KEY",
            VENDOR,
            "alertd's own settings",
            id="elsewhere, alertd's key",
        ),
        pytest.param(
            ", base_url: https://evil.test, api_key_env: COPY", VENDOR, "ALERTD_NOVITA_API_KEY", id="elsewhere, a copy"
        ),
        pytest.param(
            ", base_url: https://api.novita.ai.evil.test",
            VENDOR,
            "a key of its own",
            id="looks like it",
        ),
        pytest.param(", base_url: https://api.novita.ai:444", VENDOR, "a key of its own", id="another port"),
        pytest.param(", api_key_env: ALERTD_SMTP_PASSWORD", VENDOR, "alertd's own settings", id="another setting"),
        pytest.param(
            ", base_url: http://evil.test, api_key_env: PROD_KEY", VENDOR, "without encryption", id="in clear"
        ),
        pytest.param(", base_url: http://127.0.0.1:1, api_key_env: PROD_KEY", VENDOR, "", id="to this machine"),
        pytest.param(
            ", base_url: http://169.254.169.254, api_key_env: PROD_KEY", VENDOR, "metadata", id="a metadata service"
        ),
    ],
)
def test_key_then_goes_only_where_it_belongs(
    keys: str, base_url: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever edits the rules could have alertd's key sent to themselves."""
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.format(keys=keys))
    settings = Settings.model_validate({"novita_api_key": OWN, "novita_base_url": base_url})
    environment = {"ALERTD_NOVITA_API_KEY": OWN, "COPY": OWN, "PROD_KEY": "sk_own", "ALERTD_SMTP_PASSWORD": "x"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = [each.text for each in missing_keys(load_rules(path), settings)]
    assert len(found) == bool(problem)
    assert all(problem in text and OWN not in text for text in found)
