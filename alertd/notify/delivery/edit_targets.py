"""Finds the delivered messages that due edits are to change."""

from collections.abc import Set as AbstractSet
from datetime import datetime

from alertd.core.messages.outbox import OutboxEntry, Target, Urgency
from alertd.notify.delivery.order import Lane, due_edits, ready
from alertd.notify.delivery.outbox_interface import Outbox

_NOTHING_TO_EDIT = "the message that it was to change was not delivered, or is about several alerts"


class EditTargets:
    """The targets of open edits, by the edit's id; a target does not change while its edit is open."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._targets: dict[int, Target] = {}

    def take(self, entry_id: int) -> Target | None:
        """Return an edit's target and forget it; None if it has not been looked up yet."""
        return self._targets.pop(entry_id, None)

    async def known(self, entries: list[OutboxEntry], now: datetime, *, busy: AbstractSet[Lane]) -> list[OutboxEntry]:
        """
        Look up the targets of due edits; close edits without one, and leave them out.

        In one query: after a storm there are hundreds, and none of them may cost a query over the whole outbox.

        Args:
            entries: All open entries.
            busy: Lanes that are sending, whose edits wait.
        """
        # An edit that a later one superseded no longer needs its target.
        still_open = {entry.id for entry in entries}
        self._targets = {number: target for number, target in self._targets.items() if number in still_open}
        if not any(entry.urgency is Urgency.EDIT for entry in entries):
            return entries
        while True:
            # While a lane has news to send, its edits wait, and so does this lookup.
            lanes = {lane for lane, head in ready(entries, now).items() if head.urgency is Urgency.EDIT}
            due = [e for e in due_edits(entries, now) if (e.receiver, e.recipient) in lanes - busy]
            unknown = [entry for entry in due if entry.id not in self._targets]
            if not unknown:
                return entries
            self._targets |= await self._outbox.targets(unknown)
            gone = [entry for entry in unknown if entry.id not in self._targets]
            if gone:
                await self._outbox.fold(gone, why=_NOTHING_TO_EDIT, now=now)
            # Entries that waited for one of them are due now.
            closed = {entry.id for entry in gone}
            entries = [entry for entry in entries if entry.id not in closed]
