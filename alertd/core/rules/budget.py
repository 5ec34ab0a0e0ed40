"""`budget`: how much of its amount for a calendar period a group has spent, how fast, and the forecast for the end."""

from collections.abc import Collection, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from alertd.core.alert import Alert, Lag, Sample, Unit
from alertd.core.arrays import np
from alertd.core.chart import Chart, ChartLimit
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.labels import Labels
from alertd.core.money import Usd, decimal_text, format_usd
from alertd.core.rules.base import Metric, owner_labels
from alertd.core.rules.budget_amount import Moving
from alertd.core.rules.budget_scene import Scene, WatchedBudget, forecast_of_all, forecasts_of
from alertd.core.rules.even_rate import NO_RATES
from alertd.core.rules.facts import Facts
from alertd.core.rules.spend_rule import billed_so_far
from alertd.core.rules.standing import (
    Criterion,
    Forecast,
    GroupStanding,
    Standing,
    number_text,
    own_thresholds,
    reached_by,
    share_text,
    share_value,
    worst,
)
from alertd.core.rules.standings import Standings
from alertd.core.rules.verdicts import Ground, Unmoved
from alertd.core.spend.contributors import largest_parts
from alertd.core.spend.edges import Edges, lagging
from alertd.core.spend.moment import moment_of
from alertd.core.spend.spend_chart import NOT_COMPLETE, limit_lines, running_chart
from alertd.core.words import format_instant, format_list, group_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEARLY = 1 - 1e-9
"""Margin of comparisons between floats: a value this close to a limit is compared exactly."""
_RATE = 3
"""Index of the rate, the last of the criteria."""
_NAMED = 5
"""Maximum number of groups without an amount that are named; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class BudgetRule(WatchedBudget):
    """Compare what each group spends in a calendar period with an amount for it."""

    TYPE: ClassVar[str] = "budget"
    HELP: ClassVar[str] = (
        "An amount for a calendar period: the share that is spent, the pace, how fast it is being "
        "spent lately, and the forecast for the end of the period; one alert covers all of them."
    )
    NEEDS_ONE_OF: ClassVar[tuple[str, ...]] = ("thresholds", "pace", "burn", "forecast")
    ADVICE: ClassVar[str] = "Look at what spends most: stop or slow what is not needed, or raise the budget."

    def restated(self, facts: Facts, alert: Alert, as_of: datetime) -> Decimal | None:
        """Return the share of the budget spent from the start of the alert's period to an earlier data edge."""
        if alert.period_start is None:
            return None
        of_view = facts.of(self.view)
        amounts = self._amounts(of_view, self.period_of(hour_of(alert.period_start)))
        budget = None if amounts.gaps(alert.group) else amounts.of(alert.group)
        if budget is None:
            return None
        window = HourRange(hour_of(alert.period_start), hour_of(as_of))
        return self.restated_in(facts, alert, window, lambda spent: share_value(Fraction(spent, budget)))

    def period_end(self, alert: Alert) -> datetime | None:
        """Return when the budget's period ends."""
        if alert.period_start is None:
            return None
        return start_of(self.period_of(hour_of(alert.period_start)).hours.end)

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:
        """Return the spend since the alert's period began, against the budget and its thresholds."""
        if alert.period_start is None:
            return None
        facts = facts.of(self.view)
        period = self.period_of(hour_of(alert.period_start))
        window = HourRange(period.hours.start, max(period.hours.start, min(hour_of(alert.as_of), period.hours.end)))
        amounts = self._amounts(facts, period)
        budget = None if amounts.gaps(alert.group) else amounts.of(alert.group)
        spent = facts.spend.sums(self._query(facts.data), self.metric, window).of(alert.group)
        planned = self._allowances(facts, window).of(alert.group, spent).amount
        lines = {}
        limits = []
        if budget is not None:
            lines = {severity: ceil(share * budget) + planned for severity, share in self.thresholds.items()}
            limits = [] if budget in lines.values() else [ChartLimit(name="budget", value=decimal_text(budget))]
        gaps = facts.data.gaps(self.categories(facts.data), window)
        notes = ("so far" if window.end < period.hours.end else "", NOT_COMPLETE if gaps else "")
        return running_chart(
            self.group_spend(facts, alert.group),
            f"Spend in {period.title}",
            window=window,
            timezone=self.timezone,
            limits=tuple(sorted((*limit_lines(lines), *limits), key=lambda limit: Decimal(limit.value))),
            note="; ".join(filter(None, notes)),
        )

    def judge_groups(
        self, facts: Facts, edges: Edges, watched: Collection[Labels], unmoved: Unmoved
    ) -> Iterator[Sample]:
        """Judge each group's budget for the period that all of the group's streams have reached."""
        yield from unmoved.kept(watched)
        anew = [group for group in watched if group not in unmoved.samples]
        for scene in self._scenes(facts, edges, watched):
            yield from self._samples(scene, anew, unmoved)

    def _samples(self, scene: Scene, watched: Collection[Labels], unmoved: Unmoved) -> Iterator[Sample]:
        mine = [group for group in watched if scene.is_of(group)]
        groups = self._worth_a_look(scene, unmoved) | set(mine)
        # Ordered like the sums, then like *watched*, so that evaluations are reproducible.
        ordered = [g for g in dict.fromkeys((*scene.sums.groups, *mine)) if g in groups] if groups else []
        # Without limits for the forecast it decides nothing and is only shown.
        is_asked = bool(self.forecast) or scene.facts.is_explained
        forecasts = forecasts_of(scene, ordered, min_history=self.min_history) if is_asked else {}
        for group in ordered:
            standing = self._standing(scene, group, forecasts.get(group))
            if standing is None:
                if group in mine:
                    yield self._without(scene, group)
                continue
            criteria = self._criteria(standing)
            sure = self._sure(standing, criteria)
            if group in mine or any(criterion.highest() is not None for criterion in sure):
                yield self._sample(scene, group, standing, criteria)

    def closing(self, facts: Facts, alert: Alert) -> Sample | None:
        """Return the last sample for the period that an alert is about."""
        facts = facts.of(self.view)
        if alert.period_start is None or self.edge(facts.data) is None:
            return None
        # The present rate says nothing about a period that has ended.
        period = self.period_of(hour_of(alert.period_start))
        scene = self._scene(facts, self.edges(facts), period, None, members=None)
        standing = self._standing(scene, alert.group, None)
        return None if standing is None else self._sample(scene, alert.group, standing, self._criteria(standing))

    def standings(self, facts: Facts) -> Standings:
        """
        Return the budget standings of every group that was charged in the current period.

        Groups without a known amount are left out, see `undecided`.
        """
        now = self.stands_on(facts)
        _, known = self._stood[0]
        facts = facts.of(self.view)
        scenes = self._scenes(facts, now.edges, ()) if now.edges is not None else []
        return Standings(scenes, self._stand, self._rest_of, known)

    def stands_on(self, facts: Facts) -> Ground:
        """Return what the standings are based on: the same object as long as nothing changes."""
        facts = facts.of(self.view)
        moment = moment_of(facts.spend, facts.data)
        before, known = self._stood[0] if self._stood else (None, {})
        if before is not None and before.is_of(facts, moment):
            return before
        now = self._ground(facts, moment, before)
        moved = self._moved(facts, before, now) if before is not None else None
        numbers = now.edges.cells.numbers if now.edges is not None else {}
        kept = {
            group: one
            for group, one in known.items()
            if moved is not None and (number := numbers.get(group)) is not None and number not in moved.chosen
        }
        self._stood[:] = [(now, kept)]
        return now

    @cached_property
    def _stood(self) -> list[tuple[Ground, dict[Labels, GroupStanding]]]:
        """The last basis of the standings, and those worked out on it so far; empty before the first call."""
        return []

    def _stand(self, scene: Scene, groups: list[Labels]) -> dict[Labels, GroupStanding]:
        forecasts = forecasts_of(scene, groups, min_history=self.min_history)
        found = ((group, self._standing(scene, group, forecasts.get(group))) for group in groups)
        return {
            group: GroupStanding(group=group, standing=standing, is_complete=not scene.gaps, fast=self._fast(standing))
            for group, standing in found
            if standing is not None
        }

    def _rest_of(self, scene: Scene, numbers: "NDArray[np.intp]") -> Usd | None:
        return forecast_of_all(scene, numbers, min_history=self.min_history)

    def undecided(self, facts: Facts) -> tuple[str, ...]:
        """Return why groups have no budget in the current period, one sentence per reason; empty if all have one."""
        facts = facts.of(self.view)
        if self.amount is not Moving.LAST_PERIOD or self.edge(facts.data) is None:
            return ()
        texts = []
        for scene in self._scenes(facts, self.edges(facts), ()):
            spending = [group for group in scene.sums.groups if scene.is_of(group) and scene.expected.of(group)]
            without = [group for group in spending if scene.amounts.of(group) is None]
            if not scene.amounts.is_known:
                texts.append(f"Nothing is decided in {scene.period.title}: {scene.amounts.gap_text}")
            elif without:
                texts.append(self._no_amount_text(scene, without))
        return tuple(texts)

    def _no_amount_text(self, scene: Scene, groups: list[Labels]) -> str:
        names = [name for group in groups if (name := group_name(group, scene.facts.owners))]
        before = self._before_of(scene.period).title
        whom = f" of {format_list(names, most=_NAMED)}" if names else ""
        return f"Nothing is decided{whom} in {scene.period.title}: nothing was spent in {before}, which is the amount"

    # --- which groups, and their standings --------------------------------------------------------------------------

    def _worth_a_look(self, scene: Scene, unmoved: Unmoved) -> set[Labels]:
        """Return every changed group that may reach a severity, and possibly others, in one pass over the sums."""
        elapsed = Fraction(len(scene.window), len(scene.period.hours))
        groups, hours = scene.sums.groups, len(scene.period.hours)
        budgets = scene.amounts.values(groups)
        shares = [*self.thresholds.values(), *(limit * elapsed for limit in self.pace.values())]
        may_reach = np.zeros(len(groups), np.bool_)
        if shares:
            may_reach |= scene.sums.values >= budgets * (float(min(shares)) * _NEARLY)
        outlook = scene.outlook() if self.forecast and scene.may_forecast(self.min_history) else None
        if outlook is not None:
            asked = unmoved.moved.numbers if unmoved.moved is not None else np.arange(len(groups))
            ends = scene.expected.values[asked] + outlook.rest(asked)
            may_reach[asked] |= ends >= budgets[asked] * (float(min(self.forecast.values())) * _NEARLY)
        found = {groups[number] for number in unmoved.only_moved(np.flatnonzero(may_reach))}
        if outlook is not None:
            found.update(scene.allowances.renewed(scene.period.hours.end).keys() & scene.sums.numbers.keys())
        if scene.rates is not None:
            found |= scene.rates.reaching(self.burn, scene.amounts.values, hours)
        return {group for group in found if scene.is_of(group) and group not in unmoved.samples}

    def _standing(self, scene: Scene, group: Labels, forecast: Forecast | None) -> Standing | None:
        """Return the standing of a group's budget; None if it has no amount."""
        budget = scene.amounts.of(group)
        if budget is None:
            return None
        return Standing(
            budget=budget,
            spent=scene.sums.of(group),
            expected=scene.expected.of(group),
            planned=scene.allowances.of(group, scene.expected.of(group)),
            period=scene.period,
            timezone=self.timezone,
            edge=scene.edge,
            last_day=scene.last_day.of(group) if scene.last_day is not None else None,
            forecast=forecast,
            rates=scene.rates.rates(group, budget, len(scene.period.hours)) if scene.rates is not None else NO_RATES,
            amount_text=scene.amounts.text(group),
        )

    # --- criteria and samples ---------------------------------------------------------------------------------------

    def _criteria(self, standing: Standing) -> tuple[Criterion, ...]:
        now, by_end = standing.planned_share, standing.planned_forecast_share
        return (
            Criterion.of("spend", self.thresholds, standing.share, raised=now),
            Criterion.of("pace", self.pace, standing.pace if self.pace else None, raised=now / (standing.elapsed or 1)),
            Criterion.of("forecast", self.forecast, standing.forecast_share, raised=by_end),
            Criterion(
                name="rate",
                limits={severity: one.rate for severity, one in self.burn.items()},
                measures=standing.rates.measures(self.burn),
            ),
        )

    def _sure(self, standing: Standing, criteria: tuple[Criterion, ...]) -> tuple[Criterion, ...]:
        """Return the criteria by which a severity may begin."""
        # A credit that may be missing before the period would lower only the rate windows that reach back there.
        return criteria[:_RATE] if any(gap.may_hide_credit for gap in standing.rates.gaps) else criteria

    def _sample(self, scene: Scene, group: Labels, standing: Standing, criteria: tuple[Criterion, ...]) -> Sample:
        # It is lowered and resolved only when the expected spend is below the line too.
        is_missed = standing.expected != standing.spent or standing.rates.is_lagging
        is_held = is_missed or standing.rates.is_held
        expected = self._criteria(standing.as_expected) if is_held else criteria
        held_by_others = worst(criterion.highest(self.resolve_below) for criterion in expected[1:])
        lags = lagging(scene.facts.data, scene.edges, group, is_missed=is_missed)
        unknown = scene.amounts.gaps(group)
        gaps = tuple(dict.fromkeys((*scene.looked_at, *standing.planned.gaps, *standing.rates.gaps, *unknown)))
        sure = self._sure(standing, criteria)
        facts = scene.facts
        held = worst(criterion.highest(self.resolve_below) for criterion in expected)
        caveats = (*((scene.amounts.gap_text,) if unknown else ()), *(gap.text for gap in gaps if gap not in unknown))
        return Sample(
            group=group,
            labels=owner_labels(group, self, facts.owners),
            account=self.account_of(group, facts.data),
            headline=self._headline(group_name(group, facts.owners), standing, sure, lags),
            value=share_value(standing.share),
            unit=Unit.RATIO,
            reached=worst(criterion.highest() for criterion in sure),
            held=held,
            thresholds=own_thresholds(criteria[0], held_by_others),
            as_of=start_of(scene.edge),
            expected=share_value(standing.expected_share) if standing.expected != standing.spent else None,
            lagging=lags,
            is_complete=not gaps,
            may_raise=not unknown and not any(gap.may_hide_credit for gap in (*scene.gaps, *standing.planned.gaps)),
            caveats=caveats,
            top=largest_parts(
                facts.spend, self._query(facts.data), self.metric, scene.window, group, before=scene.before
            )
            if held and facts.is_explained
            else (),
            table_note=f"{scene.period.title} to {format_instant(start_of(scene.edge))}, against as many hours before",
            facts=(*standing.facts, *reached_by(sure)) if facts.is_explained else (),
            period=self.period.value,
            period_start=start_of(scene.period.hours.start),
        )

    def _without(self, scene: Scene, group: Labels) -> Sample:
        """Return the sample of a group without an amount: no spend of it is known in the previous period."""
        unknown, spent = scene.amounts.gaps(group), scene.sums.of(group)
        why = scene.amounts.gap_text or f"nothing was spent in {self._before_of(scene.period).title}"
        who = group_name(group, scene.facts.owners)
        return Sample(
            group=group,
            labels=owner_labels(group, self, scene.facts.owners),
            account=self.account_of(group, scene.facts.data),
            headline=f"Budget {self.name}{f' of {who}' if who else ''}: {format_usd(spent)} spent, no amount: {why}",
            value=Decimal(0),
            unit=Unit.RATIO,
            reached=None,
            held=None,
            thresholds=(),
            as_of=start_of(scene.edge),
            is_complete=not unknown,
            caveats=(why,) if unknown else (),
            period=self.period.value,
            period_start=start_of(scene.period.hours.start),
        )

    def _fast(self, standing: Standing) -> str:
        """Return the clause about how fast a budget is being spent; empty if no rate limit is reached."""
        if not self.burn:
            return ""
        severity = self._criteria(standing)[_RATE].highest()
        return "" if severity is None else standing.rate_clause(self.burn, severity)

    def _headline(self, who: str, standing: Standing, criteria: tuple[Criterion, ...], lagging: tuple[Lag, ...]) -> str:
        metric = "" if self.metric is Metric.AMOUNT else f" ({self.metric})"
        clause = standing.clause
        if standing.expected != standing.spent:
            clause = f"{billed_so_far(standing.spent, standing.expected, lagging)}, {standing.rest_clause}"
        parts = [f"Budget {self.name}{f' of {who}' if who else ''}{metric}: {clause}"]
        _, pace, forecast, *rates = criteria
        if standing.pace is not None and pace.highest() is not None:
            parts.append(f"{number_text(standing.pace)} times the budgeted pace")
        if rates and self._fast(standing):
            parts.append(self._fast(standing))
        if standing.forecast is not None and standing.forecast_share is not None and forecast.highest() is not None:
            total = format_usd(standing.forecast.total)
            parts.append(f"forecast to end at {total} ({share_text(standing.forecast_share)})")
        return "; ".join(parts)
