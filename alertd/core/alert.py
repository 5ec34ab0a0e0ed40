"""An alert: the life of one group under one rule. Data only; `lifecycle.py` moves it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from alertd.core.dataclass import dataclass
from alertd.core.labels import Labels
from alertd.core.money import Usd
from alertd.core.muted import Muted
from alertd.core.severity import Severity
from alertd.core.words import format_instant

ACCOUNT_SEPARATOR = ", "
"""Between the accounts of an alert that is about several."""


class Unit(StrEnum):
    """What a value counts."""

    USD = "USD"
    RATIO = "ratio"
    DAYS = "days"
    HOURS = "hours"


class AlertState(StrEnum):
    """Where an alert is in its life."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """One of the largest parts of a value: whose, which product, how much now and in the window before."""

    owner: str
    product: str
    category: str
    amount: Usd
    before: Usd | None
    """The same part in the window before; None where that window is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """A stream of bills that is known less far than others of the same value."""

    stream: str
    """Its category, with the account where there are several."""
    through: datetime
    """It is billed up to here."""
    is_by_day: bool
    """Its rows come by the day."""

    @property
    def text(self) -> str:
        """The stream and when it is billed through: `cloud_storage through Mar 9`, `gpu through <instant>`."""
        if self.is_by_day and self.through == self.through.replace(hour=0, minute=0):
            last = self.through - timedelta(hours=1)
            return f"{self.stream} through {last:%b} {last.day}"
        return f"{self.stream} through {format_instant(self.through)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """
    What an alert's group was billed since the alert began, counted as the bills come; money in 1e-10 USD.

    A window's value says nothing of that: what leaves it at one end hides what comes in at the other. Late rows count
    when they come. For a balance it is how far that fell.
    """

    total: Usd
    notified: Usd = Usd(0)
    """The part of it that the last notification knew of."""
    held: Usd
    """What the last evaluation found from `since` on, or the balance: the next counts what came on top."""
    since: int = 0
    """The first hour that was summed."""
    through: int = 0
    """The running hour when it was summed: the first that was not."""
    counted_by: str = ""
    """The digest of the rule that counted: sums by another text cannot be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    What one evaluation says of one group.

    `reached` is the highest severity whose threshold the value reaches; `held` the highest that it has not yet left
    again (`resolve_below`), never lower than `reached`. The rule type computes both exactly, so that the life of an
    alert needs no arithmetic.
    """

    group: Labels
    """The `group_by` labels: the alert's identity."""
    labels: Labels
    """`group`, the rule's labels and what is known of the owner: what people and routes see."""
    account: str
    """Whose bill it is; several are joined by a comma."""
    headline: str
    """Whose, what and how much in one clause, in words for people."""
    value: Decimal
    unit: Unit
    reached: Severity | None
    held: Severity | None
    thresholds: tuple[tuple[Severity, Decimal], ...]
    """In the value's unit, lowest severity first."""
    as_of: datetime
    """The end of the window that gave the value: billed through here."""
    expected: Decimal | None = None
    """What the value comes to once every stream is billed; None where that is the value itself."""
    lagging: tuple[Lag, ...] = ()
    """The streams that are billed less far than they usually are by now."""
    is_window: bool = True
    """The window that ends at `as_of` holds exactly the value, so that later bills can restate it."""
    is_complete: bool
    may_raise: bool = True
    """False where the value could be too high: incomplete data in which a credit may be missing."""
    caveats: tuple[str, ...] = ()
    """Why the data is incomplete or unsure, a sentence each, in words for people."""
    top: tuple[Contributor, ...] = ()
    table_note: str = ""
    """What the columns of `top` compare."""
    facts: tuple[tuple[str, str], ...] = ()
    """Further (name, text) pairs that answer the reader's next question."""
    url: str = ""
    """A link that belongs to this one alert, such as the invoice."""
    period: str = ""
    """The kind of calendar period that the value counts, such as `month`; empty where it counts none."""
    period_start: datetime | None = None
    """When that period began: no alert outlives it."""
    is_below: bool = False
    """Thresholds are reached from above, by a value at or below them."""

    def threshold_of(self, severity: Severity | None) -> Decimal | None:
        """Return the threshold that stands for a severity, or None."""
        return dict(self.thresholds).get(severity) if severity is not None else None


def lag_text(lagging: Iterable[Lag]) -> str:
    """Return the streams that lag, each with through when it is billed; empty where none does."""
    return ", ".join(lag.text for lag in lagging)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What an alert's group costs now, and whether it still runs. Money in 1e-10 USD."""

    per_hour: Usd
    """The mean of the last three hours billed."""
    through: datetime
    """The end of these hours."""
    is_billed: bool
    """The last of these hours holds money."""
    since: datetime | None = None
    """Of one owner: when its bills last began, or ended where they have; None where that is longer ago than known."""
    listed_since: datetime | None = None
    """Of one owner: when it last started by the API's list, or stopped where it has; None where that is not known."""
    status: str = ""
    """Of one owner: what the API's list says now; empty where that is not known."""
    has_ended: bool = False
    """By that list it is stopped or gone."""
    hardware: str = ""
    """`1 × H100 SXM 80GB`; empty where it is not known."""
    period_ends_at: datetime | None = None
    """When the calendar period ends that the value counts."""


class Address(NamedTuple):
    """Where a message goes: a receiver of the rules file, and one of those whom it reaches."""

    receiver: str
    recipient: str
    """Channel, address or URL label; empty where the receiver has but one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    One alert as stored; replaced at each change.

    `episode` counts how often this fingerprint began to be pending or firing. `notified_*` describe the last
    notification that became due, whoever received it.
    """

    fingerprint: str
    rule: str
    type: str
    account: str
    group: Labels
    labels: Labels
    headline: str
    episode: int
    state: AlertState
    severity: Severity
    """While firing, the present one; once resolved, the last."""
    value: Decimal
    threshold: Decimal | None
    unit: Unit
    as_of: datetime
    expected: Decimal | None = None
    """What the value comes to once every stream is billed; None where that is the value itself."""
    lagging: tuple[Lag, ...] = ()
    is_window: bool = True
    """The window that ends at `as_of` holds exactly the value."""
    is_complete: bool
    started_at: datetime
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    condition_ended_at: datetime | None = None
    """When its condition ended, where it goes on firing for the rule's `keep_firing_for`; None while that holds."""
    reason: str = ""
    """Why it resolved or changed when the bills alone do not explain it, e.g. "rule removed"."""
    rule_digest: str
    """The rule's meaning when the alert was last judged: shows whether an edit or the bills changed it."""
    peak: Decimal
    """The worst value of the episode, in its present unit."""
    top: tuple[Contributor, ...] = ()
    table_note: str = ""
    caveats: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    url: str = ""
    period_start: datetime | None = None
    """When the calendar period began that the value counts."""
    is_below: bool = False
    """The lower the value, the worse."""
    billed: Billed | None = None
    """What its group was billed since it began; None where that is not counted, or not yet."""
    rate: Rate | None = None
    """What its group costs now; None where it is not about spend."""
    notified_at: datetime | None = None
    notified_value: Decimal | None = None
    notified_as_of: datetime | None = None
    """The data edge of the notified value; None where the rule was edited since."""
    corrected: str = ""
    """How the notified value was corrected since, in a sentence."""
    notified_severity: Severity | None = None
    """The severity that was notified, lowered with the alert's own: above it is news."""
    repeat_count: int = 0
    """Repeats since the beginning or the last rise: the exponent of `repeat_backoff`."""
    notified_to: tuple[Address, ...] = ()
    """Who was notified of this episode: they are notified of its end."""
    escalated_at: datetime | None = None
    """When the further receivers of `escalate` were notified."""
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    muted: Muted | None = None
    """The silence, the inhibition or the lack of a receiver that withholds its notifications while it fires."""

    def ended(self, headline: str) -> str:
        """Return a headline with what ended the alert, where it is over and its value is not the reason."""
        return f"{headline} ({self.reason})" if self.reason and self.state is AlertState.RESOLVED else headline

    @property
    def is_reached(self) -> bool:
        """Whether the value reaches the threshold; else hysteresis, missing data or another way holds the severity."""
        if self.threshold is None:
            return False
        return self.value <= self.threshold if self.is_below else self.value >= self.threshold
