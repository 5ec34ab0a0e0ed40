"""
What every rule has, and what a rule type must offer.

A rule type is a frozen dataclass that derives from `Rule`, registered under the entry point group `alertd.rule_types`.
Its fields are the keys of the rules file, their types and `Key` notes are the schema, and `evaluate` is its meaning.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Annotated, ClassVar, NewType, TypeVar, get_type_hints

from alertd.core.alert import Alert, Billed, Rate, Sample
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass
from alertd.core.key import Key
from alertd.core.labels import Labels, Patterns
from alertd.core.money import Usd, plain
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.facts import Facts
from alertd.core.severity import Severity
from alertd.core.spend.lists import View
from alertd.core.words import format_duration

Share = NewType("Share", Fraction)
"""A part of something: `80%` is 4/5, exact."""
LimitT = TypeVar("LimitT", int, Fraction, timedelta)
"""The types of thresholds; all thresholds of one mapping have the same type."""


Problem = tuple[str | tuple[str, ...], str]
"""The faulty key, or the path to a nested one; and what is wrong, with the remedy."""


class Metric(StrEnum):
    """Which amount of a charge counts."""

    AMOUNT = "amount"
    PAY = "pay"
    VOUCHER = "voucher"


NOT_MATCHED = "no longer matched by the rule"
"""Why an alert ends when the rule's filters exclude its group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Further receivers for an alert that nobody acknowledged."""

    after: Annotated[timedelta, Key("How long it must have fired.", example="24h")]
    notify: Annotated[tuple[str, ...], Key("Who is notified then.", example=["oncall"])]


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A rule of the rules file; frozen, compared by content. Without slots, so that derived values can be cached."""

    TYPE: ClassVar[str]
    """The word in `type:`."""
    HELP: ClassVar[str]
    """One sentence for the schema and the help page."""
    ADVICE: ClassVar[str] = ""
    """What the reader of an alert can do, in one sentence."""
    NEEDS_PAYMENT: ClassVar[bool] = False
    """Whether a payment resolves its alerts."""
    NEEDS_ONE_OF: ClassVar[tuple[str, ...]] = ()
    """Keys of which at least one must be given; `problems` reports it if none is."""
    NEEDS_BALANCE: ClassVar[bool] = False
    """Whether the accounts' balances must be read for it."""
    GROUP: ClassVar[tuple[str, ...]] = ()
    """The labels that distinguish its alerts, if every rule of the type has the same."""
    COUNTS_MONEY: ClassVar[bool] = False
    """Whether the spend since an alert began is counted, for `repeat_every` and for silences until an amount."""
    NOT_REPLAYED: ClassVar[str] = ""
    """Why past bills cannot show when it would have fired, as a clause; empty if they can."""

    name: Annotated[str, Key("Unique name.", example="gpu-24h-per-owner")]
    description: Annotated[str, Key("Shown in the alert.", example="GPU budget of research", is_meaning=False)] = ""
    runbook_url: Annotated[
        str,
        Key(
            "A page that says what to do; linked in the alert.", example="https://example.com/runbook", is_meaning=False
        ),
    ] = ""
    labels: Annotated[
        Labels, Key("Matched by routes, silences and inhibitions.", example={"team": "research"}, is_meaning=False)
    ] = ()
    for_: Annotated[
        timedelta,
        Key("How long the condition must hold before it fires.", example="2h", name="for", at_least=timedelta()),
    ] = timedelta()
    keep_firing_for: Annotated[
        timedelta,
        Key(
            "How long it keeps firing after its condition ended, so that a condition that comes and goes is one alert.",
            example="1h",
            at_least=timedelta(),
        ),
    ] = timedelta()
    resolve_below: Annotated[
        Share,
        Key(
            "An alert leaves a severity when its value falls below this share of the threshold.",
            example="90%",
            at_least=Fraction(0),
            at_most=Fraction(1),
        ),
    ] = Share(Fraction(9, 10))
    notify: Annotated[
        tuple[str, ...], Key("Receivers; by default the routes decide.", example=["finops"], is_meaning=False)
    ] = ()
    send_resolved: Annotated[
        bool, Key("Whether a notification is sent when it resolves.", example=True, is_meaning=False)
    ] = True
    repeat_interval: Annotated[
        timedelta | None,
        Key(
            "How often a firing alert is repeated, or `never`.",
            example="24h",
            at_least=timedelta(minutes=1),
            is_meaning=False,
        ),
    ] = timedelta(hours=24)
    repeat_backoff: Annotated[
        Fraction,
        Key(
            "The factor by which the interval grows, up to a week.",
            example=2,
            at_least=Fraction(1),
            at_most=Fraction(100),
            is_meaning=False,
        ),
    ] = Fraction(2)
    repeat_every: Annotated[
        Usd | None,
        Key(
            "The notification is also repeated each time this much more has been billed.",
            example="$500",
            at_least=1,
            is_meaning=False,
        ),
    ] = None
    escalate: Annotated[
        Escalation | None,
        Key(
            "Further receivers once it has been firing for some time without being acknowledged.",
            example={"after": "24h", "notify": ["oncall"]},
            is_meaning=False,
        ),
    ] = None
    actions: Annotated[
        tuple[str, ...],
        Key(
            "Names of `actions:` that its messages offer; only where each group is one owner.",
            example=["stop"],
            is_meaning=False,
        ),
    ] = ()
    summary: Annotated[
        str, Key("Jinja2 template for the first line.", example="{{ owner }} spent {{ value }}", is_meaning=False)
    ] = ""
    enabled: Annotated[bool, Key("Whether the rule is evaluated.", example=True)] = True

    @abstractmethod
    def evaluate(self, facts: Facts, watched: Collection[Labels]) -> list[Sample]:
        """
        Judge every group of this rule.

        Args:
            facts: What is known.
            watched: Groups with an open alert: they get a sample even if they spend nothing, unless no data is known.

        Returns:
            Samples of the groups that reach a severity, and of the watched ones. A group that only holds a severity
            begins no alert.
        """

    def problems(self) -> Iterator[Problem]:
        """Yield (key, what is wrong and the remedy) for faults that a single key cannot show."""
        yield from ()

    def undecided(self, facts: Facts) -> tuple[str, ...]:  # noqa: ARG002 # used by overrides
        """Return why some groups are not judged, a sentence for each reason; empty if all are."""
        return ()

    def lookback(self) -> timedelta:
        """Return how far back from now the rule needs hourly spend."""
        return timedelta()

    def work_out_edges(self, facts: Facts) -> None:  # noqa: B027 # most types use no bills
        """
        Compute the edges of the bills that the rule uses, so that later facts cannot move them back.

        Raises:
            ArithmeticError: A sum does not fit.
            LookupError: There is no spend view of these bills.
        """

    def counted(self, facts: Facts, alert: Alert) -> Billed | None:  # noqa: ARG002 # used by overrides
        """Return what an alert's group was billed since it began; None if `COUNTS_MONEY` is false."""
        return None

    def has_keys_of(self, group: Labels) -> bool:
        """Return whether a group has exactly the labels that distinguish the rule's alerts."""
        keys = self.group_keys
        # Nearly always in the same order.
        return tuple([name for name, _ in group]) == keys or {name for name, _ in group} == set(keys)

    def left_out(self, facts: Facts, group: Labels) -> str:  # noqa: ARG002 # used by overrides
        """
        Return why the rule no longer judges a group, such as an edit of filters or owners; empty while it does.

        An open alert of such a group ends with its last value, as the rule has no true one for it.
        """
        return ""

    def closing(self, facts: Facts, alert: Alert) -> Sample | None:  # noqa: ARG002 # used by overrides
        """Return the final sample of an alert's calendar period, once that has ended; None if it has no period."""
        return None

    def rates(self, facts: Facts, alerts: Collection[Alert]) -> Mapping[Labels, Rate]:  # noqa: ARG002 # as above
        """Return what the groups of alerts cost now; groups without known cost are absent."""
        return {}

    def is_event(self, alert: Alert) -> bool:  # noqa: ARG002 # used by overrides
        """Return whether an alert is about an event: it is notified once, neither repeated nor resolved."""
        return False

    def restated(self, facts: Facts, alert: Alert, as_of: datetime) -> Decimal | None:  # noqa: ARG002 # used by overrides
        """
        Return an alert's value at an earlier data edge, according to the current bills.

        None if it is not certain: a lower value needs complete data, and a higher one that no credit can be missing.
        """
        return None

    def chart(self, facts: Facts, alert: Alert) -> Chart | None:  # noqa: ARG002 # used by overrides
        """Return a chart of how an alert reached its value, up to the data edge at which it was judged."""
        return None

    @property
    def metrics(self) -> frozenset[Metric]:
        """The metrics that the spend view must hold for this rule."""
        return frozenset()

    @property
    def views(self) -> frozenset[View]:
        """The views of the bills that must be read for this rule."""
        return frozenset({View.USAGE})

    @property
    def group_keys(self) -> tuple[str, ...]:
        """The names of the labels that distinguish its alerts."""
        return self.GROUP

    def digest(self) -> str:
        """Return 16 hex digits that change with the rule's meaning, but not with its texts and receivers."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        import hashlib  # noqa: PLC0415 -- as in `labels`

        hints = get_type_hints(type(self), include_extras=True)
        notes = {name: key_of(hint) for name, hint in hints.items()}
        kept = {
            f.name: _canonical(getattr(self, f.name))
            for f in fields(self)
            if (note := notes[f.name]) is not None and note.is_meaning
        }
        text = repr((self.TYPE, sorted(kept.items())))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _canonical(value: object) -> str:
    """Return the same text for equivalent values: order does not matter in any of a rule's keys."""
    if isinstance(value, Mapping):
        return repr(sorted((str(name), repr(item)) for name, item in value.items()))
    if isinstance(value, Patterns):
        return repr(sorted(value.texts))
    return repr(sorted(map(repr, value))) if isinstance(value, tuple) else repr(value)


def key_of(hint: object) -> Key | None:
    """Return the `Key` note of an annotated type; None if it has none."""
    return next((note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Key)), None)


def hourly_problems(key: str, duration: timedelta) -> Iterator[tuple[str, str]]:
    """Yield a problem if a duration is not a whole number of hours."""
    if duration % timedelta(hours=1):
        yield key, f"{format_duration(duration)} is not a whole number of hours; bills come by the hour"


def rising_problems(key: str, thresholds: Mapping[Severity, LimitT]) -> Iterator[tuple[str, str]]:
    """Yield a problem if thresholds are missing, or a worse severity's threshold is not above a milder one's."""
    if not thresholds:
        yield key, f"{key} is empty; write at least one severity, e.g. {key}: {{warning: …}}"
    ordered = sorted(thresholds.items())
    for (mild, low), (bad, high) in pairwise(ordered):
        if not low < high:
            yield key, f"{key}: {bad.label} must be above {mild.label}, or it would never be seen"


def falling_problems(key: str, limits: Mapping[Severity, LimitT]) -> Iterator[tuple[str, str]]:
    """Yield a problem if a worse severity's limit is not below a milder one's, for limits reached from above."""
    for (mild, high), (bad, low) in pairwise(sorted(limits.items())):
        if not low < high:
            yield key, f"{key}: {bad.label} must be below {mild.label}, or it would never be seen"


def severity_problems(severity: Severity | None, thresholds: Mapping[Severity, LimitT]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a severity and thresholds, of which only one may be given."""
    if severity is not None and thresholds:
        yield "severity", "the thresholds say the severity already; keep one of them"
    if thresholds:
        yield from rising_problems("thresholds", thresholds)


def highest(limits: Mapping[Severity, int | Fraction], value: int | Fraction) -> Severity | None:
    """Return the highest severity whose limit the value reaches (`>=`); None if it reaches none."""
    return max([severity for severity, limit in limits.items() if value >= limit], default=None)


def ratio_decimal(ratio: Fraction) -> Decimal:
    """Return a ratio as the value of a sample, rounded down to six decimals so that it reaches no limit by rounding."""
    return plain(Decimal(f"{ratio.numerator * 10**6 // ratio.denominator}e-6"))


def days_of(length: timedelta) -> Decimal:
    """Return a duration in days as the value of a sample, rounded down as in `ratio_decimal`."""
    return ratio_decimal(Fraction(length // timedelta(seconds=1), 86400))


def owner_labels(group: Labels, rule: Rule, owners: OwnerDirectory) -> Labels:
    """
    Return a group's labels for people and routes: the rule's, its own, and its owner's name, team and labels.

    A group's own label wins over the owner's, and both over the rule's.
    """
    labels = dict(rule.labels)
    owner_id = dict(group).get("owner")
    if owner_id:
        owner = owners.find(owner_id)
        labels.update(owner.labels)
        labels.update({name: text for name, text in (("owner_name", owner.name), ("team", owner.team)) if text})
    labels.update(group)
    return tuple(labels.items())
