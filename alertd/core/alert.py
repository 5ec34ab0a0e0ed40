"""An alert of one group under one rule. Data only; `lifecycle.py` changes its state."""

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
"""Separates the accounts of an alert that is about several."""


class Unit(StrEnum):
    """The unit of a value."""

    USD = "USD"
    RATIO = "ratio"
    DAYS = "days"
    HOURS = "hours"


class AlertState(StrEnum):
    """The state of an alert."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """One of the largest parts of a value: owner, product, and the amounts in this window and the one before."""

    owner: str
    product: str
    category: str
    amount: Usd
    before: Usd | None
    """Its amount in the window before; None if that window is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """A stream of bills that is billed through an earlier time than others of the same value."""

    stream: str
    """Its category, with the account if there are several."""
    through: datetime
    """Until when it is billed."""
    is_by_day: bool
    """Whether it is billed by the day."""

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
    What an alert's group was billed since the alert began, added up as bills arrive; money in 1e-10 USD.

    A window's value does not show it, because spend that leaves the window offsets spend that enters it. Late rows
    count when they arrive. For a balance it is the fall of the balance.
    """

    total: Usd
    notified: Usd = Usd(0)
    """The total when the last notification became due."""
    held: Usd
    """The last evaluation's sum from `since` on, or the balance; the next one adds the difference to `total`."""
    since: int = 0
    """The first hour summed."""
    through: int = 0
    """The end of the summed hours, exclusive: the running hour at that time."""
    counted_by: str = ""
    """The digest of the rule at that time; sums under another rule text are not comparable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    The result of one evaluation for one group.

    `reached` is the highest severity whose threshold the value reaches; `held` is the highest that
    `resolve_below` still holds, never lower than `reached`. The rule type computes both exactly, so that the lifecycle
    needs no arithmetic.
    """

    group: Labels
    """The `group_by` labels: the alert's identity."""
    labels: Labels
    """`group`, the rule's labels and those of the owner: what people and routes see."""
    account: str
    """The account billed; several are joined by `ACCOUNT_SEPARATOR`."""
    headline: str
    """Who spends how much on what, one clause for people."""
    value: Decimal
    unit: Unit
    reached: Severity | None
    held: Severity | None
    thresholds: tuple[tuple[Severity, Decimal], ...]
    """In the value's unit, lowest severity first."""
    as_of: datetime
    """The end of the value's window, through which it is billed; for a balance, when it was read."""
    expected: Decimal | None = None
    """The estimated value once every stream is billed; None if that equals the value."""
    lagging: tuple[Lag, ...] = ()
    """The streams that are billed less far than usual."""
    is_window: bool = True
    """Whether the value covers exactly the window that ends at `as_of`, so that later bills can restate it."""
    is_complete: bool
    may_raise: bool = True
    """False if incomplete data could make the value too high, because a credit may be missing."""
    caveats: tuple[str, ...] = ()
    """Why the data is incomplete or uncertain, one sentence each, for people."""
    top: tuple[Contributor, ...] = ()
    table_note: str = ""
    """What the columns of `top` compare."""
    facts: tuple[tuple[str, str], ...] = ()
    """Additional (name, text) pairs for the reader."""
    url: str = ""
    """A link specific to this alert, such as the invoice."""
    period: str = ""
    """The kind of calendar period that the value covers, such as `month`; empty if it covers none."""
    period_start: datetime | None = None
    """When that period began; an alert ends with its period."""
    is_below: bool = False
    """Whether a threshold is reached by a value at or below it."""

    def threshold_of(self, severity: Severity | None) -> Decimal | None:
        """Return the threshold of a severity, or None."""
        return dict(self.thresholds).get(severity) if severity is not None else None


def lag_text(lagging: Iterable[Lag]) -> str:
    """Return the lagging streams, each with the time through which it is billed; empty if there is none."""
    return ", ".join(lag.text for lag in lagging)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What an alert's group currently costs, and whether it still runs. Money in 1e-10 USD."""

    per_hour: Usd
    """The mean of the last three hours billed."""
    through: datetime
    """The end of those hours."""
    is_billed: bool
    """Whether the last of those hours has spend."""
    since: datetime | None = None
    """For a single owner: when its spend last began, or ended if it has; None if that was before the known hours."""
    listed_since: datetime | None = None
    """For a single owner: when it last started according to the API's list, or stopped if it has; None if unknown."""
    status: str = ""
    """For a single owner: its status in the API's list; empty if unknown."""
    has_ended: bool = False
    """Whether it is stopped or gone according to that list."""
    hardware: str = ""
    """`1 × H100 SXM 80GB`; empty if unknown."""
    period_ends_at: datetime | None = None
    """When the calendar period of the value ends; None if it has none."""


class Address(NamedTuple):
    """The destination of a message: a receiver of the rules file and one of its recipients."""

    receiver: str
    recipient: str
    """Channel, mail address or URL label; empty if the receiver has only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    One alert as stored; replaced at each change.

    `episode` counts how often this fingerprint has begun to be pending or firing. `notified_*` describe the last
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
    """The current severity; once resolved, the last one."""
    value: Decimal
    threshold: Decimal | None
    unit: Unit
    as_of: datetime
    expected: Decimal | None = None
    """The estimated value once every stream is billed; None if that equals the value."""
    lagging: tuple[Lag, ...] = ()
    is_window: bool = True
    """Whether the value covers exactly the window that ends at `as_of`."""
    is_complete: bool
    started_at: datetime
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    condition_ended_at: datetime | None = None
    """When its condition ended, if it keeps firing for the rule's `keep_firing_for`; None while it holds."""
    reason: str = ""
    """Why it resolved or changed if the bills alone do not explain it, e.g. "rule removed"."""
    rule_digest: str
    """The rule's digest when the alert was last judged, which shows whether an edit or the bills changed the alert."""
    peak: Decimal
    """The worst value of the episode, in the current unit."""
    top: tuple[Contributor, ...] = ()
    table_note: str = ""
    caveats: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    url: str = ""
    period_start: datetime | None = None
    """When the calendar period of the value began."""
    is_below: bool = False
    """Whether lower values are worse."""
    billed: Billed | None = None
    """What its group was billed since the alert began; None if that is not counted, or not yet."""
    rate: Rate | None = None
    """What its group currently costs; None if unknown or if the alert is not about spend."""
    notified_at: datetime | None = None
    notified_value: Decimal | None = None
    notified_as_of: datetime | None = None
    """The `as_of` of the notified value; None if later bills cannot restate it, or the rule was edited since."""
    corrected: str = ""
    """How the notified value has been corrected since, as a sentence."""
    notified_severity: Severity | None = None
    """The notified severity, lowered when the alert's severity falls; a higher severity is notified again."""
    repeat_count: int = 0
    """Repeats since the first notification or the last rise: the exponent of `repeat_backoff`."""
    notified_to: tuple[Address, ...] = ()
    """Who was notified of this episode, and will be notified of its end."""
    escalated_at: datetime | None = None
    """When the additional receivers of `escalate` were notified."""
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    muted: Muted | None = None
    """The silence, inhibition or lack of a receiver that withholds its notifications while it fires."""

    def ended(self, headline: str) -> str:
        """Return a headline, followed by the reason if the alert has resolved and there is one."""
        return f"{headline} ({self.reason})" if self.reason and self.state is AlertState.RESOLVED else headline

    @property
    def is_reached(self) -> bool:
        """Whether the threshold is reached; else hysteresis, missing data or another value holds the severity."""
        if self.threshold is None:
            return False
        return self.value <= self.threshold if self.is_below else self.value >= self.threshold
