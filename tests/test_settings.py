"""Settings come from environment, `.env` and secret files, and errors name the variable, never its value."""

from datetime import timedelta
from pathlib import Path

import pytest

from alertd.errors import SettingsError
from alertd.settings import load_settings


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


def test_store_when_systemd_gives_a_state_directory_then_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit needs no setting for it."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/alertd")

    assert load_settings().store_url() == "sqlite:////var/lib/alertd/alertd.db"


def test_settings_when_several_are_wrong_then_all_are_named_without_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run shows everything; a value may be a secret in the wrong place."""
    monkeypatch.setenv("ALERTD_POLL_INTERVAL", "canary-1")
    monkeypatch.setenv("ALERTD_SMTP_PORT", "canary-2")

    with pytest.raises(SettingsError) as caught:
        load_settings()

    text = str(caught.value)
    assert text.splitlines()[0] == "ALERTD_POLL_INTERVAL: not a duration; write 30s, 10m, 2h or 1d"
    assert text.splitlines()[1].startswith("ALERTD_SMTP_PORT: ")
    assert "canary" not in text


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
        "https://bücher.example",
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
    assert str(caught.value) == (
        "ALERTD_EXTERNAL_URL: not an address that people can open; write https://alertd.example.com"
    )


def test_secret_when_shown_then_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repr ends up in logs."""
    monkeypatch.setenv("ALERTD_NOVITA_API_KEY", "canary")

    settings = load_settings()

    assert "canary" not in repr(settings)
    assert settings.secrets() == ("canary",)
