"""
`first_spend`: spend of an owner, product or other group that spent nothing for a long time before.

A group is new if it had no charge or credit in the lookback, within the rule's filters, and stays new as long as its
first charge is in the window. Spend without an owner (a team, …) belongs to no group and is never new.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from math import ceil
from typing import Annotated, ClassVar

from alertd.core.alert import Alert, Lag, Sample, Unit
from alertd.core.arrays import np
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, hour_of, start_of, whole_hours
from alertd.core.labels import Labels
from alertd.core.money import UNITS_PER_USD, Usd, format_usd, to_decimal
from alertd.core.rules.base import (
    Key,
    Metric,
    highest,
    hourly_problems,
    owner_labels,
    severity_problems,
)
from alertd.core.rules.facts import Facts
from alertd.core.rules.group_rule import GroupRule
from alertd.core.rules.screen import Screen, beginnings
from alertd.core.rules.verdicts import Unmoved
from alertd.core.severity import Severity
from alertd.core.spend.contributors import largest_parts
from alertd.core.spend.data_state import Gap
from alertd.core.spend.edges import Edges, lagging
from alertd.core.spend.ends import GroupEnds, two_ends
from alertd.core.spend.stretch import Stretch, last_of, of_both, sums_over, whole
from alertd.core.words import format_duration, format_instant, group_name, quote

_GROUPS = ("owner", "team", "product", "category", "subcategory")


@dataclass(frozen=True, slots=True)
class _Windows:
    """The window, and the lookback before it."""

    now: HourRange
    before: HourRange


@dataclass(frozen=True, kw_only=True)
class FirstSpend(GroupRule):
    """Find groups that begin to spend; one alert per account and group."""

    TYPE: ClassVar[str] = "first_spend"
    HELP: ClassVar[str] = (
        "USD spent in the last window by a group with no spend in the lookback before it; "
        "one alert per account and group, which is the owner without `group_by`."
    )
    ADVICE: ClassVar[str] = (
        "Ask who started it: name it under `owners:` in the rules file when it is meant, stop it and replace its key "
        "when nobody knows it."
    )

    group_by: Annotated[
        tuple[str, ...],
        Key(
            "What begins to spend: `owner`, `team`, `product`, `category` or `subcategory`, or several together.",
            example=["product"],
            words=(*_GROUPS, "account"),
            is_closed=True,
        ),
    ] = ("owner",)
    window: Annotated[
        timedelta,
        Key(
            "Whole hours; how long a group counts as new.",
            example="24h",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=31),
        ),
    ] = timedelta(hours=24)
    lookback_: Annotated[
        timedelta,
        Key(
            "How long before the window a group must have spent nothing.",
            example="30d",
            name="lookback",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=92),
        ),
    ] = timedelta(days=30)
    min_spend: Annotated[Usd, Key("Groups that spend less are ignored.", example="$5", at_least=1)] = Usd(UNITS_PER_USD)
    severity: Annotated[
        Severity | None,
        Key(
            "Severity of every new group that spends at least `min_spend`, instead of thresholds; "
            "without either, warning.",
            example="info",
        ),
    ] = None
    thresholds: Annotated[
        Mapping[Severity, Usd],
        Key("Severity to USD; reached means value >= threshold.", example={"warning": 5, "critical": 100}, at_least=1),
    ] = field(default_factory=dict)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with times, groups and limits."""
        yield from hourly_problems("window", self.window)
        yield from hourly_problems("lookback", self.lookback_)
        for name in self.group_by:
            if name not in (*_GROUPS, "account"):
                yield "group_by", f"first_spend knows no {quote(name)}; write one of {', '.join(_GROUPS)}"
        if set(self.group_by) <= {"account"}:
            yield "group_by", f"group_by names nothing that could begin to spend; write one of {', '.join(_GROUPS)}"
        yield from severity_problems(self.severity, self.thresholds)
        if self.thresholds:
            least = min(self.thresholds.values())
            if least < self.min_spend:
                floor = format_usd(self.min_spend)
                text = f"thresholds: {format_usd(least)} is below min_spend, {floor}, and would never count"
                yield "thresholds", f"{text}; lower min_spend"

    def lookback(self) -> timedelta:
        """Return the window and the lookback before it."""
        return self.window + self.lookback_

    @property
    def metrics(self) -> frozenset[Metric]:
        """The metric that the rule sums, and `amount`: a group whose earlier spend was paid by vouchers is not new."""
        return frozenset({self.metric, Metric.AMOUNT})

    @property
    def group_keys(self) -> tuple[str, ...]:
        """One alert per account and group."""
        return tuple(sorted({"account", *self.group_by}))

    @cached_property
    def _limits(self) -> Mapping[Severity, Usd]:
        """The limit from which each severity is reached, in 1e-10 USD."""
        return self.thresholds or {self.severity or Severity.WARNING: self.min_spend}

    @cached_property
    def _leave(self) -> dict[Severity, int]:
        """The limit below which each severity is left, in 1e-10 USD."""
        return {severity: ceil(limit * self.resolve_below) for severity, limit in self._limits.items()}

    def common(self, facts: Facts, edges: Edges) -> tuple[object, ...]:
        """Return what is missing: it affects every group of its account."""
        return self._gaps(facts, edges)

    def _gaps(self, facts: Facts, edges: Edges) -> tuple[Gap, ...]:
        """Return what is missing in any group's window or lookback."""
        span = HourRange(self._windows(edges.first).before.start, edges.latest)
        return facts.data.gaps(self.categories(facts.data), span)

    def judge_groups(
        self, facts: Facts, edges: Edges, watched: Collection[Labels], unmoved: Unmoved
    ) -> Iterator[Sample]:
        """Judge each group; in an account with missing data, only groups with an open alert get a sample."""
        ends = two_ends(facts.spend, facts.data, self.metric, edges, length=whole_hours(self.window))
        gaps: dict[str, list[Gap]] = {}
        for gap in self._gaps(facts, edges):
            gaps.setdefault(gap.account, []).append(gap)
        yield from unmoved.kept(watched)
        anew = dict.fromkeys(group for group in watched if group not in unmoved.samples)
        reaching = (ends.groups[n] for n in unmoved.only_moved(ends.reaching(min(self._limits.values()))))
        anew |= dict.fromkeys(
            group
            for group in reaching
            if group not in unmoved.samples
            and all(text for _, text in group)
            and dict(group)["account"] not in gaps
            and self._is_new(facts, group, self._windows(ends.of(group).window.end))
        )
        for group in anew:
            each = ends.of(group)
            lags = lagging(facts.data, edges, group, is_missed=each.about != each.at_least)
            yield self._sample(facts, group, each, gaps.get(dict(group).get("account", ""), []), lags)

    def screen(self, stretch: Stretch) -> Screen | None:
        """Return in which hours a new group may reach a limit; None if a coming row is longer than a day."""
        if stretch.longest > HOURS_PER_DAY:
            # Such a long row may be in the lookback before it is known.
            return None
        query, length = self._query(stretch.data), whole_hours(self.window)
        # The row of a day is known for sure a day after its end.
        lookback, ends = max(0, whole_hours(self.lookback_) - HOURS_PER_DAY), stretch.ends
        totals = stretch.whole_totals(query, self.metric, np.arange(int(ends[0]) - length, stretch.hours.end))
        spent = stretch.highest(of_both(totals, lambda each: sums_over(each, length)))
        oldest = np.arange(int(ends[0]) - length - HOURS_PER_DAY - lookback, stretch.hours.end)
        charged = of_both(stretch.whole_totals(query, Metric.AMOUNT, oldest), lambda each: sums_over(each, lookback))
        is_new = last_of((whole(charged) == 0)[: len(ends)], stretch.behind, np.maximum)
        may_begin = (spent >= min(self._limits.values())) & is_new
        return Screen(stretch=stretch, query=query, may_begin=beginnings(may_begin))

    def restated(self, facts: Facts, alert: Alert, as_of: datetime) -> Decimal | None:
        """Return what the new group spent in the window that ends at an earlier data edge."""
        return self.restated_in(facts, alert, self._windows(hour_of(as_of)).now)

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:
        """Return the window's recent sums against the limits."""
        return self.chart_of_window(facts.of(self.view), alert, self._windows(hour_of(alert.as_of)).now, self._limits)

    def _windows(self, edge: int) -> _Windows:
        now = HourRange(edge - whole_hours(self.window), edge)
        return _Windows(now, HourRange(now.start - whole_hours(self.lookback_), now.start))

    def _is_new(self, facts: Facts, group: Labels, windows: _Windows) -> bool:
        query = self._query(facts.data)
        if facts.spend.sums(query, Metric.AMOUNT, windows.before).of(group):
            return False
        # A sum of zero may be spend and a credit that cancels it.
        return facts.spend.first_hour(query, Metric.AMOUNT, windows.before, group) is None

    def _sample(self, facts: Facts, group: Labels, ends: GroupEnds, gaps: list[Gap], lags: tuple[Lag, ...]) -> Sample:
        value, about, windows = ends.at_least, ends.about, self._windows(ends.window.end)
        query = self._query(facts.data)
        is_new = self._is_new(facts, group, windows)
        held = highest(self._leave, about) if is_new else None
        lookback = format_duration(self.lookback_)
        first = facts.spend.first_hour(query, Metric.AMOUNT, HourRange(windows.before.start, windows.now.end), group)
        return Sample(
            group=group,
            labels=owner_labels(group, self, facts.owners),
            account=self.account_of(group, facts.data),
            headline=self._headline(facts, group, ends, lags, is_new=is_new),
            value=to_decimal(value),
            unit=Unit.USD,
            reached=highest(self._limits, value) if is_new and not gaps else None,
            held=held,
            thresholds=tuple((severity, to_decimal(limit)) for severity, limit in sorted(self._limits.items())),
            as_of=start_of(windows.now.end),
            expected=to_decimal(about) if about != value else None,
            lagging=lags,
            is_window=ends.is_window,
            is_complete=not gaps,
            may_raise=not gaps,
            caveats=tuple(gap.text for gap in gaps),
            top=largest_parts(facts.spend, query, self.metric, windows.now, group, before=windows.before)
            if held and facts.is_explained
            else (),
            table_note=(
                f"{format_duration(self.window)} to {format_instant(start_of(windows.now.end))}, "
                f"against the {lookback} before"
            ),
            facts=(("First charge", format_instant(start_of(first)) if first is not None else f"none in {lookback}"),),
        )

    def _headline(self, facts: Facts, group: Labels, ends: GroupEnds, lags: tuple[Lag, ...], *, is_new: bool) -> str:
        labels = dict(group)
        where = f" in account {labels.get('account', '')}" if len(facts.data.accounts) > 1 else ""
        own = tuple((name, text) for name, text in group if name != "account")
        who = f"{group_name(own, facts.owners)}{where}"
        name = f"New {' and '.join(name for name, _ in own)} {who}" if is_new else f"{who}, no longer new,"
        return self.spent(name, ends.at_least, self.window, about=ends.about, lagging=lags)
