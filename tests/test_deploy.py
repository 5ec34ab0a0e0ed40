"""What stands in deploy/ fits the program and the platforms that read it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parent.parent / "deploy"


def test_slack_manifest_asks_for_what_is_used_and_stays_within_slacks_limits() -> None:
    """A scope too few breaks a feature at night; one too many is refused by a careful admin."""
    manifest = yaml.safe_load((DEPLOY / "slack-app-manifest.yaml").read_text(encoding="utf-8"))
    # https://docs.slack.dev/reference/app-manifest
    assert len(manifest["display_information"]["name"]) <= 35
    assert len(manifest["display_information"]["description"]) <= 140
    (command,) = manifest["features"]["slash_commands"]
    assert (command["command"], len(command["command"]) <= 32) == ("/alertd", True)
    assert len(command["usage_hint"]) <= 1000
    assert "url" not in command, "with Socket Mode there is none"
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == {
        "chat:write",
        "files:write",
        "channels:read",
        "channels:history",
        "groups:read",
        "groups:history",
        "im:write",
        "im:history",
        "commands",
    }
    settings = manifest["settings"]
    assert settings["interactivity"]["is_enabled"] is settings["socket_mode_enabled"] is True


def test_pictures_of_the_readme_then_are_there_small_and_told_in_words() -> None:
    """A page that loads slowly, or says nothing to who cannot see it, is not read."""
    readme = (DEPLOY.parent / "README.md").read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="(deploy/pictures/[^"]+)" width="480" alt="([^"]{80,})">', readme)
    assert {Path(name).name for name, _ in pictures} == {path.name for path in (DEPLOY / "pictures").iterdir()}
    assert readme.count("<img") == len(pictures)
    assert all((DEPLOY.parent / name).stat().st_size < 120_000 for name, _ in pictures)


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_rules_by_promtool_when_something_breaks_then_fire_and_only_then(tmp_path: Path) -> None:
    """Promtool judges with its own engine, on made series."""
    for path in (DEPLOY / "prometheus-rules.yaml", Path(__file__).parent / "prometheus_rules.test.yaml"):
        shutil.copy(path, tmp_path)
    for arguments in (["check", "rules", "prometheus-rules.yaml"], ["test", "rules", "prometheus_rules.test.yaml"]):
        ran = subprocess.run([str(PROMTOOL), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_rules_when_read_then_use_documented_metrics_and_each_has_its_test() -> None:
    """A rule on a metric that was renamed never fires again, and nobody notices."""
    rules = yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    readme = (DEPLOY.parent / "README.md").read_text(encoding="utf-8")
    used = {name for rule in rules for name in re.findall(r"alertd_[a-z_]+", rule["expr"])}
    assert used
    assert {name for name in used if name not in readme} == set()
    tests = yaml.safe_load((Path(__file__).parent / "prometheus_rules.test.yaml").read_text(encoding="utf-8"))["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fired == {rule["alert"] for rule in rules}
