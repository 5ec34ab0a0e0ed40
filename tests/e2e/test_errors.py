"""What a user's mistake looks like: the right exit code, one clear line with the remedy, and never a traceback."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.daemon import Alertd, no_traceback
from tests.e2e.test_once import RULES
from tests.e2e.world import BillingWorld, Hook
from tests.examples import rest_slow

READERS = (("alerts",), ("spend",), ("status",), ("db", "check"), ("db", "backup", "copy.db"))
WRITERS = (("run",), ("run", "--once"), ("run", "--dry-run"), ("db", "prune"))


def assert_told(alertd: Alertd, arguments: tuple[str, ...], words: str, *, env: dict[str, str] | None = None) -> None:
    """Run a command that must fail with one line holding the words."""
    ran = alertd.run(*arguments, env=env)
    notified = f"{' '.join(arguments)} {env}: {ran}"
    assert ran.code == 1, notified
    assert no_traceback(ran.err + ran.out), notified
    assert len(ran.err.strip().splitlines()) == 1, notified
    assert words in ran.err, notified
    assert ran.out == "", notified


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("run", "--onec"),
        ("spend", "--since", "5"),
        ("spend", "--since", "401d"),
        ("spend", "--by", "colour"),
        ("spend", "--json", "--csv"),
        ("db", "prune", "--spend", "-1d"),
        ("simulate", "--port", "70000"),
    ],
    ids=" ".join,
)
def test_usage_when_wrong_then_exits_2_without_a_traceback(arguments: tuple[str, ...], alertd: Alertd) -> None:
    """Shells and units tell a wrong call from a failed run by the code."""
    # One of them in a process that Python started, to see that its code gets through.
    alertd.is_fresh = arguments == ("nonsense",)
    ran = alertd.run(*arguments)
    assert ran.code == 2
    assert ran.out == "" or not arguments
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("env", "words"),
    [
        pytest.param({"ALERTD_POLL_INTERVAL": "fast"}, "ALERTD_POLL_INTERVAL: ", id="no duration"),
        pytest.param({"ALERTD_POLL_INTERVAL": "0s"}, "ALERTD_POLL_INTERVAL: ", id="a busy loop"),
        pytest.param({"ALERTD_SETTLE_DELAY": "9999999w"}, "ALERTD_SETTLE_DELAY: ", id="190,000 years"),
        pytest.param({"ALERTD_POLL_INTERVAL": "9999999w"}, "ALERTD_POLL_INTERVAL: ", id="as often"),
        pytest.param({"ALERTD_SMTP_PORT": "smtp"}, "ALERTD_SMTP_PORT: ", id="no port"),
        pytest.param({"ALERTD_SMTP_SECURITY": "ssl"}, "ALERTD_SMTP_SECURITY: ", id="no such security"),
        pytest.param({"ALERTD_LOG_LEVEL": "loud"}, "ALERTD_LOG_LEVEL: ", id="no such level"),
        pytest.param({"ALERTD_LOG_FORMAT": "xml"}, "ALERTD_LOG_FORMAT: ", id="no such format"),
        pytest.param({"ALERTD_NOVITA_API_KEY": "(unset)"}, "ALERTD_NOVITA_API_KEY", id="no key"),
        pytest.param({"ALERTD_NOVITA_API_KEY": "ключ"}, "ALERTD_NOVITA_API_KEY", id="a key that no header holds"),
        pytest.param({"ALERTD_NOVITA_BASE_URL": "ftp://x"}, "ALERTD_NOVITA_BASE_URL: ", id="no base URL"),
        pytest.param({"ALERTD_DATABASE_URL": "mysql://u:canary@h/x"}, "ALERTD_DATABASE_URL", id="another database"),
        pytest.param({"ALERTD_DATABASE_URL": "alertd.db"}, "ALERTD_DATABASE_URL", id="a path for a URL"),
        pytest.param({"ALERTD_DATABASE_URL": "sqlite:////nowhere/at/all.db"}, "/nowhere/at/all.db", id="no folder"),
        pytest.param({"ALERTD_RULES": "other.yaml"}, "other.yaml", id="no rules there"),
    ],
)
def test_setting_when_wrong_then_run_names_it_in_one_line(
    env: dict[str, str], words: str, alertd: Alertd, hook: Hook
) -> None:
    """The variable that is wrong is the first thing to know."""
    alertd.rules(RULES.format(hook=hook.url))
    alertd.env |= env
    assert_told(alertd, ("run", "--once"), words)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"ALERTD_POLL_INTERVAL": "fast"}, id="no duration"),
        pytest.param({"ALERTD_NOVITA_BASE_URL": "ftp://x"}, id="no base URL"),
        pytest.param({"ALERTD_DATABASE_URL": "mysql://h/x"}, id="another database"),
    ],
)
def test_check_when_a_setting_is_wrong_then_exits_1(env: dict[str, str], alertd: Alertd, hook: Hook) -> None:
    """What `run` would refuse, `check` must not call valid."""
    alertd.rules(RULES.format(hook=hook.url))
    alertd.env |= env
    ran = alertd.run("check")
    assert ran.code == 1, ran
    assert no_traceback(ran.err)


def _garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 500)


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table customers (name text)")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("update meta set content = '9999' where name = 'schema_version'").rowcount == 1


def _folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _torn_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:12288] = os.urandom(8192)
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", rest_slow([_garbage, _foreign, _newer, _folder, _torn_page]))
def test_database_when_unreadable_then_every_command_says_so_in_one_line(
    spoil: Callable[[Path], None], alertd: Alertd, hook: Hook
) -> None:
    """A damaged or foreign file is neither mended in silence nor shown as a stack of calls."""
    alertd.rules(RULES.format(hook=hook.url))
    template = alertd.database
    # No API answers, so the cycle fails; the store is made all the same.
    assert alertd.run("run", "--once").code == 1
    assert template.exists()
    for rest in ("-wal", "-shm", ".lock"):
        Path(f"{template}{rest}").unlink(missing_ok=True)
    spoil(template)
    before, sent = template.read_bytes() if template.is_file() else b"", len(hook.posts)
    # What they open it with is one function to read and one to write: every command once, and two for each fault.
    some = (*READERS, *WRITERS) if spoil is _garbage else (READERS[0], READERS[3], WRITERS[1], WRITERS[2])
    for arguments in some:
        if spoil is _torn_page and arguments == ("db", "check"):
            ran = alertd.run(*arguments)
            assert (ran.code, no_traceback(ran.err)) == (1, True)
            continue
        ran = alertd.run(*arguments)
        notified = f"{' '.join(arguments)}: {ran}"
        assert ran.code == 1, notified
        assert no_traceback(ran.err), notified
        assert len(ran.err.strip().splitlines()) == 1, notified
        assert str(template) in ran.err, notified
    assert (template.read_bytes() if template.is_file() else b"") == before
    # On a loaded machine that first cycle takes long enough to say that it cannot see.
    assert len(hook.posts) == sent


@pytest.mark.parametrize("arguments", [READERS[0], READERS[-1]], ids=" ".join)
def test_database_when_missing_then_readers_say_what_to_do(arguments: tuple[str, ...], alertd: Alertd) -> None:
    """Who looks before the first run, or in the wrong folder, learns which of the two it is."""
    assert_told(alertd, arguments, "ALERTD_DATABASE_URL")
    assert list(alertd.folder.iterdir()) == []


@pytest.mark.parametrize("arguments", [("run",), ("run", "--dry-run"), ("check",), ("send-test", "x")], ids=" ".join)
def test_rules_when_missing_then_says_where_they_were_sought(arguments: tuple[str, ...], alertd: Alertd) -> None:
    """The first command of a new user fails with the next one to type."""
    assert_told(alertd, arguments, "alertd init")
    assert list(alertd.folder.iterdir()) == []


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _make_folder(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).mkdir()


@pytest.mark.parametrize(
    ("prepare", "env"),
    [
        pytest.param(_write(".env", b"\xff\xfe\x00A"), {}, id=".env is not text"),
        pytest.param(_write(".env", b"ALERTD_POLL_INTERVAL=soon\n"), {}, id=".env has a wrong value"),
        pytest.param(_make_folder("rules.yaml"), {}, id="an empty folder for rules"),
        pytest.param(_write("rules.yaml", b"\x00\x01\x02"), {}, id="binary rules"),
        pytest.param(_write("rules.yaml", b"version: 1\n\xff"), {}, id="rules are not UTF-8"),
        pytest.param(_write("rules.yaml", b""), {}, id="empty rules"),
        pytest.param(_write("rules.yaml", b"[" * 5000), {}, id="deep rules"),
        pytest.param(_write("rules.yaml", b"version: 1\nrules: &a [*a, *a]\n"), {}, id="cyclic rules"),
        pytest.param(lambda folder: None, {"ALERTD_RULES": ""}, id="rules set to nothing"),
        pytest.param(lambda folder: None, {"ALERTD_RULES": "/dev/null/x"}, id="a path through a file"),
        pytest.param(lambda folder: None, {"ALERTD_RULES": "x" * 5000}, id="a path too long"),
        pytest.param(_write("secret", b"x"), {"ALERTD_SECRETS_DIR": "secret"}, id="secrets folder is a file"),
        pytest.param(_make_folder("alertd_novita_api_key"), {"ALERTD_SECRETS_DIR": "."}, id="a secret is a folder"),
    ],
)
def test_files_when_broken_then_check_and_run_fail_without_a_traceback(
    prepare: Callable[[Path], object], env: dict[str, str], alertd: Alertd
) -> None:
    """Files are written by people, editors and orchestrators, and any of them may be anything."""
    prepare(alertd.folder)
    alertd.env |= env
    # Where the settings are at fault `check` goes another way than the rest.
    for arguments in (("check",), *([("alerts",)] if (alertd.folder / ".env").exists() else [])):
        ran = alertd.run(*arguments)
        assert ran.code == 1, f"{arguments}: {ran}"
        assert no_traceback(ran.err), f"{arguments}: {ran}"
        assert ran.err.strip(), arguments


def test_receiver_when_its_secret_is_missing_then_run_names_place_and_variable(alertd: Alertd) -> None:
    """A service that would be unable to tell anybody must not start as if it could."""
    alertd.rules(
        """version: 1
receivers:
  - {name: finops, type: slack, channel: "#finops"}
  - {name: bridge, type: webhook, url_env: BRIDGE_URL}
defaults: {notify: [finops]}
rules:
  - {name: gpu, type: rolling_spend, window: 24h, thresholds: {warning: 5}}
"""
    )
    ran = alertd.run("run")
    assert ran.code == 1
    lines = ran.err.strip().splitlines()
    assert len(lines) == 2
    assert "rules.yaml:3:" in lines[0]
    assert "ALERTD_SLACK_BOT_TOKEN" in lines[0]
    assert "rules.yaml:4:" in lines[1]
    assert "BRIDGE_URL" in lines[1]
    assert alertd.run("send-test", "bridge").code == 1
    assert alertd.run("send-test", "brigde").err.count("bridge") == 1


def test_init_check_schema_when_new_then_the_starter_is_valid(alertd: Alertd) -> None:
    """The first five minutes."""
    assert alertd.run("init").code == 0
    ran = alertd.run("check")
    assert (ran.code, ran.out.count("ok")) == (0, 1), ran
    again = alertd.run("init")
    assert (again.code, "exists" in again.err) == (1, True)
    assert alertd.run("init", "no/such/folder.yaml").code == 1
    assert alertd.run("schema").out.startswith("{")


def test_backup_when_target_exists_or_cannot_be_then_fails_and_keeps_it(
    alertd: Alertd, world: BillingWorld, hook: Hook
) -> None:
    """A backup never overwrites: the file in the way may be the good one."""
    alertd.rules(RULES.format(hook=hook.url))
    assert alertd.run("run", "--once").code == 0
    assert alertd.run("db", "backup", "copy.db").code == 0
    copied = (alertd.folder / "copy.db").read_bytes()
    assert_told(alertd, ("db", "backup", "copy.db"), "copy.db")
    assert_told(alertd, ("db", "backup", "no/such/copy.db"), "no/such/copy.db")
    assert (alertd.folder / "copy.db").read_bytes() == copied
    shutil.copy(alertd.folder / "copy.db", alertd.folder / "alertd.db")
    assert alertd.run("db", "check").code == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    rest_slow(
        [
            pytest.param("HTTPS_PROXY", "ftp://x:1", id="HTTPS_PROXY"),
            pytest.param("SSLKEYLOGFILE", "/nonexistent/x", id="SSLKEYLOGFILE"),
            pytest.param("http_proxy", "http://x:99999", id="http_proxy"),
            pytest.param("SSL_CERT_FILE", "/nonexistent/ca.pem", id="SSL_CERT_FILE"),
            pytest.param("SSL_CERT_DIR", "/nonexistent/certs", id="SSL_CERT_DIR"),
        ]
    ),
)
def test_system_variable_when_no_client_can_use_it_then_every_command_that_connects_says_so(
    variable: str, value: str, alertd: Alertd
) -> None:
    """Libraries read them behind alertd's back; `check` knows before `run` does."""
    alertd.rules(RULES.format(hook="http://127.0.0.1:9/"))
    alertd.is_fresh = variable == "SSLKEYLOGFILE"
    for arguments in (("check",), ("run", "--once"), ("run",), ("demo",), ("simulate", "--port", "0")):
        ran = alertd.run(*arguments, env={variable: value})
        assert ran.code == 1, (arguments, ran)
        assert no_traceback(ran.err + ran.out), (arguments, ran)
        line = next(line for line in ran.err.splitlines() if variable in line)
        assert f'{variable}: "{value}"' in line
        assert "unset it" in line
