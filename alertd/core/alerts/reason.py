"""Why a notification is due."""

from enum import StrEnum


class NotifyReason(StrEnum):
    """Why a notification is due."""

    FIRST = "firing"
    RAISED = "severity raised"
    REPEAT = "still firing"
    ESCALATED = "escalated"
    """It has been firing for long and nobody acknowledged it."""
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    ACTION = "action"
    """An action on it has finished, successfully or not."""
    CORRECTED = "corrected"
    """A delivered message is corrected in place, without a new notification."""
    UPDATED = "updated"
    """The first message is edited to show the current state, without a new notification."""
    STORM = "many alerts"
    UNDELIVERED = "undelivered"
    """A copy for the fallback receiver of a notification that another receiver could not deliver."""
    TEST = "test"
    REPORT = "report"

    @property
    def is_edit(self) -> bool:
        """Whether it edits a delivered message instead of sending a new one."""
        return self in {NotifyReason.CORRECTED, NotifyReason.UPDATED}
