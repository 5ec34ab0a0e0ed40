"""
Rows packed into columns as they arrive: about 40 bytes each, whatever the number of rows.

Decides how rows are held and how series are distinguished; `wire` knows the meaning of fields.
"""

from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import ClassVar, TypeAlias, cast

import numpy as np

from alertd.core.spend.bill import BillRows, Series
from alertd.novita.amounts import read_amounts
from alertd.novita.shape import Scalar, text_of
from alertd.novita.wire import Row, billing_method_of, hours_of

CACHED_TIMES = 8192
"""Times cached, since they recur within an answer; more would cost more memory than they save time."""

_SeriesKey: TypeAlias = tuple[Scalar, Scalar, Scalar, Scalar, Scalar]
_KEY: Callable[[Row], _SeriesKey] = attrgetter("owner_id", "product_id", "product_name", "category", "billing_method")
_TIMES: Callable[[Row], tuple[Scalar, Scalar]] = attrgetter("start_time", "end_time")


class BillColumns:
    """The rows read so far of one account's category, for one answer or until it is joined to others."""

    kind: ClassVar[type[Row]] = Row
    """The type its rows are decoded as."""

    def __init__(self, *, account: str, category: str) -> None:
        self._account = account
        self._category = category
        self._names: dict[Series, int] = {}
        self._series_by_key: dict[_SeriesKey, int] = {}
        self._hours: dict[tuple[Scalar, Scalar], tuple[int, int]] = {}
        self._hour = array("i")
        self._span = array("i")
        self._series = array("i")
        self._amount = array("q")
        self._voucher = array("q")
        self._pay = array("q")
        self._rounded = 0
        self.is_listed = True
        """False once an answer had no list of rows."""

    def __len__(self) -> int:
        return len(self._hour)

    def add(self, rows: Sequence[Row]) -> None:
        """
        Append rows in order.

        Raises:
            UnexpectedShape: A row has no readable start or amount; the columns cannot be used afterwards.
        """
        amounts = read_amounts(rows, first=len(self))
        self._add_series(rows)
        self._add_hours(rows)
        self._amount.frombytes(amounts.amount.tobytes())
        self._voucher.frombytes(amounts.voucher.tobytes())
        self._pay.frombytes(amounts.pay.tobytes())
        self._rounded += amounts.rounded

    def extend(self, rows: BillRows) -> None:
        """Append the rows of another answer for the same account and category."""
        index = np.array([self._number(name) for name in rows.names], dtype=np.int32)
        self._hour.frombytes(rows.hour.tobytes())
        self._span.frombytes(rows.span.tobytes())
        self._series.frombytes(index[rows.series].tobytes())
        self._amount.frombytes(rows.amount.tobytes())
        self._voucher.frombytes(rows.voucher.tobytes())
        self._pay.frombytes(rows.pay.tobytes())
        self._rounded += rows.rounded
        self.is_listed &= rows.is_listed

    def to_rows(self) -> BillRows:
        """Return the rows without copying them; add nothing afterwards."""
        return BillRows(
            names=tuple(self._names),
            hour=np.frombuffer(self._hour, dtype=np.int32),
            span=np.frombuffer(self._span, dtype=np.int32),
            series=np.frombuffer(self._series, dtype=np.int32),
            amount=np.frombuffer(self._amount, dtype=np.int64),
            voucher=np.frombuffer(self._voucher, dtype=np.int64),
            pay=np.frombuffer(self._pay, dtype=np.int64),
            rounded=self._rounded,
            is_listed=self.is_listed,
        )

    def _add_hours(self, rows: Sequence[Row]) -> None:
        times = list(map(_TIMES, rows))
        if len(self._hours) > CACHED_TIMES:
            self._hours.clear()
        hours = self._hours
        found = list(map(hours.get, times))
        if None in found:
            for pair in dict.fromkeys(times):
                if pair not in hours:
                    hours[pair] = hours_of(*pair, f"bills[{len(self) + times.index(pair)}]")
            found = list(map(hours.get, times))
        # Two numbers a row, one after the other.
        both = np.fromiter(chain.from_iterable(cast("list[tuple[int, int]]", found)), np.int32, 2 * len(found))
        self._span.frombytes(both[1::2].tobytes())
        self._hour.frombytes(both[::2].tobytes())

    def _add_series(self, rows: Sequence[Row]) -> None:
        keys = list(map(_KEY, rows))
        series = self._series_by_key
        found = list(map(series.get, keys))
        if None in found:
            for key in dict.fromkeys(keys):
                if key not in series:
                    self._intern(key)
            found = list(map(series.get, keys))
        self._series.frombytes(np.array(found, np.int32).tobytes())

    def _intern(self, key: _SeriesKey) -> None:
        owner, product_id, product, subcategory, billing_method = key
        self._series_by_key[key] = self._number(
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
