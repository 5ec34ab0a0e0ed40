"""All alerts in the orders in which the status page lists them, worked out once for as long as none of them changes."""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from operator import is_

from alertd.core.alert import Alert, AlertState
from alertd.core.reports.running import firing_on
from alertd.core.resources import ResourceKey


class ListedAlerts:
    """The latest episodes of all alerts, ended ones included."""

    def __init__(self, alerts: tuple[Alert, ...]) -> None:
        self._alerts = alerts

    def __iter__(self) -> Iterator[Alert]:
        return iter(self._alerts)

    def renewed(self, alerts: tuple[Alert, ...]) -> "ListedAlerts":
        """Return the list of some alerts: this one where they are the very same."""
        is_same = len(alerts) == len(self._alerts) and all(map(is_, alerts, self._alerts))
        return self if is_same else ListedAlerts(alerts)

    @cached_property
    def firing(self) -> list[Alert]:
        """The most urgent first."""
        return sorted((alert for alert in self._alerts if alert.state is AlertState.FIRING), key=_urgency)

    @cached_property
    def pending(self) -> list[Alert]:
        """The most urgent first."""
        return sorted((alert for alert in self._alerts if alert.state is AlertState.PENDING), key=_urgency)

    @cached_property
    def _ended(self) -> list[tuple[datetime, str, Alert]]:
        ended = ((a.resolved_at, a.fingerprint, a) for a in self._alerts if a.resolved_at and a.fired_at)
        return sorted(ended, key=lambda end: end[:2], reverse=True)

    def ended_since(self, since: datetime, most: int) -> list[Alert]:
        """Return what fired and ended since an instant, the last first, and no more than so many."""
        return [alert for resolved_at, _, alert in self._ended[:most] if resolved_at >= since]

    @cached_property
    def headlines(self) -> dict[str, str]:
        """By fingerprint."""
        return {alert.fingerprint: alert.headline for alert in self._alerts}

    @cached_property
    def on_owners(self) -> dict[ResourceKey, tuple[str, ...]]:
        """The fingerprints of what fires on each owner of an account."""
        return firing_on(self._alerts)


def _urgency(alert: Alert) -> tuple[int, datetime, str]:
    return -alert.severity, alert.fired_at or alert.started_at, alert.fingerprint
