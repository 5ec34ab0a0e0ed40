"""`subscription`: fixed terms that end soon and were not renewed, and purchases."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from typing import Annotated, ClassVar

from alertd.core.alert import Alert, Sample, Unit
from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels, Patterns
from alertd.core.money import format_usd
from alertd.core.rules.base import NOT_MATCHED, Key, Rule, days_of, falling_problems
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.core.spend.bill import SUBSCRIPTION, Term
from alertd.core.spend.subscription import latest_terms
from alertd.core.words import format_age, format_instant

_NEW_FOR = timedelta(days=1)
"""How long a purchase counts as new; purchases before alertd's first read never do."""


@dataclass(frozen=True, kw_only=True)
class SubscriptionRule(Rule):
    """Count the days until the end of a fixed term that was not renewed; and notify of purchases."""

    TYPE: ClassVar[str] = "subscription"
    NEEDS_ONE_OF: ClassVar[tuple[str, ...]] = ("ends_within", "on_new")
    GROUP: ClassVar[tuple[str, ...]] = ("account", "owner", "product", "bought")
    HELP: ClassVar[str] = (
        "Days until the end of a fixed term that was not renewed, one alert per owner and product, "
        "which ends with a renewal or with the term; and one notification for each purchase."
    )
    ADVICE: ClassVar[str] = (
        "Renew it in the billing console, or save what is on it: what a term pays for is stopped when the term is over."
    )

    account: Annotated[Patterns, Key("Which accounts: a value, a glob or a list.", example="prod")] = Patterns()
    owner: Annotated[Patterns, Key("Instance or endpoint: a value, a glob or a list.", example="inst-*")] = Patterns()
    product: Annotated[Patterns, Key("The product's name: a value, a glob or a list.", example="*H100*")] = Patterns()
    ends_within: Annotated[
        Mapping[Severity, timedelta],
        Key(
            "Severity to the time before the end of the term; reached means that no more than that is left.",
            example={"warning": "7d", "critical": "1d"},
            at_least=timedelta(hours=1),
            at_most=timedelta(days=366),
        ),
    ] = field(default_factory=dict)
    on_new: Annotated[
        Severity | None, Key("The severity of the one notification about a purchase.", example="info")
    ] = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the limits."""
        if not self.ends_within and self.on_new is None:
            text = "ends_within and on_new are both missing; write at least one"
            yield "ends_within", f"{text}, e.g. ends_within: {{warning: 7d}}"
        yield from falling_problems("ends_within", self.ends_within)

    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """Judge each product's last term, and recent purchases."""
        samples = [*self._endings(facts), *self._purchases(facts, watched)]
        return [sample for sample in samples if sample.held is not None or sample.group in watched]

    def left_out(self, facts: Facts, group: Labels) -> str:
        """Return `NOT_MATCHED` if the filters exclude all of a group's subscriptions; else empty."""
        mine = [term for term in facts.terms if _group(term)[:-1] == group[:-1]]
        return "" if not mine or any(map(self._matches, mine)) else NOT_MATCHED

    def is_event(self, alert: Alert) -> bool:
        """Return whether the alert is about a purchase, which is notified once, not about a term that ends."""
        return bool(dict(alert.group).get("bought"))

    def _endings(self, facts: Facts) -> Iterator[Sample]:
        for term in latest_terms(facts.terms).values():
            group = _group(term)
            if term.ends_at is not None and self._matches(term):
                left = term.ends_at - facts.now
                limits = self.ends_within
                reached = max((s for s, limit in limits.items() if timedelta() < left <= limit), default=None)
                yield self._sample(facts, term, group, left, reached)

    def _purchases(self, facts: Facts, watched: Collection[Labels]) -> Iterator[Sample]:
        for term in facts.terms:
            group = _group(term, bought=f"{term.bought_at:%Y-%m-%dT%H:%M:%SZ}")
            age = facts.now - term.bought_at
            is_after_start = facts.watched_since is not None and term.bought_at > facts.watched_since
            is_news = term.is_new and age < _NEW_FOR and is_after_start and self._matches(term)
            if is_news or group in watched:
                yield self._bought(facts, term, group, self.on_new if is_news else None)

    def _matches(self, term: Term) -> bool:
        return (
            self.account.matches(term.account) and self.owner.matches(term.owner) and self.product.matches(term.product)
        )

    def _sample(self, facts: Facts, term: Term, group: Labels, left: timedelta, reached: Severity | None) -> Sample:
        who = facts.owners.find(term.owner).name or term.owner or term.account
        assert term.ends_at is not None, "only terms whose end is known are judged"
        return Sample(
            group=group,
            labels=(*self.labels, *(label for label in group if label[1])),
            account=term.account,
            headline=f"Subscription of {who} ({term.product}) {_what_became(term, facts.terms, left, reached)}",
            value=days_of(max(left, timedelta())),
            unit=Unit.DAYS,
            reached=reached,
            held=reached,
            thresholds=tuple((severity, days_of(limit)) for severity, limit in sorted(self.ends_within.items())),
            as_of=facts.now,
            is_complete=not _gaps(facts, term.account),
            caveats=_gaps(facts, term.account),
            facts=_facts(term),
            is_below=True,
        )

    def _bought(self, facts: Facts, term: Term, group: Labels, reached: Severity | None) -> Sample:
        who = facts.owners.find(term.owner).name or term.owner or term.account
        until = f" until {format_instant(term.ends_at)}" if term.ends_at is not None else ""
        return Sample(
            group=group,
            labels=(*self.labels, *(label for label in group if label[1])),
            account=term.account,
            headline=f"{who} was bought as a subscription ({term.product}) for {format_usd(term.amount)}{until}",
            value=days_of(facts.now - term.bought_at),
            unit=Unit.DAYS,
            reached=reached,
            held=reached,
            thresholds=(),
            as_of=facts.now,
            is_complete=True,
            facts=_facts(term),
        )


def _group(term: Term, bought: str = "") -> Labels:
    return tuple(
        zip(SubscriptionRule.GROUP, (term.account, term.owner, term.product_id or term.product, bought), strict=True)
    )


def _what_became(term: Term, terms: Iterable[Term], left: timedelta, reached: Severity | None) -> str:
    """Return the clause that says when a product's last term ends, and whether it was renewed in time."""
    assert term.ends_at is not None, "only terms whose end is known are judged"
    when = format_instant(term.ends_at)
    if left <= timedelta():
        return f"ended {when}"
    earlier = (each.ends_at for each in terms if each.what == term.what and each.ends_at is not None)
    if reached is None and any(end < term.ends_at for end in earlier):
        return f"was renewed until {when}"
    return f"ends in {format_age(left)}, {when}, and was not renewed"


def _facts(term: Term) -> tuple[tuple[str, str], ...]:
    end = format_instant(term.ends_at) if term.ends_at is not None else "not known"
    return (
        ("Paid", format_usd(term.amount)),
        ("Bought", format_instant(term.bought_at)),
        ("Term", f"{format_instant(term.starts_at)} to {end}"),
    )


def _gaps(facts: Facts, account: str) -> tuple[str, ...]:
    """Return the caveat that subscriptions could not be read, so that a renewal may be missing; else empty."""
    book = facts.data.books.get((account, SUBSCRIPTION))
    if book is None or book.failed_at is None:
        return ()
    return (f"the subscriptions of {account} could not be read since {format_instant(book.failed_at)}",)
