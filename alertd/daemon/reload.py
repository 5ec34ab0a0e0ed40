"""
Reloads the rules after edits and SIGHUP: swaps in all of the new rules, or keeps the old ones and says why.

Any failure while they are read, by a mistake in the file or in a plugin, leaves the old rules in force, fires
`alertd-rules` with the reason, and does not end the watching.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

from alertd.core.rules.records import ReloadOutcome
from alertd.daemon.accounts import open_instances, open_sources
from alertd.daemon.app import App
from alertd.daemon.plan import build_plan
from alertd.daemon.receivers import fallbacks, open_notifiers
from alertd.daemon.reports import timetables
from alertd.daemon.systemd import ServiceManager
from alertd.errors import AlertdError, RulesError, StoreError
from alertd.log import get_logger
from alertd.rules_file.changes import changes
from alertd.rules_file.load import load_rules
from alertd.rules_file.watch import RulesWatch

_LOOK_S = 1.0
"""Seconds between checks of the rules files; an edit is read when two checks agree."""


class RulesReloader:
    """
    Reloads the rules of one app, for the life of the service.

    Args:
        watch: Detects edits of the rules files.
        manager: Notified of each reload.
        turn: Held while the rules are swapped, so that no cycle runs meanwhile.
        on_reread: Called after each reload, whatever its outcome: whoever edited the file is waiting for it.
    """

    def __init__(
        self,
        app: App,
        *,
        watch: RulesWatch,
        manager: ServiceManager,
        turn: asyncio.Lock,
        on_reread: Callable[[], None],
    ) -> None:
        self._app = app
        self._watch = watch
        self._manager = manager
        self._turn = turn
        self._on_reread = on_reread
        self._asked = asyncio.Event()
        self._rules, self._connections = app.rules, app.connections
        self._log = get_logger()

    def ask(self) -> None:
        """Request a reload, whether or not the rules were edited."""
        self._asked.set()

    async def close(self) -> None:
        """Close the connections of the rules in force."""
        await self._connections.aclose()

    async def run(self) -> None:
        """Reload the rules whenever they were edited or a reload was requested, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._asked.wait()
            if self._asked.is_set() or await asyncio.to_thread(self._watch.has_changed):
                self._asked.clear()
                await self.reread()

    async def reread(self) -> None:
        """Read the rules now; keep the old ones if the new ones cannot be used, and record the outcome."""
        cycle = self._app.cycle
        async with self._turn:
            self._manager.reloading()
            try:
                # Recorded before reading, so that an edit during it counts as another one.
                await asyncio.to_thread(self._watch.note)
                found = await self._reload()
            except (Exception, SystemExit) as error:  # noqa: BLE001 -- a plugin's mistake is no reason to stop watching the file
                self._keep_old(error)
            else:
                failures = cycle.rules_file.failures
                cycle.rules_file = ReloadOutcome(
                    changes=found, loaded_at=self._app.time.now(), rules=cycle.rule_count, failures=failures
                )
                self._log.info("rules reloaded", changes=found or "none")
            await self.note()
            self._manager.ready()
        self._on_reread()

    async def note(self) -> None:
        """Store the outcome for readers of the store; a failure to do so is harmless."""
        try:
            await self._app.gateway.call(lambda store: store.meta.put_rules_file(self._app.cycle.rules_file))
        except AlertdError as error:
            self._log.error("rules file state not stored", error=str(error))

    def _keep_old(self, error: Exception | SystemExit) -> None:
        cycle, faults = self._app.cycle, _faults(error)
        before = cycle.rules_file
        since, failures = before.broken_since or self._app.time.now(), before.failures + 1
        cycle.rules_file = replace(before, faults=faults, broken_since=since, failures=failures)
        self._log.error(
            "rules not reloaded",
            error="\n".join(faults),
            kept="the rules loaded before stay in force",
            # alertd's own errors are self-explanatory; others need their traceback.
            exc_info=None if isinstance(error, AlertdError) else error,
        )

    async def _reload(self) -> str:
        """
        Swap in the file's current content, and return what that changed, in words.

        Raises:
            Exception: Whatever reading and building raises; nothing is changed then.
        """
        app = self._app
        rules = load_rules(app.settings.rules_path())
        async with AsyncExitStack() as opening:
            notifiers = open_notifiers(rules, app.settings, opening, now=app.time.now)
            sources = open_sources(rules, app.settings, opening, hear=app.time.hear, elapsed=app.clock.elapsed_s)
            instances = open_instances(rules, app.settings, opening, elapsed=app.clock.elapsed_s)
            plan = build_plan(rules, app.settings, sources=sources, notifiers=notifiers)
            reports, fallback, found = timetables(rules.reports), fallbacks(rules), changes(self._rules, rules)
            # Nothing may fail from here on: half of the new rules would be worse than the old ones.
            app.cycle.use(plan)
            app.reporter.use(reports, plan)
            app.delivery.use(notifiers, fallback)
            app.actions.use(instances)
            self._rules, replaced, self._connections = rules, self._connections, opening.pop_all()
        app.tasks.once("closing replaced connections", lambda: self._close(replaced))
        try:
            await app.delivery.unblock()
        except StoreError as error:
            self._log.error("blocked notifications not retried", error=str(error))
        return found

    async def _close(self, replaced: AsyncExitStack) -> None:
        """Close the replaced receivers and clients, once their sends and calls have ended."""
        await self._app.actions.settled()
        await self._app.delivery.settled()
        await replaced.aclose()


def _faults(error: Exception | SystemExit) -> tuple[str, ...]:
    if isinstance(error, RulesError):
        return tuple(map(str, error.problems))
    if isinstance(error, AlertdError):
        return (str(error),)
    return (f"{type(error).__name__} while the rules were read: {error}; see the trace in alertd's log",)
