"""Events of an alert as stored values; only `queries/event_words.py` turns them into text."""

from datetime import datetime
from decimal import Decimal

from alertd.core.actions import ActionRequest
from alertd.core.alert import AlertState, Lag, Unit
from alertd.core.dataclass import dataclass
from alertd.core.muted import Muted
from alertd.core.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A state with its severity, which a resolved alert does not have."""

    state: AlertState
    severity: Severity | None = None

    @property
    def text(self) -> str:
        """How logs show it: `firing (critical)`, `resolved`."""
        return f"{self.state} ({self.severity.label})" if self.severity is not None else self.state.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The state or severity changed; with the alert's value at that time."""

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
    """Notifications are withheld from now on, or for a different reason than before."""

    muted: Muted


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsuppressed:
    """Nothing withholds notifications any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Somebody acknowledged the alert."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unacknowledged:
    """The acknowledgement ended: somebody withdrew it, or the severity rose."""

    by: str = ""
    """Empty if the severity rose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceEnded:
    """Somebody ended a silence that muted the alert."""

    id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """Somebody requested an action, or the state of such a request changed."""

    request: ActionRequest
    """The request after the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A sentence stored by alertd 0.1.0, with details as (name, text) pairs."""

    text: str
    detail: tuple[tuple[str, str], ...] = ()


AlertChange = Moved | Suppressed | Unsuppressed | Acknowledged | Unacknowledged | SilenceEnded | Acted | Recorded
