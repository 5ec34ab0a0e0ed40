"""Rows of stored blocks, decoded a few megabytes at a time."""

from collections.abc import Iterator, Sequence
from functools import partial

from alertd.core.spend.block import HourBlock
from alertd.core.spend.packing import unpack, unpack_each
from alertd.store.encoding import read

_DECODED_BYTES = 1 << 18
"""Bytes of rows that are decoded together: a few megabytes of arrays."""


def iter_decoded(rows: Sequence[tuple[int, bytes]], account: str, category: str) -> Iterator[tuple[int, HourBlock]]:
    """
    Yield (hour, block) of each row of a category.

    Raises:
        StoreError: A block is damaged; the error names its hour.
    """
    for portion in _portions(rows):
        yield from _decoded(portion, account, category)


def _portions(rows: Sequence[tuple[int, bytes]]) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Split rows, so that what is decoded at a time stays small."""
    start, size = 0, 0
    for end, (_, data) in enumerate(rows, 1):
        size += len(data)
        if size >= _DECODED_BYTES or end == len(rows):
            yield rows[start:end]
            start, size = end, 0


def _decoded(rows: Sequence[tuple[int, bytes]], account: str, category: str) -> list[tuple[int, HourBlock]]:
    try:
        each = unpack_each([data for _, data in rows])
    except ValueError:
        # One by one, to say which one is damaged.
        each = [
            read(partial(unpack, data), where=f'account "{account}": {category}: block of hour {hour}')
            for hour, data in rows
        ]
    return [(hour, block) for (hour, _), block in zip(rows, each, strict=True)]
