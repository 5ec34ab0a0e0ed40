"""
The outbox worker: claim, send, record; one lane per receiver and recipient, so that a dead one does not block others.

It decides when to send, never what. `sending` is stored before the first byte is sent, the outcome afterwards.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from alertd.core.messages.holding import is_written_anew, overdue
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.messages.rebase import due_by
from alertd.core.messages.storm import with_worst
from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.notify.base import CannotLook, Envelope, Lookup, Notifier, NotSent, Unknown, is_mirror, stands_in
from alertd.notify.delivery.attempt import answered, attempt
from alertd.notify.delivery.backoff import GIVE_UP_AFTER, MOST_UNKNOWNS
from alertd.notify.delivery.edit_targets import EditTargets
from alertd.notify.delivery.order import Lane, next_due, ready
from alertd.notify.delivery.outbox_interface import Outbox
from alertd.notify.delivery.settle import (
    Settled,
    claim,
    found_sending,
    needs_fallback,
    settle,
    settle_lookup,
    undelivered,
)
from alertd.notify.delivery.withholding import Withhold, is_withheld

_STORE_RETRY_S = 1.0
_FAULT_RETRY_S = 30.0
"""Seconds that a lane pauses after an unforeseen failure."""
_LONGEST_NAP_S = 60.0
"""Seconds after which the worker reads the outbox even if it was not woken."""


class Delivery:
    """
    Empties the outbox for as long as the service lives.

    Args:
        notifiers: By receiver; replaced at reload by `use`.
        fallback: The receiver for notifications that another one could not deliver.
        install_id: Part of the delivery keys of fallback copies.
        now: Returns the time, which does not step with the wall clock.
        jitter: Uniform in [0, 1).
        write_anew: Returns an entry that waited as it is to be sent now: with the same message where nothing changed.
        withhold: Returns entries as they wait on where nobody wants to hear of any of them by now, else nothing.
        on_settled: Called with the receiver and what became of an entry after each attempt.
        on_fault: Called with the task's name when an attempt fails in a way that nobody foresaw.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        notifiers: Mapping[str, Notifier],
        fallback: Mapping[str, str],
        install_id: str,
        now: Callable[[], datetime],
        jitter: Callable[[], float],
        write_anew: Callable[[OutboxEntry, datetime], Awaitable[OutboxEntry]] | None = None,
        withhold: Withhold | None = None,
        on_settled: Callable[[str, EntryState], None] | None = None,
        on_fault: Callable[[str], None] = lambda _task: None,
    ) -> None:
        self._outbox = outbox
        self._notifiers = notifiers
        self._fallback = fallback
        self._install_id = install_id
        self._now = now
        self._jitter = jitter
        self._write_anew = write_anew
        self._withhold = withhold
        self._on_settled = on_settled
        self._on_fault = on_fault
        self._wake = asyncio.Event()
        self._busy: dict[Lane, asyncio.Task[bool]] = {}
        self._free_at: dict[Lane, float] = {}
        self._leaving: set[int] = set()
        """Entries whose claim is stored but not their outcome: they may have been sent."""
        self._targets = EditTargets(outbox)
        self._log = get_logger()

    @property
    def notifiers(self) -> Mapping[str, Notifier]:
        """Return the notifiers in use, by receiver."""
        return self._notifiers

    def wake(self) -> None:
        """Wake the worker: something was added to the outbox."""
        self._wake.set()

    def use(self, notifiers: Mapping[str, Notifier], fallback: Mapping[str, str]) -> None:
        """Use other notifiers from the next attempt on."""
        self._notifiers = notifiers
        self._fallback = fallback
        self.wake()

    async def settled(self) -> None:
        """Wait until every current attempt has ended."""
        if self._busy:
            await asyncio.wait(set(self._busy.values()))

    async def alone(self, lane: Lane, work: Callable[[], Awaitable[None]]) -> bool:
        """Run *action* while a lane is idle; return False, without running it, if the lane is sending."""
        if lane in self._busy and not self._busy[lane].done():
            return False

        async def run() -> bool:
            await work()
            return True

        task = self._busy[lane] = asyncio.create_task(run())
        await asyncio.wait({task})
        return True

    async def heads(self) -> frozenset[tuple[int, int]]:
        """Return (entry, attempts made) of the due heads of lanes; an unchanged head means no progress."""
        first = ready(await self._known_entries(), self._now()).values()
        return frozenset((entry.id, entry.attempts) for entry in first)

    async def recover(self) -> None:
        """Take over the entries of an earlier process, once before `run`: `sending` becomes unknown."""
        now = self._now()
        for entry in await self._outbox.open_entries():
            if entry.state is EntryState.SENDING:
                await self._record_cut(entry)
            elif entry.first_attempt_at is not None and entry.not_before < now:
                # Time in which alertd did not run does not count towards giving up.
                later = replace(entry, first_attempt_at=entry.first_attempt_at + (now - entry.not_before))
                await self._outbox.replace_entry(entry, later, add=(), outcome="")
        await self.unblock()

    async def _record_cut(self, entry: OutboxEntry) -> None:
        """Record that an attempt was interrupted: its outcome is unknown."""
        notifier = self._notifiers.get(entry.receiver)
        looks = notifier is not None and notifier.can_look_up
        deadline = notifier.deadline if notifier is not None else timedelta()
        mirrors = is_mirror(notifier)
        settled = found_sending(entry, now=self._now(), can_look_up=looks, deadline=deadline, may_repeat=mirrors)
        await self._record(entry, settled, "unknown")

    async def unblock(self) -> None:
        """Try again at once what waits for a receiver to be fixed: at a start and at a reload it may be."""
        for entry in await self._outbox.open_entries():
            if entry.state is EntryState.BLOCKED and entry.unknowns < MOST_UNKNOWNS:
                now = replace(entry, not_before=self._now())
                await self._outbox.replace_entry(entry, now, add=(), outcome="")
        self.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until *stop* is set; then finish the current attempts."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                nap = await self._start_ready()
                waking = asyncio.create_task(self._wake.wait())
                await asyncio.wait(
                    {waking, stopping, *self._busy.values()}, timeout=nap, return_when=asyncio.FIRST_COMPLETED
                )
                waking.cancel()
                self._wake.clear()
            if self._busy:
                await asyncio.wait(self._busy.values())
                self._running()
        except asyncio.CancelledError:
            for task in self._busy.values():
                task.cancel()
            raise
        finally:
            # After any other failure attempts continue: they are resumed when it runs again.
            stopping.cancel()

    async def drain(self, *, patience: timedelta) -> bool:
        """
        Deliver entries that are due or become due within *patience*; then return.

        Returns:
            Whether everything that was due, now or in an earlier run, was delivered.
        """
        give_up_at = self._now() + patience
        failed: set[int] = set()
        while True:
            # Entries that cannot even be claimed would be tried for ever.
            if self._now() <= give_up_at:
                await self._start_ready(failed=failed)
            if self._running():
                await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)
                continue
            entries = await self._known_entries()
            due = next_due(entries)
            wait_s = self._pause_s(due)
            if due is None or max(due, self._now()) > give_up_at:
                # The remaining entries failed, now or in an earlier run, or are due and had no time.
                return not failed and not overdue(entries, self._now())
            await asyncio.sleep(min(max(wait_s, 0.0), _LONGEST_NAP_S))

    def _running(self) -> bool:
        """Collect finished attempts and return whether any is still running; failures do not block other lanes."""
        for lane in [lane for lane, task in self._busy.items() if task.done()]:
            task = self._busy.pop(lane)
            fault = None if task.cancelled() else task.exception()
            if fault is not None:
                receiver, recipient = lane
                self._log.error("delivery attempt failed", receiver=receiver, recipient=recipient, exc_info=fault)
                self._on_fault("delivery attempt")
                self._free_at[lane] = asyncio.get_running_loop().time() + _FAULT_RETRY_S
        return bool(self._busy)

    def _pause_s(self, due: datetime | None) -> float:
        """Return the seconds until an entry is due and its lane is free."""
        loop_time = asyncio.get_running_loop().time()
        paces = [free_at - loop_time for free_at in self._free_at.values() if free_at > loop_time]
        until_due = (due - self._now()).total_seconds() if due is not None else _LONGEST_NAP_S
        return until_due if until_due > 0 else min(paces, default=0.0)

    async def _known_entries(self) -> list[OutboxEntry]:
        """Return open entries of existing receivers; the others wait until their receiver is back."""
        return [entry for entry in await self._outbox.open_entries() if entry.receiver in self._notifiers]

    async def _start_ready(self, *, failed: set[int] | None = None) -> float:
        """Start an attempt in every free lane with a due entry; return the seconds until the next entry is due."""
        self._running()
        try:
            entries = [await self._in_time(entry) for entry in await self._take_back(await self._known_entries())]
            entries = await self._targets.known(entries, self._now(), busy=self._busy.keys())
        except StoreError as error:
            self._log.error("outbox not read", error=str(error))
            return _STORE_RETRY_S
        loop_time = asyncio.get_running_loop().time()
        self._free_at = {lane: free_at for lane, free_at in self._free_at.items() if free_at > loop_time}
        for lane, entry in ready(entries, self._now()).items():
            if lane not in self._busy and lane not in self._free_at:
                self._busy[lane] = asyncio.create_task(self._attempt(self._notifiers[entry.receiver], entry, failed))
        waiting = [entry for entry in entries if (entry.receiver, entry.recipient) not in self._busy]
        return min(max(self._pause_s(next_due(waiting)), 0.0), _LONGEST_NAP_S)

    async def _in_time(self, entry: OutboxEntry) -> OutboxEntry:
        """Return an entry, due by the clock as it is now: no receiver requests a wait of more than an hour."""
        due = due_by(entry, self._now())
        if due is not entry:
            await self._outbox.replace_entry(entry, due, add=(), outcome="")
        return due

    async def _take_back(self, entries: list[OutboxEntry]) -> list[OutboxEntry]:
        """
        Release entries whose claim was stored although the store reported a failure: they were not sent.

        Entries that may have been sent in an attempt that failed half-way become unknown, as after a crash. Otherwise
        both kinds would wait for the next start. Every attempt that is really under way has a busy lane.
        """
        sending = [entry for entry in entries if entry.state is EntryState.SENDING]
        unsent = [entry for entry in sending if (entry.receiver, entry.recipient) not in self._busy]
        for entry in unsent:
            if entry.id in self._leaving:
                await self._record_cut(entry)
                continue
            back = replace(entry, state=EntryState.PENDING, not_before=self._now(), error="the claim had no answer")
            await self._outbox.replace_entry(entry, back, add=(), outcome="not sent")
        return await self._known_entries() if unsent else entries

    async def _attempt(self, notifier: Notifier, entry: OutboxEntry, failed: set[int] | None) -> bool:
        is_edit = entry.message.reason.is_edit
        # An edit may be repeated, so it is if its answer was lost.
        if entry.may_have_arrived and notifier.can_look_up and not is_edit:
            found = await self._look_up(notifier, entry)
            settled = settle_lookup(entry, found, now=self._now(), jitter=self._jitter())
            await self._record(entry, settled, "looked up")
            if settled.entry.state is not EntryState.PENDING or settled.entry.not_before > self._now():
                return _tally(settled.entry, failed)
            entry = settled.entry
        try:
            if self._withhold is not None and await is_withheld(entry, self._outbox, self._withhold, self._now):
                return False
            claimed = claim(await self._written(entry), self._now())
            target = self._targets.take(entry.id) if is_edit else None
            if is_edit and target is None:
                # It has just become due: its target is looked up in the next turn.
                return False
            thread_ref = await self._outbox.thread_ref(entry)
            notified = await self._outbox.notified(entry) if is_mirror(notifier) else ()
            if not await self._outbox.replace_entry(entry, claimed, add=(), outcome=""):
                return False
            self._leaving.add(entry.id)
        except StoreError as error:
            # Nothing is sent unless `sending` is stored first.
            self._log.error("notification not claimed", receiver=entry.receiver, error=str(error))
            await asyncio.sleep(_STORE_RETRY_S)
            return _tally(entry, failed)
        envelope = Envelope(
            message=with_worst(target.storm, claimed.message) if target and target.storm else claimed.message,
            key=entry.key,
            recipient=entry.recipient,
            thread_ref=thread_ref,
            edits=target.ref if target else "",
            notified=notified,
            is_plain=entry.is_plain,
        )
        outcome = await attempt(notifier, envelope)
        if (target or is_mirror(notifier)) and isinstance(outcome, Unknown):
            # Repeating it changes nothing: without an answer it is simply repeated.
            outcome = NotSent(outcome.reason)
        settled = settle(
            claimed,
            outcome,
            now=self._now(),
            can_look_up=notifier.can_look_up,
            deadline=notifier.deadline,
            jitter=self._jitter(),
        )
        self._free_at[(entry.receiver, entry.recipient)] = (
            asyncio.get_running_loop().time() + notifier.pace.total_seconds()
        )
        await self._record(claimed, settled, type(outcome).__name__)
        return _tally(settled.entry, failed)

    async def _written(self, entry: OutboxEntry) -> OutboxEntry:
        """Return an entry as it is to be sent: a held one is rewritten with the current state."""
        if self._write_anew is None or not is_written_anew(entry, self._now()):
            return entry
        try:
            return await self._write_anew(entry, self._now())
        except Exception:  # noqa: BLE001 -- the original text is better than none
            self._log.exception("message not updated", receiver=entry.receiver)
            return entry

    async def _look_up(self, notifier: Notifier, entry: OutboxEntry) -> Lookup:
        try:
            thread_ref = await self._outbox.thread_ref(entry)
        except StoreError as error:
            self._log.error("delivery lookup failed", receiver=entry.receiver, error=str(error))
            return CannotLook(str(error))
        find = partial(
            notifier.find, entry.key, recipient=entry.recipient, since=_since(entry, self._now()), thread_ref=thread_ref
        )
        return await answered(notifier, find, Lookup, otherwise=CannotLook, receiver=entry.receiver)

    async def _record(self, before: OutboxEntry, settled: Settled, outcome: str) -> None:
        """Store an outcome; it is known only here, so it is retried until the store accepts it."""
        after, copies = settled.entry, list[OutboxEntry]()
        if needs_fallback(settled):
            after, copies = self._with_fallback(after)
        while True:
            try:
                await self._outbox.replace_entry(before, after, add=copies, outcome=outcome)
                self._leaving.discard(before.id)
                break
            except StoreError as error:
                self._log.error("delivery outcome not stored", receiver=before.receiver, error=str(error))
                await asyncio.sleep(_STORE_RETRY_S)
        if copies:
            self.wake()
        if self._on_settled is not None:
            self._on_settled(after.receiver, after.state)
        self._log_change(before, after)

    def _with_fallback(self, entry: OutboxEntry) -> tuple[OutboxEntry, list[OutboxEntry]]:
        """Mark that the fallback was notified; return the entry, and a copy for each of the fallback's recipients."""
        name = self._fallback.get(entry.receiver)
        notifier = self._notifiers.get(name) if name is not None else None
        if name is None or notifier is None:
            self._log.error("fallback receiver missing", receiver=entry.receiver, title=entry.message.title)
            return entry, []
        copies = undelivered(entry, fallback=name, to=notifier.recipients, now=self._now(), install_id=self._install_id)
        return replace(entry, fallback_sent=True), copies

    def _log_change(self, before: OutboxEntry, after: OutboxEntry) -> None:
        change = f"{before.state} -> {after.state}"
        facts = {"receiver": after.receiver, "recipient": after.recipient, "change": change, "key": after.key}
        if after.state is EntryState.DELIVERED:
            is_dry = stands_in(self._notifiers.get(after.receiver))
            event = "notification would be sent" if is_dry else "notification delivered"
            self._log.info(event, **facts, attempt=after.attempts, title=after.message.title)
        elif after.state is EntryState.GAVE_UP:
            self._log.error(
                "notification given up", **facts, attempt=after.attempts, error=after.error, title=after.message.title
            )
        else:
            waits = {"error": after.error, "next_at": str(after.not_before)}
            self._log.warning("notification not delivered yet", **facts, attempt=after.attempts, **waits)


def _since(entry: OutboxEntry, now: datetime) -> datetime:
    """Return the earliest time at which a copy of an entry may have arrived; any time if it is dated in the future."""
    return entry.created_at if entry.created_at <= now else now - GIVE_UP_AFTER


def _tally(entry: OutboxEntry, failed: set[int] | None) -> bool:
    """Return whether an entry was delivered, and maintain the list of those that were not."""
    is_delivered = entry.state is EntryState.DELIVERED
    if failed is not None:
        (failed.discard if is_delivered else failed.add)(entry.id)
    return is_delivered
