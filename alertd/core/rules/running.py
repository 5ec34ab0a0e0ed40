"""`running`: hours in a row that an owner has been billed, from bills alone."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated, ClassVar

from alertd.core.alert import Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, start_of, whole_hours
from alertd.core.key import Key
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, format_usd
from alertd.core.rules.facts import Facts
from alertd.core.rules.rule import Metric, highest, hourly_problems, owner_labels, rising_problems
from alertd.core.rules.spend_rule import FILTER_HELP, SpendRule
from alertd.core.severity import Severity
from alertd.core.spend.bill import CATEGORIES
from alertd.core.spend.contributors import largest_parts
from alertd.core.spend.edges import Edges, lagging
from alertd.core.spend.lists import View
from alertd.core.spend.runs import Run, runs
from alertd.core.words import format_age, format_instant

_GROUP = ("account", "owner")
_LEAST_BACK = timedelta(days=31)
_CENTS = 500_000_000
"""$0.05 in 1e-10 USD: a retained disk costs less per hour, any GPU more."""


@dataclass(frozen=True, kw_only=True)
class RunningRule(SpendRule):
    """Count the hours in a row in which an owner was billed, up to the data edge."""

    TYPE: ClassVar[str] = "running"
    HELP: ClassVar[str] = (
        "Hours in a row that an owner has been billed at `min_rate` or more, up to the last billed hour; one alert per "
        "account and owner. Hours that could not be read neither count nor end a run."
    )
    ADVICE: ClassVar[str] = "Ask whether it is still needed: stop it, or silence this alert for as long as it is."

    category: Annotated[
        Patterns, Key(f"The productCategory polled. {FILTER_HELP}", example="gpu", words=CATEGORIES, is_closed=True)
    ] = Patterns(("gpu",))
    gap: Annotated[
        timedelta,
        Key(
            "A run ends after this long without bills, in complete data.",
            example="3h",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=7),
        ),
    ] = timedelta(hours=1)
    min_rate: Annotated[
        Usd,
        Key(
            "The least USD that an hour must cost to count, so that a disk that is kept is not a run.",
            example="$0.50",
            at_least=1,
        ),
    ] = Usd(_CENTS)
    thresholds: Annotated[
        Mapping[Severity, timedelta],
        Key(
            "Severity to whole hours; reached means that it has run for at least that long.",
            example={"warning": "24h", "critical": "72h"},
            at_least=timedelta(hours=1),
            at_most=timedelta(days=92),
        ),
    ]
    group_by: tuple[str, ...] = _GROUP
    """Fixed, because a run belongs to one owner."""
    metric: Metric = Metric.AMOUNT
    view: View = View.USAGE

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with gap and thresholds."""
        yield from hourly_problems("gap", self.gap)
        for limit in self.thresholds.values():
            yield from hourly_problems("thresholds", limit)
        yield from rising_problems("thresholds", self.thresholds)

    def lookback(self) -> timedelta:
        """Return how far back a run is followed: at least 31 days, and a week more than the highest threshold."""
        return max(_LEAST_BACK, max(self.thresholds.values(), default=timedelta()) + timedelta(days=7))

    @cached_property
    def _limits(self) -> dict[Severity, int]:
        return {severity: whole_hours(limit) for severity, limit in self.thresholds.items()}

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge the run of every owner that was billed recently, and of those with an open alert."""
        if self.edge(facts.data) is None:
            return []
        edges, query = self.edges(facts), self._query(facts.data)
        found = runs(
            facts.spend,
            facts.data,
            query,
            self.metric,
            edges,
            hours=whole_hours(self.lookback()),
            min_rate=self.min_rate,
            gap=whole_hours(self.gap),
            also=watched,
        )
        least = min(self._limits.values())
        gone = [group for group in watched if group not in found]
        samples = [
            self._sample(facts, edges, group, run)
            for group, run in found.items()
            if dict(group).get("owner") and (run.hours >= least or group in watched)
        ]
        ended = Run.none(edges.latest)
        return samples + [self._sample(facts, edges, group, ended) for group in gone]

    def _sample(self, facts: Facts, edges: Edges, group: Labels, run: Run) -> Sample:
        back = HourRange(run.edge - whole_hours(self.gap), run.edge)
        looked_at = HourRange(min(run.span.start, back.start), run.edge) if run.hours else back
        labels = dict(group)
        keys = [key for key in self.categories(facts.data) if key[0] == labels.get("account")]
        gaps = facts.data.gaps(keys, looked_at)
        reached = highest(self._limits, run.hours)
        return Sample(
            group=group,
            labels=owner_labels(group, self, facts.owners),
            account=self.account_of(group, facts.data),
            headline=self._headline(facts, labels, run),
            value=Decimal(run.hours),
            unit=Unit.HOURS,
            reached=reached,
            held=reached,
            thresholds=tuple((severity, Decimal(limit)) for severity, limit in sorted(self._limits.items())),
            as_of=start_of(run.edge),
            lagging=lagging(facts.data, edges, group, is_missed=False),
            is_window=False,
            is_complete=not gaps,
            caveats=tuple(gap.text for gap in gaps),
            top=largest_parts(facts.spend, self._query(facts.data), self.metric, run.span, group, before=None)
            if run.hours and facts.is_explained
            else (),
            table_note=f"since {format_instant(start_of(run.span.start))}",
            facts=_facts(run),
        )

    def _headline(self, facts: Facts, labels: Mapping[str, str], run: Run) -> str:
        owner, account = labels.get("owner", ""), labels.get("account", "")
        where = f" in account {account}" if len(facts.data.accounts) > 1 else ""
        who = f"{facts.owners.display(owner)}{where}"
        if not run.hours:
            return f"{who} is no longer running"
        least = "" if run.is_whole else "at least "
        return f"{who} has run for {least}{format_age(timedelta(hours=run.hours))}: {format_usd(run.cost)} so far"


def _facts(run: Run) -> tuple[tuple[str, str], ...]:
    if not run.hours:
        return ()
    begun = format_instant(start_of(run.span.start))
    skipped = len(run.span) - run.hours
    unread = (("Hours not read", f"{skipped}, which do not count"),) if skipped else ()
    return (("Running since", begun if run.is_whole else f"before {begun}"), *unread)
