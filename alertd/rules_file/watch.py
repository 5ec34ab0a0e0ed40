"""Notice that the rules files were edited; reading them anew is the caller's."""

from pathlib import Path

from alertd.rules_file.entry import Findings
from alertd.rules_file.files import rules_files

_Mark = tuple[tuple[str, int, int, int], ...]


class RulesWatch:
    """
    Remembers how the files looked when they were last read.

    It looks at size, time and identity of each file: that needs no events, which network and container file systems
    do not send, and sees files that are replaced by renaming.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._mark()
        self._unsettled: _Mark | None = None

    def note(self) -> None:
        """Take the files as they are now for read."""
        self._seen, self._unsettled = self._mark(), None

    def has_changed(self) -> bool:
        """Return whether the files are not those that were read, and did not change since the last call either."""
        mark = self._mark()
        if mark == self._seen:
            self._unsettled = None
            return False
        # An editor may be in the middle of writing: what changes still is looked at again.
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
