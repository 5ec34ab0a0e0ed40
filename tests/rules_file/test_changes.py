"""That an edit of the rules files is noticed, and what it changed is said."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alertd.rules_file.changes import changes
from alertd.rules_file.load import load_rules
from alertd.rules_file.model import LoadedRules
from alertd.rules_file.watch import RulesWatch

BASE = """\
version: 1
owners: [{match: gpu-1, name: one}]
receivers:
  - {name: ops, type: console}
defaults: {notify: [ops]}
rules:
  - {name: a, type: rolling_spend, window: 24h, thresholds: {warning: 5}}
  - {name: b, type: rolling_spend, window: 24h, thresholds: {warning: 5}}
"""
RULE = "  - {name: %s, type: rolling_spend, window: 24h, thresholds: {warning: 5}}\n"


def loaded(tmp_path: Path, text: str) -> LoadedRules:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return load_rules(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(BASE, "", id="nothing"),
        pytest.param("# moved down\n" + BASE, "", id="a comment moves every place"),
        pytest.param(BASE + RULE % "c", "1 rule added (c)", id="a rule more"),
        pytest.param(BASE.replace("name: b", "name: c"), "1 rule added (c), 1 rule removed (b)", id="renamed"),
        pytest.param(BASE.replace("{warning: 5}", "{warning: 6}"), "2 rules changed (a and b)", id="thresholds"),
        pytest.param(
            BASE.replace("name: ops, type", "name: ops, fallback: x, type").replace(
                "defaults:", "  - {name: x, type: console}\ndefaults:"
            ),
            "1 receiver added (x), 1 receiver changed (ops)",
            id="receivers",
        ),
        pytest.param(BASE.replace("name: one", "name: two"), "owners changed", id="owners"),
        pytest.param(BASE + "routes: [{match: {team: x}, notify: [ops]}]\n", "routes changed", id="routes"),
        pytest.param(BASE + "inhibitions: [{when: {rule: a}, mute: {rule: b}}]\n", "inhibitions changed", id="mutes"),
        pytest.param(
            BASE + "accounts: [{name: x, api_key_env: X}]\n",
            "1 account added (x), 1 account removed (default)",
            id="accounts",
        ),
        pytest.param(
            BASE.replace("defaults: {notify: [ops]}", "defaults: {}"),
            "default receivers changed",
            id="default receivers",
        ),
        pytest.param(
            BASE + "planned: [{amount: 5, from: 2026-12-01, until: 2026-12-05}]\n", "planned changed", id="planned"
        ),
        pytest.param(
            BASE + "reports: [{name: weekly, schedule: '0 9 * * mon'}]\n", "1 report added (weekly)", id="reports"
        ),
        pytest.param(
            BASE + "actions: [{name: stop, type: stop_instance, accounts: {default: {api_key_env: X}},"
            " approvers: [U04ABCDEF]}]\n",
            "1 action added (stop)",
            id="actions",
        ),
        pytest.param(
            BASE.replace("type: console", "type: console, quiet_hours: [{days: [sat]}]"),
            "1 receiver changed (ops)",
            id="quiet hours",
        ),
        pytest.param(
            BASE + "".join(RULE % f"n{n}" for n in range(7)), "7 rules added (n0, n1, n2, n3, n4 and 2 more)", id="many"
        ),
    ],
)
def test_changes_when_edited_then_named(tmp_path: Path, text: str, said: str) -> None:
    """Who edits rules sees that the edit did what was meant, and nothing else."""
    before = loaded(tmp_path, BASE)
    assert changes(before, loaded(tmp_path, text)) == said


def edited(path: Path) -> None:
    path.write_text("version: 1\n# edited\n")


def replaced(path: Path) -> None:
    other = path.with_name("new.tmp")
    other.write_text(path.read_text())
    other.replace(path)


def touched(path: Path) -> None:
    stat = path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [edited, replaced, touched, gone])
def test_watch_when_the_file_changes_then_noticed_once_it_has_settled(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """Editors write in place, replace by renaming, or leave a moment without a file."""
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\n")
    watch = RulesWatch(path)
    assert [watch.has_changed(), watch.has_changed()] == [False, False]
    change(path)
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
    watch.note()
    assert [watch.has_changed(), watch.has_changed()] == [False, False]


def test_watch_when_the_file_goes_on_changing_then_waits(tmp_path: Path) -> None:
    """Half of a file that is being written is not read."""
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\n")
    watch = RulesWatch(path)
    for n in range(5):
        path.write_text("x" * (n + 20))
        assert not watch.has_changed()
    assert watch.has_changed()


def test_watch_when_it_was_changed_back_in_between_then_a_later_edit_must_settle_anew(tmp_path: Path) -> None:
    """The same half of a file, seen again, is still half of a file."""
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\n")
    kept = path.stat()
    watch = RulesWatch(path)

    def written(text: str, time_ns: int) -> bool:
        path.write_text(text)
        os.utime(path, ns=(time_ns, time_ns))
        return watch.has_changed()

    assert not written("version: 1\n# half", 5)
    assert not written("version: 1\n", kept.st_mtime_ns)
    assert not written("version: 1\n# half", 5)
    watch.note()
    assert not written("version: 1\n# more", 6)
    watch.note()
    assert not written("version: 1\n# half", 5)
    assert not written("version: 1\n# more!", 7)
    assert watch.has_changed()


def test_watch_when_changed_back_then_nothing_to_read(tmp_path: Path) -> None:
    """What is there is what was read."""
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\n")
    other = tmp_path / "kept"
    os.link(path, other)
    watch = RulesWatch(path)
    path.unlink()
    assert not watch.has_changed()
    os.link(other, path)
    assert [watch.has_changed(), watch.has_changed()] == [False, False]


def test_watch_when_a_folder_gains_or_loses_a_file_then_noticed(tmp_path: Path) -> None:
    """A folder is one rules file in many parts; other files in it are nobody's business."""
    (tmp_path / "a.yaml").write_text("version: 1\n")
    watch = RulesWatch(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".b.yaml.swp").write_text("x")
    assert [watch.has_changed(), watch.has_changed()] == [False, False]
    (tmp_path / "b.yaml").write_text("version: 1\n")
    assert [watch.has_changed(), watch.has_changed()] == [False, True]
