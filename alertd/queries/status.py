"""What `alertd status` shows: facts from the store, and whether all is well."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from alertd import __version__
from alertd.core.alert import Alert, AlertState
from alertd.core.dataclass import dataclass
from alertd.core.hours import hour_of, start_of
from alertd.core.messages.holding import overdue
from alertd.core.messages.message import truncate
from alertd.core.messages.outbox import EntryState, OutboxEntry
from alertd.core.resources import ResourceKind
from alertd.core.rules.held import LastRead
from alertd.core.rules.records import ClockRecord, ReloadOutcome
from alertd.core.spend.arrival import DAILY
from alertd.core.spend.data_state import streams_of_book
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.lists import View
from alertd.core.times import iso_instant, iso_instant_or_none
from alertd.core.words import and_more, format_age, format_count, format_instant
from alertd.queries.health import Edge, ReceiverHealth, ResourceHealth
from alertd.store.cycles import CycleRecord
from alertd.store.store import Store

_POLLS_MISSED = 3
"""After this many poll intervals without a cycle, the daemon counts as unwell or stopped."""
_SLACK = timedelta(minutes=1)
_WHY_LIMIT = 300
"""Maximum characters of errors: a poll may have one for each range of each category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything the status shows."""

    version: str
    problems: tuple[str, ...]
    last_cycle: CycleRecord | None
    last_good: CycleRecord | None
    firing: int
    pending: int
    open_alerts: tuple[Alert, ...]
    edges: tuple[Edge, ...]
    receivers: tuple[ReceiverHealth, ...]
    waiting: tuple[OutboxEntry, ...] = ()
    """Open outbox entries."""
    resources: tuple[ResourceHealth, ...]
    rules_file: ReloadOutcome | None
    clock: ClockRecord = ClockRecord()
    next_poll: datetime | None = None
    """Whether the next poll is overdue."""
    now: datetime

    @property
    def rules_text(self) -> str:
        """The rules file for people."""
        file = self.rules_file
        if file is None or file.loaded_at is None:
            return "not read yet"
        broken = f"; broken since {format_instant(file.broken_since)}" if file.broken_since is not None else ""
        return f"{file.rules} in force since {format_instant(file.loaded_at)}{broken}"

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def last_cycle_text(self) -> str:
        """The last cycle for people."""
        return self._cycle_text(self.last_cycle)

    @property
    def last_good_text(self) -> str:
        """The last good cycle for people."""
        return self._cycle_text(self.last_good)

    @property
    def next_poll_text(self) -> str:
        """The next poll for people."""
        if self.next_poll is None:
            return "none is planned"
        wait = self.next_poll - self.now
        when = f"in {format_age(wait)}" if wait >= timedelta() else f"overdue for {format_age(-wait)}"
        return f"{format_instant(self.next_poll)} ({when})"

    @property
    def clock_text(self) -> str:
        """What is known about the time, for people."""
        checked_at = self.clock.checked_at
        checked = f"checked {format_instant(checked_at)}" if checked_at is not None else "not checked yet"
        return f"{checked}; {self.clock.note}" if self.clock.note else checked

    def _cycle_text(self, cycle: CycleRecord | None) -> str:
        if cycle is None:
            return "never"
        figures = dict(cycle.summary)
        age = format_age(max(self.now - cycle.finished_at, timedelta()))
        return f"{format_instant(cycle.finished_at)} ({age} ago, {figures.get('rows', 0)} rows)"

    def json(self) -> dict[str, object]:
        """Return the status for programs."""
        return {
            "version": self.version,
            "healthy": self.is_healthy,
            "problems": list(self.problems),
            "last_cycle": _cycle_json(self.last_cycle),
            "last_good_cycle": _cycle_json(self.last_good),
            "next_poll": iso_instant_or_none(self.next_poll),
            "clock": {"checked_at": iso_instant_or_none(self.clock.checked_at), "note": self.clock.note or None},
            "rules_file": _rules_json(self.rules_file),
            "firing": self.firing,
            "pending": self.pending,
            "data_edges": [
                {
                    "account": edge.account,
                    "category": edge.category,
                    "view": edge.view.value,
                    "billed_through": iso_instant_or_none(edge.billed_through),
                    "streams": [
                        {
                            "rows": "day" if stream.key.step == DAILY else "hour",
                            "billed_through": iso_instant(start_of(stream.edge)),
                            "lateness_s": int(stream.lateness.total_seconds()),
                        }
                        for stream in edge.streams
                    ],
                    "read_at": iso_instant_or_none(edge.read_at),
                    "error": edge.error or None,
                }
                for edge in self.edges
            ],
            "resources": [
                {
                    "account": one.account,
                    "instances": one.instances,
                    "endpoints": one.endpoints,
                    "read_at": iso_instant_or_none(one.read_at),
                    "error": one.error or None,
                }
                for one in self.resources
            ],
            "outbox": {
                receiver.name: {state.value: count for state, count in receiver.counts.items()}
                for receiver in self.receivers
            },
            "receivers": [
                {"name": receiver.name, "last_error": receiver.last_error or None} for receiver in self.receivers
            ],
        }


def _rules_json(file: ReloadOutcome | None) -> dict[str, object] | None:
    if file is None:
        return None
    return {
        "rules": file.rules,
        "loaded_at": iso_instant_or_none(file.loaded_at),
        "broken_since": iso_instant_or_none(file.broken_since),
        "faults": list(file.faults),
        "changes": file.changes or None,
        "failures": file.failures,
    }


def _cycle_json(cycle: CycleRecord | None) -> dict[str, object] | None:
    if cycle is None:
        return None
    return {
        "started_at": iso_instant_or_none(cycle.started_at),
        "finished_at": iso_instant_or_none(cycle.finished_at),
        "ok": cycle.is_ok,
        **dict(cycle.summary),
    }


class Edges:
    """Through when books are billed, worked out once in an hour for as long as they are the same."""

    def __init__(self) -> None:
        self._inputs: tuple[int, timedelta] | None = None
        self._known: dict[int, tuple[CategoryBook, Edge]] = {}
        """By the identity of the book, which is kept too, so that no other can have it."""

    def of(self, books: Sequence[CategoryBook], now: datetime, settle_delay: timedelta) -> tuple[Edge, ...]:
        """Return the edge of each of the books."""
        inputs = (hour_of(now), settle_delay)
        known = self._known if inputs == self._inputs else {}
        found = {id(book): known.get(id(book)) or (book, _edge(book, now, settle_delay)) for book in books}
        self._inputs, self._known = inputs, found
        return tuple(edge for _, edge in found.values())


def read_status(
    store: Store,
    *,
    now: datetime,
    poll_interval: timedelta,
    settle_delay: timedelta,
    books: Sequence[CategoryBook] | None = None,
    known_edges: Edges | None = None,
    open_alerts: tuple[Alert, ...] | None = None,
) -> Status:
    """
    Judge the daemon's state by what it stored.

    Args:
        books: The store's books if already loaded: with a long history, loading them takes a while.
        known_edges: What was worked out for earlier answers; None for a single one.
        open_alerts: Likewise as *books*, the open alerts.

    Raises:
        StoreError: The store cannot be read.
    """
    with store.snapshot():
        if books is None:
            books = [book for view in View if view in store.views for book in _books(store, view)]
        last = next(iter(store.cycles.last(1)), None)
        good = store.cycles.last_good()
        open_alerts = store.alerts.open_alerts() if open_alerts is None else open_alerts
        waiting = store.outbox.open_entries()
        receivers = _receivers(store, waiting, now)
        rules_file = store.meta.rules_file
        clock, next_poll = store.meta.clock, store.meta.next_poll_at
        resources = _resources(store)
    edges = (known_edges or Edges()).of(books, now, settle_delay)
    states = [alert.state for alert in open_alerts]
    return Status(
        version=__version__,
        problems=(
            *_problems(last, good, receivers, edges, now, poll_interval, settle_delay),
            *_rules_problems(rules_file),
            *([clock.note] if clock.is_wrong else []),
        ),
        last_cycle=last,
        last_good=good,
        firing=states.count(AlertState.FIRING),
        pending=states.count(AlertState.PENDING),
        open_alerts=open_alerts,
        edges=edges,
        receivers=receivers,
        waiting=tuple(waiting),
        resources=resources,
        rules_file=rules_file,
        clock=clock,
        next_poll=next_poll,
        now=now,
    )


def _resources(store: Store) -> tuple[ResourceHealth, ...]:
    last = store.meta.last_read or LastRead()
    listed = Counter((one.account, one.kind) for one in store.resources.load() if one.gone_at is None)
    return tuple(
        ResourceHealth(
            account=account,
            instances=listed[account, ResourceKind.INSTANCE],
            endpoints=listed[account, ResourceKind.ENDPOINT],
            read_at=last.resources_read.get(account),
            error=last.resource_gaps.get(account, ""),
        )
        for account in sorted({*last.resources_read, *last.resource_gaps})
    )


def _rules_problems(file: ReloadOutcome | None) -> list[str]:
    if file is None or not file.faults:
        return []
    more = and_more(len(file.faults) - 1)
    return [f"the rules before the last edit are in force: {file.faults[0]}{f' ({more})' if more else ''}"]


def _books(store: Store, view: View) -> list[CategoryBook]:
    """Return the books of the accounts that the daemon reads; the store may hold others."""
    last = store.meta.last_read
    known = sorted(store.books_of(view).load_books().items())
    return [book for (account, _), book in known if last is None or account in last.accounts]


def _edge(book: CategoryBook, now: datetime, settle_delay: timedelta) -> Edge:
    streams = streams_of_book(book, now, settle_delay)
    edge = max((stream.edge for stream in streams), default=None)
    return Edge(
        account=book.account,
        category=book.category,
        view=book.view,
        title=book.title,
        billed_through=start_of(edge) if edge is not None else None,
        streams=streams,
        read_at=book.read_at,
        error=book.error,
    )


def _receivers(store: Store, entries: Sequence[OutboxEntry], now: datetime) -> tuple[ReceiverHealth, ...]:
    counts: dict[str, dict[EntryState, int]] = {}
    for (receiver, state), count in store.outbox.counts().items():
        counts.setdefault(receiver, {})[state] = count
    errors = {entry.receiver: entry for entry in entries if entry.error}
    due: dict[str, datetime] = {}
    for entry in overdue(entries, now):
        due[entry.receiver] = min(entry.due_since, due.get(entry.receiver, now))
    return tuple(
        ReceiverHealth(name=name, counts=of_receiver, last_error=_error_text(errors.get(name)), due_since=due.get(name))
        for name, of_receiver in sorted(counts.items())
    )


def _error_text(entry: OutboxEntry | None) -> str:
    return entry.error if entry is not None else ""


def _unread(edges: tuple[Edge, ...]) -> list[str]:
    """Return what cannot be read and why, grouping categories with the same reason."""
    all_of = Counter(edge.account for edge in edges)
    found: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        if edge.error:
            found.setdefault((edge.account, edge.error), []).append(edge.title)
    return [
        f"{account}: {'every category' if 1 < len(titles) == all_of[account] else ', '.join(titles)}: {error}"
        for (account, error), titles in found.items()
    ]


def _problems(
    last: CycleRecord | None,
    good: CycleRecord | None,
    receivers: tuple[ReceiverHealth, ...],
    edges: tuple[Edge, ...],
    now: datetime,
    poll_interval: timedelta,
    settle_delay: timedelta,
) -> list[str]:
    problems = []
    if last is None:
        return ["no cycle has finished yet: start `alertd run`"]
    if last.finished_at - now > _SLACK + poll_interval:
        when = format_instant(last.finished_at)
        problems.append(f"the last cycle is dated {when}, which is still to come: is this system's clock right?")
    if now - last.finished_at > _POLLS_MISSED * poll_interval + _SLACK:
        problems.append(f"no cycle for {format_age(now - last.finished_at)}: is `alertd run` running?")
    if good is None or now - good.finished_at > 2 * poll_interval + settle_delay + _SLACK:
        since = f"since {format_instant(good.finished_at)}" if good is not None else "yet"
        unread = _unread(edges)
        why = truncate(str(dict(last.summary).get("errors") or "see the log"), _WHY_LIMIT)
        problems += [f"no complete cycle {since}{'' if unread else f': {why}'}", *unread]
    else:
        problems += _unread(edges)
    for receiver in receivers:
        for state, words in (
            (EntryState.BLOCKED, "blocked until the receiver is fixed"),
            (EntryState.GAVE_UP, "given up"),
        ):
            if count := receiver.counts.get(state, 0):
                what = f"{format_count(count, 'notification')} {words}"
                problems.append(f"receiver {receiver.name}: {what}. {receiver.last_error}".rstrip())
    return problems
