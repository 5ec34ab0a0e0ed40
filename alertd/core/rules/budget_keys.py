"""The keys of a `budget`: what can be written and which combinations make no sense. Module `budget` evaluates them."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from fractions import Fraction
from typing import Annotated

from alertd.core.calendar import KEY_FORMS, LONGEST, Period, PeriodStart, YearDay, is_key
from alertd.core.dataclass import dataclass
from alertd.core.key import Key
from alertd.core.money import Usd
from alertd.core.rules.budget_amount import Amount, Moving
from alertd.core.rules.even_rate import Burn, burn_problems
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.rule import Problem, Share, rising_problems
from alertd.core.rules.standing import Limits
from alertd.core.severity import Severity
from alertd.core.spend.forecast import HISTORY_DAYS

_LEAST_SHARE = Fraction(1, 1000)
_WHOLE = Share(Fraction(1))


@dataclass(frozen=True, kw_only=True)
class BudgetKeys(GroupRule):
    """The keys that an author writes for a budget."""

    period: Annotated[
        Period,
        Key("Calendar period; weeks begin on Monday. A new period begins a new alert.", example="month"),
    ]
    starts_on: Annotated[
        PeriodStart | None,
        Key(
            "Where the period begins: a day of the month from 1 to 28 for `month`, a month and day for `year`.",
            example="04-06",
        ),
    ] = None
    amount: Annotated[
        Amount,
        Key(
            "The budget of each group for one period; `last_period`: what the group spent in the period before.",
            example="$5,000",
            at_least=1,
        ),
    ]
    grow: Annotated[
        Share,
        Key(
            "The share of the last period's spend that `amount: last_period` allows.",
            example="110%",
            at_least=_LEAST_SHARE,
            at_most=Fraction(100),
        ),
    ] = _WHOLE
    amounts_by_period: Annotated[
        Mapping[str, Usd],
        Key(
            'Amounts of single periods, each named by the day on which it begins: "2026", 2026-Q1, 2026-12, 2026-W10 '
            "or 2026-12-05, as `period` says. Other periods have `amount`.",
            example={"2026-12": "$8,000"},
            at_least=1,
        ),
    ] = field(default_factory=dict)
    amounts: Annotated[
        Mapping[str, Usd],
        Key(
            "Budgets of single groups in every period: an owner's id or name, or a team, to USD; needs `group_by` "
            "owner or team.",
            example={"research": "$500"},
            at_least=1,
        ),
    ] = field(default_factory=dict)
    timezone: Annotated[
        str, Key("IANA time zone whose midnights begin the period, to the whole UTC hour.", example="Europe/Berlin")
    ] = "UTC"
    thresholds: Annotated[
        Mapping[Severity, Share],
        Key("Severity to the spent share of the amount.", example={"warning": "80%"}, at_least=_LEAST_SHARE),
    ] = field(default_factory=dict)
    pace: Annotated[
        Mapping[Severity, Fraction],
        Key(
            "Severity to the spent share divided by the elapsed share, once a tenth of the period is over.",
            example={"warning": 1.3},
            at_least=Fraction(1, 10),
            at_most=Fraction(100),
        ),
    ] = field(default_factory=dict)
    burn: Annotated[
        Mapping[Severity, Burn],
        Key(
            "Severity to a rate and two windows: each window must cost at least `rate` times what an "
            "even spread of the amount allows for it. It works from the period's first hour on and "
            "needs no history.",
            example={"critical": {"rate": 10, "windows": ["6h", "1h"]}},
        ),
    ] = field(default_factory=dict)
    forecast: Annotated[
        Mapping[Severity, Share],
        Key(
            "Severity to the forecast for the end of the period as a share of the amount, once a "
            "tenth of the period is over and the group has been spending for as long.",
            example={"warning": "100%"},
            at_least=_LEAST_SHARE,
        ),
    ] = field(default_factory=dict)
    min_history: Annotated[
        timedelta,
        Key(
            "A group that has been spending for at least this long has a forecast from the period's first hour on.",
            example="14d",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=HISTORY_DAYS),
        ),
    ] = timedelta()

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with limits, amounts and the period's start, and keys that would do nothing."""
        if not (self.thresholds or self.pace or self.burn or self.forecast):
            yield (
                "thresholds",
                "nothing can be reached; write thresholds: {warning: 80%}, or pace:, burn: or forecast:",
            )
        limits: tuple[tuple[str, Limits], ...] = (
            ("thresholds", self.thresholds),
            ("pace", self.pace),
            ("forecast", self.forecast),
        )
        for key, values in limits:
            if values:
                yield from rising_problems(key, values)
        yield from burn_problems(self.burn)
        yield from self._start_problems()
        yield from self._amount_problems()
        if self.min_history and not self.forecast:
            yield "min_history", "min_history does nothing without forecast; write forecast: {…}, or remove it"

    def _start_problems(self) -> Iterator[Problem]:
        match self.period, self.starts_on:
            case _, None:
                return
            case Period.MONTH, YearDay():
                yield (
                    "starts_on",
                    f"{self.starts_on} is a day of the year; a month starts on a day from 1 to 28, e.g. 15",
                )
            case Period.YEAR, int():
                yield "starts_on", f"{self.starts_on} is a day of the month; write month and day, e.g. 04-06"
            case ((Period.MONTH | Period.YEAR), _):
                return
            case Period.WEEK, _:
                yield "starts_on", "starts_on is for period month and year; a week begins on Monday, so remove it"
            case Period.QUARTER, _:
                text = "a quarter begins with January, April, July and October"
                yield "starts_on", f"starts_on is for period month and year; {text}, so remove it"
            case _:
                yield "starts_on", "starts_on is for period month and year; a day begins at midnight, so remove it"

    def _amount_problems(self) -> Iterator[Problem]:
        if self.grow != _WHOLE and self.amount is not Moving.LAST_PERIOD:
            yield "grow", "grow does nothing without amount: last_period; write that, or remove it"
        if self.amounts and not {"owner", "team"} & set(self.group_by):
            yield "amounts", "amounts needs groups to give them to; write group_by: [owner] or group_by: [team]"
        for key in self.amounts_by_period:
            if not is_key(key, self.period):
                what = f"{key[:40]} is not a {self.period} of the calendar"
                yield ("amounts_by_period", key), f"{what}; a {self.period} is written like {KEY_FORMS[self.period]}"

    def lookback(self) -> timedelta:
        """Return the longest period plus the time before it that an amount, a forecast or a window needs."""
        before = [timedelta(days=HISTORY_DAYS), *(window for one in self.burn.values() for window in one.windows)]
        if self.amount is Moving.LAST_PERIOD:
            before.append(LONGEST[self.period])
        return LONGEST[self.period] + max(before)
