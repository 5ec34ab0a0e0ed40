"""Rules that are not of rolling spend, as they stand in the file and as the oracle knows them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget of category gpu, as the oracle knows it."""

    name: str
    usd: int
    percent: int
    """Of the amount, at which it begins to fire."""
    period: str
    by_owner: bool
    category: str = "gpu"
    zone: str = "UTC"
    """By whose midnight its days begin."""

    def text(self) -> str:
        group, zone = "[owner]" if self.by_owner else "[]", f", timezone: {self.zone}" if self.zone != "UTC" else ""
        return (
            f"  - {{name: {self.name}, type: budget, period: {self.period}, category: {self.category}, "
            f"group_by: {group}, amount: {self.usd}, thresholds: {{warning: {self.percent}%}}{zone}}}\n"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A rule of what runs for long, as the oracle knows it."""

    name: str
    hours: int
    """In a row, from which on it fires."""
    least_usd: str
    """An hour that costs less does not count."""
    category: str = "gpu"

    def text(self) -> str:
        return (
            f"  - {{name: {self.name}, type: running, thresholds: {{warning: {self.hours}h, critical: 96h}}, "
            f"min_rate: {self.least_usd}}}\n"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """A rule of monthly bills, as the oracle knows it."""

    name: str
    statuses: tuple[str, ...]
    lines: dict[str, int]
    """Severity to days."""
    least_usd: int = 0
    """Bills that owe less do not count."""

    def text(self) -> str:
        lines = ", ".join(f"{severity}: {days}d" for severity, days in self.lines.items())
        return (
            f"  - {{name: {self.name}, type: monthly_bill, status: [{', '.join(self.statuses)}], "
            f"min_debt: {self.least_usd}, thresholds: {{{lines}}}}}\n"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LowBalance:
    """A rule of the balance, as the oracle knows it."""

    name: str
    lines: dict[str, int]
    """Severity to USD, which is reached from above."""

    def text(self) -> str:
        lines = ", ".join(f"{severity}: {usd}" for severity, usd in self.lines.items())
        return f"  - {{name: {self.name}, type: balance, available_below: {{{lines}}}}}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A rule of owners that begin to spend, as the oracle knows it; times in hours."""

    name: str
    category: str
    window: int
    lookback: int
    least_usd: int

    def text(self) -> str:
        return (
            f"  - {{name: {self.name}, type: first_spend, category: {self.category}, severity: info, "
            f"lookback: {self.lookback}h, min_spend: ${self.least_usd}}}\n"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A rule of a category that cannot be read, as the oracle knows it."""

    name: str
    category: str
    hours: int

    def text(self) -> str:
        return (
            f"  - {{name: {self.name}, type: data_stale, category: {self.category}, "
            f"thresholds: {{warning: {self.hours}h}}}}\n"
        )


STALE = Stale(name="stale", category="gpu", hours=20)
NEWCOMER = Newcomer(name="newcomer", category="gpu", window=24, lookback=7 * 24, least_usd=5)
OVERDUE = (
    Overdue(name="overdue", statuses=("overdue",), lines={"warning": 0, "critical": 3}),
    Overdue(name="unpaid", statuses=("outed", "overdue"), lines={"info": 2, "warning": 5}, least_usd=50),
)
LOW_BALANCE = LowBalance(name="low-balance", lines={"warning": 500, "critical": 100})
BUDGETS = (
    Budget(name="daily", usd=40, percent=100, period="day", by_owner=True),
    Budget(name="calendar", usd=1000, percent=5, period="month", by_owner=False),
    Budget(name="weekly", usd=200, percent=60, period="week", by_owner=False),
    Budget(name="berlin-day", usd=40, percent=50, period="day", by_owner=True, zone="Europe/Berlin"),
)
RUNNING = Running(name="runs-long", hours=24, least_usd="0.5")
