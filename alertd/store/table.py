"""Plain statements over rows as NamedTuples, whose fields are the columns; rows of values, and values of rows."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from alertd.store.database import Database, Value
from alertd.store.encoding import from_micros_or_none, to_micros

RowT = TypeVar("RowT", bound=NamedTuple)
ValueT = TypeVar("ValueT")


def row_of(shape: type[RowT], value: object, **others: Value) -> RowT:
    """
    Return the row of a dataclass's value: each column is the field of its name, an instant in microseconds.

    Args:
        others: The columns that are not a field as it is.
    """
    return shape._make(others[name] if name in others else _column(getattr(value, name)) for name in shape._fields)


def _column(value: Any) -> Value:  # noqa: ANN401 -- whatever a field holds
    if isinstance(value, datetime):
        return to_micros(value)
    if isinstance(value, Enum):
        return _column(value.value)
    return int(value) if isinstance(value, bool) else value


def value_of(kind: Callable[..., ValueT], row: NamedTuple, **others: object) -> ValueT:
    """
    Return the value of a row, the reverse of `row_of`.

    Args:
        others: The fields that are not a column as it is.

    Raises:
        StoreError: An instant is outside the calendar.
    """
    return kind(
        **{name: others[name] if name in others else read(getattr(row, name)) for name, read in _readers(kind).items()}
    )


@cache
def _readers(kind: Any) -> Mapping[str, Callable[[Any], object]]:  # noqa: ANN401 -- a dataclass
    hints = get_type_hints(kind)
    found: dict[str, Callable[[Any], object]] = {}
    for name in (field.name for field in fields(kind)):
        is_instant = datetime in {hints[name], *get_args(hints[name])}
        found[name] = from_micros_or_none if is_instant else bool if hints[name] is bool else lambda column: column
    return found


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
