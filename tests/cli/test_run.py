"""What `alertd run --dry-run` says at its end, and what commands say whose store refuses them."""

from pathlib import Path

import pytest

from alertd.cli.root import run
from alertd.cli.run import dry_run_summary
from tests.postgres_server import PASSWORD, PostgresServer

RULES = """
version: 1
receivers: [{name: terminal, type: console}]
rules:
  - {name: gpu-24h, type: rolling_spend, category: gpu, window: 24h, thresholds: {warning: $500}, notify: [terminal]}
"""


@pytest.mark.parametrize(
    ("open_alerts", "is_ok", "line"),
    [
        (0, True, "Dry run: 0 alerts open, nothing sent, nothing stored."),
        (
            1,
            False,
            (
                "Dry run: 1 alert open as far as bills could be read (see the errors above; `alertd check --online` "
                "tests key and address), nothing sent, nothing stored."
            ),
        ),
    ],
)
def test_dry_run_when_bills_could_not_be_read_then_its_summary_says_so(
    open_alerts: int, is_ok: bool, line: str
) -> None:
    """With a wrong key it once said "0 alerts open", as if all were well."""
    assert dry_run_summary(open_alerts, is_ok=is_ok) == line


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["run"], id="run"),
        pytest.param(["run", "--once"], id="run once"),
        pytest.param(["run", "--dry-run"], id="dry run"),
        pytest.param(["status"], id="status"),
        pytest.param(["alerts"], id="alerts"),
        pytest.param(["db", "check"], id="db check"),
    ],
)
def test_command_when_postgresql_refuses_its_user_then_exits_1_with_place_user_and_remedy(
    arguments: list[str],
    postgres: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line, whichever command meets the slip first, and nowhere the password."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    monkeypatch.setenv("ALERTD_NOVITA_API_KEY", "sk_test")
    monkeypatch.setenv("ALERTD_DATABASE_URL", postgres.url("postgres", user="nobody_known"))
    code = run(arguments)
    said = capsys.readouterr().err
    assert code == 1
    assert said == (
        f'alertd: postgresql://nobody_known@{postgres.folder}/postgres: role "nobody_known" does not exist: '
        "check the user and password in ALERTD_DATABASE_URL, PGPASSWORD or ~/.pgpass\n"
    )
    assert PASSWORD not in said
