"""
What will still be spent: the weekly rhythm of the last weeks, at the level of the last week.

If spend has stepped to another level (a GPU left on, a fleet stopped), the days before the step are first adjusted to
the level after it: see `carried_to_last_step`. Then each of the next days is expected to cost what its weekday cost in
the last five weeks (the mean without the dearest and the cheapest), times the ratio of the last week to such a week.
In that ratio a day counts at most double: growth is followed at once, a single spike is not. A trend is not
extrapolated.

The range comes from past errors: the same forecast is made at each past day for the week that followed it, and 80 % of
those errors, as shares of what was forecast, lie in the range; a trend in them widens it, the more so the further away
the end is. `python -m tests.bench.forecast` measures both on synthetic months, against three simple extrapolations. The
range contains the true end of 70 to 90 % of months; fewer if single dear days are rare, or if a step is still to come.
While a rise is less than a week old it may be an amount per day or a factor: the forecast assumes one of them, and the
range covers both. For spend that is only noise around one level, the mean of the month so far is slightly better from
mid-month on.

This module knows numbers only: the rule judges which data is complete, and whether there is enough.
"""

from typing import TYPE_CHECKING, TypeAlias, TypeVar

from alertd.core.arrays import np
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats: TypeAlias = "NDArray[np.float64]"
Bools: TypeAlias = "NDArray[np.bool_]"
Cell = TypeVar("Cell", "np.float64", "np.bool_")

HISTORY_DAYS = 35
"""Days of history before a period that a forecast uses: five of each weekday."""
MOST_DAYS = 56
"""Maximum days of history, even within a long period: older days say nothing about the next ones."""
_WEEK = 7
_LEAST_DAYS = 2
"""Minimum whole days for a rhythm: with fewer, a forecast continues at the last day's hourly rate."""
_LARGEST_RISE = 2.0
STEP = 1.3
"""Factor by which a day must exceed, or fall below, all earlier ones to be on a new level."""
_LONGEST_SINCE_STEP = 28
"""Maximum days since a step: the typical week reflects older ones."""
_LEAST_BEFORE_STEP = 7
"""Minimum known days before a step."""
_ENOUGH_TO_TELL = 4
"""Minimum days since a rise that show whether it is an amount per day or a factor."""
_ROUNDING = 1e-9
"""Relative tolerance, far above the rounding error of float ratios."""
_AT_ONCE = 512
"""Number of groups that are examined together."""
_BEYOND = 1e300
"""More than any spend; finite, as adding infinities of opposite signs gives NaN."""
_CHECK_DAYS = 7
"""Maximum days against which a past forecast is checked."""
_CHECK_AFTER = 14
"""Minimum known days before the day of a past forecast."""
_LEAST_CHECKS = 9
"""Minimum number of errors: with fewer, even the smallest and largest enclose less than 80 %."""
_WIDENED = 1.1
"""Factor by which errors exceed the past ones that predict them, as measured on synthetic months."""
_OUTSIDE = 0.1
"""The share of errors on either side of the range."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpendHistory:
    """What groups spent before the data edge, a column for each group, in any one unit."""

    days: Floats
    """The spend of each 24 hours that end at the edge or whole days before it, oldest first; 7 or more."""
    heads: Floats
    """The part of each day's spend in its first `hours_left % 24` hours."""
    hours: Floats
    """The spend of each of the last 24 hours."""
    hours_left: "int | NDArray[np.int64]"
    """The number of hours to forecast, for all groups or for each."""

    def only(self, columns: "NDArray[np.intp]") -> "SpendHistory":
        """Return the history of some groups."""
        return SpendHistory(
            days=self.days[:, columns],
            heads=self.heads[:, columns],
            hours=self.hours[:, columns],
            hours_left=self.hours_left,
        )


def known_hours(history: SpendHistory) -> "NDArray[np.int64]":
    """Return for how many hours each group has been spending, above 24 in whole days; 0 if it never did."""
    last = len(history.days) - 1
    first = np.argmax(history.days != 0, axis=0)
    of_last_day = HOURS_PER_DAY - np.argmax(history.hours != 0, axis=0)
    hours = np.where(first < last, (last + 1 - first) * HOURS_PER_DAY, of_last_day)
    return np.where((history.days != 0).any(axis=0), hours, 0).astype(np.int64)


def expected_rest(history: SpendHistory) -> Floats:
    """Return what each group is expected to spend in the hours left; never negative if its spend never was."""
    known = _known(history.days)
    days, _ = carried_to_last_step(history.days, known)
    return _rest(history, known, days)


def _rest(history: SpendHistory, known: Bools, days: Floats) -> Floats:
    by_rhythm = _expected(days, known, history.hours_left, _head_share(history, known))
    rate = history.days[-1] / np.clip(known_hours(history), 1, HOURS_PER_DAY)
    is_young = known.sum(axis=0) < _LEAST_DAYS
    return np.where(is_young, rate * history.hours_left, by_rhythm).astype(np.float64)


def rest_range(history: SpendHistory) -> tuple[Floats, Floats]:
    """
    Return the lower and the upper end of the 80 % range of `expected_rest`; NaN if too little is known.

    All groups must have the same number of hours left.
    """
    known = _known(history.days)
    days, other = carried_to_last_step(history.days, known)
    low, high = _range(history, known, days)
    # A few days do not show whether a rise is an amount per day or a factor: the range covers both.
    fresh = np.flatnonzero((other != days).any(axis=0))
    if len(fresh):
        other_low, other_high = _range(history.only(fresh), known[:, fresh], other[:, fresh])
        low[fresh], high[fresh] = np.minimum(low[fresh], other_low), np.maximum(high[fresh], other_high)
    return low, high


def _range(history: SpendHistory, known: Bools, days: Floats) -> tuple[Floats, Floats]:
    hours_left = int(np.max(history.hours_left))
    length = min(_CHECK_DAYS, max(1, hours_left // HOURS_PER_DAY))
    errors, is_share = _past_errors(days, known, length)
    expected = _rest(history, known, days)
    days_left = hours_left / HOURS_PER_DAY
    low, high = _middle(errors, further=max(1.0, (days_left + _WEEK) / (length + _WEEK)))
    scale = _WIDENED * np.where(is_share, np.abs(expected), days_left)
    least = np.where((history.days >= 0).all(axis=0), 0.0, -np.inf)
    # The expected sum itself is always inside, even if every past forecast was too low.
    return np.maximum(expected + np.minimum(low, 0) * scale, least), expected + np.maximum(high, 0) * scale


def _past_errors(days: Floats, known: Bools, length: int) -> tuple[Floats, Bools]:
    """
    Return by how much the forecasts of past days were too low, inf if there was no forecast.

    The errors are shares of what was forecast, so that growth counts in proportion; amounts per day for groups with a
    forecast of zero or less.

    Returns:
        The errors, a row for each past day; and for which groups they are shares.
    """
    checked = range(_CHECK_AFTER, len(days) - length + 1)
    found = np.full((max(len(checked), 1), days.shape[1]), np.nan)
    actual = np.full_like(found, np.nan)
    for row, now in enumerate(checked):
        rest = _expected(days[:now], known[:now], length * HOURS_PER_DAY, np.zeros(days.shape[1]))
        found[row] = np.where(known[:now].sum(axis=0) >= _CHECK_AFTER, rest, np.nan)
        actual[row] = days[now : now + length].sum(axis=0)
    is_share: Bools = np.logical_not((found <= 0).any(axis=0))
    errors = (actual - found) / np.where(is_share & (found > 0), found, length)
    return np.where(np.isnan(errors), np.inf, errors), is_share


def _known(days: Floats) -> Bools:
    """Return the days that count for each group: those after the one on which it began, or all if it began earlier."""
    first = np.argmax(days != 0, axis=0)
    known: Bools = (np.arange(len(days))[:, None] > first) | (first == 0)
    return known


def _expected(days: Floats, known: Bools, hours_left: "int | NDArray[np.int64]", head_share: Floats) -> Floats:
    week = _typical_week(days, known)
    week = week * _level(days, known, week)
    whole, rest = np.divmod(hours_left, HOURS_PER_DAY)
    weeks, odd = np.divmod(whole, _WEEK)
    each = np.arange(week.shape[1])
    sums = np.concatenate((np.zeros((1, len(each))), np.cumsum(week, axis=0)))
    found: Floats = weeks * sums[_WEEK] + sums[odd, each] + np.where(rest > 0, week[odd, each] * head_share, 0)
    return found


def carried_to_last_step(days: Floats, known: Bools) -> tuple[Floats, Floats]:
    """
    Return the days, with those before each group's latest step adjusted to the level after it.

    A step is the latest day since which every day's ratio to the typical week known before it is above
    `STEP` times the highest ratio before, or as far below the lowest. The day before it may be on both levels and
    counts for neither. A rise is a flat amount per day, as from a GPU left on, or a factor if that fits the days since
    clearly better; a fall is a factor. Groups without a step keep their days.

    Returns:
        The days; and the days with each rise of less than a week ago taken as the other kind.
    """
    carried, other = days.copy(), days.copy()
    backs = range(_LEAST_DAYS, min(_LONGEST_SINCE_STEP, len(days) - _WEEK - 1) + 1)
    is_open = known.sum(axis=0) > _LEAST_BEFORE_STEP
    may_step = _may_have_stepped(days, known, backs)
    for back, is_worth in zip(backs, may_step, strict=True):
        groups = np.flatnonzero(is_worth & is_open)
        if not len(groups):
            continue
        step = _Step.look_for(days[:, groups], known[:, groups], back)
        here = step.is_rise | step.is_fall
        is_factor = step.is_factor(days[:, groups])
        carried[:, groups[here]] = step.carried(days[:, groups], is_factor)[:, here]
        is_other = step.is_fall | ~is_factor if back < _WEEK else is_factor
        other[:, groups[here]] = step.carried(days[:, groups], is_other)[:, here]
        is_open[groups[here]] = False
    return carried, other


def _may_have_stepped(days: Floats, known: Bools, backs: range) -> Bools:
    """
    Return, for each day of a step, which groups may have one: most do not, and this costs less than one full check.

    The highest ratio before a step is at least that of the same weekday in the week before it, and the lowest at most
    that; both are ratios to the same typical day. Each day since must therefore lie beyond `STEP` times that earlier
    day. Checking the last week of days excludes nearly all groups.
    """
    found = np.zeros((len(backs), days.shape[1]), np.bool_)
    if not len(backs):
        return found
    back = np.array(backs)[:, None]
    ago = np.arange(_WEEK)
    places = len(days) - back - 1 - _WEEK + (back - ago) % _WEEK
    is_before = (ago >= back)[:, :, None]
    for first in range(0, days.shape[1], _AT_ONCE):
        chosen = slice(first, first + _AT_ONCE)
        since, earlier = days[: -_WEEK - 1 : -1, chosen][None], days[places, chosen]
        rounding = _ROUNDING * (np.abs(since) + np.abs(earlier))
        is_free = ~known[places, chosen] | is_before
        may_rise = (is_free | (since - STEP * earlier > -rounding)).all(axis=1)
        may_fall = (is_free | (since * STEP - earlier < rounding)).all(axis=1)
        found[:, chosen] = may_rise | may_fall
    return found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Step:
    """A possible step in some groups' days: the last *back* of them are on another level than those before."""

    back: int
    due: Floats
    """What each of the last `back` days would have cost on the level before."""
    is_rise: Bools
    is_fall: Bools

    @classmethod
    def look_for(cls, days: Floats, known: Bools, back: int) -> "_Step":
        before, is_known = days[: -back - 1], known[: -back - 1]
        week = _typical_week(before, is_known)
        place = (np.arange(back) + 1) % _WEEK
        since = _over(days[-back:], week[place])
        held = min(HISTORY_DAYS, len(before) // _WEEK * _WEEK)
        earlier = _over(before[-held:], np.tile(week, (held // _WEEK, 1)))
        counts = is_known[-held:] & ~np.isnan(earlier)
        is_enough = counts.sum(axis=0) >= _LEAST_BEFORE_STEP
        highest, lowest = np.where(counts, earlier, -np.inf).max(axis=0), np.where(counts, earlier, np.inf).min(axis=0)
        return cls(
            back=back,
            due=(week * _level(before, is_known, week))[place],
            is_rise=is_enough & (since > STEP * highest).all(axis=0),
            is_fall=is_enough & (since * STEP < lowest).all(axis=0),
        )

    def is_factor(self, days: Floats) -> Bools:
        """Return for which groups the step is a factor, and not a flat amount per day."""
        since = days[-self.back :]
        ways = (self.due + self._flat(since), self.due * self._factor(since))
        off_by_flat, off_by_factor = (((since - there) ** 2).sum(axis=0) for there in ways)
        fits: Bools = off_by_factor < off_by_flat / 2
        return self.is_fall | (fits & (self.back >= _ENOUGH_TO_TELL))

    def carried(self, days: Floats, is_factor: Bools) -> Floats:
        """Return the days with those before the step as they would have been on the level after it."""
        since = days[-self.back :]
        flat, factor = self._flat(since), self._factor(since)
        moved = np.where(is_factor, days * factor, days + flat)
        # The day of the step is on both levels: it is replaced by the same weekday of the week before.
        day: Floats = days[-self.back - 1 - _WEEK]
        moved[-self.back - 1] = np.where(is_factor, day * factor, day + flat)
        moved[-self.back :] = since
        return moved

    def _flat(self, since: Floats) -> Floats:
        flat: Floats = (since - self.due).mean(axis=0)
        return flat

    def _factor(self, since: Floats) -> Floats:
        total = self.due.sum(axis=0)
        return np.where(total > 0, since.sum(axis=0) / np.where(total > 0, total, 1), 1)


def _over(days: Floats, due: Floats) -> Floats:
    """Return the ratio of days to what was due, NaN if nothing was due."""
    ratio: Floats = np.divide(days, due, out=np.full_like(days, np.nan), where=due > 0)
    return ratio


def _typical_week(days: Floats, known: Bools) -> Floats:
    """Return the mean of each weekday, without the dearest and the cheapest if three or more are known."""
    spent, is_known = _by_week(days), _by_week(known)
    count = is_known.sum(axis=0)
    total = np.where(is_known, spent, 0).sum(axis=0)
    dearest, cheapest = np.where(is_known, spent, -_BEYOND).max(axis=0), np.where(is_known, spent, _BEYOND).min(axis=0)
    is_trimmed = count >= 3
    kept = np.where(is_trimmed, total - dearest - cheapest, total)
    # Rounding must not move the mean outside the observed range, for example below zero.
    mean = np.clip(kept / np.maximum(count - 2 * is_trimmed, 1), cheapest, np.maximum(dearest, cheapest))
    overall = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    week: Floats = np.where(count > 0, mean, overall)
    return week


def _level(days: Floats, known: Bools, week: Floats) -> Floats:
    """Return the ratio of the last week to a typical one, each day counted at most double; 1 if the latter is zero."""
    is_known = known[-_WEEK:]
    last = np.minimum(days[-_WEEK:], _LARGEST_RISE * np.maximum(week, 0))
    typical = np.where(is_known, week, 0).sum(axis=0)
    level = np.where(is_known, last, 0).sum(axis=0) / np.where(typical > 0, typical, 1)
    return np.where(typical > 0, np.clip(level, 0, _LARGEST_RISE), 1)


def _head_share(history: SpendHistory, known: Bools) -> Floats:
    """Return the share of a day's spend in its first hours: as many hours as the last day of the forecast has."""
    heads, days = (np.where(known, part, 0)[-HISTORY_DAYS:].sum(axis=0) for part in (history.heads, history.days))
    plain = history.hours_left % HOURS_PER_DAY / HOURS_PER_DAY
    return np.where(days > 0, np.clip(heads / np.where(days > 0, days, 1), 0, 1), plain)


def _middle(errors: Floats, *, further: float) -> tuple[Floats, Floats]:
    """
    Return the quantiles that enclose 80 % of future errors, NaN with too few errors; inf marks a missing one.

    Args:
        further: How many times further ahead the middle of the forecast lies than that of the past forecasts, counted
            from the middle of the week that gives the level. Their mean error, a trend, grows with it.

    Source: the Weibull position (n + 1) p, https://en.wikipedia.org/wiki/Quantile#Estimating_quantiles_from_a_sample
    """
    is_error = np.isfinite(errors)
    count = is_error.sum(axis=0)
    is_enough = count >= _LEAST_CHECKS
    ordered = np.sort(np.where(is_enough, errors, 0), axis=0)
    trend = np.where(is_error, errors, 0).sum(axis=0) / np.maximum(count, 1) * (further - 1)
    ends = []
    # The trend only widens: subtracted from the other end, it would make the range of steady spend too narrow.
    for share, widened in ((_OUTSIDE, np.minimum(trend, 0)), (1 - _OUTSIDE, np.maximum(trend, 0))):
        place = np.clip((count + 1) * share - 1, 0, np.maximum(count - 1, 0))
        below = np.floor(place).astype(np.intp)
        above = np.ceil(place).astype(np.intp)
        low, high = (np.take_along_axis(ordered, at[None, :], axis=0)[0] for at in (below, above))
        ends.append(np.where(is_enough, low + (high - low) * (place - below) + widened, np.nan))
    return ends[0], ends[1]


def _by_week(values: "NDArray[Cell]") -> "NDArray[Cell]":
    """Return the last days as (weeks, 7, groups); the first of each seven has the weekday of the first forecast day."""
    count = min(HISTORY_DAYS, len(values)) // _WEEK
    return values[len(values) - count * _WEEK :].reshape(count, _WEEK, -1)
