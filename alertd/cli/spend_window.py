"""The hours that `alertd spend` sums: the last billed hours, a month, or a range of days."""

import re
from contextlib import suppress
from datetime import date, timedelta
from typing import TYPE_CHECKING

import click

from alertd.core.dataclass import dataclass

if TYPE_CHECKING:
    from alertd.core.hours import HourRange
    from alertd.core.spend.data_state import DataState

LONGEST = timedelta(days=400)
DEFAULT_SINCE = timedelta(days=7)
_YEARS = range(2000, 2101)
"""Bills are of these; a year beyond is a slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options as given; None or empty if absent."""

    since: timedelta | None
    month: str
    first: str
    until: str

    def __post_init__(self) -> None:
        """Check what can be checked before anything is read."""
        if sum([self.since is not None, bool(self.month), bool(self.first or self.until)]) > 1:
            raise click.UsageError("--since, --month, and --from with --until exclude each other")
        if self.since is not None and not timedelta(hours=1) <= self.since <= LONGEST:
            raise click.BadParameter(f"write between 1h and {LONGEST.days}d", param_hint="--since")
        if self.until and not self.first:
            raise click.UsageError("--until needs --from: from which day on?")

    def hours(self, data: "DataState", timezone: str) -> "HourRange | None":
        """
        Return the hours, up to the last billed one; None before the first read.

        Raises:
            BadParameter: It is not a month or day, has not begun, or is too long.
        """
        from alertd.core.calendar import days
        from alertd.core.hours import HourRange, hour_of
        from alertd.core.spend.lately import last_hours

        if not self.month and not self.first:
            since = DEFAULT_SINCE if self.since is None else self.since
            return last_hours(data, -(-since // timedelta(hours=1)))
        option = "--month" if self.month else "--from"
        first, last = self._days(data.now.date())
        found, edge = days(first, last, timezone), data.edge(data.books)
        if found.start > hour_of(data.now):
            raise click.BadParameter(f"{first:%Y-%m-%d} is in the future", param_hint=option)
        if last - first > LONGEST:
            raise click.BadParameter(f"these are more than {LONGEST.days} days", param_hint="--from")
        return None if edge is None else HourRange(found.start, max(found.start, min(found.end, edge)))

    def _days(self, today: date) -> tuple[date, date]:
        """Return the first and the last day."""
        if self.month:
            first = _day(self.month + "-01", "--month", "a month like 2026-10")
            return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        first = _day(self.first, "--from", "a day like 2026-10-05")
        # Elsewhere it may already be tomorrow.
        last = _day(self.until, "--until", "a day like 2026-10-05") if self.until else today + timedelta(days=1)
        if last < first and self.until:
            raise click.BadParameter("it is before the day of --from", param_hint="--until")
        return first, max(first, last)


def _day(text: str, option: str, wanted: str) -> date:
    found = None
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        with suppress(ValueError):
            found = date.fromisoformat(text)
    if found is None or found.year not in _YEARS:
        shown = text.removesuffix("-01") if option == "--month" else text
        raise click.BadParameter(f'"{shown}" is not {wanted}', param_hint=option)
    return found
