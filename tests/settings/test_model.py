"""Settings come from environment, `.env` and secret files, and errors name the variable, never its value."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr

from alertd.cli.root import run
from alertd.core.times import parse_duration
from alertd.errors import SettingsError
from alertd.settings.asked import load_asked_settings, load_checked_settings
from alertd.settings.forms import FORMS
from alertd.settings.listen import parse_listen
from alertd.settings.model import Settings, load_settings
from alertd.settings.sources import SECRETS
from tests.help.tables import default_text, describe_settings


@pytest.fixture(autouse=True)
def empty_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's own settings counts."""
    monkeypatch.chdir(tmp_path)
    for name in ("ALERTD_NOVITA_API_KEY", "ALERTD_DATABASE_URL", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


def test_settings_when_nothing_is_set_then_defaults() -> None:
    """The documented defaults."""
    settings = load_settings()

    assert (settings.poll_interval, settings.settle_delay) == (timedelta(minutes=10), timedelta(hours=2))
    assert settings.store_url() == "sqlite:///./alertd.db"
    assert settings.rules_path() == Path("rules.yaml")


def test_secret_files_when_systemd_gives_credentials_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential's file ends with a line end that is not part of the key."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "alertd_novita_api_key").write_text("from-file\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))

    assert load_settings().plain("novita_api_key") == "from-file"


def test_environment_when_dotenv_says_otherwise_then_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set for one run is meant for that run."""
    (tmp_path / ".env").write_text("ALERTD_POLL_INTERVAL=5m\nALERTD_SETTLE_DELAY=3h\n", encoding="utf-8")
    monkeypatch.setenv("ALERTD_POLL_INTERVAL", "7m")

    settings = load_settings()

    assert (settings.poll_interval, settings.settle_delay) == (timedelta(minutes=7), timedelta(hours=3))


def test_setting_when_several_sources_have_it_then_the_nearest_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment, then `.env`, then the folder that is set, then systemd's; each for what no nearer one says."""
    named, systemd = tmp_path / "named", tmp_path / "systemd"
    for folder in (named, systemd):
        folder.mkdir()
        for name in ("novita_api_key", "slack_bot_token", "http_token", "smtp_password"):
            if folder is systemd or name != "smtp_password":
                (folder / f"alertd_{name}").write_text(f"xoxb-{folder.name}-0123456789\n")
    monkeypatch.setenv("ALERTD_SECRETS_DIR", str(named))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(systemd))
    (tmp_path / ".env").write_text("ALERTD_NOVITA_API_KEY=dotenv\nALERTD_SLACK_BOT_TOKEN=xoxb-dotenv\n")
    (tmp_path / ".env").chmod(0o600)
    monkeypatch.setenv("ALERTD_NOVITA_API_KEY", "environment")
    settings = load_settings()
    assert [settings.plain(name) for name in ("novita_api_key", "slack_bot_token", "http_token", "smtp_password")] == [
        "environment",
        "xoxb-dotenv",
        "xoxb-named-0123456789",
        "xoxb-systemd-0123456789",
    ]
    # What logs must mask, for every command.
    assert set(settings.secrets()) == set(load_asked_settings().secrets())
    assert len(settings.secrets()) == 4


@pytest.mark.parametrize(
    ("name", "least", "most", "short", "long"),
    [("poll_interval", "1s", "1d", "0s", "1d1m"), ("settle_delay", "0m", "7d", None, "7d1m")],
)
def test_duration_when_at_its_bounds_then_taken_and_not_beyond(
    name: str, least: str, most: str, short: str | None, long: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the bounds as what may be written."""
    for written in (least, most):
        monkeypatch.setenv(f"ALERTD_{name.upper()}", written)
        assert getattr(load_settings(), name) == getattr(load_asked_settings(), name) == parse_duration(written)
    for written in filter(None, (short, long)):
        monkeypatch.setenv(f"ALERTD_{name.upper()}", written)
        with pytest.raises(SettingsError, match=f"ALERTD_{name.upper()}"):
            load_settings()


def test_settings_when_described_then_defaults_as_they_are_written() -> None:
    """The help page's table."""
    defaults = {name: default for name, default, _ in describe_settings()}
    assert (defaults["ALERTD_POLL_INTERVAL"], defaults["ALERTD_SETTLE_DELAY"]) == ("10m", "2h")
    assert (defaults["ALERTD_SMTP_PORT"], defaults["ALERTD_RULES"], defaults["ALERTD_HTTP_PUBLIC_READ"]) == (
        *("587", ""),
        "false",
    )
    assert default_text(timedelta(minutes=90)) == "90m"
    assert default_text(timedelta(hours=1)) == "1h"


def test_rules_when_both_usual_places_have_them_then_those_of_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file here was put here on purpose."""
    system = tmp_path / "etc.yaml"
    monkeypatch.setattr("alertd.settings.asked.SYSTEM_RULES", system)
    assert load_settings().rules_path() == Path("rules.yaml")
    system.write_text("version: 1\n")
    assert load_settings().rules_path() == load_asked_settings().rules_path() == system
    Path("rules.yaml").write_text("version: 1\n")
    assert load_settings().rules_path() == load_asked_settings().rules_path() == Path("rules.yaml")
    monkeypatch.setenv("ALERTD_RULES", "other.yaml")
    assert load_settings().rules_path() == load_asked_settings().rules_path() == Path("other.yaml")


def test_store_when_systemd_gives_several_state_directories_then_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """It separates them by a colon."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/alertd:/var/lib/other")
    assert load_settings().store_url() == load_asked_settings().store_url() == "sqlite:////var/lib/alertd/alertd.db"
    monkeypatch.setenv("ALERTD_DATABASE_URL", "sqlite:///here.db")
    assert load_settings().store_url() == load_asked_settings().store_url() == "sqlite:///here.db"


def test_store_when_systemd_gives_a_state_directory_then_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit needs no setting for it."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/alertd")

    assert load_settings().store_url() == "sqlite:////var/lib/alertd/alertd.db"


def test_settings_when_several_are_wrong_then_all_are_named_with_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run shows everything, and no secret, even where one is in the wrong place."""
    monkeypatch.setenv("ALERTD_POLL_INTERVAL", "fast")
    monkeypatch.setenv("ALERTD_SMTP_PORT", "xoxb-canary")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    text = str(caught.value)
    assert text.splitlines() == [
        'ALERTD_POLL_INTERVAL: "fast" is not a duration; write 30s, 10m, 2h or 1d',
        "ALERTD_SMTP_PORT: the value is not a port; write a number from 1 to 65535",
    ]
    assert "canary" not in text


def test_check_when_much_is_wrong_then_all_of_it_is_said_in_one_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever corrects one line must not find the next at the next run, nor read of a rules file that is not theirs."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "ALERTD_LOG_LEVEL": "loud",
        "ALERTD_RULES": "/nonexistent/rules.yaml",
        "ALERTD_HTTP_LISTEN": "9464",
        "ALERTD_DATABASE_URL": "/tmp/x.db",
        "HTTPS_PROXY": "ftp://proxy:1",
    }.items():
        monkeypatch.setenv(name, value)

    assert run(["check"]) == 1

    lines = capsys.readouterr().err.splitlines()
    assert [re.split(r"[: ]", line)[0] for line in lines] == [
        "ALERTD_LOG_LEVEL",
        "/nonexistent/rules.yaml",
        "HTTPS_PROXY",
        "ALERTD_DATABASE_URL",
        "ALERTD_HTTP_LISTEN",
    ]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param("https://alertd.example.com", "https://alertd.example.com", id="as it is"),
        pytest.param("http://10.0.0.7:9464/", "http://10.0.0.7:9464", id="the slash at the end is not doubled"),
        pytest.param("https://ops.example.com/alertd/", "https://ops.example.com/alertd", id="below a path"),
        pytest.param("https://[2001:db8::1]:9464", "https://[2001:db8::1]:9464", id="an IPv6 address"),
        pytest.param("", None, id="empty is not set"),
    ],
)
def test_external_url_when_people_can_open_it_then_kept(
    monkeypatch: pytest.MonkeyPatch, value: str, kept: str | None
) -> None:
    """Pages are put behind it as they are."""
    monkeypatch.setenv("ALERTD_EXTERNAL_URL", value)
    assert load_settings().external_url == kept


@pytest.mark.parametrize(
    "value",
    [
        "alertd.example.com",
        "ftp://alertd.example.com",
        "https://",
        "https:///alerts",
        "https://alertd.example.com:0",
        "https://alertd.example.com:99999",
        "https://[::1",
        "https://alertd.example.com/a b",
        "https://canary:secret@alertd.example.com",
        "https://alertd.example.com/?token=canary",
        "https://alertd.example.com/#top",
        "https://alertd.example.com/|x>",
        "javascript:alert(1)//https://x",
    ],
)
def test_external_url_when_nobody_could_open_it_then_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """It would be found out by the first who clicks; and messages are no place for secrets."""
    monkeypatch.setenv("ALERTD_EXTERNAL_URL", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert text.startswith("ALERTD_EXTERNAL_URL: ")
    assert text.endswith(" is not an address that people can open; write https://alertd.example.com")
    assert "canary" not in text


def test_secrets_when_listed_then_every_setting_that_is_one() -> None:
    """Commands that do not check every setting mask what these names hold."""
    secrets = {name for name, one in Settings.model_fields.items() if SecretStr in get_args(one.annotation)}
    assert secrets == SECRETS
    assert len(secrets) > 5


def test_secret_when_shown_then_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repr ends up in logs."""
    monkeypatch.setenv("ALERTD_NOVITA_API_KEY", "canary")

    settings = load_settings()

    assert "canary" not in repr(settings)
    assert settings.secrets() == ("canary",)


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    # `alertd check` says the same, without the library.
    assert "\n".join(load_checked_settings()[1]) == str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
@pytest.mark.parametrize("nothing", ["", "  ", "\t\n"])
def test_setting_when_set_to_nothing_then_not_set(name: str, nothing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compose file passes on every variable, set or not."""
    expected = load_settings()
    monkeypatch.setenv(f"ALERTD_{name.upper()}", nothing)
    assert load_settings() == expected


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("POLL_INTERVAL", "0s", '"0s" is too short; write 1s to '),
        ("POLL_INTERVAL", "10", '"10" is not a duration'),
        ("SETTLE_DELAY", "8d", '"8d" is too long; write 0s to'),
        ("NOVITA_BASE_URL", "api.novita.ai", '"api.novita.ai" is not an http or https address; write https://'),
        ("NOVITA_BASE_URL", "https://u:canary@x.test", "the value holds a login"),
        ("NOVITA_BASE_URL", "https://a..b", "is not an http or https address"),
        ("NOVITA_BASE_URL", "https://-x.com", "is not an http or https address"),
        ("NOVITA_BASE_URL", "https://1.2.3.4.5", "is not an http or https address"),
        ("NOVITA_BASE_URL", "https://2852039166/", "is not an http or https address"),
        ("NOVITA_BASE_URL", "https://0xa9fea9fe", "is not an http or https address"),
        ("NOVITA_BASE_URL", "https://api.novita.ai\\x", "is not an http or https address"),
        ("NOVITA_BASE_URL", f"https://{'a' * 64}.com", "is not an http or https address"),
        ("NOVITA_BASE_URL", "https://Bücher.example/api", "letters beyond ASCII; write xn--bcher-kva.example for it"),
        ("EXTERNAL_URL", "https://bücher.example", "write xn--bcher-kva.example for it"),
        ("HEARTBEAT_URL", "https://bücher.example/canary", "write xn--bcher-kva.example for it"),
        ("NOVITA_BASE_URL", "https://api.novita.ai/openapi/v1/", "ends with /openapi/v1, which alertd appends itself"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com", "the value has no path"),
        ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/", "the value has no path"),
        ("SLACK_BOT_TOKEN", "canary", "the value is not a token of this kind; copy the one that begins with xoxb-"),
        ("SLACK_BOT_TOKEN", "xoxp-canary", "the value is not a token of this kind"),
        ("SLACK_APP_TOKEN", "canary", "copy the one that begins with xapp-"),
        ("NOVITA_API_KEY", "'canary'", "the value is in quotes"),
        ("SLACK_BOT_TOKEN", '"xoxb-canary"', "the value is not a token"),
        ("SLACK_APP_TOKEN", "xapp-", "the value is not a token"),
        ("SMTP_HOST", "256.1.1.1", "is not a host alone"),
        ("SMTP_USERNAME", "a\r\nb", "has line breaks"),
        ("SMTP_PASSWORD", "canary\x1b", "the value has line breaks or control"),
        ("SMTP_FROM", "<a@b.org", "is not a mail address"),
        ("HTTP_TOKEN", "canary\ncanary-canary", "the value has characters that no request can carry"),
        ("SLACK_BASE_URL", "ftp://slack.com", '"ftp://slack.com" is not an http or https address'),
        ("SLACK_WEBHOOK_URL", "hooks.slack.com/canary", "the value is not an http or https address"),
        ("HEARTBEAT_URL", "canary", "the value is not an http or https address"),
        ("SLACK_USERS", "U04ABCDEF, @ann", '"U04ABCDEF, @ann" has something else than ids: "@ann" is not a member'),
        ("SLACK_USERS", "C04ABCDEF", "is not a member's id"),
        ("SMTP_FROM", "a@b.org, c@d.org", "is not a mail address"),
        ("SMTP_FROM", "B <" + '{"a":' * 2000 + "@b.org>", "is not a mail address"),
        ("SLACK_USERS", ", ;", '", ;" names nobody; write ids'),
        ("SLACK_BOT_TOKEN", "xapp-canary", "it belongs in ALERTD_SLACK_APP_TOKEN"),
        ("SLACK_APP_TOKEN", "xoxb-canary", "it belongs in ALERTD_SLACK_BOT_TOKEN"),
        ("SLACK_BOT_TOKEN", "xoxb-can ary", "has blanks or characters that no token has"),
        ("SMTP_HOST", "mail.test:587", '"mail.test:587" is not a host alone; write smtp.example.com'),
        ("SMTP_HOST", "smtp://mail.test", "is not a host alone"),
        ("SMTP_HOST", "mail test", "is not a host alone"),
        ("SMTP_PORT", "0", '"0" is not a port; write a number from 1 to 65535'),
        ("SMTP_PORT", "65536", "is not a port"),
        ("SMTP_PORT", "٥٨٧", "is not a port"),
        ("SMTP_SECURITY", "ssl", '"ssl" is not known; write starttls, tls or none'),
        ("SMTP_FROM", "alertd", '"alertd" is not a mail address'),
        ("SMTP_EHLO", "localhost", '"localhost" is not a full host name'),
        ("SMTP_EHLO", "alertd", '"alertd" is not a full host name'),
        ("SMTP_EHLO", "host.localdomain", '"host.localdomain" is not a full host name'),
        ("SMTP_EHLO", "a b.example.com", '"a b.example.com" is not a full host name'),
        ("LOG_LEVEL", "loud", '"loud" is not known; write debug, info, warning or error'),
        ("LOG_FORMAT", "xml", '"xml" is not known; write console or json'),
        ("HTTP_PUBLIC_READ", "maybe", '"maybe" is neither yes nor no; write true or false'),
        ("LOG_LEVEL", "\x1b[2Jloud", '"\\x1b[2Jloud" is not known'),
    ],
)
def test_setting_when_its_form_is_wrong_then_one_line_with_variable_value_and_remedy(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At start, not at the first message."""
    monkeypatch.setenv(f"ALERTD_{variable}", value)
    text = refusal()
    assert text.startswith(f"ALERTD_{variable}: ")
    assert words in text
    assert len(text.splitlines()) == 1
    assert "canary" not in text
    assert "can ary" not in text


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields if name not in SECRETS | {"rules"}])
@pytest.mark.parametrize("value", ["x" * 70_000, "\x01\x1b]0;x\x07", "\u202e\u200b", "é" * 5000])
def test_setting_when_its_value_is_impossible_then_the_line_stays_short_and_obeys_nothing(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file pasted into a variable must not scroll its own error away."""
    monkeypatch.setenv(f"ALERTD_{name}", value)
    try:
        settings = load_settings()
        parse_listen(settings.http_listen, token="")
    except SettingsError as error:
        text = str(error)
        assert text.startswith(f"ALERTD_{name}: ")
        assert len(text) < 500
        assert text.isprintable()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("LOG_LEVEL", "WARN", "warning"),
        ("LOG_FORMAT", "JSON", "json"),
        ("SMTP_HOST", "[2001:db8::1]", "2001:db8::1"),
        ("SMTP_HOST", "post.bücher.example", "post.xn--bcher-kva.example"),
        ("SMTP_FROM", "Budget alerts <a@example.com>", "Budget alerts <a@example.com>"),
        ("SMTP_EHLO", "2001:db8::1", "[IPv6:2001:db8::1]"),
        ("SMTP_EHLO", "[192.0.2.7]", "[192.0.2.7]"),
        ("SLACK_USERS", " U04ABCDEF,<@U04ABCDEG|ann> W0123456", "U04ABCDEF,U04ABCDEG,W0123456"),
        ("HTTP_PUBLIC_READ", "Yes", "True"),
        ("SMTP_PORT", " 25 ", "25"),
    ],
)
def test_setting_when_written_in_another_form_then_understood(
    variable: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is plain to a reader is no mistake."""
    monkeypatch.setenv(f"ALERTD_{variable}", value)
    assert load_settings().plain(variable.lower()) == expected
    assert load_checked_settings()[0].plain(variable.lower()) == expected


def test_settings_when_checked_then_are_those_that_the_daemon_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each setting, set or not; what is wrong has its default."""
    for values in ({}, {"NOVITA_API_KEY": "sk-1", "SMTP_PORT": "25", "RULES": "r.yaml", "HTTP_LISTEN": "off"}):
        for name, value in values.items():
            monkeypatch.setenv(f"ALERTD_{name}", value)
        read, (checked, problems) = load_settings(), load_checked_settings()
        assert problems == ()
        assert list(FORMS) == list(Settings.model_fields)
        assert {name: checked.plain(name) for name in FORMS} == {name: read.plain(name) for name in FORMS}
        assert (checked.secrets(), checked.warnings) == (read.secrets(), read.warnings)
    monkeypatch.setenv("ALERTD_SMTP_PORT", "many")
    assert load_checked_settings()[0].plain("smtp_port") == "587"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ALERTD_SLACK_TOKEN", "is not a setting of alertd; did you mean ALERTD_SLACK_BOT_TOKEN?"),
        ("ALERTD_POLL_INTERVALL", "did you mean ALERTD_POLL_INTERVAL?"),
        ("alertd_smtp_hots", "did you mean alertd_smtp_host?"),
        ("ALERTD_QQQ", "`alertd help settings` lists all"),
        ("ALERTD_STORE", "`alertd help settings` lists all"),
    ],
)
def test_variable_when_no_setting_has_that_name_then_a_warning(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error would be a default that nobody chose."""
    monkeypatch.setenv(name, "x")
    (warning,) = load_settings().warnings
    assert warning.startswith(name)
    assert words in warning


@pytest.mark.parametrize(
    "name", ["ALERTD_SERVICE_HOST", "ALERTD_SERVICE_PORT_HTTP", "ALERTD_PORT", "ALERTD_PORT_9464_TCP_ADDR"]
)
def test_variable_when_kubernetes_sets_it_then_no_warning(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pod beside a service called alertd has them."""
    monkeypatch.setenv(name, "tcp://10.0.0.1:9464")
    assert load_settings().warnings == ()


TEXT = 'ALERTD_SMTP_HOST="mail.test"\n# Größe\nexport ALERTD_SMTP_PORT=25\n'


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-32"),
        TEXT.replace("ß", "s").replace("ö", "大").encode("utf-16-le"),
        TEXT.replace("ß", "s").replace("ö", "大").encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r\n").encode("utf-16"),
    ],
)
def test_dotenv_when_an_editor_wrote_it_then_read_whatever_its_encoding(content: bytes, tmp_path: Path) -> None:
    """Windows editors write UTF-16 and CRLF."""
    (tmp_path / ".env").write_bytes(content)
    settings = load_settings()
    assert (settings.smtp_host, settings.smtp_port) == ("mail.test", 25)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("\n\nALERTD_SMTP_HOST\n", ".env:3: "),
        ("ALERTD_LOG_LEVEL=info\n\n'canary\n", ".env:3: "),
        ("ALERTD_SMTP_PORT: canary\n", ".env:1: "),
        ('ALERTD_SMTP_HOST="canary\n', ".env:1: "),
    ],
)
def test_dotenv_when_a_line_is_bad_then_named_and_not_shown(
    content: str, place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It would be passed over in silence, and may hold a secret."""
    (tmp_path / ".env").write_text(content, encoding="utf-8")
    text = refusal()
    assert text.splitlines()[0].startswith(f"{place}is not NAME=value")
    # Nor does the library say it a second time.
    assert not caplog.records
    assert "canary" not in text


@pytest.mark.parametrize(
    ("line", "password", "warned"),
    [
        pytest.param("${HOME_OF_MAIL}/x", "there/x", False, id="a variable of an earlier line"),
        pytest.param("${USER_OF_MAIL}", "me", False, id="a variable of the environment, which goes before"),
        pytest.param("${NOT_SET:-else}", "else", False, id="a default"),
        pytest.param("can$$ary${rd}!", "can$$ary${rd}!", True, id="a password that looks like one"),
        pytest.param("'can${rd}ary'", "can${rd}ary", True, id="in quotes too"),
    ],
)
def test_dotenv_when_a_value_names_a_variable_then_filled_in_where_it_is_set(
    line: str, password: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of a password that vanishes is found by nobody: the mail server only says that it is wrong."""
    monkeypatch.setenv("USER_OF_MAIL", "me")
    text = f"HOME_OF_MAIL=there\nUSER_OF_MAIL=other\nALERTD_SMTP_PASSWORD={line}\n"
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)

    settings = load_settings()

    assert settings.plain("smtp_password") == password
    assert [text[:7] for text in settings.warnings] == [".env:3:"] * warned


def test_dotenv_when_a_value_is_wrong_then_its_line_is_named(tmp_path: Path) -> None:
    """A file is easier to correct with a place."""
    (tmp_path / ".env").write_text("# mail\n\nALERTD_SMTP_PORT=smtp\n", encoding="utf-8")
    assert refusal() == 'ALERTD_SMTP_PORT (.env:3): "smtp" is not a port; write a number from 1 to 65535'


@pytest.mark.parametrize(
    ("mode", "words"), [(0o600, None), (0o640, None), (0o644, "read it"), (0o602, "change it"), (0o666, "read and")]
)
def test_dotenv_when_others_may_read_or_change_it_then_a_warning(mode: int, words: str | None, tmp_path: Path) -> None:
    """It holds keys, and decides where they go."""
    (tmp_path / ".env").write_text("ALERTD_SMTP_PORT=25\n", encoding="utf-8")
    (tmp_path / ".env").chmod(mode)
    warnings = load_settings().warnings
    assert [(words or "") in warning for warning in warnings] == ([True] if words else [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_when_another_user_owns_them_then_dotenv_is_refused_and_a_mounted_secret_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever owns `.env` could send every key elsewhere; whoever mounts secrets chooses their owner."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "alertd_http_token").write_text("canary", encoding="utf-8")
    (secrets / "alertd_http_token").chmod(0o646)
    os.chown(secrets / "alertd_http_token", 4242, 4242)
    monkeypatch.setenv("ALERTD_SECRETS_DIR", str(secrets))
    settings = load_settings()
    assert settings.plain("http_token") == "canary"
    assert "change it; chmod o-w" in settings.warnings[0]
    (tmp_path / ".env").write_text("ALERTD_SMTP_PORT=25\n", encoding="utf-8")
    os.chown(tmp_path / ".env", 4242, 4242)
    assert refusal().startswith(".env: belongs to user 4242")


@pytest.mark.parametrize("content", ["canary-token\r\n".encode(code) for code in ("utf-8-sig", "utf-16", "ascii")])
def test_secret_file_when_an_editor_wrote_it_then_read_whatever_its_encoding(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark before the token would be part of it."""
    (tmp_path / "alertd_http_token").write_bytes(content)
    (tmp_path / "alertd_http_tokens").write_bytes(b"x")
    monkeypatch.setenv("ALERTD_SECRETS_DIR", str(tmp_path))
    settings = load_settings()
    assert settings.plain("http_token") == "canary-token"
    assert settings.warnings[-1].endswith("is not a setting of alertd; did you mean alertd_http_token?")


@pytest.mark.parametrize("place", [".env", "alertd_http_token"])
@pytest.mark.parametrize("kind", ["fifo", "endless", "large", "latin"])
def test_file_when_it_has_no_end_or_is_no_text_then_refused_at_once(
    place: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FIFO waits for a writer, and /dev/zero never ends."""
    monkeypatch.setenv("ALERTD_SECRETS_DIR", str(tmp_path))
    path = tmp_path / place
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(b"x" * (64 * 1024 + 1) if kind == "large" else b"gr\xfc\xdfe")
    assert f"{place}: cannot be read: it is" in refusal()
