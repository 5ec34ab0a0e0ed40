"""Files with secrets that a rules file names: who else may change them."""

from pathlib import Path

import pytest

from alertd.daemon.receivers import secret_file_warnings
from alertd.rules_file.load import load_rules

RULES = """version: 1
accounts: [{name: prod, api_key_file: key}]
receivers:
  - {name: hook, type: webhook, url_file: hook, bearer_token_file: gone}
  - {name: many, type: apprise, url_file: [one, two]}
rules: [{name: gpu, type: rolling_spend, window: 24h, thresholds: {warning: 50}, notify: [hook]}]
"""


@pytest.mark.parametrize(
    ("mode", "changeable"),
    [
        pytest.param(0o600, [], id="its owner's alone"),
        pytest.param(0o444, [], id="mounted for every process of a container to read"),
        pytest.param(0o646, ["key", "hook", "one", "two"], id="anybody may put another address or key into it"),
    ],
)
def test_secret_files_when_every_user_may_change_them_then_a_warning_each(
    mode: int, changeable: list[str], tmp_path: Path
) -> None:
    """As with files of settings; whoever mounts secrets chooses their owner, and reading them is no fault."""
    (tmp_path / "rules.yaml").write_text(RULES)
    for name in ("key", "hook", "one", "two"):
        (tmp_path / name).write_text("https://example.com/x")
        (tmp_path / name).chmod(mode)
    found = [one.text for one in secret_file_warnings(load_rules(tmp_path / "rules.yaml"))]
    assert len(found) == len(changeable)
    for name in changeable:
        path = tmp_path / name
        assert any(f"{path}: every user of this host may change it; chmod o-w {path}" in text for text in found)
