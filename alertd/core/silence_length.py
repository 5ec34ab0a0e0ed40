"""How long people may silence one alert with a click, in Slack as on the status page."""

from datetime import datetime, timedelta
from enum import StrEnum

from alertd.core.calendar import Period, period_of
from alertd.core.hours import hour_of, start_of


class SilenceLength(StrEnum):
    """The choices, in the order in which they are offered."""

    HOUR = "1h"
    DAY = "24h"
    MONTH_END = "month-end"
    RESOLVED = "resolved"

    @property
    def words(self) -> str:
        """The choice as it continues "silence …"."""
        return _WORDS[self]

    def ends_at(self, now: datetime) -> datetime | None:
        """Return when a silence that begins now ends; None where only the alert's own end does."""
        match self:
            case SilenceLength.HOUR:
                return now + timedelta(hours=1)
            case SilenceLength.DAY:
                return now + timedelta(hours=24)
            case SilenceLength.MONTH_END:
                return start_of(period_of(hour_of(now), Period.MONTH, "UTC").hours.end)
            case SilenceLength.RESOLVED:
                return None


_WORDS = {
    SilenceLength.HOUR: "for 1 hour",
    SilenceLength.DAY: "for 24 hours",
    SilenceLength.MONTH_END: "until the month ends (UTC)",
    SilenceLength.RESOLVED: "until the alert ends",
}
