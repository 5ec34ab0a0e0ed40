"""`rolling_spend`: USD spent by a group in the window that ends at the data edge, billed so far and expected."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Annotated, ClassVar

from alertd.core.alert import Alert, Sample, Unit
from alertd.core.arrays import np
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass, replace
from alertd.core.hours import HourRange, hour_of, start_of, whole_hours
from alertd.core.labels import Labels
from alertd.core.money import Usd, to_decimal
from alertd.core.rules.base import Key, highest, hourly_problems, owner_labels, rising_problems
from alertd.core.rules.facts import Facts
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.screen import Screen, beginnings, course_of_sums, hours_that_see
from alertd.core.rules.verdicts import Unmoved
from alertd.core.severity import Severity
from alertd.core.spend.contributors import largest_parts
from alertd.core.spend.data_state import Gap
from alertd.core.spend.edges import Edges, lagging
from alertd.core.spend.ends import GroupEnds, two_ends
from alertd.core.spend.moment import moment_of
from alertd.core.spend.planned import NOTHING_PLANNED, Allowance, Allowances
from alertd.core.spend.stretch import Stretch, of_both, sums_over
from alertd.core.words import format_duration, format_instant, group_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AWAITED = ("Not ended yet", "rows that are due may still come")


@dataclass(frozen=True, kw_only=True)
class RollingSpend(GroupRule):
    """Compare what each group spent in a rolling window with thresholds in USD."""

    TYPE: ClassVar[str] = "rolling_spend"
    HELP: ClassVar[str] = "USD spent by the group in the window that ends with the last billed hour."
    ADVICE: ClassVar[str] = "Look at what runs under these names: stop what is not needed, or raise the threshold."

    window: Annotated[
        timedelta,
        Key("Whole hours.", example="24h", at_least=timedelta(hours=1), at_most=timedelta(days=92)),
    ]
    thresholds: Annotated[
        Mapping[Severity, Usd],
        Key("Severity to USD; reached means value >= threshold.", example={"warning": 50, "critical": 100}, at_least=1),
    ]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with window and thresholds."""
        yield from hourly_problems("window", self.window)
        yield from rising_problems("thresholds", self.thresholds)

    def lookback(self) -> timedelta:
        """Return two windows: messages compare the last one with the one before it."""
        return 2 * self.window

    @cached_property
    def _hours(self) -> int:
        return whole_hours(self.window)

    @cached_property
    def _least(self) -> int:
        return min(self.thresholds.values())

    @cached_property
    def _leave(self) -> dict[Severity, int]:
        """The value below which each severity ends, in 1e-10 USD."""
        return {severity: ceil(limit * self.resolve_below) for severity, limit in self.thresholds.items()}

    def judge_groups(
        self, facts: Facts, edges: Edges, watched: Collection[Labels], unmoved: Unmoved
    ) -> Iterator[Sample]:
        """Judge each group's spend in the window."""
        ends = two_ends(facts.spend, facts.data, self.metric, edges, length=self._hours)
        yield from unmoved.kept(watched)
        # Planned spend only raises the thresholds: for a group below them, it need not be computed.
        reaching = (ends.groups[number] for number in ends.reaching_of(unmoved.moved, self._least))
        allowances: dict[HourRange, Allowances] = {}
        for group in dict.fromkeys((*reaching, *watched)):
            if group in unmoved.samples:
                continue
            each, allowance = ends.of(group), NOTHING_PLANNED
            if facts.planned:
                if each.window not in allowances:
                    allowances[each.window] = self._allowances(facts, each.window)
                allowance = allowances[each.window].of(group, each.about)
            if group in watched or highest(self.thresholds, each.at_least - allowance.amount) is not None:
                yield self._sample(facts, edges, group, each, allowance)

    def screen(self, stretch: Stretch) -> Screen:
        """Return the hours in which a group may reach a threshold, or an open alert may change."""
        query, hours = self._query(stretch.data), np.arange(stretch.first_end - self._hours, stretch.hours.end)
        missing = stretch.missing(self.categories(stretch.data))

        def spent(totals: "NDArray[np.int64]") -> "NDArray[np.int64]":
            return sums_over(totals, self._hours)

        is_reached = stretch.highest(of_both(stretch.whole_totals(query, self.metric, hours), spent)) >= self._least
        return Screen(
            stretch=stretch,
            query=query,
            may_begin=beginnings(is_reached),
            course_of=course_of_sums(
                stretch,
                query,
                self.metric,
                hours,
                spent,
                reach=self.thresholds,
                leave=self._leave,
                unsure=hours_that_see(missing, stretch.hours, self._hours + stretch.behind),
            ),
        )

    def restated(self, facts: Facts, alert: Alert, as_of: datetime) -> Decimal | None:
        """Return what the alert's group spent in the window that ends at an earlier data edge."""
        edge = hour_of(as_of)
        return self.restated_in(facts, alert, HourRange(edge - self._hours, edge))

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:
        """Return a chart of the recent rolling sum against the thresholds, raised by the window's planned spend."""
        facts = facts.of(self.view)
        edge = hour_of(alert.as_of)
        window = HourRange(edge - self._hours, edge)
        spent = facts.spend.sums(self._query(facts.data), self.metric, window).of(alert.group)
        planned = self._allowances(facts, window).of(alert.group, spent).amount
        limits = {severity: limit + planned for severity, limit in self.thresholds.items()}
        return self.chart_of_window(facts, alert, window, limits)

    def _sample(self, facts: Facts, edges: Edges, group: Labels, ends: GroupEnds, allowance: Allowance) -> Sample:
        value, about, window, planned = ends.at_least, ends.about, ends.window, allowance.amount
        held = highest(self._leave, ends.lasting - planned)
        # Shown as a fact only: the value and the expected value are those of the bills.
        is_awaited = held is not None and ends.lasting > about and highest(self._leave, about - planned) is not held
        # All hours that matter: those of the windows at the group's own edges and at the rule's.
        first = min(edges.earliest_of(group) - self._hours, window.start)
        frame = self._frame(facts, HourRange(first, max(edges.latest, window.end)), window)
        sample = frame.with_gaps(allowance.gaps) if allowance.gaps else frame.sample
        lags = lagging(facts.data, edges, group, is_missed=about != value)
        return replace(
            sample,
            group=group,
            labels=owner_labels(group, self, facts.owners),
            account=self.account_of(group, facts.data),
            headline=self.spent(group_name(group, facts.owners), value, self.window, about=about, lagging=lags),
            value=to_decimal(value),
            reached=highest(self.thresholds, value - planned),
            held=held,
            thresholds=self._lines(planned) if planned else sample.thresholds,
            expected=to_decimal(about) if about != value else None,
            lagging=lags,
            is_window=ends.is_window,
            top=largest_parts(facts.spend, self._query(facts.data), self.metric, window, group, before=frame.before)
            if held and facts.is_explained
            else (),
            facts=(*allowance.facts, *((_AWAITED,) if is_awaited else ())),
        )

    def _lines(self, planned: int) -> tuple[tuple[Severity, Decimal], ...]:
        return tuple((severity, to_decimal(limit + planned)) for severity, limit in sorted(self.thresholds.items()))

    def _frame(self, facts: Facts, looked_at: HourRange, window: HourRange) -> "_Frame":
        """Return what the samples of a window share; the same object while the same hours are missing."""
        token, frames = moment_of(facts.spend, facts.data).gaps, self._frames
        if frames.get("gaps") is not token:
            frames.clear()
            frames["gaps"] = token
        found = frames.get((looked_at, window))
        if not isinstance(found, _Frame):
            frames[looked_at, window] = found = self._framed(facts, looked_at, window)
        return found

    @cached_property
    def _frames(self) -> dict[object, object]:
        return {}

    def _framed(self, facts: Facts, looked_at: HourRange, window: HourRange) -> "_Frame":
        categories = self.categories(facts.data)
        before = HourRange(window.start - len(window), window.start)
        length, end = format_duration(self.window), start_of(window.end)
        sample = Sample(
            group=(),
            labels=(),
            account="",
            headline="",
            value=Decimal(0),
            unit=Unit.USD,
            reached=None,
            held=None,
            thresholds=self._lines(0),
            as_of=end,
            is_complete=True,
            table_note=f"{length} to {format_instant(end)}, against the {length} before",
        )
        known = _Frame(sample, (), None if facts.data.gaps(categories, before) else before)
        gaps = facts.data.gaps(categories, looked_at)
        return replace(known, sample=known.with_gaps(gaps), gaps=gaps) if gaps else known


@dataclass(frozen=True, slots=True)
class _Frame:
    """What the samples of one window have in common."""

    sample: Sample
    """Without anything of a group."""
    gaps: tuple[Gap, ...]
    before: HourRange | None
    """The window before; None if it is not known."""

    def with_gaps(self, further: tuple[Gap, ...]) -> Sample:
        """Return the sample with further gaps."""
        gaps = tuple(dict.fromkeys((*self.gaps, *further)))
        return replace(
            self.sample,
            is_complete=not gaps,
            may_raise=not any(gap.may_hide_credit for gap in gaps),
            caveats=tuple(gap.text for gap in gaps),
        )
