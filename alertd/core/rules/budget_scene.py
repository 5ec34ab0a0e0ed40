"""The inputs of one evaluation of a budget, and each group's forecast for the end of its period."""

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from alertd.core.arrays import distinct, np
from alertd.core.calendar import CalendarPeriod, period_before
from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, whole_hours
from alertd.core.labels import Labels
from alertd.core.money import LARGEST_SUM, Usd
from alertd.core.rules.budget_amount import LastSpend, Moving, PeriodAmounts, names_of_singles
from alertd.core.rules.budget_screen import ScreenedBudget
from alertd.core.rules.even_rate import RateScene
from alertd.core.rules.facts import Facts
from alertd.core.rules.outlook import Ahead, Outlook, outlook_of
from alertd.core.rules.standing import Forecast
from alertd.core.spend.bill import SUBSCRIPTION
from alertd.core.spend.data_state import DataState, Gap
from alertd.core.spend.edges import Edges
from alertd.core.spend.ends import since_start
from alertd.core.spend.forecast import HISTORY_DAYS, MOST_DAYS
from alertd.core.spend.group_sums import GroupSums
from alertd.core.spend.planned import Allowances

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HISTORY_HOURS = HISTORY_DAYS * HOURS_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The inputs of one evaluation of one period, the same for all its groups."""

    facts: Facts
    period: CalendarPeriod
    edge: int
    edges: Edges
    sums: GroupSums
    """What each group was billed in the window."""
    expected: GroupSums
    """What that adds up to once every stream is billed."""
    members: frozenset[Labels] | None
    """The groups whose current period this is; None for all."""
    allowances: Allowances
    history_start: int | None
    """The first hour of a forecast's history; None if data is missing, as no forecast uses incomplete data."""
    metric: str
    last_day: GroupSums | None
    """The expected spend of the last 24 hours, without subscriptions; None if data of these hours is missing."""
    before: HourRange | None
    """As many hours as the window has, before the period; None if they are not known."""
    gaps: tuple[Gap, ...]
    """What is missing in the window."""
    looked_at: tuple[Gap, ...]
    """The same, and for a rule with a forecast also what is missing in its history."""
    amounts: PeriodAmounts
    rates: RateScene | None
    """How fast groups spend; None if the rule has no limit for it, or counts nothing that has a rate."""

    def is_of(self, group: Labels) -> bool:
        """Return whether this is the current period of a group."""
        return self.members is None or group in self.members

    @property
    def window(self) -> HourRange:
        """The hours of the period that are billed."""
        return HourRange(self.period.hours.start, self.edge)

    def may_forecast(self, min_history: timedelta | None) -> bool:
        """Return whether enough of the period has passed for any group to have a forecast."""
        return bool(min_history) or len(self.window) * 10 >= len(self.period.hours)

    def outlook(self) -> Outlook | None:
        """Return what groups are expected to spend in the rest of the period; None if data is missing."""
        if self.history_start is None:
            return None
        ahead = Ahead(
            metric=self.metric,
            start=self.history_start,
            edge=self.edge,
            hours_left=self.period.hours.end - self.edge,
            plans=self.allowances.plans,
        )
        return outlook_of(self.facts.spend, self.edges, ahead, self.allowances.unplanned)


@dataclass(frozen=True, kw_only=True)
class WatchedBudget(ScreenedBudget):
    """A budget that collects the inputs of its evaluations."""

    INCLUDES_SUBSCRIPTIONS: ClassVar[bool] = True

    def common(self, facts: Facts, edges: Edges) -> tuple[object, ...]:  # noqa: ARG002 # rates have edges of their own
        """Return the edges of the spend that has a rate, if the rule has limits for it."""
        return (self.hourly.edges(facts),) if self.burn and self.hourly.categories(facts.data) else ()

    def _scenes(self, facts: Facts, edges: Edges, watched: Collection[Labels]) -> list[Scene]:
        """Return a scene for each period: a group's period is judged until all of its streams have passed it."""
        # Categories that cannot be read now are not waited for: they would delay the new period as long as they fail.
        unread = [key for key in self.categories(facts.data) if facts.data.books[key].failed_at is not None]
        earliest = edges.earliest(unread)
        # A stream billed through a period's end has passed it, but a period begins only once something of it is billed.
        last = edges.latest - 1
        periods = {edge: self.period_of(min(edge, last)) for edge in {edges.latest, *distinct(earliest).tolist()}}
        rates = self._rate_scene(facts)
        if len({period.hours.start for period in periods.values()}) == 1:
            return [self._scene(facts, edges, periods[edges.latest], rates, members=None)]
        of_group = dict(zip(edges.cells.groups, earliest.tolist(), strict=True))
        by_start: dict[int, tuple[CalendarPeriod, set[Labels]]] = {}
        for group in dict.fromkeys((*of_group, *watched)):
            period = periods[of_group.get(group, edges.latest)]
            by_start.setdefault(period.hours.start, (period, set()))[1].add(group)
        return [
            self._scene(facts, edges, period, rates, members=frozenset(groups))
            for _, (period, groups) in sorted(by_start.items())
        ]

    def _before_of(self, period: CalendarPeriod) -> CalendarPeriod:
        return period_before(period, self.timezone, self.starts_on)

    def _amounts(self, facts: Facts, period: CalendarPeriod) -> PeriodAmounts:
        """Return what each group may spend in a period; *facts* must be of the rule's view."""
        shared = self.amounts_by_period.get(period.key, self.amount)
        return PeriodAmounts(
            shared=LastSpend.of(
                facts,
                self._query(facts.data),
                self.metric,
                self.categories(facts.data),
                self._before_of(period),
                self.grow,
            )
            if isinstance(shared, Moving)
            else shared,
            singles=self.amounts,
            named_by=names_of_singles(self.group_by),
            owners=facts.owners,
        )

    def _rate_scene(self, facts: Facts) -> RateScene | None:
        rule = self.hourly
        # If only subscriptions pass the filters, there is no rate.
        if not self.burn or not rule.categories(facts.data):
            return None
        return RateScene.of(
            self.burn,
            facts,
            rule.edges(facts),
            metric=self.metric,
            categories=rule.categories(facts.data),
            allowances=lambda window: rule._allowances(facts, window),  # noqa: SLF001 # it is this rule's own
        )

    def _scene(
        self,
        facts: Facts,
        edges: Edges,
        period: CalendarPeriod,
        rates: RateScene | None,
        *,
        members: frozenset[Labels] | None,
    ) -> Scene:
        data, categories = facts.data, self.categories(facts.data)
        edge = min(edges.latest, period.hours.end)
        spent = since_start(facts.spend, facts.data, self.metric, edges, start=period.hours.start, end=edge)
        window = HourRange(period.hours.start, edge)
        start = max(window.start - _HISTORY_HOURS, edge - MOST_DAYS * HOURS_PER_DAY)
        gaps = data.gaps(categories, window)
        allowances = self._allowances(facts, window)
        with_history = data.gaps(categories, HourRange(min(start, window.start), edge))
        if self.forecast:
            # Unread hours hide use of the planned amount: too much would count as planned and lower the forecast.
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
            metric=self.metric,
            last_day=self._last_day(facts, edges, edge),
            before=self._before(data, categories, window),
            gaps=gaps,
            looked_at=looked_at,
            amounts=self._amounts(facts, period),
            rates=rates,
        )

    def _last_day(self, facts: Facts, edges: Edges, edge: int) -> GroupSums | None:
        # Most accounts have no subscriptions, so the edges at hand apply.
        rule = self.hourly if edges.cells.of_category(SUBSCRIPTION).any() else self
        categories = rule.categories(facts.data)
        if not categories:
            return None
        edges = edges if rule is self else rule.edges(facts)
        end = min(edge, edges.latest)
        day = HourRange(end - HOURS_PER_DAY, end)
        if facts.data.gaps(categories, day):
            return None
        return since_start(facts.spend, facts.data, self.metric, edges, start=day.start, end=day.end).about

    def _before(self, data: DataState, categories: tuple[tuple[str, str], ...], window: HourRange) -> HourRange | None:
        before = HourRange(window.start - len(window), window.start)
        # Older hours were read, but the spend view may not hold them.
        return None if len(before) > _HISTORY_HOURS or data.gaps(categories, before) else before


def forecasts_of(scene: Scene, groups: list[Labels], *, min_history: timedelta | None) -> dict[Labels, Forecast]:
    """Return the forecasts of the groups that have spent long enough."""
    known = [group for group in groups if group in scene.sums.numbers]
    outlook = scene.outlook() if known and scene.may_forecast(min_history) else None
    if outlook is None:
        return {}
    numbers = np.array([scene.sums.numbers[group] for group in known], np.intp)
    rest, is_enough = outlook.rest(numbers).tolist(), has_forecast(scene, outlook, numbers, min_history).tolist()
    nothing = np.full(len(known), np.nan)
    low, high = (end.tolist() for end in (outlook.range(numbers) if scene.facts.is_explained else (nothing, nothing)))
    renewed = scene.allowances.renewed(scene.period.hours.end)
    found = {}
    for number, group in enumerate(known):
        if not is_enough[number]:
            continue
        # The history excludes planned spend: what is still to come of it is added here and raises the limits by the
        # same amount, so it changes what is shown, but never what is reached.
        ahead = scene.allowances.ahead(group, scene.period.hours.end)
        base = scene.expected.of(group) + ahead + renewed.get(group, 0)
        has_range = low[number] == low[number]
        found[group] = Forecast(
            total=Usd(base + round(rest[number])),
            planned=ahead,
            range=(Usd(base + round(low[number])), Usd(base + round(high[number]))) if has_range else None,
        )
    return found


def forecast_of_all(scene: Scene, numbers: "NDArray[np.intp]", *, min_history: timedelta | None) -> Usd | None:
    """Return the total forecast of several groups, given by number; None if one of them has no forecast."""
    outlook = scene.outlook() if scene.may_forecast(min_history) else None
    if outlook is None or not has_forecast(scene, outlook, numbers, min_history).all():
        return None
    total = _total(scene.expected.values[numbers]) + _total(np.rint(outlook.rest(numbers)))
    renewed = scene.allowances.renewed(scene.period.hours.end)
    if renewed or scene.allowances.plans:
        groups = [scene.sums.groups[number] for number in numbers.tolist()]
        total += sum(renewed.get(g, 0) + scene.allowances.ahead(g, scene.period.hours.end) for g in groups)
    return Usd(total)


def _total(amounts: "NDArray[np.int64] | NDArray[np.float64]") -> int:
    """Return the exact sum of whole amounts."""
    fits = float(np.abs(amounts.astype(np.float64)).sum()) < LARGEST_SUM
    return int(amounts.astype(np.int64).sum()) if fits else sum(map(int, amounts.tolist()))


def has_forecast(
    scene: Scene, outlook: Outlook, numbers: "NDArray[np.intp]", min_history: timedelta | None
) -> "NDArray[np.bool_]":
    """Return which groups have spent long enough: for `min_history`, or a tenth of the period."""
    known_for = outlook.known_for(numbers)
    is_enough: NDArray[np.bool_] = np.minimum(len(scene.window), known_for) * 10 >= len(scene.period.hours)
    return is_enough | (known_for >= whole_hours(min_history)) if min_history else is_enough
