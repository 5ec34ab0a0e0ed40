"""Why a file of the store cannot be used, in words for the person who runs alertd, with the remedy."""

import errno
import stat
from pathlib import Path

from alertd.errors import StoreError

_OTHER = "set ALERTD_DATABASE_URL to another file"
_RIGHTS = "let this user read and write the file and its folder"
_REMEDIES = {
    errno.ENOENT: f"make the folder {{folder}}, or {_OTHER}",
    errno.ENOTDIR: _OTHER,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: f"mount the file system writable, or {_OTHER}",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room, or raise this user's quota",
    errno.ENOLCK: "this file system cannot lock files; use a local disk",
    errno.EOPNOTSUPP: "this file system cannot lock files; use a local disk",
}


def refused(path: Path, what: str, error: OSError) -> StoreError:
    """
    Return the error of a file that the system refuses.

    Args:
        what: What is not possible, as in "cannot be created".
    """
    remedy = _REMEDIES.get(error.errno or 0, f"look at the disk, or {_OTHER}").format(folder=path.parent)
    return StoreError(f"{path}: {what}: {error.strerror}; {remedy}")


def is_file_there(path: Path) -> bool:
    """
    Return whether there is a file at a path.

    Raises:
        StoreError: It is something else, or this user may not look.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        # A circle of links, for example, or a folder that this user may not enter.
        raise refused(path, "cannot be opened", error) from error
    if not stat.S_ISREG(mode):
        raise StoreError(f"{path}: is not a file; {_OTHER}")
    return True
