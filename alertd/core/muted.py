"""Why notifications are withheld, as a value. `alerts/mutes.py` alone makes it; words are made where it is shown."""

from datetime import datetime
from enum import StrEnum

from alertd.core.dataclass import dataclass
from alertd.core.money import Usd


class MuteKind(StrEnum):
    """What withholds notifications."""

    SILENCE = "silence"
    INHIBITION = "inhibition"
    NO_RECEIVER = "no receiver"
    """No route leads to a receiver, so nobody is notified of what is due."""
    QUIET_HOURS = "quiet hours"
    ACKNOWLEDGEMENT = "acknowledgement"
    """Withholds repeats and the escalation, never a higher severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """One reason why an alert's notifications are withheld."""

    kind: MuteKind
    id: str = ""
    """Of the silence; the fingerprint of the alert that inhibits; empty for the others."""
    by: str = ""
    """Who silenced or acknowledged; the rule that inhibits; the receiver whose quiet hours hold notifications."""
    until: datetime | None = None
    """None where no time ends it."""
    further: Usd | None = None
    """The further spend that ends a silence too."""
    comment: str = ""
    """Why somebody silenced it; the headline of the alert that inhibits, as of the last cycle."""

    @property
    def key(self) -> tuple[MuteKind, str]:
        """What makes it another one: the inhibiting alert's headline changes each hour and is no news."""
        return self.kind, self.id

    @property
    def is_silence(self) -> bool:
        """Whether ending a silence ends it."""
        return self.kind is MuteKind.SILENCE
