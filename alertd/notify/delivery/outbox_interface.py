"""The delivery's interface to the outbox, which is claimed and written by compare-and-set."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from alertd.core.messages.message import AlertFacts
from alertd.core.messages.outbox import OutboxEntry, Target


class Outbox(Protocol):
    """The store's outbox; each call is one transaction."""

    async def open_entries(self) -> Sequence[OutboxEntry]:
        """Return every entry that is not finished, oldest first."""

    async def replace_entry(
        self, before: OutboxEntry, after: OutboxEntry, *, add: Sequence[OutboxEntry], outcome: str
    ) -> bool:
        """
        Store an entry's next state, with copies for the fallback receiver, unless it changed meanwhile.

        Returns:
            False if state or attempts are no longer those of *before*; nothing is stored then.
        """

    async def thread_ref(self, entry: OutboxEntry) -> str:
        """Return the `ref` of the delivered message that this entry continues, or an empty text."""

    async def targets(self, edits: Sequence[OutboxEntry]) -> Mapping[int, Target]:
        """Return the delivered message that each edit replaces, by the edit's id; edits without one are left out."""

    async def fold(self, entries: Sequence[OutboxEntry], *, why: str, now: datetime) -> None:
        """Close entries that are no longer needed, in one transaction, except those that changed meanwhile."""

    async def notified(self, entry: OutboxEntry) -> tuple[AlertFacts, ...]:
        """Return the entry's alerts as in the last notification to its recipient while they were firing."""
