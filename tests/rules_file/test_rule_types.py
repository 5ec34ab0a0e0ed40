"""Rule types that other packages bring: the example of CONTRIBUTING works, a broken one is named and stops none."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

import alertd
from tests.e2e.forked import Forked

ROOT = Path(alertd.__file__).parent.parent
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<body>.*?)^```", re.DOTALL | re.MULTILINE)

TEST_OF_THE_EXAMPLE = """
rules: rules.yaml
tests:
  - name: two bills together reach the threshold
    start: 2026-03-10
    monthly_bills:
      - {id: b1, month: 2026-01, total: $300, debt: $300, status: [{is: overdue}, {at: 20h, is: paid}]}
      - {id: b2, month: 2026-02, total: $250, debt: $250, status: [{is: overdue}]}
    expect:
      - at: 14h
        alerts: [{rule: owed-500, value: $550, severity: warning, headline: default owes $550.00}]
      - {at: 30h, alerts: []}
"""


def block(kind: str, about: str) -> str:
    """The one block of CONTRIBUTING that is about something."""
    found = [one["body"] for one in BLOCK.finditer(CONTRIBUTING) if one["kind"] == kind and about in one["body"]]
    (text,) = found
    return text


def install(folder: Path, package: str, source: str, types: Mapping[str, str]) -> None:
    """Put a package with rule types where Python finds it, as pip would."""
    (folder / f"{package}.py").write_text(source, encoding="utf-8")
    metadata = folder / f"{package}-1.0.dist-info"
    metadata.mkdir()
    name = package.replace("_", "-")
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    points = "".join(f"{word} = {value}\n" for word, value in types.items())
    (metadata / "entry_points.txt").write_text(f"[alertd.rule_types]\n{points}", encoding="utf-8")


def alertd_in(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command with the packages of a folder installed; the installation is read once per process."""
    out, err = folder / "stdout", folder / "stderr"
    ran = Forked(arguments, folder=folder, env={**os.environ, "PYTHONPATH": str(folder)}, out=out, err=err)
    code = ran.wait(60)
    said, error = out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
    out.unlink()
    err.unlink()
    return code, said, error


def test_example_of_contributing_when_installed_then_is_checked_described_and_judged(tmp_path: Path) -> None:
    """As its author will try it: entry point, keys of the rules file, an alert, and completion in editors."""
    points = tomllib.loads(block("toml", "alertd.rule_types"))["project"]["entry-points"]["alertd.rule_types"]
    install(tmp_path, "my_rules", block("python", "alertd.core.rules.base"), points)
    (rule,) = re.findall(r"`(\{name: owed-500.*?\})`", CONTRIBUTING)
    (tmp_path / "rules.yaml").write_text(f"version: 1\nrules:\n  - {rule}\n", encoding="utf-8")
    (tmp_path / "rules_test.yaml").write_text(TEST_OF_THE_EXAMPLE, encoding="utf-8")

    code, out, error = alertd_in(tmp_path, "check", "rules.yaml")
    assert (code, out) == (0, "rules.yaml: ok: 1 rule, 0 receivers, 1 account\n"), error
    assert alertd_in(tmp_path, "test", "rules_test.yaml") == (0, "1 test, 1 passed\n", "")
    assert '"owed"' in alertd_in(tmp_path, "schema")[1]


@pytest.mark.slow
def test_example_of_contributing_when_written_wrongly_then_is_refused_like_any_type(tmp_path: Path) -> None:
    """The words come with the types of its fields; a check of its own that fails is one line too."""
    source = block("python", "alertd.core.rules.base").replace("yield from rising", "raise KeyError('x')\n        #")
    install(tmp_path, "my_rules", source, {"owed": "my_rules:Owed"})
    wrong = "  - {name: a, type: owed, thresholds: {warning: 0}, colour: red}\n"
    broken = "  - {name: b, type: owed, thresholds: {warning: 5}}\n"
    (tmp_path / "rules.yaml").write_text(f"version: 1\nrules:\n{wrong}{broken}", encoding="utf-8")

    code, _, error = alertd_in(tmp_path, "check", "rules.yaml")
    assert code == 1
    assert [line.partition(": rule ")[2] for line in error.splitlines()] == [
        '"a": thresholds.warning: 0 is zero; write an amount above 0',
        (
            '"a": unknown key "colour"; it has type, name, description, runbook_url, labels, for, keep_firing_for, '
            "resolve_below, notify, send_resolved, repeat_interval, repeat_backoff, repeat_every, escalate, actions, "
            "summary, enabled, thresholds"
        ),
        "\"b\": the rule type owed failed on this rule: KeyError: 'x'; report it to its author",
    ]


FAULTY = """
from dataclasses import dataclass
from typing import Annotated, ClassVar

from alertd.core.rules.base import Key, Rule


class Foreign:
    TYPE = "foreign"


@dataclass(frozen=True, kw_only=True)
class Abstract(Rule):
    TYPE: ClassVar[str] = "abstract"
    HELP: ClassVar[str] = "x"


class Good(Rule):
    TYPE: ClassVar[str] = "plain"
    HELP: ClassVar[str] = "x"

    def evaluate(self, facts, watched):
        return []


@dataclass(frozen=True, kw_only=True)
class Keyed(Good):
    TYPE: ClassVar[str] = "keyed"
    size: Annotated[float, Key("x", example=1.5)] = 1.5


@dataclass(frozen=True, kw_only=True)
class Silent(Good):
    TYPE: ClassVar[str] = "silent"
    HELP: ClassVar[str] = None


@dataclass(frozen=True, kw_only=True)
class Working(Good):
    TYPE: ClassVar[str] = "working"
"""

BROKEN = {
    "missing": (
        "acme_rules:Nothing",
        "cannot be imported: AttributeError: module 'acme_rules' has no attribute 'Nothing'",
    ),
    "absent": ("no_such_module:X", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
    "foreign": (
        "acme_rules:Foreign",
        "cannot be used: acme_rules:Foreign does not derive from alertd.core.rules.base.Rule",
    ),
    "renamed": ("acme_rules:Working", 'cannot be used: its TYPE is "working"; it must be the entry point\'s name'),
    "abstract": ("acme_rules:Abstract", "cannot be used: it lacks evaluate"),
    "plain": (
        "acme_rules:Good",
        "cannot be used: it is not a frozen dataclass; write @dataclass(frozen=True, kw_only=True) above the class",
    ),
    "keyed": (
        "acme_rules:Keyed",
        "cannot be used: its keys cannot be read: keys of the rules file cannot be of type <class 'float'>",
    ),
    "silent": ("acme_rules:Silent", "cannot be used: it has no HELP; say in one sentence what it compares"),
    "budget": ("acme_rules:Working", "is not used: package alertd has one of that name; rename it"),
}


@pytest.fixture
def _faulty(tmp_path: Path) -> None:
    install(
        tmp_path,
        "acme_rules",
        FAULTY,
        {"working": "acme_rules:Working"} | {word: at for word, (at, _) in BROKEN.items()},
    )
    install(tmp_path, "quits", "raise SystemExit('no licence')\n", {"quits": "quits:Rule"})
    install(tmp_path, "zebra", FAULTY, {"working": "zebra:Working"})


LINES = sorted(
    [
        *(f'rule type "{word}" of package acme-rules {text}' for word, (_, text) in BROKEN.items()),
        'rule type "quits" of package quits cannot be imported: SystemExit: no licence',
        'rule type "working" of package zebra is not used: package acme-rules has one of that name; rename it',
    ]
)


@pytest.mark.usefixtures("_faulty")
def test_broken_types_when_no_rule_needs_them_then_are_named_once_and_stop_none(tmp_path: Path) -> None:
    """Whoever installs a plugin learns at `check` that it does not work; everything else does."""
    rules = "version: 1\nrules:\n  - {name: a, type: working}\n  - {name: b, type: budget, period: day, amount: 5,"
    (tmp_path / "rules.yaml").write_text(f"{rules} thresholds: {{warning: 80%}}}}\n", encoding="utf-8")
    code, out, error = alertd_in(tmp_path, "check", "rules.yaml")
    assert (code, out) == (0, "rules.yaml: ok: 2 rules, 0 receivers, 1 account\n")
    of_types = [line for line in error.splitlines() if "rule type" in line]
    assert of_types == [f"rules.yaml:1:1: warning: {line}" for line in LINES]
    assert "Traceback" not in error


@pytest.mark.usefixtures("_faulty")
@pytest.mark.slow
def test_broken_type_when_rules_ask_for_it_then_is_one_problem_at_the_first_of_them(tmp_path: Path) -> None:
    """What has to be put right is one thing, however many rules are of the type."""
    rules = "version: 1\nrules:\n  - {name: a, type: keyed}\n  - {name: b, type: keyed}\n  - {name: c, type: workin}\n"
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    code, _, error = alertd_in(tmp_path, "check", "rules.yaml")
    assert code == 1
    assert error.splitlines() == [
        f'rules.yaml:3:21: rule "a": rule type "keyed" of package acme-rules {BROKEN["keyed"][1]}',
        'rules.yaml:5:21: rule "c": unknown rule type "workin"; did you mean "working"?',
    ]


def test_rules_file_when_loaded_without_receivers_then_neither_pydantic_nor_other_types_are_imported(
    tmp_path: Path,
) -> None:
    """Checking one rule should take no longer than reading it."""
    (tmp_path / "rules.yaml").write_text(
        "version: 1\nrules:\n  - {name: a, type: rolling_spend, window: 24h, thresholds: {warning: 5}}\n"
    )
    script = (
        "import sys; from pathlib import Path; from alertd.rules_file.load import load_rules;"
        "load_rules(Path('rules.yaml')); names = ('pydantic', 'apscheduler', 'jinja2', 'alertd.core.rules.spike');"
        "print([name for name in names if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "[]\n"
