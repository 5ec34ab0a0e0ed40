"""
Silences: notifications that people do not want for a while. The alert goes on; only notifications wait.

A silence holds for every alert that its matchers match, or, where it is bound, for single alerts until they end or
cost a further amount.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from alertd.core.alert import Alert
from alertd.core.calendar import Period, period_of
from alertd.core.hours import hour_of, start_of
from alertd.core.labels import Patterns, matches_all
from alertd.core.money import Usd, format_usd
from alertd.core.rules.base import GROUP_KEYS
from alertd.core.words import format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One alert's episode that a silence holds for, and up to which value."""

    fingerprint: str
    episode: int
    below: Decimal | None = None
    """The silence holds while the alert's value is less than this; None for any value."""

    def names(self, alert: Alert) -> bool:
        """Return whether an alert is the one, in the same episode."""
        return (self.fingerprint, self.episode) == (alert.fingerprint, alert.episode)

    def holds(self, alert: Alert, since: datetime) -> bool:
        """Return whether it holds an alert: not where its amount is reached, or was notified since an instant."""
        is_below = self.below is None or alert.value < self.below
        return self.names(alert) and is_below and not self.is_notified(alert, since)

    def is_notified(self, alert: Alert, since: datetime) -> bool:
        """Return whether the value that ends it was notified since an instant."""
        if self.below is None or alert.notified_at is None or alert.notified_value is None:
            return False
        return alert.notified_at > since and alert.notified_value >= self.below


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Notifications withheld; replaced at each change and never deleted before its time."""

    id: str
    """Eight hex digits."""
    matchers: tuple[tuple[str, Patterns], ...]
    """Alert labels, or `rule`, `type`, `severity`, `account`, `fingerprint`, with the patterns that they must match."""
    author: str
    comment: str = ""
    created_at: datetime
    ends_at: datetime | None = None
    """None where only the alerts that it is bound to end it."""
    bound: tuple[Bound, ...] = ()
    """Empty: it holds for all that match, those to come included."""
    further: Usd | None = None
    """The further spend that ends it for each alert that it is bound to."""
    expired_at: datetime | None = None
    expired_by: str = ""

    def is_active(self, now: datetime) -> bool:
        """Return whether its time has not run out and nobody ended it."""
        return self.expired_at is None and (self.ends_at is None or now < self.ends_at)

    def holds(self, alert: Alert, labels: Mapping[str, str], now: datetime) -> bool:
        """Return whether it withholds an alert's notifications now; *labels* are those of `matchable`."""
        if not self.is_active(now) or not matches_all(dict(self.matchers), labels):
            return False
        return not self.bound or any(bound.holds(alert, self.created_at) for bound in self.bound)

    def is_outspent(self, alert: Alert, labels: Mapping[str, str], now: datetime) -> bool:
        """Return whether an alert cost the amount that ends it, and nobody was notified of that yet."""
        if not self.is_active(now) or not matches_all(dict(self.matchers), labels):
            return False
        return any(
            bound.names(alert)
            and not bound.holds(alert, self.created_at)
            and not bound.is_notified(alert, self.created_at)
            for bound in self.bound
        )

    @property
    def until(self) -> str:
        """When it ends, for people."""
        return until_words(self.ends_at, self.further)


def until_words(ends_at: datetime | None, further: Usd | None) -> str:
    """Say when a silence ends: one that neither a time nor an amount ends is bound to alerts."""
    ways = [f"until {format_instant(ends_at)}"] if ends_at is not None else []
    if further is not None:
        ways.append(f"until {format_usd(further)} more are spent")
    return " or ".join(ways) or "until the alert ends"


def expire(silence: Silence, *, by: str, now: datetime) -> Silence:
    """End a silence before its time."""
    return replace(silence, expired_at=now, expired_by=by)


RULE_LABELS = ("rule", "type", "severity", "account")
"""What alertd itself says of every alert."""
ALERT_LABELS = (*GROUP_KEYS, *RULE_LABELS, "product_id", "owner_name", "status", "month", "bill_id")
"""The labels that alerts of alertd's own rule types may have, besides those of owners and rules."""


def matchable(alert: Alert) -> dict[str, str]:
    """Return what matchers of routes, silences and inhibitions see of an alert."""
    return {
        **dict(alert.labels),
        "rule": alert.rule,
        "type": alert.type,
        "account": alert.account,
        "severity": alert.severity.label,
        "fingerprint": alert.fingerprint,
    }


def silence_of(silences: Iterable[Silence], alert: Alert, labels: Mapping[str, str], now: datetime) -> Silence | None:
    """Return the silence that holds an alert longest, None where none does."""
    holding = [silence for silence in silences if silence.holds(alert, labels, now)]
    # One without an end of its own outlasts the others as far as anybody knows.
    return max(holding, key=lambda silence: (silence.ends_at is None, silence.ends_at or now), default=None)


class SilenceLength(StrEnum):
    """The choices, in the order in which they are offered."""

    HOUR = "1h"
    DAY = "24h"
    MONTH_END = "month-end"
    RESOLVED = "resolved"

    @property
    def words(self) -> str:
        """The choice as it continues "silence …"."""
        return _WORDS[self]

    def ends_at(self, now: datetime) -> datetime | None:
        """Return when a silence that begins now ends; None where only the alert's own end does."""
        match self:
            case SilenceLength.HOUR:
                return now + timedelta(hours=1)
            case SilenceLength.DAY:
                return now + timedelta(hours=24)
            case SilenceLength.MONTH_END:
                return start_of(period_of(hour_of(now), Period.MONTH, "UTC").hours.end)
            case SilenceLength.RESOLVED:
                return None


_WORDS = {
    SilenceLength.HOUR: "for 1 hour",
    SilenceLength.DAY: "for 24 hours",
    SilenceLength.MONTH_END: "until the month ends (UTC)",
    SilenceLength.RESOLVED: "until the alert ends",
}
