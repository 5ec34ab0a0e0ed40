"""Whether this process could write a store at a URL, without opening it."""

import os
import stat
from pathlib import Path

from alertd.errors import SettingsError
from alertd.store.url import parse_database_url


def require_place(url: str) -> str:
    """
    Check a URL without opening it; return what would prevent this process from writing a store there.

    Empty if nothing does, or if only a connection could show it. Another machine may have the folder that this one
    lacks.

    Raises:
        SettingsError: The URL names no database that can be used, on any machine.
    """
    address = parse_database_url(url)
    if address is None:
        return (
            "ALERTD_DATABASE_URL: the store is in memory: at its end alertd forgets alerts, silences and what it sent; "
            "write sqlite:///alertd.db to keep them"
        )
    if not isinstance(address, Path):
        return ""
    path = Path(os.path.realpath(address))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        is_there = False
    except OSError as error:
        return f"{path}: cannot be opened: {error.strerror}; set ALERTD_DATABASE_URL to another file"
    else:
        is_there = True
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a file"
            raise SettingsError(f"ALERTD_DATABASE_URL: {path} is {kind}; write the path of a file")
    if not path.parent.is_dir():
        return f"the store's folder {path.parent} is not there; make it, or set ALERTD_DATABASE_URL to another file"
    # SQLite writes its journal, and alertd its lock, beside the file.
    if not os.access(path.parent, os.W_OK | os.X_OK) or (is_there and not os.access(path, os.R_OK | os.W_OK)):
        return f"the store {path} cannot be written by this user; let it write the file and its folder"
    return ""
