"""
Requests of commands on other hosts to the daemon, and its answers: a table instead of a socket.

Whoever can write to the database may ask. A request is taken once, and counts for nothing when its time is over; what
it asks, and what is answered, is decided elsewhere.
"""

from alertd.store.database import Database
from alertd.store.lease import make_table

COUNTS_FOR_S = 20
"""Seconds within which a request may be taken; then the sender withdraws it."""
_TABLE = "alertd_request"
_COLUMNS = """(
    id TEXT NOT NULL PRIMARY KEY,
    asked_at TIMESTAMPTZ NOT NULL,
    request TEXT NOT NULL,
    taken_at TIMESTAMPTZ,
    answer TEXT
)"""
_DUE = (
    "SELECT id, request FROM alertd_request "
    "WHERE taken_at IS NULL AND asked_at > clock_timestamp() - ? * interval '1 second' ORDER BY asked_at"
)


class Requests:
    """The table `alertd_request` of a database that several hosts share; an SQLite file has none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def place(self) -> str:
        """The database's name for people."""
        return self._database.place

    def prepare(self) -> None:
        """Create the table if needed, and delete expired requests."""
        make_table(self._database, _TABLE, _COLUMNS)
        self._database.execute("DELETE FROM alertd_request WHERE asked_at < clock_timestamp() - interval '1 day'")

    def take(self) -> tuple[tuple[str, str], ...]:
        """Take all requests that nobody has taken, and return them as (id, request) pairs, oldest first."""
        if not self._database.rows(tuple[str, str], _DUE, (COUNTS_FOR_S,)):
            return ()
        with self._database.transaction():
            found = self._database.rows(tuple[str, str], f"{_DUE} FOR UPDATE", (COUNTS_FOR_S,))
            for name, _ in found:
                self._database.execute("UPDATE alertd_request SET taken_at = clock_timestamp() WHERE id = ?", (name,))
        return tuple(found)

    def answer(self, name: str, text: str) -> None:
        """Answer a request."""
        self._database.execute("UPDATE alertd_request SET answer = ? WHERE id = ?", (text, name))

    def ask(self, name: str, request: str) -> None:
        """Store a request under a new id."""
        self._database.write(
            "INSERT INTO alertd_request (id, asked_at, request) VALUES (?, clock_timestamp(), ?)", (name, request)
        )

    def answer_to(self, name: str) -> str | None:
        """Return the answer to a request; None while there is none."""
        found = self._database.rows(tuple[str | None], "SELECT answer FROM alertd_request WHERE id = ?", (name,))
        return found[0][0] if found else None

    def withdraw(self, name: str) -> bool:
        """Withdraw a request; return False if it has been taken and may be carried out."""
        return self._database.execute("DELETE FROM alertd_request WHERE id = ? AND taken_at IS NULL", (name,)) == 1
