"""
The stored form of a block: the same cells as its canonical bytes, in as few bytes as its numbers need.

The canonical bytes (`encode`) decide whether two blocks are equal, and do not depend on this form.
"""

import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from alertd.core.arrays import np
from alertd.core.spend.block import HAS_PAY, HAS_SPAN, HAS_VOUCHER, HEADER, HourBlock, columns_needed, decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VERSION = 2
_PACKED_FROM = 64
"""Minimum cells of a packed block: packing a smaller one would take longer than writing a few hundred bytes more."""
_WIDE = 8


def pack(block: HourBlock) -> bytes:
    """
    Return the bytes to store: each column in the fewest bytes per number that fit all its values.

    Series are stored as differences; of the vouchers, which few rows have, only those that are not zero are stored.
    """
    if len(block) < _PACKED_FROM:
        return encode(block)
    flags = columns_needed(block)
    parts = [HEADER.pack(_VERSION, flags, len(block)), _packed(_steps(block.series))]
    if flags & HAS_SPAN:
        parts.append(_packed(block.span))
    parts.append(_packed(block.amount))
    if flags & HAS_VOUCHER:
        has_voucher = block.voucher != 0
        parts += [np.packbits(has_voucher).tobytes(), _packed(block.voucher[has_voucher])]
    if flags & HAS_PAY:
        parts.append(_packed(block.pay))
    return b"".join(parts)


def unpack(data: bytes) -> HourBlock:
    """
    Return the block that `pack` packed; canonical bytes of `encode` are accepted too.

    Raises:
        ValueError: The bytes are damaged or of a later version.
    """
    return unpack_each([data])[0]


def unpack_each(packed: Sequence[bytes]) -> list[HourBlock]:
    """
    Like `unpack`, for many blocks: an operation on the columns of all of them costs little more than on those of one.

    The blocks share their memory: as long as one is held, all are.
    """
    found = {place: decode(data) for place, data in enumerate(packed) if data[:1] != bytes([_VERSION])}
    places = [place for place in range(len(packed)) if place not in found]
    found |= zip(places, _unpacked([packed[place] for place in places]), strict=True)
    return [found[place] for place in range(len(packed))]


def _unpacked(packed: Sequence[bytes]) -> list[HourBlock]:
    if not packed:
        return []
    try:
        each = [_located(data) for data in packed]
    except (struct.error, IndexError) as error:
        raise ValueError("block is cut short") from error
    bounds = [0, *accumulate(columns.cells for columns in each)]
    parts = [slice(start, end) for start, end in pairwise(bounds)]
    steps, amount = _numbers([columns.series for columns in each]), _numbers([columns.amount for columns in each])
    span, voucher = np.ones(len(amount), np.int64), np.zeros(len(amount), np.int64)
    has_voucher = np.zeros(len(amount), np.bool_)
    for part, columns in zip(parts, each, strict=True):
        if columns.span is not None:
            span[part] = _numbers([columns.span])
        if columns.has_voucher is not None:
            has_voucher[part] = columns.has_voucher
    voucher[has_voucher] = _numbers([columns.voucher for columns in each if columns.voucher is not None])
    pay = amount - voucher
    for part, columns in zip(parts, each, strict=True):
        if columns.pay is not None:
            pay[part] = _numbers([columns.pay])
    whole = HourBlock(series=_ids(_summed(steps, bounds)), span=_ids(span), amount=amount, voucher=voucher, pay=pay)
    return [whole.part(part) for part in parts]


def _summed(steps: "NDArray[np.int64]", bounds: Sequence[int]) -> "NDArray[np.int64]":
    """Return the running sums of the steps of each block, given where each begins and the last one ends."""
    sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(steps)))
    return sums[1:] - np.repeat(sums[bounds[:-1]], np.diff(bounds))


def _ids(numbers: "NDArray[np.int64]") -> "NDArray[np.int32]":
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < 2**31:
        raise ValueError("block holds a number that no series or span has")
    return numbers.astype(np.int32)


def _steps(series: "NDArray[np.int32]") -> "NDArray[np.int64]":
    """Return the first number, followed by the difference between each number and the one before it."""
    found = series.astype(np.int64)
    found[1:] -= series[:-1]
    return found


def _packed(values: "NDArray[np.signedinteger]") -> bytes:
    """Return the width in bytes, then each number in that width, little-endian, negative ones as two's complement."""
    least, most = int(values.min(initial=0)), int(values.max(initial=0))
    width = max(most, ~least).bit_length() // 8 + 1 if least or most else 0
    wide = values.astype("<i8", order="C").view(np.uint8).reshape(-1, _WIDE)
    return bytes([width]) + wide[:, :width].tobytes()


class _Column(NamedTuple):
    """Numbers of one width, as they are stored."""

    length: int
    width: int
    data: bytes


def _numbers(columns: Iterable[_Column]) -> "NDArray[np.int64]":
    """Return the numbers of columns one after the other; neighbours are nearly always equally wide."""
    found = []
    for width, equal in groupby(columns, key=attrgetter("width")):
        same = list(equal)
        length = sum(column.length for column in same)
        # Each number is read with the bytes before it: shifting down again extends its sign.
        data = b"".join([bytes(_WIDE), *(column.data for column in same)])
        at_upper_end = np.ndarray(length, "<i8", data, width, (width,)).astype(np.int64)
        found.append(at_upper_end >> (8 * (_WIDE - width)) if width else np.zeros(length, np.int64))
    return np.concatenate(found) if found else np.empty(0, np.int64)


class _Columns(NamedTuple):
    """The columns of a packed block; None if it does not need one."""

    cells: int
    series: _Column
    """As differences."""
    span: _Column | None
    amount: _Column
    has_voucher: "NDArray[np.bool_] | None"
    voucher: _Column | None
    """Of the cells that have one."""
    pay: _Column | None


def _located(data: bytes) -> _Columns:
    """Find the columns of a packed block; IndexError or struct.error if bytes are missing."""
    _, flags, count = HEADER.unpack_from(data)
    rest = _Rest(data, HEADER.size)
    series = rest.column(count)
    span = rest.column(count) if flags & HAS_SPAN else None
    amount = rest.column(count)
    has_voucher = rest.bits(count) if flags & HAS_VOUCHER else None
    voucher = rest.column(int(np.count_nonzero(has_voucher))) if has_voucher is not None else None
    pay = rest.column(count) if flags & HAS_PAY else None
    if not rest.is_over:
        raise ValueError("block has more bytes than columns")
    return _Columns(count, series, span, amount, has_voucher, voucher, pay)


class _Rest:
    """The bytes that have not been read yet."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset

    @property
    def is_over(self) -> bool:
        return self._offset == len(self._data)

    def _take(self, size: int) -> bytes:
        start, self._offset = self._offset, self._offset + size
        if self._offset > len(self._data):
            raise IndexError
        return self._data[start : self._offset]

    def column(self, count: int) -> _Column:
        if count > len(self._data):
            # No two cells have the same series and span, so that each takes at least one byte.
            raise IndexError
        (width,) = self._take(1)
        if width > _WIDE:
            raise ValueError("block has a column wider than 64 bits")
        return _Column(count, width, self._take(count * width))

    def bits(self, count: int) -> "NDArray[np.bool_]":
        packed = np.frombuffer(self._take(-(-count // 8)), np.uint8)
        return np.unpackbits(packed, count=count).astype(np.bool_)
