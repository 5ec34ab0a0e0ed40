"""`budget`: what a group has spent of an amount for a calendar period, how fast, and what the period will end at."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from heapq import nlargest
from math import ceil
from typing import Annotated, ClassVar

import numpy as np

from alertd.core.alert import Alert, Lag, Sample, Unit
from alertd.core.calendar import LONGEST, CalendarPeriod, Period, period_of
from alertd.core.chart import Chart, ChartLimit
from alertd.core.hours import HOURS_PER_DAY, HourRange, hour_of, start_of
from alertd.core.labels import Labels
from alertd.core.money import Usd, decimal_text, format_usd
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.base import Key, Metric, Share, owner_labels, rising_problems
from alertd.core.rules.budget_scene import Scene, forecasts_of
from alertd.core.rules.facts import Facts
from alertd.core.rules.spend_rule import SpendRule, billed_so_far
from alertd.core.rules.standing import (
    Criterion,
    Forecast,
    GroupStanding,
    Limits,
    Standing,
    number_text,
    own_thresholds,
    reached_by,
    share_text,
    share_value,
    worst,
)
from alertd.core.severity import Severity
from alertd.core.spend.ends import Edges, lagging, since_start
from alertd.core.spend.forecast import HISTORY_DAYS, MOST_DAYS, expected_rest
from alertd.core.spend.ledger import DataState
from alertd.core.spend.spend_chart import NOT_COMPLETE, limit_lines, running_chart
from alertd.core.words import group_name

_HISTORY_HOURS = HISTORY_DAYS * HOURS_PER_DAY
_NAMED_BY = (("owner", ("owner", "owner_name")), ("team", ("team",)))
"""For each key of `group_by` that `amounts` can name, the labels that hold what it may be called."""
_LEAST_SHARE = Fraction(1, 1000)
_NEARLY = 1 - 1e-9
"""Sums of forecasts are floats: what comes this near to a limit is looked at exactly."""


@dataclass(frozen=True, kw_only=True)
class BudgetRule(SpendRule):
    """Compare what each group spends in a calendar period with an amount for it."""

    TYPE: ClassVar[str] = "budget"
    HELP: ClassVar[str] = (
        "An amount for a calendar period: the share of it that is spent, the pace, and what the period is forecast to "
        "end at; one alert carries all three."
    )
    ADVICE: ClassVar[str] = "Look at what spends most below: stop or slow what is not needed, or raise the budget."

    INCLUDES_SUBSCRIPTIONS: ClassVar[bool] = True

    period: Annotated[
        Period,
        Key("Calendar period; weeks begin on Monday. A new period begins a new alert.", example="month"),
    ]
    amount: Annotated[Usd, Key("The budget of each group for one period.", example="$5,000", at_least=1)]
    amounts: Annotated[
        Mapping[str, Usd],
        Key(
            "Budgets of single groups: an owner's id or name, or a team, to USD; needs `group_by` owner or team.",
            example={"research": "$500"},
            at_least=1,
        ),
    ] = field(default_factory=dict)
    timezone: Annotated[
        str, Key("IANA time zone whose midnights begin the period, to the whole UTC hour.", example="Europe/Berlin")
    ] = "UTC"
    thresholds: Annotated[
        Mapping[Severity, Share],
        Key("Severity to the share of the amount that is spent.", example={"warning": "80%"}, at_least=_LEAST_SHARE),
    ] = field(default_factory=dict)
    pace: Annotated[
        Mapping[Severity, Fraction],
        Key(
            "Severity to spent share over elapsed share, once a tenth of the period is over.",
            example={"warning": 1.3},
            at_least=Fraction(1, 10),
            at_most=Fraction(100),
        ),
    ] = field(default_factory=dict)
    forecast: Annotated[
        Mapping[Severity, Share],
        Key(
            "Severity to the share of the amount that the period is forecast to end at, once the group has spent for a "
            "tenth of the period and a tenth of it is over.",
            example={"warning": "100%"},
            at_least=_LEAST_SHARE,
        ),
    ] = field(default_factory=dict)
    min_history: Annotated[
        timedelta,
        Key(
            "A group that has been spending for so long has a forecast from the period's first hour on.",
            example="14d",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=HISTORY_DAYS),
        ),
    ] = timedelta()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the limits, and keys that would do nothing."""
        if not (self.thresholds or self.pace or self.forecast):
            yield (
                "thresholds",
                "thresholds, pace and forecast are all missing; write at least one, e.g. thresholds: {warning: 80%}",
            )
        limits: tuple[tuple[str, Limits], ...] = (
            ("thresholds", self.thresholds),
            ("pace", self.pace),
            ("forecast", self.forecast),
        )
        for key, values in limits:
            if values:
                yield from rising_problems(key, values)
        if self.amounts and not {"owner", "team"} & set(self.group_by):
            yield "amounts", "amounts needs groups to give them to; write group_by: [owner] or group_by: [team]"
        if self.min_history and not self.forecast:
            yield "min_history", "min_history does nothing without forecast; write forecast: {…}, or remove it"

    def lookback(self) -> timedelta:
        """Return the longest period and the weeks before it that a forecast needs."""
        return LONGEST[self.period] + timedelta(days=HISTORY_DAYS)

    def restated(self, facts: Facts, alert: Alert, as_of: datetime) -> Decimal | None:
        """Return the share of the budget that was spent from the alert's period's beginning to an earlier data edge."""
        if alert.period_start is None:
            return None
        budget = self._budget_of(alert.group, facts.owners)
        window = HourRange(hour_of(alert.period_start), hour_of(as_of))
        return self.restated_in(facts, alert, window, lambda spent: share_value(Fraction(spent, budget)))

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:
        """Return what was spent since the alert's period began, against the budget and its thresholds."""
        if alert.period_start is None:
            return None
        facts = facts.of(self.view)
        period = period_of(hour_of(alert.period_start), self.period, self.timezone)
        window = HourRange(period.hours.start, max(period.hours.start, min(hour_of(alert.as_of), period.hours.end)))
        budget = self._budget_of(alert.group, facts.owners)
        spent = facts.spend.sums(self._query(facts.data), self.metric, window).of(alert.group)
        planned = self._allowances(facts, window).of(alert.group, spent).amount
        lines = {severity: ceil(share * budget) + planned for severity, share in self.thresholds.items()}
        whole = ChartLimit(name="budget", value=decimal_text(budget))
        limits = [*limit_lines(lines), *([whole] if budget not in lines.values() else [])]
        gaps = facts.data.gaps(self.categories(facts.data), window)
        notes = ("so far" if window.end < period.hours.end else "", NOT_COMPLETE if gaps else "")
        return running_chart(
            self.group_spend(facts, alert.group),
            f"Spend in {period.title}",
            window=window,
            timezone=self.timezone,
            limits=tuple(sorted(limits, key=lambda limit: Decimal(limit.value))),
            note="; ".join(filter(None, notes)),
        )

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge each group's budget of the period to which the last billed hour belongs."""
        facts = facts.of(self.view)
        if self.edge(facts.data) is None:
            return []
        return [sample for scene in self._scenes(facts, watched) for sample in self._samples(scene, watched)]

    def _samples(self, scene: Scene, watched: Collection[Labels]) -> Iterator[Sample]:
        mine = [group for group in watched if scene.is_of(group)]
        groups = self._worth_a_look(scene) | set(mine)
        # In the order of the sums, then of the watched, so that one evaluation is like another.
        ordered = [g for g in dict.fromkeys((*scene.sums.groups, *mine)) if g in groups] if groups else []
        forecasts = forecasts_of(scene, ordered, min_history=self.min_history)
        for group in ordered:
            sample = self._sample(scene, group, self._standing(scene, group, forecasts.get(group)))
            if sample.held is not None or group in watched:
                yield sample

    def closing(self, facts: Facts, alert: Alert) -> Sample | None:
        """Return what the period came to that an alert is about."""
        facts = facts.of(self.view)
        if alert.period_start is None or self.edge(facts.data) is None:
            return None
        period = period_of(hour_of(alert.period_start), self.period, self.timezone)
        scene = self._scene(facts, self.edges(facts), period, members=None)
        return self._sample(scene, alert.group, self._standing(scene, alert.group, None))

    def standings(self, facts: Facts, *, forecasts: int | None = None) -> list[GroupStanding]:
        """
        Return where the budget of every group stands that was charged in the present period, in no set order.

        Args:
            forecasts: Only so many groups have one, those of the largest spent share; None for all. Each costs time.
        """
        facts = facts.of(self.view)
        categories = self.categories(facts.data)
        if facts.data.edge(categories) is None:
            return []
        scenes = self._scenes(facts, ())
        spending = [(scene, g) for scene in scenes for g in scene.sums.groups if scene.is_of(g)]
        spending = [(scene, group) for scene, group in spending if not group or scene.expected.of(group)]
        chosen = {group for _, group in (spending if forecasts is None else self._largest(spending, forecasts))}
        known = {
            group: forecast
            for scene in scenes
            for group, forecast in forecasts_of(
                scene, [g for one, g in spending if one is scene and g in chosen], min_history=self.min_history
            ).items()
        }
        return [
            GroupStanding(
                group=group,
                standing=self._standing(scene, group, known.get(group)),
                is_complete=not facts.data.gaps(categories, scene.window),
            )
            for scene, group in spending
        ]

    # --- what is known ----------------------------------------------------------------------------------------------

    def _scenes(self, facts: Facts, watched: Collection[Labels]) -> list[Scene]:
        """Return what one evaluation looks at, by period: one is judged until every stream of a group has passed it."""
        edges = self.edges(facts)
        # What cannot be read at all would hold back a new period for as long: nobody waits for it.
        unread = [key for key in self.categories(facts.data) if facts.data.books[key].failed_at is not None]
        earliest = dict(zip(edges.cells.groups, edges.earliest(unread).tolist(), strict=True))
        # Billed through its end is enough, but a period of which nothing is billed has not begun.
        last = edges.latest - 1
        periods = {
            edge: period_of(min(edge, last), self.period, self.timezone) for edge in {edges.latest, *earliest.values()}
        }
        by_start: dict[int, tuple[CalendarPeriod, set[Labels]]] = {}
        for group in dict.fromkeys((*earliest, *watched)):
            period = periods[earliest.get(group, edges.latest)]
            by_start.setdefault(period.hours.start, (period, set()))[1].add(group)
        is_one = len(by_start) == 1
        return [
            self._scene(facts, edges, period, members=None if is_one else frozenset(groups))
            for _, (period, groups) in sorted(by_start.items())
        ]

    def _scene(self, facts: Facts, edges: Edges, period: CalendarPeriod, *, members: frozenset[Labels] | None) -> Scene:
        data, categories = facts.data, self.categories(facts.data)
        edge = min(edges.latest, period.hours.end)
        spent = since_start(facts.spend, self.metric, edges, start=period.hours.start, end=edge)
        window = HourRange(period.hours.start, edge)
        start = max(window.start - _HISTORY_HOURS, edge - MOST_DAYS * HOURS_PER_DAY)
        gaps = data.gaps(categories, window)
        allowances = self._allowances(facts, window)
        with_history = data.gaps(categories, HourRange(min(start, window.start), edge))
        if self.forecast:
            # With less known to be used up before, too much would count as planned, and the forecast would be too low.
            with_history = (*with_history, *allowances.gaps(start))
        looked_at = with_history if self.forecast else gaps
        return Scene(
            facts=facts,
            period=period,
            edge=edge,
            edges=edges,
            sums=spent.at_least,
            expected=spent.about,
            members=members,
            allowances=allowances,
            history_start=None if with_history else start,
            has_last_day=not data.gaps(categories, HourRange(edge - HOURS_PER_DAY, edge)),
            before=self._before(data, categories, window),
            gaps=gaps,
            looked_at=looked_at,
        )

    def _before(self, data: DataState, categories: tuple[tuple[str, str], ...], window: HourRange) -> HourRange | None:
        before = HourRange(window.start - len(window), window.start)
        # Older hours are read, but the spend view need not hold them.
        return None if len(before) > _HISTORY_HOURS or data.gaps(categories, before) else before

    # --- which groups, and where they stand -------------------------------------------------------------------------

    def _budget(self, labels: Mapping[str, str]) -> Usd:
        """Return the budget of a group with these labels, `owner_name` among them."""
        names = [labels.get(name, "") for key, names in _NAMED_BY if key in self.group_by for name in names]
        return next((self.amounts[name] for name in names if name in self.amounts), self.amount)

    def _budget_of(self, group: Labels, owners: OwnerDirectory) -> Usd:
        labels = dict(group)
        if not self.amounts:
            return self.amount
        return self._budget({**labels, "owner_name": owners.find(labels.get("owner", "")).name})

    def _largest(self, groups: list[tuple[Scene, Labels]], count: int) -> list[tuple[Scene, Labels]]:
        """Return the groups of the largest spent share."""

        def share(place: tuple[Scene, Labels]) -> Fraction:
            scene, group = place
            return Fraction(scene.sums.of(group), self._budget_of(group, scene.facts.owners))

        return nlargest(count, groups, key=share)

    def _worth_a_look(self, scene: Scene) -> set[Labels]:
        """Return every group that may hold a severity, at the cost of one pass over the sums; and perhaps some more."""
        elapsed = Fraction(len(scene.window), len(scene.period.hours))
        shares = [*self.thresholds.values(), *(limit * elapsed for limit in self.pace.values())]
        found: set[Labels] = set()
        if shares:
            least = ceil(min(shares) * self.resolve_below * self.amount)
            found.update(group for group, _ in scene.expected.at_least(least))
        history = scene.history() if self.forecast else None
        if history is not None:
            found.update(scene.allowances.renewed(scene.period.hours.end).keys() & scene.sums.numbers.keys())
            ends = scene.expected.values + expected_rest(history)
            least_end = float(min(self.forecast.values()) * self.resolve_below * self.amount) * _NEARLY
            found.update(scene.sums.groups[number] for number in np.flatnonzero(ends >= least_end).tolist())
        if self.amounts:
            owners = scene.facts.owners
            found.update(group for group in scene.sums.groups if self._budget_of(group, owners) != self.amount)
        return {group for group in found if scene.is_of(group)}

    def _standing(self, scene: Scene, group: Labels, forecast: Forecast | None) -> Standing:
        last_day = HourRange(scene.edge - HOURS_PER_DAY, scene.edge)
        sums = scene.facts.spend.sums(self._query(scene.facts.data), self.metric, last_day)
        return Standing(
            budget=self._budget_of(group, scene.facts.owners),
            spent=scene.sums.of(group),
            expected=scene.expected.of(group),
            planned=scene.allowances.of(group, scene.expected.of(group)),
            period=scene.period,
            timezone=self.timezone,
            edge=scene.edge,
            last_day=sums.of(group) if scene.has_last_day else None,
            forecast=forecast,
        )

    # --- what it means ----------------------------------------------------------------------------------------------

    def _criteria(self, standing: Standing) -> tuple[Criterion, ...]:
        now, by_end = standing.planned_share, standing.planned_forecast_share
        return (
            Criterion(name="spend", limits=self.thresholds, measure=standing.share, raised=now),
            Criterion(
                name="pace",
                limits=self.pace,
                measure=standing.pace if self.pace else None,
                raised=now / standing.elapsed,
            ),
            Criterion(name="forecast", limits=self.forecast, measure=standing.forecast_share, raised=by_end),
        )

    def _sample(self, scene: Scene, group: Labels, standing: Standing) -> Sample:
        criteria = self._criteria(standing)
        # It is lowered and resolved only when what is expected is below the line too.
        expected = self._criteria(replace(standing, spent=standing.expected))
        held = worst(criterion.highest(self.resolve_below) for criterion in expected)
        held_by_others = worst(criterion.highest(self.resolve_below) for criterion in expected[1:])
        lags = lagging(scene.facts.data, scene.edges, group, is_missed=standing.expected != standing.spent)
        gaps = tuple(dict.fromkeys((*scene.looked_at, *standing.planned.gaps)))
        facts = scene.facts
        return Sample(
            group=group,
            labels=owner_labels(group, self, facts.owners),
            account=self.account_of(group, facts.data),
            headline=self._headline(group_name(group, facts.owners), standing, criteria, lags),
            value=share_value(standing.share),
            unit=Unit.RATIO,
            reached=worst(criterion.highest() for criterion in criteria),
            held=held,
            thresholds=own_thresholds(criteria[0], held_by_others),
            as_of=start_of(scene.edge),
            expected=share_value(standing.expected_share) if standing.expected != standing.spent else None,
            lagging=lags,
            is_complete=not gaps,
            may_raise=not any(gap.may_hide_credit for gap in (*scene.gaps, *standing.planned.gaps)),
            caveats=tuple(gap.text for gap in gaps),
            top=facts.spend.top(self._query(facts.data), self.metric, scene.window, group, before=scene.before)
            if held and facts.is_explained
            else (),
            table_note=f"{scene.period.title} to {start_of(scene.edge):%b %d %H:%M} UTC, against as many hours before",
            facts=(*standing.facts, *reached_by(criteria)) if facts.is_explained else (),
            period=self.period.value,
            period_start=start_of(scene.period.hours.start),
        )

    def _headline(self, who: str, standing: Standing, criteria: tuple[Criterion, ...], lagging: tuple[Lag, ...]) -> str:
        metric = "" if self.metric is Metric.AMOUNT else f" ({self.metric})"
        clause = standing.clause
        if standing.expected != standing.spent:
            clause = f"{billed_so_far(standing.spent, standing.expected, lagging)}, {standing.rest_clause}"
        parts = [f"Budget {self.name}{f' of {who}' if who else ''}{metric}: {clause}"]
        _, pace, forecast = criteria
        if standing.pace is not None and pace.highest() is not None:
            parts.append(f"{number_text(standing.pace)} times the budgeted pace")
        if standing.forecast is not None and standing.forecast_share is not None and forecast.highest() is not None:
            total = format_usd(standing.forecast.total)
            parts.append(f"forecast to end at {total} ({share_text(standing.forecast_share)})")
        return "; ".join(parts)
