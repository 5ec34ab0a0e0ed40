"""
`balance`: what an account can still spend, and how long that lasts; one alert per account carries both.

Limits are reached from above. A balance that could not be read holds an alert, but never begins, lowers or ends one.
Bills that could not be read may hide spend: a runway that is already short fires, one that seems long ends nothing.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar

from alertd.core.alert import Alert, Billed, Contributor, Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, whole_hours
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, format_usd, to_decimal
from alertd.core.rules.base import (
    NOT_MATCHED,
    Key,
    Metric,
    Rule,
    falling_problems,
    hourly_problems,
    ratio_decimal,
)
from alertd.core.rules.facts import Facts
from alertd.core.rules.further import count_fall
from alertd.core.rules.runway import LONGEST_DAYS, Floor, Renewal, Runway, days_text
from alertd.core.rules.standing import worst
from alertd.core.severity import Severity
from alertd.core.spend.bill import SUBSCRIPTION, Balance
from alertd.core.spend.contributors import largest_parts
from alertd.core.spend.data_state import Gap
from alertd.core.spend.edges import Edges, edges_of
from alertd.core.spend.ends import two_ends
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.subscription import renewals
from alertd.core.words import format_duration, format_instant

_BY_THE_HOUR = Patterns((f"!{SUBSCRIPTION}",))
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """The data about one account."""

    runway: Runway
    query: SpendQuery
    window: HourRange | None
    """The hours whose spend counts; None if no bill was read yet."""
    gaps: tuple[Gap, ...]
    unread: str
    """Why the balance could not be read now; empty if it was read."""

    @property
    def balance(self) -> Balance:
        return self.runway.balance


@dataclass(frozen=True, kw_only=True)
class BalanceRule(Rule):
    """Compare each account's available balance, and how long it lasts, with limits that it must stay above."""

    TYPE: ClassVar[str] = "balance"
    HELP: ClassVar[str] = (
        "What an account can still spend and how long that lasts: the available balance divided by "
        "the recent mean spend; one alert per account covers both."
    )
    NEEDS_PAYMENT: ClassVar[bool] = True
    NEEDS_BALANCE: ClassVar[bool] = True
    GROUP: ClassVar[tuple[str, ...]] = ("account",)
    NEEDS_ONE_OF: ClassVar[tuple[str, ...]] = ("available_below", "runway_below")
    COUNTS_MONEY: ClassVar[bool] = True
    ADVICE: ClassVar[str] = "Top up the account in the billing console, or stop what spends most."

    account: Annotated[Patterns, Key("Which accounts: a value, a glob or a list.", example="prod")] = Patterns()
    available_below: Annotated[
        Mapping[Severity, Usd],
        Key("Severity to USD; reached means available <= limit.", example={"warning": "$100"}, at_least=0),
    ] = field(default_factory=dict)
    runway_below: Annotated[
        Mapping[Severity, timedelta],
        Key(
            "Severity to how long the balance lasts; reached means that it lasts no longer than that.",
            example={"warning": "7d", "critical": "2d"},
            at_least=timedelta(),
            at_most=timedelta(days=366),
        ),
    ] = field(default_factory=dict)
    window: Annotated[
        timedelta,
        Key(
            "Whole hours; their mean spend is the pace.",
            example="72h",
            at_least=timedelta(hours=1),
            at_most=timedelta(days=31),
        ),
    ] = timedelta(hours=72)
    metric: Annotated[
        Metric,
        Key(
            "Which spend is the pace: `pay` is what leaves the balance, `amount` also what vouchers pay.", example="pay"
        ),
    ] = Metric.PAY

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with window and limits."""
        yield from hourly_problems("window", self.window)
        if not (self.available_below or self.runway_below):
            text = "available_below and runway_below are both missing; write at least one"
            yield "available_below", f"{text}, e.g. available_below: {{warning: $100}}"
        yield from falling_problems("available_below", self.available_below)
        yield from falling_problems("runway_below", self.runway_below)

    def lookback(self) -> timedelta:
        """Return two windows: the second is what messages compare with."""
        return 2 * self.window

    @property
    def metrics(self) -> frozenset[Metric]:
        """The metric from which the pace is calculated."""
        return frozenset({self.metric})

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge every account whose balance was ever read."""
        samples = []
        for account, balance in sorted(facts.balances.items()):
            if not self.account.matches(account):
                continue
            group = ((self.GROUP[0], account),)
            sample = self._sample(facts, self._scene(facts, balance), group)
            if sample.held is not None or group in watched:
                samples.append(sample)
        return samples

    def left_out(self, facts: Facts, group: Labels) -> str:  # noqa: ARG002 # the account says it
        """Return why the account is not watched by the rule; empty if it is."""
        return "" if self.account.matches(dict(group)[self.GROUP[0]]) else NOT_MATCHED

    def counted(self, facts: Facts, alert: Alert) -> Billed | None:
        """Return how far the account's balance has fallen since the alert began."""
        balance = facts.balances.get(dict(alert.group)[self.GROUP[0]])
        return count_fall(alert.billed, balance.available) if balance is not None else alert.billed

    def work_out_edges(self, facts: Facts) -> None:
        """Work out the edges of each account's own query, whether or not its balance was read."""
        for account in sorted(facts.data.accounts):
            if self.account.matches(account):
                self._edges(facts, account)

    def runways(self, facts: Facts) -> list[Runway]:
        """Return the runway of each account that this rule watches and whose balance was ever read."""
        return [
            self._scene(facts, balance).runway
            for account, balance in sorted(facts.balances.items())
            if self.account.matches(account)
        ]

    def _scene(self, facts: Facts, balance: Balance) -> _Scene:
        keys = facts.data.select(Patterns((balance.account,)), _BY_THE_HOUR)
        edges = self._edges(facts, balance.account)
        ends = None
        if edges is not None:
            ends = two_ends(facts.spend, facts.data, self.metric, edges, length=whole_hours(self.window)).of(())
        window = ends.window if ends is not None else None
        gaps = facts.data.gaps(keys, window) if window is not None else ()
        return _Scene(
            runway=Runway(
                balance=balance,
                window=self.window,
                edge=window.end if window is not None else None,
                spent=ends.at_least if ends is not None else Usd(0),
                expected=ends.about if ends is not None else Usd(0),
                is_complete=window is not None and not gaps,
                renewals=self._renewals(facts, balance),
            ),
            query=_query(balance.account),
            window=window,
            gaps=gaps,
            unread=facts.balance_gaps.get(balance.account, ""),
        )

    def _edges(self, facts: Facts, account: str) -> Edges | None:
        """Return through which hour an account's pace is known; None if none of its bills was read yet."""
        keys = facts.data.select(Patterns((account,)), _BY_THE_HOUR)
        return edges_of(facts.spend, facts.data, _query(account), keys) if facts.data.edge(keys) is not None else None

    def _renewals(self, facts: Facts, balance: Balance) -> tuple[Renewal, ...]:
        """Return the renewals of the account's subscriptions, soonest first."""
        own = [term for term in facts.terms if term.account == balance.account]
        last = balance.read_at + timedelta(days=LONGEST_DAYS)
        due = [
            Renewal(at=term.ends_at, amount=term.pay if self.metric is Metric.PAY else term.amount)
            for term in renewals(own, balance.read_at, last)
            if term.ends_at is not None
        ]
        return tuple(sorted(due, key=lambda renewal: renewal.at))

    def _floors(self, scene: _Scene) -> tuple[Floor, Floor]:
        available = {severity: Fraction(limit) for severity, limit in self.available_below.items()}
        days = {severity: _days(limit) for severity, limit in self.runway_below.items()}
        return (
            Floor(name="available", limits=available, measure=Fraction(scene.balance.available)),
            Floor(name="runway", limits=days, measure=scene.runway.days, expected=scene.runway.expected_days),
        )

    def _sample(self, facts: Facts, scene: _Scene, group: Labels) -> Sample:
        available, runway = self._floors(scene)
        part = Fraction(self.resolve_below)
        # It ends only when the runway is also long enough at the spend expected to be billed.
        held = worst((available.held(part), runway.held(part)))
        # With a missing credit, the runway would be longer than it seems; the balance itself is not affected.
        is_short = runway.reached() if not any(gap.may_hide_credit for gap in scene.gaps) else None
        unit, value, thresholds = self._told(scene, available, runway, held)
        needs_spend = bool(runway.limits)
        return Sample(
            group=group,
            labels=(*self.labels, *group),
            account=scene.balance.account,
            headline=scene.runway.headline,
            value=value,
            unit=unit,
            reached=None if scene.unread else worst((available.reached(), is_short)),
            held=held,
            thresholds=thresholds,
            as_of=scene.balance.read_at,
            is_complete=not scene.unread and (scene.runway.is_complete or not needs_spend),
            may_raise=not scene.unread,
            caveats=_caveats(scene, needs_spend=needs_spend),
            top=self._top(facts, scene) if held is not None else (),
            table_note=f"largest spend of the last {format_duration(self.window)}, against as long before",
            facts=(*scene.runway.facts, *_reached_by(available, runway)),
            is_below=True,
        )

    def _told(
        self, scene: _Scene, available: Floor, runway: Floor, held: Severity | None
    ) -> tuple[Unit, Decimal, tuple[tuple[Severity, Decimal], ...]]:
        """Return unit, value and thresholds of the limit that holds the severity; in a tie the balance's, if any."""
        days = scene.runway.days
        part = Fraction(self.resolve_below)
        is_reached_by_runway = runway.reached() == held and available.reached() != held
        by_available = available.reached(part) == held and bool(available.limits) and not is_reached_by_runway
        if days is None or by_available:
            limits = tuple((severity, to_decimal(limit)) for severity, limit in sorted(self.available_below.items()))
            return Unit.USD, to_decimal(scene.balance.available), limits
        limits = tuple((severity, ratio_decimal(limit)) for severity, limit in sorted(runway.limits.items()))
        return Unit.DAYS, ratio_decimal(days), limits

    def _top(self, facts: Facts, scene: _Scene) -> tuple[Contributor, ...]:
        window = scene.window
        if window is None:
            return ()
        before = HourRange(window.start - len(window), window.start)
        keys = facts.data.select(Patterns((scene.balance.account,)), _BY_THE_HOUR)
        known = None if facts.data.gaps(keys, before) else before
        return largest_parts(facts.spend, scene.query, self.metric, window, (), before=known)


def _query(account: str) -> SpendQuery:
    """Return the query for the pace: all but subscriptions, which fall due again at the end of their term."""
    return SpendQuery(filters=(("category", _BY_THE_HOUR),), accounts=frozenset({account}))


def _caveats(scene: _Scene, *, needs_spend: bool) -> tuple[str, ...]:
    unread = f"{scene.unread}; judged as of {format_instant(scene.balance.read_at)}" if scene.unread else ""
    of_spend = [gap.text for gap in scene.gaps] if needs_spend else []
    if needs_spend and scene.window is None:
        of_spend = ["no bill of this account was read yet"]
    return tuple(text for text in (unread, *of_spend) if text)


def _days(limit: timedelta) -> Fraction:
    return Fraction(limit // timedelta(minutes=1), _DAY // timedelta(minutes=1))


def _reached_by(available: Floor, runway: Floor) -> tuple[tuple[str, str], ...]:
    """Return the fact that names the limits that were reached and their severities; nothing if there are none."""
    texts = []
    for floor in (available, runway):
        severity = floor.reached()
        if severity is not None:
            limit = floor.limits[severity]
            shown = format_usd(int(limit)) if floor is available else days_text(limit)
            texts.append(f"{floor.name} ({severity.label} at or below {shown})")
    return (("Reached by", ", ".join(texts)),) if texts else ()
