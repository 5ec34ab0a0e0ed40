"""Parses database URLs; opens nothing."""

import re
from dataclasses import field
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from alertd.core.dataclass import dataclass
from alertd.core.masking import passwords_of
from alertd.errors import SettingsError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SETTING = "ALERTD_DATABASE_URL"
_EXAMPLES = (
    "write sqlite:///alertd.db (relative), sqlite:////var/lib/alertd/alertd.db (absolute) "
    "or postgresql://user:password@host/alertd"
)
_PLACE = re.compile(r"(?:\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")
_LARGEST_PORT = 65535
_POSTGRES = {"postgresql", "postgres"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresUrl:
    """A PostgreSQL database, by libpq's URL."""

    url: str = field(repr=False)
    place: str
    """The URL without password and options, for people."""
    secrets: tuple[str, ...] = field(repr=False)
    """The passwords in it, as written and decoded."""


def parse_database_url(url: str) -> Path | PostgresUrl | None:
    """
    Return the file or PostgreSQL database that a URL names; None for `sqlite://`, a database in memory.

    `sqlite:///name` is relative to the working directory, `sqlite:////name` absolute.

    Raises:
        SettingsError: It is not such a URL. The text shows only its scheme: the rest may hold a password.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise SettingsError(f"{_SETTING} is not a URL; {_EXAMPLES}")
    name = scheme[1].lower()
    if name in _POSTGRES:
        # libpq accepts its scheme in lower case only.
        return _postgres_url(name + url[scheme.end(1) :])
    if name.split("+")[0] in _POSTGRES:
        raise SettingsError(f"{_SETTING}: {name}:// names a driver; write postgresql:// alone")
    if name != "sqlite":
        raise SettingsError(f"{_SETTING}: unknown scheme {name}://; {_EXAMPLES}")
    return _sqlite_path(url[scheme.end() :])


def _sqlite_path(rest: str) -> Path | None:
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


def _postgres_url(url: str) -> PostgresUrl:
    # A password that is not encoded ends the URL's parts early: its rest would be taken for a host or a name,
    # and be shown.
    encode = "write @ : / ? # % in a user or password as %40 %3A %2F %3F %23 %25"
    try:
        parts = urlsplit(url)
        is_plain = parts.netloc.count("@") <= 1 and "@" not in parts.path + parts.query and not parts.fragment
        found_hosts = [_PLACE.fullmatch(host) for host in _hosts(parts).split(",")]
        ports_ok = all(found_hosts)
    except ValueError:
        found_hosts, is_plain, ports_ok = [], False, False
    if not is_plain or not ports_ok or "\0" in url:
        raise SettingsError(f"{_SETTING}: cannot be read as a PostgreSQL URL; {encode}")
    if any(found and not 0 < int(found["port"] or 1) <= _LARGEST_PORT for found in found_hosts):
        raise SettingsError(f"{_SETTING}: a port is a number from 1 to {_LARGEST_PORT}; write it after the host")
    options = parse_qs(parts.query)
    name = parts.path.strip("/") or "".join(options.get("dbname", []))
    if not name:
        raise SettingsError(f"{_SETTING}: the URL names no database; write postgresql://user:password@host/alertd")
    host = _hosts(parts) or ",".join(options.get("host", []))
    user = f"{parts.username}@" if parts.username else ""
    return PostgresUrl(
        url=url,
        place=f"postgresql://{user}{host}/{name}",
        secrets=passwords_of(url),
    )


def _hosts(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]
