"""
The running totals of a spend view, and how hours are added to them and subtracted.

`of[metric][h, s]` is the sum of series s over all hours of the view before its h-th, so a window is the difference of
two rows. Rows before the first hour with spend stay zero, and those after the last one would all be equal: neither are
written, so that the system gives them no memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.hours import HourRange
from alertd.core.spend.block import HourBlock, empty_block, spread
from alertd.core.spend.ledger import SeriesTable
from alertd.core.spend.totals import GROWTH, LongTotals, Magnitude, OpenRows, shift, wider

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CELLS_AT_ONCE = 1 << 15


class RunningTotals:
    """Totals by metric, hour and series; they live as long as their view, and only the view changes them."""

    def __init__(self, table: SeriesTable, span: HourRange, metrics: Iterable[str]) -> None:
        self._table = table
        self._span = span
        self.metrics = tuple(metrics)
        self._open = OpenRows()
        self._running: int | None = None
        self._first = len(span) + 1
        """The first row that is not zero."""
        self.last = 0
        """The last row that is written: all later ones would be equal."""

    @cached_property
    def of(self) -> "dict[str, NDArray[np.int64]]":
        """The totals of each metric; made when first asked for, so that a store without bills needs no arrays."""
        width = max(16, len(self._table))
        return {metric: np.zeros((len(self._span) + 1, width), np.int64) for metric in self.metrics}

    @cached_property
    def magnitude(self) -> dict[str, Magnitude]:
        """How large the sums of each metric can be."""
        return {metric: Magnitude(totals.shape[1]) for metric, totals in self.of.items()}

    @cached_property
    def long(self) -> LongTotals:
        """Totals of only the rows longer than an hour; `of` includes these rows too."""
        return LongTotals(len(self._span) + 1, self.metrics)

    def fill(self, blocks: Iterable[tuple[int, HourBlock]]) -> None:
        """Load stored blocks into empty totals: one pass over the cells, one over the hours."""
        if not len(self._table):
            # Nothing was ever billed.
            return
        self.fit()
        for batch in _batches(blocks):
            self._fill(batch)
        for totals in (*self.of.values(), *self.long.totals.values()):
            written = totals[self._first : self.last + 1]
            np.cumsum(written, axis=0, out=written)

    def _fill(self, batch: Sequence[tuple[int, HourBlock]]) -> None:
        hours = np.repeat(np.array([hour for hour, _ in batch], np.int64), [len(block) for _, block in batch])
        series = np.concatenate([block.series for _, block in batch])
        is_short = np.concatenate([block.span for _, block in batch]) <= 1
        if not is_short.all():
            self._fill_long(batch)
        chosen = is_short & (hours >= self._span.start) & (hours < self._span.end)
        if not chosen.all():
            hours, series = hours[chosen], series[chosen]
        rows = hours - self._span.start + 1
        if len(rows):
            self._reach(int(rows.min()), int(rows.max()), is_filling=True)
        for metric, totals in self.of.items():
            amounts = np.concatenate([block.column(metric) for _, block in batch])
            amounts = amounts if len(amounts) == len(series) else amounts[chosen]
            self.magnitude[metric].grow(series, amounts, 1)
            np.add.at(totals.reshape(-1), rows * totals.shape[1] + series, amounts)

    def _fill_long(self, batch: Iterable[tuple[int, HourBlock]]) -> None:
        """Load the rows longer than an hour, which few blocks have."""
        for hour, block in batch:
            _, long = self._split(block)
            self._note_open(hour, long, 1)
            for metric, totals in self.of.items():
                for offset, series, amounts in spread(self._billed(hour, long), metric):
                    if hour + offset in self._span:
                        self.magnitude[metric].grow(series, amounts, 1)
                        row = hour + offset - self._span.start + 1
                        self._reach(row, row, is_filling=True)
                        np.add.at(totals[row], series, amounts)
                        np.add.at(self.long.totals[metric][row], self.long.columns(series), amounts)

    def replace(self, hour: int, old: HourBlock, new: HourBlock) -> "NDArray[np.int32]":
        """Subtract the differing cells of an hour's old block, add those of its new one; return the series of both."""
        self.fit()
        for block, sign in ((old, -1), (new, 1)):
            short, long = self._split(block)
            self._note_open(hour, long, sign)
            self._add(hour, short, sign)
            self._add(hour, self._billed(hour, long), sign, is_long=True)
        return np.concatenate((old.series, new.series))

    def advance(self, running: int) -> "NDArray[np.int32] | None":
        """Advance to the hour *running*; return the series whose rows were spread anew, None if there are none."""
        if running == self._running:
            return None
        before, self._running = self._running, running
        spread_anew = []
        for hour, block in self._open.blocks():
            was = block if before is None or hour > before else block.until(before + 1 - hour)
            if hour <= running:
                self._add(hour, was, -1, is_long=True)
                self._add(hour, self._billed(hour, block), 1, is_long=True)
                spread_anew.append(block.series)
        self._open.forget(running)
        return np.concatenate(spread_anew) if spread_anew else None

    def _split(self, block: HourBlock) -> tuple[HourBlock, HourBlock]:
        """Return the rows of up to an hour, and the longer ones."""
        if block.longest <= 1:
            return block, empty_block()
        is_long = block.span > 1
        long = block.part(is_long)
        self.long.fit(long.series)
        return block.part(~is_long), long

    def _billed(self, hour: int, long: HourBlock) -> HourBlock:
        """Return longer rows as they are spread now: if begun, over their hours so far, including the running one."""
        is_begun = self._running is not None and hour <= self._running
        return long.until(self._running + 1 - hour) if is_begun and self._running is not None else long

    def _note_open(self, hour: int, long: HourBlock, sign: int) -> None:
        if len(long) and (self._running is None or hour + long.longest > self._running + 1):
            self._open.note(hour, long, sign)

    def _add(self, hour: int, block: HourBlock, sign: int, *, is_long: bool = False) -> None:
        """Add a block to the totals (*sign* 1), or subtract it (-1)."""
        for metric, totals in self.of.items():
            parts = [part for part in spread(block, metric) if hour + part[0] in self._span and len(part[1])]
            if not parts:
                continue
            for _, series, amounts in parts:
                self.magnitude[metric].grow(series, amounts, sign)
            row = hour - self._span.start + 1
            self._reach(row + min(part[0] for part in parts), row + max(part[0] for part in parts))
            shift(totals[: self.last + 1], row, parts, sign)
            if is_long:
                named = [(offset, self.long.columns(series), amounts) for offset, series, amounts in parts]
                shift(self.long.totals[metric][: self.last + 1], row, named, sign)

    def _reach(self, first: int, last: int, *, is_filling: bool = False) -> None:
        """Have rows up to *last* written before spend is added in the rows from *first* on."""
        if last > self.last:
            for totals in (*self.of.values(), *self.long.totals.values()):
                # While filling, rows are no sums yet; nor is there a need to write zeros.
                if not is_filling and self._first <= self.last:
                    totals[self.last + 1 : last + 1] = totals[self.last]
            self.last = last
        self._first = min(self._first, first)

    def fit(self) -> None:
        """Widen the arrays if the table has more series than columns."""
        for metric, totals in self.of.items():
            if len(self._table) > totals.shape[1]:
                width = int(len(self._table) * GROWTH)
                self.of[metric] = wider(totals, width, slice(self._first, self.last + 1))
                self.magnitude[metric].fit(width)


def _batches(blocks: Iterable[tuple[int, HourBlock]]) -> Iterator[list[tuple[int, HourBlock]]]:
    """Gather blocks, so that an operation is on many cells and yet needs only a few megabytes."""
    batch: list[tuple[int, HourBlock]] = []
    cells = 0
    for hour, block in blocks:
        batch.append((hour, block))
        cells += len(block)
        if cells >= _CELLS_AT_ONCE:
            yield batch
            batch, cells = [], 0
    if batch:
        yield batch
