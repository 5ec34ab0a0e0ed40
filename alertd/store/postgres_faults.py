"""PostgreSQL's errors in words for the person who runs alertd, with the remedy and without passwords."""

import contextlib
import re
from collections.abc import Collection, Iterator

import psycopg

from alertd.core.masking import Mask
from alertd.errors import StoreError

_UNREACHED = re.compile(
    r"(?:connection failed: |connection is bad: )?"
    r'connection to server (?:at "(?P<host>[^"]*)"[^\n]*?, port (?P<port>\d+)|on socket "(?P<socket>[^"]*)")'
    r" failed: (?P<reason>[^\n]*)\n\tIs the server running [^\n]*"
)
"""
What libpq says of a place where nobody answered: two lines, the second of which asks the reader.

Source: https://www.postgresql.org/docs/current/tutorial-createdb.html
"""
GOES_ON = "check that the server runs and can be reached from here; a running alertd carries on by itself"
_REMEDIES = {
    "08": GOES_ON,
    "57P": GOES_ON,
    "28": "check the user and password in ALERTD_DATABASE_URL, and the server's pg_hba.conf",
    "3D000": "create the database, or name another one in ALERTD_DATABASE_URL",
    "25006": "it cannot be written: name the primary server in ALERTD_DATABASE_URL",
    # A standby's answer to BEGIN READ WRITE; alertd needs nothing else that a server may lack.
    "0A000": "a standby cannot be written: name the primary server in ALERTD_DATABASE_URL",
    "42501": "give this user the right to create and change tables in its schema",
    "53100": "the server's disk is full; make room, a running alertd carries on by itself",
    "53": "the server is out of connections or memory; a running alertd carries on by itself",
    "55P03": "another session keeps it locked; look for it in pg_stat_activity",
    "57014": "it took too long, or somebody cancelled it; look at the server's load",
    "XX00": "the server finds damage; see its log and restore a backup",
}


@contextlib.contextmanager
def explained(place: str, secrets: Collection[str]) -> Iterator[None]:
    """
    Turn errors that the user can fix into StoreError; alertd's own mistakes pass unchanged.

    Args:
        place: Which database it is.
        secrets: Texts to mask, whatever the server repeats.
    """
    try:
        yield
    except psycopg.Error as error:
        if _is_ours(error):
            raise
        text = " ".join((error.diag.message_primary or _without_prose(str(error))).split())
        raise StoreError(f"{place}: {Mask(secrets)(text)}: {_remedy(error.sqlstate)}") from None


def _without_prose(text: str) -> str:
    """Return psycopg's text with the places that were not reached in our words."""
    # After the last failure it lists all of them.
    text = text.rpartition("All failures were:\n")[2]
    found = list(_UNREACHED.finditer(text))
    if len(found) == text.count("connection to server ") > 0:
        return "; ".join(map(_unreached, found))
    return _UNREACHED.sub(_unreached, text)


def _unreached(found: re.Match[str]) -> str:
    place = found["socket"] or f"{found['host']}, port {found['port']}"
    return f"no connection to {place} ({found['reason']})"


def _is_ours(error: psycopg.Error) -> bool:
    """Return whether an error is alertd's own mistake: a violated constraint, an invalid value, misuse."""
    if isinstance(error, psycopg.IntegrityError):
        # Two processes that create the same table at once violate a constraint of the catalogue.
        return error.diag.schema_name != "pg_catalog"
    return isinstance(error, psycopg.DataError) or (
        error.sqlstate is None and not isinstance(error, psycopg.OperationalError)
    )


def _remedy(state: str | None) -> str:
    if state is None:
        return GOES_ON
    for length in (5, 4, 3, 2):
        if state[:length] in _REMEDIES:
            return _REMEDIES[state[:length]]
    return "see the server's log, and run `alertd db check`"
