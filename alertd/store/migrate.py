"""
The schema's versions: which one a database has, and the migrations to the newest.

A migration commits together with its version number, so a crash leaves the version before or after it.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from string import Template

from alertd.core.dataclass import dataclass
from alertd.errors import StoreError
from alertd.store.database import Database
from alertd.store.meta import Meta

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
# importlib.resources would take as long to import as the rest of a reading command.
_FOLDER = Path(__file__).with_name("migrations")
_VERSION = "schema_version"
_APART = "alertd_"
"""Name prefix of tables outside the migrations, which are created before the first of them, like the lease's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One migration. Statements end with `;` at the end of a line; `$blob` and the like come from the Dialect."""

    number: int
    name: str
    sql: str


def shipped_migrations() -> tuple[Migration, ...]:
    """Return every migration of this version of alertd, numbered from 1 without gaps."""
    found = [(match, file) for file in _FOLDER.iterdir() if (match := _FILE.fullmatch(file.name))]
    return tuple(
        Migration(number=int(match[1]), name=match[2], sql=file.read_text(encoding="utf-8"))
        for match, file in sorted(found, key=lambda pair: pair[0][1])
    )


def migrate(database: Database, migrations: Sequence[Migration]) -> None:
    """
    Migrate the schema to the newest version, with a transaction for each step.

    Raises:
        StoreError: The database is newer than the steps, or not alertd's, or a step failed.
    """
    held = _version(database)
    _require_not_newer(database, held, len(migrations))
    for migration in migrations[held:]:
        _apply(database, migration)


def require_ours(database: Database, migrations: Sequence[Migration]) -> None:
    """
    Check that the database is empty or alertd's, and not newer, without changing anything.

    Raises:
        StoreError: It is another program's, or newer than the steps.
    """
    _require_not_newer(database, _version(database), len(migrations))


def require_current(database: Database, migrations: Sequence[Migration]) -> None:
    """
    Check the version without changing anything, for readers.

    Raises:
        StoreError: The database is empty, older or newer than the steps, or not alertd's.
    """
    held = _version(database)
    _require_not_newer(database, held, len(migrations))
    if held == 0:
        raise StoreError(f"{database.place}: has no tables yet; start `alertd run` first or set ALERTD_DATABASE_URL")
    if held < len(migrations):
        raise StoreError(
            f"{database.place}: has schema version {held}, this alertd needs {len(migrations)}; "
            "restart `alertd run` with this version, which brings it up to date"
        )


def has_tables(database: Database) -> bool:
    """Return whether the database holds anything except a lease."""
    return bool(_tables(database))


def _tables(database: Database) -> set[str]:
    return {name for name in database.tables() if not name.startswith(_APART)}


def _version(database: Database) -> int:
    tables = _tables(database)
    if not tables:
        return 0
    text = Meta(database).get(_VERSION) if "meta" in tables else None
    if text is None or not text.isdigit():
        raise StoreError(f"{database.place}: belongs to another program; set ALERTD_DATABASE_URL to one of its own")
    return int(text)


def _require_not_newer(database: Database, held: int, known: int) -> None:
    if held > known:
        raise StoreError(
            f"{database.place}: has schema version {held}, this alertd knows up to {known}; "
            "run the newer alertd again, or restore a backup from before the update"
        )


def _apply(database: Database, migration: Migration) -> None:
    dialect = database.dialect
    sql = Template(migration.sql).substitute(
        blob=dialect.blob,
        text=dialect.text,
        identity=dialect.identity,
        find=dialect.find,
        server_only=dialect.server_only,
    )
    with database.transaction():
        for statement in sql.split(";\n"):
            if statement.strip():
                database.execute(statement)
        Meta(database).put(_VERSION, str(migration.number))
