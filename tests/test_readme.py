"""The README keeps its word: generated parts are current, rules load, commands exist, the example plugin works."""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from alertd.cli.root import cli, run
from alertd.core.messages.compose import compose_test
from alertd.notify.base import Delivered, Envelope
from alertd.rules_file.load import load_rules
from tests.builders import FakeContext
from tests.readme import README, filled

TEXT = README.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)
ROOT = README.parent


def blocks(kind: str) -> list[str]:
    return [found["body"] for found in BLOCK.finditer(TEXT) if found["kind"] == kind]


def test_generated_parts_are_current() -> None:
    """Tables that are not what the code says mislead; `python -m tests.readme` writes them anew."""
    assert filled(TEXT) == TEXT


RULES = [text for text in blocks("yaml") if "\nrules:\n" in text]
TESTS = [text for text in blocks("yaml") if "\ntests:\n" in text]
SCRAPES = [text for text in blocks("yaml") if "\nscrape_configs:\n" in text]
PROMTOOL = shutil.which("promtool")


def test_yaml_in_the_readme_is_rules_or_tests_or_for_prometheus() -> None:
    """What is none of them would be checked by nobody."""
    assert sorted([*RULES, *TESTS, *SCRAPES]) == sorted(blocks("yaml"))


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_configuration_of_the_readme_by_promtool_then_sound(tmp_path: Path) -> None:
    """It is copied as it stands, and Prometheus does not start with a wrong one."""
    (text,) = SCRAPES
    (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus/", f"{tmp_path}/"), encoding="utf-8")
    (tmp_path / "alertd-token").write_text("token", encoding="utf-8")
    shutil.copy(ROOT / "deploy" / "prometheus-rules.yaml", tmp_path / "alertd-rules.yaml")
    command = [str(PROMTOOL), "check", "config", str(tmp_path / "prometheus.yaml")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, "SUCCESS" in ran.stdout) == (0, True), ran.stdout + ran.stderr


def test_tests_of_the_readme_pass_on_its_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example runs as it stands; and its failure is the one that is shown."""
    # The first rules of the page are those that its tests are of.
    rules, (tests,) = RULES[0], TESTS
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    path = tmp_path / "rules_test.yaml"
    path.write_text(tests, encoding="utf-8")

    assert run(["test", path.name]) == 0
    assert capsys.readouterr().out == "3 tests, 3 passed\n"

    path.write_text(tests.replace("value: $50.40", "value: $58.80"), encoding="utf-8")
    assert run(["test", path.name]) == 1
    (shown,) = (text for text in blocks("text") if text.startswith("FAIL"))
    assert capsys.readouterr().out.startswith(shown)


@pytest.mark.parametrize("text", RULES)
def test_rules_in_the_readme_load_without_a_warning(text: str, tmp_path: Path) -> None:
    """What people copy first must work."""
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")

    assert load_rules(path).warnings == ()


def test_example_rules_load_without_a_warning() -> None:
    """The example shows only what this version does."""
    assert load_rules(ROOT / "rules.example.yaml").warnings == ()


_PROGRAM = r"(?:^|[\s/])alertd (?=[a-z])(?!alertd )"


def command_lines() -> list[str]:
    """Every `alertd …` of the page: in running text, in blocks of commands, and behind a prompt."""
    prose = BLOCK.sub("", TEXT)
    spans = [" ".join(span.split()) for span in re.findall(r"`(alertd [^`]+)`", prose)]
    shell = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    prompts = [line[2:] for block in blocks("text") for line in block.splitlines() if line.startswith("$ ")]
    typed = [part.strip() for line in shell + prompts for part in re.split(r"&&|\||;", line.partition(" #")[0])]
    # Behind sudo, env, docker exec and the like its own name stands last.
    found = [part[starts[-1] :] for part in typed if (starts := [m.end() for m in re.finditer(_PROGRAM, part)])]
    lines = {*spans, *(f"alertd {part}" for part in found)}
    return sorted(line for line in lines if not line.startswith("alertd COMMAND"))


@pytest.mark.parametrize("line", command_lines())
def test_every_command_shown_is_understood(line: str) -> None:
    """A command or an option that is not there is the worst documentation; what it would do, others test."""
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


def test_every_file_linked_exists() -> None:
    """Links into the repository lead somewhere."""
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target


def test_every_heading_linked_exists() -> None:
    """A contents list that leads nowhere is worse than none."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", TEXT), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


def test_every_file_in_shell_blocks_exists() -> None:
    """What is copied from here to a shell works, or the first impression is an error."""
    made = {"deploy/config", "deploy/config/rules.yaml", "deploy/secrets"}
    for block in blocks("sh"):
        named = set(re.findall(r"(?<![\w/.])(?:alertd|deploy)/[\w./-]+", block))
        missing = {name for name in named - made if not (ROOT / name).exists()}
        assert {name for name in missing if not name.startswith("deploy/secrets/")} == set()


def test_example_notifier_works_as_an_installed_plugin(tmp_path: Path) -> None:
    """Entry point, keys of the rules file and a message through it: as its author will try it."""
    (source,), (entry_points,) = blocks("python"), blocks("toml")
    (tmp_path / "my_package.py").write_text(source, encoding="utf-8")
    metadata = tmp_path / "my_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    points = tomllib.loads(entry_points)["project"]["entry-points"]
    section = "".join(
        f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in points.items()
    )
    (metadata / "entry_points.txt").write_text(section, encoding="utf-8")
    (receiver,) = re.findall(r"`(\{name: journal.*?\})`", TEXT)
    (tmp_path / "rules.yaml").write_text(f"version: 1\nreceivers:\n  - {receiver}\n", encoding="utf-8")

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    for arguments in (("check", "rules.yaml"), ("send-test", "journal")):
        subprocess.run(
            [sys.executable, "-m", "alertd", *arguments], cwd=tmp_path, env=environment, check=True, timeout=60
        )

    assert 'alertd can reach receiver "journal"' in (tmp_path / "alerts.txt").read_text(encoding="utf-8")


async def test_example_notifier_works(tmp_path: Path) -> None:
    """The plugin of the README is one that runs."""
    (source,) = blocks("python")
    namespace: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), namespace)
    config = namespace["FileConfig"](path=str(tmp_path / "out.txt"))  # type: ignore[operator]
    notifier = namespace["FileNotifier"]("file", config, FakeContext())  # type: ignore[operator]
    message = compose_test("file", now=datetime(2026, 1, 1, tzinfo=UTC))

    outcome = await notifier.send(Envelope(message=message, key="k", recipient=""))

    assert outcome == Delivered()
    assert 'alertd can reach receiver "file"' in (tmp_path / "out.txt").read_text(encoding="utf-8")
