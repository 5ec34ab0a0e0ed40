"""Why a notification is due."""

from enum import StrEnum


class NotifyReason(StrEnum):
    """Why a notification is due."""

    FIRST = "firing"
    RAISED = "severity raised"
    REPEAT = "still firing"
    ESCALATED = "escalated"
    """It has fired for long and nobody acknowledged it."""
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    ACTION = "action"
    """What somebody had done about it has come to an end, well or not."""
    CORRECTED = "corrected"
    """A delivered message is corrected in place; nobody is notified anew."""
    UPDATED = "updated"
    """The first message is edited to show the present state; nobody is notified anew."""
    STORM = "many alerts"
    UNDELIVERED = "undelivered"
    """A copy for the fallback receiver of what another receiver could not take."""
    TEST = "test"
    REPORT = "report"

    @property
    def is_edit(self) -> bool:
        """Whether it changes a message that was delivered, instead of being a new one."""
        return self in {NotifyReason.CORRECTED, NotifyReason.UPDATED}
