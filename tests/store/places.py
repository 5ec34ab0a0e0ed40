"""The databases that every test of the store runs against, and how a test looks at their rows past the store."""

import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import psycopg

from alertd.store.migrate import shipped_migrations
from tests.postgres_server import PostgresServer

_TODAY = str(len(shipped_migrations()))
_EMPTY = """
DO $$
DECLARE
    one record;
BEGIN
    -- To delete few rows is much quicker than to truncate.
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alertd_lease' LOOP
        IF one.tablename = 'meta' THEN
            DELETE FROM meta WHERE name <> 'schema_version';
        ELSE
            EXECUTE format('DELETE FROM %I', one.tablename);
        END IF;
    END LOOP;
    FOR one IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL LOOP
        EXECUTE format('ALTER SEQUENCE %I RESTART', one.sequencename);
    END LOOP;
END $$
"""


class Place(Protocol):
    """One kind of database."""

    @property
    def name(self) -> str:
        """What it is called in ids of tests."""

    def fresh(self) -> AbstractContextManager[str]:
        """Make a database without rows; yield its URL. It may have the tables of today's schema."""

    def blank(self) -> AbstractContextManager[str]:
        """Make a database without tables; yield its URL."""

    def run(self, url: str, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement past the store, against all rules of the tables; return its rows. Bytes are x'00'."""


@dataclass(frozen=True, slots=True)
class SqliteFiles:
    """A file in a folder of its own."""

    name: str = "sqlite"

    @contextmanager
    def fresh(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/alertd.db"

    def blank(self) -> AbstractContextManager[str]:
        return self.fresh()

    def run(self, url: str, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            return connection.execute(sql).fetchall()


@dataclass(frozen=True, slots=True)
class PostgresDatabases:
    """A database of the tests' own server; emptied and used again, since a new one for each example takes long."""

    server: PostgresServer
    name: str = "postgres"
    free: list[str] = field(default_factory=list)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        url = self.free.pop() if self.free else self.server.url(self.server.create())
        yield url
        if self.run(url, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'"):
            # One that a test left with another schema is no use to the next.
            if self.run(url, "SELECT content FROM meta WHERE name = 'schema_version'") != [(_TODAY,)]:
                return
            self.run(url, _EMPTY)
        self.free.append(url)

    def blank(self) -> AbstractContextManager[str]:
        return self.server.database()

    def run(self, url: str, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(url, autocommit=True) as connection:
            # References are held by triggers, which this leaves out.
            connection.execute("SET session_replication_role = replica")
            connection.execute("SET lock_timeout = '5s'")
            cursor = connection.execute(re.sub(r"x'([0-9a-f]*)'", r"'\\x\1'", sql).encode())
            return cursor.fetchall() if cursor.description else []
