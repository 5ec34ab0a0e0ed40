"""
From what changed to what is to be sent: who is told, as one message or as a storm, and what is folded together.

It builds outbox entries; it sends nothing and stores nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from alertd.core.alert import Alert
from alertd.core.compose import compose_alert, compose_storm, fold
from alertd.core.due import notify_reason, told
from alertd.core.lifecycle import Move
from alertd.core.message import Message, NotifyReason
from alertd.core.outbox import EntryState, OutboxEntry, delivery_key
from alertd.core.owners import OwnerDirectory
from alertd.core.routing import Route, route
from alertd.core.rules.base import Rule

STORM_OF_RULE = 5
"""More alerts of one rule than this, due for one receiver in one cycle, go out as one message."""
STORM_AT_FIRST = 2
"""In the first cycle of a fresh store, more than this in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who can be told: routes, the default, and the recipients behind each receiver."""

    routes: tuple[Route, ...] = ()
    default: tuple[str, ...] = ()
    recipients: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owners: OwnerDirectory = OwnerDirectory()

    def of(self, alert: Alert, rule: Rule | None) -> tuple[str, ...]:
        """Return the receivers of an alert that exist."""
        wanted = rule.notify if rule is not None else ()
        if not wanted:
            labels = {
                **dict(alert.labels),
                "rule": alert.rule,
                "type": alert.type,
                "account": alert.account,
                "severity": alert.severity.label,
            }
            wanted = route(labels, self.routes, default=self.default)
        return tuple(name for name in wanted if name in self.recipients)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    move: Move
    reason: NotifyReason
    headline: str


def dispatch(
    moves: Sequence[Move],
    *,
    audience: Audience,
    waiting: Sequence[OutboxEntry],
    install_id: str,
    headline_of: Callable[[Alert, Rule | None], str],
    is_first_cycle: bool,
    now: datetime,
) -> Decisions:
    """
    Decide what to store and to send after the alerts moved.

    Args:
        waiting: Open outbox entries, oldest first.
        headline_of: The rule's own summary, rendered, or the alert's headline.
        is_first_cycle: The store has never seen a finished cycle.
    """
    by_receiver: dict[str, list[_Due]] = {}
    after: list[Move] = []
    for move in sorted(moves, key=lambda m: (-m.after.severity, m.after.rule, -m.after.value, m.after.fingerprint)):
        reason = notify_reason(move, now)
        if reason is None:
            after.append(move)
            continue
        receivers = _receivers(move, reason, audience)
        if not receivers:
            # Nobody was told: whoever is named later hears of the beginning.
            after.append(move)
            continue
        told_move = replace(move, after=told(move.after, reason, receivers, now))
        after.append(told_move)
        due = _Due(move=told_move, reason=reason, headline=headline_of(move.after, move.rule))
        for receiver in receivers:
            by_receiver.setdefault(receiver, []).append(due)
    entries: list[OutboxEntry] = []
    folded: dict[str, tuple[int, ...]] = {}
    for receiver, dues in by_receiver.items():
        for bundle in _bundles(dues, is_first_cycle=is_first_cycle):
            message = _message(bundle, audience.owners, is_first_cycle=is_first_cycle, now=now)
            for recipient in audience.recipients[receiver]:
                entry = _entry(bundle, message, receiver, recipient, install_id, now)
                taken = _foldable(entry, waiting)
                if taken:
                    entry = replace(entry, message=fold([old.message for old in taken], message))
                    folded[entry.key] = tuple(old.id for old in taken)
                entries.append(entry)
    changed = tuple(move for move in after if move.is_change)
    return Decisions(alerts=tuple(move.after for move in changed), moves=changed, entries=tuple(entries), folded=folded)


def _receivers(move: Move, reason: NotifyReason, audience: Audience) -> tuple[str, ...]:
    """Return who is told; an end goes to all who were told of the beginning."""
    if reason is NotifyReason.RESOLVED:
        return tuple(name for name in move.after.told_receivers if name in audience.recipients)
    return audience.of(move.after, move.rule)


def _bundles(dues: list[_Due], *, is_first_cycle: bool) -> list[list[_Due]]:
    """Split what is due for one receiver into messages: single alerts and storms."""
    if is_first_cycle and len(dues) > STORM_AT_FIRST:
        return [dues]
    by_rule: dict[str, list[_Due]] = {}
    for due in dues:
        by_rule.setdefault(due.move.after.rule, []).append(due)
    bundles: list[list[_Due]] = []
    for of_rule in by_rule.values():
        bundles += [of_rule] if len(of_rule) > STORM_OF_RULE else [[due] for due in of_rule]
    return bundles


def _message(bundle: list[_Due], owners: OwnerDirectory, *, is_first_cycle: bool, now: datetime) -> Message:
    if len(bundle) > 1:
        return compose_storm([(due.move, due.headline) for due in bundle], is_first_cycle=is_first_cycle, now=now)
    (due,) = bundle
    return compose_alert(due.move.after, due.move.rule, due.reason, headline=due.headline, owners=owners, now=now)


def _entry(
    bundle: list[_Due], message: Message, receiver: str, recipient: str, install_id: str, now: datetime
) -> OutboxEntry:
    first = bundle[0].move.after
    group = first.fingerprint if len(bundle) == 1 else f"storm {first.rule}"
    kind = f"{message.reason.value} {now.isoformat()}"
    key = delivery_key(install_id, first.rule, group, str(first.episode), kind, receiver, recipient)
    return OutboxEntry(
        key=key,
        receiver=receiver,
        recipient=recipient,
        group=group,
        fingerprints=tuple(due.move.after.fingerprint for due in bundle),
        message=message,
        created_at=now,
        not_before=now,
    )


def _foldable(entry: OutboxEntry, waiting: Sequence[OutboxEntry]) -> list[OutboxEntry]:
    """
    Return the waiting entries that a new one may tell along: of the same alert, and certainly never sent.

    An entry whose fate is unknown is not touched: the new one waits behind it.
    """
    if len(entry.fingerprints) != 1:
        return []
    of_alert = [
        old
        for old in waiting
        if (old.receiver, old.recipient, old.fingerprints) == (entry.receiver, entry.recipient, entry.fingerprints)
    ]
    is_free = all(old.state in {EntryState.PENDING, EntryState.BLOCKED} and not old.unknowns for old in of_alert)
    return of_alert if is_free else []
