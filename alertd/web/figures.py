"""The daemon's own figures: counters since the start, and the overview of the last cycle."""

from collections import Counter
from dataclasses import field

from alertd.core.actions import ActionState
from alertd.core.dataclass import dataclass
from alertd.core.messages.outbox import EntryState
from alertd.core.reports.overview import Overview
from alertd.queries.cycle_report import CycleReport


@dataclass(slots=True)
class Figures:
    """Counters of one run of the daemon, monotonic as Prometheus requires, and the last overview."""

    cycles: Counter[str] = field(default_factory=Counter)
    """By result, `ok` or `failed`."""
    is_failing: bool = False
    """Whether the last cycle did not finish, so that nothing of it was stored."""
    rows: int = 0
    hours_changed: int = 0
    rows_rounded: int = 0
    rule_errors: Counter[str] = field(default_factory=Counter)
    """By rule."""
    task_failures: Counter[str] = field(default_factory=Counter)
    """By task."""
    notifications: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By receiver and outcome of an attempt."""
    actions: Counter[str] = field(default_factory=Counter)
    """Action requests by the state reached."""
    durations_s: dict[str, float] = field(default_factory=dict)
    """Seconds that the parts of the last cycle took, by name; empty before the first has finished."""
    overview: Overview | None = None
    """The overview of the last cycle; None before the first has finished, and without an HTTP server."""

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
        """Count a state change of an action request."""
        self.actions[state.value] += 1

    def note_overview(self, overview: Overview, seconds: float) -> None:
        """Keep the overview of a cycle, and how long it took to compute."""
        self.overview = overview
        self.durations_s["overview"] = seconds

    def note_attempt(self, receiver: str, state: EntryState) -> None:
        """Count the outcome of an attempt to send."""
        self.notifications[receiver, state.value.replace(" ", "_")] += 1
