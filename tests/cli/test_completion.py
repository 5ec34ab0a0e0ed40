"""Shell completion in a real bash, what it costs, and that it never gets in the way."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from alertd.cli.root import COMMANDS, cli, run
from tests.examples import rest_slow

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")
HEAVY = ("numpy", "pydantic", "httpx", "aiohttp", "msgspec", "structlog", "jinja2", "apscheduler")
RULES = """
version: 1
receivers:
  - {name: finops, type: slack, channel: "#finops"}
  - {name: billing-mail, type: email, to: [a@example.com]}
rules:
  - {name: gpu-24h, type: rolling_spend, window: 24h, thresholds: {warning: 5}}
reports:
  - {name: weekly, period: week, at: monday 09:00, notify: [finops]}
"""
PROGRAM = """#!{python}
import sys
from alertd.__main__ import main
try:
    main()
finally:
    print([name for name in {heavy} if name in sys.modules], file=open("loaded", "w"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with rules, and a program `alertd` that notes which heavy modules it loaded."""
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    program = tmp_path / "bin" / "alertd"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, heavy=HEAVY), encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def completed(folder: Path, *words: str, **variables: str) -> list[str]:
    """Return what bash offers for the last of these words."""
    environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    lines = (
        "set -eu",
        'eval "$(alertd completion bash)"',
        'complete -p alertd | grep -q -- "-F _alertd_completion"',
        'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))',
        'COMPREPLY=(); _alertd_completion alertd; printf "%s\\n" "${COMPREPLY[@]}"',
    )
    ran = subprocess.run(
        [str(BASH), "--norc", "-c", "\n".join(lines), "bash", "alertd", *words],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    rest_slow(
        [
            pytest.param(["ba"], ["backtest", "backfill"], id="two commands"),
            pytest.param(["alerts", "--j"], ["--json"], id="an option"),
            pytest.param(["send-test", "f"], ["finops"], id="a receiver"),
            pytest.param(["al"], ["alerts"], id="a command"),
            pytest.param(["silence", "e"], ["expire"], id="a command of a command"),
            pytest.param(["completion", ""], ["bash", "zsh", "fish"], id="a choice"),
            pytest.param(["explain", "gpu"], ["gpu-24h"], id="a rule"),
            pytest.param(["report", ""], ["weekly"], id="a report"),
            pytest.param(["send-test", "x"], [], id="nothing that begins so"),
        ],
        fast=3,
    ),
)
def test_bash_when_tab_is_pressed_then_completes(folder: Path, words: list[str], offered: list[str]) -> None:
    """Names are long, and somebody is in a hurry: nothing heavy is loaded for it."""
    assert completed(folder, *words) == offered
    assert (folder / "loaded").read_text() == "[]\n"


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize(
    "rules",
    rest_slow(
        [
            pytest.param("broken.yaml", id="not YAML"),
            pytest.param("gone.yaml", id="no such file"),
            pytest.param("other.yaml", id="other shapes"),
            pytest.param("closed", id="an empty folder"),
        ]
    ),
)
def test_bash_when_rules_cannot_be_read_then_nothing_is_offered(folder: Path, rules: str) -> None:
    """A traceback in the middle of a command line is worse than no completion."""
    (folder / "broken.yaml").write_text("receivers: [", encoding="utf-8")
    (folder / "other.yaml").write_text("receivers: [1, {name: [x]}, {type: slack}]\nrules: {}\n", encoding="utf-8")
    (folder / "closed").mkdir()
    assert completed(folder, "send-test", "", ALERTD_RULES=rules) == []


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_bash_when_rules_are_a_folder_then_names_of_all_its_files(folder: Path) -> None:
    """Teams keep their rules apart."""
    split = folder / "rules.d"
    split.mkdir()
    (folder / "rules.yaml").rename(split / "10.yaml")
    (split / "20.yml").write_text("receivers: [{name: bridge, type: webhook}]\n", encoding="utf-8")
    (split / "30.txt").write_text("receivers: [{name: no, type: webhook}]\n", encoding="utf-8")
    assert completed(folder, "send-test", "", ALERTD_RULES=str(split)) == ["finops", "billing-mail", "bridge"]


@pytest.mark.parametrize(("shell", "words"), [("bash", "complete "), ("zsh", "#compdef alertd"), ("fish", "complete ")])
def test_completion_when_asked_for_a_shell_then_prints_its_script(
    shell: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each shell has a script of its own."""
    assert run(["completion", shell]) == 0
    shown = capsys.readouterr().out
    assert words in shown
    assert "_ALERTD_COMPLETE" in shown


def commands() -> list[tuple[str, ...]]:
    """Every command, those of commands too."""
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        found.append((name,))
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.commands]
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_of_each_command_then_shows_usage_meaning_options_and_an_example(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody who is woken at night reads this, and types what it shows."""
    assert run([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    usage, _, rest = shown.partition("\n\n")
    assert usage.startswith(f"Usage: alertd {' '.join(words)} ")
    meaning, _, rest = rest.partition("Options:")
    assert meaning.strip().endswith(".")
    assert " TEXT" not in shown or words == ("silence", "add")
    _, _, examples = rest.partition("Example")
    typed = [line.split() for line in examples.splitlines() if line.strip().startswith("alertd ")]
    assert any(line[1 : 1 + len(words)] == list(words) for line in typed) or words == ("completion",)
    for option in (word for line in typed if line[1 : 1 + len(words)] == list(words) for word in line):
        if option.startswith("--"):
            assert option in rest.partition("Example")[0]
