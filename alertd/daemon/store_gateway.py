"""
Between the daemon and its store: which store calls make one transaction, and that all run on the store's thread.

It fills the protocols that `cycle` and `notify.deliver` ask for, so that neither knows the store.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from alertd.core.alert import Alert
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.reason import NotifyReason
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.hours import HourRange, hour_of
from alertd.core.messages.dispatch import Decisions
from alertd.core.messages.message import AlertFacts
from alertd.core.messages.mirror import ENDS_TOLD_FOR, as_it_stands, last_notified
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.money import Usd
from alertd.core.rules.facts import RulesFile
from alertd.core.rules.held import LastRead
from alertd.core.spend.bill import ApiKey, Balance, TrackedBill, View
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, SeriesTable
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.steps import Steps, StepSums
from alertd.core.spend.view import SpendView
from alertd.daemon.state import DaemonState, Key, Shelf
from alertd.queries.alert_history import AlertHistory, read_history
from alertd.queries.cycle_report import CycleReport
from alertd.queries.status import Status, read_status
from alertd.store.alerts import AlertEvent
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from alertd.store.outbox import EntryUpdate
from alertd.store.store import Store
from alertd.store.thread import StoreThread

_BEGINNINGS = frozenset({NotifyReason.FIRST, NotifyReason.STORM})
_TELLING = frozenset({NotifyReason.FIRST, NotifyReason.STORM, NotifyReason.RAISED, NotifyReason.REPEAT})
_CONTINUATIONS = frozenset(
    {
        NotifyReason.RAISED,
        NotifyReason.REPEAT,
        NotifyReason.ESCALATED,
        NotifyReason.ACKNOWLEDGED,
        NotifyReason.RESOLVED,
    }
)
_REPORT_SENT = "report_sent:"
_BLOCKS_A_TURN = 1024
"""Some tens of milliseconds of the store's thread."""


class StoreGateway:
    """The store as cycle and delivery see it; lives as long as the store's thread."""

    def __init__(self, thread: StoreThread) -> None:
        self._thread = thread

    async def install_id(self) -> str:
        """Return the id that delivery keys begin with."""
        return await self._thread.call(lambda store: store.meta.install_id)

    async def place(self) -> str:
        """Return which database it is, for people."""
        return await self._thread.call(lambda store: store.place)

    # --- for the cycle ---------------------------------------------------------------------------------------------

    async def load(self, views: Collection[View] | None = None) -> DaemonState:
        """
        Return everything that is held between cycles.

        Args:
            views: The views of the bills that are read from now on, which is noted; None for those that were.
        """
        return await self._thread.call(_load, views)

    async def fill(self, spend: SpendView, from_hour: int, view: View = View.USAGE) -> None:
        """Fill a spend view from the stored blocks of a view of the bills."""
        await self._thread.call(lambda store: spend.fill(store.books_of(view).iter_blocks(from_hour)))

    async def save_facts(
        self,
        table: SeriesTable,
        books: Mapping[Key, CategoryBook],
        blocks: Mapping[Key, Mapping[int, HourBlock]],
        bills: Sequence[TrackedBill],
        view: View = View.USAGE,
    ) -> Mapping[Key, Mapping[int, HourBlock]]:
        """Store what was read, whole; return the blocks that the changed hours held before."""
        changes = [BookChange(book=book, blocks=blocks.get(key, {})) for key, book in books.items()]

        def save(store: Store) -> Mapping[Key, Mapping[int, HourBlock]]:
            before = {key: store.books_of(view).blocks(*key, hours) for key, hours in blocks.items() if hours}
            store.save_facts(table, books=changes, monthly=bills, view=view)
            return before

        return await self._thread.call(save)

    async def save_keys(self, keys: Sequence[ApiKey]) -> None:
        """Store what API keys are called."""
        await self._thread.call(lambda store: store.key_bills.save_keys(keys))

    async def save_balance(self, balance: Balance) -> None:
        """Append an account's balance."""
        await self._thread.call(lambda store: store.balances.save(balance))

    async def save_last_read(self, last_read: LastRead) -> None:
        """Keep how the last read went, for commands that look at the store."""
        await self._thread.call(lambda store: store.meta.put_last_read(last_read))

    async def decide(self, decide: Callable[[Sequence[OutboxEntry]], Decisions], now: datetime) -> Decisions:
        """Let *decide* see the open entries and store what it returns; nothing is claimed in between."""

        def run(store: Store) -> Decisions:
            waiting = store.outbox.open_entries()
            decisions = decide(waiting)
            by_id = {entry.id: entry for entry in waiting}
            updates = tuple(
                EntryUpdate(
                    before=by_id[number],
                    after=replace(by_id[number], state=EntryState.FOLDED, finished_at=now),
                    folded_into_key=key,
                )
                for key, numbers in decisions.folded.items()
                for number in numbers
            ) + tuple(
                EntryUpdate(before=by_id[number], after=replace(by_id[number], not_before=until))
                for number, until in decisions.held.items()
            )
            store.save_decisions(
                alerts=decisions.alerts,
                events=[event for move in decisions.moves for event in _events(move, now)],
                entries=decisions.entries,
                updates=updates,
            )
            return decisions

        return await self._thread.call(run)

    async def save_request(self, outcome: RequestOutcome, entries: Sequence[OutboxEntry], now: datetime) -> None:
        """Store what somebody asked for, with what is shown of it and the history of the alerts that it touches."""
        events = [event(alert, outcome.event, (), now) for alert in outcome.alerts]
        await self._thread.call(
            lambda store: store.save_decisions(
                alerts=outcome.alerts, silences=outcome.silences, events=events, entries=entries
            )
        )

    async def spent(self, span: HourRange, accounts: Collection[str]) -> list[tuple[str, Usd]]:
        """Return what each category of some accounts cost in a span, largest first; the store may hold others."""

        def sums(store: Store) -> list[tuple[str, Usd]]:
            with store.snapshot():
                view = SpendView(store.bills.load_series(), span)
                view.fill(store.bills.iter_blocks(span.start))
            query = SpendQuery(group_by=("category",), accounts=frozenset(accounts))
            found = view.sums(query, "amount", span)
            return [(dict(group)["category"], found.of(group)) for group in found.groups]

        return sorted(await self._thread.call(sums), key=lambda pair: (-pair[1], pair[0]))

    async def status(
        self, *, now: datetime, poll_interval: timedelta, settle_delay: timedelta, books: Sequence[CategoryBook]
    ) -> Status:
        """Judge the daemon by what it stored; *books* are those that it holds."""
        return await self._thread.call(
            lambda store: read_status(
                store, now=now, poll_interval=poll_interval, settle_delay=settle_delay, books=books
            )
        )

    async def alerts(self) -> tuple[tuple[Alert, ...], tuple[OutboxEntry, ...]]:
        """Return every alert's latest episode, and the open outbox entries."""

        def read(store: Store) -> tuple[tuple[Alert, ...], tuple[OutboxEntry, ...]]:
            with store.snapshot():
                return store.alerts.all_alerts(), store.outbox.open_entries()

        return await self._thread.call(read)

    async def history(self, alert: Alert, now: datetime) -> AlertHistory:
        """Return all that is stored of an alert."""
        return await self._thread.call(lambda store: read_history(store, alert, at=now, is_past=False))

    async def step_sums(self, steps: Steps) -> StepSums:
        """Return the spend of each step of a window, read in small turns: others wait for none of them long."""

        def begin(store: Store) -> tuple[StepSums, Iterator[tuple[int, HourBlock]]]:
            return StepSums(store.bills.load_series(), steps), store.bills.iter_blocks(steps.span.start)

        def go_on(_: Store) -> bool:
            turn = list(islice(blocks, _BLOCKS_A_TURN))
            for hour, block in turn:
                sums.add(hour, block)
            return bool(turn)

        sums, blocks = await self._thread.call(begin)
        while await self._thread.call(go_on):
            pass
        return sums

    async def note_rules_file(self, rules_file: RulesFile) -> None:
        """Keep how the last reading of the rules file went."""
        await self._thread.call(lambda store: store.meta.put_rules_file(rules_file))

    async def record(self, report: CycleReport, finished_at: datetime) -> None:
        """Append a finished cycle to the history."""
        record = CycleRecord(
            started_at=report.started_at,
            finished_at=finished_at,
            is_ok=report.is_ok,
            summary=report.figures(),
        )
        await self._thread.call(lambda store: store.cycles.add(record))

    async def prune(self, *, spend_before: datetime, before: datetime) -> None:
        """Delete old spend, and old messages and history; what is in memory must be read anew then."""
        hour = hour_of(spend_before)
        await self._thread.call(lambda store: store.prune(before_hour=hour, before=before))

    # --- for commands on other hosts -------------------------------------------------------------------------------

    async def take_requests(self) -> Sequence[tuple[str, str]]:
        """Return the (id, request) pairs that are new; nobody else gets them then."""
        return await self._thread.call(lambda store: store.requests.take())

    async def answer_request(self, name: str, text: str) -> None:
        """Answer a request."""
        await self._thread.call(lambda store: store.requests.answer(name, text))

    # --- for reports -----------------------------------------------------------------------------------------------

    async def report_marks(self) -> Mapping[str, str]:
        """Return what each report has sent, by its name."""
        return await self._thread.call(lambda store: store.meta.with_prefix(_REPORT_SENT))

    async def save_report(self, name: str, mark: str, entries: Sequence[OutboxEntry]) -> None:
        """Store what a report has sent, and the notifications themselves, in one transaction."""

        def save(store: Store) -> None:
            with store.transaction():
                store.outbox.add(entries)
                store.meta.put(f"{_REPORT_SENT}{name}", mark)

        await self._thread.call(save)

    # --- for the delivery ------------------------------------------------------------------------------------------

    async def open_entries(self) -> Sequence[OutboxEntry]:
        """Return every entry that is not finished, oldest first."""
        return await self._thread.call(lambda store: store.outbox.open_entries())

    async def replace_entry(
        self, before: OutboxEntry, after: OutboxEntry, *, add: Sequence[OutboxEntry], outcome: str
    ) -> bool:
        """Store an entry's next state with its attempt, and fallback copies, in one transaction."""

        def run(store: Store) -> bool:
            with store.transaction():
                if after.state is EntryState.SENDING:
                    written = store.outbox.start_attempt(before, after)
                elif before.state is EntryState.SENDING:
                    written = store.outbox.finish_attempt(
                        before,
                        after,
                        finished_at=after.finished_at or after.not_before,
                        outcome=outcome,
                        detail=after.error,
                    )
                else:
                    written = store.outbox.update(before, after)
                if written:
                    store.outbox.add(add)
            return written

        return await self._thread.call(run)

    async def thread_ref(self, entry: OutboxEntry) -> str:
        """Return the `ref` of the delivered message in which this alert's present episode began, or an empty text."""
        if len(entry.fingerprints) != 1 or entry.message.reason not in _CONTINUATIONS:
            return ""

        return await self._thread.call(lambda store: _last_ref(store, entry, _BEGINNINGS))

    async def edited_ref(self, entry: OutboxEntry) -> str:
        """Return the `ref` of the delivered message that an edit is to change, or an empty text; storms stay."""
        reasons = _TELLING if entry.message.reason is NotifyReason.CORRECTED else _BEGINNINGS
        return await self._thread.call(lambda store: _last_ref(store, entry, reasons, alone=True))

    async def notified(self, entry: OutboxEntry) -> tuple[AlertFacts, ...]:
        """Return the entry's alerts as its recipient was told of them last while they fired."""
        known = await self._thread.call(
            lambda store: _told(store, entry.receiver, entry.recipient, entry.created_at - ENDS_TOLD_FOR)
        )
        return tuple(known[fingerprint] for fingerprint in entry.fingerprints if fingerprint in known)

    async def mirrored(self, receiver: str, recipient: str, now: datetime) -> tuple[AlertFacts, ...]:
        """Return what a recipient was told of and fires still, or ended lately, as it stands now."""

        def read(store: Store) -> tuple[AlertFacts, ...]:
            with store.snapshot():
                notified = _told(store, receiver, recipient, now - ENDS_TOLD_FOR)
                return as_it_stands(notified.values(), map(store.alerts.alert, notified), now)

        return await self._thread.call(read)


def _told(store: Store, receiver: str, recipient: str, since: datetime) -> dict[str, AlertFacts]:
    entries = store.outbox.delivered(receiver, recipient, since=since)
    return last_notified(entry.message for entry in entries)


def _last_ref(store: Store, entry: OutboxEntry, reasons: frozenset[NotifyReason], *, alone: bool = False) -> str:
    """Return the `ref` of the last entry for such a reason before this one, of its alert's episode and recipient."""
    fingerprint = entry.fingerprints[0]
    began = _began(entry, fingerprint)
    earlier = [
        known
        for known in store.outbox.entries_of(fingerprint)
        if known.id < entry.id
        and (known.receiver, known.recipient) == (entry.receiver, entry.recipient)
        and _began(known, fingerprint) == began
    ]
    # Whom only the escalation told, for them it is the beginning.
    found = [known for known in earlier if known.message.reason in reasons] or [
        known for known in earlier if known.message.reason is NotifyReason.ESCALATED
    ]
    last = found[-1] if found else None
    return "" if last is None or (alone and len(last.fingerprints) > 1) else last.ref


def _began(entry: OutboxEntry, fingerprint: str) -> datetime | None:
    """Return when the episode of an alert began of which an entry speaks: what tells it from another one."""
    return next((facts.starts_at for facts in entry.message.alerts if facts.fingerprint == fingerprint), None)


def _load(store: Store, views: Collection[View] | None) -> DaemonState:
    if views is not None:
        store.use_views(views)
    uses_keys = View.API_KEY in store.views
    with store.snapshot():
        return DaemonState(
            table=store.bills.load_series(),
            books=store.bills.load_books(),
            bills={(t.bill.account, t.bill.bill_id): t for t in store.bills.load_monthly()},
            alerts={alert.fingerprint: alert for alert in store.alerts.all_alerts()},
            silences={silence.id: silence for silence in store.silences.unended()},
            watched_since=store.meta.created_at,
            is_fresh=not store.cycles.last(1),
            keys=Shelf(table=store.key_bills.load_series(), books=store.key_bills.load_books()) if uses_keys else None,
            key_names={(key.account, key.key_id): key for key in store.key_bills.load_keys()} if uses_keys else {},
            balances=store.balances.last(),
        )


def _events(move: Move, now: datetime) -> Iterator[AlertEvent]:
    """Yield what happened to an alert in a cycle: its state moved, or whether it is told did."""
    alert = move.after
    if move.arrow:
        detail = [
            ("value", f"{alert.value:f}"),
            ("threshold", f"{alert.threshold:f}" if alert.threshold is not None else ""),
            ("unit", alert.unit.value),
            ("as_of", alert.as_of.isoformat()),
            ("complete", "yes" if alert.is_complete else "no"),
            ("reason", alert.reason),
            *(("caveat", caveat) for caveat in alert.caveats),
        ]
        yield event(alert, move.arrow, [(name, text) for name, text in detail if text], now)
    before = move.before.withheld if move.before is not None else ""
    if alert.withheld != before:
        yield event(alert, alert.withheld or "not withheld any more", (), now)
    if move.before is not None and move.before.acknowledged_by is not None and alert.acknowledged_by is None:
        yield event(alert, "acknowledgement ended", [("reason", "severity raised")], now)


def event(alert: Alert, kind: str, detail: Sequence[tuple[str, str]], now: datetime) -> AlertEvent:
    """Return an entry of an alert's history."""
    return AlertEvent(
        fingerprint=alert.fingerprint, episode=alert.episode, happened_at=now, kind=kind, detail=tuple(detail)
    )
