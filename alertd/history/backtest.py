"""
Prepares a replay from stored or fetched bills and rules files: what is missing, what is fetched, what to report.

Nothing is written to the daemon's database: fetched bills go into a copy in memory.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from alertd.core.dataclass import dataclass
from alertd.core.hours import HOURS_PER_DAY, HourRange, HourSet, hour_of, midnight_before, start_of
from alertd.core.replay.past import History, last_hour
from alertd.core.replay.replay import Watch
from alertd.core.rules.held import CategoryKey, with_api_names
from alertd.core.rules.unmatched import unmatched
from alertd.core.spend.bill import CATEGORIES
from alertd.core.spend.lists import View
from alertd.core.words import format_duration, format_instant, with_more
from alertd.daemon.accounts import missing_keys, open_sources
from alertd.daemon.checked_time import timekeeper
from alertd.daemon.plan import build_audience, headlines
from alertd.daemon.receivers import build_notifiers, printing_notifiers
from alertd.daemon.state import BillSource
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.timekeeper import Timekeeper, Verdict
from alertd.errors import ApiError, Problem, UserError
from alertd.history.backfill import Backfill, BackfillReport, Piece, plan_backfill
from alertd.rules_file.model import LoadedRules
from alertd.settings.model import Settings
from alertd.store.history import read_history
from alertd.store.opening import is_there
from alertd.store.store import Store
from alertd.store.thread import StoreThread

Progress = Callable[[str, int], AbstractContextManager[Callable[[int, str], None]]]
"""Called with a title and a length; returns a function to call with (progress made, what was done)."""

_GAPS_LISTED = 5
"""Maximum number of gaps that are listed; the others are counted."""
_ON_MONTHLY_BILLS = frozenset({"monthly_bill", "reconcile"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that a replay needs, and notes for its reader."""

    history: History
    watches: tuple[Watch, ...]
    """One for each rules file."""
    hours: HourRange
    notes: tuple[str, ...]

    def history_of(self, watch: Watch) -> History:
        """Return the history of a watch's accounts only."""
        return self.history.of(watch.accounts)


class NothingToReplay(UserError):
    """There are no bills for the requested period, neither stored nor fetchable."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{why}; fetch bills with `alertd backfill`, or set the API key here and run this again")


async def prepare_replay(
    settings: Settings, rules: Sequence[LoadedRules], *, since: timedelta, now: datetime, progress: Progress
) -> Prepared:
    """
    Load the stored bills, and fetch missing ones where an API key is set.

    Args:
        rules: One rules file, or two to compare.
        since: How far before now the replay begins.

    Raises:
        NothingToReplay: Nothing is stored for that period, and nothing could be fetched.
        SettingsError: The database URL is invalid.
        StoreError: The database cannot be read.
        UserError: Bills must be fetched, and the system's clock is wrong.
    """
    built = [await build_watch(each, settings) for each in rules]
    watches = tuple(watch for watch, _ in built)
    notes = [problem.text + "; it counts as one recipient" for _, problems in built for problem in problems]
    asked = hour_of(now - since)
    first = min(watch.first_hour(asked) for watch in watches)
    history, notified = await _gather(settings, rules, first=first, now=now, progress=progress)
    notes += notified
    starts = [span.start for book in history.books.values() for span in book.covered]
    if not starts:
        raise NothingToReplay("no bills are stored")
    begins = min(starts)
    start, last = max(asked, begins), last_hour(history, now)
    if start >= last:
        raise NothingToReplay(f"the stored bills end {format_instant(start_of(last))}")
    hours = HourRange(start, last + 1)
    notes += _short_history(watches, begins, hours.start, is_cut=begins > asked)
    notes += _gaps(history, HourRange(max(first, begins), hours.end - 1))
    notes += _beyond_bills(watches, history, hours.start)
    series = {View.USAGE: history.table.names} | (
        {View.API_KEY: history.keys.table.names} if history.keys is not None else {}
    )
    for each in rules:
        owners = with_api_names(each.owners, history.key_names, history.resources)
        notes += map(str, unmatched(each.rules, series, owners))
    return Prepared(history=history, watches=watches, hours=hours, notes=tuple(dict.fromkeys(notes)))


async def build_watch(rules: LoadedRules, settings: Settings) -> tuple[Watch, list[Problem]]:
    """
    Return what the rules watch and notify, and the receivers that cannot be built here.

    Such receivers count as one recipient each, and notify no owners personally.
    """
    notifiers, problems = build_notifiers(rules, settings)
    stand_ins = printing_notifiers(rules, settings)
    audience = build_audience(rules, {**stand_ins, **notifiers})
    for notifier in (*notifiers.values(), *stand_ins.values()):
        await notifier.close()
    watch = Watch(
        rules=rules.rules,
        accounts=tuple(account.name for account in rules.accounts),
        audience=audience,
        headline_of=headlines(rules),
        settle_delay=settings.settle_delay,
        planned=rules.planned,
    )
    return watch, problems


# --- bills ----------------------------------------------------------------------------------------------------------


async def _gather(
    settings: Settings, rules: Sequence[LoadedRules], *, first: int, now: datetime, progress: Progress
) -> tuple[History, list[str]]:
    """Return the stored bills from an hour on, completed by fetching where possible, and what went wrong."""
    url = settings.store_url()
    accounts = {account.name: account for each in rules for account in each.accounts}
    keys = [(name, category) for name in accounts for category in CATEGORIES]
    uses_keys = any(View.API_KEY in rule.views for each in rules for rule in each.rules if rule.enabled)
    stored = History.empty()
    if is_there(url):
        store = Store.open_read_only(url)
        try:
            stored = read_history(store, keys, first, uses_keys=uses_keys)
        finally:
            store.close()
    span = HourRange(midnight_before(first), hour_of(now - settings.settle_delay))
    plan = plan_backfill(stored.books, keys, span, now=now, settle_delay=settings.settle_delay)
    keyless = {problem for each in rules for problem in missing_keys(each, settings)}
    notes = [f"{problem.text}: what is not stored cannot be fetched" for problem in sorted(keyless)] if plan else []
    readable = with_keys(rules, settings)
    names = {account.name for each in readable for account in each.accounts}
    wanted = {key: pieces for key, pieces in plan.items() if key[0] in names}
    if not wanted:
        return stored, notes
    thread = await StoreThread.start(lambda: Store.open_memory_copy(url, now=now))
    try:
        async with AsyncExitStack() as stack:
            time = timekeeper(settings)
            sources = open_all(readable, settings, stack, time=time)
            await checked_now(time, sources)
            report = await fetch(StoreGateway(thread), sources, wanted, now=now, progress=progress)
        notes += report.errors
        return await thread.call(lambda copy: read_history(copy, keys, first, uses_keys=uses_keys)), notes
    finally:
        await thread.close()


def with_keys(rules: Sequence[LoadedRules], settings: Settings) -> list[LoadedRules]:
    """Pair each of the rules with its accounts whose API key is set here; each account once."""
    readable: list[LoadedRules] = []
    known: set[str] = set()
    for each in rules:
        accounts = [
            account
            for account in each.accounts
            if account.name not in known and not missing_keys(replace(each, accounts=(account,)), settings)
        ]
        known |= {account.name for account in accounts}
        readable.append(replace(each, accounts=tuple(accounts)))
    return readable


def open_all(
    readable: Sequence[LoadedRules], settings: Settings, stack: AsyncExitStack, *, time: Timekeeper
) -> dict[str, BillSource]:
    """Open a billing client for every account of all rules; their answers carry the API's time."""
    opened = (open_sources(each, settings, stack, hear=time.hear) for each in readable)
    return {name: source for sources in opened for name, source in sources.items()}


async def checked_now(time: Timekeeper, sources: Mapping[str, BillSource]) -> datetime:
    """
    Return the current time, checked against the billing API's if it answers.

    Raises:
        UserError: The system's clock is wrong: hours read by it would be recorded as read for ever.
    """

    async def ask(source: BillSource) -> None:
        with suppress(ApiError):
            await source.ask_time()

    time.begin()
    await asyncio.gather(*map(ask, sources.values()))
    if time.verdict() is Verdict.WRONG and time.fault is not None:
        raise UserError(time.fault.text)
    return time.now()


async def fetch(
    gateway: StoreGateway,
    sources: Mapping[str, BillSource],
    plan: Mapping[CategoryKey, Sequence[Piece]],
    *,
    now: datetime,
    progress: Progress,
) -> BackfillReport:
    """
    Read the pieces of a plan into a store, and report progress.

    Raises:
        StoreError: What was committed before stays.
    """
    days = {key: sum(len(piece.span) for piece in pieces) // HOURS_PER_DAY for key, pieces in plan.items()}
    done = dict.fromkeys(plan, 0)
    with progress("Reading bills", sum(len(piece.span) for pieces in plan.values() for piece in pieces)) as advance:

        def on_read(piece: Piece) -> None:
            done[piece.key] += len(piece.span) // HOURS_PER_DAY
            advance(len(piece.span), f"{piece.key[1]}: {done[piece.key]} of {days[piece.key]} days")

        backfill = Backfill(store=gateway, state=await gateway.load(), accounts=sources, on_read=on_read, now=now)
        return await backfill.run(plan)


# --- what has to be said --------------------------------------------------------------------------------------------


def _short_history(watches: Iterable[Watch], begins: int, since: int, *, is_cut: bool) -> Iterator[str]:
    rules = {rule.name: rule for watch in watches for rule in watch.replayed}
    short = [
        f"{rule.name} ({format_duration(rule.lookback())})"
        for rule in rules.values()
        if rule.lookback() and start_of(since) - rule.lookback() < start_of(begins)
    ]
    if is_cut or short:
        text = f"history begins {format_instant(start_of(begins))}"
        yield f"{text}; rules that look back further see less: {', '.join(short)}" if short else text


def _gaps(history: History, span: HourRange) -> Iterator[str]:
    """Note which hours are missing: they count as incomplete, as they would have in the daemon."""
    found = []
    for (account, category), book in history.books.items():
        missing = HourSet.of((*book.covered.missing_from(span), *book.failed.within(span)))
        found += [
            f"{account}: {category}: {len(part)} hours from {format_instant(start_of(part.start))} could not be read; "
            "they count as incomplete"
            for part in missing
        ]
    yield from with_more(found[:_GAPS_LISTED], len(found) - _GAPS_LISTED, "gap")


def _beyond_bills(watches: Iterable[Watch], history: History, since: int) -> Iterator[str]:
    """Note which rules cannot be judged by past bills, or only partly."""
    rules = {rule.name: rule for watch in watches for rule in watch.rules if rule.enabled}
    if history.keys is not None:
        by_key = ", ".join(rule.name for rule in rules.values() if View.API_KEY in rule.views)
        yield f"the list by API key is replayed as far as it is stored: {by_key}"
    balances = [rule.name for rule in rules.values() if rule.NEEDS_BALANCE]
    if balances:
        first = history.balances[0].read_at if history.balances else None
        when = f"balances were read first {format_instant(first)}" if first is not None else "no balance is stored"
        yield f"{when}: {', '.join(balances)} saw nothing before"
    for rule in rules.values():
        if rule.NOT_REPLAYED:
            yield f'rule "{rule.name}" ({rule.TYPE}) is not replayed: {rule.NOT_REPLAYED}'
    monthly = [name for name, rule in rules.items() if rule.TYPE in _ON_MONTHLY_BILLS]
    seen = min((phase.since for tracked in history.bills for phase in tracked.phases), default=None)
    if monthly and (seen is None or seen > start_of(since)):
        when = (
            f"monthly bills were seen first {format_instant(seen)}" if seen is not None else "no monthly bill is stored"
        )
        yield f"{when}: {', '.join(monthly)} {'saw nothing before' if seen is not None else 'had nothing to judge'}"
