"""An in-memory outbox, scripted notifiers, and an event loop whose waits take no time."""

import asyncio
import selectors
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal, TypeVar

from pydantic import BaseModel

from alertd.core.messages.message import AlertFacts, Message
from alertd.core.messages.outbox import EntryState, OutboxEntry, Target
from alertd.errors import StoreError
from alertd.notify.base import CannotLook, ConfigurationRefused, Delivered, Envelope, Lookup, NotSent, Outcome, Unknown
from alertd.notify.delivery.deliver import Delivery
from alertd.notify.delivery.withholding import Withhold
from tests.core.builders import NOW, entry

_T = TypeVar("_T")
_BEGIN_S = 1000.0

SECOND = timedelta(seconds=1)
PATIENCE = timedelta(minutes=10)
CUT, BUSY, INVITE = Unknown("cut"), NotSent("busy"), ConfigurationRefused("invite the bot")
DELIVERED, SENDING, UNKNOWN = EntryState.DELIVERED, EntryState.SENDING, EntryState.UNKNOWN

Run = Callable[[Coroutine[object, object, object]], object]
"""A function that runs a test's coroutine."""


class _JumpingSelector(selectors.DefaultSelector):
    """Advances the loop's clock instead of waiting."""

    def __init__(self, loop: "JumpingLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("everything waits and nothing is left that could happen")
        self._loop.now_s += timeout or 0.0
        return found


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop without waits: its clock jumps to the next timer. Waiting forever without a timer is an error."""

    def __init__(self) -> None:
        self.now_s = _BEGIN_S
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now_s


def wall_clock() -> datetime:
    """Return the wall clock of a test: NOW at the loop's start, advancing with the loop."""
    return NOW + timedelta(seconds=asyncio.get_running_loop().time() - _BEGIN_S)


def elapsed_s() -> int:
    """Return whole seconds since the loop's start."""
    return int(asyncio.get_running_loop().time() - _BEGIN_S)


def run_jumping(main: Coroutine[object, object, _T]) -> _T:
    """Run a coroutine on a loop without waits."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(main)


@dataclass(slots=True)
class MemoryOutbox:
    """An outbox in memory with the compare-and-set of a real store; `broken` decides which calls fail."""

    entries: dict[int, OutboxEntry] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    storms: dict[str, Message] = field(default_factory=dict)
    notified_facts: tuple[AlertFacts, ...] = ()
    broken: Callable[[str], bool] = lambda call: False
    history: list[str] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def add(self, *entries: OutboxEntry) -> None:
        for added in entries:
            number = added.id or max(self.entries, default=0) + 1
            self.entries[number] = replace(added, id=number)

    def __getitem__(self, number: int) -> OutboxEntry:
        return self.entries[number]

    def by_key(self, key: str) -> OutboxEntry:
        return next(entry for entry in self.entries.values() if entry.key == key)

    def _call(self, name: str) -> None:
        self.calls[name] += 1
        if self.broken(name):
            raise StoreError(f"{name}: database is locked")

    async def open_entries(self) -> Sequence[OutboxEntry]:
        self._call("read")
        return [self.entries[number] for number in sorted(self.entries) if self.entries[number].state.is_open]

    async def replace_entry(
        self, before: OutboxEntry, after: OutboxEntry, *, add: Sequence[OutboxEntry], outcome: str
    ) -> bool:
        self._call("claim" if after.state is EntryState.SENDING else "record")
        stored = self.entries[before.id]
        if (stored.state, stored.attempts) != (before.state, before.attempts):
            return False
        self.entries[before.id] = after
        self.history.append(f"{before.id} {after.state.value}{f' ({outcome})' if outcome else ''}")
        self.add(*add)
        return True

    async def thread_ref(self, entry: OutboxEntry) -> str:
        return self.threads.get(entry.group, "")

    async def targets(self, edits: Sequence[OutboxEntry]) -> Mapping[int, Target]:
        self.calls["targets"] += 1
        found = ((edit, self.threads.get(edit.group, "")) for edit in edits)
        return {edit.id: Target(ref=ref, storm=self.storms.get(edit.group)) for edit, ref in found if ref}

    async def fold(self, entries: Sequence[OutboxEntry], *, why: str, now: datetime) -> None:
        self._call("fold")
        for gone in entries:
            self.entries[gone.id] = replace(gone, state=EntryState.FOLDED, finished_at=now, error=why)

    async def notified(self, entry: OutboxEntry) -> tuple[AlertFacts, ...]:
        return self.notified_facts


Step = Outcome | Exception | Literal["hang"]


class _NoConfig(BaseModel):
    """A configuration without fields."""


class ScriptedNotifier:
    """Returns or raises the steps of its script, then always `Delivered`; asserts that the claim was stored before."""

    Config: ClassVar[type[BaseModel]] = _NoConfig
    deadline: ClassVar[timedelta] = timedelta(seconds=30)
    pace: ClassVar[timedelta] = timedelta()

    def __init__(
        self,
        outbox: MemoryOutbox,
        *script: Step,
        lookups: Iterable[Lookup] | None = None,
        recipients: tuple[str, ...] = ("",),
    ) -> None:
        self._outbox = outbox
        self._script = list(script)
        self._lookups = list(lookups or ())
        self._recipients = recipients
        self.can_look_up = lookups is not None
        self.sent: list[tuple[int, str]] = []
        """(second, key) of each attempt."""
        self.asked_since: list[datetime] = []
        """The *since* of each lookup."""
        self.envelopes: list[Envelope] = []
        self.asked: list[tuple[int, str]] = []

    @property
    def recipients(self) -> tuple[str, ...]:
        return self._recipients

    async def send(self, envelope: Envelope) -> Outcome:
        stored = self._outbox.by_key(envelope.key)
        assert stored.state is EntryState.SENDING
        assert stored.started_at == wall_clock()
        self.sent.append((elapsed_s(), envelope.key))
        self.envelopes.append(envelope)
        step = self._script.pop(0) if self._script else Delivered(f"ref-{envelope.key}")
        if step == "hang":
            await asyncio.sleep(10**9)
        if isinstance(step, Exception):
            raise step
        assert not isinstance(step, str)
        return step

    async def find(self, key: str, *, recipient: str, since: datetime, thread_ref: str = "") -> Lookup:
        self.asked.append((elapsed_s(), key))
        self.asked_since.append(since)
        return self._lookups.pop(0) if self._lookups else CannotLook("no more answers")

    async def close(self) -> None:
        return None


class PacedNotifier(ScriptedNotifier):
    """Sends at most one message a second, like Slack's limit."""

    pace: ClassVar[timedelta] = timedelta(seconds=1)


class EditingNotifier(ScriptedNotifier):
    """Can edit messages, with a separate script for edits."""

    def __init__(self, outbox: MemoryOutbox, *edits: Outcome, **more: object) -> None:
        super().__init__(outbox, **more)  # type: ignore[arg-type]
        self.can_edit = True
        self._edits = list(edits)
        self.edited: list[tuple[int, str]] = []
        """(second, ref of the edited message) of each edit."""

    async def edit(self, envelope: Envelope) -> Outcome:
        self.edited.append((elapsed_s(), envelope.edits))
        self.envelopes.append(envelope)
        return self._edits.pop(0) if self._edits else Delivered(envelope.edits)


def worker(
    outbox: MemoryOutbox,
    notifiers: Mapping[str, ScriptedNotifier],
    *,
    fallback: Mapping[str, str] | None = None,
    write_anew: Callable[[OutboxEntry, datetime], Awaitable[OutboxEntry]] | None = None,
    withhold: Withhold | None = None,
) -> Delivery:
    """Return a delivery over the in-memory outbox, with a jitter of 0.5."""
    return Delivery(
        outbox=outbox,
        notifiers=notifiers,
        fallback=fallback or {},
        install_id="install",
        now=wall_clock,
        jitter=lambda: 0.5,
        write_anew=write_anew,
        withhold=withhold,
    )


async def run_for(delivery: Delivery, seconds: float) -> None:
    """Run the worker for this long, then stop it."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, stop.set)
    await delivery.run(stop)


def outbox_of(*entries: OutboxEntry) -> MemoryOutbox:
    """Return an outbox with these entries."""
    outbox = MemoryOutbox()
    outbox.add(*entries)
    return outbox


def of_alert(number: int, alert: str, **parts: object) -> OutboxEntry:
    """Return entry *number*, which is about *alert*."""
    return entry(number, group=alert, fingerprints=(alert,), **parts)
