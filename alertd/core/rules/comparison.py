"""
Two sums of the same money, and how far they are apart.

It calculates and words; which of them are compared, and from where on a difference counts, is the rule's to say.
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
"""Bills come in coarser units than rows: up to a cent is no difference."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sums in 1e-10 USD; the first is the one that a difference is a share of."""

    first: int
    second: int

    @property
    def difference(self) -> int:
        """Above zero where the first is higher."""
        return self.first - self.second

    @property
    def share(self) -> Fraction:
        """The difference as a share of the first; all of it where the first is nothing."""
        if abs(self.difference) <= _ROUNDING:
            return Fraction(0)
        return Fraction(abs(self.difference), abs(self.first)) if self.first else Fraction(1)

    @property
    def more_or_less(self) -> str:
        """What the first is, against the second."""
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
    """Return the hours of a `YYYY-MM`, UTC."""
    return period_of(hour_of(datetime.fromisoformat(f"{month}-01T00:00Z")), Period.MONTH, "UTC").hours


def month_before(now: datetime, count: int) -> str:
    """Return the month that lies so many before the running one, `YYYY-MM`."""
    year, number = divmod(now.year * 12 + now.month - 1 - count, 12)
    return f"{year:04}-{number + 1:02}"


def lacking(data: DataState, keys: tuple[tuple[str, str], ...], span: HourRange) -> list[str]:
    """Return why the categories are not known for sure in a stretch, a clause each; empty where they are."""
    return [gap.text for gap in data.gaps(keys, span)] or list(_unsettled(data, keys, span))


def _unsettled(data: DataState, keys: tuple[tuple[str, str], ...], span: HourRange) -> Iterator[str]:
    """Name the categories of which rows may still come: some stream is not billed through the last hour."""
    for key in keys:
        states = data.streams.states(key)
        if not states or min(state.edge for state in states) < span.end:
            through = f" (through {format_instant(start_of(min(state.edge for state in states)))})" if states else ""
            yield f"{data.books[key].title} is not billed through {format_instant(start_of(span.end))} yet{through}"
