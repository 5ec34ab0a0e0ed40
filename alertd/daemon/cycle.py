"""
One cycle: read, file, commit facts; evaluate, decide, commit decisions. The straight line of the program.

It sends nothing and waits for nobody but the billing API and the store. `now` is taken once, outside, and handed down.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alertd.core.alert import Alert, AlertState
from alertd.core.alerts.judge import judge
from alertd.core.alerts.lifecycle import Move
from alertd.core.alerts.request_outcome import RequestOutcome, Situation, carry_out
from alertd.core.alerts.requests import Request
from alertd.core.chart import Chart
from alertd.core.hours import HOURS_PER_DAY, HourRange, hour_of
from alertd.core.messages.dispatch import Decisions, dispatch, entries_of_request, no_chart
from alertd.core.messages.outbox import OutboxEntry
from alertd.core.reports.overview import OVERVIEW_HOURS, Overview, overview
from alertd.core.rules.base import Rule
from alertd.core.rules.facts import Facts, RulesFile
from alertd.core.rules.held import Held, build_facts, with_key_names
from alertd.core.rules.own import broken_rules as rules_broken
from alertd.core.rules.own import failed_rules
from alertd.core.rules.own import unread_bills as blindness
from alertd.core.spend.bill import View
from alertd.core.spend.reading import Cadence
from alertd.core.spend.view import SpendView
from alertd.daemon.intake import Change, Intake
from alertd.daemon.state import DaemonState, FactStore, Plan
from alertd.log import get_logger
from alertd.queries.cycle_report import CycleReport

_REBUILD_HOURS = 200
"""With more changed hours than this, building the view anew is quicker than changing it."""
_VIEW_AHEAD_HOURS = 8 * HOURS_PER_DAY
"""The view has room for so many hours to come; after that it is built anew."""
_OWN_RULES = frozenset({blindness.NAME, rules_broken.NAME, failed_rules.NAME})
LARGEST_SKEW = timedelta(hours=1)
"""With the system clock further from the API's `Date` than this, nothing is decided."""


class Cycle:
    """
    Runs cycles one after another over one state; lives as long as the service.

    Args:
        timer: Seconds on a clock that never steps, for durations in the report.
    """

    def __init__(
        self,
        *,
        store: FactStore,
        plan: Plan,
        cadence: Cadence,
        install_id: str,
        timer: Callable[[], float],
    ) -> None:
        self._store = store
        self._plan = plan
        self._intake = Intake(store=store, cadence=cadence, on_change=self._take_over)
        self._install_id = install_id
        self._timer = timer
        self._state: DaemonState | None = None
        self._loading = asyncio.Lock()
        self._deciding = asyncio.Lock()
        """Alerts and silences change one at a time: by a cycle's decision, or because somebody asked."""
        self.rules_file = RulesFile()
        """How the last reading of the rules file went; set by who reads it."""
        self._views: dict[View, SpendView] = {}
        self._log = get_logger()

    @property
    def state(self) -> DaemonState:
        """What is known; only after the first cycle began."""
        if self._state is None:
            raise RuntimeError("no cycle has begun")
        return self._state

    @property
    def view(self) -> SpendView:
        """The hourly spend of the usage bills; only after the first cycle evaluated."""
        if View.USAGE not in self._views:
            raise RuntimeError("no cycle has evaluated")
        return self._views[View.USAGE]

    def open_alerts(self) -> list[Alert]:
        """Return what is pending or firing after the last cycle."""
        known = self._state.alerts.values() if self._state is not None else ()
        return [alert for alert in known if alert.state is not AlertState.RESOLVED]

    @property
    def plan(self) -> Plan:
        """What is watched and who is notified, the names of API keys included."""
        return self._plan

    async def held(self) -> Held:
        """Return what is held and watched, from the store where nothing is; reads no bills."""
        await self._remember()
        return self._held().of(self._plan)

    async def chart(self, alert: Alert, now: datetime) -> Chart | None:
        """Return an alert's chart as of now, None where it has none yet; it waits for a decision under way."""
        async with self._deciding:
            if not set(self._plan.views) <= self._views.keys():
                return None
            rules = {rule.name: rule for rule in self._plan.rules}
            return self._charts(self._facts(now))(alert, rules.get(alert.rule))

    @property
    def rule_count(self) -> int:
        """How many rules of the rules file are watched by, disabled ones included."""
        return sum(rule.name not in _OWN_RULES for rule in self._plan.rules)

    async def look(self, now: datetime) -> Facts:
        """Return what is known, from the store where nothing is held; reads no bills and judges nothing."""
        await self._remember()
        for view in self._plan.views:
            await self._fit_view(now, view)
        return self._facts(now)

    async def overview(self, now: datetime) -> Overview:
        """Return what is known, in short; it must not run while a cycle does."""
        facts = await self.look(now)
        return await asyncio.to_thread(overview, facts, self._plan.rules)

    def use(self, plan: Plan) -> None:
        """Watch by another plan from the next cycle on; open alerts follow the rule of their name."""
        if plan.views != self._plan.views:
            # Other books are needed, or some are needed no more.
            self.forget()
        self._plan = plan
        self._views.clear()

    def forget(self) -> None:
        """Read everything from the store anew at the next cycle: something else changed it."""
        self._state = None
        self._views.clear()

    async def carry_out(self, request: Request, now: datetime) -> RequestOutcome:
        """
        Acknowledge or silence because somebody asked; it waits for a decision that is under way, not for a read.

        Raises:
            RequestError: It cannot be done as asked.
            StoreError: Nothing was kept.
        """
        async with self._deciding:
            state = await self._remember()
            rules = {rule.name: rule for rule in self._plan.rules}
            outcome = carry_out(
                request,
                Situation(
                    alerts=state.alerts,
                    silences=state.silences,
                    rules=rules,
                    inhibitions=self._plan.audience.inhibitions,
                    now=now,
                ),
            )
            entries = entries_of_request(
                [
                    Move(before=state.alerts[alert.fingerprint], after=alert, rule=rules.get(alert.rule))
                    for alert in outcome.alerts
                ],
                audience=self._plan.audience,
                install_id=self._install_id,
                headline_of=self._plan.headline_of,
                chart_of=self._charts(self._facts(now)) if set(self._plan.views) <= self._views.keys() else no_chart,
                now=now,
            )
            await self._store.save_request(outcome, entries, now)
            state.alerts.update({alert.fingerprint: alert for alert in outcome.alerts})
            state.silences.update({silence.id: silence for silence in outcome.silences})
        return outcome

    async def _remember(self) -> DaemonState:
        """Return what is known, from the store where nothing is held."""
        async with self._loading:
            if self._state is None:
                self._state = await self._store.load(self._plan.views)
            return self._state

    async def run(self, now: datetime, *, everything: bool = False) -> CycleReport:
        """
        Run one complete cycle.

        Args:
            everything: Read every hour that the rules can see and all monthly bills, whatever is known.

        Raises:
            StoreError: Nothing of the part that failed is stored; the next cycle begins from what is.
        """
        try:
            return await self._run(now, everything=everything)
        except BaseException:
            # A commit may have happened whose answer was lost: what is stored is the truth, and is read anew.
            self.forget()
            raise

    async def _run(self, now: datetime, *, everything: bool) -> CycleReport:
        report = CycleReport(started_at=now)
        state = await self._remember()
        begun = self._timer()
        await self._intake.read(state, self._plan, now, report, everything=everything)
        self._name_keys(state)
        report.read_s = self._timer() - begun
        skew = self._skew(now)
        if skew is not None:
            report.errors.append(skew)
            return report
        async with self._deciding:
            begun = self._timer()
            moves, facts = await self._evaluate(now, report)
            report.evaluate_s = self._timer() - begun
            begun = self._timer()
            await self._decide(moves, facts, now, report)
            report.decide_s = self._timer() - begun
        self.state.is_fresh = False
        return report

    def _take_over(self, view: View, changes: list[Change]) -> None:
        """Bring the spend view up to date after a commit, or leave it to be built anew."""
        if view not in self._views or len(changes) > _REBUILD_HOURS:
            self._views.pop(view, None)
            return
        for hour, before, after in changes:
            self._views[view].replace(hour, before, after)

    def _name_keys(self, state: DaemonState) -> None:
        """Let owners that are API keys be called as their bills call them."""
        audience = self._plan.audience
        owners = with_key_names(audience.owners, state.key_names.values())
        if owners is not audience.owners:
            self._plan = replace(self._plan, audience=replace(audience, owners=owners))

    def _skew(self, now: datetime) -> str | None:
        """Return what is wrong with the system clock, None when it is near the API's or the API told nothing."""
        for account, source in self._plan.accounts.items():
            skew = source.clock_skew
            if skew is not None and abs(skew) > LARGEST_SKEW:
                return (
                    f'this system\'s clock says {now:%Y-%m-%d %H:%M} UTC, the billing API of account "{account}" '
                    f"{now - skew:%Y-%m-%d %H:%M} UTC; nothing is decided until they agree: set the clock"
                )
        return None

    async def _evaluate(self, now: datetime, report: CycleReport) -> tuple[list[Move], Facts]:
        for view in self._plan.views:
            await self._fit_view(now, view)
        facts = self._facts(now)
        moves, faults = await asyncio.to_thread(
            judge, self._plan.rules, facts, self.state.alerts, self._plan.accounts.keys()
        )
        for rule, fault in faults:
            report.rule_errors.append(rule)
            self._log.error("rule failed", rule=rule, exc_info=fault)
        return moves, facts

    def _held(self) -> Held:
        owners = self._plan.audience.owners
        return self.state.held(owners, last_read=self._intake.last_read, rules_file=self.rules_file)

    def _facts(self, now: datetime) -> Facts:
        return build_facts(self._held(), self._plan, self._views, now)

    async def _fit_view(self, now: datetime, view: View) -> None:
        """Build the spend view from the store when there is none, or time has moved past its end."""
        running = hour_of(now)
        if view in self._views and running + HOURS_PER_DAY < self._views[view].span.end:
            return
        start = min(self._plan.horizon(now, view), running - OVERVIEW_HOURS)
        span = HourRange(start, running + _VIEW_AHEAD_HOURS)
        table = self.state.shelf(view).table
        spend = SpendView(table, span, metrics=self._plan.metrics_of(view), owners=self._plan.audience.owners)
        spend.advance(running)
        await self._store.fill(spend, start, view)
        self._views[view] = spend

    def _charts(self, facts: Facts) -> Callable[[Alert, Rule | None], Chart | None]:
        """Return what draws an alert from what is known; a rule that cannot takes no message with it."""

        def chart_of(alert: Alert, rule: Rule | None) -> Chart | None:
            try:
                return rule.chart(facts, alert) if rule is not None else None
            except Exception:  # noqa: BLE001 -- as with rules: logged with its trace, the others go on
                self._log.exception("chart failed", rule=alert.rule)
                return None

        return chart_of

    async def _decide(self, moves: list[Move], facts: Facts, now: datetime, report: CycleReport) -> None:
        def decide(waiting: Sequence[OutboxEntry]) -> Decisions:
            return dispatch(
                moves,
                alerts=self.state.alerts,
                audience=self._plan.audience,
                silences=tuple(self.state.silences.values()),
                waiting=waiting,
                install_id=self._install_id,
                headline_of=self._plan.headline_of,
                chart_of=self._charts(facts),
                is_first_cycle=self.state.is_fresh,
                now=now,
            )

        decisions = await self._store.decide(decide, now)
        self.state.alerts.update({alert.fingerprint: alert for alert in decisions.alerts})
        report.notifications = len(decisions.entries)
        report.moves = [
            f"{move.after.rule} {move.after.fingerprint}: {move.arrow}" for move in decisions.moves if move.arrow
        ]
        states = [alert.state for alert in self.state.alerts.values()]
        report.firing = states.count(AlertState.FIRING)
        report.pending = states.count(AlertState.PENDING)
