"""
Silences: notifications that people do not want for a while. The alert goes on; only notifications wait.

A silence holds for every alert that its matchers match, or, where it is bound, for single alerts until they end or
cost a further amount.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from alertd.core.alert import Alert
from alertd.core.dataclass import dataclass
from alertd.core.key import GROUP_KEYS
from alertd.core.labels import Patterns, matches_all
from alertd.core.money import Usd, format_usd
from alertd.core.words import format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One alert's episode that a silence holds for, and from where further spend is counted."""

    fingerprint: str
    episode: int
    billed: Usd = Usd(0)
    """What the alert's group had been billed when the silence began, in 1e-10 USD."""

    def names(self, alert: Alert) -> bool:
        """Return whether an alert is the one, in the same episode."""
        return (self.fingerprint, self.episode) == (alert.fingerprint, alert.episode)

    def spent(self, alert: Alert) -> Usd:
        """Return what the alert's group was billed since."""
        return Usd((alert.billed.total if alert.billed is not None else 0) - self.billed)

    def notified(self, alert: Alert) -> Usd:
        """Return the part of that which the alert's last notification knew of."""
        return Usd((alert.billed.notified if alert.billed is not None else 0) - self.billed)


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
        return not self.bound or self.is_bound_to(alert)

    def is_bound_to(self, alert: Alert) -> bool:
        """Return whether it is bound to an alert, and the further spend that ends it was not billed yet."""
        return any(bound.names(alert) and not self._is_spent(bound, alert) for bound in self.bound)

    def is_outspent(self, alert: Alert, labels: Mapping[str, str], now: datetime) -> bool:
        """Return whether an alert cost the amount that ends it, and nobody was notified of that yet."""
        if not self.is_active(now) or not matches_all(dict(self.matchers), labels):
            return False
        return any(
            bound.names(alert) and self._is_spent(bound, alert) and not self._is_notified(bound, alert)
            for bound in self.bound
        )

    def _is_spent(self, bound: Bound, alert: Alert) -> bool:
        """Return whether the amount that ends it was billed; once notified of, it stays over whatever is credited."""
        if self.further is None:
            return False
        return bound.spent(alert) >= self.further or self._is_notified(bound, alert)

    def _is_notified(self, bound: Bound, alert: Alert) -> bool:
        """Return whether a notification since it began knew of the amount that ends it."""
        if self.further is None or alert.notified_at is None or alert.notified_at <= self.created_at:
            return False
        return bound.notified(alert) >= self.further

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


_WORDS = {
    SilenceLength.HOUR: "for 1 hour",
    SilenceLength.DAY: "for 24 hours",
    SilenceLength.MONTH_END: "until the month ends",
    SilenceLength.RESOLVED: "until the alert ends",
}
