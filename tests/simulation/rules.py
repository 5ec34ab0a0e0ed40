"""The rules file of the simulation, as it is at first and after each kind of edit; and what the oracle reads of it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.simulation.plan import HOUR_S, POLL_S, USD, Edit
from tests.simulation.slack import CHANNEL

STOPPABLE = "gpu-day"
"""The rule about whose alerts something may be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """A rule of rolling spend, as the oracle knows it."""

    name: str
    category: str
    """Empty for all: their rows come by the hour and by the day."""
    window: int
    """Hours."""
    lines: dict[str, int]
    """Severity to USD."""
    by_owner: bool = True
    holds: int = 0
    """Hours for which it must have been reached before it fires."""
    notify: tuple[str, ...] = ("pager", "bridge")

    @property
    def lowest(self) -> int:
        """The money at which it begins to fire, in 1e-10 USD."""
        return min(self.lines.values()) * USD

    @property
    def leave(self) -> int:
        """Below what it ends."""
        return self.lowest * 9 // 10

    def text(self) -> str:
        lines = ", ".join(f"{severity}: {usd}" for severity, usd in self.lines.items())
        group = "[owner]" if self.by_owner else "[]"
        category = f"category: {self.category}, " if self.category else ""
        return (
            f"  - {{name: {self.name}, type: rolling_spend, {category}group_by: {group}, "
            f"window: {self.window}h, thresholds: {{{lines}}}{', actions: [stop]' if self.name == STOPPABLE else ''}"
            f"{f', for: {self.holds}h' if self.holds else ''}, notify: [{', '.join(self.notify)}]}}"
        )


ROLLING = (
    Rolling(name="gpu-day", category="gpu", window=24, lines={"warning": 20, "critical": 100}),
    Rolling(
        name="llm-hours",
        category="llm",
        window=6,
        lines={"warning": 3, "critical": 30},
        notify=("pager", "bridge", "night"),
    ),
    Rolling(name="gpu-holds", category="gpu", window=6, lines={"warning": 10}, holds=10, notify=("pager", "night")),
    Rolling(name="gpu-burst", category="gpu", window=3, lines={"warning": 20, "critical": 60}),
    Rolling(
        name="gpu-slack", category="gpu", window=3, lines={"warning": 20, "critical": 60}, notify=("slack", "pager")
    ),
    Rolling(
        name="gpu-tiers",
        category="gpu",
        window=4,
        lines={"info": 4, "warning": 15, "critical": 60},
        notify=("pager", "night"),
    ),
    Rolling(name="storage", category="cloud_storage", window=72, lines={"warning": 60}),
    Rolling(name="everything", category="", window=24, lines={"warning": 50, "critical": 400}, by_owner=False),
    Rolling(name="all-burst", category="", window=3, lines={"warning": 25}, by_owner=False),
    Rolling(name="gpu-all", category="gpu", window=12, lines={"info": 100, "warning": 300}, by_owner=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget of category gpu, as the oracle knows it."""

    name: str
    usd: int
    percent: int
    """Of the amount, at which it begins to fire."""
    is_monthly: bool
    by_owner: bool
    category: str = "gpu"

    def text(self) -> str:
        period, group = "month" if self.is_monthly else "day", "[owner]" if self.by_owner else "[]"
        return (
            f"  - {{name: {self.name}, type: budget, period: {period}, category: {self.category}, group_by: {group}, "
            f"amount: {self.usd}, thresholds: {{warning: {self.percent}%}}}}\n"
        )


BUDGETS = (
    Budget(name="daily", usd=40, percent=100, is_monthly=False, by_owner=True),
    Budget(name="calendar", usd=1000, percent=5, is_monthly=True, by_owner=False),
)
RELEASED_WITHIN_S = POLL_S + 3000
"""After an edit of quiet hours: it is read again, and the next poll goes by it."""
QUIET_RECEIVER = "night"
QUIET_AT_FIRST, QUIET_LONGER = (22, 7), (20, 9)
"""From and until which hour of the day."""
_HEAD = """\
version: 1
accounts: [{name: default, resources: true}]
receivers:
  - {name: pager, type: webhook, url: "https://pager.sim.example/hook", fallback: spare}
  - {name: bridge, type: webhook, url: "https://bridge.sim.example/hook", fallback: spare}
  - name: night
    type: webhook
    url: "https://night.sim.example/hook"
    fallback: spare
    quiet_hours: [@QUIET@]
  - {name: spare, type: webhook, url: "https://spare.sim.example/hook"}
@SLACK@defaults: {notify: [pager, bridge], repeat_interval: 24h, repeat_backoff: 1, resolve_below: 90%}
actions:
  - {name: stop, type: stop_instance, accounts: {default: {api_key_file: stop.key}}, approvers: [U04ABCDEF]}
rules:
"""
_OTHERS = {
    "month": """\
  - name: month
    type: budget
    period: month
    amount: $1000
    thresholds: {info: 50%, warning: 100%}
    forecast: {info: 100%}
""",
    "spike": """\
  - {name: spike, type: spike, category: gpu, window: 6h, baseline: 7d, min_history: 3d, thresholds: {warning: 2}}
""",
    "newcomer": """\
  - {name: newcomer, type: first_spend, category: gpu, severity: info, lookback: 7d, min_spend: $5}
""",
    "runs-long": """\
  - {name: runs-long, type: running, thresholds: {warning: 24h, critical: 96h}, min_rate: 0.5}
""",
    "stale": """\
  - {name: stale, type: data_stale, category: gpu, thresholds: {warning: 20h}}
""",
    **{budget.name: budget.text() for budget in BUDGETS},
}


@dataclass(slots=True, kw_only=True)
class RulesFile:
    """What stands in the file now."""

    folder: Path
    at_first: tuple[Rolling, ...]
    others: tuple[str, ...]
    rolling: tuple[Rolling, ...]
    comment: str = ""
    is_broken: bool = False
    writes: int = field(default=0)
    quiet: list[tuple[float, tuple[int, int] | None]] = field(default_factory=lambda: [(-1e9, QUIET_AT_FIRST)])
    """(since when, quiet hours that stood in the file from then on), the oldest first."""

    @classmethod
    def of(cls, folder: Path, *, rolling: tuple[str, ...], others: tuple[str, ...]) -> "RulesFile":
        """Return the file with some of the rules, not yet written."""
        chosen = tuple(rule for rule in ROLLING if rule.name in rolling)
        return cls(folder=folder, at_first=chosen, rolling=chosen, others=others)

    @property
    def path(self) -> Path:
        return self.folder / "rules.yaml"

    def receivers_of(self, name: str) -> tuple[str, ...]:
        """Return who is notified of a rule's alerts."""
        return next((rule.notify for rule in ROLLING if rule.name == name), ("pager", "bridge"))

    def may_be_quiet(self, at_s: float, by_s: float = 0.0) -> list[bool]:
        """
        Return whether it is quiet by each of the texts of the file that may be in force.

        Args:
            by_s: How much later or earlier than the instant is asked for.
        """
        hour = (at_s + by_s) / HOUR_S % 24
        ends = [since for since, _ in self.quiet[1:]] + [1e12]
        hours = [
            span for (since, span), end in zip(self.quiet, ends, strict=True) if since <= at_s < end + RELEASED_WITHIN_S
        ]
        return [span is not None and (hour >= span[0] or hour < span[1]) for span in hours]

    def edit(self, event: Edit) -> None:
        """Do what an edit does, and write the file."""
        self.is_broken = False
        number = event.number % len(self.at_first)
        match event.kind:
            case "comment":
                self.comment = f"# edited, number {event.number}\n"
            case "raise a threshold" | "lower a threshold":
                up = event.kind.startswith("raise")
                self.rolling = tuple(
                    _scaled(rule, up=up) if index == number % len(self.rolling) else rule
                    for index, rule in enumerate(self.rolling)
                )
            case "remove a rule":
                if len(self.rolling) > 1:
                    gone = number % len(self.rolling)
                    self.rolling = tuple(rule for index, rule in enumerate(self.rolling) if index != gone)
            case "broken":
                self.is_broken = True
            case "quiet hours off":
                self.quiet.append((event.at_s, None))
            case "quiet hours longer":
                self.quiet.append((event.at_s, QUIET_LONGER))
            case _:
                self.rolling, self.comment = self.at_first, ""
                self.quiet.append((event.at_s, QUIET_AT_FIRST))
        self.write()

    def write(self) -> None:
        """Write it."""
        self.writes += 1
        slack = f"  - {{name: slack, type: slack, channel: {CHANNEL}, fallback: spare}}\n"
        has_slack = any("slack" in rule.notify for rule in self.at_first)
        span = self.quiet[-1][1]
        quiet = f"{{hours: {span[0]:02}:00-{span[1]:02}:00, timezone: UTC}}" if span is not None else ""
        head = _HEAD.replace("@QUIET@", quiet).replace("@SLACK@", slack if has_slack else "")
        text = self.comment + head + "".join(f"{rule.text()}\n" for rule in self.rolling)
        text += "".join(_OTHERS[name] for name in self.others)
        if self.is_broken:
            text += "  - {name: wrong, type: rolling_spent}\n"
        self.path.write_text(text + f"# {self.writes}\n", encoding="utf-8")


def _scaled(rule: Rolling, *, up: bool) -> Rolling:
    lines = {severity: usd * 3 // 2 if up else max(1, usd * 2 // 3) for severity, usd in rule.lines.items()}
    if len(set(lines.values())) < len(lines):
        return rule
    return replace(rule, lines=lines)
