"""
The stored form of a block: the same cells as its canonical bytes, in as few bytes as its numbers need.

The canonical bytes (`encode`) decide whether two blocks are equal, and do not depend on this form.
"""

import struct
from typing import TYPE_CHECKING

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
    if data[:1] != bytes([_VERSION]):
        return decode(data)
    try:
        _, flags, count = HEADER.unpack_from(data)
        rest = _Rest(data, HEADER.size)
        series = np.cumsum(rest.column(count))
        span = rest.column(count) if flags & HAS_SPAN else np.ones(count, np.int64)
        amount = rest.column(count)
        voucher = np.zeros(count, np.int64)
        if flags & HAS_VOUCHER:
            has_voucher = rest.bits(count)
            voucher[has_voucher] = rest.column(int(np.count_nonzero(has_voucher)))
        pay = rest.column(count) if flags & HAS_PAY else amount - voucher
    except (struct.error, IndexError) as error:
        raise ValueError("block is cut short") from error
    if not rest.is_over:
        raise ValueError("block has more bytes than columns")
    for column in (series, span):
        if count and not 0 <= int(column.min()) <= int(column.max()) < 2**31:
            raise ValueError("block holds a number that no series or span has")
    return HourBlock(
        series=series.astype(np.int32), span=span.astype(np.int32), amount=amount, voucher=voucher, pay=pay
    )


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


class _Rest:
    """The bytes that have not been read yet."""

    def __init__(self, data: bytes, offset: int) -> None:
        self._data, self._offset = data, offset

    @property
    def is_over(self) -> bool:
        return self._offset == len(self._data)

    def _take(self, size: int) -> "NDArray[np.uint8]":
        start, self._offset = self._offset, self._offset + size
        if self._offset > len(self._data):
            raise IndexError
        return np.frombuffer(self._data, np.uint8, size, start)

    def column(self, count: int) -> "NDArray[np.int64]":
        if count > len(self._data):
            # No two cells have the same series and span, so that each takes at least one byte.
            raise IndexError
        width = int(self._take(1)[0])
        if width > _WIDE:
            raise ValueError("block has a column wider than 64 bits")
        packed = self._take(count * width).reshape(count, width)
        wide = np.zeros((count, _WIDE), np.uint8)
        # Placed at the upper end first: shifting down again extends the sign.
        wide[:, _WIDE - width :] = packed
        values = wide.view("<i8").reshape(count).astype(np.int64, copy=False)
        return values >> (8 * (_WIDE - width)) if width else values

    def bits(self, count: int) -> "NDArray[np.bool_]":
        return np.unpackbits(self._take(-(-count // 8)), count=count).astype(np.bool_)
