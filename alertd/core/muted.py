"""Why notifications are withheld, as a value. Only `alerts/mutes.py` creates it, and puts it into words."""

from datetime import datetime
from enum import StrEnum

from alertd.core.dataclass import dataclass
from alertd.core.money import Usd


class MuteKind(StrEnum):
    """What withholds notifications."""

    SILENCE = "silence"
    INHIBITION = "inhibition"
    NO_RECEIVER = "no receiver"
    """No route leads to a receiver, so that due notifications reach nobody."""
    QUIET_HOURS = "quiet hours"
    ACKNOWLEDGEMENT = "acknowledgement"
    """Withholds repeats and the escalation, never the notification of a higher severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """One reason why an alert's notifications are withheld."""

    kind: MuteKind
    id: str = ""
    """The silence's id, or the fingerprint of the inhibiting alert; empty for other kinds."""
    by: str = ""
    """Who silenced or acknowledged, the inhibiting rule, or the receiver whose quiet hours withhold notifications."""
    until: datetime | None = None
    """None if no point in time ends it."""
    further: Usd | None = None
    """The further spend that also ends a silence; None if it has no such end."""
    comment: str = ""
    """The reason given for a silence, or the inhibiting alert's headline as of the last cycle."""

    @property
    def key(self) -> tuple[MuteKind, str]:
        """The identity of the reason; the inhibiting alert's headline is no part of it, because it changes hourly."""
        return self.kind, self.id

    @property
    def is_silence(self) -> bool:
        """Whether it is a silence, which people can end."""
        return self.kind is MuteKind.SILENCE
