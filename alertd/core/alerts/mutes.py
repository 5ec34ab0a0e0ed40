"""
Why notifications of firing alerts are withheld: silences, inhibitions, routes without a receiver, quiet hours and
acknowledgements, all as `Muted` values. Only this module creates them and puts them into words.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.inhibition import Inhibition, Inhibitors
from alertd.core.alerts.silence import Silence, matchable, silence_of, until_words
from alertd.core.dataclass import replace
from alertd.core.muted import Muted, MuteKind
from alertd.core.words import format_instant

Holds = Mapping[str, Mapping[str, datetime]]
"""Receivers whose quiet hours hold notifications of an alert, with their ends, by fingerprint."""
NO_RECEIVER = Muted(kind=MuteKind.NO_RECEIVER)


class Mutes:
    """
    The silences and inhibitions at one moment.

    Args:
        alerts: All alerts, since firing ones may inhibit.
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

    @property
    def is_empty(self) -> bool:
        """Whether no silence is active and there are no inhibitions."""
        return not self._silences and not self._inhibitors

    def noted(self, alert: Alert) -> Alert:
        """Return the alert with what mutes it now; only firing alerts can be muted."""
        muted = self._of(alert) if alert.state is AlertState.FIRING else None
        return alert if alert.muted == muted else replace(alert, muted=muted)

    def _of(self, alert: Alert) -> Muted | None:
        """Return the silence that mutes an alert, else the inhibition: a person's request takes precedence."""
        if self.is_empty:
            return None
        labels = matchable(alert)
        silence = silence_of(self._silences, alert, labels, self._now)
        if silence is not None:
            return silenced(silence)
        source = self._inhibitors.of(alert, labels)
        if source is None:
            return None
        return Muted(kind=MuteKind.INHIBITION, id=source.fingerprint, by=source.rule, comment=source.headline)

    def is_outspent(self, alert: Alert) -> bool:
        """Return whether an alert has spent the amount that ends its silence without a notification of it yet."""
        if not self._silences or alert.state is not AlertState.FIRING or alert.acknowledged_by is not None:
            return False
        labels = matchable(alert)
        return any(silence.is_outspent(alert, labels, self._now) for silence in self._silences)


def silenced(silence: Silence) -> Muted:
    """Return the `Muted` value of a silence."""
    return Muted(
        kind=MuteKind.SILENCE,
        id=silence.id,
        by=silence.author,
        until=silence.ends_at,
        further=silence.further,
        comment=silence.comment,
    )


def mutes_of(alert: Alert, holds: Holds) -> tuple[Muted, ...]:
    """Return everything that mutes an alert now, the broadest first; empty if it does not fire."""
    if alert.state is not AlertState.FIRING:
        return ()
    found = [alert.muted] if alert.muted is not None else []
    held = sorted(holds.get(alert.fingerprint, {}).items())
    found += [Muted(kind=MuteKind.QUIET_HOURS, by=name, until=until) for name, until in held]
    if alert.acknowledged_by is not None:
        found.append(Muted(kind=MuteKind.ACKNOWLEDGEMENT, by=alert.acknowledged_by))
    return tuple(found)


def mute_text(muted: Muted) -> str:
    """Describe what mutes an alert: `silenced by dana until 2026-01-11 13:05 UTC (run 12)`."""
    match muted.kind:
        case MuteKind.SILENCE:
            return f"silenced by {_silence_words(muted)}"
        case MuteKind.INHIBITION:
            return f"inhibited by {muted.by} ({muted.id}){f': {muted.comment}' if muted.comment else ''}"
        case MuteKind.NO_RECEIVER:
            return "no route leads to a receiver"
        case MuteKind.QUIET_HOURS:
            end = f" until {format_instant(muted.until)}" if muted.until is not None else ""
            return f"quiet hours{end} ({muted.by})"
        case MuteKind.ACKNOWLEDGEMENT:
            return f"acknowledged by {muted.by}"
        case _:
            assert_never(muted.kind)


def mutes_text(mutes: Iterable[Muted]) -> str:
    """Describe all of them; an empty text if there are none."""
    return "; ".join(map(mute_text, mutes))


def silence_text(silence: Muted) -> str:
    """Describe a silence, after its id: `51133ce0 by dana until 2026-01-11 13:05 UTC (run 12)`."""
    return f"{silence.id} by {_silence_words(silence)}"


def _silence_words(silence: Muted) -> str:
    why = f" ({silence.comment})" if silence.comment else ""
    return f"{silence.by} {until_words(silence.until, silence.further)}{why}"
