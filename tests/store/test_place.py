"""Where a store can be is seen before anything is opened: `alertd check` says it, not the first `alertd run`."""

from pathlib import Path

import pytest

from alertd.errors import SettingsError
from alertd.store.place import require_place


@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param("folder", "is a folder; write the path of a file", id="a folder"),
        pytest.param("link", "is a folder; write the path of a file", id="a link to a folder"),
        pytest.param("/dev/null", "is not a file", id="a device"),
    ],
)
def test_place_when_no_store_can_be_there_then_refused(place: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")

    with pytest.raises(SettingsError, match=words):
        require_place(f"sqlite:///{tmp_path / place}")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param("alertd.db", "", id="a new file"),
        pytest.param("missing/alertd.db", "is not there; make it", id="no folder"),
        pytest.param("file/alertd.db", "cannot be opened: Not a directory", id="a file where the folder should be"),
        pytest.param("loop", "", id="a link in a circle is for opening to say"),
        pytest.param(f"{'a' * 300}.db", "cannot be opened: File name too long", id="a name that no file has"),
    ],
)
def test_place_when_this_machine_lacks_it_then_said(place: str, words: str, tmp_path: Path) -> None:
    """The folder may be there on another machine: it is a warning where rules are only edited."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    said = require_place(f"sqlite:///{tmp_path / place}")

    assert words in said
    assert bool(said) is bool(words) or place == "loop"


def test_place_when_this_user_cannot_write_there_then_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By the system's answer: the superuser, who may run the tests, can write everywhere.
    monkeypatch.setattr("os.access", lambda *_: False)

    assert "cannot be written by this user" in require_place(f"sqlite:///{tmp_path}/alertd.db")


def test_place_when_the_store_is_no_file_then_nothing_is_looked_at() -> None:
    assert "at its end alertd forgets alerts" in require_place("sqlite://")
    assert not require_place("postgresql://alertd@db.invalid/alertd")
