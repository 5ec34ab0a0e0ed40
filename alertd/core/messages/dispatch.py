"""
From what changed to what is to be sent: what is due, what is withheld and why, who is notified, as one message or a
storm, and what is folded together.

It builds outbox entries; it sends nothing and stores nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial

from alertd.core.actions import ActionRequest
from alertd.core.alert import Address, Alert, AlertState
from alertd.core.alerts.acting import NO_ACTIONS, Acting
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.due import corrected, notified, notify_reason
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.mutes import NO_RECEIVER, Mutes
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.silence import Silence
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass
from alertd.core.messages.compose import compose_action, compose_alert, fold, late_history
from alertd.core.messages.folding import by_place, foldable
from alertd.core.messages.holding import held
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import OutboxEntry, delivery_key
from alertd.core.messages.storm import FIRST_POLL, compose_storm
from alertd.core.rules.base import Rule

STORM_OF_RULE = 5
"""More alerts of one rule than this, due for one receiver in one cycle, go out as one message."""
STORM_AT_FIRST = 2
"""In the first cycle of a fresh store, more than this in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What one cycle decided; stored in one transaction."""

    alerts: tuple[Alert, ...]
    """Every alert that changed, as it is now."""
    moves: tuple[Move, ...]
    """The same with what they were before, for history and log."""
    entries: tuple[OutboxEntry, ...]
    folded: Mapping[str, tuple[int, ...]]
    """Delivery key of a new entry to the ids of the waiting ones that it takes over."""
    held: Mapping[int, datetime]
    """Id of a waiting entry that quiet hours hold to when it may be sent, where that changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    move: Move
    reason: NotifyReason
    headline: str
    chart: Callable[[], Chart | None]
    """Drawn when a message is composed that shows it, once for all who get it."""


def no_chart(alert: Alert, rule: Rule | None) -> Chart | None:  # noqa: ARG001 # where there is nothing to draw from
    """Draw nothing."""
    return None


def dispatch(
    moves: Sequence[Move],
    *,
    alerts: Mapping[str, Alert],
    audience: Audience,
    silences: Sequence[Silence],
    waiting: Sequence[OutboxEntry],
    install_id: str,
    headline_of: Callable[[Alert, Rule | None], str],
    chart_of: Callable[[Alert, Rule | None], Chart | None] = no_chart,
    acting: Acting = NO_ACTIONS,
    is_first_cycle: bool,
    now: datetime,
) -> Decisions:
    """
    Decide what to store and to send after the alerts moved.

    Args:
        moves: What the evaluation saw of each alert.
        alerts: By fingerprint, as stored before the moves: what fires and was not evaluated inhibits too.
        silences: All that may still be active.
        waiting: Open outbox entries, oldest first.
        headline_of: The rule's own summary, rendered, or the alert's headline.
        chart_of: The picture that goes with an alert; asked only for messages that show it.
        acting: What may be done about alerts, and what was.
        is_first_cycle: The store has never seen a finished cycle.
    """
    present = {**alerts, **{move.after.fingerprint: move.after for move in moves}}
    mutes = Mutes(silences, audience.inhibitions, present, now)
    dues: dict[Address, list[_Due]] = {}
    after: list[Move] = []
    # Nearly all alerts at nearly every poll are as they were.
    moving = [move for move in moves if not _is_as_it_was(move, mutes, now)]
    for unmuted in sorted(moving, key=lambda m: (-m.after.severity, m.after.rule, -m.after.value, m.after.fingerprint)):
        move = replace(unmuted, after=mutes.noted(unmuted.after))
        reason = _reason(move, mutes, now)
        addresses = audience.of(move.after, move.rule, reason) if reason is not None else ()
        if reason is None or not addresses:
            # Nobody was notified: whoever is named later gets the beginning.
            after.append(move if reason is None else _unreached(move, reason))
            continue
        is_correction = reason is NotifyReason.CORRECTED
        noted = corrected(move, now) if is_correction else notified(move.after, reason, addresses, now)
        move = replace(move, after=noted)
        after.append(move)
        due = _due(move, reason, headline_of, chart_of)
        for address in addresses:
            dues.setdefault(address, []).append(due)
    for move in filter(_looks_different, after):
        due = _due(move, NotifyReason.UPDATED, headline_of, chart_of)
        for address in audience.of(move.after, move.rule, NotifyReason.UPDATED):
            dues.setdefault(address, []).append(due)
    entries, folded = _entries(
        dues,
        audience=audience,
        waiting=waiting,
        install_id=install_id,
        acting=acting,
        is_first_cycle=is_first_cycle,
        now=now,
    )
    changed = tuple(move for move in after if move.is_change)
    taken = {number for numbers in folded.values() for number in numbers}
    return Decisions(
        alerts=tuple(move.after for move in changed),
        moves=changed,
        entries=tuple(entries),
        folded=folded,
        held=held(
            [entry for entry in waiting if entry.id not in taken],
            {**present, **{move.after.fingerprint: move.after for move in after}},
            audience,
            now,
        ),
    )


def _due(
    move: Move,
    reason: NotifyReason,
    headline_of: Callable[[Alert, Rule | None], str],
    chart_of: Callable[[Alert, Rule | None], Chart | None],
) -> _Due:
    headline = headline_of(move.after, move.rule)
    return _Due(move=move, reason=reason, headline=headline, chart=cache(partial(chart_of, move.after, move.rule)))


def _is_as_it_was(move: Move, mutes: Mutes, now: datetime) -> bool:
    """Return whether nothing is to be stored or sent of an alert."""
    is_same = move.before is move.after and mutes.noted(move.after) is move.after
    return is_same and _reason(move, mutes, now) is None


def _reason(move: Move, mutes: Mutes, now: datetime) -> NotifyReason | None:
    """Return why a notification is sent now, None where none is due or it is withheld; an end is never withheld."""
    reason = notify_reason(move, now)
    if reason is None and mutes.is_outspent(move.after):
        reason = NotifyReason.REPEAT
    return None if move.after.muted is not None and reason is not NotifyReason.RESOLVED else reason


def _unreached(move: Move, reason: NotifyReason) -> Move:
    """Note that what is due reaches nobody; an end or a correction without a message to change is no such case."""
    if reason in {NotifyReason.RESOLVED, NotifyReason.CORRECTED}:
        return move
    return replace(move, after=replace(move.after, muted=NO_RECEIVER))


def _looks_different(move: Move) -> bool:
    """Return whether the first message of an alert's episode must show another state now."""
    before, after = move.before, move.after
    if before is None or before.notified_at is None or before.episode != after.episode:
        return False
    return _shown(before) != _shown(after)


def _shown(alert: Alert) -> tuple[object, ...]:
    mute = alert.muted.key if alert.muted is not None else None
    return (alert.state, alert.severity, alert.acknowledged_by, mute, alert.notified_at)


def entries_of_request(
    changes: Sequence[Move],
    *,
    audience: Audience,
    install_id: str,
    headline_of: Callable[[Alert, Rule | None], str],
    chart_of: Callable[[Alert, Rule | None], Chart | None] = no_chart,
    acting: Acting = NO_ACTIONS,
    now: datetime,
) -> list[OutboxEntry]:
    """
    Return what receivers that can change messages are to show after somebody acknowledged or silenced.

    The first message shows the present state, and an acknowledgement is posted in its thread.
    """
    entries = []
    for move in filter(_looks_different, changes):
        reasons = [NotifyReason.UPDATED]
        if move.before is not None and move.after.acknowledged_by not in {None, move.before.acknowledged_by}:
            reasons.insert(0, NotifyReason.ACKNOWLEDGED)
        for reason in reasons:
            bundle = [_due(move, reason, headline_of, chart_of)]
            message = _message(bundle, audience, acting, is_first_cycle=False, now=now)
            addresses = audience.of(move.after, move.rule, NotifyReason.UPDATED)
            entries += [_entry(bundle, message, address, install_id, now) for address in addresses]
    return entries


def written_anew(
    entry: OutboxEntry,
    *,
    alerts: Mapping[str, Alert],
    rules: Mapping[str, Rule],
    audience: Audience,
    headline_of: Callable[[Alert, Rule | None], str],
    chart_of: Callable[[Alert, Rule | None], Chart | None] = no_chart,
    acting: Acting = NO_ACTIONS,
    now: datetime,
) -> OutboxEntry:
    """
    Return an entry that waited as it is to be sent: by how its alerts stand now, with what it was when it became due.

    An alert whose end is to be sent by itself, and one that lives another life by now, is left as it was.
    """
    message = entry.message
    moves = [
        Move(before=None, after=alert, rule=rules.get(alert.rule))
        for facts in message.alerts
        if (alert := alerts.get(facts.fingerprint)) is not None and alert.episode == facts.episode
    ]
    if message.reason is NotifyReason.ACTION or len(moves) != len(entry.fingerprints):
        return entry
    if any(_ends_by_itself(move, message) for move in moves):
        return entry
    bundle = [_due(move, message.reason, headline_of, chart_of) for move in moves]
    fresh = _message(bundle, audience, acting, is_first_cycle=FIRST_POLL in message.title, now=now)
    return replace(
        entry,
        message=replace(
            fresh,
            # A message that takes over others says so as before; without a picture of now an earlier one is better.
            reason=message.reason,
            history=late_history(message),
            chart=fresh.chart or message.chart,
            created_at=message.created_at,
            written_at=now,
        ),
    )


def _ends_by_itself(move: Move, message: Message) -> bool:
    """Return whether another message says that an alert is over."""
    is_over = move.after.state is AlertState.RESOLVED and not message.is_resolved
    return is_over and (move.rule is None or move.rule.send_resolved)


def entries_of_action(
    request: ActionRequest,
    move: Move,
    *,
    audience: Audience,
    install_id: str,
    headline_of: Callable[[Alert, Rule | None], str],
    chart_of: Callable[[Alert, Rule | None], Chart | None] = no_chart,
    acting: Acting = NO_ACTIONS,
    now: datetime,
) -> list[OutboxEntry]:
    """
    Return what receivers that can change messages are to show of a request's step.

    The first message shows what is done about its alert now, and its thread what came of it in the end.

    Args:
        move: The alert as it is.
    """
    bundle = [_due(move, NotifyReason.UPDATED, headline_of, chart_of)]
    shown = _message(bundle, audience, acting, is_first_cycle=False, now=now)
    messages = [compose_action(request, shown), shown] if request.state.is_final else [shown]
    addresses = audience.of(move.after, move.rule, NotifyReason.UPDATED)
    return [_entry(bundle, message, address, install_id, now) for message in messages for address in addresses]


def _entries(
    dues: Mapping[Address, list[_Due]],
    *,
    audience: Audience,
    waiting: Sequence[OutboxEntry],
    install_id: str,
    acting: Acting,
    is_first_cycle: bool,
    now: datetime,
) -> tuple[list[OutboxEntry], dict[str, tuple[int, ...]]]:
    """Return the entries for what is due, and which waiting ones each takes over."""
    entries: list[OutboxEntry] = []
    folded: dict[str, tuple[int, ...]] = {}
    waiting_for = by_place(waiting)
    for address, of_address in dues.items():
        for bundle in _bundles(of_address, is_first_cycle=is_first_cycle):
            message = _message(bundle, audience, acting, is_first_cycle=is_first_cycle, now=now)
            entry = _entry(bundle, message, address, install_id, now)
            taken = foldable(entry, waiting_for)
            if taken:
                entry = replace(entry, message=fold([old.message for old in taken], entry.message))
                folded[entry.key] = tuple(old.id for old in taken)
            held_until = audience.held_until(address.receiver, entry.message.severity, now)
            if held_until is not None and not entry.message.reason.is_edit:
                entry = replace(entry, not_before=held_until)
            entries.append(entry)
    return entries, folded


def _bundles(dues: list[_Due], *, is_first_cycle: bool) -> list[list[_Due]]:
    """Split what is due for one receiver into messages: single alerts and storms."""
    if is_first_cycle and len(dues) > STORM_AT_FIRST:
        return [dues]
    # An edit changes one message in place, after what is sent anew: it is no part of a storm.
    edits = [[due] for due in dues if due.reason.is_edit]
    bundles: list[list[_Due]] = []
    by_rule: dict[str, list[_Due]] = {}
    for due in (due for due in dues if not due.reason.is_edit):
        by_rule.setdefault(due.move.after.rule, []).append(due)
    for of_rule in by_rule.values():
        bundles += [of_rule] if len(of_rule) > STORM_OF_RULE else [[due] for due in of_rule]
    return bundles + edits


def _message(bundle: list[_Due], audience: Audience, acting: Acting, *, is_first_cycle: bool, now: datetime) -> Message:
    targets, timezone = audience.targets, audience.timezone
    if len(bundle) > 1:
        moves = [(due.move, due.headline) for due in bundle]
        storm = compose_storm(moves, is_first_cycle=is_first_cycle, now=now, targets=targets, acting=acting)
        return replace(storm, timezone=timezone)
    (due,) = bundle
    # An acknowledgement changes nothing of the spend; its thread begins with a message that shows it.
    chart = due.chart() if due.reason is not NotifyReason.ACKNOWLEDGED else None
    return compose_alert(
        due.move.after,
        due.move.rule,
        due.reason,
        headline=due.headline,
        owners=audience.owners,
        now=now,
        timezone=timezone,
        chart=chart,
        targets=targets,
        acting=acting,
    )


def _entry(bundle: list[_Due], message: Message, address: Address, install_id: str, now: datetime) -> OutboxEntry:
    first = bundle[0].move.after
    group = first.fingerprint if len(bundle) == 1 else f"storm {first.rule}"
    kind = f"{message.reason.value} {now.isoformat()}"
    key = delivery_key(install_id, first.rule, group, str(first.episode), kind, *address)
    return OutboxEntry(
        key=key,
        receiver=address.receiver,
        recipient=address.recipient,
        group=group,
        fingerprints=tuple(due.move.after.fingerprint for due in bundle),
        message=message,
        created_at=now,
        not_before=now,
    )
