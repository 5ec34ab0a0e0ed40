"""
Rows packed into columns as they arrive: about 40 bytes each, whatever the number of rows.

Decides how rows are held and how series are distinguished; `wire` knows the meaning of fields.
"""

from array import array
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias, TypeVar

import numpy as np

from alertd.core.spend.bill import BillRows, Series
from alertd.novita.amounts import AmountColumns
from alertd.novita.shape import Scalar, UnexpectedShape, text_of
from alertd.novita.wire import Row, billing_method_of, hours_of

CACHED_TIMES = 8192
"""Times cached, since they recur within an answer; more would cost more memory than they save time."""

_SeriesKey: TypeAlias = tuple[Scalar, Scalar, Scalar, Scalar, Scalar]
_HOUR_BITS = 32
_HOUR = (1 << _HOUR_BITS) - 1
_SPLIT_ROWS = 4096
_KeyT = TypeVar("_KeyT")


class _Known(dict[_KeyT, int]):
    """Numbers by what they stand for, each worked out when it is first asked for."""

    def __init__(self, find: Callable[[_KeyT], int]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: _KeyT) -> int:
        number = self[key] = self._find(key)
        return number


def _packed_hours(times: tuple[Scalar, Scalar]) -> int:
    """Return the hour and, above it, the span: one number, so that columns are filled without objects in between."""
    hour, span = hours_of(*times, "")
    return span << _HOUR_BITS | hour


class BillColumns:
    """The rows read so far of one account's category, for one answer or until it is joined to others."""

    kind: ClassVar[type[Row]] = Row
    """The type its rows are decoded as."""

    def __init__(self, *, account: str, category: str) -> None:
        self._account = account
        self._category = category
        self._names: dict[Series, int] = {}
        self._series_by_key = _Known(self._intern)
        self._hours = _Known(_packed_hours)
        self._times = array("q")
        """Those of the last rows, not yet split into hour and span."""
        self._hour = array("i")
        self._span = array("i")
        self._series = array("i")
        self._amounts = AmountColumns()
        self.is_listed = True
        """False once an answer had no list of rows."""

    def __len__(self) -> int:
        return len(self._series)

    def add(self, rows: Sequence[Row]) -> None:
        """
        Append rows in order.

        Raises:
            UnexpectedShape: A row has no readable start or amount; the columns cannot be used afterwards.
        """
        # Attributes read by name in a loop take half the time of an attrgetter.
        hours, series = self._hours, self._series_by_key
        if len(hours) > CACHED_TIMES:
            hours.clear()
        self._amounts.add(rows)
        try:
            self._times.extend([hours[row.start_time, row.end_time] for row in rows])
        except UnexpectedShape:
            for index, row in enumerate(rows, len(self)):
                hours_of(row.start_time, row.end_time, f"bills[{index}]")
            raise
        if len(self._times) >= _SPLIT_ROWS:
            self._split_times()
        self._series.extend(
            [series[row.owner_id, row.product_id, row.product_name, row.category, row.billing_method] for row in rows]
        )

    def hour_of(self, row: Row) -> int:
        """Return the hour in which a row starts that was added."""
        return self._hours[row.start_time, row.end_time] & _HOUR

    def finish(self) -> None:
        """
        Read what was only gathered so far; it may be called again.

        Raises:
            UnexpectedShape: As `add`.
        """
        self._amounts.flush()
        self._split_times()

    def _split_times(self) -> None:
        times = np.array(self._times, np.int64)
        self._hour.frombytes((times & _HOUR).astype(np.int32).tobytes())
        self._span.frombytes((times >> _HOUR_BITS).astype(np.int32).tobytes())
        self._times = array("q")

    def extend(self, rows: BillRows) -> None:
        """Append the rows of another answer for the same account and category."""
        index = np.array([self._number(name) for name in rows.names], dtype=np.int32)
        self._hour.frombytes(rows.hour.tobytes())
        self._span.frombytes(rows.span.tobytes())
        self._series.frombytes(index[rows.series].tobytes())
        self._amounts.extend(rows.amount, rows.voucher, rows.pay)
        self._amounts.rounded += rows.rounded
        self.is_listed &= rows.is_listed

    def to_rows(self) -> BillRows:
        """Return the rows, after `finish`, without copying them; add nothing afterwards."""
        return BillRows(
            names=tuple(self._names),
            hour=np.frombuffer(self._hour, dtype=np.int32),
            span=np.frombuffer(self._span, dtype=np.int32),
            series=np.frombuffer(self._series, dtype=np.int32),
            amount=np.frombuffer(self._amounts.amount, dtype=np.int64),
            voucher=np.frombuffer(self._amounts.voucher, dtype=np.int64),
            pay=np.frombuffer(self._amounts.pay, dtype=np.int64),
            rounded=self._amounts.rounded,
            is_listed=self.is_listed,
        )

    def _intern(self, key: _SeriesKey) -> int:
        owner, product_id, product, subcategory, billing_method = key
        return self._number(
            Series(
                account=self._account,
                category=self._category,
                subcategory=text_of(subcategory),
                owner=text_of(owner),
                product=text_of(product),
                product_id=text_of(product_id),
                billing_method=billing_method_of(billing_method),
            )
        )

    def _number(self, name: Series) -> int:
        return self._names.setdefault(name, len(self._names))
