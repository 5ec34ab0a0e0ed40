"""
`spike`: the window's spend of a group over the mean of the same-length windows before it.

A group with no spend in the baseline has no ratio: it begins no alert here, `new_owner` is for that; an alert that is
already open stays until the rise is gone.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from math import ceil
from typing import Annotated, ClassVar

import numpy as np

from alertd.core.alert import Alert, Sample, Unit
from alertd.core.chart import Chart, ChartLimit
from alertd.core.hours import HourRange, hour_of, start_of, whole_hours
from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD, Usd, decimal_text, format_usd
from alertd.core.rules.base import Key, highest, hourly_problems, owner_labels, ratio_decimal, rising_problems
from alertd.core.rules.facts import Facts
from alertd.core.rules.spend_rule import SpendRule
from alertd.core.severity import Severity
from alertd.core.spend.ledger import Gap
from alertd.core.spend.planned import NOTHING_PLANNED, Allowance
from alertd.core.spend.spend_chart import NOT_COMPLETE, bar_chart, limit_lines
from alertd.core.spend.view import GroupSums
from alertd.core.words import format_duration, format_ratio, group_name

_WHOLE = Fraction(1)
_LARGEST_RATIO = Fraction(1000)
"""Told for anything above: after next to nothing, every spend is millions of times the usual."""
_FLOAT_SLACK = 1e-9
"""How far a comparison of floats may be off; what passes it is compared exactly."""


@dataclass(frozen=True, slots=True)
class _Windows:
    """The window, and the whole windows of the baseline before it, end to end."""

    now: HourRange
    before: HourRange
    count: int

    @property
    def all(self) -> HourRange:
        return HourRange(self.before.start, self.now.end)


@dataclass(frozen=True, slots=True)
class _Rise:
    """What a group spent in the window, against the mean of the windows before it; in 1e-10 USD."""

    spent: int
    usual: Fraction
    planned: Allowance = NOTHING_PLANNED

    @property
    def increase(self) -> Fraction:
        return self.spent - self.usual

    @property
    def unplanned(self) -> "_Rise":
        """The rise as it is judged: without what was planned of it."""
        return replace(self, spent=self.spent - self.planned.amount, planned=NOTHING_PLANNED)

    @property
    def ratio(self) -> Fraction | None:
        """None where nothing was spent before, or credits took it back."""
        return min(self.spent / self.usual, _LARGEST_RATIO) if self.usual > 0 else None

    def line(self, limit: Fraction) -> Fraction:
        """Return how many times the usual reaches a limit once what was planned is added."""
        return min(limit + self.planned.amount / self.usual, _LARGEST_RATIO) if self.usual > 0 else limit


@dataclass(frozen=True, kw_only=True)
class Spike(SpendRule):
    """Compare what each group spent in a window with its mean of the windows before."""

    TYPE: ClassVar[str] = "spike"
    HELP: ClassVar[str] = (
        "The window's spend over the mean spend of the same-length windows in the baseline before it; "
        "a group with no spend in the baseline begins no alert (`new_owner` does)."
    )
    ADVICE: ClassVar[str] = (
        "Ask the owners below what changed: stop what is not meant; what is meant counts as usual once the baseline "
        "holds it."
    )

    window: Annotated[
        timedelta,
        Key("Whole hours.", example="24h", at_least=timedelta(hours=1), at_most=timedelta(days=31)),
    ]
    baseline: Annotated[
        timedelta,
        Key(
            "How far before the window spend counts as usual; as many whole windows as fit.",
            example="7d",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=92),
        ),
    ] = timedelta(days=7)
    min_increase: Annotated[Usd, Key("Smaller rises in USD are left alone.", example="$10", at_least=0)] = Usd(
        UNITS_PER_USD
    )
    thresholds: Annotated[
        Mapping[Severity, Fraction],
        Key(
            "Severity to how many times the usual; reached means value >= threshold.",
            example={"warning": 2, "critical": 5},
            at_least=_WHOLE,
            at_most=_LARGEST_RATIO,
        ),
    ]

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with window, baseline and thresholds."""
        yield from hourly_problems("window", self.window)
        yield from hourly_problems("baseline", self.baseline)
        if self.baseline < self.window:
            text = f"{format_duration(self.baseline)} is shorter than the window of {format_duration(self.window)}"
            yield "baseline", f"{text}; write several times as much"
        if _WHOLE in self.thresholds.values():
            yield "thresholds", "thresholds: 1 is what steady spend reaches; write more, e.g. 2"
        yield from rising_problems("thresholds", self.thresholds)

    def lookback(self) -> timedelta:
        """Return the window and the baseline before it."""
        return self.window + self.baseline

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge each group's rise; with anything missing in window or baseline only what is open gets a sample."""
        facts = facts.of(self.view)
        edge = self.edge(facts.data)
        if edge is None:
            return []
        windows = self._windows(edge)
        query = self._query(facts.data)
        now = facts.spend.sums(query, self.metric, windows.now)
        then = facts.spend.sums(query, self.metric, windows.before)
        gaps = facts.data.gaps(self.categories(facts.data), windows.all)
        groups = dict.fromkeys(watched)
        if not gaps:
            groups |= dict.fromkeys(self._candidates(now, then, windows.count))
        allowances = self._allowances(facts, windows.now)
        rises = (
            (group, _Rise(spent, Fraction(then.of(group), windows.count), allowances.of(group, spent)))
            for group, spent in ((group, now.of(group)) for group in groups)
        )
        return [
            self._sample(facts, group, rise, windows, gaps)
            for group, rise in rises
            if group in watched or self._held(rise.unplanned) is not None
        ]

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:
        """Return the spend of the baseline's windows and of the last one, against the usual and what is too much."""
        facts = facts.of(self.view)
        windows = self._windows(hour_of(alert.as_of))
        if windows.before.start < facts.spend.span.start:
            return None
        query, group = self._query(facts.data), alert.group
        spent = facts.spend.sums(query, self.metric, windows.now).of(group)
        usual = Fraction(facts.spend.sums(query, self.metric, windows.before).of(group), windows.count)
        planned = self._allowances(facts, windows.now).of(group, spent).amount
        limits: tuple[ChartLimit, ...] = ()
        if usual > 0:
            least = usual + self.min_increase
            lines = {s: ceil(max(usual * limit, least)) + planned for s, limit in self.thresholds.items()}
            limits = (ChartLimit(name="usual", value=decimal_text(round(usual))), *limit_lines(lines))
        length = len(windows.now)
        chart = bar_chart(
            self.group_spend(facts, group),
            f"Spend by window of {format_duration(self.window)}",
            edges=range(windows.all.start, windows.all.end + 1, length),
            limits=limits,
        )
        is_complete = not facts.data.gaps(self.categories(facts.data), windows.all)
        return chart if chart is None or is_complete else replace(chart, note=NOT_COMPLETE)

    def _windows(self, edge: int) -> _Windows:
        length = whole_hours(self.window)
        count = whole_hours(self.baseline) // length
        now = HourRange(edge - length, edge)
        return _Windows(now, HourRange(now.start - count * length, now.start), count)

    def _candidates(self, now: GroupSums, then: GroupSums, count: int) -> list[Labels]:
        """Return the groups that could hold a severity: most never rise, and are passed over at once."""
        spent, usual = now.values.astype(np.float64), then.values / count
        slack = _FLOAT_SLACK * np.abs(spent)
        least = float(min(self.thresholds.values()) * self.resolve_below)
        floor = float(self.min_increase * self.resolve_below)
        mask = (usual > 0) & (spent - usual >= floor * (1 - _FLOAT_SLACK) - slack) & (spent >= usual * least - slack)
        return [now.groups[number] for number in np.flatnonzero(mask).tolist()]

    def _reached(self, rise: _Rise) -> Severity | None:
        if rise.ratio is None or rise.increase < self.min_increase:
            return None
        return highest(self.thresholds, rise.ratio)

    def _held(self, rise: _Rise) -> Severity | None:
        """Return what is not left yet: `resolve_below` is a share of both the threshold and the least increase."""
        if rise.increase <= 0 or rise.increase < self.min_increase * self.resolve_below:
            return None
        if rise.ratio is None:
            return max(self.thresholds)
        leave = {severity: limit * self.resolve_below for severity, limit in self.thresholds.items()}
        return highest(leave, rise.ratio)

    def _sample(self, facts: Facts, group: Labels, rise: _Rise, windows: _Windows, gaps: tuple[Gap, ...]) -> Sample:
        held = self._held(rise.unplanned)
        unsure = tuple(dict.fromkeys((*gaps, *rise.planned.gaps)))
        ratio = rise.ratio if rise.ratio is not None else _LARGEST_RATIO if held is not None else Fraction(0)
        length = format_duration(self.window)
        mean = f"the mean {length} of the {format_duration(timedelta(hours=len(windows.before)))} before"
        query = self._query(facts.data)
        return Sample(
            group=group,
            labels=owner_labels(group, self, facts.owners),
            account=self.account_of(group, facts.data),
            headline=self._headline(group_name(group, facts.owners), rise, windows),
            value=ratio_decimal(ratio),
            unit=Unit.RATIO,
            reached=None if gaps else self._reached(rise.unplanned),
            held=held,
            thresholds=tuple(
                (severity, ratio_decimal(rise.line(limit))) for severity, limit in sorted(self.thresholds.items())
            ),
            as_of=start_of(windows.now.end),
            is_complete=not unsure,
            # Unlike a gap in the baseline, one in what was planned before lets no rise seem larger than it is.
            may_raise=not gaps and not any(gap.may_hide_credit for gap in unsure),
            caveats=tuple(gap.text for gap in unsure),
            top=facts.spend.risen(query, self.metric, windows.now, group, before=windows.before)
            if held and facts.is_explained
            else (),
            table_note=f"what rose most: {length} to {start_of(windows.now.end):%b %d %H:%M} UTC, against {mean}",
            facts=(
                ("Usual", f"{format_usd(round(rise.usual))}, {mean}"),
                ("Increase", format_usd(round(rise.increase))),
                *rise.planned.facts,
            ),
        )

    def _headline(self, who: str, rise: _Rise, windows: _Windows) -> str:
        spent = self.spent(who, Usd(rise.spent), self.window)
        if rise.ratio is None:
            return f"{spent}, with no spend in the {format_duration(timedelta(hours=len(windows.before)))} before"
        more = "more than " if rise.ratio == _LARGEST_RATIO else ""
        ratio = format_ratio(ratio_decimal(rise.ratio))
        of = "the usual" if ratio.endswith("times") else "of the usual"
        return f"{spent}, {more}{ratio} {of} {format_usd(round(rise.usual))}"
