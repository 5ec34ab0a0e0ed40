"""Secrets that a rules file names: its own by any way, alertd's own by none."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from alertd.notify.secret import SecretError, SecretPlaces
from alertd.settings.text_file import LARGEST_BYTES

OWN = {
    "slack_bot_token": "xoxb-canary-of-alertd",
    "smtp_password": "canary-password",
    "novita_api_key": "sk_canary-of-alertd",
    "database_url": "postgresql://alertd:canary%2Fdb@db/alertd?sslpassword=canary+of+the+key",
}


def places(folder: Path, environment: Mapping[str, str] | None = None) -> SecretPlaces:
    return SecretPlaces(environment=environment or {}, folder=folder, setting=OWN.get)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(b"token\n", "token", id="with a line end"),
        pytest.param(b"\xef\xbb\xbftoken\r\n", "token", id="as Windows editors write it"),
        pytest.param(b"  token  ", "token", id="with blanks"),
    ],
)
def test_file_then_its_text(content: bytes, value: str, tmp_path: Path) -> None:
    """Editors add what no token has."""
    (tmp_path / "t").write_bytes(content)
    assert places(tmp_path).read(variable=None, file="t", noun="bearer token") == value


def test_variable_then_its_text_and_none_where_nothing_is_named(tmp_path: Path) -> None:
    """What is named wins over what is not."""
    given = places(tmp_path, {"TOKEN": " t \n"})
    assert given.read(variable="TOKEN", file=None, noun="bearer token") == "t"
    assert given.read(variable=None, file=None, noun="bearer token") is None


def refusal(
    given: SecretPlaces, *, variable: str | None = None, file: str | None = None, own: str | None = None
) -> str:
    with pytest.raises(SecretError) as caught:
        given.read(variable=variable, file=file, noun="bearer token", own=own)
    assert not any(secret in str(caught.value) for secret in OWN.values())
    assert caught.value.is_file is (variable is None)
    return str(caught.value)


@pytest.mark.parametrize(
    ("variable", "own", "word"),
    [
        pytest.param("MISSING", None, "is not set", id="not set"),
        pytest.param("EMPTY", None, "is not set", id="set to nothing"),
        pytest.param("ALERTD_SMTP_PASSWORD", None, "alertd's own settings", id="a setting"),
        pytest.param("alertd_smtp_password", None, "alertd's own settings", id="a setting in small letters"),
        pytest.param("ALERTD_DATABASE_URL", None, "alertd's own settings", id="a setting that may hold a password"),
        pytest.param("ALERTD_SMTP_PASSWORD", "slack_bot_token", "alertd's own settings", id="not the one meant"),
        pytest.param("ALERTD_ANYTHING", None, "alertd's own settings", id="a name that later versions may use"),
        pytest.param("COPY", None, "ALERTD_SMTP_PASSWORD", id="the value under another name"),
        pytest.param("PGPASSWORD", None, "alertd's own settings", id="the store's password"),
        pytest.param("https_proxy", None, "alertd's own settings", id="the proxy's login"),
        pytest.param("DB_PASSWORD", None, "ALERTD_DATABASE_URL", id="the password in the store's URL"),
        pytest.param("OPTION", None, "ALERTD_DATABASE_URL", id="the password among the options of the store's URL"),
        pytest.param("INSIDE", None, "ALERTD_NOVITA_API_KEY", id="the value inside a URL"),
    ],
)
def test_variable_when_it_is_no_secret_of_its_own_then_refused(
    variable: str, own: str | None, word: str, tmp_path: Path
) -> None:
    """Whoever edits the rules chooses where this goes."""
    environment = {
        "EMPTY": " ",
        "COPY": OWN["smtp_password"],
        "OPTION": "canary+of+the+key",
        "INSIDE": f"https://example.com/?k={OWN['novita_api_key']}",
        "ALERTD_SMTP_PASSWORD": OWN["smtp_password"],
        "alertd_smtp_password": OWN["smtp_password"],
        "ALERTD_DATABASE_URL": OWN["database_url"],
        "ALERTD_ANYTHING": "x",
        "PGPASSWORD": "x",
        "https_proxy": "http://u:canary-of-proxy@proxy:3128",
        "DB_PASSWORD": "canary/db",
    }
    assert word in refusal(places(tmp_path, environment), variable=variable, own=own)


def test_setting_that_is_meant_then_may_be_named(tmp_path: Path) -> None:
    """`bot_token_env: ALERTD_SLACK_BOT_TOKEN` says what the default is."""
    given = places(tmp_path, {"ALERTD_SLACK_BOT_TOKEN": OWN["slack_bot_token"]})
    found = given.read(variable="ALERTD_SLACK_BOT_TOKEN", file=None, noun="bot token", own="slack_bot_token")
    assert found == OWN["slack_bot_token"]


@pytest.fixture
def secrets_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of alertd's own secret files, as containers mount it: through a link."""
    folder, data = tmp_path / "secrets", tmp_path / "secrets" / "..data"
    data.mkdir(parents=True)
    # As in a file, this one is not known by its value.
    (data / "alertd_heartbeat_url").write_text("https://example.com/canary-ping")
    (folder / "alertd_heartbeat_url").symlink_to(data / "alertd_heartbeat_url")
    (folder / "bridge_token").write_text("own")
    (tmp_path / ".env").write_text("ALERTD_HTTP_TOKEN=canary-of-dotenv")
    monkeypatch.setenv("ALERTD_SECRETS_DIR", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_file_beside_those_of_settings_then_is_its_own(secrets_dir: Path, tmp_path: Path) -> None:
    """Mounted secrets of receivers stand in the same folder."""
    assert places(tmp_path).read(variable=None, file="secrets/bridge_token", noun="bearer token") == "own"


@pytest.mark.parametrize("way", ["itself", "what it links to", "a symlink", "a hard link", ".env", "an environment"])
def test_file_of_a_setting_then_refused_by_whatever_way(way: str, secrets_dir: Path, tmp_path: Path) -> None:
    """A path has many spellings; the file behind it is one."""
    real = secrets_dir / "..data" / "alertd_heartbeat_url"
    link = tmp_path / "link"
    if way == "a symlink":
        link.symlink_to(secrets_dir / "alertd_heartbeat_url")
    elif way == "a hard link":
        os.link(real, link)
    file = {
        "itself": "secrets/alertd_heartbeat_url",
        "what it links to": str(real),
        ".env": "secrets/../.env",
        "an environment": "/proc/self/environ",
    }.get(way, "link")
    assert "alertd's own settings" in refusal(places(tmp_path), file=file)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("missing", "No such file"),
        ("empty", "is empty"),
        ("folder", "a folder"),
        ("fifo", "not a regular file"),
        ("device", "not a regular file"),
        ("huge", "larger than"),
        ("binary", "not text in UTF-8"),
        ("nul", "cannot read"),
        ("circle", "symbolic links"),
        ("pgpass", "alertd's own settings"),
    ],
)
def test_file_when_it_cannot_be_one_then_said_at_once(
    kind: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FIFO would wait for ever, a device never end."""
    path = tmp_path / "secret"
    monkeypatch.setenv("HOME", str(tmp_path))
    match kind:
        case "circle":
            path.symlink_to(path)
        case "pgpass":
            (tmp_path / ".pgpass").write_text("db:5432:alertd:alertd:canary")
            path.symlink_to(".pgpass")
        case "empty":
            path.write_text("\n")
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "huge":
            path.write_bytes(b"x" * (LARGEST_BYTES + 1))
        case "binary":
            path.write_bytes(b"\xff\xfe\x00")
    file = {"device": "/dev/zero", "nul": "a\0b"}.get(kind, "secret")
    assert word in refusal(places(tmp_path), file=file)
