"""What the daemon shows of itself: what happened since the start, counted, and what is known after the last cycle."""

from collections import Counter
from dataclasses import field

from alertd.core.actions import ActionState
from alertd.core.dataclass import dataclass
from alertd.core.messages.outbox import EntryState
from alertd.core.reports.overview import Overview
from alertd.queries.cycle_report import CycleReport


@dataclass(slots=True)
class Figures:
    """Counters of one run of the daemon, which only grow, as Prometheus wants it; and the last overview."""

    cycles: Counter[str] = field(default_factory=Counter)
    """By result, `ok` or `failed`."""
    is_failing: bool = False
    """Whether the last cycle did not finish, so that nothing of it is stored."""
    rows: int = 0
    hours_changed: int = 0
    rows_rounded: int = 0
    rule_errors: Counter[str] = field(default_factory=Counter)
    """By rule."""
    task_failures: Counter[str] = field(default_factory=Counter)
    """By task."""
    notifications: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By receiver and what became of an attempt."""
    actions: Counter[str] = field(default_factory=Counter)
    """Requests for actions by the state that they reached."""
    durations_s: dict[str, float] = field(default_factory=dict)
    """How long the last cycle's parts took, by name; empty until one has finished."""
    overview: Overview | None = None
    """What is known since the last cycle; None until one has finished, and where nobody can look."""

    def note_cycle(self, report: CycleReport) -> None:
        """Count a finished cycle."""
        self.is_failing = False
        self.cycles["ok" if report.is_ok else "failed"] += 1
        self.rows += report.rows
        self.hours_changed += report.hours_changed
        self.rows_rounded += report.rows_rounded
        self.rule_errors.update(report.rule_errors)
        self.durations_s |= {"read": report.read_s, "evaluate": report.evaluate_s, "decide": report.decide_s}

    def note_failure(self) -> None:
        """Count a cycle that did not finish."""
        self.is_failing = True
        self.cycles["failed"] += 1

    def note_task_failure(self, task: str) -> None:
        """Count a task of the daemon that failed and is started again."""
        self.task_failures[task] += 1

    def note_action(self, state: ActionState) -> None:
        """Count a step of a request for an action."""
        self.actions[state.value] += 1

    def note_overview(self, overview: Overview, seconds: float) -> None:
        """Keep what is known after a cycle, and how long it took to put together."""
        self.overview = overview
        self.durations_s["overview"] = seconds

    def note_attempt(self, receiver: str, state: EntryState) -> None:
        """Count what became of an attempt to send."""
        self.notifications[receiver, state.value.replace(" ", "_")] += 1
