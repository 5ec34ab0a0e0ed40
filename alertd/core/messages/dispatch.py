"""
From what changed to what is to be sent: what is due, what is withheld and why, who is notified, as one message or a
storm, and what is folded together.

It builds outbox entries, without sending or storing.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from decimal import Decimal
from functools import cache, partial

from alertd.core.actions import ActionRequest
from alertd.core.alert import Address, Alert, AlertState
from alertd.core.alerts.acting import NO_ACTIONS, Acting
from alertd.core.alerts.audience import Audience
from alertd.core.alerts.due import Calm, corrected, notified, notify_reason
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.mutes import NO_RECEIVER, Mutes
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.silence import Silence
from alertd.core.chart import Chart
from alertd.core.dataclass import dataclass, replace
from alertd.core.messages.ahead import by_place, foldable, has_news
from alertd.core.messages.compose import compose_action, compose_alert, fold, late_history
from alertd.core.messages.holding import held
from alertd.core.messages.message import Message
from alertd.core.messages.outbox import OutboxEntry, delivery_key
from alertd.core.messages.storm import FIRST_POLL, compose_storm
from alertd.core.rules.base import Rule

STORM_OF_RULE = 5
"""If more alerts of a rule are due for a receiver in a cycle, they are sent as one message."""
STORM_AT_FIRST = 2
"""The same for the total in the first cycle of a new store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """The decisions of one cycle, stored in one transaction."""

    alerts: tuple[Alert, ...]
    """Every changed alert, in its new state."""
    moves: tuple[Move, ...]
    """The same with their previous states, for history and log."""
    entries: tuple[OutboxEntry, ...]
    folded: Mapping[str, tuple[int, ...]]
    """The ids of the waiting entries that a new entry includes, by its delivery key."""
    held: Mapping[int, datetime]
    """New send times of waiting entries held by quiet hours, by id, if changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    move: Move
    reason: NotifyReason
    headline: str
    chart: Callable[[], Chart | None]
    """Draws a chart when a message that shows it is composed, once for all recipients."""


def no_chart(alert: Alert, rule: Rule | None) -> Chart | None:  # noqa: ARG001 # without data
    """Draw nothing."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatcher:
    """Decides on messages and writes them at one moment: holds whom they can reach, and their contents."""

    audience: Audience
    install_id: str
    headline_of: Callable[[Alert, Rule | None], str]
    """The rule's own summary, rendered, or the alert's headline."""
    chart_of: Callable[[Alert, Rule | None], Chart | None] = no_chart
    """Draws an alert's chart; called only for messages that show it."""
    acting: Acting = NO_ACTIONS
    """Actions that are offered and those that were requested."""
    calm: Calm = field(default_factory=Calm)
    """Of which moves nothing is due, from earlier decisions."""
    now: datetime

    def decide(
        self,
        moves: Sequence[Move],
        *,
        alerts: Mapping[str, Alert],
        silences: Sequence[Silence],
        waiting: Sequence[OutboxEntry],
        is_first_cycle: bool,
    ) -> Decisions:
        """
        Decide what to store and to send after the alerts moved.

        Args:
            moves: The evaluation's move of each alert.
            alerts: Alerts before the moves, by fingerprint: firing ones that were not evaluated inhibit too.
            silences: All silences that may be active.
            waiting: Open outbox entries, oldest first.
            is_first_cycle: Whether the store has never had a finished cycle.
        """
        present = {**alerts, **{move.after.fingerprint: move.after for move in moves}}
        mutes = Mutes(silences, self.audience.inhibitions, present, self.now)
        dues: dict[Address, list[_Due]] = {}
        # At most polls nearly all alerts are unchanged.
        moving = [move for move in moves if not self._is_calm(move, mutes)]
        after = [self._noted(move, mutes, dues) for move in sorted(moving, key=_worst_first)]
        for move in filter(_looks_different, after):
            due = self._due(move, NotifyReason.UPDATED)
            for address in self._editing(move):
                dues.setdefault(address, []).append(due)
        entries, folded = self._entries(dues, waiting, is_first_cycle=is_first_cycle)
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
                self.audience,
                self.now,
            ),
        )

    def entries_of_request(self, changes: Sequence[Move]) -> list[OutboxEntry]:
        """
        Return the message updates for receivers that can edit after an acknowledgement or silence.

        The first message shows the current state, and an acknowledgement is posted in its thread.
        """
        entries = []
        for move in filter(_looks_different, changes):
            reasons = [NotifyReason.UPDATED]
            if move.before is not None and move.after.acknowledged_by not in {None, move.before.acknowledged_by}:
                reasons.insert(0, NotifyReason.ACKNOWLEDGED)
            for reason in reasons:
                bundle = [self._due(move, reason)]
                message = self._message(bundle)
                entries += [self._entry(bundle, message, address) for address in self._editing(move)]
        return entries

    def entries_of_action(self, request: ActionRequest, alert: Alert, rule: Rule | None) -> list[OutboxEntry]:
        """
        Return the message updates for receivers that can edit after a step of an action request.

        The first message shows the current step, and its thread the final outcome.
        """
        others = tuple(one for one in self.acting.requests if one.id != request.id)
        stepped = replace(self, acting=replace(self.acting, requests=(*others, request)))
        move = Move(before=alert, after=alert, rule=rule)
        bundle = [self._due(move, NotifyReason.UPDATED)]
        shown = stepped._message(bundle)  # noqa: SLF001 -- another of this class
        messages = [compose_action(request, shown), shown] if request.state.is_final else [shown]
        return [self._entry(bundle, message, address) for message in messages for address in self._editing(move)]

    def written_anew(
        self, entry: OutboxEntry, *, alerts: Mapping[str, Alert], rules: Mapping[str, Rule]
    ) -> OutboxEntry:
        """
        Return a waiting entry as it is to be sent: with the current state of its alerts, and what it was when due.

        Alerts whose end is sent separately, or which are in another episode by now, are left unchanged.
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
        bundle = [self._due(move, message.reason) for move in moves]
        fresh = self._message(bundle, is_first_cycle=FIRST_POLL in message.title)
        return replace(
            entry,
            message=replace(
                fresh,
                # The note on included messages stays; without a current chart, the earlier one is better.
                reason=message.reason,
                history=late_history(message),
                chart=fresh.chart or message.chart,
                created_at=message.created_at,
                written_at=self.now,
            ),
        )

    def _is_calm(self, move: Move, mutes: Mutes) -> bool:
        """Return whether an alert needs neither storing nor sending."""
        if not mutes.is_empty:
            return _is_as_it_was(move, mutes, self.now)
        if self.calm.holds(move, self.now):
            return True
        if _is_as_it_was(move, mutes, self.now):
            self.calm.note(move)
            return True
        self.calm.drop(move)
        return False

    def _noted(self, move: Move, mutes: Mutes, dues: dict[Address, list[_Due]]) -> Move:
        """Return a move with what mutes it or who is notified; due notifications are added to *dues*."""
        move = replace(move, after=mutes.noted(move.after))
        reason = _reason(move, mutes, self.now)
        if reason is None:
            return move
        addresses = self.audience.of(move.after, move.rule, reason)
        if not addresses:
            # Nobody was notified: receivers that are named later get the beginning.
            return _unreached(move, reason)
        is_correction = reason is NotifyReason.CORRECTED
        after = corrected(move, self.now) if is_correction else notified(move.after, reason, addresses, self.now)
        due = self._due(replace(move, after=after), reason)
        for address in addresses:
            dues.setdefault(address, []).append(due)
        return due.move

    def _due(self, move: Move, reason: NotifyReason) -> _Due:
        headline = self.headline_of(move.after, move.rule)
        chart = cache(partial(self.chart_of, move.after, move.rule))
        return _Due(move=move, reason=reason, headline=headline, chart=chart)

    def _editing(self, move: Move) -> tuple[Address, ...]:
        """Return the notified recipients of an alert at receivers that can edit."""
        return self.audience.of(move.after, move.rule, NotifyReason.UPDATED)

    def _entries(
        self, dues: Mapping[Address, list[_Due]], waiting: Sequence[OutboxEntry], *, is_first_cycle: bool
    ) -> tuple[list[OutboxEntry], dict[str, tuple[int, ...]]]:
        """Return the entries for due notifications, and the waiting ones that each includes."""
        entries: list[OutboxEntry] = []
        folded: dict[str, tuple[int, ...]] = {}
        waiting_for = by_place(waiting) if dues else {}
        for address, of_address in dues.items():
            held_up = {one for one in map(_fingerprint, of_address) if has_news(waiting_for.get((*address, one), ()))}
            for bundle in _bundles(of_address, held_up, is_first_cycle=is_first_cycle):
                entry = self._entry(bundle, self._message(bundle, is_first_cycle=is_first_cycle), address)
                taken = foldable(entry, waiting_for)
                if taken:
                    entry = replace(entry, message=fold([old.message for old in taken], entry.message))
                    folded[entry.key] = tuple(old.id for old in taken)
                held_until = self.audience.held_until(address.receiver, entry.message.severity, self.now)
                if held_until is not None and not entry.message.reason.is_edit:
                    entry = replace(entry, not_before=held_until)
                entries.append(entry)
        return entries, folded

    def _message(self, bundle: list[_Due], *, is_first_cycle: bool = False) -> Message:
        targets, timezone = self.audience.targets, self.audience.timezone
        if len(bundle) > 1:
            moves = [(due.move, due.headline) for due in bundle]
            storm = compose_storm(
                moves, is_first_cycle=is_first_cycle, now=self.now, targets=targets, acting=self.acting
            )
            return replace(storm, timezone=timezone)
        (due,) = bundle
        return compose_alert(
            due.move.after,
            due.move.rule,
            due.reason,
            headline=due.headline,
            owners=self.audience.owners,
            now=self.now,
            timezone=timezone,
            # An acknowledgement does not change the spend, which the first message of its thread shows.
            chart=due.chart() if due.reason is not NotifyReason.ACKNOWLEDGED else None,
            targets=targets,
            acting=self.acting,
        )

    def _entry(self, bundle: list[_Due], message: Message, address: Address) -> OutboxEntry:
        first = bundle[0].move.after
        group = first.fingerprint if len(bundle) == 1 else f"storm {first.rule} {first.fingerprint}"
        kind = f"{message.reason.value} {self.now.isoformat()}"
        return OutboxEntry(
            key=delivery_key(self.install_id, first.rule, group, str(first.episode), kind, *address),
            receiver=address.receiver,
            recipient=address.recipient,
            group=group,
            fingerprints=tuple(due.move.after.fingerprint for due in bundle),
            message=message,
            created_at=self.now,
            not_before=self.now,
        )


def _worst_first(move: Move) -> tuple[int, str, Decimal, str]:
    alert = move.after
    return -alert.severity, alert.rule, -alert.value, alert.fingerprint


def _is_as_it_was(move: Move, mutes: Mutes, now: datetime) -> bool:
    """Return whether an alert needs neither storing nor sending."""
    is_same = move.before is move.after and mutes.noted(move.after) is move.after
    return is_same and _reason(move, mutes, now) is None


def _reason(move: Move, mutes: Mutes, now: datetime) -> NotifyReason | None:
    """Return why a notification is sent now; None if none is due or it is muted. Ends are never muted."""
    reason = notify_reason(move, now)
    if reason is None and mutes.is_outspent(move.after):
        reason = NotifyReason.REPEAT
    return None if move.after.muted is not None else reason


def _unreached(move: Move, reason: NotifyReason) -> Move:
    """Record that a due notification reaches nobody; ends and corrections without a message to edit do not count."""
    if reason in {NotifyReason.RESOLVED, NotifyReason.CORRECTED}:
        return move
    return replace(move, after=replace(move.after, muted=NO_RECEIVER))


def _looks_different(move: Move) -> bool:
    """Return whether the first message of an alert's episode must be updated."""
    before, after = move.before, move.after
    if before is None or before.notified_at is None or before.episode != after.episode:
        return False
    return _shown(before) != _shown(after)


def _shown(alert: Alert) -> tuple[object, ...]:
    mute = alert.muted.key if alert.muted is not None else None
    return (alert.state, alert.severity, alert.acknowledged_by, mute, alert.notified_at)


def _ends_by_itself(move: Move, message: Message) -> bool:
    """Return whether another message reports the alert's end."""
    is_over = move.after.state is AlertState.RESOLVED and not message.is_resolved
    return is_over and (move.rule is None or move.rule.send_resolved)


def _fingerprint(due: _Due) -> str:
    return due.move.after.fingerprint


def _bundles(dues: list[_Due], held_up: Collection[str], *, is_first_cycle: bool) -> list[list[_Due]]:
    """
    Split a receiver's due notifications into messages: single alerts and storms.

    Args:
        held_up: Fingerprints of alerts of which something else must reach the receiver first. A storm would wait for it
            too, for an hour where an answer was lost twice: so these alerts are kept apart from the others.
    """
    if is_first_cycle and len(dues) > STORM_AT_FIRST:
        return [dues]
    # An edit changes one message in place, after new messages, and is not part of a storm.
    edits = [[due] for due in dues if due.reason.is_edit]
    bundles: list[list[_Due]] = []
    by_rule: dict[str, list[_Due]] = {}
    for due in (due for due in dues if not due.reason.is_edit):
        by_rule.setdefault(due.move.after.rule, []).append(due)
    for of_rule in by_rule.values():
        if len(of_rule) > STORM_OF_RULE:
            parts = ([due for due in of_rule if (_fingerprint(due) in held_up) is is_held] for is_held in (False, True))
            bundles += [part for part in parts if part]
        else:
            bundles += [[due] for due in of_rule]
    return bundles + edits
