"""The ledger once more, slowly: dictionaries and whole numbers, written from the rules alone, for properties."""

from collections.abc import Callable, Iterable
from datetime import datetime

from hypothesis import strategies as st

from alertd.core.hours import HourRange
from alertd.core.spend.bill import Series
from tests.core.builders import NOW, Row, a_series

Cell = tuple[Series, int]
Amounts = tuple[int, int, int]

START = 24 * 20_000
"""A midnight."""
SPAN = HourRange(START, START + 72)


class SlowLedger:
    """What is believed of each hour of one category after any number of reads."""

    def __init__(self) -> None:
        self.held: dict[int, dict[Cell, Amounts]] = {}
        self.doubts: dict[int, tuple[dict[Cell, Amounts], datetime]] = {}

    def read(self, rows: Iterable[Row], span: HourRange, at: datetime) -> set[int]:
        """Believe one answer as far as the rules allow; return the hours that changed."""
        answer: dict[int, dict[Cell, Amounts]] = {}
        for row in rows:
            if row.hour in span:
                cells = answer.setdefault(row.hour, {})
                a, v, p = cells.get((row.series, row.span), (0, 0, 0))
                cells[row.series, row.span] = (a + row.amount, v + row.voucher, p + row.pay)
        changed = set()
        for hour in range(span.start, span.end):
            new, old = answer.get(hour, {}), self.held.get(hour, {})
            doubt = self.doubts.pop(hour, None)
            if new == old:
                continue
            was, is_now = (sum(a for a, _, _ in cells.values()) for cells in (old, new))
            if (was > 0 and 2 * is_now < was) or (was != 0 and not new):
                said_before = doubt is not None and doubt[0] == new
                if not (doubt and said_before and (at - doubt[1]).total_seconds() >= 300):
                    self.doubts[hour] = (new, doubt[1] if doubt and said_before else at)
                    continue
            self.held[hour] = new
            if not new:
                del self.held[hour]
            changed.add(hour)
        return changed

    def spent(self, window: HourRange, view: HourRange, key: Callable[[Series], str], metric: int) -> dict[str, int]:
        """Sum a metric (0 amount, 1 voucher, 2 pay) by a key over the hours that lie in both ranges."""
        sums: dict[str, int] = {}
        for hour, cells in self.held.items():
            for (series, span), amounts in cells.items():
                share, rest = divmod(amounts[metric], span)
                for offset in range(span):
                    if hour + offset in window and hour + offset in view:
                        sums.setdefault(key(series), 0)
                        sums[key(series)] += share + (1 if offset < rest else 0)
        return sums


SERIES = st.builds(
    a_series,
    st.sampled_from(["gpu-1", "gpu-2", "gpu-3", ""]),
    product=st.sampled_from(["H100", "A100"]),
)
ROWS = st.builds(
    Row,
    series=SERIES,
    hour=st.integers(SPAN.start - 2, SPAN.end + 1),
    span=st.one_of(st.just(1), st.integers(1, 50)),
    amount=st.one_of(st.integers(-20, 20), st.integers(-(10**13), 10**13)),
    voucher=st.integers(-5, 10**6),
)
READS = st.lists(
    st.tuples(
        st.lists(ROWS, max_size=12),
        st.tuples(st.integers(SPAN.start, SPAN.end - 1), st.integers(1, 72)).map(
            lambda pair: HourRange(pair[0], min(pair[0] + pair[1], SPAN.end))
        ),
        st.sampled_from([0, 1, 4, 5, 6]),
    ),
    min_size=1,
    max_size=6,
)
"""Answers: rows, the range that was asked for, and how many minutes after the read before (0: the same cycle)."""

AT = NOW
