"""
The page of an alert: its state, why it was notified or not, what its value consists of, and its history.

Pure: from the data of one alert to the page's content.
"""

from datetime import UTC, datetime

from alertd.core.actions import UNDO_WITHIN, Offer
from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.acting import Acting, latest_of, offer_of, undo_of
from alertd.core.chart import (
    Chart,
    chart_words,
    fired_point,
    fired_words,
    labels,
    limit_text,
    local_times,
    marked,
    read_by,
)
from alertd.core.dataclass import dataclass
from alertd.core.http_url import is_link
from alertd.core.messages.compose import table_row
from alertd.core.messages.holding import holds, is_held
from alertd.core.messages.message import TableRow
from alertd.core.words import format_instant
from alertd.queries.alert_history import SentNotification, state_facts
from alertd.queries.event_words import event_detail, event_text
from alertd.web.drawing import Drawing, chart_drawing, severity_style
from alertd.web.overview import AlertLine, alert_line
from alertd.web.page_context import AlertFile

_MOST_SENDS = 100
_MOST_EVENTS = 200
"""How many of the newest are shown; `alertd explain` shows all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPanel:
    """An alert's chart with its texts."""

    title: str
    note: str
    words: str
    first: str
    last: str
    drawing: Drawing
    limits: tuple[tuple[str, str], ...]
    """(style, text) of each line."""
    fired: str
    """When the alert fired; empty if that is outside the chart."""
    points: tuple[tuple[str, str], ...]
    """(instant, value) of each point, for the table."""
    data: dict[str, object]
    """JSON for the script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRow:
    """One notification with its attempts."""

    at: datetime
    reason: str
    address: str
    state: str
    title: str
    attempts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event of the history."""

    at: datetime
    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    """Everything shown about one alert."""

    title: str
    line: AlertLine
    state: str
    rule: str
    type: str
    description: str
    advice: str
    """What to do."""
    runbook_url: str
    facts: tuple[tuple[str, str], ...]
    """Details that explain the value."""
    standing: tuple[tuple[str, str], ...]
    """Why it was notified or not, and whom."""
    labels: tuple[tuple[str, str], ...]
    chart: ChartPanel | None
    parts: tuple[TableRow, ...]
    parts_note: str
    sends: tuple[SendRow, ...]
    events: tuple[EventRow, ...]
    """The newest first."""
    is_cut: bool
    """Whether more notifications or events exist."""
    silence_id: str
    """Id of the silence that mutes it; empty if none does."""
    is_open: bool
    offer: Offer | None
    """The actions offered."""
    undo: Offer | None
    """What was recently stopped for it and may be started again."""
    now: datetime


def alert_page(found: AlertFile) -> AlertPage:
    """Return the content of an alert's page."""
    alert, rule, known = found.history.alert, found.rule, found.known
    line = alert_line(alert, holds(known.waiting, known.now), known.now)
    is_firing = alert.state is AlertState.FIRING
    return AlertPage(
        title=f"{alert.severity.label if is_firing else alert.state.value}: {alert.headline} · alertd",
        line=line,
        state=alert.state.value,
        rule=alert.rule,
        type=alert.type,
        description=rule.description if rule is not None else "",
        advice=rule.ADVICE if rule is not None else "",
        runbook_url=rule.runbook_url if rule is not None and is_link(rule.runbook_url) else "",
        facts=alert.facts,
        standing=tuple(state_facts(found.history, rule, known.audience)),
        labels=tuple((name, text) for name, text in alert.labels if text),
        chart=_chart(marked(read_by(found.chart, known.timezone), alert.fired_at)) if found.chart is not None else None,
        parts=tuple(table_row(part, known.audience.owners) for part in alert.top),
        parts_note=alert.table_note,
        sends=tuple(_send(notified, found.history.at) for notified in found.history.notified[: -_MOST_SENDS - 1 : -1]),
        events=tuple(
            EventRow(at=event.happened_at, kind=event_text(event.change), detail=event_detail(event.change))
            for event in found.history.events[: -_MOST_EVENTS - 1 : -1]
        ),
        is_cut=len(found.history.notified) > _MOST_SENDS or len(found.history.events) > _MOST_EVENTS,
        silence_id=alert.muted.id if alert.muted is not None and alert.muted.is_silence else "",
        is_open=alert.state is not AlertState.RESOLVED,
        offer=offer_of(alert, rule, found.acting),
        undo=_undo(alert, found.acting, known.now),
        now=known.now,
    )


def _undo(alert: Alert, acting: Acting, now: datetime) -> Offer | None:
    last = latest_of(alert, acting)
    is_lately = last is not None and last.finished_at is not None and now - last.finished_at <= UNDO_WITHIN
    return undo_of(last) if last is not None and is_lately else None


def _chart(chart: Chart) -> ChartPanel:
    names, point = labels(chart), fired_point(chart)
    # The script formats instants as UTC, so local times are passed as if they were UTC.
    times = [int(at.replace(tzinfo=UTC).timestamp()) for at in local_times(chart)]
    zone = "" if chart.is_by_day else f" {chart.timezone}"
    return ChartPanel(
        title=chart.title,
        note=chart.note,
        words=chart_words(chart),
        first=names[0],
        last=f"{names[-1]}{zone}",
        drawing=chart_drawing(chart),
        limits=tuple((severity_style(limit.severity), limit_text(chart, limit)) for limit in chart.limits),
        fired=fired_words(chart),
        points=tuple((name, point.value) for name, point in zip(names, chart.points, strict=True)),
        data={
            "form": chart.form.value,
            "unit": chart.unit.value,
            "times": times,
            "labels": names,
            "values": [point.value for point in chart.points],
            "fired": times[point] if point is not None else None,
            "limits": [{"style": severity_style(limit.severity), "value": limit.value} for limit in chart.limits],
        },
    )


def _send(notified: SentNotification, now: datetime) -> SendRow:
    entry = notified.entry
    held = f", held until {format_instant(entry.not_before)}" if is_held(entry, now) else ""
    attempts = (
        f"attempt {one.number} at {one.started_at:%H:%M:%S} UTC: {one.outcome or 'under way'}"
        f"{f': {one.detail}' if one.detail else ''}"
        for one in notified.attempts
    )
    return SendRow(
        at=entry.created_at,
        reason=entry.message.reason.value,
        address=f"{entry.receiver} {entry.recipient}".rstrip(),
        state=f"{entry.state.value}{held}",
        title=entry.message.title,
        attempts=(*attempts, *([entry.error] if entry.error and not notified.attempts else [])),
    )
