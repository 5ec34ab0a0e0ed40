"""Rows as NamedTuples whose fields are the columns: the plain statements, written once."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from alertd.store.database import Database, Value

RowT = TypeVar("RowT", bound=NamedTuple)


def select(
    database: Database, shape: type[RowT], table: str, rest: str = "", values: Sequence[Value] = ()
) -> list[RowT]:
    """Return the rows of a table; *rest* is what follows its name: WHERE, ORDER BY, LIMIT."""
    columns = ", ".join(shape._fields)
    return database.rows(shape, f"SELECT {columns} FROM {table} {rest}", values)  # noqa: S608 -- names of our own


def insert(database: Database, table: str, row: NamedTuple, rest: str = "", *, generated: str = "") -> int:
    """
    Write a row and return 1, or 0 where *rest*, an ON CONFLICT clause, left it out.

    Args:
        database: Where.
        table: Its name.
        row: The fields are the columns.
        rest: What follows the values.
        generated: A column whose value the database gives.
    """
    values = {name: value for name, value in zip(row._fields, row, strict=True) if name != generated}
    marks = ", ".join("?" for _ in values)
    sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}) {rest}"  # noqa: S608 -- names of our own
    return database.execute(sql, tuple(values.values()))


def insert_all(database: Database, table: str, shape: type[RowT], rows: Iterable[RowT], rest: str = "") -> None:
    """Write many rows with one statement; *rest* as of `insert`."""
    marks = ", ".join("?" for _ in shape._fields)
    sql = f"INSERT INTO {table} ({', '.join(shape._fields)}) VALUES ({marks}) {rest}"  # noqa: S608 -- as above
    database.executemany(sql, rows)


def upsert(database: Database, table: str, row: NamedTuple, key: Sequence[str]) -> None:
    """Write a row over the one with the same key, if there is one."""
    insert(database, table, row, _over(row._fields, key))


def upsert_all(database: Database, table: str, shape: type[RowT], rows: Iterable[RowT], key: Sequence[str]) -> None:
    """Write many rows as `upsert` does, with one statement; they are taken one by one as they are made."""
    insert_all(database, table, shape, rows, _over(shape._fields, key))


def _over(columns: Iterable[str], key: Sequence[str]) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
