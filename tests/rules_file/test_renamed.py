"""What was renamed in the language is still read by its old name, with a warning that says the new one."""

from pathlib import Path

from alertd.core.rules.first_spend import FirstSpend
from alertd.rules_file.load import load_rules


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
