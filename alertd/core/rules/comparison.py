"""
Two sums of the same money and the difference between them.

This calculates and formats; the rule decides which sums are compared and how large a difference counts.
"""

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction

from alertd.core.calendar import Period, period_of
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.money import UNITS_PER_USD, format_usd
from alertd.core.rules.standing import share_text
from alertd.core.spend.data_state import DataState
from alertd.core.words import format_instant

_ROUNDING = UNITS_PER_USD // 100
"""Bills are rounded more coarsely than rows: up to one cent does not count as a difference."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sums in 1e-10 USD; the difference is given as a share of the first."""

    first: int
    second: int

    @property
    def difference(self) -> int:
        """The difference, above zero if the first is higher."""
        return self.first - self.second

    @property
    def share(self) -> Fraction:
        """The difference as a share of the first; 1 if the first is zero, 0 within rounding."""
        if abs(self.difference) <= _ROUNDING:
            return Fraction(0)
        return Fraction(abs(self.difference), abs(self.first)) if self.first else Fraction(1)

    @property
    def more_or_less(self) -> str:
        """Whether the first is `more` or `less` than the second."""
        return "more" if self.difference > 0 else "less"

    @property
    def against(self) -> str:
        """Both sums in a clause: `$100.00 against $95.00`."""
        return f"{format_usd(self.first)} against {format_usd(self.second)}"

    @property
    def apart(self) -> str:
        """The difference with its share: `$5.00 (5 %)`."""
        return f"{format_usd(abs(self.difference))} ({share_text(self.share)})"


def hours_of_month(month: str) -> HourRange:
    """Return the hours of a month, `YYYY-MM`, in UTC."""
    return period_of(hour_of(datetime.fromisoformat(f"{month}-01T00:00Z")), Period.MONTH, "UTC").hours


def month_before(now: datetime, count: int) -> str:
    """Return the month that is *count* months before the current one, `YYYY-MM`."""
    year, number = divmod(now.year * 12 + now.month - 1 - count, 12)
    return f"{year:04}-{number + 1:02}"


def lacking(data: DataState, keys: tuple[tuple[str, str], ...], span: HourRange) -> list[str]:
    """Return why the spend of categories in *span* is not known for sure, as clauses; empty if it is."""
    return [gap.text for gap in data.gaps(keys, span)] or list(_unsettled(data, keys, span))


def _unsettled(data: DataState, keys: tuple[tuple[str, str], ...], span: HourRange) -> Iterator[str]:
    """Yield a clause for each category that may still get rows: a stream is not billed through the end of *span*."""
    for key in keys:
        states = data.streams.states(key)
        if not states or min(state.edge for state in states) < span.end:
            through = f" (through {format_instant(start_of(min(state.edge for state in states)))})" if states else ""
            yield f"{data.books[key].title} is not billed through {format_instant(start_of(span.end))} yet{through}"
