"""The history of an alert in words: what happened, and what was known at the time."""

from typing import assert_never

from alertd.core.alert import Alert, Sample
from alertd.core.alert_event import (
    Acknowledged,
    Acted,
    AlertChange,
    Moved,
    Recorded,
    SilenceEnded,
    Suppressed,
    Unacknowledged,
    Unsuppressed,
)
from alertd.core.alerts.mutes import mute_text
from alertd.core.messages.action_words import action_step
from alertd.core.values import format_value, is_of_bills, threshold_text, through_text


def event_text(change: AlertChange) -> str:
    """Say what happened: `pending -> firing (critical)`, `acknowledged by dana`."""
    match change:
        case Moved():
            text = change.text
        case Suppressed():
            text = mute_text(change.muted)
        case Unsuppressed():
            text = "notifications no longer suppressed"
        case Acknowledged():
            text = f"acknowledged by {change.by}"
        case Unacknowledged():
            text = f"acknowledgement taken back by {change.by}" if change.by else "acknowledgement ended"
        case SilenceEnded():
            text = f"silence {change.id} ended by {change.by}"
        case Acted():
            text = action_step(change.request)
        case Recorded():
            text = change.text
        case _:
            assert_never(change)
    return text


def event_detail(change: AlertChange) -> str:
    """Say what was known at the time, `$60.00; warning from $50.00; billed through …`; empty if nothing is stored."""
    match change:
        case Moved():
            return "; ".join(filter(None, (moved_value(change), *change.caveats, change.reason)))
        case Unacknowledged() if not change.by:
            return "severity raised"
        case Acted():
            request = change.request
            return "; ".join(filter(None, (f"{request.owner}, request {request.id}", request.detail)))
        case Recorded():
            return ", ".join(f"{name} {text}" for name, text in change.detail)
        case _:
            return ""


def moved_value(moved: Moved) -> str:
    """Say an alert's value when it changed, the threshold it reached, and how far it was billed."""
    limit, severity = "", moved.after.severity
    if moved.threshold is not None and severity is not None:
        limit = f"; {threshold_text(severity, moved.threshold, moved.unit, is_below=moved.is_below)}"
    whole = "complete" if moved.is_complete else "not complete"
    return f"{both_ends(moved)}{limit}; {through(moved)}, {whole}"


def both_ends(known: Alert | Sample | Moved) -> str:
    """Return a value for people: the billed amount, and the estimated one if that is higher."""
    value = format_value(known.value, known.unit)
    return value if known.expected is None else f"{value}, about {format_value(known.expected, known.unit)} once billed"


def through(known: Alert | Sample | Moved) -> str:
    """Say how far a value is billed: `billed through 2026-03-09 14:00 UTC`."""
    return f"{'billed through' if is_of_bills(known) else 'as of'} {through_text(known)}"
