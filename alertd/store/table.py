"""Plain statements over rows as NamedTuples, whose fields are the columns."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, TypeVar

from alertd.store.database import Database, Value

RowT = TypeVar("RowT", bound=NamedTuple)


def select(
    database: Database, shape: type[RowT], table: str, rest: str = "", values: Sequence[Value] = ()
) -> list[RowT]:
    """Return the rows of a table; *rest* follows its name: WHERE, ORDER BY, LIMIT."""
    columns = ", ".join(shape._fields)
    return database.rows(shape, f"SELECT {columns} FROM {table} {rest}", values)  # noqa: S608 -- names of our own


def insert(database: Database, table: str, row: NamedTuple, rest: str = "") -> None:
    """Write a row; *rest* is what follows the values, and leaves no row out."""
    database.write(_insertion(table, row._fields, rest), row)


def insert_new(database: Database, table: str, row: NamedTuple, *, known_by: str = "", generated: str = "") -> bool:
    """
    Write a row unless one like it is there; return whether it was written.

    Args:
        known_by: The column by which it is known; any unique one where that is empty.
        generated: A column that the database fills in.
    """
    values = {name: value for name, value in zip(row._fields, row, strict=True) if name != generated}
    rest = f"ON CONFLICT ({known_by}) DO NOTHING" if known_by else "ON CONFLICT DO NOTHING"
    return database.execute(_insertion(table, values, rest), tuple(values.values())) == 1


def insert_all(database: Database, table: str, shape: type[RowT], rows: Iterable[RowT], rest: str = "") -> None:
    """Insert many rows with one statement; *rest* as for `insert`."""
    database.executemany(_insertion(table, shape._fields, rest), rows)


def upsert(database: Database, table: str, row: NamedTuple, key: Sequence[str]) -> None:
    """Insert a row, or replace the one with the same key."""
    insert(database, table, row, _over(row._fields, key))


def upsert_all(database: Database, table: str, shape: type[RowT], rows: Iterable[RowT], key: Sequence[str]) -> None:
    """Like `upsert` for many rows, with one statement; the rows are consumed one by one."""
    insert_all(database, table, shape, rows, _over(shape._fields, key))


def _insertion(table: str, columns: Collection[str], rest: str) -> str:
    marks = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) {rest}"  # noqa: S608 -- names of our own


def _over(columns: Iterable[str], key: Sequence[str]) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
