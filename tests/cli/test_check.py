"""`alertd check` on a deployed configuration: what is only not set here is a warning, what is set wrong an error."""

from pathlib import Path

import pytest

from alertd.cli.root import run

RULES = """version: 1
accounts: [{name: prod, api_key_env: PROD_KEY%s}]
receivers: [{name: hook, %s}]
defaults: {notify: [hook]}
rules: [{name: a, type: rolling_spend, window: 24h, thresholds: {warning: 1}}]
"""
HOOK = "type: webhook, url_env: HOOK_URL"


@pytest.fixture(autouse=True)
def empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own settings counts."""
    monkeypatch.chdir(tmp_path)
    for name in ("ALERTD_NOVITA_API_KEY", "PROD_KEY", "HOOK_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALERTD_HTTP_TOKEN", "canary-token-of-the-page")


def checked(receiver: str, account: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    Path("rules.yaml").write_text(RULES % (account, receiver), encoding="utf-8")
    return run(["check"]), capsys.readouterr().err


@pytest.mark.parametrize("key", ['"sk_canary"', "'sk_canary'", "Bearer sk_canary", "sk_canäry"])
def test_check_when_an_accounts_key_cannot_be_one_then_an_error(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quote that a file or a container's variable keeps was sent, and refused by the vendor at the first poll."""
    monkeypatch.setenv("PROD_KEY", key)
    code, said = checked("type: console", "", capsys)
    assert code == 1
    assert "rules.yaml:2:12: account" in said
    assert "; check PROD_KEY" in said
    assert "canary" not in said


def test_check_when_secrets_are_not_set_here_then_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    """Rules are checked where they are edited, and secrets are set where they run."""
    code, said = checked(f"{HOOK}, bearer_token_file: /nonexistent/token", "", capsys)
    assert code == 0
    assert said.count("warning: ") == len(said.splitlines()) == 2


@pytest.mark.parametrize(
    ("receiver", "account", "said"),
    [
        pytest.param(
            "type: webhook, url_env: ALERTD_HTTP_TOKEN", "", "is one of alertd's own settings", id="own setting"
        ),
        pytest.param("type: webhook, url_env: COPY", "", "holds alertd's own ALERTD_HTTP_TOKEN", id="a copy of one"),
        pytest.param("type: webhook, url_file: .env", "", "is a file of alertd's own settings", id="own file"),
        pytest.param("type: webhook, url: 'http://169.254.169.254/'", "", "link-local address", id="metadata"),
        pytest.param("type: webhook, url_env: WORDS", "", "http(s) URL; put", id="another form"),
        pytest.param(
            "type: console", ", base_url: 'http://[fe80::1]'", "link-local address", id="an account's address"
        ),
        pytest.param(
            "type: webhook, url_env: 1X",
            "",
            'url_env: "1X" does not have the form that is asked for here; write one like',
            id="no variable",
        ),
        pytest.param(
            "type: alertmanager, url: 'http://a', labels: {a-b: x}",
            "",
            'labels: "a-b" does not have the form',
            id="no label",
        ),
    ],
)
def test_check_when_what_is_set_can_never_work_then_an_error(
    receiver: str, account: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`alertd run` would not start with it."""
    monkeypatch.setenv("COPY", "https://x.example/canary-token-of-the-page")
    monkeypatch.setenv("WORDS", "words")
    Path(".env").write_text("ALERTD_LOG_LEVEL=info\n", encoding="utf-8")
    code, text = checked(receiver, account, capsys)
    assert code == 1
    assert said in text
    assert "canary" not in text
