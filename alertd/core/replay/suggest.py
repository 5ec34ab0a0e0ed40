"""
Thresholds that would have fired about once a week and about once a month, from the values of the past.

It uses the value of every group in every hour, with `resolve_below` and without `for`; a row of several hours
counts as spread. Budgets are decisions rather than statistics: nothing is suggested for them.
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, TypeAlias

from alertd.core.alert import Unit
from alertd.core.arrays import distinct, np
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HOURS_PER_DAY, HourRange, start_of, whole_hours
from alertd.core.money import Usd, plain, to_decimal
from alertd.core.replay.past import Past
from alertd.core.replay.replay import Replayer
from alertd.core.rules.base import Metric, ratio_decimal
from alertd.core.rules.first_spend import FirstSpend
from alertd.core.rules.rolling_spend import RollingSpend
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.rules.spike import Spike
from alertd.core.severity import Severity
from alertd.core.spend.rises import compared, first_hours_of
from alertd.core.spend.selection import SpendQuery

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_DAYS = 14
"""Minimum data for a suggestion, two weeks: otherwise a single unusual day would decide."""
_WEEK_DAYS, _MONTH_DAYS = 7, 30
_CANDIDATES = 200
"""Maximum number of values tried; of more, an even selection."""
_DIGITS = 2
_MOST_OF_THE_TIME = 0.5

Values: TypeAlias = "NDArray[np.int64] | NDArray[np.float64]"
"""Values with a row for each hour and a column for each group; money in 1e-10 USD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A threshold and the number of episodes of all groups that it would have begun."""

    threshold: Decimal
    episodes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A rule's current and suggested thresholds."""

    rule: str
    unit: Unit
    present: Mapping[Severity, Level]
    weekly: Level | None
    monthly: Level | None
    days: float
    """The length of the period with values."""
    why_not: str = ""
    """Why nothing is suggested; empty if something is."""


def suggestions(replayer: Replayer) -> tuple[Suggestion, ...]:
    """Return a suggestion for each rule with thresholds on spend, after all hours were replayed."""
    rules = replayer.result().rules
    kinds = (RollingSpend, Spike, FirstSpend)
    return tuple(_suggestion_or_why_not(rule, replayer) for rule in rules if isinstance(rule, kinds))


def _suggestion_or_why_not(rule: RollingSpend | Spike | FirstSpend, replayer: Replayer) -> Suggestion:
    """Suggest thresholds for one rule; sums that do not fit affect only that rule."""
    try:
        return _suggestion(rule, replayer)
    except OverflowError as error:
        unit = Unit.RATIO if isinstance(rule, Spike) else Unit.USD
        return Suggestion(
            rule=rule.name, unit=unit, present={}, weekly=None, monthly=None, days=0.0, why_not=str(error)
        )


def _suggestion(rule: RollingSpend | Spike | FirstSpend, replayer: Replayer) -> Suggestion:
    unit = Unit.RATIO if isinstance(rule, Spike) else Unit.USD
    limits: Mapping[Severity, int | Fraction] = _limits(rule)
    hours = _known_hours(rule, replayer)
    days = len(hours) / HOURS_PER_DAY
    if days < LEAST_DAYS:
        why_not = f"only {days:.1f} days of values with all the hours that it looks back at; it takes {LEAST_DAYS}"
        return Suggestion(rule=rule.name, unit=unit, present={}, weekly=None, monthly=None, days=days, why_not=why_not)
    values = _values(rule, replayer.past.of(rule.view), hours)
    share = rule.resolve_below
    found = [_level(values, share, max(1, round(days / each)), unit) for each in (_WEEK_DAYS, _MONTH_DAYS)]
    return Suggestion(
        rule=rule.name,
        unit=unit,
        present={
            s: Level(threshold=_decimal(x, unit), episodes=_begun(_firing(values, x, share))) for s, x in limits.items()
        },
        weekly=found[0],
        monthly=found[1],
        days=days,
        why_not="" if found[0] is not None else "nothing that it evaluates was ever above zero",
    )


def _limits(rule: RollingSpend | Spike | FirstSpend) -> Mapping[Severity, int | Fraction]:
    if isinstance(rule, FirstSpend):
        return dict(rule.thresholds) or {rule.severity or Severity.WARNING: rule.min_spend}
    return dict(rule.thresholds)


def _known_hours(rule: SpendRule, replayer: Replayer) -> HourRange:
    """Return the replayed hours for which everything in the rule's window had been read."""
    looks_back = rule.window if isinstance(rule, RollingSpend) else rule.lookback()
    past = replayer.past.of(rule.view)
    books = [past.books[key] for key in rule.categories(past.state(start_of(replayer.hours.start)))]
    first = max((book.covered.ranges[0].start for book in books if book.covered), default=replayer.hours.start)
    start = max(replayer.hours.start, first + whole_hours(looks_back))
    return HourRange(min(start, replayer.hours.end), replayer.hours.end)


def _values(rule: RollingSpend | Spike | FirstSpend, past: Past, hours: HourRange) -> Values:
    """Return the value of each group at each hour; zero where no threshold could fire."""
    window, query, first = whole_hours(rule.window), _query_of(rule, past, hours), past.spend.span.start
    span = HourRange(first, hours.end)
    groups = list(past.spend.numbers(query))

    def ending(totals: "NDArray[np.int64]", before: int, length: int) -> "NDArray[np.int64]":
        """Return the sums of the *length* hours that end *before* hours earlier than each hour."""
        ends = np.maximum(np.arange(hours.start - first, hours.end - first) - before, 0)
        sums: NDArray[np.int64] = totals[ends] - totals[np.maximum(ends - length, 0)]
        return sums

    def totals_of(metric: Metric) -> "NDArray[np.int64]":
        return past.spend.running_totals(query, metric, span, np.arange(len(groups)))

    match rule:
        case Spike():
            return _ratios(rule, past, hours)
        case FirstSpend():
            charges = (np.diff(totals_of(Metric.AMOUNT), axis=0) != 0).astype(np.int64)
            counts = np.concatenate([np.zeros((1, len(groups)), np.int64), np.cumsum(charges, axis=0)])
            is_new = ending(counts, window, whole_hours(rule.lookback_)) == 0
            has_owner = np.array([bool(dict(group).get("owner")) for group in groups], bool)
            now = ending(totals_of(rule.metric), 0, window)
            return np.where(is_new & has_owner & (now >= rule.min_spend), now, 0)
        case RollingSpend():
            return ending(totals_of(rule.metric), 0, window)


def _ratios(rule: Spike, past: Past, hours: HourRange) -> Values:
    """Return each group's multiple of its usual spend; 0 where no threshold could decide."""
    query = _query_of(rule, past, hours)
    span = HourRange(rule.lengths.before(hours.start).start, hours.end)
    groups = np.arange(len(past.spend.sums(query, rule.metric, span).groups))
    totals = past.spend.running_totals(query, rule.metric, span, groups)
    first_hours = first_hours_of(totals, span)
    lowest = replace(rule, thresholds={Severity.WARNING: Fraction(1)})
    found = np.zeros((len(hours), len(groups)))
    for row, end in enumerate(range(hours.start, hours.end)):
        (windows,) = compared(totals, span, rule.lengths, [end], first_hours)
        usual = windows.usual / windows.parts
        is_rise = lowest.may_reach(windows)
        found[row] = np.where(is_rise, windows.spent / np.where(usual > 0, usual, 1), 0.0)
    return found


def _query_of(rule: SpendRule, past: Past, hours: HourRange) -> SpendQuery:
    return replace(rule.query, group_by=rule.group_keys, accounts=past.state(start_of(hours.start)).accounts)


def _level(values: Values, share: Fraction, wanted: int, unit: Unit) -> Level | None:
    """
    Return the lowest threshold, rounded up, from which on at most *most* episodes begin.

    A group must not fire most of the time either: that would be its usual spend.
    """
    highest = values.max(axis=0, initial=0)
    order = np.argsort(-highest, kind="stable")
    # Each group that reaches a threshold begins an episode, which bounds the number of groups.
    floor = highest[order[wanted]] if len(order) > wanted else 0
    top = values[:, order[:wanted]]
    candidates = distinct(top[top > max(floor, 0)])[::-1]
    if not len(candidates):
        candidates = distinct(highest[highest > 0])[::-1][:1]
    if not len(candidates):
        return None
    chosen = candidates[0]
    for value in candidates[:: max(1, len(candidates) // _CANDIDATES)]:
        firing = _firing(top, value.item(), share)
        if _begun(firing) > wanted or firing.mean(axis=0).max() > _MOST_OF_THE_TIME:
            break
        chosen = value
    rounded = _rounded_up(_decimal(chosen.item(), unit))
    limit = _units(rounded) if unit is Unit.USD else Fraction(rounded)
    return Level(threshold=rounded, episodes=_begun(_firing(values, limit, share)))


def _firing(values: Values, limit: float | Fraction, share: Fraction) -> "NDArray[np.bool_]":
    """Return when each group fires: from a value at the limit until one below a fraction of it."""
    if values.dtype.kind == "i":
        reached, left = values >= ceil(limit), values < ceil(limit * share)
    else:
        reached, left = values >= float(limit), values < float(limit * share)
    # In hours without either, the state is that of the last hour with one of them.
    hours = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(reached | left, hours, 0), axis=0)
    firing: NDArray[np.bool_] = np.take_along_axis(reached, last, axis=0)
    return firing


def _begun(firing: "NDArray[np.bool_]") -> int:
    """Count the episodes of all groups together."""
    return int(firing[0].sum() + (firing[1:] & ~firing[:-1]).sum())


def _decimal(value: float | Fraction, unit: Unit) -> Decimal:
    return to_decimal(Usd(int(value))) if unit is Unit.USD else ratio_decimal(Fraction(value))


def _units(amount: Decimal) -> int:
    return int(amount.scaleb(10))


def _rounded_up(value: Decimal) -> Decimal:
    """Round up to two digits: 183.92 gives 190."""
    step = Decimal(1).scaleb(value.adjusted() - _DIGITS + 1)
    return plain((value / step).to_integral_value(ROUND_CEILING) * step)
