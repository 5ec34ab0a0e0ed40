"""
The last hours and days, wherever they are shown: they end at the data edge, like the windows of rules.

All categories have the same window, so that a page, a report and a command show the same sum. What lagging streams are
still expected to bring is given separately, not added.
"""

from alertd.core.alert import Lag
from alertd.core.calendar import Period, period_of
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange
from alertd.core.money import Usd
from alertd.core.spend.data_state import DataState
from alertd.core.spend.edges import edges_of, lagging
from alertd.core.spend.ends import since_start
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.view import SpendView

_METRIC = "amount"


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """All spend in a window, in 1e-10 USD, vouchers included."""

    window: HourRange
    amount: Usd
    """What is billed."""
    expected: Usd
    """The expected amount once every stream is billed."""
    lagging: tuple[Lag, ...]
    """The streams that are not billed through the window's end."""


def last_hours(data: DataState, count: int) -> HourRange | None:
    """Return the last *count* billed hours; None while nothing is known."""
    end = data.edge(data.books)
    return None if end is None else HourRange(end - count, end)


def period_so_far(data: DataState, period: Period, timezone: str) -> HourRange | None:
    """Return the billed hours of the zone's calendar period that holds the last one; None while nothing is known."""
    end = data.edge(data.books)
    return None if end is None else HourRange(period_of(end - 1, period, timezone).hours.start, end)


def billed_in(view: SpendView, data: DataState, window: HourRange) -> Billed:
    """Return all spend in a window that ends at the last billed hour."""
    query = SpendQuery(accounts=data.accounts)
    edges = edges_of(view, data, query, data.books)
    both = since_start(view, data, _METRIC, edges, start=window.start, end=window.end)
    amount = view.sums(query, _METRIC, window).of(())
    expected = max(amount, both.about.of(()))
    return Billed(
        window=window,
        amount=amount,
        expected=expected,
        lagging=lagging(data, edges, (), is_missed=expected != amount),
    )
