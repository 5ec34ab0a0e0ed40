"""Where a database URL points; it opens nothing."""

import re
from pathlib import Path

from alertd.errors import SettingsError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SETTING = "ALERTD_DATABASE_URL"
_EXAMPLES = "write sqlite:///alertd.db (relative) or sqlite:////var/lib/alertd/alertd.db (absolute)"


def parse_database_url(url: str) -> Path | None:
    """
    Return the file that a URL names; None for `sqlite://`, a database in memory.

    `sqlite:///name` is relative to the working directory, `sqlite:////name` absolute.

    Raises:
        SettingsError: It is no such URL. The text shows no more of it than its scheme: the rest may hold a password.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise SettingsError(f"{_SETTING} is not a URL; {_EXAMPLES}")
    name = scheme[1].lower()
    if name.split("+")[0] in {"postgresql", "postgres"}:
        raise SettingsError(f"{_SETTING}: {name}:// is not supported in this version; {_EXAMPLES}")
    if name != "sqlite":
        raise SettingsError(f"{_SETTING}: unknown scheme {name}://; {_EXAMPLES}")
    rest = url[scheme.end() :]
    if rest in {"", "/:memory:"}:
        return None
    if not rest.startswith("/"):
        raise SettingsError(f"{_SETTING}: sqlite:// needs a third slash before the path; {_EXAMPLES}")
    path = rest[1:]
    if "?" in path or "#" in path or "\0" in path:
        raise SettingsError(f'{_SETTING}: a path cannot contain "?", "#" or a NUL byte; options are not supported')
    if not path or path.endswith("/"):
        raise SettingsError(f"{_SETTING}: the path names no file; {_EXAMPLES}")
    return Path(path)
