"""Entry points as installed packages register them."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from alertd.settings.installed import EntryPoint, entry_points

GROUPS = ("alertd.rule_types", "alertd.notifiers", "console_scripts", "pytest11")


@pytest.mark.parametrize("group", GROUPS)
def test_entry_points_when_read_then_are_those_of_the_standard_library(group: str) -> None:
    """Which reads the same files."""
    expected = {
        (point.name, point.value, point.dist and point.dist.name)
        for point in importlib.metadata.entry_points(group=group)
    }
    assert {(point.name, point.value, point.package) for point in entry_points(group)} == expected
    assert expected


def test_package_when_twice_on_the_path_and_written_by_hand_then_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blanks, comments, other sections, extras and a name with another spelling."""
    own = "[ group.a ]\n# no = thing\nsize=os.path:join [extra]\n whole = string\n"
    text = f"[console_scripts]\nx = y:z\n\n{own}[other]\nb = c\n"
    folders = (("one", "My_Tool-1.dist-info", text), ("two", "my.tool-2.egg-info", "[group.a]\nold = os:sep\n"))
    for folder, name, points in folders:
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / name / "entry_points.txt").write_text(points, encoding="utf-8")
    (tmp_path / "one" / "My_Tool-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: My.Tool\n", encoding="utf-8"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path / "missing"), *(str(tmp_path / name) for name, *_ in folders)])
    found = entry_points("group.a")
    assert found == [
        EntryPoint(name="size", value="os.path:join [extra]", package="My.Tool"),
        EntryPoint(name="whole", value="string", package="My.Tool"),
    ]
    assert found[0].load()("a", "b") == "a/b"  # type: ignore[operator] # os.path.join
    assert found[1].load().digits == "0123456789"  # type: ignore[attr-defined] # the module
