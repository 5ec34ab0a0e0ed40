"""
Silences: people mute notifications for a while. The alert continues; only notifications wait.

A silence applies to every alert that its matchers match, or, if it is bound, to single alerts until they end or
cost a further amount.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from alertd.core.alert import Alert
from alertd.core.dataclass import dataclass, replace
from alertd.core.key import GROUP_KEYS
from alertd.core.labels import Patterns, matches_all
from alertd.core.money import Usd, format_usd
from alertd.core.words import format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One alert episode to which a silence is bound, and the amount from which further spend is counted."""

    fingerprint: str
    episode: int
    billed: Usd = Usd(0)
    """Billed amount of the alert's group when the silence began, in 1e-10 USD."""

    def names(self, alert: Alert) -> bool:
        """Return whether an alert is the bound one, in the same episode."""
        return (self.fingerprint, self.episode) == (alert.fingerprint, alert.episode)

    def spent(self, alert: Alert) -> Usd:
        """Return the amount billed to the alert's group since."""
        return Usd((alert.billed.total if alert.billed is not None else 0) - self.billed)

    def notified(self, alert: Alert) -> Usd:
        """Return the part of that known at the alert's last notification."""
        return Usd((alert.billed.notified if alert.billed is not None else 0) - self.billed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence; replaced at each change, and never deleted before its end."""

    id: str
    """Eight hex digits."""
    matchers: tuple[tuple[str, Patterns], ...]
    """Patterns by alert label, or by `rule`, `type`, `severity`, `account`, `fingerprint`."""
    author: str
    comment: str = ""
    created_at: datetime
    ends_at: datetime | None = None
    """None if only its bound alerts end it."""
    bound: tuple[Bound, ...] = ()
    """Bound alerts; if empty, it applies to all matching alerts, including future ones."""
    further: Usd | None = None
    """The further spend that ends it for each bound alert."""
    expired_at: datetime | None = None
    expired_by: str = ""

    def is_active(self, now: datetime) -> bool:
        """Return whether it has neither expired nor been ended."""
        return self.expired_at is None and (self.ends_at is None or now < self.ends_at)

    def holds(self, alert: Alert, labels: Mapping[str, str], now: datetime) -> bool:
        """Return whether it mutes an alert now; *labels* are those of `matchable`."""
        if not self.is_active(now) or not matches_all(dict(self.matchers), labels):
            return False
        return not self.bound or self.is_bound_to(alert)

    def is_bound_to(self, alert: Alert) -> bool:
        """Return whether it is bound to an alert whose further spend has not yet reached the amount."""
        return any(bound.names(alert) and not self._is_spent(bound, alert) for bound in self.bound)

    def is_outspent(self, alert: Alert, labels: Mapping[str, str], now: datetime) -> bool:
        """Return whether an alert has cost the amount that ends it, and nobody has been notified of that yet."""
        if not self.is_active(now) or not matches_all(dict(self.matchers), labels):
            return False
        return any(
            bound.names(alert) and self._is_spent(bound, alert) and not self._is_notified(bound, alert)
            for bound in self.bound
        )

    def _is_spent(self, bound: Bound, alert: Alert) -> bool:
        """Return whether the amount that ends it was billed; once notified, it stays ended despite later credits."""
        if self.further is None:
            return False
        return bound.spent(alert) >= self.further or self._is_notified(bound, alert)

    def _is_notified(self, bound: Bound, alert: Alert) -> bool:
        """Return whether a notification since its start included the amount that ends it."""
        if self.further is None or alert.notified_at is None or alert.notified_at <= self.created_at:
            return False
        return bound.notified(alert) >= self.further

    @property
    def until(self) -> str:
        """Its end, for people."""
        return until_words(self.ends_at, self.further)


def until_words(ends_at: datetime | None, further: Usd | None) -> str:
    """Describe the end of a silence: without time and amount, it ends with its alerts."""
    ways = [f"until {format_instant(ends_at)}"] if ends_at is not None else []
    if further is not None:
        ways.append(f"until {format_usd(further)} more are spent")
    return " or ".join(ways) or "until the alert ends"


def expire(silence: Silence, *, by: str, now: datetime) -> Silence:
    """End a silence early."""
    return replace(silence, expired_at=now, expired_by=by)


RULE_LABELS = ("rule", "type", "severity", "account")
"""Names of an alert's properties that can be matched like labels."""
ALERT_LABELS = (*GROUP_KEYS, *RULE_LABELS, "product_id", "owner_name", "status", "month", "bill_id")
"""Labels of alerts of alertd's rule types, besides those of owners and rules."""


def matchable(alert: Alert) -> dict[str, str]:
    """Return an alert's labels for matchers of routes, silences and inhibitions."""
    return {
        **dict(alert.labels),
        "rule": alert.rule,
        "type": alert.type,
        "account": alert.account,
        "severity": alert.severity.label,
        "fingerprint": alert.fingerprint,
    }


def silence_of(silences: Iterable[Silence], alert: Alert, labels: Mapping[str, str], now: datetime) -> Silence | None:
    """Return the silence that mutes an alert longest; None if none does."""
    holding = [silence for silence in silences if silence.holds(alert, labels, now)]
    # A silence without a fixed end is assumed to outlast the others.
    return max(holding, key=lambda silence: (silence.ends_at is None, silence.ends_at or now), default=None)


class SilenceLength(StrEnum):
    """The choices in display order."""

    HOUR = "1h"
    DAY = "24h"
    MONTH_END = "month-end"
    RESOLVED = "resolved"

    @property
    def words(self) -> str:
        """The choice as a continuation of "silence …"."""
        return _WORDS[self]


_WORDS = {
    SilenceLength.HOUR: "for 1 hour",
    SilenceLength.DAY: "for 24 hours",
    SilenceLength.MONTH_END: "until the month ends",
    SilenceLength.RESOLVED: "until the alert ends",
}
