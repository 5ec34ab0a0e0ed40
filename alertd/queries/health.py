"""Parts of the status: how far each category is known, and the state of receivers and resource lists."""

from collections.abc import Mapping
from datetime import datetime

from alertd.core.dataclass import dataclass
from alertd.core.hours import start_of
from alertd.core.messages.outbox import EntryState
from alertd.core.spend.arrival import DAILY
from alertd.core.spend.lists import View
from alertd.core.spend.stream import StreamState, through_text
from alertd.core.words import format_count, format_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The data edge of a category in one view of the bills."""

    account: str
    category: str
    view: View
    title: str
    """The category for people, its two views distinguished."""
    billed_through: datetime | None
    streams: tuple[StreamState, ...]
    """The edges of rows of up to an hour, and of longer rows."""
    read_at: datetime | None
    error: str

    def row(self) -> tuple[str, ...]:
        """Return the cells of the status table."""
        through = f"{self.billed_through:%Y-%m-%d %H:%M}" if self.billed_through else "nothing yet"
        behind = [s for s in self.streams if start_of(s.edge) != self.billed_through]
        through += "".join(f" (day rows: {through_text(s.edge, s.key.step)})" for s in behind if s.key.step == DAILY)
        read = f"{self.read_at:%Y-%m-%d %H:%M}" if self.read_at else "never"
        return self.account, self.title, through, read, self.error or "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceHealth:
    """How reading the names and states of an account's instances and endpoints went; nothing else depends on it."""

    account: str
    instances: int
    """Number of instances and endpoints listed."""
    endpoints: int
    read_at: datetime | None
    error: str

    @property
    def text(self) -> str:
        """One line for people."""
        known = f"{format_count(self.instances, 'instance')}, {format_count(self.endpoints, 'endpoint')}"
        read = f"{known}, read {format_instant(self.read_at)}" if self.read_at else "not read yet"
        return f"{self.account}: {read}{f'; {self.error}' if self.error else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverHealth:
    """The delivery state of a receiver."""

    name: str
    counts: Mapping[EntryState, int]
    last_error: str
    due_since: datetime | None
    """When the oldest undelivered notification became due; None if there is none."""

    def row(self) -> tuple[str, ...]:
        """Return the cells of the status table."""
        count = self.counts.get
        waiting = count(EntryState.PENDING, 0) + count(EntryState.SENDING, 0)
        numbers = (
            count(EntryState.DELIVERED, 0),
            waiting,
            count(EntryState.UNKNOWN, 0),
            count(EntryState.BLOCKED, 0),
            count(EntryState.GAVE_UP, 0),
        )
        return self.name, *map(str, numbers), self.last_error
