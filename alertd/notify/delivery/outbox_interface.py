"""What delivery asks of the store: the outbox, claimed and written by compare-and-set."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from alertd.core.messages.message import AlertFacts
from alertd.core.messages.outbox import OutboxEntry, Target


class Outbox(Protocol):
    """What the worker asks of the store; each call is one transaction."""

    async def open_entries(self) -> Sequence[OutboxEntry]:
        """Return every entry that is not finished, oldest first."""

    async def replace_entry(
        self, before: OutboxEntry, after: OutboxEntry, *, add: Sequence[OutboxEntry], outcome: str
    ) -> bool:
        """
        Store an entry's next state, and copies for the fallback receiver with it, unless it changed meanwhile.

        Returns:
            False where state or attempts are not those of *before* any more; nothing is stored then.
        """

    async def thread_ref(self, entry: OutboxEntry) -> str:
        """Return the `ref` of the delivered message that began what this entry continues, or an empty text."""

    async def targets(self, edits: Sequence[OutboxEntry]) -> Mapping[int, Target]:
        """Return by id the delivered message in whose place each edit is to stand; edits without one are left out."""

    async def fold(self, entries: Sequence[OutboxEntry], *, why: str, now: datetime) -> None:
        """Close entries that have nothing to do, in one transaction, but none that changed meanwhile."""

    async def notified(self, entry: OutboxEntry) -> tuple[AlertFacts, ...]:
        """Return the entry's alerts as they were in the last notification to its recipient while they fired."""
