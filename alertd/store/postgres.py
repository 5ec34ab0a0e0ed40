"""
The PostgreSQL driver: one connection, with the same guarantees as the SQLite driver.

It knows sessions, error codes and types, and nothing of what the tables mean. All settings are made inside each
transaction, so that it works behind a pooler which gives each transaction another session.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
import psycopg
from psycopg import RawCursor
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import BytesBinaryDumper

from alertd.clock import monotonic_s
from alertd.errors import SettingsError, StoreError
from alertd.store.database import Database, Dialect, ShapeT, Value
from alertd.store.lease import CHECK_LEASE, LeaseLost
from alertd.store.postgres_connection import SHORT_ANSWER_S, PostgresConnection
from alertd.store.postgres_faults import GOES_ON, explained
from alertd.store.postgres_values import TextLoader, is_long, numbered, sendable
from alertd.store.url import PostgresUrl

_DIALECT = Dialect(
    blob="BYTEA",
    # The database's own collation may order by language, or treat different texts as equal.
    text='TEXT COLLATE "C"',
    identity="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    find="strpos",
    server_only="",
    now="CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
)
_OLDEST_VERSION = 13
_CONNECTING = {
    "application_name": "alertd",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""Default timeout if the URL sets none: an unreachable server must not block for long."""
_LIMITS = (
    "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '10s'; "
    "SET LOCAL idle_in_transaction_session_timeout = "
)
_BEGIN_READ = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_LIMITS}'60s'"
# A host that was cut off must not keep locks for longer than a replica waits for it.
# Overrides a role or database that is configured to lose commits in a crash.
_BEGIN_WRITE = (
    f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {_LIMITS}'10s'; "
    "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
)
_NUMBER = "SELECT pg_current_xact_id()::text"
_MOST_WAITING = 16
"""Rows that wait to be sent; some may have 120 kB."""
_COPIED_AT_ONCE = 64
"""Rows fetched at a time; a block of 10,000 cells has 120 kB."""
_IN_DOUBT_S = 20.0
"""Seconds to query the outcome of a commit with a lost answer; the server ends such a session within 10 s."""
_AGAIN_S = 0.5


class PostgresDatabase:
    """
    A connection that reconnects after it was cut; used by one thread at a time, until `close`.

    Args:
        address: Where.
        is_read_only: Whether writes are refused.
        epoch: The lease that every writing transaction must still hold; None for the lease's own connection.
    """

    def __init__(self, address: PostgresUrl, *, is_read_only: bool = False, epoch: int | None = None) -> None:
        self._address = address
        self._is_read_only = is_read_only
        self._epoch = epoch
        self._connection: PostgresConnection | None = None
        self._is_closed = False
        self._is_inside = self._is_writing = False
        self._failures = 0
        self._waiting: list[tuple[str, list[Value]]] = []
        """What is sent with the next statement whose answer is needed, or with the commit."""
        self._session()

    # --- the connection --------------------------------------------------------------------------------------------

    def _session(self) -> PostgresConnection:
        """Return the connection, reconnecting if it was cut; never inside a transaction."""
        if self._connection is None or self._connection.closed:
            if self._is_closed or self._is_inside:
                what = "is closed" if self._is_closed else "the connection was cut; nothing of the transaction is kept"
                raise StoreError(f"{self.place}: {what}; {GOES_ON}")
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> PostgresConnection:
        try:
            given = conninfo_to_dict(self._address.url)
            defaults = {name: text for name, text in _CONNECTING.items() if name not in given}
            with self._explained():
                # This module begins and ends transactions itself. Prepared statements are bound to a session.
                connection = PostgresConnection.connect(
                    make_conninfo(self._address.url, client_encoding="utf8", **defaults),
                    autocommit=True,
                    prepare_threshold=None,
                    cursor_factory=RawCursor,
                )
        except psycopg.ProgrammingError:
            # libpq quotes the part that it cannot parse, which may be a password.
            raise SettingsError(
                "ALERTD_DATABASE_URL: libpq cannot read this PostgreSQL URL; check its host, port and options"
            ) from None
        connection.adapters.register_loader("text", TextLoader)
        connection.adapters.register_dumper(bytes, BytesBinaryDumper)
        return connection

    @property
    def place(self) -> str:
        """The URL without its password."""
        return self._address.place

    @property
    def dialect(self) -> Dialect:
        """PostgreSQL's dialect."""
        return _DIALECT

    @property
    def failures(self) -> int:
        """See `Database.failures`."""
        return self._failures

    def close(self) -> None:
        """See `Database.close`."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.close()

    # --- statements ------------------------------------------------------------------------------------------------

    def rows(self, shape: type[ShapeT], sql: str, values: Sequence[Value] = ()) -> list[ShapeT]:
        """See `Database.rows`."""
        with self.snapshot(), self._explained():
            self._send()
            with self._session().cursor(binary=True) as cursor:
                found = cursor.execute(numbered(sql), [sendable(value) for value in values]).fetchall()
        try:
            return msgspec.convert(found, list[shape])  # type: ignore[valid-type] # a type known only at run time
        except msgspec.ValidationError as error:
            raise StoreError(f"{self.place}: a row is not as it was written: {error}; restore a backup") from error

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """See `Database.execute`."""
        with self.transaction(), self._explained():
            self._send()
            return self._session().execute(numbered(sql), [sendable(value) for value in values]).rowcount

    def write(self, sql: str, values: Sequence[Value] = ()) -> None:
        """See `Database.write`."""
        self.executemany(sql, [values])

    def executemany(self, sql: str, rows: Iterable[Sequence[Value]]) -> None:
        """See `Database.executemany`; a few rows wait to be sent with what follows, which saves a round trip."""
        with self.transaction(), self._explained():
            # Nothing waits on a connection that was cut.
            session, rest = self._session(), ([sendable(value) for value in row] for row in rows)
            self._waiting += [(sql, row) for row in islice(rest, _MOST_WAITING - len(self._waiting))]
            if len(self._waiting) == _MOST_WAITING:
                self._send()
                with session.cursor() as cursor:
                    # Sent one after another without waiting for answers in between.
                    cursor.executemany(numbered(sql), rest)

    def _send(self, *, last: str = "") -> str:
        """Run the statements that wait and a last one, without waiting in between; return the status of the last."""
        waiting, self._waiting = self._waiting, []
        if last:
            waiting.append((last, []))
        if not waiting:
            return ""
        session = self._session()
        if psycopg.Pipeline.is_supported() and any(is_long(value) for _, values in waiting for value in values):
            with session.pipeline():
                answers = [session.execute(numbered(sql), values) for sql, values in waiting]
            return answers[-1].statusmessage or ""
        # One message, which wakes the server once; values stand in it, as only such statements fit together into one.
        quoting = psycopg.ClientCursor(session)
        return session.run_all(
            "; ".join(quoting.mogrify(sql.replace("%", "%%").replace("?", "%s"), values) for sql, values in waiting)
        )

    # --- transactions ----------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """
        See `Database.transaction`.

        Raises:
            LeaseLost: Another process holds the lease; nothing is written.
        """
        if self._is_inside:
            if not self._is_writing:
                raise StoreError(f"{self.place}: inside a read-only transaction: it cannot be written")
            yield
            return
        with self._writing() as number:
            yield
            self._commit(number)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[str]:
        """Begin a writing transaction, and yield its id, by which its outcome can be queried."""
        if self._is_read_only:
            raise StoreError(f"{self.place}: it was opened read-only and cannot be written")
        check = _NUMBER if self._epoch is None else CHECK_LEASE.replace("?", str(self._epoch))
        with self._bracket(f"{_BEGIN_WRITE}; {check}") as said:
            if said is None:
                raise LeaseLost(self.place)
            self._is_writing = True
            yield str(said[0])

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See `Database.snapshot`."""
        if self._is_inside:
            yield
            return
        with self._bracket(_BEGIN_READ):
            yield
            with self._explained():
                self._session().execute("COMMIT")

    @contextlib.contextmanager
    def _bracket(self, begin: str) -> Iterator[tuple[Value, ...] | None]:
        """Begin with some statements in one message, and yield the first row of the last one's result."""
        connection, said = self._begin(begin)
        self._is_inside = True
        try:
            yield said
        except BaseException:
            self._failures += 1
            self._roll_back(connection)
            raise
        finally:
            self._is_inside = self._is_writing = False
            self._waiting.clear()

    def _begin(self, begin: str) -> tuple[PostgresConnection, tuple[Value, ...] | None]:
        connection = self._session()
        try:
            return connection, connection.ask_all(begin)
        except psycopg.Error:
            with self._explained():
                if not connection.closed:
                    self._roll_back(connection)
                    raise
            # It was cut while idle: only the connection is lost.
            connection = self._session()
            with self._explained():
                return connection, connection.ask_all(begin)

    @staticmethod
    def _roll_back(connection: PostgresConnection) -> None:
        # The server rolls back a transaction whose connection was cut.
        with contextlib.suppress(psycopg.Error), connection.answering_within(SHORT_ANSWER_S):
            connection.execute("ROLLBACK")

    def _commit(self, number: str) -> None:
        """Commit, in one round trip with the statements that wait."""
        connection = self._session()
        try:
            with self._explained():
                said = self._send(last="COMMIT")
        except StoreError:
            # After a cut during the commit, its outcome is unknown.
            if not connection.closed or not self._has_committed(number):
                raise
        else:
            # The server answers ROLLBACK, without an error, if a statement failed and the caller continued.
            if said != "COMMIT":
                raise StoreError(f"{self.place}: the transaction was rolled back; nothing of it is kept")

    def _has_committed(self, number: str) -> bool:
        """Return whether a transaction with an unanswered commit was committed, once known; else False."""
        give_up_at = monotonic_s() + _IN_DOUBT_S
        while monotonic_s() < give_up_at:
            with contextlib.suppress(StoreError, psycopg.Error):
                connection = self._connect()
                with connection, connection.answering_within(SHORT_ANSWER_S):
                    row = connection.execute(b"SELECT pg_xact_status($1::xid8)", [number]).fetchone()
                if row is not None and row[0] != "in progress":
                    return row[0] == "committed"
            time.sleep(_AGAIN_S)  # in the store's own thread: the caller waits, the event loop does not
        return False

    # --- the database as a whole -----------------------------------------------------------------------------------

    def tables(self) -> frozenset[str]:
        """See `Database.tables`."""
        sql = (
            "SELECT relname::text FROM pg_class "
            "WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relkind IN ('r', 'p')"
        )
        return frozenset(name for (name,) in self.rows(tuple[str], sql))

    def require_sound(self) -> None:
        """
        See `Database.require_sound`: the server's version, encoding, and a schema to put tables into.

        Raises:
            StoreError: One of them is unsuitable.
        """
        version = self._session().info.server_version // 10_000
        if version < _OLDEST_VERSION:
            raise StoreError(f"{self.place}: is PostgreSQL {version}; alertd needs {_OLDEST_VERSION} or later")
        sql = "SELECT current_setting('server_encoding'), current_schema()::text"
        ((encoding, schema),) = self.rows(tuple[str, str | None], sql)
        if encoding != "UTF8":
            raise StoreError(
                f"{self.place}: its encoding is {encoding}; make one with "
                "CREATE DATABASE alertd ENCODING 'UTF8' TEMPLATE template0"
            )
        if schema is None:
            raise StoreError(f"{self.place}: its search_path names no schema that is there; create one for this user")

    def make_durable(self) -> None:
        """See `Database.make_durable`; each transaction sees to it by itself, as each may have another session."""

    def check(self) -> list[str]:
        """See `Database.check`; pages are the server's own to guard, and references may lack after a restore."""
        with self.snapshot():
            return [fault for reference in self._references() for fault in self._orphans(*reference)]

    def _references(self) -> list[tuple[str, str, list[str], list[str]]]:
        sql = """
            SELECT child.relname::text, parent.relname::text,
                (SELECT array_agg(attname::text ORDER BY n) FROM unnest(conkey) WITH ORDINALITY AS key (number, n)
                    JOIN pg_attribute ON attrelid = conrelid AND attnum = key.number),
                (SELECT array_agg(attname::text ORDER BY n) FROM unnest(confkey) WITH ORDINALITY AS key (number, n)
                    JOIN pg_attribute ON attrelid = confrelid AND attnum = key.number)
            FROM pg_constraint
            JOIN pg_class AS child ON child.oid = conrelid JOIN pg_class AS parent ON parent.oid = confrelid
            WHERE contype = 'f' AND connamespace = to_regnamespace(quote_ident(current_schema()))
            ORDER BY 1, 2
        """
        return self.rows(tuple[str, str, list[str], list[str]], sql)

    def _orphans(self, child: str, parent: str, columns: list[str], targets: list[str]) -> Iterator[str]:
        same = " AND ".join(f"p.{target} = c.{column}" for column, target in zip(columns, targets, strict=True))
        held = " AND ".join(f"c.{column} IS NOT NULL" for column in columns)
        sql = (
            f"SELECT COUNT(*) FROM {child} AS c WHERE {held} AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE {same})"  # noqa: S608 -- names from the catalogue
        )
        ((count,),) = self.rows(tuple[int], sql)
        if count:
            yield f"table {child}: {count} rows, each refers to a row of {parent} that is not there"

    def backup(self, path: Path) -> None:
        """
        Refuse: PostgreSQL has its own tools.

        Raises:
            StoreError: Always, with the command to use.
        """
        raise StoreError(f"{self.place}: is copied by PostgreSQL's own tool: pg_dump --format=custom --file={path} …")

    def copy_into(self, target: Database) -> None:
        """
        Copy every row into the tables of the same schema version in *target*, which are empty, as of one instant.

        Raises:
            StoreError: Reading here or writing there failed.
        """
        with self.snapshot(), target.transaction():
            target.execute("PRAGMA defer_foreign_keys = ON")
            for table in sorted(target.tables()):
                self._copy(table, target)

    def _copy(self, table: str, target: Database) -> None:
        columns = [name for (name,) in target.rows(tuple[str], "SELECT name FROM pragma_table_info(?)", (table,))]
        names, marks = ", ".join(columns), ", ".join("?" for _ in columns)
        connection = self._session()
        with self._explained(), psycopg.ServerCursor(connection, "copy") as cursor:
            cursor.itersize = _COPIED_AT_ONCE
            cursor.execute(f"SELECT {names} FROM {table}".encode(), binary=True)  # noqa: S608 -- names of our own
            target.execute(f"DELETE FROM {table}")  # noqa: S608
            target.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", cursor)  # noqa: S608

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self.place, self._address.secrets)
