"""
How long an account's balance lasts at the recent pace, exactly, and in words for people.

This module calculates, compares and words; the rule sets the limits and which data may decide.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from fractions import Fraction

from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HOURS_PER_DAY, start_of, whole_hours
from alertd.core.money import Usd, format_usd
from alertd.core.severity import Severity
from alertd.core.spend.bill import Balance
from alertd.core.words import format_age, format_duration, format_instant

_MINUTES_PER_DAY = 24 * 60
_SECONDS_PER_DAY = 86400
_SECOND = timedelta(seconds=1)
LONGEST_DAYS = 366
"""A runway beyond that is shown as "more than a year": today's pace says nothing about a day that far off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """One measure of a balance, which reaches a severity at or below its limit."""

    name: str
    limits: Mapping[Severity, Fraction]
    measure: Fraction | None
    """None if it is infinite or unknown."""
    expected: Fraction | None = None
    """The measure once everything is billed; None if it is infinite or does not apply."""

    def held(self, part: Fraction) -> Severity | None:
        """Return the highest severity still held, by the measure or by its expected value."""
        found = (self.reached(part), replace(self, measure=self.expected).reached(part))
        return max((severity for severity in found if severity is not None), default=None)

    def reached(self, part: Fraction = Fraction(1)) -> Severity | None:
        """Return the highest severity for which *part* of the measure is at or below the limit; None if none."""
        if self.measure is None:
            return None
        measure = self.measure * part
        return max((severity for severity, limit in self.limits.items() if measure <= limit), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A payment due for a subscription, unless it is left to end."""

    at: datetime
    amount: Usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Runway:
    """A balance against the spend in the window that ends at the data edge."""

    balance: Balance
    window: timedelta
    """Whole hours, above 0."""
    edge: int | None
    """The hour through which bills are known; None before the first bill is read."""
    spent: Usd
    """Billed in the window; negative if credits outweigh charges."""
    expected: Usd
    """Spend in the window once every stream is billed."""
    is_complete: bool
    """Whether no data is missing in the window."""
    renewals: tuple[Renewal, ...] = ()
    """Renewals that fall due as well, soonest first."""

    @property
    def per_day(self) -> Fraction:
        """The mean spend per day, in 1e-10 USD."""
        return Fraction(self.spent * HOURS_PER_DAY, whole_hours(self.window))

    @property
    def days(self) -> Fraction | None:
        """How many days the balance lasts at the billed spend; None if it never runs out."""
        return self._lasts(self.per_day)

    @property
    def expected_days(self) -> Fraction | None:
        """How many days the balance lasts at the expected spend; None if it never runs out."""
        return self._lasts(Fraction(self.expected * HOURS_PER_DAY, whole_hours(self.window)))

    def _lasts(self, per_day: Fraction) -> Fraction | None:
        """Return how many days the balance lasts at a pace and with renewals due; None if it never runs out."""
        pace = max(per_day, Fraction(0))
        left = Fraction(self.balance.available)
        for renewal in self.renewals:
            due_in = Fraction((renewal.at - self.balance.read_at) // _SECOND, _SECONDS_PER_DAY)
            if left <= pace * due_in:
                break
            left -= renewal.amount
            if left <= pace * due_in:
                return due_in
        return left / pace if pace > 0 else None

    @property
    def headline(self) -> str:
        """What is left and how long it lasts, in one clause."""
        balance = self.balance
        left = f"Balance of {balance.account} is {format_usd(balance.available)}"
        if balance.available <= 0:
            return f"{left}: nothing is left to spend"
        length = format_duration(self.window)
        days = self.days
        if days is None:
            known = "nothing was spent" if self.is_complete else "no spend is known"
            return f"{left}; {known} in the last {length}"
        return f"{left}, enough for {days_text(days)} at the pace of the last {length}{self._end(days)}"

    def _end(self, days: Fraction) -> str:
        if days > LONGEST_DAYS:
            return ""
        end = self.balance.read_at + timedelta(minutes=int(days * _MINUTES_PER_DAY))
        return f" (runs out {format_instant(end.replace(minute=0, second=0, microsecond=0))})"

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What answers the reader's next questions, as (name, text) pairs."""
        balance = self.balance
        amounts = (
            ("Available", balance.available),
            ("Cash", balance.cash),
            ("Credit limit", balance.credit_limit),
            ("Outstanding invoices", balance.outstanding),
        )
        found = [(name, format_usd(amount)) for name, amount in amounts if amount is not None]
        if self.edge is None:
            return (*found, ("Spend per day", "not known yet"))
        through = f"the {format_duration(self.window)} billed through {format_instant(start_of(self.edge))}"
        found.append(("Spend per day", f"{format_usd(round(self.per_day))}, the mean of {through}"))
        if self.renewals:
            first = self.renewals[0]
            found.append(("Next renewal", f"{format_usd(first.amount)} {format_instant(first.at)}"))
        return tuple(found)


def days_text(days: Fraction) -> str:
    """Return a number of days for people: `1 d 19 h`."""
    if days > LONGEST_DAYS:
        return "more than a year"
    return format_age(timedelta(minutes=int(days * _MINUTES_PER_DAY)))
