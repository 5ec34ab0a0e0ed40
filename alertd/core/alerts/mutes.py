"""What keeps firing alerts from being told now: silences first, then inhibitions. Who asked for it is said in words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.inhibition import Inhibition, Inhibitors
from alertd.core.alerts.silence import Silence, matchable, silence_of


class Mutes:
    """
    The silences and inhibitions of one moment.

    Args:
        alerts: All there are: what fires may inhibit.
    """

    def __init__(
        self,
        silences: Iterable[Silence],
        inhibitions: Sequence[Inhibition],
        alerts: Mapping[str, Alert],
        now: datetime,
    ) -> None:
        self._silences = [silence for silence in silences if silence.is_active(now)]
        self._inhibitors = Inhibitors(inhibitions, alerts.values())
        self._now = now

    def noted(self, alert: Alert) -> Alert:
        """Return the alert with what withholds it now; one that does not fire is withheld by nothing."""
        silence_id, silenced, withheld = "", None, ""
        if alert.state is AlertState.FIRING:
            labels = matchable(alert)
            silence = silence_of(self._silences, alert, labels, self._now)
            if silence is not None:
                silence_id, silenced, withheld = silence.id, silence.text, f"silenced by {silence.words}"
            elif (source := self._inhibitors.of(alert, labels)) is not None:
                withheld = f"inhibited by {source.rule} ({source.fingerprint}): {source.headline}"
        if (alert.silence_id, alert.silenced_by, alert.withheld) == (silence_id, silenced, withheld):
            return alert
        return replace(alert, silence_id=silence_id, silenced_by=silenced, withheld=withheld)

    def is_outspent(self, alert: Alert) -> bool:
        """Return whether an alert cost the further amount until which somebody wanted to hear no more of it."""
        if alert.state is not AlertState.FIRING or alert.acknowledged_by is not None:
            return False
        labels = matchable(alert)
        return any(silence.is_outspent(alert, labels, self._now) for silence in self._silences)
