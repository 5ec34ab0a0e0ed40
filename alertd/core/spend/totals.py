"""Running totals as arrays: how blocks are added to them, and separate totals of rows longer than an hour."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass
from alertd.core.money import LARGEST_SUM
from alertd.core.spend.block import HourBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROWTH = 1.5

Part: TypeAlias = "tuple[int, NDArray[np.signedinteger], NDArray[np.int64]]"
"""(offset from the block's hour, columns, amounts)."""


def wider(totals: "NDArray[np.int64]", width: int, written: slice) -> "NDArray[np.int64]":
    """Return the totals with more columns, the new ones zero, given the rows that are not all zero."""
    found = np.zeros((totals.shape[0], width), np.int64)
    found[written, : totals.shape[1]] = totals[written]
    return found


def shift(totals: "NDArray[np.int64]", row: int, parts: Sequence[Part], sign: int) -> None:
    """Add parts to running totals, or subtract them: piece by piece in the hours that they cover, then in all later."""
    ids, inverse = np.unique(np.concatenate([columns for _, columns, _ in parts]), return_inverse=True)
    offsets = [offset for offset, _, _ in parts]
    first, last = min(offsets), max(offsets)
    added = np.zeros((last - first + 1, len(ids)), np.int64)
    done = 0
    for offset, columns, amounts in parts:
        np.add.at(added[offset - first], inverse[done : done + len(columns)], sign * amounts)
        done += len(columns)
    running = np.cumsum(added, axis=0)
    after = row + first + len(running)
    totals[row + first : after, ids] += running
    if running[-1].any():
        totals[after:, ids] += running[-1]


class Magnitude:
    """
    The sum of the absolute amounts of each series: while it fits 64 bits, no sum of them can be wrong.

    Totals themselves may wrap round: the difference of two is still right if it fits, so that series which overflow
    spoil only sums that include them. A float is enough, as the limit leaves more room than its error.
    """

    def __init__(self, width: int) -> None:
        self._of = np.zeros(width)
        self._all = 0.0

    def fit(self, width: int) -> None:
        """Make room for more series."""
        self._of = np.concatenate((self._of, np.zeros(width - len(self._of))))

    def grow(self, series: "NDArray[np.signedinteger]", amounts: "NDArray[np.int64]", sign: int) -> None:
        """Add amounts (*sign* 1), or subtract them (-1)."""
        sizes = sign * np.abs(amounts.astype(np.float64))
        np.add.at(self._of, series, sizes)
        self._all += float(sizes.sum())

    @property
    def is_large(self) -> bool:
        """Whether some sums may not fit."""
        return self._all > LARGEST_SUM

    def check(self, series: "NDArray[np.signedinteger]") -> None:
        """
        Make sure that no sum over the given series can be wrong.

        Raises:
            OverflowError: Together they may not fit 64 bits.
        """
        # Nearly always even all series together fit.
        if self.is_large and float(self._of[series].sum()) > LARGEST_SUM:
            raise OverflowError("the spend that it covers adds up to more than 922 million USD")


class LongTotals:
    """The running totals of rows longer than an hour, with columns for the few series that have such rows."""

    def __init__(self, height: int, metrics: Iterable[str]) -> None:
        self.totals = {metric: np.zeros((height, 1), np.int64) for metric in metrics}
        self._column = np.full(16, -1, np.int64)
        self._ids: list[int] = []

    @property
    def count(self) -> int:
        """The number of series with a column."""
        return len(self._ids)

    @property
    def ids(self) -> "NDArray[np.int64]":
        """The series of each column."""
        return np.array(self._ids, np.int64)

    def columns(self, series: "NDArray[np.int32]") -> "NDArray[np.int64]":
        """Return the columns of series that `fit` was given."""
        return self._column[series]

    def fit(self, series: "NDArray[np.int32]") -> None:
        """Make room for series that had no row longer than an hour before."""
        size = int(series.max(initial=-1)) + 1
        if size > len(self._column):
            more = np.full(int(size * GROWTH) - len(self._column), -1, np.int64)
            self._column = np.concatenate((self._column, more))
        fresh = distinct(series[self._column[series] < 0]).tolist()
        for number in fresh:
            self._column[number] = len(self._ids)
            self._ids.append(number)
        for metric, totals in self.totals.items():
            if len(self._ids) > totals.shape[1]:
                self.totals[metric] = wider(totals, int(len(self._ids) * GROWTH) + 1, slice(None))


@dataclass(slots=True)
class OpenRows:
    """Longer rows that have not ended: they are spread anew as time passes."""

    _cells: dict[tuple[int, int, int], tuple[int, int, int]] = field(default_factory=dict)
    """(hour, series, span) to amount, voucher and pay."""

    def note(self, hour: int, block: HourBlock, sign: int) -> None:
        """Add rows (*sign* 1), or remove them (-1)."""
        columns = (block.series, block.span, block.amount, block.voucher, block.pay)
        for series, span, *amounts in zip(*(column.tolist() for column in columns), strict=True):
            if sign > 0:
                self._cells[hour, series, span] = (amounts[0], amounts[1], amounts[2])
            else:
                self._cells.pop((hour, series, span), None)

    def blocks(self) -> Iterator[tuple[int, HourBlock]]:
        """Yield the rows by the hour in which they begin."""
        by_hour: dict[int, list[tuple[int, int, int, int, int]]] = {}
        for (hour, series, span), amounts in self._cells.items():
            by_hour.setdefault(hour, []).append((series, span, *amounts))
        for hour, cells in by_hour.items():
            series, span, amount, voucher, pay = np.array(cells, np.int64).T
            yield (
                hour,
                HourBlock(
                    series=series.astype(np.int32), span=span.astype(np.int32), amount=amount, voucher=voucher, pay=pay
                ),
            )

    def forget(self, running: int) -> None:
        """Drop the rows that have ended, or end with the running hour: they are spread for the last time."""
        self._cells = {cell: amounts for cell, amounts in self._cells.items() if cell[0] + cell[2] > running + 1}
