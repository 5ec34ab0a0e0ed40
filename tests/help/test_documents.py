"""The README, the help pages and CONTRIBUTING keep their word: commands exist, rules load, links lead somewhere."""

import contextlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from alertd.cli.root import cli, run
from alertd.rules_file.load import load_rules
from tests.help.documents import CONTRIBUTING, DOCUMENTS, PAGES, README, ROOT, anchors, blocks, prose, text_of

HELP = ROOT / "alertd" / "help"
YAML = [(path, text) for path in DOCUMENTS for text in blocks(path, "yaml")]
RULES = [pytest.param(text, id=f"{path.stem} {n}") for n, (path, text) in enumerate(YAML) if "\nrules:\n" in text]
TESTS = [text for _, text in YAML if "\ntests:\n" in text]
SCRAPES = [text for _, text in YAML if "\nscrape_configs:\n" in text]
PROMTOOL = shutil.which("promtool")


def test_yaml_when_sorted_then_each_is_rules_or_tests_or_for_prometheus() -> None:
    """What is none of them would be checked by nobody."""
    assert sorted([*(str(one.values[0]) for one in RULES), *TESTS, *SCRAPES]) == sorted(text for _, text in YAML)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_configuration_by_promtool_then_sound(tmp_path: Path) -> None:
    """It is copied unchanged, and Prometheus does not start with a wrong one."""
    (text,) = SCRAPES
    (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"), encoding="utf-8")
    (tmp_path / "alertd-token").write_text("token", encoding="utf-8")
    shutil.copy(ROOT / "deploy" / "prometheus-rules.yaml", tmp_path / "alertd-rules.yaml")
    command = [str(PROMTOOL), "check", "config", str(tmp_path / "prometheus.yaml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, "SUCCESS" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_tests_of_rules_when_run_then_pass_and_fail_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example runs unchanged on the first rules of its page, and its failure is the one that is shown."""
    rules, (tests,) = blocks(HELP / "rules.md", "yaml")[0], TESTS
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    path = tmp_path / "rules_test.yaml"
    path.write_text(tests, encoding="utf-8")

    assert run(["test", path.name]) == 0
    assert capsys.readouterr().out == "3 tests, 3 passed\n"

    path.write_text(tests.replace("value: $50.40", "value: $58.80"), encoding="utf-8")
    assert run(["test", path.name]) == 1
    (shown,) = (text for text in blocks(HELP / "tests.md", "text") if text.startswith("FAIL"))
    assert capsys.readouterr().out.startswith(shown)


@pytest.mark.parametrize("text", RULES)
def test_rules_when_loaded_then_without_a_warning(text: str, tmp_path: Path) -> None:
    """What people copy first must work."""
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")

    assert load_rules(path).warnings == ()


_PROGRAM = r"(?:^|[\s/])alertd (?=[a-z])(?!alertd )"


def command_lines() -> list[str]:
    """Every `alertd …` that a document shows: in running text, in blocks of commands, and behind a prompt."""
    lines: set[str] = set()
    for path in DOCUMENTS:
        lines |= {" ".join(span.split()) for span in re.findall(r"`(alertd [^`]+)`", prose(path))}
        shell = [line for block in blocks(path, "sh") for line in block.replace("\\\n", " ").splitlines()]
        prompts = [line[2:] for block in blocks(path, "text") for line in block.splitlines() if line.startswith("$ ")]
        typed = [part.strip() for line in shell + prompts for part in re.split(r"&&|\||;", line.partition(" #")[0])]
        # Behind sudo, env, docker exec and the like its own name stands last.
        found = [part[starts[-1] :] for part in typed if (starts := [m.end() for m in re.finditer(_PROGRAM, part)])]
        lines |= {f"alertd {part}" for part in found}
    return sorted(line for line in lines if not line.startswith("alertd COMMAND"))


@pytest.mark.parametrize("line", command_lines())
def test_command_when_shown_then_understood(line: str) -> None:
    """A command or an option that does not exist is the worst documentation; what it would do, others test."""
    arguments = shlex.split(line.partition(" > ")[0])[1:]
    # A name alone speaks of the command; its arguments are for the reader to add.
    is_mention = not any(argument.startswith("-") for argument in arguments) and len(arguments) <= 2
    command: click.Command | None = cli
    while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        command = command.get_command(click.Context(command), name)
    assert command is not None
    if not isinstance(command, click.Group):
        with contextlib.suppress(click.exceptions.Exit):  # --help and --version end there
            command.make_context("alertd", arguments, resilient_parsing=is_mention)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_of_a_document_when_followed_then_lead_somewhere(path: Path) -> None:
    """To a file of the repository, and where they name a heading, to one that is there."""
    for target in re.findall(r"\]\(([^)]+)\)", prose(path)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_pages_when_looked_for_then_each_is_linked_from_the_readme() -> None:
    """A page that nobody finds is not read."""
    linked = set(re.findall(r"\]\(alertd/help/([\w-]+)\.md\)", text_of(README)))
    assert linked == {path.stem for path in PAGES}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_in_shell_blocks_when_looked_for_then_exist(path: Path) -> None:
    """What is copied from here to a shell works, or the first impression is an error."""
    made = {"deploy/config", "deploy/config/rules.yaml", "deploy/secrets"}
    for block in blocks(path, "sh"):
        named = set(re.findall(r"(?<![\w/.])(?:alertd|deploy)/[\w./-]+", block))
        missing = {name for name in named - made if not (ROOT / name).exists()}
        assert {name for name in missing if not name.startswith("deploy/secrets/")} == set()


def test_unit_when_installed_by_the_page_then_has_the_name_that_is_started() -> None:
    """Installed under another name, `systemctl enable alertd` finds no unit."""
    (target,) = re.findall(r"deploy/systemd/alertd\.service (\S+)", text_of(HELP / "running.md"))
    assert target == "/etc/systemd/system/alertd.service"


def test_contributing_when_read_then_names_what_writes_the_tables() -> None:
    """The command is needed the moment that a table differs."""
    assert "python -m tests.help.tables\n" in blocks(CONTRIBUTING, "sh")
