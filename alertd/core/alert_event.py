"""What happened to an alert, as values that are stored. `queries/event_words.py` alone puts them into words."""

from datetime import datetime
from decimal import Decimal

from alertd.core.actions import ActionRequest
from alertd.core.alert import AlertState, Lag, Unit
from alertd.core.dataclass import dataclass
from alertd.core.muted import Muted
from alertd.core.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A state with its severity; a resolved alert has none."""

    state: AlertState
    severity: Severity | None = None

    @property
    def text(self) -> str:
        """How logs show it: `firing (critical)`, `resolved`."""
        return f"{self.state} ({self.severity.label})" if self.severity is not None else self.state.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """State or severity changed; with what the alert's value was then."""

    before: Standing | None
    """None at the alert's beginning."""
    after: Standing
    value: Decimal
    unit: Unit
    threshold: Decimal | None = None
    expected: Decimal | None = None
    is_below: bool = False
    as_of: datetime
    lagging: tuple[Lag, ...] = ()
    is_complete: bool = True
    reason: str = ""
    caveats: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """How logs show it: `pending -> firing (critical)`."""
        return f"{self.before.text if self.before is not None else 'none'} -> {self.after.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """Notifications are withheld from here on, or for another reason than before."""

    muted: Muted


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsuppressed:
    """Nothing withholds notifications any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Somebody took the alert on."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unacknowledged:
    """The acknowledgement ended: somebody took it back, or the severity rose."""

    by: str = ""
    """Empty where the severity rose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEnded:
    """Somebody ended a silence that held the alert."""

    id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """Somebody asked for an action, or what was asked for took a step."""

    request: ActionRequest
    """As it was from then on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A sentence that alertd 0.1.0 stored, and what it knew at that moment as (name, text) pairs."""

    text: str
    detail: tuple[tuple[str, str], ...] = ()


AlertChange = Moved | Suppressed | Unsuppressed | Acknowledged | Unacknowledged | SilenceEnded | Acted | Recorded
