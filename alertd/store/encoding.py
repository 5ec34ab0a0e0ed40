"""Encodes instants, hour sets and records for columns, and decodes them exactly."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from alertd.core.hours import EPOCH, HourRange, HourSet
from alertd.errors import StoreError

ShapeT = TypeVar("ShapeT")

_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Return an aware instant as whole microseconds since 1970-01-01T00:00Z."""
    return (at - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """
    Return the instant, aware, UTC.

    Raises:
        StoreError: It is outside the calendar.
    """
    return read(lambda: EPOCH + micros * _MICROSECOND, where=f"an instant of {micros} microseconds")


def from_micros_or_none(micros: int | None) -> datetime | None:
    """Like `from_micros`, and None for None."""
    return None if micros is None else from_micros(micros)


def to_json(value: object) -> str:
    """Return a record as JSON: decimals as text, instants as RFC 3339; equal records give equal text."""
    return msgspec.json.encode(value).decode()


def from_json(text: str, shape: type[ShapeT], *, where: str) -> ShapeT:
    """
    Decode the result of `to_json`.

    Args:
        text: The column's content.
        shape: The record's type.
        where: Table and row, for the error.

    Raises:
        StoreError: It is not such a record.
    """
    return read(lambda: msgspec.json.decode(text, type=shape), where=where)


def hours_to_text(hours: HourSet) -> str:
    """Return a set of hours as JSON pairs of start and end."""
    return to_json([(span.start, span.end) for span in hours])


def hours_from_text(text: str, *, where: str) -> HourSet:
    """
    Decode the result of `hours_to_text`.

    Raises:
        StoreError: It is not such a text.
    """
    pairs = from_json(text, list[tuple[int, int]], where=where)
    return read(lambda: HourSet.of([HourRange(start, end) for start, end in pairs]), where=where)


def read(decode: Callable[[], ShapeT], *, where: str) -> ShapeT:
    """
    Return the result of *decode*.

    Raises:
        StoreError: It raised ValueError or OverflowError, as all decoders here do on damaged content.
    """
    try:
        return decode()
    except (ValueError, OverflowError) as error:
        raise damaged(where, error) from error


def damaged(where: str, error: Exception) -> StoreError:
    """Return the error for content that cannot be read."""
    return StoreError(
        f"{where} cannot be read: {error}; run `alertd db check`, and restore a backup if it finds damage"
    )
