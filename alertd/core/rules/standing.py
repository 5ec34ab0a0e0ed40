"""
The state of one budget at the data edge: what is spent, left and expected, exactly, and in words for people.

This module calculates, compares and words; the rule sets the limits and which data may decide.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from alertd.core.calendar import CalendarPeriod, Period, local_time
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HOURS_PER_DAY
from alertd.core.labels import Labels
from alertd.core.money import Usd, format_usd, plain
from alertd.core.rules.even_rate import NO_RATES, Burn, Rates
from alertd.core.severity import Severity
from alertd.core.spend.planned import NOTHING_PLANNED, Allowance
from alertd.core.words import format_age, format_duration, format_list, format_share

_SHARE_DIGITS = 12
"""Decimals of a share, more than a written one can have: rounding down never changes whether one is reached."""
LEAST_SHARE = Fraction(1, 10**_SHARE_DIGITS)
"""The smallest difference between shares that are values of samples."""
_RANK_BITS = 256
"""Different shares of amounts below 2**128 differ by more than 2**-256; no amount is that large."""
_TELLING_PART = 10
"""Before a tenth of the period its pace says little."""

Limits = Mapping[Severity, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The forecast of a period's total spend."""

    total: Usd
    """Spend so far and still to come, planned or not."""
    planned: Usd = Usd(0)
    """The part of the total that is planned and still to come."""
    range: tuple[Usd, Usd] | None
    """The range that holds the total in 80 % of cases; None if too little is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One group's budget at the data edge."""

    budget: Usd
    """Above 0."""
    spent: Usd
    """What is billed."""
    expected: Usd
    """The spend once every stream is billed up to the edge."""
    period: CalendarPeriod
    timezone: str
    edge: int
    """The hour through which bills are known; after the period's start, at most its end."""
    last_day: Usd | None
    """Spend in the 24 hours before the edge; None if unknown."""
    forecast: Forecast | None
    planned: Allowance = NOTHING_PLANNED
    """The planned part of the spend: it raises every limit, and is included in the spend that is shown."""
    rates: Rates = NO_RATES
    """How fast the budget is currently spent, if the rule has limits on that."""
    amount_text: str = ""
    """Where the amount comes from; empty if the rules file gives it."""

    @property
    def as_expected(self) -> "Standing":
        """The budget once every stream is billed."""
        return replace(self, spent=self.expected, rates=self.rates.as_expected)

    @property
    def planned_share(self) -> Fraction:
        """The share of the budget that was planned and is spent."""
        return Fraction(self.planned.amount, self.budget)

    @property
    def planned_forecast_share(self) -> Fraction:
        """The share of the budget that was planned and is forecast to be spent by the end."""
        ahead = self.forecast.planned if self.forecast is not None else 0
        return Fraction(self.planned.amount + ahead, self.budget)

    @property
    def share(self) -> Fraction:
        """The share of the budget that is spent."""
        return Fraction(self.spent, self.budget)

    @property
    def expected_share(self) -> Fraction:
        """The share of the budget that is spent once every stream is billed."""
        return Fraction(self.expected, self.budget)

    @property
    def elapsed(self) -> Fraction:
        """The share of the period that is over."""
        return Fraction(self.edge - self.period.hours.start, len(self.period.hours))

    @property
    def is_telling(self) -> bool:
        """Whether at least a tenth of the period is over."""
        return self.elapsed * _TELLING_PART >= 1

    @property
    def pace(self) -> Fraction | None:
        """The spent share over the elapsed one; None in the first tenth of the period."""
        return self.share / self.elapsed if self.is_telling else None

    @property
    def forecast_share(self) -> Fraction | None:
        """The forecast total as a share of the budget; None without a forecast."""
        return Fraction(self.forecast.total, self.budget) if self.forecast is not None else None

    @property
    def hours_left(self) -> int:
        """Hours until the period ends."""
        return self.period.hours.end - self.edge

    @property
    def runs_out(self) -> int | None:
        """The hour in which the budget runs out at the last day's spend; None if it lasts, is used up, or unknown."""
        left = self.budget - self.spent
        if self.last_day is None or self.last_day <= 0 or left <= 0:
            return None
        hour = self.edge + left * HOURS_PER_DAY // self.last_day
        return hour if hour < self.period.hours.end else None

    @property
    def clause(self) -> str:
        """How much of the budget is spent and until when the rest lasts: `$4,100.00 of $5,000.00 (82 %) with …`."""
        return f"{format_usd(self.spent)} {self.rest_clause}"

    @property
    def rest_clause(self) -> str:
        """The clause after what is spent: `of $5,000.00 (82 %) with …`."""
        time_left = (
            f"with {_days(self.hours_left)} left" if self.hours_left else f"at the end of the {self.period.kind}"
        )
        rest = f"of {format_usd(self.budget)} ({share_text(self.share)}) {time_left}"
        runs_out = self.runs_out
        return rest if runs_out is None else f"{rest}; at today's pace it runs out {self._when(runs_out)}"

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What answers the reader's next questions, as (name, text) pairs."""
        left = self.budget - self.spent
        zone = "" if self.timezone == "UTC" else f" ({self.timezone})"
        found = [
            ("Period", f"{self.period.title}{zone}, {share_text(self.elapsed)} over"),
            ("Left", format_usd(left)) if left >= 0 else ("Over budget by", format_usd(-left)),
        ]
        if self.last_day is not None and self.hours_left:
            found.append(("Today's pace", f"{format_usd(self.last_day)} in 24h{self._lasts()}"))
        if self.amount_text:
            found.append(("Budget", f"{format_usd(self.budget)}, {self.amount_text}"))
        if self.pace is not None:
            found.append(("Against the budgeted pace", f"{number_text(self.pace)} times"))
        found += [("Against an even spread", text) for text in (self._rates_text,) if text]
        if self.forecast is not None:
            found.append(("Forecast", self.forecast_text))
        return (*found, *self.planned.facts)

    @property
    def forecast_text(self) -> str:
        """The forecast with its share and range; empty if there is none."""
        if self.forecast is None or self.forecast_share is None:
            return ""
        text = f"{format_usd(self.forecast.total)} ({share_text(self.forecast_share)})"
        if self.forecast.range is None:
            return text
        low, high = self.forecast.range
        return f"{text}, 80 % range by past errors {format_usd(low)} to {format_usd(high)}"

    @property
    def _rates_text(self) -> str:
        """The spend of each window: `$12.00 in 1h, 8.64 times the even $1.39; …`."""
        return "; ".join(
            f"{format_usd(rate.spent)} in {format_duration(window)}, {number_text(rate.spent / rate.even)} times the "
            f"even {format_usd(Usd(round(rate.even)))}"
            for window, rate in self.rates.windows.items()
        )

    def rate_clause(self, burn: Mapping[Severity, Burn], severity: Severity) -> str:
        """How fast money is spent in a severity's windows: `spent at 12 times the even rate in 6h and in 1h`."""
        times = self.rates.measures(burn)[severity]
        return f"spent at {number_text(times)} times the even rate {windows_text(burn[severity])}"

    def _lasts(self) -> str:
        runs_out = self.runs_out
        if runs_out is not None:
            return f": runs out {self._when(runs_out)}"
        return f": lasts the {self.period.kind}" if self.spent < self.budget and self.hours_left else ""

    def _when(self, hour: int) -> str:
        """Return the local day of an hour; for a daily budget, the local time."""
        at = local_time(hour, self.timezone)
        return f"at {at:%H:%M %Z}" if self.period.kind is Period.DAY else f"on {at:%b} {at.day}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStanding:
    """The state of one group's budget."""

    group: Labels
    standing: Standing
    is_complete: bool
    """Whether no data of the period up to the edge is missing."""
    fast: str = ""
    """The clause that says how fast the budget is spent; empty unless that reaches a limit."""


def rank_of(spent: Usd, budget: Usd) -> int:
    """Return an integer that sorts exactly as the spent share does; comparing fractions is fifty times slower."""
    return (spent << _RANK_BITS) // budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One of the ways in which a budget can reach a severity."""

    name: str
    limits: Limits
    measures: Mapping[Severity, Fraction]
    """What each severity compares with its limit; empty if it cannot be judged yet."""
    raised: Fraction = Fraction(0)
    """How much planned spend raises every limit."""

    @classmethod
    def of(cls, name: str, limits: Limits, measure: Fraction | None, *, raised: Fraction = Fraction(0)) -> "Criterion":
        """Return the criterion that uses one measure for every severity; pass None if it cannot be judged yet."""
        measures = dict.fromkeys(limits, measure) if measure is not None else {}
        return cls(name=name, limits=limits, measures=measures, raised=raised)

    def line(self, severity: Severity) -> Fraction:
        """Return what a measure must reach for a severity."""
        return self.limits[severity] + self.raised

    def highest(self, part: Fraction = Fraction(1)) -> Severity | None:
        """Return the highest severity for which the unplanned measure reaches *part* of the limit; None if none."""
        return max(
            (
                severity
                for severity, measure in self.measures.items()
                if measure - self.raised >= self.limits[severity] * part
            ),
            default=None,
        )


def worst(severities: Iterable[Severity | None]) -> Severity | None:
    """Return the highest of some severities; None if there is none."""
    return max((severity for severity in severities if severity is not None), default=None)


def own_thresholds(spend: Criterion, held_by_others: Severity | None) -> tuple[tuple[Severity, Decimal], ...]:
    """
    Return the spend thresholds to show, by severity.

    A severity that is held only by pace, rate or forecast is left out: next to the spent share, its threshold would
    look like a mistake.
    """
    by_spend = spend.highest()
    return tuple(
        (severity, share_value(spend.line(severity)))
        for severity in sorted(spend.limits)
        if held_by_others is None or severity > held_by_others or (by_spend is not None and severity <= by_spend)
    )


def windows_text(burn: Burn) -> str:
    """Return two windows for people: `in 6h and in 1h`."""
    return format_list([f"in {format_duration(window)}" for window in burn.windows])


def reached_by(criteria: Iterable[Criterion]) -> tuple[tuple[str, str], ...]:
    """Return the fact that says which criteria reached which severity; empty if none did."""
    found = [(criterion, severity) for criterion in criteria if (severity := criterion.highest()) is not None]
    texts = [
        f"{criterion.name} ({severity.label} from {_limit_text(criterion, severity)})" for criterion, severity in found
    ]
    return (("Reached by", ", ".join(texts)),) if texts else ()


def _limit_text(criterion: Criterion, severity: Severity) -> str:
    line = criterion.line(severity)
    match criterion.name:
        case "pace":
            return f"{number_text(line)} times"
        case "rate":
            return f"{number_text(line)} times the even one"
        case _:
            return share_text(line)


def share_value(share: Fraction) -> Decimal:
    """Return a share as a decimal, rounded down so finely that no written share is reached by rounding."""
    return plain(Decimal(f"{share.numerator * 10**_SHARE_DIGITS // share.denominator}e-{_SHARE_DIGITS}"))


def share_text(share: Fraction) -> str:
    """Return a share in percent: `82 %`."""
    return format_share(share_value(share))


def number_text(number: Fraction) -> str:
    """Return a number to two digits: `1.3`."""
    return f"{plain(round(share_value(number), 2)):f}"


def _days(hours: int) -> str:
    """Return a duration for people, in whole days from two days on."""
    return f"{hours // HOURS_PER_DAY} d" if hours >= 2 * HOURS_PER_DAY else format_age(timedelta(hours=hours))
