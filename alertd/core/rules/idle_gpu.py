"""`idle_gpu`: running instances whose GPUs are idle, by the API's metrics, and what that costs, by the bills."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, first_hour_from, start_of
from alertd.core.key import Key
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, format_usd, to_decimal
from alertd.core.resources import Resource, ResourceKind
from alertd.core.rules.facts import Facts
from alertd.core.rules.rule import (
    NOT_MATCHED,
    Metric,
    Share,
    highest,
    owner_labels,
    ratio_decimal,
    severity_problems,
)
from alertd.core.rules.spend_rule import FILTER_HELP, SpendRule
from alertd.core.severity import Severity
from alertd.core.spend.lists import View
from alertd.core.utilization import KEPT, WHOLE, Idle, idle_stretch, is_cut, newest_of
from alertd.core.words import format_age, format_instant, format_share

_GROUP = ("account", "owner")


@dataclass(frozen=True, kw_only=True)
class IdleGpu(SpendRule):
    """Find running instances whose GPUs are idle."""

    TYPE: ClassVar[str] = "idle_gpu"
    HELP: ClassVar[str] = (
        "A running instance whose GPU utilisation was at or below `below` in every sample of the window, by severity "
        "or by what idling has cost since it began; one alert per account and owner. Missing metrics decide nothing."
    )
    ADVICE: ClassVar[str] = "Stop it if nobody waits for it; a stopped instance keeps its disk, which is still billed."
    NOT_REPLAYED: ClassVar[str] = "it depends on metrics, which are read only for the present"

    below: Annotated[
        Share,
        Key("The utilisation that counts as idle, the mean over the GPUs.", example="5%", at_most=Fraction(1)),
    ] = Share(Fraction(5, 100))
    window: Annotated[
        timedelta,
        Key(
            "How long it must have been idle, in every sample.",
            example="2h",
            at_least=timedelta(minutes=15),
            at_most=timedelta(days=7),
        ),
    ] = timedelta(hours=2)
    severity: Annotated[
        Severity | None,
        Key("Severity of every idle instance, instead of thresholds; without either, warning.", example="info"),
    ] = None
    thresholds: Annotated[
        Mapping[Severity, Usd],
        Key(
            "Severity to USD that idling has cost since it began; reached means value >= threshold.",
            example={"warning": 5, "critical": 50},
            at_least=1,
        ),
    ] = field(default_factory=dict)
    category: Patterns = Patterns(("gpu",))
    subcategory: Patterns = Patterns()
    product_id: Patterns = Patterns()
    billing_method: Patterns = Patterns()
    product: Annotated[Patterns, Key(f"The product's name. {FILTER_HELP}", example="*H100*")] = Patterns()
    group_by: tuple[str, ...] = _GROUP
    """Not configurable: every alert is about one instance."""
    metric: Metric = Metric.AMOUNT
    view: View = View.USAGE

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the limits."""
        yield from severity_problems(self.severity, self.thresholds)

    def lookback(self) -> timedelta:
        """Return the longest time for which idling can be counted."""
        return KEPT

    def asks_for(self, account: str, owner: str) -> bool:
        """Return whether the utilisation of an instance must be read for this rule."""
        return self.account.matches(account) and self.owner.matches(owner)

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge instances with sufficient metrics, and stopped ones with an open alert; the others do not change."""
        samples = []
        for key, resource in facts.resources.items():
            group: Labels = tuple(zip(_GROUP, key, strict=True))
            is_open = group in watched
            if (is_open or self._matches(facts, resource)) and facts.resource_of(*key) is not None:
                sample = self._judge(facts, group, resource, is_open=is_open)
                if sample is not None:
                    samples.append(sample)
        return samples

    def left_out(self, facts: Facts, group: Labels) -> str:
        """Return why an instance is no longer judged: the filters exclude it, so its utilisation is not even read."""
        names = dict(group)
        resource = facts.resources.get((names[_GROUP[0]], names[_GROUP[1]]))
        return NOT_MATCHED if resource is not None and not self._matches(facts, resource) else ""

    def _matches(self, facts: Facts, resource: Resource) -> bool:
        return (
            resource.kind is ResourceKind.INSTANCE
            and self.asks_for(*resource.key)
            and self.team.matches(facts.owners.attribute(resource.id, "team"))
            and self.product.matches(resource.product)
        )

    def _judge(self, facts: Facts, group: Labels, resource: Resource, *, is_open: bool) -> Sample | None:
        slots = facts.utilization.get(resource.key, {})
        if not resource.is_running:
            return self._sample(facts, group, resource, None, "stopped") if is_open else None
        idle = idle_stretch(slots, self._limit, facts.now, started_at=resource.started_at)
        if idle is not None and idle.until - idle.since >= self.window:
            return self._sample(facts, group, resource, idle, "")
        newest = newest_of(slots, facts.now)
        if not is_open or newest is None or (idle is not None and is_cut(slots, idle, started_at=resource.started_at)):
            # Nothing or too little is known: an open alert remains unchanged.
            return None
        return self._sample(facts, group, resource, None, f"at {_share(newest)}")

    @property
    def _limit(self) -> int:
        return int(self.below * WHOLE)

    def _sample(self, facts: Facts, group: Labels, resource: Resource, idle: Idle | None, ended: str) -> Sample:
        cost = self._cost(facts, group, idle) if idle is not None else Usd(0)
        who = facts.owners.display(resource.id)
        where = f" in account {resource.account}" if len(facts.data.accounts) > 1 else ""
        of = f" of {resource.hardware}" if resource.hardware else ""
        if idle is None:
            headline = f"{who}{where} is no longer idle: {ended}"
        else:
            age = format_age(idle.until - idle.since)
            headline = f"{who}{where} idle for {age} at {_share(idle.highest)}{of}: {format_usd(cost)} so far"
        by_cost = bool(self.thresholds)
        severity = self.severity or Severity.WARNING
        edge = self.edge(facts.data)
        billed_at = start_of(edge) if edge is not None else facts.now
        # If so, it may have been idle for longer, and have cost more, than the available metrics show.
        is_cut_off = (
            idle is not None
            and by_cost
            and is_cut(facts.utilization.get(resource.key, {}), idle, started_at=resource.started_at)
        )
        reached = None
        if idle is not None:
            reached = highest(self.thresholds, cost) if by_cost else severity
        lines = {one: to_decimal(limit) for one, limit in sorted(self.thresholds.items())}
        newest = newest_of(facts.utilization.get(resource.key, {}), facts.now) or 0
        share = Decimal(idle.highest if idle is not None else newest)
        return Sample(
            group=group,
            labels=owner_labels(group, self, facts.owners),
            account=resource.account,
            headline=headline,
            value=to_decimal(cost) if by_cost else share / WHOLE,
            unit=Unit.USD if by_cost else Unit.RATIO,
            reached=reached,
            held=reached,
            thresholds=tuple(lines.items()) if by_cost else ((severity, ratio_decimal(self.below)),),
            as_of=billed_at if by_cost else idle.until if idle is not None else facts.now,
            is_window=False,
            is_complete=not is_cut_off,
            caveats=(f"there are no metrics from before {format_instant(idle.since)}",)
            if idle is not None and is_cut_off
            else (),
            facts=(("Idle since", format_instant(idle.since)),) if idle is not None else (),
            is_below=not by_cost,
        )

    def _cost(self, facts: Facts, group: Labels, idle: Idle) -> Usd:
        """Return what was billed so far for the whole hours of idling."""
        first = first_hour_from(idle.since)
        hours = HourRange(first, max(first, first_hour_from(facts.now)))
        return facts.spend.sums(self._query(facts.data), self.metric, hours).of(group)


def _share(millionths: int) -> str:
    return format_share(Decimal(millionths) / WHOLE)
