"""
Between the daemon and its store: groups store calls into transactions, and runs all on the store's thread.

Implements the protocol of `cycle` and `intake`; others pass a function of the store to `call`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from alertd.core.actions import ActionRequest
from alertd.core.alert import Alert
from alertd.core.alert_event import Acted, AlertChange, Suppressed, Unacknowledged, Unsuppressed
from alertd.core.alerts.lifecycle import Move, moved
from alertd.core.alerts.rebase import AHEAD, Rebased
from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.hours import HourRange
from alertd.core.messages.dispatch import Decisions
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.messages.rebase import rebased_entry
from alertd.core.money import Usd
from alertd.core.resources import ResourceKey
from alertd.core.rules.facts import Facts
from alertd.core.rules.held import CategoryKey
from alertd.core.spend.arrival import Arrivals, Place
from alertd.core.spend.bill import TrackedBill
from alertd.core.spend.block import HourBlock
from alertd.core.spend.ledger import CategoryBook, SeriesTable
from alertd.core.spend.lists import View
from alertd.core.spend.selection import SpendQuery
from alertd.core.spend.steps import Steps, StepSums
from alertd.core.spend.view import SpendView
from alertd.core.utilization import Slots
from alertd.daemon.state import DaemonState, Plan, Shelf
from alertd.queries.cycle_report import CycleReport
from alertd.queries.snapshot import read_snapshot
from alertd.store.alerts import AlertEvent
from alertd.store.bills import BookChange
from alertd.store.cycles import CycleRecord
from alertd.store.outbox import EntryUpdate
from alertd.store.store import Store
from alertd.store.stored_outbox import StoredOutbox

_BLOCKS_A_TURN = 1024
"""Blocks at a time: some tens of milliseconds of the store's thread."""


class StoreGateway(StoredOutbox):
    """The daemon's interface to the store, for the life of the store's thread."""

    # --- for the cycle ---------------------------------------------------------------------------------------------

    async def load(self, views: Collection[View] | None = None) -> DaemonState:
        """
        Load everything that is held between cycles.

        Args:
            views: The views of the bills to read from now on, which are stored; None for the stored ones.
        """
        return await self.call(_load, views)

    async def facts(self, plan: Plan, now: datetime) -> Facts:
        """Return the stored data that rules can see."""
        found = await self.call(read_snapshot, plan, owners=plan.audience.owners, now=now)
        return found.facts

    async def fill(self, spend: SpendView, from_hour: int, view: View = View.USAGE) -> None:
        """Fill a spend view from the stored blocks of a view of the bills."""
        await self.call(lambda store: spend.fill(store.books_of(view).iter_blocks(from_hour)))

    async def save_facts(
        self,
        table: SeriesTable,
        books: Mapping[CategoryKey, CategoryBook],
        blocks: Mapping[CategoryKey, Mapping[int, HourBlock]],
        bills: Sequence[TrackedBill],
        view: View = View.USAGE,
        *,
        arrivals: Mapping[CategoryKey, Mapping[Place, Arrivals]],
    ) -> Mapping[CategoryKey, Mapping[int, HourBlock]]:
        """Store everything read; return the previous blocks of the changed hours."""
        changes = [
            BookChange(book=book, blocks=blocks.get(key, {}), arrivals=arrivals.get(key, {}))
            for key, book in books.items()
        ]

        def save(store: Store) -> Mapping[CategoryKey, Mapping[int, HourBlock]]:
            with store.transaction():
                before = {key: store.books_of(view).blocks(*key, hours) for key, hours in blocks.items() if hours}
                store.save_facts(table, books=changes, monthly=bills, view=view)
            return before

        return await self.call(save)

    async def rebase(self, rebased: Rebased, now: datetime) -> datetime:
        """Store the re-dated items; return when the store was created, by the right clock."""

        def save(store: Store) -> datetime:
            with store.transaction():
                for view in store.views:
                    changes = [BookChange(book=book, blocks={}) for book in rebased.books if book.view is view]
                    if changes:
                        store.save_facts(store.books_of(view).load_series(), books=changes, view=view)
                store.bills.save_monthly(rebased.bills)
                store.save_decisions(
                    alerts=rebased.alerts, silences=rebased.silences, updates=_rebased_entries(store, now)
                )
                store.balances.forget_after(now + AHEAD)
                # Before the first check it was dated by an unverified clock.
                if store.meta.created_at > now or (
                    store.meta.clock.checked_at is None and store.cycles.last_good() is None
                ):
                    store.meta.put_created_at(now)
                return store.meta.created_at

        return await self.call(save)

    async def save_utilization(self, key: ResourceKey, slots: Slots, first: int) -> None:
        """Store the utilisation of an instance from a slot on, and delete what is beyond the retention."""
        await self.call(lambda store: store.utilization.save(key, slots, first))

    async def decide(self, decide: Callable[[Sequence[OutboxEntry]], Decisions], now: datetime) -> Decisions:
        """Pass the open entries to *decide* and store its result, with no claim in between."""

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
                events=[
                    AlertEvent.of(move.after, change, now) for move in decisions.moves for change in _changes(move)
                ],
                entries=decisions.entries,
                updates=updates,
            )
            return decisions

        return await self.call(run)

    async def save_request(self, outcome: RequestOutcome, entries: Sequence[OutboxEntry], now: datetime) -> None:
        """Store a request with its message updates and the history of the affected alerts."""
        change = outcome.change
        events = [AlertEvent.of(alert, change, now) for alert in outcome.alerts] if change is not None else []
        new = (outcome.action,) if outcome.action is not None and outcome.is_new else ()
        await self.call(
            lambda store: store.save_decisions(
                alerts=outcome.alerts, silences=outcome.silences, events=events, entries=entries, actions=new
            )
        )

    async def open_actions(self) -> tuple[ActionRequest, ...]:
        """Return the unfinished action requests, oldest first."""
        return await self.call(lambda store: store.actions.open_requests())

    async def move_action(
        self,
        before: ActionRequest,
        after: ActionRequest,
        alert: Alert | None,
        entries: Sequence[OutboxEntry],
        now: datetime,
    ) -> bool:
        """Store the next step of a request with its alert's history; False if it was changed meanwhile."""
        is_step = alert is not None and after.state is not before.state
        events = [AlertEvent.of(alert, Acted(request=after), now)] if is_step and alert is not None else []
        return await self.call(lambda store: store.move_action(before, after, events=events, entries=entries))

    async def spent(self, span: HourRange, accounts: Collection[str], running: int) -> list[tuple[str, Usd]]:
        """
        Return the cost of each category of some accounts in a span, largest first; the store may hold other accounts.

        Args:
            running: The current hour: rows that have not ended are spread over their hours so far.
        """

        def sums(store: Store) -> list[tuple[str, Usd]]:
            with store.snapshot():
                view = SpendView(store.bills.load_series(), span)
                view.advance(running)
                view.fill(store.bills.iter_blocks(span.start))
            query = SpendQuery(group_by=("category",), accounts=frozenset(accounts))
            found = view.exact_sums(query, "amount", span)
            return [(dict(group)["category"], Usd(amount)) for group, amount in found.items()]

        return sorted(await self.call(sums), key=lambda pair: (-pair[1], pair[0]))

    async def alerts(self) -> tuple[tuple[Alert, ...], tuple[OutboxEntry, ...]]:
        """Return every alert's latest episode, and the open outbox entries."""

        def read(store: Store) -> tuple[tuple[Alert, ...], tuple[OutboxEntry, ...]]:
            with store.snapshot():
                return store.alerts.all_alerts(), store.outbox.open_entries()

        return await self.call(read)

    async def step_sums(self, steps: Steps) -> StepSums:
        """Return the spend of each step of a window, read in small portions so that others do not wait long."""

        def begin(store: Store) -> tuple[StepSums, Iterator[tuple[int, HourBlock]]]:
            return StepSums(store.bills.load_series(), steps), store.bills.iter_blocks(steps.span.start)

        def go_on(_: Store) -> bool:
            turn = list(islice(blocks, _BLOCKS_A_TURN))
            for hour, block in turn:
                sums.add(hour, block)
            return bool(turn)

        sums, blocks = await self.call(begin)
        while await self.call(go_on):
            pass
        return sums

    async def record(self, report: CycleReport, finished_at: datetime) -> None:
        """Append a finished cycle to the history."""
        record = CycleRecord(
            started_at=report.started_at,
            finished_at=finished_at,
            is_ok=report.is_ok,
            summary=report.figures(),
        )
        await self.call(lambda store: store.cycles.add(record))


def _rebased_entries(store: Store, now: datetime) -> list[EntryUpdate]:
    each = ((entry, rebased_entry(entry, now)) for entry in store.outbox.open_entries())
    return [EntryUpdate(before=entry, after=after) for entry, after in each if after is not entry]


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
            first_episode=store.meta.first_episode,
            watched_since=store.meta.created_at,
            is_fresh=not store.cycles.last(1),
            keys=Shelf(table=store.key_bills.load_series(), books=store.key_bills.load_books()) if uses_keys else None,
            key_names={(key.account, key.key_id): key for key in store.key_bills.load_keys()} if uses_keys else {},
            balances=store.balances.last(),
            terms=store.terms.load(),
            edges=store.meta.edges,
            utilization=store.utilization.load(),
            resources={resource.key: resource for resource in store.resources.load()},
        )


def _changes(move: Move) -> Iterator[AlertChange]:
    """Yield the events of an alert in a cycle: a change of state, or of what mutes it."""
    before, alert = move.before, move.after
    if move.arrow:
        yield moved(before, alert)
    was_muted = before.muted if before is not None else None
    if alert.muted is None and was_muted is not None:
        yield Unsuppressed()
    elif alert.muted is not None and (was_muted is None or alert.muted.key != was_muted.key):
        yield Suppressed(muted=alert.muted)
    if before is not None and before.acknowledged_by is not None and alert.acknowledged_by is None:
        yield Unacknowledged()
