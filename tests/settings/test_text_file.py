"""Files that people name are read only where they are files, have an end and hold text."""

import os
from pathlib import Path

import pytest

from alertd.errors import RulesError
from alertd.rules_file.load import load_rules
from alertd.settings.text_file import LARGEST_BYTES, UnusableFile, open_ordinary, read_text_file


@pytest.fixture(params=["fifo", "device", "socket"])
def odd(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What is no ordinary file."""
    path = tmp_path / "odd.yaml"
    if request.param == "fifo":
        os.mkfifo(path)
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    else:
        path.symlink_to("/dev/tty")
    return path


def test_rules_when_the_file_is_none_then_refused_at_once(odd: Path) -> None:
    """A FIFO waits for a writer, a device has no end."""
    with pytest.raises(RulesError, match=r"odd.yaml:1:1: cannot be read: "):
        load_rules(odd)


def test_text_when_the_file_is_none_then_refused_at_once(odd: Path) -> None:
    """The same for secrets and `.env`."""
    with pytest.raises(UnusableFile):
        read_text_file(odd)


def test_text_when_the_largest_then_read_and_one_more_refused(tmp_path: Path) -> None:
    """The bound itself is allowed."""
    path = tmp_path / "text"
    path.write_bytes(b"x" * LARGEST_BYTES)
    assert len(read_text_file(path).text) == LARGEST_BYTES
    path.write_bytes(b"x" * (LARGEST_BYTES + 1))
    with pytest.raises(UnusableFile, match="larger than 64 KiB"):
        read_text_file(path)


@pytest.mark.parametrize(("content", "words"), [(b"a\0b", "NUL"), (b"\xff", "not text"), (b"\xff\xfe\x00", "not text")])
def test_text_when_it_is_none_then_said(content: bytes, words: str, tmp_path: Path) -> None:
    """What looks like a key and is none would be refused by everybody else."""
    path = tmp_path / "text"
    path.write_bytes(content)
    with pytest.raises(UnusableFile, match=words):
        read_text_file(path)


def test_file_when_a_folder_then_the_system_error_says_so(tmp_path: Path) -> None:
    """Callers have words of their own for it."""
    with pytest.raises(IsADirectoryError):
        open_ordinary(tmp_path)
