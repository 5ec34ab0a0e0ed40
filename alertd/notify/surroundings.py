"""What notifiers may ask while they are built, of the settings and the environment of this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from alertd.core.dataclass import dataclass
from alertd.settings.outgoing.connections import Outgoing

if TYPE_CHECKING:
    from alertd.settings.asked import SettingsInUse


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What notifiers may ask while they are built."""

    settings: "SettingsInUse"
    environment: Mapping[str, str]
    base_dir: Path

    @property
    def outgoing(self) -> Outgoing:
        """Return how to connect to others; one object for all."""
        return self.settings.outgoing

    def setting(self, name: str) -> str | None:
        """Return an alertd setting in plain text."""
        return self.settings.plain(name)
