"""
Reading and filing: turns answers of the billing API into facts in store and state.

Every failure ends here in the report: the hours count as incomplete, known facts stay.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from functools import partial

from alertd.core.dataclass import dataclass
from alertd.core.hours import HourRange, hour_of, start_of
from alertd.core.rules.held import CategoryKey, LastRead
from alertd.core.spend.arrival import Arrivals, Place
from alertd.core.spend.bill import (
    FIRST_KEY_HOUR,
    FIRST_MONTH,
    SUBSCRIPTION,
    BillRows,
    TrackedBill,
    gone_from,
    oldest_open_month,
    track,
)
from alertd.core.spend.block import HourBlock, empty_block
from alertd.core.spend.ledger import CategoryBook, Filing, file_failure, file_rows
from alertd.core.spend.lists import View
from alertd.core.spend.reading import Cadence, plan_reads
from alertd.daemon.resource_intake import ResourceIntake
from alertd.daemon.state import DaemonState, Plan, Shelf, require_list
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.timekeeper import Timekeeper, Verdict
from alertd.errors import ApiCategoryUnknown, ApiError, ApiKeyRefused, ApiRequestRefused, StoreError
from alertd.log import get_logger
from alertd.queries.cycle_report import CycleReport

_INLINE_ROWS = 1_000
"""Up to this many rows, filing is quicker than waking a thread."""
_FLUSH_CELLS = 500_000
"""Changed cells held before a commit, so that the first read of a large account does not fill the memory."""

_LOOK_S = 5.0
"""After so many seconds without a new answer, the bills read so far are judged, and the read continues."""
_JUDGED_AFTER_S = 20.0
"""Likewise after so many seconds in any case, and again whenever twice the time has passed."""

_ALL_MONTHS_EVERY = timedelta(days=1)
_TERMS_EVERY = timedelta(hours=1)

JudgeMeanwhile = Callable[[], Awaitable[None]]
"""Judges the committed bills while the rest is still being read."""

HourChange = tuple[int, HourBlock, HourBlock]
"""(hour, the block before, the block now)."""


@dataclass(slots=True)
class _Facts:
    """What was read but not yet committed."""

    books: dict[CategoryKey, CategoryBook] = field(default_factory=dict)
    blocks: dict[CategoryKey, dict[int, HourBlock]] = field(default_factory=dict)
    arrivals: dict[CategoryKey, dict[Place, Arrivals]] = field(default_factory=dict)
    bills: list[TrackedBill] = field(default_factory=list)
    cells: int = 0

    def add(self, filing: Filing) -> None:
        key = filing.book.key
        self.books[key] = filing.book
        self.blocks.setdefault(key, {}).update(filing.blocks)
        self.arrivals.setdefault(key, {}).update(filing.arrivals)
        self.cells += sum(map(len, filing.blocks.values()))


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One read of everything that is due."""

    state: DaemonState
    plan: Plan
    now: datetime
    everything: bool
    report: CycleReport
    view: View = View.USAGE
    """Each view of the bills is read separately: they are never filed together."""
    facts: _Facts = field(default_factory=_Facts)

    @property
    def shelf(self) -> Shelf:
        """The books to fill."""
        return self.state.shelf(self.view)

    def book(self, key: CategoryKey) -> CategoryBook:
        """Return the latest state of a book: just read, held in memory, or empty."""
        found = self.facts.books.get(key) or self.shelf.books.get(key)
        return found or CategoryBook(account=key[0], category=key[1], view=self.view)

    def note(self, error: str) -> None:
        """Report an error, each one only once."""
        if error not in self.report.errors:
            self.report.errors.append(error)


class Intake:
    """
    Reads and files what is due, for the life of the cycle object.

    Args:
        on_change: Called with the changed hours after each commit.
        time: Says whether the instant of a read was right.
    """

    def __init__(
        self,
        *,
        store: StoreGateway,
        cadence: Cadence,
        on_change: Callable[[View, list[HourChange]], None],
        time: Timekeeper,
    ) -> None:
        self._store = store
        self._cadence = cadence
        self._on_change = on_change
        self._time = time
        self._resources = ResourceIntake(store, self._may_file)
        self._is_left_out = False
        self._dropped: set[tuple[View, str, str]] = set()
        """Categories that an account does not have; they are not requested again in this run."""
        self._refused: dict[str, str] = {}
        self._bill_gaps: dict[str, str] = {}
        self._balance_gaps: dict[str, str] = {}
        self._last_read = self._stored = LastRead()
        self._all_months_read: dict[str, datetime] = {}
        """When all months of an account were last read, because a settled bill can become overdue again."""
        self._filing = asyncio.Lock()
        """Serialises changes of books: they share the series table, and a commit must be complete."""
        self._log = get_logger()

    async def read(
        self,
        state: DaemonState,
        plan: Plan,
        now: datetime,
        report: CycleReport,
        *,
        everything: bool,
        judge: JudgeMeanwhile,
    ) -> None:
        """
        Read what is due of every account, file it in store and memory, and count it in the report.

        Args:
            everything: Read every hour that the rules can see and all monthly bills, even if already known.
            judge: Called where some of it lets the rest wait, after what has come was committed; nothing is filed
                meanwhile.

        Raises:
            StoreError: Not everything could be stored; memory must be reloaded.
        """
        reading, *others = (
            _Reading(state=state, plan=plan, now=now, everything=everything, report=report, view=view)
            for view in plan.views
        )
        self._refused.clear()
        self._is_left_out = False
        bills = self._read_bills(reading, others, judge)
        await self._resources.read_beside(bills, state, plan, now)
        async with self._filing:
            for one in (reading, *others):
                await self._commit(one)
        self._last_read = self._result(plan)
        if self._last_read != self._stored:
            await self._store.call(lambda store: store.meta.put_last_read(self._last_read))
            self._stored = self._last_read

    async def _read_bills(self, reading: _Reading, others: Sequence[_Reading], judge: JudgeMeanwhile) -> None:
        plan, tasks = reading.plan, set[asyncio.Task[None]]()
        try:
            async with asyncio.TaskGroup() as group:
                for account in plan.accounts:
                    for one in (reading, *others):
                        for category in plan.categories_of(one.view):
                            if (one.view, account, category) not in self._dropped:
                                tasks.add(group.create_task(self._read_category(one, (account, category))))
                    tasks.add(group.create_task(self._read_monthly(reading, account)))
                    if plan.needs_balance:
                        tasks.add(group.create_task(self._read_balance(reading, account)))
                await self._judge_meanwhile(tasks, (reading, *others), judge)
        except* StoreError as failed:
            raise failed.exceptions[0] from None

    async def _judge_meanwhile(
        self, tasks: set[asyncio.Task[None]], readings: Sequence[_Reading], judge: JudgeMeanwhile
    ) -> None:
        """Have the received bills judged while waiting for the rest, so that a silent account delays no others."""
        loop = asyncio.get_running_loop()
        began, judge_after, has_news = loop.time(), _JUDGED_AFTER_S, False
        while tasks:
            done, tasks = await asyncio.wait(tasks, timeout=_LOOK_S)
            has_news |= bool(done)
            # The first alerts of a store are one message, so they wait for the whole read.
            is_late = loop.time() - began >= judge_after and not readings[0].state.is_fresh
            if tasks and has_news and (not done or is_late):
                async with self._filing:
                    for one in readings:
                        await self._commit(one)
                    await judge()
                has_news, judge_after = False, 2 * (loop.time() - began)

    @property
    def last_read(self) -> LastRead:
        """The outcome of the last read; no errors before the first."""
        return self._last_read

    @property
    def is_left_out(self) -> bool:
        """Whether part of the last read was not filed, because its time was not known yet."""
        return self._is_left_out

    def _may_file(self) -> bool:
        """Return whether an answer may be filed with the instant of its request; note if not."""
        if self._time.verdict() is Verdict.CHECKED:
            return True
        self._is_left_out = True
        return False

    def _result(self, plan: Plan) -> LastRead:
        return LastRead(
            accounts=frozenset(plan.accounts),
            dropped=frozenset(self._dropped),
            refused=dict(self._refused),
            bill_gaps=dict(self._bill_gaps),
            balance_gaps=dict(self._balance_gaps),
            resource_gaps=self._resources.gaps(plan),
            resources_read=self._resources.read_at(plan),
        )

    async def _read_category(self, reading: _Reading, key: CategoryKey) -> None:
        account, category = key
        book = reading.book(key)
        if (
            category == SUBSCRIPTION
            and not reading.everything
            and _was_read(book, reading.now, reading.plan.settle_delay)
        ):
            return
        spans = plan_reads(
            book,
            reading.now,
            horizon=reading.plan.read_from(reading.now, reading.view, category),
            settle_delay=reading.plan.settle_delay,
            cadence=self._cadence,
            everything=reading.everything,
            first=FIRST_KEY_HOUR if reading.view is View.API_KEY else 0,
        )
        for span in spans:
            try:
                rows = await self._ask(reading, account, category, span)
                await self._file(reading, key, rows, span)
            except (ApiCategoryUnknown, ApiRequestRefused) as error:
                is_lacking = category == SUBSCRIPTION or isinstance(error, ApiCategoryUnknown)
                if is_lacking and not reading.book(key).covered:
                    self._dropped.add((reading.view, *key))
                    self._log.warning("category dropped", account=account, category=category, error=str(error))
                    return
                # It was known before: a category that vanishes is a failure, not the end of its spend.
                await self._note_failure(reading, key, span, str(error), error.brief)
                return
            except ApiError as error:
                # A key may be refused only there: the usage bills are read anyway.
                if isinstance(error, ApiKeyRefused) and reading.view is View.USAGE:
                    self._refused[account] = str(error)
                await self._note_failure(reading, key, span, str(error), error.brief)
                return
            except OverflowError as error:
                text = f'account "{account}": {category}: {error}'
                await self._note_failure(reading, key, span, text, str(error))
                return

    async def _ask(self, reading: _Reading, account: str, category: str, span: HourRange) -> BillRows:
        source = reading.plan.accounts[account]
        if reading.view is View.USAGE:
            rows = await source.read_bills(category, span)
            require_list(reading.book((account, category)), rows, span)
            if category == SUBSCRIPTION and self._may_file():
                await self._store.call(lambda store: store.terms.replace(account, span, rows.terms))
                reading.state.replace_terms(account, span, rows.terms)
            return rows
        found = await source.read_key_bills(category, span)
        require_list(reading.book((account, category)), found.rows, span)
        names = reading.state.key_names
        changed = []
        for key in found.keys:
            known = names.get((key.account, key.key_id))
            # Older ranges are read after the newest one and may have a key's former name.
            if known is None or (hour_of(reading.now) in span and key.after(known) != known):
                changed.append(key.after(known))
        if changed and self._may_file():
            await self._store.call(lambda store: store.key_bills.save_keys(changed))
            names.update({(key.account, key.key_id): key for key in changed})
        return found.rows

    async def _note_failure(self, reading: _Reading, key: CategoryKey, span: HourRange, text: str, brief: str) -> None:
        reading.note(text)
        if not self._may_file():
            return
        async with self._filing:
            book = file_failure(reading.book(key), span, error=brief, failed_at=reading.now)
            reading.facts.books[key] = book

    async def _file(self, reading: _Reading, key: CategoryKey, rows: BillRows, span: HourRange) -> None:
        if len(rows):
            self._time.bear_out(start_of(int(rows.hour.max())))
        if not self._may_file():
            return
        async with self._filing:
            file = partial(
                file_rows,
                reading.book(key),
                reading.shelf.table,
                rows,
                span,
                read_at=reading.now,
                confirm_after=self._cadence.confirm_after,
            )
            # In a thread: a million rows take a second.
            filing = file() if len(rows) <= _INLINE_ROWS else await asyncio.to_thread(file)
            reading.facts.add(filing)
            if reading.facts.cells > _FLUSH_CELLS:
                await self._commit(reading)
        report = reading.report
        report.ranges += 1
        report.rows += len(rows)
        report.rows_rounded += rows.rounded
        report.hours_changed += len(filing.blocks)
        report.hours_doubted += filing.doubted

    async def _read_monthly(self, reading: _Reading, account: str) -> None:
        known = [tracked for (owner, _), tracked in reading.state.bills.items() if owner == account]
        last = self._all_months_read.get(account)
        is_all = reading.everything or last is None or not timedelta() <= reading.now - last < _ALL_MONTHS_EVERY
        start = FIRST_MONTH if is_all else oldest_open_month(known)
        try:
            bills = await reading.plan.accounts[account].read_monthly_bills(start)
        except ApiError as error:
            if isinstance(error, ApiKeyRefused):
                self._refused[account] = str(error)
            self._bill_gaps[account] = f"monthly bills could not be read ({error.brief})"
            reading.note(str(error))
            return
        if not self._may_file():
            return
        self._bill_gaps.pop(account, None)
        if is_all:
            self._all_months_read[account] = reading.now
        held = reading.state.bills
        reading.facts.bills += [track(held.get((account, bill.bill_id)), bill, reading.now) for bill in bills]
        reading.facts.bills += gone_from(known, bills, start_month=start, at=reading.now)

    async def _read_balance(self, reading: _Reading, account: str) -> None:
        try:
            balance = await reading.plan.accounts[account].read_balance(reading.now)
        except ApiError as error:
            self._balance_gaps[account] = f"the balance could not be read ({error.brief})"
            reading.note(str(error))
            return
        if not self._may_file():
            return
        await self._store.call(lambda store: store.balances.save(balance))
        self._balance_gaps.pop(account, None)
        reading.state.balances[account] = balance

    async def _commit(self, reading: _Reading) -> None:
        """Store what was read, then apply it in memory; call it with the filing lock held."""
        facts, state, shelf = reading.facts, reading.state, reading.shelf
        # Monthly bills may arrive during the commit: the next one includes them.
        bills, facts.bills = facts.bills, []
        if not facts.books and not bills:
            return
        before = await self._store.save_facts(
            shelf.table, facts.books, facts.blocks, bills, reading.view, arrivals=facts.arrivals
        )
        shelf.books.update(facts.books)
        state.bills.update({(tracked.bill.account, tracked.bill.bill_id): tracked for tracked in bills})
        changes = [
            (hour, before.get(key, {}).get(hour, empty_block()), block)
            for key, hours in facts.blocks.items()
            for hour, block in hours.items()
        ]
        facts.books, facts.blocks, facts.arrivals, facts.cells = {}, {}, {}, 0
        self._on_change(reading.view, changes)


def _was_read(book: CategoryBook, now: datetime, settle_delay: timedelta) -> bool:
    """Return whether subscriptions were read so recently that their six requests can be saved."""
    read_at = book.read_at
    lately = min(_TERMS_EVERY, settle_delay)
    return read_at is not None and book.failed_at is None and timedelta() <= now - read_at < lately
