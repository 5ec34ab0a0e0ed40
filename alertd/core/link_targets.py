"""Where people read on about what a message tells: alertd's own pages, and the vendor's where bills are paid."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTargets:
    """Addresses of pages, each empty where there is none."""

    status: str = ""
    """Where alertd's own pages begin, without a slash at its end."""
    billing: Mapping[str, str] = field(default_factory=dict)
    """Account to the vendor's page where its bills are paid."""

    @property
    def overview(self) -> str:
        """Return the status page."""
        return f"{self.status}/" if self.status else ""

    def of_alert(self, fingerprint: str) -> str:
        """Return the page of one alert."""
        return f"{self.status}/alerts/{fingerprint}" if self.status else ""


NO_TARGETS = LinkTargets()
