"""In which hours a spike rule has to be judged: bounds of the windows and their baselines, by hour and group."""

from typing import TYPE_CHECKING

from alertd.core.arrays import np
from alertd.core.dataclass import replace
from alertd.core.hours import HOURS_PER_DAY, HourRange, whole_hours
from alertd.core.rules.rise import LARGEST_RATIO
from alertd.core.rules.screen import Course, CourseOf, Screen, beginnings, hours_that_see
from alertd.core.spend.foreseen import Foreseen
from alertd.core.spend.rises import Compare, Windows, double_usual, first_hours_of
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.stretch import Stretch, last_of, of_both, sums_over, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alertd.core.rules.spike import Spike

    Sums = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_FLOAT_SLACK = 1e-9
"""Relative tolerance of float comparisons."""
_MILLIONTHS = 10**6
"""Values of spikes are rounded down to these."""


def screen_of_spike(rule: "Spike", stretch: Stretch, query: SpendQuery) -> Screen | None:
    """
    Return in which hours a group may begin to reach a severity, or an alert may change; None if that is not known.

    Raises:
        OverflowError: A sum does not fit.
    """
    if stretch.longest > HOURS_PER_DAY:
        # A row this long may cover hours of a baseline before it is known.
        return None
    length = rule.lengths.window
    oldest = len(rule.lengths.before(0)) + length
    hours = np.arange(stretch.first_end - oldest - length, stretch.hours.end)
    totals = stretch.whole_totals(query, rule.metric, hours)
    parts = of_both(totals, lambda each: sums_over(each, length))
    spent, each = stretch.highest(of_both(parts, lambda each: each[oldest:])), whole(parts)
    may_begin = spent >= max(1, rule.min_increase)
    is_daily = stretch.is_daily(query)
    for behind, columns in ((stretch.settle_hours + 1, ~is_daily), (stretch.behind, is_daily)):
        least = _least_high(rule, each[:, columns], stretch, behind, oldest)
        may_begin[:, columns] &= spent[:, columns] >= least
    # Daily rows just before a window shorter than a day may not be known yet; spend and a credit that cancel hide since
    # when a group has spent.
    is_plain = (~is_daily | (length >= HOURS_PER_DAY)) & ~stretch.with_credit(query)
    asked = np.flatnonzero(may_begin.any(axis=0) & is_plain)
    if len(asked) and rule.compare is Compare.SAME_HOURS:
        rises = _rises(rule, whole(totals)[:, asked], each[oldest:, asked], stretch)
        hourly, longer = stretch.latest(rises, np.maximum), last_of(rises, stretch.behind, np.maximum)
        may_begin[:, asked] &= np.where(is_daily[asked], longer, hourly)
    return Screen(
        stretch=stretch, query=query, may_begin=beginnings(may_begin), course_of=_courses(rule, stretch, query, hours)
    )


def _least_high(rule: "Spike", windows: "Sums", stretch: Stretch, behind: int, oldest: int) -> "NDArray[np.float64]":
    """Return the least spend, by hour and group, that is high enough, by windows that lie in every baseline."""
    count, length = len(stretch.hours), rule.lengths.window
    last, first = len(windows) - count - behind - length, len(windows) - count - oldest + length
    rows = [windows[at : at + count] for at in range(last, first - 1, -length)]
    if not rows or not rule.above_highest:
        return np.full((count, windows.shape[1]), -np.inf)
    highest: NDArray[np.float64] = np.max(rows, axis=0) * (float(rule.above_highest) * (1 - _FLOAT_SLACK))
    return highest


def _rises(rule: "Spike", totals: "Sums", spent: "Sums", stretch: Stretch) -> "Flags":
    """Return which windows exceed the usual spend of their hours by enough, by end and group."""
    span = HourRange(stretch.hours.end - len(totals), stretch.hours.end - 1)
    usual, _ = double_usual(totals, span.start, stretch.ends, rule.lengths, first_hours_of(totals, span))
    least = float(min(rule.thresholds.values())) * (1 - _FLOAT_SLACK) / 2
    found: Flags = (usual > 0) & (spent >= usual * least)
    return found


def _courses(rule: "Spike", stretch: Stretch, query: SpendQuery, hours: "Sums") -> CourseOf:
    """
    Return the courses of groups that are billed by the hour and have no credits.

    Args:
        hours: Those of the totals from which windows and baselines are computed.
    """
    missing = stretch.missing(rule.categories(stretch.data))
    reach = whole_hours(rule.lookback()) + stretch.behind
    is_known, with_credit = ~hours_that_see(missing, stretch.hours, reach), stretch.with_credit(query)

    def course(number: int) -> Course | None:
        is_sure = is_known & Foreseen.of(stretch, query, rule.metric).is_current[:, number]
        if with_credit[number] or not is_sure.any():
            return None
        ends = _windows(rule, stretch, stretch.totals(query, rule.metric, hours, np.array([number])), int(hours[0]))
        lasting = is_sure & np.logical_and.reduce([each.usual > 0 for each, _ in ends])
        ratios = np.array([_millionths(each) for each, _ in ends])
        return Course(
            low=ratios.min(axis=0),
            high=ratios.max(axis=0),
            may_reach={
                severity: np.logical_or.reduce([rule.meets(most, limit) for most, _ in ends])
                for severity, limit in rule.thresholds.items()
            },
            holds={
                severity: lasting
                & np.logical_and.reduce(
                    [rule.meets(least, limit, part=rule.resolve_below, slack=-_FLOAT_SLACK) for _, least in ends]
                )
                for severity, limit in rule.thresholds.items()
            },
            beyond=lambda peak: int(peak * _MILLIONTHS) + 1,
        )

    return course


def _windows(rule: "Spike", stretch: Stretch, totals: "Sums", first: int) -> list[tuple[Windows, Windows]]:
    """
    Return the windows that may count in each hour, an element of each array for each hour.

    The highest earlier window is that of the baseline of one of the last possible edges, whichever it is.

    Args:
        totals: The totals of one group, as a column.
        first: The hour of the first of them.

    Returns:
        For each possible end the window as it seems highest, and as it seems lowest.
    """
    lengths, ends, count = rule.lengths, stretch.ends, len(stretch.hours)
    length, baseline = lengths.window, len(lengths.before(0))
    first_hours = first_hours_of(totals, HourRange(first, first + len(totals) - 1))
    rows = ends - first
    spent = (totals[rows] - totals[rows - length])[:, 0]
    if lengths.compare is Compare.SAME_HOURS:
        doubled, is_known = double_usual(totals, first, ends, lengths, first_hours)
        usual, parts = np.where(is_known, doubled, 0)[:, 0], 2
    else:
        starts = rows - length
        usual, parts = (totals[starts] - totals[starts - lengths.windows * length])[:, 0], lengths.windows
    highest = np.zeros(len(ends), np.int64)
    if baseline >= length:
        highest = last_of(sums_over(totals, length), baseline - length, np.maximum)[rows - baseline - length][:, 0]
    known = ends - length - np.maximum(first_hours, ends - length - baseline)
    found = []
    for back in range(stretch.settle_hours + 2):
        at = slice(stretch.behind - back, stretch.behind - back + count)
        most = Windows(
            end=back,
            spent=spent[at],
            usual=usual[at],
            parts=np.full(count, parts, np.int64),
            highest=-last_of(-highest, stretch.behind, np.maximum),
            known_for=known[stretch.behind :],
            is_lower=np.ones(count, np.bool_),
            is_upper=np.ones(count, np.bool_),
        )
        highest_of_all = last_of(highest, stretch.behind, np.maximum)
        found.append((most, replace(most, highest=highest_of_all, known_for=known[:count])))
    return found


def _millionths(windows: Windows) -> "Sums":
    """Return each window's ratio as it is shown; the largest without anything usual."""
    most = int(LARGEST_RATIO) * _MILLIONTHS
    each = zip(windows.spent.tolist(), windows.usual.tolist(), windows.parts.tolist(), strict=True)
    return np.array([min(s * p * _MILLIONTHS // u, most) if u > 0 else most for s, u, p in each], np.int64)
