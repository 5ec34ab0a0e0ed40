"""The README: short, current, and its rules make the message that it shows. What all documents share: tests/help."""

from pathlib import Path

import pytest

from alertd.demo import demo
from alertd.rules_file.load import load_rules
from tests.help.documents import DOCUMENTS, README, ROOT, blocks, text_of
from tests.help.tables import WRITE, filled

LONGEST_BYTES = 12_000


def test_readme_when_measured_then_read_in_five_minutes() -> None:
    """What a newcomer does not need stands on a help page."""
    assert len(README.read_bytes()) <= LONGEST_BYTES


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_generated_parts_when_made_anew_then_unchanged(path: Path) -> None:
    """Tables that differ from the code mislead."""
    assert filled(text_of(path)) == text_of(path), f"{path.name} differs from the code; run: {WRITE}"


def test_rules_of_the_readme_when_compared_then_judge_as_those_that_made_its_message(tmp_path: Path) -> None:
    """The message below them comes from the demo's rule of that name; the demo's own test holds its text."""
    (text,) = blocks(README, "yaml")
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    (rule,) = load_rules(path).rules
    (of_demo,) = (
        other for other in load_rules(ROOT / "alertd" / "demo" / demo.RULES[0]).rules if other.name == rule.name
    )
    keys = ("TYPE", "category", "group_by", "window", "thresholds")
    assert [getattr(rule, key) for key in keys] == [getattr(of_demo, key) for key in keys]


def test_example_rules_when_loaded_then_without_a_warning() -> None:
    """The example shows only what this version does."""
    assert load_rules(ROOT / "rules.example.yaml").warnings == ()
