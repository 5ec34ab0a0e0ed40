"""Detect edits of the rules files; the caller reloads them."""

from pathlib import Path

from alertd.rules_file.entry import Findings
from alertd.rules_file.files import rules_files

_Mark = tuple[tuple[str, int, int, int], ...]


class RulesWatch:
    """
    Compares the rules files with their state when they were last read.

    It compares name, size, modification time and inode of each file: unlike file system events, this works on network
    and container file systems, and detects files that are replaced by renaming.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._mark()
        self._unsettled: _Mark | None = None

    def note(self) -> None:
        """Record the current state of the files as read."""
        self._seen, self._unsettled = self._mark(), None

    def has_changed(self) -> bool:
        """Return whether the files differ from those read, and have not changed since the previous call."""
        mark = self._mark()
        if mark == self._seen:
            self._unsettled = None
            return False
        # An editor may still be writing: report a change only when two calls in a row see the same state.
        is_settled, self._unsettled = mark == self._unsettled, mark
        return is_settled

    def _mark(self) -> _Mark:
        found = []
        for file in rules_files(self._path, Findings()):
            try:
                stat = file.stat()
            except (OSError, ValueError):
                found.append((str(file), 0, 0, 0))
            else:
                found.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return tuple(found)
