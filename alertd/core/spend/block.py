"""
The rows filed under one hour of one category, as arrays: the unit in which spend is compared, stored and replaced.

A block is canonical: sorted by (series, span), one cell per pair, so equal spend has equal bytes.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass, replace
from alertd.core.money import MAX_UNITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADER = struct.Struct("<BBI")
_VERSION = 1
HAS_SPAN, HAS_VOUCHER, HAS_PAY = 1, 2, 4
"""Flags of the optional columns that are present."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HourBlock:
    """
    Parallel columns: series id, hours covered, and the three amounts in 1e-10 USD.

    A cell with `span` n is spread evenly over the n hours from the block's hour on.
    """

    series: "NDArray[np.int32]"
    span: "NDArray[np.int32]"
    amount: "NDArray[np.int64]"
    voucher: "NDArray[np.int64]"
    pay: "NDArray[np.int64]"

    def __len__(self) -> int:
        return len(self.series)

    @property
    def total(self) -> int:
        """The sum of all amounts, exact."""
        return exact_sum(self.amount)

    @property
    def longest(self) -> int:
        """The largest span, 0 for a block without rows."""
        return int(np.maximum.reduce(self.span, initial=0))

    def column(self, metric: str) -> "NDArray[np.int64]":
        """Return the column of a metric: `amount`, `voucher` or `pay`."""
        columns = {"amount": self.amount, "voucher": self.voucher, "pay": self.pay}
        return columns[metric]

    def part(self, chosen: "NDArray[np.bool_] | slice") -> "HourBlock":
        """Return the chosen cells."""
        return HourBlock(
            series=self.series[chosen],
            span=self.span[chosen],
            amount=self.amount[chosen],
            voucher=self.voucher[chosen],
            pay=self.pay[chosen],
        )

    def until(self, hours: int) -> "HourBlock":
        """Return the block with cells that cover more than *hours* (at least 1) spread over only the first *hours*."""
        if self.longest <= hours:
            return self
        return replace(self, span=np.minimum(self.span, np.int32(hours)))


@cache
def empty_block() -> HourBlock:
    """Return the block of an hour without rows; created on first use, as numpy is slow to import."""
    return HourBlock(
        series=np.empty(0, np.int32),
        span=np.empty(0, np.int32),
        amount=np.empty(0, np.int64),
        voucher=np.empty(0, np.int64),
        pay=np.empty(0, np.int64),
    )


def differing(old: HourBlock, new: HourBlock) -> tuple[HourBlock, HourBlock]:
    """Return the cells of *old* and of *new* without those that are equal in both."""
    before, after = (block.series.astype(np.int64) << 32 | block.span for block in (old, new))
    _, here, there = np.intersect1d(before, after, assume_unique=True, return_indices=True)
    is_same = np.ones(len(here), bool)
    for metric in ("amount", "voucher", "pay"):
        is_same &= old.column(metric)[here] == new.column(metric)[there]
    kept = np.ones(len(old), bool), np.ones(len(new), bool)
    kept[0][here[is_same]] = kept[1][there[is_same]] = False
    return old.part(kept[0]), new.part(kept[1])


def exact_sum(values: "NDArray[np.int64]") -> int:
    """Add 64-bit integers without ever wrapping round."""
    # A float sum is far closer to the exact one than the factor of two left here.
    if len(values) == 0 or float(np.abs(values.astype(np.float64)).sum()) < MAX_UNITS / 2:
        return int(values.sum())
    return sum(values.tolist())


def columns_needed(block: HourBlock) -> int:
    """Return flags of the columns that cannot be derived from others."""
    # Most blocks have only a few rows, for which `any` takes ten times as long as counting.
    has_span = np.count_nonzero(block.span != 1) > 0
    has_voucher = np.count_nonzero(block.voucher) > 0
    has_pay = np.count_nonzero(block.pay != block.amount - block.voucher) > 0
    return HAS_SPAN * bool(has_span) | HAS_VOUCHER * bool(has_voucher) | HAS_PAY * bool(has_pay)


def encode(block: HourBlock) -> bytes:
    """Return a block's canonical bytes: equal blocks give equal bytes. Derivable columns are left out."""
    if not len(block):
        return HEADER.pack(_VERSION, 0, 0)
    return encode_each(block, [0, len(block)])[0]


def encode_each(cells: HourBlock, bounds: Sequence[int]) -> list[bytes]:
    """
    Return the canonical bytes of many blocks, given their concatenated cells.

    An answer has hundreds of hours with a few rows each: one operation on all of them costs as much as on one.

    Args:
        bounds: The index at which each block begins, and the end of the last one; no block is empty.
    """
    starts = np.array(bounds[:-1])
    has_span, has_voucher, has_pay = (
        np.logical_or.reduceat(needed, starts).tolist() if needed.any() else [False] * len(starts)
        for needed in (cells.span != 1, cells.voucher != 0, cells.pay != cells.amount - cells.voucher)
    )
    series, span = (column.astype("<i4", copy=False).tobytes() for column in (cells.series, cells.span))
    amount, voucher, pay = (
        column.astype("<i8", copy=False).tobytes() for column in (cells.amount, cells.voucher, cells.pay)
    )
    found = []
    for start, end, spans, vouchers, pays in zip(bounds[:-1], bounds[1:], has_span, has_voucher, has_pay, strict=True):
        flags = HAS_SPAN * spans | HAS_VOUCHER * vouchers | HAS_PAY * pays
        data = HEADER.pack(_VERSION, flags, end - start) + series[4 * start : 4 * end]
        if spans:
            data += span[4 * start : 4 * end]
        data += amount[8 * start : 8 * end]
        if vouchers:
            data += voucher[8 * start : 8 * end]
        if pays:
            data += pay[8 * start : 8 * end]
        found.append(data)
    return found


def decode(data: bytes) -> HourBlock:
    """
    Return the block that `encode` encoded.

    Raises:
        ValueError: The bytes are damaged or of a later version.
    """
    try:
        version, flags, count = HEADER.unpack_from(data)
        if version != _VERSION:
            raise ValueError(f"block version {version} is not known")
        columns = _columns(data, flags, count)
        series, span, amount, voucher, pay = columns
    except struct.error as error:
        raise ValueError("block is cut short") from error
    return HourBlock(series=series, span=span, amount=amount, voucher=voucher, pay=pay)


def _columns(
    data: bytes, flags: int, count: int
) -> "tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]":
    offset = HEADER.size
    wide = 1 + bool(flags & HAS_VOUCHER) + bool(flags & HAS_PAY)
    if len(data) != offset + count * (4 + 4 * bool(flags & HAS_SPAN) + 8 * wide):
        raise ValueError("block is cut short")
    series = np.frombuffer(data, "<i4", count, offset)
    offset += 4 * count
    span = np.ones(count, np.int32)
    if flags & HAS_SPAN:
        span = np.frombuffer(data, "<i4", count, offset)
        offset += 4 * count
    amount = np.frombuffer(data, "<i8", count, offset)
    offset += 8 * count
    voucher = np.zeros(count, np.int64)
    if flags & HAS_VOUCHER:
        voucher = np.frombuffer(data, "<i8", count, offset)
        offset += 8 * count
    pay = np.frombuffer(data, "<i8", count, offset) if flags & HAS_PAY else amount - voucher
    return series, span, amount, voucher, pay


def digest(encoded: bytes) -> bytes:
    """Return 16 bytes by which encoded blocks are compared."""
    import hashlib  # noqa: PLC0415 -- as in `labels`

    return hashlib.blake2b(encoded, digest_size=16).digest()


def spread(block: HourBlock, metric: str) -> "Iterator[tuple[int, NDArray[np.int32], NDArray[np.int64]]]":
    """
    Spread a block's cells evenly over the hours they cover, exactly.

    A remainder is added one unit (1e-10 USD) per hour, from the first hour on, so that the sum stays the same.

    Yields:
        (offset from the block's hour, series ids, amounts); an offset, and a series within it, may come more than once.
    """
    if not len(block):
        return
    amounts = block.column(metric)
    if block.longest == 1:
        # By far the most common case: nothing to spread.
        yield 0, block.series, amounts
        return
    for span in distinct(block.span).tolist():
        cells = block.span == span
        series = block.series[cells]
        if span == 1:
            yield 0, series, amounts[cells]
            continue
        share, rest = np.divmod(amounts[cells], span)
        for offset in range(span):
            yield offset, series, share + (rest > offset)
