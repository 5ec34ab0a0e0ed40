"""Builders of messages, envelopes and a notifier's context for tests: valid by default, each part replaceable."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict, Unpack

from alertd.core.alert import Unit
from alertd.core.alerts.reason import NotifyReason
from alertd.core.chart import Chart, ChartForm, ChartLimit, ChartPoint
from alertd.core.messages.message import AlertFacts, Field, Link, Message, Section, SectionRow, TableRow
from alertd.core.severity import Severity
from alertd.notify.base import Envelope
from alertd.settings.outgoing.connections import Outgoing

NOON = datetime(2026, 1, 10, 12, 5, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"


class MessageParts(TypedDict, total=False):
    """The parts of a message that a test may replace."""

    reason: NotifyReason
    severity: Severity
    is_resolved: bool
    title: str
    lines: tuple[str, ...]
    line_urls: tuple[str, ...]
    fields: tuple[Field, ...]
    table: tuple[TableRow, ...]
    table_note: str
    history: tuple[str, ...]
    sections: tuple[Section, ...]
    chart: Chart | None
    links: tuple[Link, ...]
    footer: str
    alerts: tuple[AlertFacts, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeContext:
    """A notifier's context, made of plain dictionaries."""

    environment: Mapping[str, str] = field(default_factory=dict)
    base_dir: Path = Path()
    outgoing: Outgoing = field(default_factory=lambda: Outgoing.from_environment(os.environ))
    settings: Mapping[str, str] = field(default_factory=dict)

    def setting(self, name: str) -> str | None:
        return self.settings.get(name)


def alert_facts(number: int = 1, *, is_resolved: bool = False, severity: Severity = Severity.WARNING) -> AlertFacts:
    """Return an alert of rule gpu-24h-per-owner; each number is a different owner."""
    owner = f"gpu-{number}"
    return AlertFacts(
        fingerprint=f"{number:016x}",
        rule="gpu-24h-per-owner",
        is_resolved=is_resolved,
        severity=severity,
        labels=(
            ("account", "default"),
            ("alertname", "gpu-24h-per-owner"),
            ("owner", owner),
            ("severity", severity.label),
        ),
        annotations=(("description", "GPU spend per owner"),),
        starts_at=NOON - timedelta(minutes=5),
        ends_at=NOON + timedelta(hours=3) if is_resolved else None,
        value="41.5" if is_resolved else "61.25",
        threshold="50",
        unit="USD",
        as_of=NOON - timedelta(minutes=5),
        url=f"https://alertd.example.com/alerts/{number:016x}",
    )


def firing_message(**changes: Unpack[MessageParts]) -> Message:
    """Return the message of an alert that begins to fire."""
    message = Message(
        reason=NotifyReason.FIRST,
        severity=Severity.WARNING,
        is_resolved=False,
        title="trainer-a (gpu-1) spent $61.25 on GPU in 24 hours, over the $50.00 threshold",
        lines=(
            "Billed through 12:00 UTC; at the pace of the last hour, $7.10, the $100.00 threshold is reached by 18:00.",
            "To stop it, look at the two instances below.",
        ),
        fields=(
            Field(name="Rule", text="gpu-24h-per-owner"),
            Field(name="Window", text="24 hours to 12:00 UTC"),
            Field(name="Team", text="research"),
            Field(name="Next threshold", text="$100.00 (critical)"),
        ),
        table=(
            TableRow(who="trainer-a (gpu-1)", what="H100 80GB · gpu", amount="$58.00", before="$20.00"),
            TableRow(who="trainer-a (gpu-1)", what="storage · gpu", amount="$3.25", before="no data"),
        ),
        table_note="last 24 hours against the 24 hours before",
        links=(
            Link(text="Status page", url="https://alertd.example.com/alerts/0000000000000001"),
            Link(text="Runbook", url="https://wiki.example.com/gpu?x=1&y=2"),
        ),
        footer="gpu-24h-per-owner · account default · 0000000000000001",
        alerts=(alert_facts(),),
        created_at=NOON,
    )
    return replace(message, **changes)


def resolved_message(**changes: Unpack[MessageParts]) -> Message:
    """Return the message of the same alert's end, which also reports that the firing message was delivered late."""
    message = firing_message(
        reason=NotifyReason.RESOLVED,
        is_resolved=True,
        title="trainer-a (gpu-1) is back at $41.50 on GPU in 24 hours, under the $50.00 threshold",
        lines=("Fired for 3 hours 5 minutes, at most $61.25.",),
        history=("Fired 12:00 UTC, delivered late.",),
        table=(),
        table_note="",
        alerts=(alert_facts(is_resolved=True),),
    )
    return replace(message, **changes)


def storm_message(**changes: Unpack[MessageParts]) -> Message:
    """Return the message of fifty alerts of one rule at once, of which it lists twenty."""
    message = firing_message(
        reason=NotifyReason.STORM,
        severity=Severity.CRITICAL,
        title="trainer-1 (gpu-1) spent $999.25 on GPU in 24 hours, and 49 more",
        lines=tuple(
            f"trainer-{number} (gpu-{number}) spent ${1000 - number}.25 on GPU in 24 hours, over the $100.00 threshold"
            for number in range(1, 21)
        ),
        line_urls=tuple(alert_facts(number).url for number in range(1, 21)),
        table=(),
        table_note="",
        alerts=tuple(alert_facts(number, severity=Severity.CRITICAL) for number in range(1, 21)),
    )
    return replace(message, **changes)


def report_message(**changes: Unpack[MessageParts]) -> Message:
    """Return a weekly report with a long name and a long note."""
    message = firing_message(
        reason=NotifyReason.REPORT,
        severity=Severity.INFO,
        title="weekly: $100.00 spent in 7d, $20.00 (25 %) more than in the 7d before",
        lines=("From 2026-01-03 12:00 UTC to 2026-01-10 12:00 UTC.",),
        fields=(Field(name="Spent in 7d", text="$100.00"),),
        table=(),
        table_note="",
        sections=(
            Section(
                title="By category",
                rows=(
                    SectionRow(name="gpu", amount="$90.00", note="up $20.00 (28.6 %)"),
                    SectionRow(name="llm", amount="$10.00", note="unchanged"),
                ),
                note="And 3 more: $0.10 together.",
            ),
            Section(
                title="Budgets",
                rows=(
                    SectionRow(
                        name="monthly-budget · trainer-a (gpu-1) of the research department",
                        amount="$4,100.00",
                        note="of $5,000.00 (82 %) with 7 d left; at today's pace it runs out on Jan 27",
                    ),
                ),
            ),
            Section(title="Alerts", rows=(), note="Nothing is firing."),
        ),
        chart=day_chart(),
        links=(),
        footer="report weekly",
        alerts=(),
    )
    return replace(message, **changes)


def rising_chart(**changes: object) -> Chart:
    """Return a chart of 24 hours, a point every two hours: steady at $3.10, then up to $61.25, past $50 at 10:00."""
    start = NOON.replace(minute=0) - timedelta(days=1)
    values = ["3.1"] * 5 + ["8.5", "15", "22.25", "30", "38.75", "45", "52.5", "61.25"]
    chart = Chart(
        title="Spend in 24h, rolling",
        unit=Unit.USD,
        form=ChartForm.LINE,
        points=tuple(ChartPoint(at=start + timedelta(hours=2 * n), value=value) for n, value in enumerate(values)),
        limits=(
            ChartLimit(name="warning", value="50", severity=Severity.WARNING, changed_at=start + timedelta(hours=22)),
            ChartLimit(name="critical", value="100", severity=Severity.CRITICAL),
        ),
    )
    return replace(chart, **changes)  # type: ignore[arg-type]


def day_chart(**changes: object) -> Chart:
    """Return a chart of the spend of eight days, as in a report."""
    start = NOON.replace(hour=0, minute=0) - timedelta(days=7)
    values = ["12.5", "0", "0.01", "20", "30", "5", "17.5", "15"]
    chart = Chart(
        title="Spend by day",
        unit=Unit.USD,
        form=ChartForm.BARS,
        points=tuple(ChartPoint(at=start + timedelta(days=n), value=value) for n, value in enumerate(values)),
        is_by_day=True,
        note="the first and the last day in part",
    )
    return replace(chart, **changes)  # type: ignore[arg-type]


def envelope(
    message: Message | None = None,
    *,
    key: str = KEY,
    recipient: str = "",
    thread_ref: str = "",
    is_plain: bool = False,
) -> Envelope:
    """Return the envelope of one attempt; by default with a firing message."""
    return Envelope(
        message=message or firing_message(), key=key, recipient=recipient, thread_ref=thread_ref, is_plain=is_plain
    )
