"""The figures of one cycle."""

from collections.abc import Iterable
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from alertd.core.alert import Alert, AlertState
from alertd.core.dataclass import dataclass

if TYPE_CHECKING:
    from alertd.core.messages.dispatch import Decisions


_COUNTS = ("rows", "ranges", "hours_changed", "hours_doubted", "rows_rounded", "firing", "pending", "notifications")


@dataclass(slots=True, kw_only=True)
class CycleReport:
    """What one cycle did: its log line, and the basis for the exit code of `--once`."""

    started_at: datetime
    rows: int = 0
    ranges: int = 0
    hours_changed: int = 0
    hours_doubted: int = 0
    rows_rounded: int = 0
    errors: list[str] = field(default_factory=list)
    rule_errors: list[str] = field(default_factory=list)
    firing: int = 0
    pending: int = 0
    moves: list[str] = field(default_factory=list)
    notifications: int = 0
    is_moved: bool = False
    """Nothing was decided, because the clock proved wrong while bills were read; it is right now."""
    read_s: float = 0.0
    evaluate_s: float = 0.0
    decide_s: float = 0.0

    @property
    def is_ok(self) -> bool:
        """Whether everything was read and every rule judged."""
        return not self.errors and not self.rule_errors

    def note(self, decisions: "Decisions", alerts: Iterable[Alert]) -> None:
        """Record what was decided, and how many alerts are open afterwards."""
        self.notifications += len(decisions.entries)
        arrows = ((move.after, move.arrow) for move in decisions.moves)
        self.moves += [f"{after.rule} {after.fingerprint}: {arrow}" for after, arrow in arrows if arrow]
        states = [alert.state for alert in alerts]
        self.firing = states.count(AlertState.FIRING)
        self.pending = states.count(AlertState.PENDING)

    def figures(self) -> tuple[tuple[str, str | int], ...]:
        """Return the fields of the log line and the history, in order."""
        return (
            *((name, getattr(self, name)) for name in _COUNTS),
            *((f"{part}_ms", int(getattr(self, f"{part}_s") * 1000)) for part in ("read", "evaluate", "decide")),
            ("errors", "; ".join(self.errors)),
            ("rule_errors", ", ".join(self.rule_errors)),
        )
