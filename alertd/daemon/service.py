"""
The service: polls, delivers, serves and obeys signals concurrently, each as a supervised task, and stops cleanly.

The store determines what to read and send; this module only when, triggered by APScheduler. A poll is requested
again when the wall clock was set.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from alertd.core.alerts.request_outcome import RequestOutcome
from alertd.core.alerts.requests import Request
from alertd.core.calendar import Period
from alertd.core.hours import HourRange, hour_of
from alertd.core.money import Usd
from alertd.core.rules.records import ReloadOutcome
from alertd.core.spend.lately import period_so_far
from alertd.core.spend.lists import View
from alertd.daemon.allocator import give_back
from alertd.daemon.app import App, open_slack_app
from alertd.daemon.control_socket import listen, socket_path
from alertd.daemon.control_table import serve_requests
from alertd.daemon.poll import poll, renew_overview
from alertd.daemon.reload import RulesReloader
from alertd.daemon.schedule import GRACE, Schedule
from alertd.daemon.signals import Signals
from alertd.daemon.slack_answers import topics
from alertd.daemon.supervisor import Job
from alertd.daemon.systemd import ServiceManager
from alertd.daemon.timekeeper import ClockWatch
from alertd.daemon.watchdog import ASK_EVERY_S, CYCLE_DEADLINE, Watchdog
from alertd.errors import AlertdError
from alertd.log import get_logger
from alertd.notify.delivery.mirroring import MIRROR_EVERY
from alertd.notify.heartbeat import send_heartbeat
from alertd.notify.slack.commands import SlackCommands
from alertd.queries.event_words import event_text
from alertd.rules_file.watch import RulesWatch
from alertd.store.store import Store
from alertd.store.url import PostgresUrl, parse_database_url

STOP_PATIENCE = timedelta(seconds=8)
"""Seconds that a stop waits for sends in flight; with what follows it stays below ten seconds."""
_CLOCK_EVERY_S = 10.0
_REPORTS_EVERY = timedelta(minutes=1)
_MAINTAIN_EVERY = timedelta(days=1)
MESSAGES_KEPT = timedelta(days=90)
SPEND_KEPT = timedelta(days=400)


class Service:
    """
    Runs one app until a stop is requested.

    Args:
        watch: Detects edits of the rules.
        manager: The service manager to report to.
        signals: Their `stop` event, set by a signal or otherwise, ends the service.
    """

    def __init__(self, app: App, *, watch: RulesWatch, manager: ServiceManager, signals: Signals) -> None:
        self._app = app
        self._tasks = app.tasks
        self._manager = manager
        self._signals, self._stop = signals, signals.stop
        self._log = get_logger()
        self._turn = asyncio.Lock()
        """Serialises cycle, maintenance, reports and reload, which use the same state."""
        self._poll_asked = asyncio.Event()
        self._reports_asked, self._maintain_asked = asyncio.Event(), asyncio.Event()
        self._schedule = Schedule()
        self._watchdog = Watchdog(
            heads=app.delivery.heads,
            failing=app.tasks.failing,
            poll_interval=app.settings.poll_interval,
            timer=app.clock.monotonic_s,
        )
        self._reloader = RulesReloader(
            app, watch=watch, manager=manager, turn=self._turn, on_reread=self._poll_asked.set
        )
        self._listen_on = app.settings.listen()
        self._wants_overview = self._listen_on is not None
        self._firing = ""
        """The number of firing alerts, as shown in the status; empty before the first successful poll."""

    async def run(self) -> None:
        """Serve until a stop is requested; then let sends in flight finish."""
        with self._signals.watched(on_reload=self._reloader.ask):
            async with self._requests(), self._web(), self._reloading():
                with self._schedule:
                    await self._serve()

    async def _serve(self) -> None:
        await self._app.delivery.recover()
        self._app.cycle.rules_file = ReloadOutcome(loaded_at=self._app.time.now(), rules=self._app.cycle.rule_count)
        await self._reloader.note()
        delivering = self._tasks.keep("delivery", lambda: self._app.delivery.run(self._stop))
        self._start_tasks()
        # Not only after the first poll: a billing API that is down is no reason to restart.
        self._manager.ready()
        await self._stop.wait()
        await self._finish(delivering)

    def _start_tasks(self) -> None:
        tasks = self._tasks
        self._repeat("poll", self._poll, every=self._app.settings.poll_interval, asked=self._poll_asked)
        # Started after the poll, which takes its turn first: a missed report should describe the current state.
        self._repeat("reports", self._report, every=_REPORTS_EVERY, asked=self._reports_asked)
        self._repeat("mirroring", self._app.mirroring.mirror, every=MIRROR_EVERY)
        self._repeat("maintenance", self._maintain, every=_MAINTAIN_EVERY, asked=self._maintain_asked)
        tasks.keep("actions", self._app.actions.run)
        tasks.keep("clock", self._watch_clock)
        tasks.keep("rules file", self._reloader.run)
        tasks.keep("watchdog questions", self._watchdog.ask)
        every_s = min(self._manager.alive_every_s or ASK_EVERY_S, ASK_EVERY_S)
        tasks.keep("watchdog", lambda: self._watchdog.watch(self._manager.judged, every_s=every_s))
        gateway = self._app.gateway
        commands = SlackCommands(
            alerts=lambda: gateway.call(lambda store: store.alerts.open_alerts()),
            spent=self._spent,
            carry_out=self._carry_out,
            now=self._app.time.now,
            topics=topics(self._app),
            timezone=self._timezone,
        )
        slack = open_slack_app(
            self._app.settings,
            carry_out=self._carry_out,
            command=commands.answer,
            now=self._app.time.now,
            approvers_of=self._approvers_of,
            timezone=self._timezone,
        )
        if slack is not None:
            self._wants_overview = True
            tasks.keep("slack", slack.run)

    def _repeat(
        self, name: str, job: Job, *, every: timedelta, asked: asyncio.Event | None = None, at_once: bool = True
    ) -> None:
        """Do a job when its turn is triggered, or a little later without a trigger."""
        due = asked or asyncio.Event()
        self._schedule.every(name, every, due)
        self._tasks.repeat(name, job, every=every * (1 + GRACE), asked=due, at_once=at_once)

    async def _finish(self, delivering: asyncio.Task[None]) -> None:
        """Let sends in flight finish, within the time limit of a stop."""
        self._log.info("alertd stopping")
        self._manager.stopping()
        self._tasks.cancel(sparing=delivering)
        await asyncio.wait({delivering}, timeout=STOP_PATIENCE.total_seconds())
        # Sends cancelled here are stored as `sending`: the next start looks them up, or sends again.
        await self._tasks.stop()
        self._log.info("alertd stopped")

    @asynccontextmanager
    async def _requests(self) -> AsyncIterator[None]:
        """Accept the requests of commands: by a socket beside the file, else by a table; none in memory."""
        database = parse_database_url(self._app.settings.store_url())
        if database is None or isinstance(database, PostgresUrl):
            if database is not None:
                self._tasks.keep("requests", lambda: serve_requests(self._app.gateway, self._carry_out))
            yield
            return
        async with listen(socket_path(database), self._carry_out):
            yield

    @asynccontextmanager
    async def _web(self) -> AsyncIterator[None]:
        """Serve the status page, health, metrics and JSON if configured."""
        listen_on = self._listen_on
        if listen_on is None:
            yield
            return
        from alertd.daemon.status_page import serve_page  # noqa: PLC0415 -- with `off` nothing of it is loaded

        now = self._app.time.now
        async with serve_page(self._app, listen_on, carry_out=self._carry_out, stuck=self._watchdog.stuck, now=now):
            self._log.info("http server listening", address=f"{listen_on.host}:{listen_on.port}")
            yield

    @asynccontextmanager
    async def _reloading(self) -> AsyncIterator[None]:
        """Close at the end what a reload opened."""
        try:
            yield
        finally:
            await self._reloader.close()

    async def _spent(self, period: Period) -> tuple[HourRange, Sequence[tuple[str, Usd]]] | None:
        """Return the cost of each category in the current period, largest first; None before the first read."""
        cycle, now = self._app.cycle, self._app.time.now()
        data = (await cycle.held()).data(View.USAGE, now, cycle.plan.settle_delay)
        span = period_so_far(data, period, self._timezone())
        if span is None:
            return None
        return span, await self._app.gateway.spent(span, cycle.plan.accounts, hour_of(now))

    def _timezone(self) -> str:
        return self._app.cycle.plan.timezone

    def _approvers_of(self, action: str) -> Sequence[str]:
        found = self._app.cycle.plan.actions.get(action)
        return found.approvers if found is not None else ()

    async def _carry_out(self, request: Request) -> RequestOutcome:
        outcome = await self._app.cycle.carry_out(request, self._app.time.now())
        self._app.delivery.wake()
        if outcome.action is not None and outcome.is_new:
            self._app.figures.note_action(outcome.action.state)
            self._app.actions.wake()
        if outcome.change is not None:
            self._log.info("request carried out", what=event_text(outcome.change), alerts=len(outcome.alerts))
        return outcome

    async def _watch_clock(self) -> None:
        """Request a poll when the wall clock was set or the system was suspended."""
        watch = ClockWatch(self._app.clock)
        while True:
            await asyncio.sleep(_CLOCK_EVERY_S)
            if step := watch.look():
                self._log.warning("clock set", moved_s=round(step.moved_s), suspended_s=round(step.suspended_s))
                self._schedule.rearm()
                self._poll_asked.set()
                # Waiting entries may have become due.
                self._app.delivery.wake()

    async def _poll(self) -> None:
        self._watchdog.cycle_began()
        outcome = "failed"
        try:
            async with self._turn, asyncio.timeout(CYCLE_DEADLINE.total_seconds()) as deadline:
                next_at = self._app.time.now() + self._schedule.wait_for("poll")
                report = await poll(self._app, next_at=next_at)
                if self._wants_overview:
                    await renew_overview(self._app, self._app.time.now())
                await asyncio.to_thread(give_back)
        except TimeoutError:
            if not deadline.expired():
                raise
            self._log.error("cycle timed out", after_s=CYCLE_DEADLINE.total_seconds())
        except AlertdError as error:
            self._log.error("cycle failed", error=str(error))
        else:
            outcome = "ok" if report.is_ok else "not complete"
            if not report.is_moved:
                self._firing = f"{report.firing} firing, "
            # A poll checks the time: at the start nothing was due before it, or nobody could say.
            self._reports_asked.set()
            self._maintain_asked.set()
            url = self._app.settings.plain("heartbeat_url")
            if url and report.is_ok and not self._watchdog.stuck():
                await send_heartbeat(url, self._app.settings.outgoing)
        finally:
            self._watchdog.cycle_ended()
            if not self._stop.is_set():
                self._manager.status(f"{self._firing}last poll {self._app.time.now():%H:%M} UTC {outcome}")

    async def _report(self) -> None:
        """File the reports that are due, by a checked time: a wrong one would send them early, or never."""
        if not self._app.time.is_checked:
            return
        try:
            async with self._turn:
                await self._app.reporter.run(self._app.time.now())
        except AlertdError as error:
            self._log.error("reports not filed", error=str(error))
        else:
            self._app.delivery.wake()

    async def _maintain(self) -> None:
        """Delete old data once a day, counted from the last time rather than from this start."""
        if not self._app.time.is_checked:
            return
        now = self._app.time.now()

        def prune(store: Store) -> bool:
            last = store.meta.pruned_at
            if last is not None and timedelta() <= now - last < _MAINTAIN_EVERY:
                return False
            store.prune(before_hour=hour_of(now - SPEND_KEPT), before=now - MESSAGES_KEPT)
            store.meta.put_pruned_at(now)
            return True

        try:
            async with self._turn:
                try:
                    is_pruned = await self._app.gateway.call(prune)
                except BaseException:
                    # It may have succeeded although its answer was lost.
                    self._app.cycle.forget()
                    raise
                if is_pruned:
                    self._app.cycle.forget()
        except AlertdError as error:
            self._log.error("maintenance failed", error=str(error))
