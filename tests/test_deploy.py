"""What stands in deploy/ fits the program and the platforms that read it."""

from pathlib import Path

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
