"""The text of a storm, many alerts in one message: names the worst by money, lists the largest, counts the others."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from alertd.core.alert import Alert, AlertState, Unit
from alertd.core.alerts.acting import NO_ACTIONS, Acting, offer_of
from alertd.core.alerts.audience import NO_TARGETS, LinkTargets
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.reason import NotifyReason
from alertd.core.dataclass import replace
from alertd.core.messages.compose import against, facts_of, status_link
from alertd.core.messages.message import Message, truncate
from alertd.core.money import to_decimal
from alertd.core.severity import Severity
from alertd.core.words import and_more

FIRST_POLL = "in the first poll of these bills"
"""The end of a storm's title in the first cycle."""
LISTED = 20
"""Number of alerts listed in a storm; the others are counted."""
_NAMED_LIMIT = 150
"""Characters of the worst alert's headline in the title, so that a phone still shows how many more there are."""


def compose_storm(
    moves: Sequence[tuple[Move, str]],
    *,
    is_first_cycle: bool,
    now: datetime,
    targets: LinkTargets = NO_TARGETS,
    acting: Acting = NO_ACTIONS,
) -> Message:
    """
    Compose a storm: firing alerts before ended ones, the most money first.

    Args:
        moves: With each alert's headline.
        is_first_cycle: Whether everything is new because alertd is.
    """
    moves = sorted(moves, key=lambda each: _order(each[0].after))
    alerts = [move.after for move, _ in moves]
    firing = [alert for alert in alerts if alert.state is not AlertState.RESOLVED]
    listed = moves[:LISTED]
    lines = [_line(move, headline) for move, headline in listed]
    if more := and_more(len(moves) - len(listed)):
        lines.append(f"… {more}; `alertd alerts` lists all.")
    first, *others = (facts_of(move.after, move.rule, headline, targets) for move, headline in moves)
    return Message(
        reason=NotifyReason.STORM,
        severity=max((alert.severity for alert in firing or alerts), default=Severity.INFO),
        is_resolved=not firing,
        title=_title(moves, len(firing), is_first_cycle=is_first_cycle),
        lines=tuple(lines),
        line_urls=tuple(targets.of_alert(move.after.fingerprint) or move.after.url for move, _ in listed),
        links=status_link(targets.overview),
        footer=f"rules {', '.join(sorted({alert.rule for alert in alerts}))}",
        alerts=(replace(first, offer=offer_of(alerts[0], moves[0][0].rule, acting)), *others),
        created_at=now,
    )


def with_worst(storm: Message, shown: Message) -> Message:
    """
    Return a storm's message as sent, with the current state of its first alert, whose buttons it has.

    Args:
        shown: The message for that alert alone, in its current state.
    """
    word = "RESOLVED" if shown.is_resolved else shown.severity.label.upper()
    done = shown.people_lines
    return replace(
        storm,
        lines=(f"{word}: {shown.title}", *done, *storm.lines[1:]),
        line_urls=(*storm.line_urls[:1], *("" for _ in done), *storm.line_urls[1:]),
        alerts=(*shown.alerts, *storm.alerts[1:]),
        written_at=shown.created_at,
    )


def _order(alert: Alert) -> tuple[bool, Decimal, int, Decimal, str, str]:
    """Return the sort key of an alert: firing, money, severity, value."""
    value = alert.value if alert.is_below else -alert.value
    is_over = alert.state is AlertState.RESOLVED
    return is_over, -_money(alert), -alert.severity, value, alert.rule, alert.fingerprint


def _money(alert: Alert) -> Decimal:
    """Return an alert's USD: its value, else what its group was billed since it began, else zero."""
    if alert.unit is Unit.USD and not alert.is_below:
        return alert.value
    return to_decimal(alert.billed.total) if alert.billed is not None and not alert.is_below else Decimal(0)


def _title(moves: Sequence[tuple[Move, str]], firing: int, *, is_first_cycle: bool) -> str:
    """Name the first and count the others."""
    (move, headline), more = moves[0], len(moves) - 1
    named = truncate(move.after.ended(headline), _NAMED_LIMIT)
    if not firing:
        return f"{named}, {and_more(more)} ended"
    ended = len(moves) - firing
    fire = f", {and_more(firing - 1)}" if firing > 1 else ""
    when = f" {FIRST_POLL}" if is_first_cycle else ""
    return f"{named}{fire}{when}{f'; {ended} ended' if ended else ''}"


def _line(move: Move, headline: str) -> str:
    alert = move.after
    word = "RESOLVED" if alert.state is AlertState.RESOLVED else alert.severity.label.upper()
    return f"{word}: {alert.ended(headline) if word == 'RESOLVED' else headline + against(alert, move.rule)}"
