"""
Run one test: the daemon's own cycle, store and delivery over a test's bills, on a clock advanced by hand.

It observes but does not compare. Every test begins with an empty in-memory store; nothing is shared between tests.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import field, replace
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.silence import Silence, matchable
from alertd.core.dataclass import dataclass
from alertd.core.hand_clock import HandClock
from alertd.core.labels import Labels
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.spend.bill import CATEGORIES, SUBSCRIPTION
from alertd.core.spend.ledger import CategoryBook
from alertd.core.spend.reading import Cadence
from alertd.daemon.cycle import Cycle
from alertd.daemon.plan import build_plan
from alertd.daemon.receivers import fallbacks
from alertd.daemon.state import BillSource
from alertd.daemon.store_gateway import StoreGateway
from alertd.notify.base import Notifier
from alertd.notify.delivery.deliver import Delivery
from alertd.notify.delivery.order import next_due
from alertd.rules_file.model import LoadedRules
from alertd.rules_test.model import Acknowledgement, Expectation, RuleTest, SilenceEntry
from alertd.rules_test.notation import offset_text
from alertd.rules_test.receivers import Recorder, SentMessage
from alertd.rules_test.world import BillsOfTest
from alertd.settings.model import Settings
from alertd.store.store import Store
from alertd.store.thread import StoreThread

_IN_MEMORY = "sqlite://"
_INSTALL_ID = "0" * 32
_AT_ONCE = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The observation at the time of an expectation."""

    at: datetime
    alerts: tuple[Alert, ...]
    """The latest episode of every alert, resolved ones included."""
    messages: tuple[SentMessage, ...]
    """Messages sent since the previous observation."""
    waiting: tuple[OutboxEntry, ...]
    """Messages that are decided but not yet sent."""
    books: tuple[CategoryBook, ...]
    """What is known of each category."""
    faults: tuple[str, ...]
    """Problems of the test itself since the previous observation: a rule failed, or nothing to acknowledge."""


async def observe(test: RuleTest, rules: LoadedRules, receivers: dict[str, Notifier]) -> list[Observation]:
    """
    Run a test through its time, and return the observation for each expectation, in order.

    Args:
        receivers: The real ones, queried for whom they reach.
    """
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    async with _daemon(test, rules, receivers) as daemon:
        return [await daemon.observe(expectation) for expectation in test.expect]


@asynccontextmanager
async def _daemon(test: RuleTest, rules: LoadedRules, receivers: dict[str, Notifier]) -> AsyncIterator["_Daemon"]:
    """Build what `alertd run` builds, over the test's bills, an in-memory store and receivers that only record."""
    clock = HandClock(test.start)
    sent: list[SentMessage] = []
    notifiers: dict[str, Notifier] = {
        name: Recorder(name, real, clock=clock, sent=sent) for name, real in receivers.items()
    }
    is_only = len(rules.accounts) == 1
    sources: dict[str, BillSource] = {
        one.name: BillsOfTest(test, one.name, is_only=is_only, clock=clock) for one in rules.accounts
    }
    # Ignores the environment: a test is the same everywhere.
    settings = Settings.model_construct(poll_interval=test.poll_interval, settle_delay=test.settle_delay)
    store = Store.open(_IN_MEMORY, now=test.start, new_id=lambda: _INSTALL_ID)
    thread = StoreThread(InlineExecutor(), store)
    try:
        gateway = StoreGateway(thread)
        cycle = Cycle(
            store=gateway,
            plan=replace(
                build_plan(rules, settings, sources=sources, notifiers=notifiers), categories=_categories(test)
            ),
            cadence=Cadence.for_interval(test.poll_interval),
            install_id=_INSTALL_ID,
            timer=lambda: 0.0,
        )
        delivery = Delivery(
            outbox=gateway,
            notifiers=notifiers,
            fallback=fallbacks(rules),
            install_id=_INSTALL_ID,
            now=clock,
            jitter=lambda: 0.0,
        )
        yield _Daemon(test=test, clock=clock, thread=thread, gateway=gateway, cycle=cycle, delivery=delivery, sent=sent)
    finally:
        await thread.close()


def _categories(test: RuleTest) -> tuple[str, ...]:
    """
    Return the categories to poll: those with bills or subscriptions, or all where reads fail.

    While every read succeeds, a category without bills adds nothing: its data edge is that of the others.
    """
    if test.unread:
        return CATEGORIES
    # Some category of usage is always polled: subscriptions do not say how far bills are known.
    billed = {one.category for one in test.bills if one.category != SUBSCRIPTION} or {CATEGORIES[0]}
    if test.subscriptions:
        billed.add(SUBSCRIPTION)
    return tuple(category for category in CATEGORIES if category in billed)


@dataclass(slots=True, kw_only=True)
class _Daemon:
    """The daemon of one test, and what has happened so far."""

    test: RuleTest
    clock: HandClock
    thread: StoreThread
    gateway: StoreGateway
    cycle: Cycle
    delivery: Delivery
    sent: list[SentMessage]
    polls: int = 0
    seen: int = 0
    """Number of sent messages already observed."""
    faults: list[str] = field(default_factory=list)
    unmade: list[Silence] = field(default_factory=list)
    """Silences that are not made yet."""
    unacknowledged: list[Acknowledgement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unmade = [_silence(number, one, self.test.start) for number, one in enumerate(self.test.silences, start=1)]
        self.unacknowledged = sorted(self.test.acknowledge, key=lambda one: one.at)

    async def observe(self, expectation: Expectation) -> Observation:
        """Advance time to an expectation and return the observation."""
        until = self.test.start + expectation.at
        while (poll_at := self.test.start + self.polls * self.test.poll_interval) <= until:
            await self._poll(poll_at)
            self.polls += 1
        await self._acknowledge(until)
        await self._deliver(until)
        messages, self.seen = tuple(self.sent[self.seen :]), len(self.sent)
        faults, self.faults = tuple(self.faults), []
        alerts, books = await self.thread.call(
            lambda store: (tuple(store.alerts.all_alerts()), tuple(store.bills.load_books().values()))
        )
        waiting = tuple(await self.gateway.open_entries())
        return Observation(at=until, alerts=alerts, messages=messages, waiting=waiting, books=books, faults=faults)

    async def _poll(self, now: datetime) -> None:
        """Run one cycle, after the requests people made before it and the messages due before it."""
        await self._acknowledge(now - timedelta.resolution)
        await self._deliver(now)
        await self._silence(now)
        self.clock.now = now
        report = await self.cycle.run(now)
        await self.gateway.record(report, now)
        self.faults += (f'rule "{name}" failed; `alertd -v test` logs where' for name in report.rule_errors)
        await self._deliver(now)
        await self._acknowledge(now)

    async def _deliver(self, until: datetime) -> None:
        """Deliver everything that is due, each at its own time: what quiet hours hold is sent when those end."""
        while (due := next_due(await self.gateway.open_entries())) is not None and due <= until:
            self.clock.now = max(self.clock.now, due)
            await self.delivery.drain(patience=_AT_ONCE)

    async def _silence(self, until: datetime) -> None:
        made = [silence for silence in self.unmade if silence.created_at <= until]
        if made:
            self.unmade = [silence for silence in self.unmade if silence not in made]
            await self._save(silences=made)

    async def _acknowledge(self, until: datetime) -> None:
        """Acknowledge firing alerts, as people have done up to an instant."""
        while self.unacknowledged and self.test.start + self.unacknowledged[0].at <= until:
            wish = self.unacknowledged.pop(0)
            at = self.test.start + wish.at
            alerts = await self.thread.call(lambda store: store.alerts.all_alerts())
            meant = [alert for alert in alerts if is_of(alert, wish.rule, wish.labels)]
            firing = [alert for alert in meant if alert.state is AlertState.FIRING]
            if not firing:
                self.faults.append(_nothing_to_acknowledge(wish, meant))
            await self._save(alerts=[replace(alert, acknowledged_by=wish.by, acknowledged_at=at) for alert in firing])

    async def _save(self, *, alerts: Sequence[Alert] = (), silences: Sequence[Silence] = ()) -> None:
        await self.thread.call(lambda store: store.save_decisions(alerts=alerts, silences=silences))
        self.cycle.forget()


def is_of(alert: Alert, rule: str, labels: Labels) -> bool:
    """Return whether an alert is of a rule and has at least the given labels."""
    has = matchable(alert)
    return alert.rule == rule and all(has.get(name) == text for name, text in labels)


def label_text(rule: str, labels: Labels) -> str:
    """Return a rule and labels as reports name an alert: `gpu-24h{owner=gpu-1}`."""
    inside = ", ".join(f"{name}={text}" for name, text in labels)
    return f"{rule}{{{inside}}}" if inside else rule


def _nothing_to_acknowledge(wish: Acknowledgement, meant: Sequence[Alert]) -> str:
    states = ", ".join(dict.fromkeys(alert.state.value for alert in meant)) or "there is no such alert"
    what = label_text(wish.rule, wish.labels)
    return f"{wish.by} cannot acknowledge {what} at {offset_text(wish.at)}: nothing fires ({states})"


def _silence(number: int, entry: SilenceEntry, start: datetime) -> Silence:
    return Silence(
        id=f"{number:08x}",
        matchers=entry.match,
        author=entry.author,
        comment=entry.comment,
        created_at=start + entry.start,
        ends_at=start + entry.start + entry.lasting,
    )


P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(ThreadPoolExecutor):
    """
    Replaces a thread pool, and never starts a thread.

    The daemon hands work to threads to keep its loop free; a test has nothing else to do meanwhile, and handing it over
    costs more than the work itself.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the task now; the returned future has its outcome."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 -- whoever awaits it gets it, as from a thread
            future.set_exception(error)
        return future
