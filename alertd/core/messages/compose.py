"""
The texts of messages: from alerts to `Message`, the same for every channel.

A message answers in this order: what, whose, how much, against which threshold; why; what to do; how certain it is.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from alertd.core.actions import ActionRequest
from alertd.core.alert import Alert, AlertState, Contributor, Unit
from alertd.core.alerts.acting import NO_ACTIONS, Acting, latest_of, offer_of, undo_of
from alertd.core.alerts.audience import NO_TARGETS, LinkTargets
from alertd.core.alerts.mutes import mute_text
from alertd.core.alerts.reason import NotifyReason
from alertd.core.chart import Chart, marked
from alertd.core.dataclass import replace
from alertd.core.local_time import Clock
from alertd.core.messages.action_words import action_line, action_lines, action_title
from alertd.core.messages.message import AlertFacts, Field, Link, Message, TableRow
from alertd.core.messages.rate_words import rate_line
from alertd.core.money import format_usd
from alertd.core.owners import OwnerDirectory
from alertd.core.rules.base import Rule
from alertd.core.severity import Severity
from alertd.core.values import exact_text, format_value, is_of_bills, reached_text, through_text
from alertd.core.words import format_age, format_duration, format_instant


def compose_alert(
    alert: Alert,
    rule: Rule | None,
    reason: NotifyReason,
    *,
    headline: str,
    owners: OwnerDirectory,
    now: datetime,
    timezone: str = "UTC",
    chart: Chart | None = None,
    targets: LinkTargets = NO_TARGETS,
    acting: Acting = NO_ACTIONS,
) -> Message:
    """
    Compose the message for an alert's beginning, rise, repeat or end, with requests made and actions offered.

    Args:
        timezone: The reader's time zone.
    """
    clock = Clock(timezone=timezone, now=now)
    title = _title(alert, rule, reason, headline)
    first, below = _first_lines(alert, rule, reason, clock), _last_lines(alert, rule)
    done = (*_people_lines(alert), *_action_lines(alert, acting))
    return Message(
        reason=reason,
        severity=alert.severity,
        is_resolved=alert.state is AlertState.RESOLVED,
        title=title,
        lines=(*first, *done, *below),
        lines_below=len(below),
        lines_of_people=len(done),
        fields=_fields(alert, title),
        table=tuple(table_row(part, owners) for part in alert.top),
        table_note=alert.table_note if alert.top else "",
        chart=marked(chart, alert.fired_at) if chart is not None else None,
        links=_links(alert, rule, targets, acting),
        footer=_footer(alert),
        alerts=(replace(facts_of(alert, rule, headline, targets), offer=offer_of(alert, rule, acting)),),
        slack_owner=owners.find(dict(alert.labels).get("owner", "")).slack,
        created_at=now,
        timezone=timezone,
    )


def compose_action(request: ActionRequest, shown: Message) -> Message:
    """
    Compose the message for the outcome of an action request.

    Args:
        shown: The current message of its alert.
    """
    return replace(
        shown,
        reason=NotifyReason.ACTION,
        title=action_title(request),
        lines=action_lines(request),
        lines_below=0,
        lines_of_people=0,
        fields=(),
        table=(),
        table_note="",
        chart=None,
        links=(),
        footer=f"request {request.id} · {shown.footer}",
        alerts=(replace(shown.alerts[0], offer=undo_of(request)),),
    )


def _action_lines(alert: Alert, acting: Acting) -> tuple[str, ...]:
    request = latest_of(alert, acting)
    return (action_line(request),) if request is not None else ()


def _title(alert: Alert, rule: Rule | None, reason: NotifyReason, headline: str) -> str:
    if alert.state is AlertState.RESOLVED:
        return alert.ended(headline)
    before = {
        NotifyReason.REPEAT: "Still: ",
        NotifyReason.ESCALATED: "Nobody acknowledged: ",
        NotifyReason.ACKNOWLEDGED: f"Acknowledged by {alert.acknowledged_by}: ",
    }.get(reason, "")
    return f"{before}{headline}{against(alert, rule)}"


def against(alert: Alert, rule: Rule | None) -> str:
    """
    Return the threshold reached, or where an alert that is held by hysteresis ends.

    Only if it has the value's unit; days and hours are in the headline.
    """
    if alert.threshold is None or alert.unit not in {Unit.USD, Unit.RATIO}:
        return ""
    if not (reached := reached_text(alert)):
        end = _end_of(alert, rule)
        still = "still below" if alert.is_below else "still above"
        return f" ({still} {format_value(end, alert.unit)}, where it ends)" if end is not None else ""
    return f" ({reached})"


def _end_of(alert: Alert, rule: Rule | None) -> Decimal | None:
    """Return the value at which a severity ends whose threshold is not reached; None if something else holds it."""
    if alert.threshold is None or rule is None:
        return None
    part = rule.resolve_below
    if alert.is_below:
        end = alert.threshold * part.denominator / part.numerator
        return end if alert.value < end else None
    end = alert.threshold * part.numerator / part.denominator
    known = alert.value if alert.expected is None else max(alert.value, alert.expected)
    return end if known >= end else None


def _first_lines(alert: Alert, rule: Rule | None, reason: NotifyReason, clock: Clock) -> tuple[str, ...]:
    """Return the lines for the first five seconds: what it costs now, since when, whose it is."""
    is_over = alert.state is AlertState.RESOLVED
    lines = [rate_line(alert.rate, clock)] if alert.rate is not None and not is_over else []
    lines += [alert.corrected] if alert.corrected and reason.is_edit else []
    lines += [text] if (text := _standing(alert, reason, clock.now)) else []
    if alert.condition_ended_at is not None and alert.state is AlertState.FIRING and rule is not None:
        over, until = alert.condition_ended_at, alert.condition_ended_at + rule.keep_firing_for
        lines.append(
            f"Its condition ended {format_instant(over)}; unless it returns, the alert resolves "
            f"{format_instant(until)} (keep_firing_for {format_duration(rule.keep_firing_for)})."
        )
    return tuple(lines)


def _people_lines(alert: Alert) -> tuple[str, ...]:
    """Return who acknowledged it, and what mutes it."""
    lines = []
    if alert.acknowledged_by is not None and alert.state is not AlertState.RESOLVED:
        since = f", {format_instant(alert.acknowledged_at)}" if alert.acknowledged_at is not None else ""
        lines.append(f"Acknowledged by {alert.acknowledged_by}{since}.")
    if alert.muted is not None:
        lines.append(f"Notifications suppressed: {mute_text(alert.muted)}.")
    return tuple(lines)


def _standing(alert: Alert, reason: NotifyReason, now: datetime) -> str:
    """Return its team and since when it fires: `Team platform · firing since <instant>.`."""
    team = dict(alert.labels).get("team", "")
    whose = f"Team {team}" if team else ""
    if alert.state is AlertState.RESOLVED:
        since = _end_line(alert, now)
        return f"{since} {whose}." if whose else since
    since = ""
    if alert.fired_at is not None:
        lasting = "" if reason is NotifyReason.FIRST else f" for {format_age(now - alert.fired_at)},"
        since = f"firing{lasting} since {format_instant(alert.fired_at)}"
    text = " · ".join(filter(None, (whose, since)))
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _last_lines(alert: Alert, rule: Rule | None) -> tuple[str, ...]:
    """Return the lines for whoever has to act: why, what for, what is missing, what to do."""
    lines = [f"Why: {alert.reason}."] if alert.reason else []
    if rule is not None and rule.description:
        lines.append(rule.description)
    # The data is complete if the value ended the alert; otherwise it may not be.
    if alert.caveats and (alert.reason or alert.state is not AlertState.RESOLVED):
        lines.append(f"Not complete: {'; '.join(alert.caveats)}.")
    if rule is not None and rule.ADVICE and alert.state is not AlertState.RESOLVED:
        lines.append(f"What to do: {rule.ADVICE}")
    return tuple(lines)


def _end_line(alert: Alert, now: datetime) -> str:
    fired = alert.fired_at or alert.started_at
    has_peak = is_of_bills(alert) or alert.unit is Unit.HOURS
    peak = f"; at most {format_value(alert.peak, alert.unit)}" if has_peak else ""
    return f"It fired for {format_age((alert.resolved_at or now) - fired)}, from {format_instant(fired)}{peak}."


def _fields(alert: Alert, title: str) -> tuple[Field, ...]:
    """Return further facts, without those in the title."""
    is_last = alert.state is AlertState.RESOLVED and alert.reason
    fields = [Field(name="Last value" if is_last else "Value", text=format_value(alert.value, alert.unit))]
    if alert.expected is not None:
        fields.append(Field(name="Once all is billed", text=f"about {format_value(alert.expected, alert.unit)}"))
    if alert.threshold is not None and alert.is_reached:
        name = f"Threshold ({alert.severity.label})"
        fields.append(Field(name=name, text=format_value(alert.threshold, alert.unit)))
    # Zero is not worth showing as a value that has just begun, or as a threshold that any amount exceeds.
    is_time = alert.unit in {Unit.DAYS, Unit.HOURS} and not alert.is_below
    fields = [field for field in fields if not (is_time and field.text in {"0 d", "0 h"})]
    fields += (Field(name=name, text=text) for name, text in alert.facts)
    return tuple(field for field in fields if not _is_said(field.text, title))


def _is_said(text: str, title: str) -> bool:
    """Return whether a title contains a text as whole words."""
    return re.search(rf"(?<![\w.,$-]){re.escape(text)}(?![\w-]|[.,]\w)", title) is not None


def _footer(alert: Alert) -> str:
    through = f"{'billed through' if is_of_bills(alert) else 'as of'} {through_text(alert)}"
    return f"{through} · rule {alert.rule} · account {alert.account} · alert {alert.fingerprint}"


def table_row(part: Contributor, owners: OwnerDirectory) -> TableRow:
    """Return one of the largest parts of an alert's value for display."""
    return TableRow(
        who=owners.display(part.owner),
        what=f"{part.product} ({part.category})" if part.product else part.category,
        amount=format_usd(part.amount),
        before=format_usd(part.before) if part.before is not None else "no data",
    )


def _links(alert: Alert, rule: Rule | None, targets: LinkTargets, acting: Acting) -> tuple[Link, ...]:
    links = list(status_link(targets.of_alert(alert.fingerprint)))
    links += console_link(alert, targets, acting)
    if rule is not None and rule.runbook_url:
        links.append(Link(text="Runbook", url=rule.runbook_url))
    if alert.url:
        links.append(Link(text="Invoice", url=alert.url))
    billing = targets.billing.get(alert.account, "")
    if billing and rule is not None and rule.NEEDS_PAYMENT and alert.state is not AlertState.RESOLVED:
        links.append(Link(text="Billing console", url=billing))
    return tuple(links)


def console_link(alert: Alert, targets: LinkTargets, acting: Acting = NO_ACTIONS) -> tuple[Link, ...]:
    """Return the link to the vendor's page of an alert's owner; none without such a page."""
    owner = dict(alert.group).get("owner", "")
    if not owner:
        return ()
    of_owner = {part.category for part in alert.top if part.owner == owner}
    category = "gpu" if (alert.account, owner) in acting.instances else dict(alert.labels).get("category", "")
    if not category and len(of_owner) == 1:
        (category,) = of_owner
    url = targets.consoles.get(alert.account, {}).get(category, "")
    return (Link(text="Open in the Novita console", url=url),) if url else ()


def status_link(url: str) -> tuple[Link, ...]:
    """Return the link to the status page; none without its URL."""
    return (Link(text="Status page", url=url),) if url else ()


def facts_of(alert: Alert, rule: Rule | None, headline: str, targets: LinkTargets) -> AlertFacts:
    """Return an alert for machines."""
    labels = {
        "account": alert.account,
        **dict(alert.labels),
        "alertname": alert.rule,
        "severity": alert.severity.label,
        "type": alert.type,
    }
    annotations = {"summary": headline}
    if rule is not None and rule.description:
        annotations["description"] = rule.description
    if rule is not None and rule.runbook_url:
        annotations["runbook_url"] = rule.runbook_url
    if alert.reason:
        annotations["reason"] = alert.reason
    if alert.caveats:
        annotations["incomplete"] = "; ".join(alert.caveats)
    if alert.facts:
        annotations["details"] = "; ".join(f"{name}: {text}" for name, text in alert.facts)
    known = partial(exact_text, unit=alert.unit, is_below=alert.is_below)
    return AlertFacts(
        fingerprint=alert.fingerprint,
        rule=alert.rule,
        is_resolved=alert.state is AlertState.RESOLVED,
        severity=alert.severity,
        labels=tuple(labels.items()),
        annotations=tuple(annotations.items()),
        starts_at=alert.fired_at or alert.started_at,
        ends_at=alert.resolved_at,
        value=known(alert.value),
        threshold=known(alert.threshold) if alert.threshold is not None and alert.is_reached else None,
        unit=alert.unit.value,
        as_of=alert.as_of,
        expected=known(alert.expected) if alert.expected is not None else None,
        url=alert.url or targets.of_alert(alert.fingerprint),
        episode=alert.episode,
        acknowledged_by=alert.acknowledged_by,
        muted=alert.muted,
    )


def compose_undelivered(message: Message, *, receiver: str, why: str, now: datetime) -> Message:
    """Return the fallback receiver's copy of what another receiver could not deliver, and why."""
    return replace(
        message,
        reason=NotifyReason.UNDELIVERED,
        title=f"{message.title} [undelivered to {receiver}]",
        history=(f'Receiver "{receiver}" did not get this: {why}', *message.history),
        created_at=now,
    )


def compose_test(receiver: str, *, now: datetime) -> Message:
    """Compose a test message, marked so that nobody takes it for an alert."""
    return Message(
        reason=NotifyReason.TEST,
        severity=Severity.INFO,
        is_resolved=False,
        title=f'alertd can reach receiver "{receiver}"',
        lines=("This is a test message: nothing is wrong, nothing is to be done.",),
        footer=f"sent {format_instant(now)}",
        created_at=now,
    )


def fold(waiting: Sequence[Message], newer: Message) -> Message:
    """Add waiting, never-sent messages to a newer one, so that nothing is lost and nothing sent twice."""
    history = [line for message in waiting for line in late_history(message)]
    reason = newer.reason
    unsent = [message.reason for message in waiting if not message.reason.is_edit]
    if reason is NotifyReason.CORRECTED and unsent:
        # An unsent message needs no correction: it is sent correctly.
        reason, newer = unsent[-1], replace(newer, lines=newer.lines[1:])
    if any(message.reason is NotifyReason.FIRST for message in waiting) and not newer.is_resolved:
        reason = NotifyReason.FIRST
    return replace(newer, history=tuple(history), reason=reason)


def late_history(message: Message) -> tuple[str, ...]:
    """Return the history of a late message, with its content when it became due."""
    if message.reason.is_edit:
        return message.history
    before, at = f"Delivered late: {message.reason.value} (", f") {format_instant(message.created_at)}."
    if any(line.startswith(before) and line.endswith(at) for line in message.history):
        return message.history
    return (*message.history, f"{before}{message.severity.label}{at}")
