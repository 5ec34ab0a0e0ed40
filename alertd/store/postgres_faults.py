"""PostgreSQL's errors in words for the person who runs alertd, with the remedy and without passwords."""

import contextlib
import re
from collections.abc import Collection, Iterator

import psycopg

from alertd.core.masking import Mask
from alertd.errors import StoreError

_FAILED = re.compile(
    r'connection to server (?:at "(?P<host>[^"]*)"[^\n]*?, port (?P<port>\d+)|on socket "(?P<socket>[^"]*)") failed: '
    r"(?:(?P<severity>\w+):  )?(?P<reason>[^\n]*)(?P<is_unheard>\n\tIs the server running )?"
)
"""
What libpq says of one attempt to connect; a severity shows that a server answered, in its own language.

Source: https://www.postgresql.org/docs/current/tutorial-createdb.html
"""
GOES_ON = "check that the server runs and can be reached from here; a running alertd carries on by itself"
_REMEDIES = {
    "08": GOES_ON,
    "57P": GOES_ON,
    "28": "check the user and password in ALERTD_DATABASE_URL, PGPASSWORD or ~/.pgpass, and the server's pg_hba.conf",
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


_OPTIONS = "check the options in ALERTD_DATABASE_URL, and libpq's environment variables (PGSSLMODE, PGOPTIONS, …)"
_REFUSALS = (
    (r"pg_hba\.conf|(Peer|Ident) authentication", "let this user in from this host in the server's pg_hba.conf"),
    (
        r'authentication failed|no password supplied|role ".*" does not exist|no such user',
        "check the user and password in ALERTD_DATABASE_URL, PGPASSWORD or ~/.pgpass",
    ),
    (r"not permitted to log in", "let it log in (ALTER ROLE … LOGIN), or name another user in ALERTD_DATABASE_URL"),
    (r'database ".*" does not exist|no such database', _REMEDIES["3D000"]),
    (r"permission denied for database", "let this user connect to it (GRANT CONNECT ON DATABASE …)"),
    (r"not currently accepting connections", "name another database in ALERTD_DATABASE_URL"),
    (r"too many connections|remaining connection slots|no more connections", _REMEDIES["53"]),
    (r"session is read-only|server is in hot standby", _REMEDIES["25006"]),
    (r"database system is", GOES_ON),
    (
        r"SSL|certificate",
        "check sslmode, sslrootcert and the host's name in ALERTD_DATABASE_URL, and TLS and certificate of the server",
    ),
    (r"session is not|server is not|channel binding|configuration parameter", _OPTIONS),
)
"""Remedies of refused connections, which have no SQLSTATE: libpq passes on only the server's text."""
_ANSWERED = "the server answers and refuses; check user, password, database and options in ALERTD_DATABASE_URL"
_IMPOSSIBLE = "connection is bad: "
"""How psycopg begins the text where libpq did not even try."""


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
        if error.sqlstate is None:
            said, remedy = _refused(str(error))
        else:
            said, remedy = error.diag.message_primary or str(error), _remedy(error.sqlstate)
        raise StoreError(f"{place}: {Mask(secrets)(' '.join(said.split()))}: {remedy}") from None


def _refused(text: str) -> tuple[str, str]:
    """Return in our words why there is no connection, and the remedy, from the text of psycopg and libpq."""
    # After the last failure psycopg lists all of them; libpq, both attempts with and without TLS.
    attempts = list(_FAILED.finditer(text.rpartition("All failures were:\n")[2]))
    if not attempts:
        return text.removeprefix(_IMPOSSIBLE), _OPTIONS if text.startswith(_IMPOSSIBLE) else GOES_ON
    is_one_of_many = len({_place_of(found) for found in attempts}) > 1
    said = "; ".join(dict.fromkeys(_said(found, is_one_of_many=is_one_of_many) for found in attempts))
    remedy = next((remedy for pattern, remedy in _REFUSALS if re.search(pattern, said)), None)
    return said, remedy or (_ANSWERED if any(found["severity"] for found in attempts) else GOES_ON)


def _said(found: re.Match[str], *, is_one_of_many: bool) -> str:
    reason = found["reason"].removeprefix("fe_sendauth: ")
    if found["is_unheard"]:
        return f"no connection to {_place_of(found)} ({reason})"
    return f"{_place_of(found)}: {reason}" if is_one_of_many else reason


def _place_of(found: re.Match[str]) -> str:
    return found["socket"] or f"{found['host']}, port {found['port']}"


def _is_ours(error: psycopg.Error) -> bool:
    """Return whether an error is alertd's own mistake: a violated constraint, an invalid value, misuse."""
    if isinstance(error, psycopg.IntegrityError):
        # Two processes that create the same table at once violate a constraint of the catalogue.
        return error.diag.schema_name != "pg_catalog"
    return isinstance(error, psycopg.DataError) or (
        error.sqlstate is None and not isinstance(error, psycopg.OperationalError)
    )


def _remedy(state: str) -> str:
    for length in (5, 4, 3, 2):
        if state[:length] in _REMEDIES:
            return _REMEDIES[state[:length]]
    return "see the server's log, and run `alertd db check`"
