"""
What will still be spent: the week's rhythm of the last weeks, at the level of the last one.

Each of the next days is expected to cost what its weekday cost in the last five weeks (the mean without the dearest and
the cheapest), times how the last week compares with such a typical week. There a day counts at most double: growth is
followed at once, a single spike is not. A trend is not drawn out further.

The range comes from past errors: the same forecast is made at each past day for the week that followed it, and 80 % of
those errors a day lie in the range; a trend in them widens it the more, the further the end is. How often it holds, on
made months (`tests/core/test_forecast.py`): about 80 % of steady ones, with weekends or without; 60 to 80 % with rare
spikes or steady growth; in the first days only 30 % where the level doubles, as no past error foresees that.
On spend that is only noise around one level the mean of the month so far is as good, and from mid-month on better.

It knows numbers only: which data is complete, and whether there is enough, is the rule's to judge.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from alertd.core.hours import HOURS_PER_DAY

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Cell = TypeVar("Cell", np.float64, np.bool_)

HISTORY_DAYS = 35
"""How much history before a period a forecast looks at: five of each weekday."""
MOST_DAYS = 56
"""Older days than this say nothing of the next ones, within a long period either."""
_WEEK = 7
_LEAST_DAYS = 2
"""With fewer whole days a forecast knows no rhythm: it goes on at the last day's hourly rate."""
_LARGEST_RISE = 2.0
_BEYOND = 1e300
"""More than anybody spends; finite, as infinities of both signs do not add up."""
_CHECK_DAYS = 7
"""Past forecasts are checked against so many days."""
_CHECK_AFTER = 14
"""So many days must be known before the day at which a past forecast is made."""
_LEAST_CHECKS = 9
"""Of fewer errors the largest and smallest hold less than 80 %."""
_OUTSIDE = 0.1
"""The share of errors on either side of the range."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SpendHistory:
    """What groups spent before the data edge, a column each, in any one unit."""

    days: Floats
    """Of each 24 hours that end at the edge or whole days before it, oldest first; 7 or more."""
    heads: Floats
    """The part of each of them in its first `hours_left % 24` hours."""
    hours: Floats
    """Of each of the last 24 hours."""
    hours_left: int
    """How long it is still to go on."""

    def only(self, columns: NDArray[np.intp]) -> "SpendHistory":
        """Return the history of some groups."""
        return SpendHistory(
            days=self.days[:, columns],
            heads=self.heads[:, columns],
            hours=self.hours[:, columns],
            hours_left=self.hours_left,
        )


def known_hours(history: SpendHistory) -> NDArray[np.int64]:
    """Return for how many hours each group has been spending, above 24 in whole days; 0 where it never did."""
    last = len(history.days) - 1
    first = np.argmax(history.days != 0, axis=0)
    of_last_day = HOURS_PER_DAY - np.argmax(history.hours != 0, axis=0)
    hours = np.where(first < last, (last + 1 - first) * HOURS_PER_DAY, of_last_day)
    return np.where((history.days != 0).any(axis=0), hours, 0).astype(np.int64)


def expected_rest(history: SpendHistory) -> Floats:
    """Return what each group is expected to spend in the hours left; never negative where its spend never was."""
    known = _known(history.days)
    by_rhythm = _expected(history.days, known, history.hours_left, _head_share(history, known))
    rate = history.days[-1] / np.clip(known_hours(history), 1, HOURS_PER_DAY)
    is_young = known.sum(axis=0) < _LEAST_DAYS
    return np.where(is_young, rate * history.hours_left, by_rhythm).astype(np.float64)


def rest_range(history: SpendHistory) -> tuple[Floats, Floats]:
    """Return the lower and the upper end of the 80 % range of `expected_rest`; NaN where too little is known."""
    days, known = history.days, _known(history.days)
    length = min(_CHECK_DAYS, max(1, history.hours_left // HOURS_PER_DAY))
    checked = range(_CHECK_AFTER, len(days) - length + 1)
    errors = np.full((max(len(checked), 1), days.shape[1]), np.inf)
    for row, now in enumerate(checked):
        found = _expected(days[:now], known[:now], length * HOURS_PER_DAY, np.zeros(days.shape[1]))
        error = (days[now : now + length].sum(axis=0) - found) / length
        errors[row] = np.where(known[:now].sum(axis=0) >= _CHECK_AFTER, error, np.inf)
    expected = expected_rest(history)
    days_left = history.hours_left / HOURS_PER_DAY
    low, high = _middle(errors, further=max(1.0, (days_left + _WEEK) / (length + _WEEK)))
    least = np.where((days >= 0).all(axis=0), 0.0, -np.inf)
    # The expected sum itself is always inside, also where every past forecast was too low.
    return np.maximum(expected + np.minimum(low, 0) * days_left, least), expected + np.maximum(high, 0) * days_left


def _known(days: Floats) -> Bools:
    """Tell the days that speak for each group: those after the one on which it began, or all if it did before them."""
    first = np.argmax(days != 0, axis=0)
    known: Bools = (np.arange(len(days))[:, None] > first) | (first == 0)
    return known


def _expected(days: Floats, known: Bools, hours_left: int, head_share: Floats) -> Floats:
    week = _typical_week(days, known)
    week = week * _level(days, known, week)
    whole, rest = divmod(hours_left, HOURS_PER_DAY)
    weeks, odd = divmod(whole, _WEEK)
    sums: Floats = weeks * week.sum(axis=0) + week[:odd].sum(axis=0)
    return sums + week[odd] * head_share if rest else sums


def _typical_week(days: Floats, known: Bools) -> Floats:
    """Return the mean of each weekday, without the dearest and the cheapest where three or more are known."""
    spent, is_known = _by_week(days), _by_week(known)
    count = is_known.sum(axis=0)
    total = np.where(is_known, spent, 0).sum(axis=0)
    dearest, cheapest = np.where(is_known, spent, -_BEYOND).max(axis=0), np.where(is_known, spent, _BEYOND).min(axis=0)
    is_trimmed = count >= 3
    kept = np.where(is_trimmed, total - dearest - cheapest, total)
    # Rounding must not carry it out of what was seen, below zero for one.
    mean = np.clip(kept / np.maximum(count - 2 * is_trimmed, 1), cheapest, np.maximum(dearest, cheapest))
    overall = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    week: Floats = np.where(count > 0, mean, overall)
    return week


def _level(days: Floats, known: Bools, week: Floats) -> Floats:
    """Return the last week over a typical one, each day of it at most double its due."""
    is_known = known[-_WEEK:]
    last = np.minimum(days[-_WEEK:], _LARGEST_RISE * np.maximum(week, 0))
    typical = np.where(is_known, week, 0).sum(axis=0)
    level = np.where(is_known, last, 0).sum(axis=0) / np.where(typical > 0, typical, 1)
    return np.where(typical > 0, np.clip(level, 0, _LARGEST_RISE), 1)


def _head_share(history: SpendHistory, known: Bools) -> Floats:
    """Return which part of a day's spend falls into its first hours, as many as the last day to come still has."""
    heads, days = (np.where(known, part, 0)[-HISTORY_DAYS:].sum(axis=0) for part in (history.heads, history.days))
    plain = history.hours_left % HOURS_PER_DAY / HOURS_PER_DAY
    return np.where(days > 0, np.clip(heads / np.where(days > 0, days, 1), 0, 1), plain)


def _middle(errors: Floats, *, further: float) -> tuple[Floats, Floats]:
    """
    Return the quantiles between which 80 % of a further error lie, NaN where there are too few; inf stands for none.

    Args:
        further: How much further ahead, counted from the middle of the week that gives the level, the end lies than
            that of the past forecasts. What they erred by on the mean, a trend, grows with it.

    Source: the Weibull position (n + 1) p, https://en.wikipedia.org/wiki/Quantile#Estimating_quantiles_from_a_sample
    """
    is_error = np.isfinite(errors)
    count = is_error.sum(axis=0)
    is_enough = count >= _LEAST_CHECKS
    ordered = np.sort(np.where(is_enough, errors, 0), axis=0)
    trend = np.where(is_error, errors, 0).sum(axis=0) / np.maximum(count, 1) * (further - 1)
    ends = []
    # The trend only widens: taken off the other end it would make the range of steady spend too narrow.
    for share, widened in ((_OUTSIDE, np.minimum(trend, 0)), (1 - _OUTSIDE, np.maximum(trend, 0))):
        place = np.clip((count + 1) * share - 1, 0, np.maximum(count - 1, 0))
        below = np.floor(place).astype(np.intp)
        above = np.ceil(place).astype(np.intp)
        low, high = (np.take_along_axis(ordered, at[None, :], axis=0)[0] for at in (below, above))
        ends.append(np.where(is_enough, low + (high - low) * (place - below) + widened, np.nan))
    return ends[0], ends[1]


def _by_week(values: NDArray[Cell]) -> NDArray[Cell]:
    """Return the last days as (weeks, 7, groups); the first of each seven has the weekday of the next day to come."""
    count = min(HISTORY_DAYS, len(values)) // _WEEK
    return values[len(values) - count * _WEEK :].reshape(count, _WEEK, -1)
