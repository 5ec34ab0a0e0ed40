"""`alertd check --online` against doubles of everything that it asks: all at once, and nothing is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from alertd.cli.check import _online
from alertd.cli.root import run
from alertd.daemon.online import check_online, group_question
from alertd.daemon.receivers import build_notifiers
from alertd.rules_file.load import load_rules
from alertd.settings.model import Settings, load_settings
from tests.doubles import BOT_TOKEN, SlackDouble
from tests.e2e.world import API_KEY, BillingWorld
from tests.mail_double import MailDouble

RULES = """
version: 1
receivers:
  - {name: finops, type: slack, channel: [{channels}]}
  - {name: mail, type: email, to: [billing@example.com]}
  - {name: hook, type: webhook, url: "http://127.0.0.1:9/"}
defaults: {notify: [finops]}
rules: [{name: gpu, type: rolling_spend, window: 24h, thresholds: {warning: 50}}]
"""


@asynccontextmanager
async def doubles() -> AsyncIterator[tuple[SlackDouble, MailDouble]]:
    async with SlackDouble() as slack, MailDouble(needs_login=False) as mail:
        yield slack, mail


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Said":
    monkeypatch.chdir(tmp_path)
    return Said(tmp_path, monkeypatch, capsys)


class Said:
    """What the command says of a set of doubles."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.patch, self.capsys = folder, patch, capsys
        self.channels = '"#finops"'
        self.token = BOT_TOKEN
        self.key = API_KEY
        self.scopes: set[str] | None = None
        self.mail_port = ""

    def ask(self) -> tuple[int, str, str]:
        """Return exit code, output and errors."""

        async def ask() -> int:
            async with doubles() as (slack, mail):
                if self.scopes is not None:
                    slack.scopes = self.scopes
                environment = {
                    "ALERTD_NOVITA_API_KEY": self.key,
                    "ALERTD_NOVITA_BASE_URL": world.url,
                    "ALERTD_SLACK_BOT_TOKEN": self.token,
                    "ALERTD_SLACK_BASE_URL": slack.base_url,
                    "ALERTD_SMTP_HOST": "127.0.0.1",
                    "ALERTD_SMTP_PORT": self.mail_port or str(mail.port),
                    "ALERTD_SMTP_SECURITY": "none",
                    "ALERTD_SMTP_FROM": "alertd@example.com",
                }
                for name, value in environment.items():
                    self.patch.setenv(name, value)
                path = self.folder / "rules.yaml"
                await asyncio.to_thread(path.write_text, RULES.replace("{channels}", self.channels))
                rules, settings = load_rules(path), load_settings()
                notifiers, problems = build_notifiers(rules, settings)
                assert problems == []
                code = await _online(check_online(rules, settings, notifiers))
                assert slack.shown() == []
                assert mail.received == []
                return code

        with BillingWorld() as world:
            code = asyncio.run(ask())
        found = self.capsys.readouterr()
        return code, found.out, found.err


def test_check_when_all_is_well_then_says_so_of_each_and_sends_nothing(said: Said) -> None:
    """And names what only a message can show."""
    code, out, err = said.ask()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        'account "default": ok',
        'receiver "finops": ok',
        'receiver "mail": ok',
        'receiver "hook": not asked; only a message shows whether it arrives: `alertd send-test`',
        "clock: ok",
    ]


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        pytest.param('"#nowhere"', "#nowhere: there is no such channel", id="no channel of that name"),
        pytest.param("C0000NOWHERE", "channel_not_found", id="no channel of that id"),
        pytest.param("C0000ARCHIVE", "it is archived", id="archived"),
        pytest.param('"#outside"', "/invite @alertd", id="not invited"),
    ],
)
def test_check_when_a_channel_takes_nothing_then_says_what_to_do(said: Said, channel: str, words: str) -> None:
    """At three in the morning is too late to find out."""
    said.channels = f'"#finops", {channel}'
    code, _, err = said.ask()
    assert code == 1
    assert 'receiver "finops": ' in err
    assert words in err


def test_check_when_tokens_and_keys_are_refused_then_all_of_it_is_said_at_once(said: Said) -> None:
    """One run, every mistake, and no secret in any of it."""
    said.token, said.key = "xoxb-another-canary-token", "sk-another-canary"
    code, _, err = said.ask()
    assert code == 1
    assert "key refused" in err
    assert "invalid_auth" in err
    assert "canary" not in err


def test_check_when_scopes_are_missing_then_each_is_named_with_its_effect(said: Said) -> None:
    """A token works, and a message comes twice one day."""
    said.scopes = {"channels:read"}
    code, _, err = said.ask()
    assert code == 1
    assert "lacks the scope chat:write: no message can be posted" in err
    assert "lacks the scope channels:history" in err


def test_check_when_the_mail_server_does_not_answer_then_says_at_what_it_failed(said: Said) -> None:
    """The others are asked all the same."""
    said.mail_port = "1"
    code, out, err = said.ask()
    assert code == 1
    assert 'receiver "mail": the mail server 127.0.0.1:1 failed at ' in err
    assert 'receiver "finops": ok' in out


@pytest.mark.parametrize(
    ("scopes", "groups", "fault"),
    [
        pytest.param({"usergroups:read"}, ["S04TEAM01"], "", id="they can be read"),
        pytest.param(set(), ["S04TEAM01"], "S04TEAM01: give the app the scope usergroups:read", id="no scope"),
        pytest.param({"usergroups:read"}, ["S04GONE01"], "S04GONE01: there is no such user group", id="no group"),
        pytest.param(set(), [], "", id="members alone need no scope"),
    ],
)
async def test_check_when_groups_approve_then_asks_slack_for_their_members(
    tmp_path: Path, scopes: set[str], groups: list[str], fault: str
) -> None:
    """At three in the morning the button would let nobody in."""
    rules = tmp_path / "rules.yaml"
    approvers = ", ".join(["U04ABCDEF", *groups])
    action = f"{{name: stop, type: stop_instance, accounts: {{default: {{api_key_env: K}}}}, approvers: [{approvers}]}}"
    rules.write_text(f"{RULES.replace('{channels}', 'C0000FINOPS')}actions: [{action}]\n", encoding="utf-8")
    async with SlackDouble() as slack:
        slack.scopes = scopes
        settings = Settings.model_validate(
            {"slack_bot_token": BOT_TOKEN, "slack_app_token": "xapp-1", "slack_base_url": slack.base_url}
        )
        asked = group_question(load_rules(rules), settings)
        assert (asked is not None) == bool(groups)
        assert (await asked if asked is not None else ()) == ((fault,) if fault else ())


@pytest.mark.parametrize(
    ("bot_token", "app_token", "is_asked"),
    [(BOT_TOKEN, "xapp-1", True), (BOT_TOKEN, None, False), (None, "xapp-1", False)],
    ids=["both tokens", "no buttons without the app", "nobody to ask as"],
)
async def test_check_when_slack_cannot_bring_presses_then_groups_are_not_asked_for(
    tmp_path: Path, bot_token: str | None, app_token: str | None, is_asked: bool
) -> None:
    """Where nobody can press, nobody's membership matters."""
    rules = tmp_path / "rules.yaml"
    action = "{name: stop, type: stop_instance, accounts: {default: {api_key_env: K}}, approvers: [S04TEAM01]}"
    rules.write_text(f"{RULES.replace('{channels}', 'C0000FINOPS')}actions: [{action}]\n", encoding="utf-8")
    settings = Settings.model_validate({"slack_bot_token": bot_token, "slack_app_token": app_token})
    asked = group_question(load_rules(rules), settings)
    assert (asked is not None) is is_asked
    if asked is not None:
        asked.close()


def test_check_when_a_receiver_lacks_its_secret_then_asks_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before Slack is set up, whoever starts wants to know whether the Novita key works; once nothing was asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(
        """
version: 1
receivers: [{name: finops, type: slack, channel: "#finops"}]
defaults: {notify: [finops]}
rules: [{name: gpu, type: rolling_spend, window: 24h, thresholds: {warning: 50}}]
""",
        encoding="utf-8",
    )
    monkeypatch.delenv("ALERTD_SLACK_BOT_TOKEN", raising=False)
    with BillingWorld() as world:
        monkeypatch.setenv("ALERTD_NOVITA_API_KEY", API_KEY)
        monkeypatch.setenv("ALERTD_NOVITA_BASE_URL", world.url)
        assert run(["check", "--online"]) == 1
    out, err = capsys.readouterr()
    assert 'account "default": ok' in out
    assert "receivers that lack the secrets named above were not asked" in err
