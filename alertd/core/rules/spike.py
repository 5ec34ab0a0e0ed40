"""
`spike`: a group's spend in the window, divided by the usual spend of the same hours or of the windows just before.

Groups with less than `min_history` of spend are ignored; `first_spend` is for those. Without usual spend there is no
ratio: no alert begins, and one that is already open stays until the rise has ended.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Annotated, ClassVar

from alertd.core.alert import Alert, Sample, Unit
from alertd.core.arrays import np
from alertd.core.chart import Chart, ChartLimit
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, hour_of, start_of, whole_hours
from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD, Usd, decimal_text, format_usd
from alertd.core.rules.base import Key, highest, hourly_problems, owner_labels, ratio_decimal, rising_problems
from alertd.core.rules.facts import Facts
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.rise import LARGEST_RATIO, JudgedRise, Rise, rank, ratio_of
from alertd.core.rules.screen import Screen
from alertd.core.rules.spike_screen import screen_of_spike
from alertd.core.rules.verdicts import Unmoved
from alertd.core.severity import Severity
from alertd.core.spend.contributors import risen_parts
from alertd.core.spend.data_state import Gap
from alertd.core.spend.edges import Edges, lagging
from alertd.core.spend.ends import TwoEnds, two_ends
from alertd.core.spend.planned import NOTHING_PLANNED
from alertd.core.spend.rises import Compare, Lengths, Windows, usual_at, windows_of
from alertd.core.spend.spend_chart import NOT_COMPLETE, bar_chart, limit_lines
from alertd.core.spend.stretch import Stretch
from alertd.core.words import format_duration, format_instant, format_share, group_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHOLE = Fraction(1)
_LEAST_BOUNDS = 2
"""Number of bounds that enclose one window."""
_FLOAT_SLACK = 1e-9
"""Relative tolerance of float comparisons; what passes them is compared exactly."""


@dataclass(frozen=True, kw_only=True)
class Spike(GroupRule):
    """Compare each group's spend in a window with its usual spend."""

    TYPE: ClassVar[str] = "spike"
    HELP: ClassVar[str] = (
        "The window's spend divided by the usual spend: the median of the same hours of the week (of "
        "the day, while less than two whole weeks are known), or the mean of the windows just before."
        " A group that has spent for less than `min_history` raises no alert (`first_spend` does), "
        "nor does one without usual spend."
    )
    ADVICE: ClassVar[str] = (
        "Ask these owners what changed: stop what is not meant; what is meant counts as usual once the baseline "
        "holds it."
    )

    window: Annotated[
        timedelta,
        Key("Whole hours.", example="24h", at_least=timedelta(hours=1), at_most=timedelta(days=31)),
    ]
    compare: Annotated[
        Compare,
        Key(
            "`same_hours`: with the median of the same hours of earlier weeks; `previous`: with the mean of the "
            "windows just before.",
            example="previous",
        ),
    ] = Compare.SAME_HOURS
    baseline: Annotated[
        timedelta,
        Key(
            "How much time before the window defines what is usual.",
            example="28d",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=92),
        ),
    ] = timedelta(days=28)
    min_history: Annotated[
        timedelta,
        Key(
            "Groups that had spent for less than this before the window are ignored; at most the baseline counts.",
            example="7d",
            at_least=timedelta(),
            at_most=timedelta(days=92),
        ),
    ] = timedelta(days=7)
    min_increase: Annotated[Usd, Key("Smaller rises in USD are ignored.", example="$10", at_least=0)] = Usd(
        10 * UNITS_PER_USD
    )
    above_highest: Annotated[
        Fraction,
        Key(
            "The window must cost at least this many times the most expensive window of its length in"
            " the baseline; 0 for no such limit.",
            example=1.5,
            at_least=Fraction(0),
            at_most=Fraction(100),
        ),
    ] = Fraction(6, 5)
    thresholds: Annotated[
        Mapping[Severity, Fraction],
        Key(
            "Severity to how many times the usual; reached means value >= threshold.",
            example={"warning": 2, "critical": 5},
            at_least=_WHOLE,
            at_most=LARGEST_RATIO,
        ),
    ]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with window, baseline and thresholds."""
        for key, length in (("window", self.window), ("baseline", self.baseline), ("min_history", self.min_history)):
            yield from hourly_problems(key, length)
        least, why = self.window, f"the window of {format_duration(self.window)}"
        if self.compare is Compare.SAME_HOURS and self.baseline >= self.window:
            days = -(-self.window // timedelta(days=1))
            least, why = timedelta(days=days), f"the same hours of {'the day' if days == 1 else f'{days} days'} before"
        if self.baseline < least:
            text = f"{format_duration(self.baseline)} is shorter than {why}"
            yield "baseline", f"{text}; write several times as much"
        if _WHOLE in self.thresholds.values():
            yield "thresholds", "thresholds: 1 is what steady spend reaches; write more, e.g. 2"
        yield from rising_problems("thresholds", self.thresholds)

    def lookback(self) -> timedelta:
        """Return the window and the baseline before it."""
        return self.window + self.baseline

    @cached_property
    def lengths(self) -> Lengths:
        """The lengths of window and baseline, in hours."""
        return Lengths(window=whole_hours(self.window), baseline=whole_hours(self.baseline), compare=self.compare)

    @cached_property
    def _known_from(self) -> int:
        """How many hours before the window a group must have been spending."""
        return whole_hours(min(self.min_history, self.baseline))

    def common(self, facts: Facts, edges: Edges) -> tuple[object, ...]:
        """Return the gaps in the data, which affect every group."""
        return self._gaps(facts, edges)

    def _gaps(self, facts: Facts, edges: Edges) -> tuple[Gap, ...]:
        """Return the gaps in the data of any group's window or baseline."""
        ends = two_ends(facts.spend, facts.data, self.metric, edges, length=self.lengths.window)
        return facts.data.gaps(self.categories(facts.data), self.lengths.needed(ends))

    def judge_groups(
        self, facts: Facts, edges: Edges, watched: Collection[Labels], unmoved: Unmoved
    ) -> Iterator[Sample]:
        """Judge each group's rise; with gaps in window or baseline, only groups with an open alert get a sample."""
        ends = two_ends(facts.spend, facts.data, self.metric, edges, length=self.lengths.window)
        gaps = self._gaps(facts, edges)
        yield from unmoved.kept(watched)
        anew = [group for group in watched if group not in unmoved.samples]
        chosen = dict.fromkeys(group for group in anew if group in ends.numbers)
        if not gaps:
            rising = (ends.groups[number] for number in unmoved.only_moved(self._rising(facts, ends)))
            chosen |= dict.fromkeys(group for group in rising if group not in unmoved.samples)
        for one in self._judged(facts, edges, ends, list(chosen), watched):
            if one.group in watched or (one.reached is not None and not gaps):
                yield self._sample(facts, one, gaps)

    # --- lower and upper values -------------------------------------------------------------------------------------

    def _judged(
        self, facts: Facts, edges: Edges, ends: TwoEnds, groups: list[Labels], watched: Collection[Labels]
    ) -> Iterator[JudgedRise]:
        numbers = [ends.numbers[group] for group in groups]
        query, open_groups = self._query(facts.data), set(watched)
        for chosen, windows in windows_of(facts.spend, query, self.metric, ends, self.lengths, numbers):
            may_reach = np.any([self.may_reach(each) for each in windows], axis=0)
            for column, number in enumerate(chosen.tolist()):
                group = ends.groups[number]
                if may_reach[column] or group in open_groups:
                    yield self._judge(facts, edges, group, column, windows)

    def _rising(self, facts: Facts, ends: TwoEnds) -> "NDArray[np.intp]":
        """Return the groups that may reach a severity, judged by a few windows of the baseline; and perhaps others."""
        found = ends.reaching(max(1, self.min_increase))
        length, first = self.lengths.window, int(ends.begins.min(initial=ends.edges.latest))
        # Adjacent windows that lie in every baseline: its highest window is no lower than the highest of these.
        oldest = self.lengths.before(ends.edges.latest).start
        bounds = sorted(range(first - length, oldest - 1, -length))
        if not len(found) or len(bounds) < _LEAST_BOUNDS or not self.above_highest:
            return found
        each = facts.spend.between(self._query(facts.data), self.metric, bounds)
        least = each.max(axis=0)[found] * (float(self.above_highest) * (1 - _FLOAT_SLACK))
        is_high: NDArray[np.bool_] = ends.at_least[found] >= least
        return found[is_high]

    def screen(self, stretch: Stretch) -> Screen | None:
        """Return the hours in which a window may exceed those before it by enough, or an open alert may change."""
        return screen_of_spike(self, stretch, self._query(stretch.data))

    def may_reach(self, windows: Windows) -> "NDArray[np.bool_]":
        """Return which groups may meet all limits: a quick filter, as most groups never rise."""
        return self.meets(windows, min(self.thresholds.values()))

    def meets(
        self, windows: Windows, limit: Fraction, *, part: Fraction = _WHOLE, slack: float = _FLOAT_SLACK
    ) -> "NDArray[np.bool_]":
        """
        Return which windows may meet all limits.

        Args:
            limit: Of the ratio.
            part: Scales every limit.
            slack: The relative tolerance; if negative, the windows are returned that certainly meet them.
        """
        share = 1 - slack
        spent, usual = windows.spent.astype(np.float64), windows.usual / windows.parts
        near = slack * np.abs(spent)
        found = (usual > 0) & (windows.known_for >= self._known_from)
        found &= spent - usual >= float(self.min_increase * part) * share - near
        found &= spent >= windows.highest * float(self.above_highest * part) * share - near
        is_enough: NDArray[np.bool_] = spent >= usual * float(limit * part) * share - near
        return found & is_enough

    def _judge(self, facts: Facts, edges: Edges, group: Labels, column: int, windows: list[Windows]) -> JudgedRise:
        rises = [self._rise(facts, group, column, each) for each in windows]
        judged = [(self._both(rise), rise) for rise in rises]
        # Newest first, because `max` takes the first of equals.
        newest = range(len(rises) - 1, -1, -1)

        def standing(number: int) -> tuple[int, int, Fraction]:
            (reached, held), rise = judged[number]
            return (rank(reached), rank(held), ratio_of(rise))

        (reached, _), lower = judged[max((n for n in newest if windows[n].is_lower[column]), key=standing)]
        (about, held), upper = judged[max((n for n in newest if windows[n].is_upper[column]), key=standing)]
        return JudgedRise(
            group=group,
            lower=lower,
            upper=upper,
            reached=min((reached, about), key=rank),
            held=held,
            lagging=lagging(facts.data, edges, group, is_missed=lower != upper),
        )

    def _rise(self, facts: Facts, group: Labels, column: int, each: Windows) -> Rise:
        window, spent = HourRange(each.end - self.lengths.window, each.end), int(each.spent[column])
        return Rise(
            window=window,
            spent=spent,
            usual=Fraction(int(each.usual[column]), int(each.parts[column])),
            highest=int(each.highest[column]),
            is_known=bool(each.known_for[column] >= self._known_from),
            is_billed=each.is_billed,
            planned=self._allowances(facts, window).of(group, Usd(spent)) if facts.planned else NOTHING_PLANNED,
        )

    def _both(self, rise: Rise) -> tuple[Severity | None, Severity | None]:
        """Return the severity that is reached and the one that is held: `resolve_below` scales every limit."""
        judged = rise.unplanned
        return self._highest(judged, _WHOLE), self._highest(judged, self.resolve_below)

    def _highest(self, rise: Rise, part: Fraction) -> Severity | None:
        if rise.increase < self.min_increase * part or rise.spent < rise.highest * self.above_highest * part:
            return None
        if rise.increase <= 0 or not rise.is_known:
            return None
        if rise.ratio is None:
            return max(self.thresholds) if part < _WHOLE else None
        return highest({severity: limit * part for severity, limit in self.thresholds.items()}, rise.ratio)

    # --- samples and charts -----------------------------------------------------------------------------------------

    def _sample(self, facts: Facts, one: JudgedRise, gaps: tuple[Gap, ...]) -> Sample:
        rise = one.rise
        unsure = tuple(dict.fromkeys((*gaps, *rise.planned.gaps)))
        ratio = rise.ratio if rise.ratio is not None else LARGEST_RATIO if one.held is not None else Fraction(0)
        length, before = format_duration(self.window), self.lengths.before(rise.window.end)
        return Sample(
            group=one.group,
            labels=owner_labels(one.group, self, facts.owners),
            account=self.account_of(one.group, facts.data),
            headline=self._headline(group_name(one.group, facts.owners), rise),
            value=ratio_decimal(ratio),
            unit=Unit.RATIO,
            reached=None if gaps else one.reached,
            held=one.held,
            thresholds=tuple(
                (severity, ratio_decimal(rise.line(limit))) for severity, limit in sorted(self.thresholds.items())
            ),
            as_of=start_of(rise.window.end),
            expected=ratio_decimal(one.expected) if one.expected is not None else None,
            lagging=one.lagging,
            is_window=rise.is_billed,
            is_complete=not unsure,
            # Unlike a gap in the baseline, one in earlier planned spend cannot make a rise seem larger than it is.
            may_raise=not gaps and not any(gap.may_hide_credit for gap in unsure),
            caveats=tuple(gap.text for gap in unsure),
            top=risen_parts(facts.spend, self._query(facts.data), self.metric, rise.window, one.group, before=before)
            if one.held and facts.is_explained
            else (),
            table_note=(
                f"what rose most: {length} to {format_instant(start_of(rise.window.end))}, "
                f"against the mean {length} of the {format_duration(timedelta(hours=len(before)))} before"
            ),
            facts=(
                ("Usual", f"{format_usd(round(rise.usual))}, {self._usual_text()}"),
                ("Increase", format_usd(round(rise.increase))),
                *rise.planned.facts,
            ),
        )

    def _usual_text(self) -> str:
        baseline = format_duration(timedelta(hours=len(self.lengths.before(0))))
        if self.compare is Compare.PREVIOUS:
            return f"the mean {format_duration(self.window)} of the {baseline} before"
        return f"the median of the same hours in the {baseline} before"

    def _headline(self, who: str, rise: Rise) -> str:
        spent = self.spent(who, Usd(rise.spent), self.window)
        if rise.ratio is None:
            return f"{spent}, where nothing is usual"
        # Always in percent, like the threshold that follows it.
        over = "over " if rise.ratio == LARGEST_RATIO else ""
        return f"{spent}, {over}{format_share(ratio_decimal(rise.ratio))} of the usual {format_usd(round(rise.usual))}"

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:
        """Return a chart of the last window and those before it, against the usual spend and the thresholds."""
        facts = facts.of(self.view)
        length, edge = self.lengths.window, hour_of(alert.as_of)
        before = self.lengths.before(edge)
        if before.start < facts.spend.span.start:
            return None
        count = len(before) // length
        bars = bar_chart(
            self.group_spend(facts, alert.group),
            f"Spend by window of {format_duration(self.window)}",
            edges=range(edge - length * (count + 1), edge + 1, length),
            limits=self._chart_limits(facts, alert),
        )
        is_complete = not facts.data.gaps(self.categories(facts.data), HourRange(before.start, edge))
        return bars if bars is None or is_complete else replace(bars, note=NOT_COMPLETE)

    def _chart_limits(self, facts: Facts, alert: Alert) -> tuple[ChartLimit, ...]:
        """Return the usual spend of the alert's own hours, and the thresholds above it."""
        edge = hour_of(alert.as_of)
        window = HourRange(edge - self.lengths.window, edge)
        query = self._query(facts.data)
        spent = facts.spend.sums(query, self.metric, window).of(alert.group)
        usual, most = usual_at(facts.spend, query, self.metric, self.lengths, edge, alert.group)
        if usual <= 0:
            return ()
        planned = self._allowances(facts, window).of(alert.group, spent).amount
        least = max(usual + self.min_increase, most * self.above_highest)
        lines = {s: ceil(max(usual * limit, least)) + planned for s, limit in self.thresholds.items()}
        return (ChartLimit(name="usual", value=decimal_text(round(usual))), *limit_lines(lines))
