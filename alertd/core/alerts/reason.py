"""Why a notification is due."""

from enum import StrEnum


class NotifyReason(StrEnum):
    """Why a notification is due."""

    FIRST = "firing"
    RAISED = "severity raised"
    REPEAT = "still firing"
    ESCALATED = "escalated"
    """It fires long and nobody acknowledged it."""
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    CORRECTED = "corrected"
    """What was told is put right in its place; nobody is told anew."""
    UPDATED = "updated"
    """The message that told the beginning shows the present state; nobody is told anew."""
    STORM = "many alerts"
    UNDELIVERED = "undelivered"
    """A copy for the fallback receiver of what another receiver could not take."""
    TEST = "test"
    REPORT = "report"

    @property
    def is_edit(self) -> bool:
        """Whether it changes a message that was delivered, and is none of its own."""
        return self in {NotifyReason.CORRECTED, NotifyReason.UPDATED}
