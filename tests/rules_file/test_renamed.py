"""What was renamed in the language is still read by its old name, with a warning that says the new one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from alertd.core.rules.base import Key
from alertd.core.rules.first_spend import FirstSpend
from alertd.rules_file.entry import Entry, Findings
from alertd.rules_file.keys import key_table, read
from alertd.rules_file.load import load_rules
from alertd.rules_file.renamed import with_new_keys
from alertd.rules_file.source import Node


def test_rule_type_when_written_by_its_old_name_then_read_with_a_warning_at_its_place(tmp_path: Path) -> None:
    """A file of before the rename goes on working; the warning says what to write."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "version: 1\nreceivers: [{name: t, type: console}]\nrules:\n"
        "  - {name: new, type: new_owner, notify: [t]}\n"
        "inhibitions:\n  - {when: {type: new_owner}, mute: {severity: info}}\n"
    )
    loaded = load_rules(path)
    named = 'rule type "new_owner" is now called "first_spend"'
    assert [type(rule) for rule in loaded.rules] == [FirstSpend]
    assert [(w.line, w.column, w.text) for w in loaded.warnings] == [
        (4, 23, f'rule "new": {named}; write type: first_spend'),
        (
            6,
            19,
            f"inhibition 1: when.type: {named}; write first_spend",
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    amount: Annotated[int, Key("How much.", example=1, former=("sum", "total"))] = 0


def _entry(**written: str) -> Entry:
    from alertd.rules_file.source import Number  # noqa: PLC0415 # as the loader reads scalars

    children = {name: Node(1, 10 * at, Number(text)) for at, (name, text) in enumerate(written.items(), 1)}
    keys = {name: (1, 10 * at - 5) for at, name in enumerate(written, 1)}
    return Entry(path="r.yaml", kind="rule", number=1, node=Node(1, 1, dict(children), keys))


def test_key_when_written_by_a_former_name_then_fills_its_field_with_a_warning() -> None:
    """Every key can name what it was called before."""
    findings = Findings()
    entry = with_new_keys(_entry(total="7"), key_table(_Entry), findings)
    assert read(_Entry, entry.node).amount == 7
    assert [(w.column, w.text) for w in findings.warnings] == [(5, "rule 1: total is now called amount; write amount:")]
    assert not findings.problems


def test_key_when_written_by_both_names_then_a_problem() -> None:
    """Which of them counts is the author's to say."""
    findings = Findings()
    entry = with_new_keys(_entry(amount="7", sum="8"), key_table(_Entry), findings)
    assert read(_Entry, entry.node).amount == 7
    assert [p.text for p in findings.problems] == [
        "rule 1: sum is the former name of amount, and both are written; keep amount"
    ]
