"""
The service: rings for cycles by APScheduler, keeps delivering, obeys signals, stops cleanly.

APScheduler only rings; what to read and what to send comes from the store. A watchdog on a clock that never steps rings
again when the wall clock jumped or a ring got lost.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from alertd.clock import monotonic_s, utc_now
from alertd.core.alert import AlertState
from alertd.core.alerts.requests import Request, RequestOutcome
from alertd.core.rules.facts import RulesFile
from alertd.daemon.app import App, open_slack_app
from alertd.daemon.control_socket import listen, socket_path
from alertd.daemon.control_table import serve_requests
from alertd.daemon.systemd import ServiceManager
from alertd.daemon.watchdog import CYCLE_DEADLINE, FEEL_EVERY_S, Watchdog
from alertd.errors import AlertdError, RulesError
from alertd.log import get_logger
from alertd.notify.delivery.mirroring import MIRROR_EVERY
from alertd.notify.slack.commands import SlackCommands
from alertd.queries.cycle_report import CycleReport
from alertd.rules_file.watch import RulesWatch
from alertd.store.url import PostgresUrl, parse_database_url
from alertd.web.listen import parse_listen

STOP_PATIENCE = timedelta(seconds=8)
"""How long a stop waits for sends in flight; with what follows it stays below ten seconds."""
_WATCHDOG_PERIOD_S = 10.0
_RULES_LOOK_S = 1.0
"""How often the rules files are looked at; an edit is read when two looks agree."""
_LARGEST_STEP_S = 60.0
"""A wall clock that moved this much against the monotonic one has been set."""
MESSAGES_KEPT = timedelta(days=90)
SPEND_KEPT = timedelta(days=400)


class Service:
    """
    Runs one app until it is told to stop.

    Args:
        reload: Rereads the rules, swaps them in and says what changed; raises AlertdError and changes nothing when
            they are broken.
        watch: Notices edits of the rules.
        manager: What started this process, and wants to hear how it fares.
        lost: Set when another daemon took the store over: this one stops.
    """

    def __init__(
        self,
        app: App,
        *,
        reload: Callable[[], Awaitable[str]],
        watch: RulesWatch,
        manager: ServiceManager,
        lost: asyncio.Event | None = None,
    ) -> None:
        self._app = app
        self._manager = manager
        self._reload = reload
        self._rules_watch = watch
        self._ring: Callable[[], None] = lambda: None
        self._log = get_logger()
        self._watchdog = Watchdog(heads=app.delivery.heads, poll_interval=app.settings.poll_interval, timer=monotonic_s)
        self._stop = asyncio.Event()
        self._lost = lost or asyncio.Event()
        self._cycles: set[asyncio.Task[object]] = set()
        self._listen_on = parse_listen(
            app.settings.http_listen,
            token=app.settings.plain("http_token") or "",
            external_url=app.settings.external_url or "",
        )
        self._turn = asyncio.Lock()
        """Cycle, maintenance, reports and reload use the same state: one at a time."""

    def stop(self) -> None:
        """Ask for a clean stop; may be called more than once."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until `stop`; then let sends in flight finish."""
        # Signals first and to the very end: one that comes while alertd starts or stops must not kill it.
        async with self._signals(), self._control(), self._web():
            await self._app.delivery.recover()
            self._app.cycle.rules_file = RulesFile(loaded_at=utc_now(), rules=self._app.cycle.rule_count)
            await self._note_rules_file()
            delivering = asyncio.create_task(self._app.delivery.run(self._stop))
            async with self._ringing(), self._slack():
                # Not only after the first poll: a billing API that is down is no reason to start again.
                self._manager.ready()
                ends = [asyncio.create_task(event.wait()) for event in (self._stop, self._lost)]
                await asyncio.wait({*ends, delivering}, return_when=asyncio.FIRST_COMPLETED)
                for end in ends:
                    end.cancel()
                self._stop.set()
                for task in self._cycles:
                    task.cancel()
            await self._finish(delivering)

    async def _finish(self, delivering: asyncio.Task[None]) -> None:
        """Let sends in flight end, as long as a stop may take."""
        self._log.info("stopping")
        self._manager.stopping()
        done, late = await asyncio.wait({delivering}, timeout=STOP_PATIENCE.total_seconds())
        for task in late:
            # What is cut here is stored as `sending`: the next start finds out, or sends again.
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for task in done:
            task.result()
        self._log.info("stopped")

    @asynccontextmanager
    async def _control(self) -> AsyncIterator[None]:
        """Take the requests of commands: by a socket beside the file, else by a table; not in a database in memory."""
        database = parse_database_url(self._app.settings.store_url())
        if database is None:
            yield
            return
        control: AbstractAsyncContextManager[None]
        if isinstance(database, PostgresUrl):
            control = serve_requests(self._app.gateway, self._carry_out)
        else:
            control = listen(socket_path(database), self._carry_out)
        async with control:
            yield

    @asynccontextmanager
    async def _web(self) -> AsyncIterator[None]:
        """Serve the status page, health, metrics and JSON where the settings want it."""
        listen_on = self._listen_on
        if listen_on is None:
            yield
            return
        from alertd.daemon.status_page import serve_page  # noqa: PLC0415 -- with `off` nothing of it is loaded

        async with serve_page(self._app, listen_on, carry_out=self._carry_out, stuck=self._watchdog.stuck, now=utc_now):
            self._log.info("listening", address=f"{listen_on.host}:{listen_on.port}")
            yield

    @asynccontextmanager
    async def _slack(self) -> AsyncIterator[None]:
        """Listen to buttons and slash commands where there is a token for it."""
        commands = SlackCommands(
            alerts=self._app.cycle.open_alerts, spent=self._app.gateway.spent, carry_out=self._carry_out, now=utc_now
        )
        slack = open_slack_app(self._app.settings, carry_out=self._carry_out, command=commands.answer)
        listening = asyncio.create_task(slack.run()) if slack is not None else None
        try:
            yield
        finally:
            if listening is not None:
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening

    async def _carry_out(self, request: Request) -> RequestOutcome:
        outcome = await self._app.cycle.carry_out(request, utc_now())
        self._app.delivery.wake()
        if outcome.event:
            self._log.info("request carried out", what=outcome.event, alerts=len(outcome.alerts))
        return outcome

    @asynccontextmanager
    async def _ringing(self) -> AsyncIterator[None]:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # noqa: PLC0415 -- only the service needs it

        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        interval = self._app.settings.poll_interval
        scheduler.add_job(self._poll, "interval", seconds=interval.total_seconds(), next_run_time=utc_now(), id="poll")
        scheduler.add_job(self._maintain, "interval", days=1, id="maintain")
        # After the first poll, which has the turn before it: a report that was missed is to tell of now.
        scheduler.add_job(self._report, "cron", minute="*", next_run_time=utc_now(), id="report")
        mirror = self._app.mirroring.mirror
        every_s = MIRROR_EVERY.total_seconds()
        scheduler.add_job(mirror, "interval", seconds=every_s, next_run_time=utc_now(), id="mirror")
        scheduler.start()

        def ring() -> None:
            scheduler.modify_job("poll", next_run_time=utc_now())

        self._ring = ring
        every_s = min(self._manager.alive_every_s or FEEL_EVERY_S, FEEL_EVERY_S)
        watching = (
            self._watch(interval),
            self._watch_rules(),
            self._watchdog.feel(),
            self._watchdog.watch(self._manager.judged, every_s=every_s),
        )
        watchers = [asyncio.create_task(task) for task in watching]
        try:
            yield
        finally:
            for task in watchers:
                task.cancel()
            # It must not wait: waiting would cancel what runs without letting it finish.
            scheduler.shutdown(wait=False)

    @asynccontextmanager
    async def _signals(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[None]] = set()

        def reread() -> None:
            task = asyncio.create_task(self._reread())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, reread)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    async def _watch_rules(self) -> None:
        """Read the rules again when they were edited."""
        while True:
            await asyncio.sleep(_RULES_LOOK_S)
            if await asyncio.to_thread(self._rules_watch.has_changed):
                await self._reread()

    async def _reread(self) -> None:
        cycle = self._app.cycle
        async with self._turn:
            self._manager.reloading()
            # Noted before it is read: an edit meanwhile is one more.
            await asyncio.to_thread(self._rules_watch.note)
            try:
                changes = await self._reload()
            except AlertdError as error:
                faults = tuple(map(str, error.problems)) if isinstance(error, RulesError) else (str(error),)
                before = cycle.rules_file
                since, failures = before.broken_since or utc_now(), before.failures + 1
                cycle.rules_file = replace(before, faults=faults, broken_since=since, failures=failures)
                self._log.error("rules not reloaded", error=str(error), kept="the rules loaded before stay in force")
            else:
                cycle.rules_file = RulesFile(
                    changes=changes,
                    loaded_at=utc_now(),
                    rules=cycle.rule_count,
                    failures=cycle.rules_file.failures,
                )
                self._log.info("rules reloaded", changes=changes or "none")
            await self._note_rules_file()
            self._manager.ready()
        # Whoever edited the rules waits to see what comes of it.
        self._ring()

    async def _note_rules_file(self) -> None:
        """Keep how the reading went for those who look at the store; it can do without."""
        try:
            await self._app.gateway.note_rules_file(self._app.cycle.rules_file)
        except AlertdError as error:
            self._log.error("state of the rules file not stored", error=str(error))

    async def _watch(self, interval: timedelta) -> None:
        """Ring again when the wall clock was set, or no cycle began for two intervals."""
        offset_s = utc_now().timestamp() - monotonic_s()
        while True:
            await asyncio.sleep(_WATCHDOG_PERIOD_S)
            moved_s = utc_now().timestamp() - monotonic_s() - offset_s
            silent_s = self._watchdog.silent_s
            if abs(moved_s) > _LARGEST_STEP_S:
                offset_s += moved_s
                self._log.warning("clock was set", moved_s=round(moved_s))
                self._ring()
            elif silent_s > 2 * interval.total_seconds() + _WATCHDOG_PERIOD_S and not self._cycles:
                self._log.warning("poll was late", silent_s=round(silent_s))
                self._ring()

    async def _poll(self) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._cycles.add(task)
            task.add_done_callback(self._cycles.discard)
        self._watchdog.cycle_began()
        outcome = "failed"
        try:
            async with self._turn, asyncio.timeout(CYCLE_DEADLINE.total_seconds()):
                report = await run_cycle(self._app, utc_now())
                if self._listen_on is not None:
                    await renew_overview(self._app, utc_now())
        except asyncio.CancelledError:
            # A stop takes back what was not committed; APScheduler would log it as a failure.
            if not self._stop.is_set():
                raise
        except TimeoutError:
            self._log.error("cycle cancelled", after_s=CYCLE_DEADLINE.total_seconds())
        except AlertdError as error:
            self._log.error("cycle failed", error=str(error))
        except Exception:  # noqa: BLE001 -- the job boundary: the next cycle must come whatever happened in this one
            self._log.exception("cycle failed")
        else:
            outcome = "ok" if report.is_ok else "not complete"
            if report.is_ok and not self._watchdog.stuck():
                await self._beat()
        finally:
            self._watchdog.cycle_ended()
            firing = sum(alert.state is AlertState.FIRING for alert in self._app.cycle.open_alerts())
            if not self._stop.is_set():
                self._manager.status(f"{firing} firing, last poll {utc_now():%H:%M} UTC {outcome}")

    async def _report(self) -> None:
        """File the reports that are due."""
        try:
            async with self._turn:
                await self._app.reporter.run(utc_now())
        except asyncio.CancelledError:
            # As in `_poll`: what a stop takes back is filed after the next start.
            if not self._stop.is_set():
                raise
        except AlertdError as error:
            self._log.error("reports not filed", error=str(error))
        except Exception:  # noqa: BLE001 -- the job boundary
            self._log.exception("reports not filed")
        else:
            self._app.delivery.wake()

    async def _beat(self) -> None:
        """Ping the dead man's switch: all is well."""
        url = self._app.settings.plain("heartbeat_url")
        if not url:
            return
        import httpx  # noqa: PLC0415 -- loaded already by the billing client

        try:
            async with asyncio.timeout(30), httpx.AsyncClient(timeout=10) as client:
                response = await client.get(url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            self._log.warning("heartbeat failed", error=type(error).__name__)
        else:
            if response.is_error:
                self._log.warning("heartbeat refused", status=response.status_code)

    async def _maintain(self) -> None:
        now = utc_now()
        try:
            async with self._turn:
                await self._app.gateway.prune(spend_before=now - SPEND_KEPT, before=now - MESSAGES_KEPT)
                self._app.cycle.forget()
        except AlertdError as error:
            self._log.error("maintenance failed", error=str(error))


ONCE_PATIENCE = timedelta(seconds=30)
"""How long `--once` waits for retries before it leaves them to the next run."""


async def run_cycle(
    app: App, now: datetime, *, everything: bool = False, clock: Callable[[], datetime] = utc_now
) -> CycleReport:
    """
    Run one cycle, keep its figures, log its one line and wake the delivery.

    Args:
        clock: Says when it finished.

    Raises:
        StoreError: The store failed; the cycle did not decide.
    """
    log = get_logger()
    try:
        report = await app.cycle.run(now, everything=everything)
    except BaseException:
        app.figures.note_failure()
        raise
    await app.gateway.record(report, clock())
    app.figures.note_cycle(report)
    app.delivery.wake()
    for move in report.moves:
        log.info("alert moved", alert=move)
    figures = {name: value for name, value in report.figures() if value != ""}
    (log.info if report.is_ok else log.warning)("cycle done", **figures)
    return report


async def run_once(app: App, now: datetime) -> bool:
    """
    Run one complete cycle, file the reports that are due, and deliver.

    Returns:
        Whether everything was read, judged, reported and delivered.
    """
    await app.delivery.recover()
    report = await run_cycle(app, now, everything=True)
    is_reported = await app.reporter.run(now)
    is_delivered = await app.delivery.drain(patience=ONCE_PATIENCE)
    await app.mirroring.mirror()
    return report.is_ok and is_reported and is_delivered


async def renew_overview(app: App, now: datetime) -> None:
    """Renew what status page and metrics show; that it fails takes nothing else with it."""
    begun = monotonic_s()
    try:
        overview = await app.cycle.overview(now)
    except Exception:  # noqa: BLE001 -- as with rules: logged with its trace, the last one stays and says of when it is
        get_logger().exception("overview failed")
    else:
        app.figures.note_overview(overview, monotonic_s() - begun)
