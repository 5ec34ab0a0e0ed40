"""The rules file of the simulation, as it is at first and after each kind of edit; and what the oracle reads of it."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.simulation.other_rules import BUDGETS, LOW_BALANCE, NEWCOMER, OVERDUE, RUNNING, STALE
from tests.simulation.plan import HOUR_S, POLL_S, USD, Edit, Plan, Wall
from tests.simulation.slack import CHANNEL

REPEAT = 24
BY_TEAM = ":team"
"""Behind a category: what the owners of each team spend together."""
PAID = ":pay"
"""Behind a category: what is left to pay once vouchers are used up."""
ESCALATED_TO = "oncall"
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
    holds: float = 0
    """Hours for which it must have been reached before it fires."""
    notify: tuple[str, ...] = ("pager", "bridge")
    repeat: int = 24
    """Hours after which it is repeated while it fires."""
    backoff: int = 1
    """By what each further one comes later than the one before."""
    keeps: int = 0
    """Hours for which it goes on firing."""
    escalates: int = 0
    """Hours after which one more is notified; 0 for never."""
    account: str = ""
    """Where there are two: which of them."""
    team: str = ""
    """Only owners of this team are watched."""

    @property
    def is_by_team(self) -> bool:
        """Whether what its members spend together is watched."""
        return self.category.endswith(BY_TEAM)

    @property
    def reads(self) -> str:
        """The category that must have been read; empty for all."""
        return self.category.removesuffix(BY_TEAM).removesuffix(PAID)

    def is_of(self, owner: str | None) -> bool:
        """Return whether an owner is watched."""
        return not self.team or team_of(owner or "") == self.team

    def reach(self, severity: str) -> int:
        """Return the money from which on a severity is reached, in 1e-10 USD."""
        return self.lines[severity] * USD

    def leave_of(self, severity: str) -> int:
        """Return the money below which a severity is left, in 1e-10 USD."""
        return self.lines[severity] * USD * 9 // 10

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
        group = "team" if self.is_by_team else "owner" if self.by_owner else ""
        category = self.reads.partition("@")[0]
        keys = {
            "account": self.account,
            "category": category,
            "team": self.team,
            "metric": "pay" if self.category.endswith(PAID) else "",
            "actions": "[stop]" if self.name == STOPPABLE else "",
            "for": f"{self.holds * 60:.0f}m" if self.holds else "",
            "repeat_interval": f"{self.repeat}h" if self.repeat != REPEAT else "",
            "repeat_backoff": f"{self.backoff}" if self.backoff != 1 else "",
            "keep_firing_for": f"{self.keeps}h" if self.keeps else "",
            "escalate": f"{{after: {self.escalates}h, notify: [{ESCALATED_TO}]}}" if self.escalates else "",
        }
        return (
            f"  - {{name: {self.name}, type: rolling_spend, group_by: [{group}], window: {self.window}h, "
            f"thresholds: {{{lines}}}, notify: [{', '.join(self.notify)}]"
            f"{''.join(f', {key}: {value}' for key, value in keys.items() if value)}}}"
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
    Rolling(name="all-burst", category="", window=3, lines={"warning": 25, "critical": 60}, by_owner=False),
    Rolling(name="all-high", category="", window=3, lines={"warning": 100}, by_owner=False),
    Rolling(name="gpu-all", category="gpu", window=12, lines={"info": 100, "warning": 300}, by_owner=False),
    Rolling(name="gpu-repeats", category="gpu", window=3, lines={"warning": 20, "critical": 60}, repeat=8),
    Rolling(name="gpu-escalates", category="gpu", window=3, lines={"warning": 20}, escalates=8, notify=("bridge",)),
    Rolling(name="gpu-keeps", category="gpu", window=3, lines={"warning": 20, "critical": 60}, keeps=9),
    Rolling(name="gpu-waits", category="gpu", window=6, lines={"warning": 10}, holds=7.5),
    Rolling(name="gpu-backs-off", category="gpu", window=3, lines={"warning": 20, "critical": 60}, repeat=8, backoff=2),
    Rolling(name="gpu-paid", category=f"gpu{PAID}", window=4, lines={"info": 4, "warning": 15}),
    Rolling(name="gpu-loud", category="gpu", window=3, lines={"info": 20, "critical": 60}),
    Rolling(name="gpu-muted", category="gpu", window=6, lines={"warning": 15, "critical": 90}),
    Rolling(name="gpu-team", category=f"gpu{BY_TEAM}", window=4, lines={"info": 10, "warning": 40}),
    Rolling(name="gpu-red", category="gpu", window=4, lines={"info": 4, "warning": 15}, team="red"),
    Rolling(name="first", category="gpu", window=4, lines={"info": 4, "warning": 15}, account="default"),
    Rolling(name="second", category="gpu@second", window=4, lines={"info": 4, "warning": 15}, account="second"),
    Rolling(name="llm-burst", category="llm", window=3, lines={"warning": 6, "critical": 20}),
)


MUTING, MUTED = "gpu-loud", "gpu-muted"
"""While one is critical, nobody is notified of the other's alerts of the same owner."""
_INHIBITIONS = (
    f"inhibitions: [{{when: {{rule: {MUTING}, severity: critical}}, mute: {{rule: {MUTED}}}, equal: [owner]}}]\n"
)
RELEASED_WITHIN_S = POLL_S + 3000
"""After an edit of quiet hours: it is read again, and the next poll goes by it."""
QUIET_RECEIVER = "night"
QUIET_AT_FIRST, QUIET_LONGER = (22, 7), (20, 9)
"""From and until which hour of the day."""
_HEAD = """\
version: 1
accounts:
  - {name: default, resources: @RESOURCES@}
@SECOND@@OWNERS@receivers:
  - {name: pager, type: webhook, url: "https://pager.sim.example/hook", fallback: spare}
  - {name: bridge, type: webhook, url: "https://bridge.sim.example/hook", fallback: spare}
  - name: night
    type: webhook
    url: "https://night.sim.example/hook"
    fallback: spare
    quiet_hours: [@QUIET@]
  - {name: spare, type: webhook, url: "https://spare.sim.example/hook"}
  - {name: oncall, type: webhook, url: "https://oncall.sim.example/hook", fallback: spare}
@SLACK@defaults: {notify: [pager, bridge], repeat_interval: 24h, repeat_backoff: 1, resolve_below: 90%}
@INHIBITIONS@actions:
  - {name: stop, type: stop_instance, accounts: {default: {api_key_file: stop.key}}, approvers: [U04ABCDEF]}
rules:
"""
_SECOND = """\
  - {name: second, resources: @RESOURCES@, api_key_file: second.key, base_url: "https://second.api.sim.example"}
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
    RUNNING.name: RUNNING.text(),
    **{rule.name: rule.text() for rule in (*BUDGETS, *OVERDUE, LOW_BALANCE, NEWCOMER, STALE)},
}


@dataclass(slots=True, kw_only=True)
class RulesFile:
    """What stands in the file now."""

    folder: Path
    start: datetime
    zone: str
    """By whose clock quiet hours begin and end."""
    has_second: bool
    has_resources: bool
    is_clock_set: bool
    """Whether the wall clock is ever wrong."""
    at_first: tuple[Rolling, ...]
    others: tuple[str, ...]
    rolling: tuple[Rolling, ...]
    comment: str = ""
    is_broken: bool = False
    writes: int = field(default=0)
    quiet: list[tuple[float, tuple[int, int] | None]] = field(default_factory=lambda: [(-1e9, QUIET_AT_FIRST)])
    """(since when, quiet hours that stood in the file from then on), the oldest first."""

    @classmethod
    def of(cls, folder: Path, plan: Plan) -> "RulesFile":
        """Return the file with the rules of a plan, not yet written."""
        chosen = tuple(rule for rule in ROLLING if rule.name in plan.rolling)
        return cls(
            folder=folder,
            start=plan.start,
            zone=plan.zone,
            has_second=plan.has_second,
            has_resources=plan.has_resources,
            is_clock_set=any(isinstance(event, Wall) for event in plan.events),
            at_first=chosen,
            rolling=chosen,
            others=plan.others,
        )

    @property
    def path(self) -> Path:
        return self.folder / "rules.yaml"

    def receivers_of(self, name: str) -> tuple[str, ...]:
        """Return who is notified of a rule's alerts."""
        return next((rule.notify for rule in ROLLING if rule.name == name), ("pager", "bridge"))

    def reads(self, name: str) -> str | None:
        """Return the category that a rule of rolling spend judges at once; None for what waits for more."""
        return next((rule.reads for rule in ROLLING if rule.name == name and rule.reads and not rule.holds), None)

    def escalates_after_s(self, name: str) -> float | None:
        """Return after what time one more is notified of a rule's alerts; None for never."""
        hours = next((rule.escalates for rule in ROLLING if rule.name == name), 0)
        return hours * HOUR_S or None

    def repeats_after_s(self, name: str, repeats: int = 0) -> float:
        """Return after what time a rule's alerts are repeated, once they were so often; a week is the longest."""
        found = next((rule.repeat * rule.backoff**repeats for rule in ROLLING if rule.name == name), REPEAT)
        return min(found, 7 * 24) * HOUR_S

    def may_be_quiet(self, at_s: float, by_s: float = 0.0) -> list[bool]:
        """
        Return whether it is quiet by each of the texts of the file that may be in force.

        Args:
            by_s: How much later or earlier than the instant is asked for.
        """
        local = (self.start + timedelta(seconds=at_s + by_s)).astimezone(ZoneInfo(self.zone))
        hour = local.hour + local.minute / 60
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
        quiet = f"{{hours: {span[0]:02}:00-{span[1]:02}:00, timezone: {self.zone}}}" if span is not None else ""
        has_teams = any(rule.is_by_team or rule.team for rule in self.at_first)
        parts = {
            "@QUIET@": quiet,
            "@SLACK@": slack if has_slack else "",
            "@SECOND@": _SECOND if self.has_second else "",
            "@OWNERS@": _owners() if has_teams else "",
            "@INHIBITIONS@": _INHIBITIONS if any(rule.name == MUTED for rule in self.at_first) else "",
            "@RESOURCES@": "true" if self.has_resources else "false",
        }
        head = _HEAD
        for place, part in parts.items():
            head = head.replace(place, part)
        text = self.comment + head + "".join(f"{rule.text()}\n" for rule in self.rolling)
        text += "".join(_OTHERS[name] for name in self.others)
        if self.is_broken:
            text += "  - {name: wrong, type: rolling_spent}\n"
        self.path.write_text(text + f"# {self.writes}\n", encoding="utf-8")


def team_of(owner: str) -> str:
    """Return in which team an owner is."""
    return "red" if owner[-1:] in "02468" else "blue"


def _owners() -> str:
    owners = [f"gpu-{number:02}" for number in range(6)]
    return "owners:\n" + "".join(f"  - {{match: {owner}, team: {team_of(owner)}}}\n" for owner in owners)


def _scaled(rule: Rolling, *, up: bool) -> Rolling:
    lines = {severity: usd * 3 // 2 if up else max(1, usd * 2 // 3) for severity, usd in rule.lines.items()}
    if len(set(lines.values())) < len(lines):
        return rule
    return replace(rule, lines=lines)
