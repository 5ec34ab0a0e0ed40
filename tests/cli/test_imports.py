"""What commands that people wait for do not import, and which settings they go by."""

import gc
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from pydantic import SecretStr

from alertd.__main__ import main
from alertd.cli.root import run
from alertd.errors import SettingsError
from alertd.settings.asked import AskedSettings, load_asked_settings
from alertd.settings.model import Settings, load_settings
from alertd.settings.sources import SECRETS
from alertd.store.store import Store

LIBRARIES = (
    *("numpy", "pydantic", "pydantic_settings", "httpx", "aiohttp", "slack_sdk", "yaml", "jinja2", "apscheduler"),
    *("structlog", "asyncio", "ssl", "zipfile", "certifi", "importlib.metadata", "difflib", "csv", "numpy.ma"),
)
OWN = (
    "alertd.daemon.cycle",
    "alertd.daemon.app",
    "alertd.daemon.state",
    "alertd.web.overview",
    "alertd.core.rules.budget",
)
"""What runs or judges, and no command that only asks or checks needs for one rule of another type."""
RULES = """version: 1
rules: [{name: gpu, type: rolling_spend, window: 24h, thresholds: {warning: 50}}]
"""
PROGRAM = f"""
import sys
from alertd.cli.root import run
for words, well in (
    ("--help", 0),
    ("alerts --help", 0),
    ("alerts", 0),
    ("alerts --all --json", 0),
    ("status", 1),
):
    code = run(words.split())
    loaded = sorted(set(sys.modules) & set({LIBRARIES + OWN}))
    assert (code, loaded) == (well, []), (words, code, loaded)
for words, allowed in (
    ("silence list", set()),
    ("actions", set()),
    ("spend", {{"yaml"}}),
):
    code = run(words.split())
    loaded = sorted(set(sys.modules) & set({LIBRARIES + OWN}) - allowed)
    assert (code, loaded) == (0, []), (words, code, loaded)
"""
CHECKING = f"""
import sys
from alertd.cli.root import run
code = run(["check"])
# The tests name a file of certificates, which is read. A rule without filters has no names to look for in the store.
wanted = set({LIBRARIES + OWN}) - {{"yaml", "ssl"}} | {{"msgspec", "sqlite3", "alertd.store.store"}}
assert (code, sorted(set(sys.modules) & wanted)) == (0, []), (code, sorted(set(sys.modules) & wanted))
"""
SUMMING = f"""
import sys
from alertd.cli.root import run
# Without bills there is nothing to sum.
for words in ("running", "explain gpu"):
    code = run(words.split())
    loaded = sorted(set(sys.modules) & set({LIBRARIES + OWN}) - {{"yaml"}})
    assert (code, loaded) == (0, []), (words, code, loaded)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store in the folder that commands run in."""
    Store.open(f"sqlite:///{tmp_path}/alertd.db", now=datetime(2026, 3, 1, tzinfo=UTC)).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "program", [pytest.param(PROGRAM, id="ask"), pytest.param(CHECKING, id="check"), pytest.param(SUMMING, id="sum")]
)
def test_commands_that_ask_when_run_then_import_no_library_they_do_not_need(folder: Path, program: str) -> None:
    """Each of these libraries takes as long to import as such a command may take."""
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    ran = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_program_when_its_command_has_ended_then_searches_for_garbage_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The interpreter does so three times before it ends, through all modules: a fifth of what a command takes."""
    monkeypatch.setattr("alertd.cli.root.run", lambda: 1)
    monkeypatch.setattr(sys, "argv", ["alertd", "alerts"])
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    before = gc.get_threshold()
    try:
        with pytest.raises(SystemExit) as ended:
            main()
        frozen = gc.get_freeze_count()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert ended.value.code == 1
    assert frozen > 0


def test_alerts_when_a_setting_that_they_need_not_is_wrong_then_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mail server's wrong port keeps nobody from the alerts; `alertd check` names it."""
    (folder / ".env").write_text("ALERTD_SMTP_PORT=many\n", encoding="utf-8")
    monkeypatch.setenv("ALERTD_SMTP_HOST", "https://x")
    assert run(["alerts"]) == 0
    assert "Nothing is firing." in capsys.readouterr().out
    assert run(["check"]) == 1


@pytest.mark.parametrize("name", ["POLL_INTERVAL", "SETTLE_DELAY", "LOG_LEVEL", "LOG_FORMAT"])
def test_setting_when_wrong_then_every_command_says_the_same(name: str, folder: Path) -> None:
    """With file, line, value and remedy."""
    (folder / ".env").write_text(f"\nALERTD_{name}=nonsense\n", encoding="utf-8")
    with pytest.raises(SettingsError) as all_settings:
        load_settings()
    with pytest.raises(SettingsError) as asked:
        load_asked_settings()
    assert str(asked.value) == str(all_settings.value)
    assert f'ALERTD_{name} (.env:2): "nonsense" is ' in str(asked.value)


def test_settings_when_written_then_commands_that_ask_go_by_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One value of each, and every secret, so that logs mask it."""
    lines = ("RULES=r.yaml", "DATABASE_URL=sqlite:///x.db", "POLL_INTERVAL=5m", "SETTLE_DELAY=3h", "LOG_LEVEL=WARN")
    (folder / ".env").write_text("".join(f"ALERTD_{line}\n" for line in lines), encoding="utf-8")
    monkeypatch.setenv("ALERTD_NOVITA_API_KEY", "sk-of-the-account")
    (asked, known) = (load_asked_settings(), load_settings())
    for name in ("rules", "database_url", "poll_interval", "settle_delay", "log_level", "log_format"):
        assert getattr(asked, name) == getattr(known, name)
    assert asked.secrets() == known.secrets() == ("sk-of-the-account",)
    assert "sk-of" not in repr(asked)


def test_secrets_when_named_then_they_are_the_fields_that_are() -> None:
    """They are named apart because those who mask them must not import the library."""
    assert {name for name, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)} == SECRETS
    assert AskedSettings().settle_delay == load_settings().settle_delay
