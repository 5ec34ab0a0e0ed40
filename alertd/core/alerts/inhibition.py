"""Inhibitions: alerts that need no notification while another alert fires."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.silence import ALERT_LABELS, matchable
from alertd.core.dataclass import dataclass
from alertd.core.key import Key
from alertd.core.labels import Patterns, matches_all

Matchers = tuple[tuple[str, Patterns], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """One entry of `inhibitions:`: firing source alerts mute target alerts with the same labels in `equal`."""

    when: Annotated[Matchers, Key("The alert that fires.", example={"severity": "critical"}, words=ALERT_LABELS)]
    mute: Annotated[Matchers, Key("The alerts that it mutes.", example={"severity": "warning"}, words=ALERT_LABELS)]
    equal: Annotated[
        tuple[str, ...], Key("Labels that both must have in common.", example=["owner"], words=ALERT_LABELS)
    ] = ()


class Inhibitors:
    """
    The firing alerts by the inhibitions for which they are sources.

    As in Alertmanager, a label that neither has counts as equal, an alert does not mute itself, and one that matches
    both sides is not muted by another that does, because they would mute each other.
    """

    def __init__(self, inhibitions: Sequence[Inhibition], alerts: Iterable[Alert]) -> None:
        self._sources: list[tuple[Inhibition, dict[tuple[str, ...], list[tuple[Alert, bool]]]]] = []
        fires = (alert for alert in alerts if alert.state is AlertState.FIRING) if inhibitions else ()
        firing = [(alert, matchable(alert)) for alert in fires]
        for inhibition in inhibitions:
            found: dict[tuple[str, ...], list[tuple[Alert, bool]]] = {}
            for alert, labels in firing:
                if matches_all(dict(inhibition.when), labels):
                    is_both = matches_all(dict(inhibition.mute), labels)
                    found.setdefault(_key(inhibition, labels), []).append((alert, is_both))
            self._sources.append((inhibition, found))

    def __bool__(self) -> bool:
        return bool(self._sources)

    def of(self, alert: Alert, labels: Mapping[str, str]) -> Alert | None:
        """Return the worst firing alert that mutes this one; None if none does."""
        muting = [
            source
            for inhibition, found in self._sources
            if matches_all(dict(inhibition.mute), labels)
            for source, is_both in found.get(_key(inhibition, labels), ())
            if source.fingerprint != alert.fingerprint and not (is_both and matches_all(dict(inhibition.when), labels))
        ]
        return max(muting, key=lambda source: (source.severity, source.fingerprint), default=None)


def _key(inhibition: Inhibition, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in inhibition.equal)
